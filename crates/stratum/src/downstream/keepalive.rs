//! Rigs that hang up on silence are told the target again that they were told last.
//!
//! Firmware of the cpuminer families leaves after two minutes without a line. The line that says
//! nothing new is the last target line, byte for byte: some miners start over when a difficulty
//! changes. No work is told for it, since a work is told once. Where a dialect has no words for a
//! target, nothing can be said, and nothing is.

use std::time::Duration;

use super::Downstream;
use super::out::DownstreamTimer;
use crate::dialect::Dialect;
use crate::time::Instant;

/// A rig is told up to one part in so many of its time too early, each its own, so that those that
/// were told a job together do not wake together.
const SPREAD: u32 = 8;

/// After how much silence one rig is told something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keepalive {
    /// Its place in the spread, of 256.
    place: u8,
    /// The seconds that a profile asks for; 0 for never.
    profile: Option<u16>,
}

impl Keepalive {
    /// Of a rig's session, of which `session` is the id.
    pub(super) fn of(session: &str) -> Self {
        // Ids mostly count: the digits of one and the next are to lie far apart.
        let mixed = session.bytes().fold(0_u32, |sum, byte| {
            (sum ^ u32::from(byte)).wrapping_mul(0x9e37_79b1).rotate_left(15)
        });
        Self { place: mixed as u8, profile: None }
    }

    /// What is known of the rig's kind has changed.
    pub(super) fn asks_for(&mut self, profile: Option<Duration>) {
        self.profile = profile.map(|time| u16::try_from(time.as_secs()).unwrap_or(u16::MAX));
    }

    /// Never longer than the wish.
    fn after(self, usual: Option<Duration>) -> Option<Duration> {
        let profile = self.profile.map(|seconds| Duration::from_secs(seconds.into()));
        let wish = profile.or(usual).filter(|wish| !wish.is_zero())?;
        Some(wish - wish / SPREAD * u32::from(self.place) / 256)
    }
}

impl<D: Dialect> Downstream<D> {
    /// Goes with everything that may tell the rig something: its silence starts anew.
    pub(super) fn note_said(&mut self, now: Instant) {
        if self.out.take_said() {
            let after = self.out.keepalive.after(self.config.keepalive);
            let at = after.filter(|_| self.bench.has_work()).map(|after| now + after);
            self.out.timers.set(DownstreamTimer::Keepalive, at);
        }
    }

    /// The route has another wish than before. A silence that has begun is counted from its beginning.
    pub(super) fn change_keepalive(&mut self, before: Option<Duration>, now: Instant) {
        let keepalive = self.out.keepalive;
        let rings_at = self.out.timers.get(DownstreamTimer::Keepalive);
        let heard = rings_at.zip(keepalive.after(before)).map_or(now, |(at, after)| at - after);
        let after = keepalive.after(self.config.keepalive).filter(|_| self.bench.has_work());
        self.out.timers.set(DownstreamTimer::Keepalive, after.map(|after| heard + after));
    }

    /// The rig has heard nothing for long enough. One that has not yet read what it was told is told
    /// nothing more.
    pub(super) fn keep_awake(&mut self, now: Instant) {
        if !self.out.timers.is_due(DownstreamTimer::Keepalive, now) {
            return;
        }
        self.out.timers.set(DownstreamTimer::Keepalive, None);
        if self.out.transmit.is_empty() {
            self.bench.tell_target_again(&mut self.out);
        } else {
            self.out.has_said();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_rigs_wake_over_seconds_and_none_of_them_late() {
        let wish = Duration::from_secs(60);
        let mut in_second = [0; 60];
        for serial in 0..10_000_u32 {
            let after = Keepalive::of(&format!("{serial:08x}")).after(Some(wish)).unwrap();
            assert!(after <= wish && after >= wish - wish / SPREAD, "{after:?}");
            in_second[after.as_secs().min(59) as usize] += 1;
        }
        assert!(in_second.iter().all(|rigs| *rigs < 2_000), "{in_second:?}");
    }

    #[test]
    fn a_profile_goes_before_the_route() {
        let mut keepalive = Keepalive { place: 0, profile: None };
        let [minute, quick] = [60, 20].map(Duration::from_secs);
        assert_eq!(keepalive.after(Some(minute)), Some(minute));
        keepalive.asks_for(Some(quick));
        assert_eq!(
            (keepalive.after(Some(minute)), keepalive.after(None)),
            (Some(quick), Some(quick))
        );
        keepalive.asks_for(Some(Duration::ZERO));
        assert_eq!(keepalive.after(Some(minute)), None);
    }
}
