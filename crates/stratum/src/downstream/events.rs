//! What a session with a rig tells its driver, and why it ends.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::conduct::Turn;
use crate::dialect::Diagnosis;
use crate::error::Fault;
use crate::evidence::ShareEvidence;
use crate::firmware::Merit;
use crate::flood::TOO_MANY;
use crate::job::JobId;
use crate::line::LineError;
use crate::pace::PRESSED_FOR;
use crate::verdict::Verdict;

/// What happened in a session with a rig.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The rig subscribed: it needs a seat. Its agent is known, and what is known of its firmware
    /// should be told first ([`handle_firmware`](super::Downstream::handle_firmware)).
    WantsSeat,
    /// Its channel has another extranonce: it needs a seat there, or elsewhere.
    LostSeat,
    /// The rig's subscribe was answered.
    Subscribed,
    /// A worker authorized. The first one may have to be welcomed
    /// ([`handle_welcome`](super::Downstream::handle_welcome)).
    Authorized(Arc<str>),
    /// A share came. Each is followed by its end: here by [`Ended`](Self::Ended), or by the
    /// verdict of its [`Submission`](crate::channel::Submission).
    Sent,
    /// A share ended in this session.
    Ended {
        /// How.
        verdict: Verdict,
        /// The work that the rig was asked for by it, in hashes, whether or not it proves any; 0 where it
        /// was asked for none.
        hashes: f64,
        /// Why, where it was refused. In a box, since an idle session holds the memory of two events.
        complaint: Option<Box<Complaint>>,
        /// Whose share it was.
        worker: Option<Arc<str>>,
    },
    /// The rig enters or leaves quarantine; with what may be wrong with it.
    Conduct(Turn, Option<Diagnosis>),
    /// The rig should have another kind of service
    /// ([`Firmware::remedy`](crate::firmware::Firmware::remedy)), and is closed for it.
    Misfit(Diagnosis),
    /// Something is wrong with the rig though its shares are good. Said once.
    Diagnosed(Diagnosis),
    /// The rig had its first good share that shows this.
    Proven(Merit),
    /// The rig was told a work.
    Told(JobId),
    /// A line made no sense.
    BadLine(&'static str),
    /// Something that the operator should know once.
    Remark(String),
    /// The session is over.
    Closed(CloseReason),
}

/// Why a share was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// What its rig was told.
    pub reason: Cow<'static, str>,
    /// What may be wrong with the rig.
    pub diagnosis: Option<Diagnosis>,
    /// What the share was made from, where that is wished for.
    pub evidence: Option<Box<ShareEvidence>>,
}

/// What the driver has not heard yet. An idle session holds the memory of a share's two.
#[derive(Default)]
pub(super) struct Events(VecDeque<Event>);

impl Events {
    pub(super) fn push(&mut self, event: Event) {
        if self.0.capacity() == 0 {
            self.0.reserve_exact(USUAL_EVENTS);
        }
        self.0.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        let event = self.0.pop_front();
        if event.is_none() && self.0.capacity() > 2 * USUAL_EVENTS {
            self.0 = VecDeque::new();
        }
        event
    }
}

/// How many events a share has, or a job.
const USUAL_EVENTS: usize = 2;

/// What a rig waits for that has no seat yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Error)]
pub enum Wait {
    /// A connection to a pool that takes shares.
    #[default]
    #[error("no pool connection was there")]
    Pool,
    /// A lease: those that nobody has were used for the present job.
    #[error(
        "no lease came free: those that no rig has were used for the present job, and the next one did not come"
    )]
    Lease,
}

/// Why a session with a rig ends.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// What came was no line of stratum.
    #[error("{0}")]
    Line(LineError),
    /// Too many lines without sense.
    #[error("too many lines made no sense, the last one: {0}")]
    BadLines(&'static str),
    /// No subscribe in time.
    #[error("no subscribe within {0:?}")]
    SubscribeTimeout(Duration),
    /// No authorize in time.
    #[error("no authorize within {0:?} of the subscribe")]
    AuthorizeTimeout(Duration),
    /// No pool connection in time; nothing was answered.
    #[error("{1} within {0:?}; the rig will come back")]
    Parked(Duration, Wait),
    /// Every channel is full.
    #[error("{0}")]
    NoRoom(Box<str>),
    /// The rig is to have another extranonce, and cannot be told so.
    #[error("the rig is to have another extranonce and must subscribe again")]
    ExtranonceChanged,
    /// Another kind of service helps against what its firmware does wrong.
    #[error("{0}: it is closed and gets what it needs when it comes back")]
    Misfit(Diagnosis),
    /// What is known of its worker, by a profile or by what it showed, wants it elsewhere.
    #[error("its worker needs another place, which it gets when it comes back")]
    OwnConnection,
    /// It was silent, also with an easier difficulty.
    #[error("no share for {0:?}, also with an easier difficulty where one could be offered")]
    Silent(Duration),
    /// It was quarantined too often, or sent nothing but rubbish.
    #[error("too much rubbish came from this worker: refused for another {0:?}")]
    Penalty(Duration),
    /// The operator refuses its worker.
    #[error("the operator refuses this worker for another {0:?}")]
    Banned(Duration),
    /// The operator had it closed.
    #[error("the operator closed this connection; the rig may come back")]
    Kicked,
    /// It sent nothing but refused shares.
    #[error("{TOO_MANY} refused shares without a good one between them")]
    Flood,
    /// It sent too much that was no good share, for too long.
    #[error("more than {0} requests a second beside good shares, for {PRESSED_FOR:?}")]
    Requests(u32),
    /// It gave a wrong access password, so often.
    #[error("wrong access password, {0} times")]
    AccessDenied(u8),
    /// It has shown no work, and others wait for its place.
    #[error("no good share yet: its place goes to others; the rig may come back")]
    MakesRoom,
    /// The operator has changed who may connect, and it is not among them.
    #[error("it may not connect any more: allow, deny or the access password was changed")]
    Barred,
    /// No pool serves, for so long that the rig should go to its own backup.
    #[error("no pool serves; the rig may go to its own backup")]
    Outage,
    /// The rig was refused.
    #[error("{0}")]
    Refused(Box<str>),
    /// The rig closed the connection, or it broke.
    #[error("the rig closed the connection")]
    Gone,
    /// The rig does not read what it is sent.
    #[error("the rig did not read for {0:?}")]
    SlowReader(Duration),
    /// The proxy stops.
    #[error("orepass stops")]
    Shutdown,
}

impl CloseReason {
    /// Whether the rig is told: it can act on it, or somebody who looks at it.
    #[must_use]
    pub const fn is_told(&self) -> bool {
        matches!(
            self,
            Self::Line(LineError::TooLong { .. })
                | Self::BadLines(_)
                | Self::SubscribeTimeout(_)
                | Self::AuthorizeTimeout(_)
                | Self::Penalty(_)
                | Self::Banned(_)
                | Self::Kicked
                | Self::Flood
                | Self::Requests(_)
                | Self::AccessDenied(_)
                | Self::MakesRoom
                | Self::Barred
        )
    }

    /// Who has to act on it.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Line(_)
            | Self::BadLines(_)
            | Self::SubscribeTimeout(_)
            | Self::AuthorizeTimeout(_)
            | Self::Refused(_)
            | Self::Misfit(_)
            | Self::Silent(_)
            | Self::Penalty(_)
            | Self::Flood
            | Self::Requests(_)
            | Self::AccessDenied(_)
            | Self::MakesRoom
            | Self::Gone
            | Self::SlowReader(_) => Fault::Miner,
            Self::Parked(..) | Self::ExtranonceChanged | Self::Outage => Fault::Pool,
            Self::NoRoom(_)
            | Self::OwnConnection
            | Self::Barred
            | Self::Banned(_)
            | Self::Kicked
            | Self::Shutdown => Fault::Operator,
        }
    }
}
