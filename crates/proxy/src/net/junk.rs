//! Strangers and rigs that are refused at the door: few lines in the log, however many come.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::repeated_warnings::{Fold, Folds};
use orepass_farm::limits::Origin;
use orepass_stratum::time::Instant;

/// How long an address is quiet after a line in the log.
const QUIET: Duration = Duration::from_secs(60);
/// The most addresses remembered; past them those that were heard of longest ago are forgotten.
const MAX_ADDRESSES: usize = 4096;
/// The most lines in [`QUIET`] about all addresses together; past them all are only counted.
const MAX_LINES: u32 = 120;

/// Limits what all addresses together, and each of them, can write into the log.
#[derive(Debug)]
pub struct JunkLog(Mutex<JunkState>);

#[derive(Debug)]
struct JunkState {
    /// Who was written about. What is left out is counted for each.
    addresses: Folds<Origin>,
    /// Lines about anybody.
    lines: Fold,
}

impl JunkLog {
    /// Whether a refusal of this address may be logged, and how many of the same origin were not
    /// since the last that was; `None` counts it for the next line.
    pub fn may_log(&self, address: IpAddr, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let JunkState { addresses, lines } = &mut *state;
        let origin = Origin::of(address);
        if !lines.may_say(now) {
            addresses.leave_out(origin);
            return None;
        }
        let left_out = addresses.say(origin, now)?;
        lines.say(now);
        Some(left_out)
    }
}

impl Default for JunkLog {
    fn default() -> Self {
        let addresses = Folds::new(QUIET, MAX_ADDRESSES);
        Self(Mutex::new(JunkState { addresses, lines: Fold::new(QUIET).times(MAX_LINES) }))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn v4(n: u32) -> IpAddr {
        Ipv4Addr::from_bits(n).into()
    }

    #[test]
    fn one_line_per_address_and_minute_with_the_count_of_the_rest() {
        let log = JunkLog::default();
        let now = crate::clock::now();
        assert_eq!(log.may_log(v4(1), now), Some(0));
        assert_eq!(log.may_log(v4(1), now + Duration::from_secs(59)), None);
        assert_eq!(log.may_log(v4(2), now), Some(0));
        assert_eq!(log.may_log(v4(1), now + Duration::from_secs(60)), Some(1));
    }

    #[test]
    fn a_whole_64_is_one_origin_and_does_not_silence_others() {
        let log = JunkLog::default();
        let now = crate::clock::now();
        let host = |n: u128| IpAddr::from(Ipv6Addr::from_bits((0x2001_0db8 << 96) + n));
        assert_eq!(log.may_log(host(1), now), Some(0));
        for n in 0..10_000 {
            assert_eq!(log.may_log(host(n), now), None);
        }
        assert_eq!(log.may_log(v4(1), now), Some(0));
        assert_eq!(log.may_log(host(1 << 64), now), Some(0), "the next /64 is somebody else");
        // The same host may come by either family.
        assert_eq!(log.may_log(Ipv4Addr::from_bits(1).to_ipv6_mapped().into(), now), None);
        assert_eq!(log.may_log(host(5), now + QUIET), Some(10_000));
    }

    #[test]
    fn a_crowd_of_addresses_gets_so_many_lines_a_minute_and_a_new_one_is_heard_after() {
        let log = JunkLog::default();
        let now = crate::clock::now();
        let said = (0..10_000).filter(|n| log.may_log(v4(*n), now).is_some()).count();
        assert_eq!(said, MAX_LINES as usize);
        // It used to be that a full table was silent until its entries were old.
        assert_eq!(log.may_log(v4(20_000), now + QUIET), Some(0));
        assert_eq!(log.may_log(v4(9_999), now + QUIET), Some(1));
    }
}
