//! What a farm is told of channels, and what it says is to be done.

use orepass_stratum::channel::{ChannelView, Ground, Seat};
use orepass_stratum::dialect::{Dialect, Work};
use orepass_stratum::downstream::{CloseReason, Wait};
use orepass_stratum::firmware::Firmware;
use orepass_stratum::job::Generation;
use orepass_stratum::space::WorkNumber;
use orepass_stratum::target::Difficulty;
use thiserror::Error;

use crate::knowledge::Change;
use crate::pools::{Cause, PoolIndex, PoolsEvent};

/// A rig's connection, by a serial that is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RigId(pub u64);

/// A connection to a pool, and all that come in its place, by a number that the farm gives and never
/// uses again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub u64);

/// What of a channel's view the farm needs.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Whether the pool's connection takes shares.
    pub live: bool,
    /// Whether the pool has told a job on it as well.
    pub serves: bool,
    /// Grows with every new extranonce1 or split.
    pub generation: Generation,
    /// How the space is divided; none before the first subscribe.
    pub ground: Option<&'a Ground>,
    /// The present work; none before the generation's first.
    pub work: Option<WorkNumber>,
    /// The block that it builds on, where jobs tell it.
    pub block: Option<u64>,
}

impl<'a> Shown<'a> {
    /// Of a view, by what the session with the pool says of
    /// [serving](orepass_stratum::upstream::Upstream::serves).
    #[must_use]
    pub fn of<D: Dialect>(view: &'a ChannelView<D>, serves: bool) -> Self {
        let work = view.work.as_deref();
        Self {
            live: view.live,
            serves,
            generation: view.generation,
            ground: view.ground.as_ref(),
            work: work.map(|work| work.work),
            block: work.and_then(|work| work.job.parent()),
        }
    }
}

/// How a connection to a pool ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was given up.
    GivenUp(Cause),
    /// It was never made, or it broke before it served.
    Failed,
    /// It served, and broke.
    Lost,
    /// The pool sent it elsewhere, or gave it the extranonce1 of another: that says nothing of the
    /// pool's other connections.
    SentAway,
}

/// What is to be done.
#[derive(Debug)]
pub enum Act {
    /// A channel is to be opened.
    Open {
        /// Its number.
        channel: ChannelId,
        /// The pool that it leads to.
        pool: PoolIndex,
        /// Whether it serves one rig alone, with nothing split off.
        dedicated: bool,
    },
    /// A channel is to be closed for good: no rig uses it.
    Close(ChannelId),
    /// Another connection to its pool has ended: this one is to be asked whether it lives.
    Doubt(ChannelId),
    /// Another channel, which many rigs share, was given its extranonce1: it ends its connection.
    GiveWay(ChannelId),
    /// A connection to this pool has come to serve: those to it that wait to be made need not wait.
    News(PoolIndex),
    /// Whether no pool serves at all, which is no time to wait with a connection; when that changes.
    Urgent(bool),
    /// A rig's session is to be told this.
    Rig {
        /// The rig.
        rig: RigId,
        /// What.
        order: Order,
    },
    /// Something for the log.
    Report(Report),
    /// Something to be remembered over a restart.
    Remember(Change),
}

/// What a rig's session is to be told. Of two of a kind the later one stands for both.
#[derive(Debug)]
pub enum Order {
    /// What is known of its firmware.
    Know(Firmware),
    /// It has a seat, its first or another one, and is shown the channel's view then.
    Seat {
        /// Where it sits from now on.
        channel: ChannelId,
        /// Its seat.
        seat: Box<Seat>,
    },
    /// The rig is known: it may be told work.
    Welcome {
        /// What is known of its firmware.
        firmware: Firmware,
        /// The difficulty that it had last, on the scale that rigs are told.
        difficulty: Option<Difficulty>,
    },
    /// Without a seat, it waits for this.
    Wait(Wait),
    /// It waits for its first seat, and there will be none.
    Refuse(NoSeat),
    /// The operator sets its difficulty, or none.
    Difficulty(Option<Difficulty>),
    /// It is to be closed now.
    Leave(CloseReason),
}

/// Why a rig can have no seat.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoSeat {
    /// It cannot share a connection, and there are as many for single rigs as may be.
    #[error(
        "this rig needs a connection to {pool} of its own, and all {most} of them are taken; raise \
         `max_dedicated`"
    )]
    Dedicated {
        /// The pool's name.
        pool: Box<str>,
        /// How many there may be.
        most: usize,
    },
    /// It has shown no work yet, and what others leave is full.
    #[error(
        "no room at {pool} for another rig that has shown no good share yet: such rigs get one connection \
         beside those that others need"
    )]
    Stranger {
        /// The pool's name.
        pool: Box<str>,
    },
    /// All connections are full.
    #[error(
        "no room: {open} of {most} connections to {pool} are full with {capacity} rigs each; raise \
         `max_channels` or `max_rigs_per_channel`"
    )]
    Shared {
        /// The pool's name.
        pool: Box<str>,
        /// How many are open.
        open: usize,
        /// How many there may be.
        most: usize,
        /// How many rigs each holds.
        capacity: usize,
    },
}

/// Something for the log.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// A decision about pools.
    Pools(PoolsEvent),
    /// Rigs move, so that each pool gets its part of the work.
    Rebalance {
        /// How many.
        rigs: usize,
        /// The parts of the work that the pools had.
        before: Vec<f64>,
        /// Those that they should have.
        wanted: Vec<f64>,
    },
    /// Rigs that may not connect any more are closed, spread over time.
    Barred {
        /// How many.
        rigs: u64,
    },
    /// A channel is closed, since no rig uses it.
    Unused {
        /// Its pool.
        pool: PoolIndex,
        /// The channel.
        channel: ChannelId,
    },
}
