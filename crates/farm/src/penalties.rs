//! Rigs that were quarantined again and again, or sent a flood of refused shares, are refused for a
//! while; and workers that the operator refuses.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use orepass_stratum::time::Instant;

use crate::limits::Origin;

/// So many quarantines…
const QUARANTINES: usize = 3;
/// …within this time, and the rig is refused…
const WITHIN: Duration = Duration::from_secs(3600);
/// …for so long.
pub const REFUSED_FOR: Duration = Duration::from_secs(600);
/// The most rigs on the record; the one with the oldest entry makes way.
const MAX_RECORDS: usize = 4096;
/// The most workers that the operator refuses; the one whose time is over first makes way.
const MAX_BANNED: usize = 4096;

/// The record of a route: by worker and address together, never a whole address, since other rigs
/// behind it may be good. All of an IPv6 /64 are one address. The operator's word is about a worker.
#[derive(Debug, Default)]
pub struct Penalties {
    records: HashMap<(Arc<str>, Origin), Record>,
    /// Workers that the operator refuses, and until when.
    banned: HashMap<Arc<str>, Instant>,
    /// What of that is to be remembered; taken after every call, which adds two at most.
    changes: VecDeque<ChangedBan>,
}

/// For how long from now on a worker is refused; none where it may come back.
type ChangedBan = (Arc<str>, Option<Duration>);

#[derive(Debug)]
struct Record {
    /// When the last quarantines began, the newest last; at most [`QUARANTINES`].
    quarantines: Vec<Instant>,
    refused_until: Option<Instant>,
}

impl Penalties {
    /// With the workers that the operator refused in earlier runs, and how long still.
    #[must_use]
    pub fn new(banned: Vec<(Arc<str>, Duration)>, now: Instant) -> Self {
        let banned = banned.into_iter().take(MAX_BANNED);
        let banned = banned.map(|(worker, left)| (worker, now + left)).collect();
        Self { banned, ..Self::default() }
    }

    /// The workers that the operator refuses, and how long still.
    #[must_use]
    pub fn export(&self, now: Instant) -> Vec<(Arc<str>, Duration)> {
        let left = |until: &Instant| until.saturating_duration_since(now);
        let all = self.banned.iter().map(|(worker, until)| (Arc::clone(worker), left(until)));
        all.filter(|(_, left)| !left.is_zero()).collect()
    }

    /// What has changed of whom the operator refuses.
    pub fn poll_change(&mut self) -> Option<ChangedBan> {
        self.changes.pop_front()
    }

    /// A rig was quarantined. Gives how long it is refused from now on, if it is.
    pub fn quarantined(
        &mut self,
        worker: &Arc<str>,
        address: IpAddr,
        now: Instant,
    ) -> Option<Duration> {
        let record = self.record(worker, address, now);
        record.quarantines.retain(|&at| now.saturating_duration_since(at) < WITHIN);
        record.quarantines.push(now);
        if record.quarantines.len() < QUARANTINES {
            return None;
        }
        record.quarantines.clear();
        record.refused_until = Some(now + REFUSED_FOR);
        Some(REFUSED_FOR)
    }

    /// A rig has sent nothing but rubbish: it is refused from now on.
    pub fn refuse(&mut self, worker: &Arc<str>, address: IpAddr, now: Instant) {
        self.record(worker, address, now).refused_until = Some(now + REFUSED_FOR);
    }

    /// How long a rig is still refused.
    #[must_use]
    pub fn refused(&self, worker: &Arc<str>, address: IpAddr, now: Instant) -> Option<Duration> {
        if self.records.is_empty() {
            return None;
        }
        let record = self.records.get(&(Arc::clone(worker), Origin::of(address)))?;
        let left = record.refused_until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// The operator refuses a worker from now on, wherever it comes from.
    pub fn ban(&mut self, worker: &Arc<str>, lasts: Duration, now: Instant) {
        if self.banned.len() >= MAX_BANNED && !self.banned.contains_key(worker) {
            self.banned.retain(|_, until| *until > now);
        }
        if self.banned.len() >= MAX_BANNED && !self.banned.contains_key(worker) {
            let first = self.banned.iter().min_by_key(|(_, until)| **until);
            if let Some(first) = first.map(|(worker, _)| Arc::clone(worker)) {
                self.banned.remove(&first);
                self.changes.push_back((first, None));
            }
        }
        self.banned.insert(Arc::clone(worker), now + lasts);
        self.changes.push_back((Arc::clone(worker), Some(lasts)));
    }

    /// How long a worker is still refused by the operator.
    #[must_use]
    pub fn banned(&self, worker: &str, now: Instant) -> Option<Duration> {
        let left = self.banned.get(worker)?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// Nothing is held against a worker any more, at any address; whether it was refused.
    pub fn pardon(&mut self, worker: &str, now: Instant) -> bool {
        let banned = self.banned.remove_entry(worker);
        let was_banned = banned.as_ref().is_some_and(|(_, until)| *until > now);
        self.changes.extend(banned.map(|(worker, _)| (worker, None)));
        let mut refused = false;
        self.records.retain(|(of, _), record| {
            let is_its = **of == *worker;
            refused |= is_its && record.refused_until.is_some_and(|until| until > now);
            !is_its
        });
        was_banned || refused
    }

    fn record(&mut self, worker: &Arc<str>, address: IpAddr, now: Instant) -> &mut Record {
        self.make_room(now);
        let record = self.records.entry((Arc::clone(worker), Origin::of(address)));
        record.or_insert_with(|| Record { quarantines: Vec::new(), refused_until: None })
    }

    fn make_room(&mut self, now: Instant) {
        if self.records.len() < MAX_RECORDS {
            return;
        }
        self.records.retain(|_, record| record.matters_at(now));
        if self.records.len() < MAX_RECORDS {
            return;
        }
        let oldest =
            self.records.iter().min_by_key(|(_, record)| record.last()).map(|(rig, _)| rig);
        if let Some(rig) = oldest.cloned() {
            self.records.remove(&rig);
        }
    }
}

impl Record {
    fn last(&self) -> Option<Instant> {
        self.quarantines.last().copied().max(self.refused_until)
    }

    fn matters_at(&self, now: Instant) -> bool {
        self.refused_until.is_some_and(|until| until > now)
            || self.quarantines.iter().any(|&at| now.saturating_duration_since(at) < WITHIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orepass_stratum::testing::start;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7));

    #[test]
    fn three_quarantines_in_an_hour_refuse_the_rig_and_no_other() {
        let mut penalties = Penalties::default();
        let (bad, good): (Arc<str>, Arc<str>) = ("farm.bad".into(), "farm.good".into());
        let mut now = start();
        for _ in 0..2 {
            assert_eq!(penalties.quarantined(&bad, HOME, now), None);
            now += Duration::from_secs(1200);
        }
        assert_eq!(penalties.quarantined(&bad, HOME, now), Some(REFUSED_FOR));
        assert_eq!(penalties.refused(&bad, HOME, now), Some(REFUSED_FOR));
        assert_eq!(penalties.refused(&good, HOME, now), None);
        assert_eq!(penalties.refused(&bad, "10.0.0.8".parse().unwrap(), now), None);
        assert_eq!(penalties.refused(&bad, HOME, now + REFUSED_FOR), None);
        assert_eq!(penalties.quarantined(&bad, HOME, now + REFUSED_FOR), None, "it begins anew");
    }

    #[test]
    fn another_address_of_the_same_64_bits_is_no_way_out() {
        let mut penalties = Penalties::default();
        let (bad, now): (Arc<str>, _) = ("farm.bad".into(), start());
        penalties.refuse(&bad, "2001:db8::1".parse().unwrap(), now);
        let refused = |address: &str| penalties.refused(&bad, address.parse().unwrap(), now);
        assert_eq!(refused("2001:db8::ffff:2"), Some(REFUSED_FOR));
        assert_eq!(refused("2001:db8:0:1::1"), None);
    }

    #[test]
    fn a_flood_refuses_its_rig_at_once() {
        let mut penalties = Penalties::default();
        let (bad, now): (Arc<str>, _) = ("farm.bad".into(), start());
        penalties.refuse(&bad, HOME, now);
        assert_eq!(penalties.refused(&bad, HOME, now), Some(REFUSED_FOR));
        assert_eq!(penalties.refused(&bad, HOME, now + REFUSED_FOR), None);
    }

    #[test]
    fn three_quarantines_in_two_hours_are_borne() {
        let mut penalties = Penalties::default();
        let worker: Arc<str> = "farm.bad".into();
        for hour in 0..5 {
            let now = start() + Duration::from_secs(hour * 3000);
            assert_eq!(penalties.quarantined(&worker, HOME, now), None, "{hour}");
        }
    }

    #[test]
    fn the_record_is_bounded() {
        let mut penalties = Penalties::default();
        let now = start();
        for number in 0..2 * MAX_RECORDS {
            penalties.quarantined(&format!("w{number}").into(), HOME, now);
        }
        assert_eq!(penalties.records.len(), MAX_RECORDS);
    }

    #[test]
    fn the_operator_refuses_a_worker_everywhere_and_can_take_that_back() {
        let mut penalties = Penalties::default();
        let (bad, good): (Arc<str>, Arc<str>) = ("farm.bad".into(), "farm.good".into());
        let (mut now, minute) = (start(), Duration::from_secs(60));
        penalties.ban(&bad, minute, now);
        assert_eq!(
            (penalties.banned(&bad, now), penalties.banned(&good, now)),
            (Some(minute), None)
        );
        now += minute;
        assert_eq!(penalties.banned(&bad, now), None);
        assert!(!penalties.pardon(&bad, now), "that is over");
        penalties.ban(&bad, minute, now);
        penalties.refuse(&good, HOME, now);
        assert!(penalties.pardon(&bad, now) && penalties.pardon(&good, now));
        assert_eq!(
            (penalties.banned(&bad, now), penalties.refused(&good, HOME, now)),
            (None, None)
        );
    }

    #[test]
    fn of_too_many_that_are_refused_the_one_goes_whose_time_is_over_first() {
        let (mut penalties, now) = (Penalties::default(), start());
        for number in 0..=MAX_BANNED {
            let lasts = Duration::from_secs(60 + number as u64);
            penalties.ban(&format!("w{number}").into(), lasts, now);
        }
        assert_eq!(penalties.banned.len(), MAX_BANNED);
        assert_eq!(penalties.banned("w0", now), None);
        assert!(penalties.banned("w1", now).is_some());
    }

    #[test]
    fn whom_the_operator_refuses_is_remembered_with_the_time_that_is_left() {
        let (mut penalties, now) = (Penalties::default(), start());
        let (hour, minute) = (Duration::from_secs(3600), Duration::from_secs(60));
        let [long, short, pardoned] = ["long", "short", "pardoned"].map(Arc::<str>::from);
        penalties.ban(&long, hour, now);
        penalties.ban(&short, minute, now);
        penalties.ban(&pardoned, hour, now);
        assert!(penalties.pardon("pardoned", now));
        let said: Vec<_> = std::iter::from_fn(|| penalties.poll_change()).collect();
        let expected = [(&long, Some(hour)), (&short, Some(minute)), (&pardoned, Some(hour))];
        let expected = expected.map(|(worker, lasts)| (Arc::clone(worker), lasts)).into_iter();
        assert_eq!(said, expected.chain([(pardoned, None)]).collect::<Vec<_>>());
        let left = penalties.export(now + minute);
        assert_eq!(left, [(Arc::clone(&long), hour - minute)]);
        let mut again = Penalties::new(left, now);
        assert_eq!(again.banned(&long, now), Some(hour - minute));
        assert_eq!(again.poll_change(), None, "it was said");
    }
}
