//! The route's rigs, as far as they matter for who sits where.

use std::net::IpAddr;
use std::sync::Arc;

use orepass_stratum::channel::Seat;
use orepass_stratum::downstream::Wait;
use orepass_stratum::firmware::Firmware;
use orepass_stratum::job::Generation;

use super::ChannelId;
use crate::knowledge::{NamedRig, Needs};
use crate::pools::PoolIndex;
use crate::stats::WorkSum;

/// A rig that is connected.
#[derive(Debug)]
pub(super) struct ConnectedRig {
    pub(super) address: IpAddr,
    /// All the work that its shares have proven; its session adds to it.
    pub(super) work: Arc<WorkSum>,
    /// The name that its software gives itself; empty before it is told.
    pub(super) agent: Arc<str>,
    /// The first of its workers.
    pub(super) worker: Option<Arc<str>>,
    /// What is known of its firmware, where that is anything.
    needs: Option<Box<Needs>>,
    /// The lease that it had when it was here before.
    pub(super) slot: Option<u64>,
    /// Whether it can be told another extranonce.
    pub(super) follows: bool,
    /// The operator trusts its address: it is never refused for what it sent.
    pub(super) trusted: bool,
    /// A stranger has made way for it.
    pub(super) displaces: bool,
    pub(super) stand: Stand,
    /// What it was told that it waits for.
    pub(super) told: Wait,
}

/// How far a rig has come.
#[derive(Debug)]
pub(super) enum Stand {
    /// It has not said yet that it wants to mine.
    Door,
    /// It waits for its first seat.
    Waits,
    /// It has a seat.
    Sits(RigPlace),
    /// It was told to leave, or leaves by itself: nothing more is done for it. The channel is where
    /// it sat.
    Goes(Option<ChannelId>),
}

/// Where a rig sits.
#[derive(Debug, Clone, Copy)]
pub(super) struct RigPlace {
    pub(super) channel: ChannelId,
    pub(super) pool: PoolIndex,
    pub(super) generation: Generation,
    /// The number of its lease.
    slot: u64,
    /// The lengths of what it was told.
    extranonce1: usize,
    extranonce2: usize,
    /// Nobody shares its connection.
    undivided: bool,
    /// The channel could not take a share of this rig in time.
    pub(super) overloaded: bool,
}

impl ConnectedRig {
    pub(super) fn new(address: IpAddr, work: Arc<WorkSum>) -> Self {
        Self {
            address,
            work,
            agent: Arc::default(),
            worker: None,
            needs: None,
            slot: None,
            follows: false,
            trusted: false,
            displaces: false,
            stand: Stand::Door,
            told: Wait::default(),
        }
    }

    /// Who it is, if it has said so.
    pub(super) fn known(&self) -> Option<NamedRig<'_>> {
        let worker = self.worker.as_ref()?;
        let works = self.work.get() > 0.0;
        Some(NamedRig { agent: &self.agent, address: self.address, worker, works })
    }

    /// What is known of its firmware.
    pub(super) fn needs(&self) -> Needs {
        self.needs.as_deref().copied().unwrap_or_default()
    }

    pub(super) fn set_needs(&mut self, needs: Needs) {
        self.needs = (needs != Needs::default()).then(|| Box::new(needs));
    }

    pub(super) const fn place(&self) -> Option<&RigPlace> {
        match &self.stand {
            Stand::Sits(place) => Some(place),
            _ => None,
        }
    }

    pub(super) const fn place_mut(&mut self) -> Option<&mut RigPlace> {
        match &mut self.stand {
            Stand::Sits(place) => Some(place),
            _ => None,
        }
    }

    /// The channel where it sits, or sat when it was told to leave.
    pub(super) const fn channel(&self) -> Option<ChannelId> {
        match &self.stand {
            Stand::Sits(place) => Some(place.channel),
            Stand::Goes(channel) => *channel,
            Stand::Door | Stand::Waits => None,
        }
    }

    /// Whether it takes part in the split of the work.
    pub(super) const fn mines(&self) -> bool {
        matches!(self.stand, Stand::Waits | Stand::Sits(_))
    }

    pub(super) const fn goes(&self) -> bool {
        matches!(self.stand, Stand::Goes(_))
    }

    /// Whether it can take another seat without being closed.
    pub(super) fn can_move_to(&self, seat: &Seat) -> bool {
        let fits = |place: &RigPlace| place.extranonce2 == seat.split.rig_extranonce2;
        self.follows && self.place().is_some_and(fits)
    }

    /// Whether it can stay on its channel; it can where it has none yet. A guess is no reason to
    /// close a rig that may do well.
    pub(super) fn suits(&self, sure: &Firmware) -> bool {
        self.place().is_none_or(|place| {
            place.undivided || sure.shares_with(place.extranonce1, place.extranonce2)
        })
    }
}

impl RigPlace {
    pub(super) fn new(channel: ChannelId, pool: PoolIndex, seat: &Seat) -> Self {
        let split = &seat.split;
        Self {
            channel,
            pool,
            generation: seat.generation,
            slot: seat.lease.number(),
            extranonce1: split.extranonce1.len() + split.prefix_bytes,
            extranonce2: split.rig_extranonce2,
            undivided: split.prefix_bytes == 0,
            overloaded: false,
        }
    }

    pub(super) const fn slot(&self) -> u64 {
        self.slot
    }
}
