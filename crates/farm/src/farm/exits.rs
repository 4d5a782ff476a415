//! Rigs that are to be closed, since they belong elsewhere and cannot be told so: spread over time,
//! and not in step.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::RigId;
use orepass_stratum::time::Instant;

/// The least time between two of them: 500 a second.
const CLOSE_EVERY: Duration = Duration::from_millis(2);
/// Spread over this much more, so that they do not come back in step.
const CLOSE_JITTER: Duration = Duration::from_millis(250);

/// Who goes when. It holds no more than the route's rigs, each once.
#[derive(Debug, Default)]
pub(super) struct Exits {
    by_rig: BTreeMap<RigId, Instant>,
    by_time: BTreeSet<(Instant, RigId)>,
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

    /// A rig does not go.
    pub(super) fn cancel(&mut self, rig: RigId) {
        if let Some(at) = self.by_rig.remove(&rig) {
            self.by_time.remove(&(at, rig));
        }
    }

    /// The next rig whose turn has come.
    pub(super) fn due(&mut self, now: Instant) -> Option<RigId> {
        let &(at, rig) = self.by_time.first()?;
        if at > now {
            return None;
        }
        self.cancel(rig);
        Some(rig)
    }

    /// When the next turn is.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        Some(self.by_time.first()?.0)
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
    fn a_turn_is_kept_and_has_its_jitter() {
        let (mut exits, now) = (Exits::default(), start());
        exits.join(RigId(1), now, 1.0);
        exits.join(RigId(1), now + Duration::from_secs(1), 0.0);
        assert_eq!(exits.poll_timeout(), Some(now + CLOSE_JITTER));
    }
}
