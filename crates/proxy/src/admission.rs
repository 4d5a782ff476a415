//! Who is let in, for all routes of the process: [`Limits`] behind a lock that is taken when a
//! connection comes, has its first good share, and goes; and how often each limit was met.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use orepass_farm::limits::{Access, Knock, Limit, LimitRefusal, LimitWishes, Limits, Stay};
use orepass_stratum::downstream::CloseReason;
use orepass_stratum::line::LineError;

use crate::clock::now;

/// The way in.
#[derive(Debug)]
pub struct Admission {
    limits: Mutex<Limits>,
    /// By the limits' numbers.
    met: [AtomicU64; Limit::ALL.len()],
}

impl Default for Admission {
    fn default() -> Self {
        let limits = Mutex::new(Limits::new(LimitWishes::default(), now()));
        Self { limits, met: Default::default() }
    }
}

impl Admission {
    /// From now on other wishes hold, for those who come.
    pub fn set_wishes(&self, wishes: LimitWishes) {
        self.limits().handle_wishes(wishes);
    }

    /// A connection was made by `peer`, which may stand between rigs and us: to be asked first of all.
    pub fn knock(&self, peer: IpAddr, access: &Access) -> Knock {
        let knock = self.limits().knock(peer, access, now());
        match knock {
            Knock::Enter => {}
            Knock::Later(_) => self.count(Limit::AcceptsPerSecond),
            Knock::Denied => self.count(Limit::Deny),
        }
        knock
    }

    /// A rig wants in, from this address: its own, where somebody stands between. What it gets is to be
    /// given to [`leave`](Self::leave) at its end.
    ///
    /// # Errors
    /// By which limit it is not let in.
    pub fn enter(&self, address: IpAddr, access: &Access) -> Result<Stay, LimitRefusal> {
        let entered = self.limits().enter(address, access, now());
        entered.inspect_err(|refusal| self.count(refusal.limit))
    }

    /// The first good share of a rig.
    pub fn proven(&self, address: IpAddr, stay: &mut Stay) {
        self.limits().proven(address, stay, now());
    }

    /// A rig goes.
    pub fn leave(&self, address: IpAddr, stay: Stay) {
        self.limits().leave(address, stay, now());
    }

    /// A rig of this address has mined here before this process began.
    pub fn remember(&self, address: IpAddr) {
        self.limits().handle_remembered(address, 1, now());
    }

    /// A limit was met.
    pub fn count(&self, limit: Limit) {
        self.met[limit as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often each limit was met.
    #[must_use]
    pub fn counts(&self) -> [(Limit, u64); Limit::ALL.len()] {
        Limit::ALL.map(|limit| (limit, self.met[limit as usize].load(Ordering::Relaxed)))
    }

    /// How often a limit was met.
    #[must_use]
    pub fn met(&self, limit: Limit) -> u64 {
        self.met[limit as usize].load(Ordering::Relaxed)
    }

    /// How many rigs are in.
    #[must_use]
    pub fn open(&self) -> usize {
        self.limits().open()
    }

    fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The limit for which a session has ended, where it was one.
#[must_use]
pub const fn limit_of(reason: &CloseReason) -> Option<Limit> {
    Some(match reason {
        CloseReason::SubscribeTimeout(_) => Limit::SubscribeSeconds,
        CloseReason::AuthorizeTimeout(_) => Limit::AuthorizeSeconds,
        CloseReason::Line(LineError::TooLong { .. }) => Limit::LineBytes,
        CloseReason::BadLines(_) => Limit::BadLines,
        CloseReason::Requests(_) => Limit::RequestsPerSecond,
        CloseReason::AccessDenied(_) => Limit::AccessPassword,
        CloseReason::SlowReader(_) => Limit::UnwrittenBytes,
        CloseReason::MakesRoom => Limit::Seats,
        _ => return None,
    })
}
