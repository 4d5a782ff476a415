//! What counts as the same thing said again.

use std::io;
use std::mem::{Discriminant, discriminant};

use orepass_stratum::upstream::{DownReason, Notice};

use crate::pool::pump::End;

/// One thing that may be said of a pool. There are few of each kind, whatever a pool sends: what
/// it says in its own words is no part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Topic {
    /// Connections end in this way.
    Down {
        end: Discriminant<End>,
        reason: Option<Discriminant<DownReason>>,
        error: Option<io::ErrorKind>,
        was_live: bool,
    },
    /// All connections may say it.
    Pool(&'static str),
    /// One of them says it of itself.
    Connection(&'static str, u64),
    /// It is about a call that the dialect knows, or about a worker.
    About(&'static str, String),
}

impl Topic {
    /// How often it may be said in a minute: what tells something new each time a few times.
    pub(super) fn times(&self) -> u32 {
        match self {
            Self::Connection("pool.target", _) | Self::Pool("pool.message") => 5,
            _ => 1,
        }
    }

    /// The end of a connection that took shares, or did not.
    pub(super) fn down(end: &End, was_live: bool) -> Self {
        let reason = match end {
            End::Down(reason) => Some(discriminant(reason)),
            _ => None,
        };
        let error = match end {
            End::Connect(error) => Some(error.kind()),
            End::Broke(error) => Some(error.kind()),
            _ => None,
        };
        Self::Down { end: discriminant(end), reason, error, was_live }
    }

    /// What a session noticed on a connection of this number; `None` for what belongs to each
    /// login and is always said.
    pub(super) fn noticed(notice: &Notice, channel: u64) -> Option<Self> {
        Some(match notice {
            Notice::Ground { .. } | Notice::Live => return None,
            Notice::AuthorizeUnanswered => Self::Pool("pool.up"),
            Notice::Learnt { learnt, .. } => {
                Self::About("pool.habit", format!("{} {:?}", learnt.habit, learnt.answer))
            }
            Notice::Unusable { method, .. } => Self::About("pool.unusable", method.clone()),
            Notice::UnusableAnswer(_) => Self::Pool("pool.unusable"),
            Notice::BadLine(_) => Self::Pool("pool.bad_line"),
            Notice::Overlong { .. } => Self::Pool("pool.overlong"),
            Notice::Target(_) => Self::Connection("pool.target", channel),
            Notice::BrakeOn { .. } => Self::Connection("pool.brake", channel),
            Notice::BrakeOff { .. } => Self::Connection("pool.brake_off", channel),
            Notice::Message(_) => Self::Pool("pool.message"),
            Notice::Job(_) => Self::Pool("pool.job"),
        })
    }
}
