//! Rigs that are to be closed, since they belong elsewhere and cannot be told so, or may not connect any
//! more: spread over time, and not in step.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::RigId;
use orepass_stratum::downstream::CloseReason;
use orepass_stratum::time::Instant;

/// The least time between two of them: 500 a second.
const CLOSE_EVERY: Duration = Duration::from_millis(2);
/// Spread over this much more, so that they do not come back in step.
const CLOSE_JITTER: Duration = Duration::from_millis(250);
/// Those who are barred within so long of each other are told of together.
const TOLD_AFTER: Duration = Duration::from_secs(1);

/// Who goes when. It holds no more than the route's rigs, each once.
#[derive(Debug, Default)]
pub(super) struct Exits {
    by_rig: BTreeMap<RigId, Instant>,
    by_time: BTreeSet<(Instant, RigId)>,
    /// Those of them that go for good.
    barred: BTreeSet<RigId>,
    /// How many were barred that nobody was told of, and when that is due.
    untold: Option<(u64, Instant)>,
    /// The next turn that is free.
    free: Option<Instant>,
}

impl Exits {
    /// A rig gets its turn, if it has none; `jitter` is from 0 to 1.
    pub(super) fn join(&mut self, rig: RigId, now: Instant, jitter: f64) {
        if self.by_rig.contains_key(&rig) {
            return;
        }
        let turn = self.free.map_or(now, |free| free.max(now));
        self.free = Some(turn + CLOSE_EVERY);
        let at = turn + CLOSE_JITTER.mul_f64(jitter.clamp(0.0, 1.0));
        self.by_rig.insert(rig, at);
        self.by_time.insert((at, rig));
    }

    /// A rig gets its turn, and nothing that happens meanwhile spares it that.
    pub(super) fn bar(&mut self, rig: RigId, now: Instant, jitter: f64) {
        self.join(rig, now, jitter);
        if self.barred.insert(rig) {
            let untold = self.untold.map_or(0, |(rigs, _)| rigs);
            self.untold = Some((untold + 1, now + TOLD_AFTER));
        }
    }

    /// A rig has a place where it may stay, if it may at all.
    pub(super) fn cancel(&mut self, rig: RigId) {
        if !self.barred.contains(&rig) {
            self.leave(rig);
        }
    }

    /// A rig goes, or has gone.
    pub(super) fn leave(&mut self, rig: RigId) {
        self.barred.remove(&rig);
        if let Some(at) = self.by_rig.remove(&rig) {
            self.by_time.remove(&(at, rig));
        }
    }

    /// The next rig whose turn has come, and why it goes.
    pub(super) fn due(&mut self, now: Instant) -> Option<(RigId, CloseReason)> {
        let &(at, rig) = self.by_time.first()?;
        if at > now {
            return None;
        }
        let is_barred = self.barred.contains(&rig);
        self.leave(rig);
        Some((rig, if is_barred { CloseReason::Barred } else { CloseReason::ExtranonceChanged }))
    }

    /// How many were barred, when it is time to tell.
    pub(super) fn barred_since(&mut self, now: Instant) -> Option<u64> {
        let (rigs, _) = self.untold.take_if(|(_, due)| *due <= now)?;
        Some(rigs)
    }

    /// When the next turn is, or something is to be told.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let turn = self.by_time.first().map(|(at, _)| *at);
        turn.into_iter().chain(self.untold.map(|(_, due)| due)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orepass_stratum::testing::start;

    #[test]
    fn no_more_than_500_rigs_a_second_are_closed() {
        let (mut exits, now) = (Exits::default(), start());
        (0..1000).for_each(|rig| exits.join(RigId(rig), now, 0.0));
        let due = |exits: &mut Exits, at| std::iter::from_fn(|| exits.due(at)).count();
        assert_eq!(due(&mut exits, now + Duration::from_millis(999)), 500);
        assert_eq!(due(&mut exits, now + Duration::from_secs(9)), 500);
        let later = now + Duration::from_secs(9);
        exits.join(RigId(1000), later, 0.0);
        assert_eq!(exits.poll_timeout(), Some(later), "at once");
        exits.cancel(RigId(1000));
        assert_eq!((exits.poll_timeout(), due(&mut exits, later)), (None, 0));
    }

    #[test]
    fn who_is_barred_goes_for_good_and_all_are_told_of_together() {
        let (mut exits, now) = (Exits::default(), start());
        let at = |millis| now + Duration::from_millis(millis);
        exits.join(RigId(0), now, 0.0);
        (0..4).for_each(|rig| exits.bar(RigId(rig), at(500 * rig), 0.0));
        exits.bar(RigId(3), at(1600), 0.0);
        (0..4).for_each(|rig| exits.cancel(RigId(rig)));
        exits.leave(RigId(1));
        let due: Vec<_> = std::iter::from_fn(|| exits.due(at(2000))).collect();
        assert_eq!(due, [0, 2, 3].map(|rig| (RigId(rig), CloseReason::Barred)));
        assert_eq!(exits.barred_since(at(2499)), None);
        assert_eq!(exits.poll_timeout(), Some(at(2500)));
        assert_eq!((exits.barred_since(at(2500)), exits.barred_since(at(9000))), (Some(4), None));
        exits.join(RigId(0), at(9000), 0.0);
        assert_eq!(exits.due(at(9000)), Some((RigId(0), CloseReason::ExtranonceChanged)));
    }

    #[test]
    fn a_turn_is_kept_and_has_its_jitter() {
        let (mut exits, now) = (Exits::default(), start());
        exits.join(RigId(1), now, 1.0);
        exits.join(RigId(1), now + Duration::from_secs(1), 0.0);
        assert_eq!(exits.poll_timeout(), Some(now + CLOSE_JITTER));
    }
}
