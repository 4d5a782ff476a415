//! Scanners and strangers at the door: counted all, logged seldom.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an address is quiet after a line in the log.
const QUIET: Duration = Duration::from_secs(60);
/// The most addresses remembered; past them nothing is logged until the oldest are quiet no more.
const MAX_ADDRESSES: usize = 4096;

/// Limits what one address can write into the log.
#[derive(Debug, Default)]
pub struct JunkLog {
    count: AtomicU64,
    last: Mutex<HashMap<IpAddr, Instant>>,
}

impl JunkLog {
    /// Counts a piece of junk; `true` when it may be logged: once per address and minute.
    pub fn may_log(&self, address: IpAddr, now: Instant) -> bool {
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() >= MAX_ADDRESSES {
            last.retain(|_, at| now.saturating_duration_since(*at) < QUIET);
        }
        let quiet = last.get(&address).is_some_and(|at| now.saturating_duration_since(*at) < QUIET);
        if quiet || last.len() >= MAX_ADDRESSES {
            return false;
        }
        last.insert(address, now);
        true
    }

    /// How much junk there has been.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_per_address_and_minute_and_a_bounded_memory() {
        let log = JunkLog::default();
        let now = Instant::now();
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        assert!(log.may_log(address(1), now));
        assert!(!log.may_log(address(1), now + Duration::from_secs(59)));
        assert!(log.may_log(address(2), now));
        assert!(log.may_log(address(1), now + Duration::from_secs(60)));
        for n in 0..10_000 {
            log.may_log(address(n), now + Duration::from_secs(61));
        }
        assert!(log.last.lock().unwrap().len() <= MAX_ADDRESSES);
        assert_eq!(log.count(), 10_004);
    }
}
