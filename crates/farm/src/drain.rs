//! Rigs that all have to leave: spread over a time, so that they do not come back in one storm.

use std::time::Duration;

use orepass_stratum::time::Instant;

use crate::farm::RigId;

/// The most time between two of them: a few rigs need not be spread.
const GENTLE: Duration = Duration::from_millis(30);

/// Whose turn it is to leave. It holds the rigs that have not had theirs, each once.
#[derive(Debug)]
pub struct Drain {
    waiting: std::vec::IntoIter<RigId>,
    every: Duration,
    next: Instant,
}

impl Drain {
    /// These rigs leave in this order, the first one now and the last one within `over`.
    #[must_use]
    pub fn new(rigs: Vec<RigId>, over: Duration, now: Instant) -> Self {
        let count = u32::try_from(rigs.len()).unwrap_or(u32::MAX).max(1);
        Self { waiting: rigs.into_iter(), every: (over / count).min(GENTLE), next: now }
    }

    /// The next rig whose turn has come.
    pub fn poll(&mut self, now: Instant) -> Option<RigId> {
        if now < self.next {
            return None;
        }
        self.next += self.every;
        self.waiting.next()
    }

    /// When the next turn is; none when all have had theirs.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        (self.waiting.len() > 0).then_some(self.next)
    }
}

#[cfg(test)]
mod tests {
    use orepass_stratum::testing::start;

    use super::*;

    fn rigs(count: u64) -> Vec<RigId> {
        (0..count).map(RigId).collect()
    }

    fn due(drain: &mut Drain, now: Instant) -> usize {
        std::iter::from_fn(|| drain.poll(now)).count()
    }

    #[test]
    fn many_rigs_are_spread_over_the_whole_time() {
        let (over, now) = (Duration::from_secs(30), start());
        let mut drain = Drain::new(rigs(10_000), over, now);
        for second in 0..30 {
            let left = due(&mut drain, now + Duration::from_secs(second + 1));
            assert!((333..=335).contains(&left), "{left} in second {second}");
        }
        assert_eq!((drain.poll_timeout(), drain.poll(now + over)), (None, None));
    }

    #[test]
    fn a_few_rigs_need_not_wait() {
        let now = start();
        let mut drain = Drain::new(rigs(3), Duration::from_secs(30), now);
        assert_eq!(due(&mut drain, now), 1);
        assert_eq!(drain.poll_timeout(), Some(now + GENTLE));
        assert_eq!(due(&mut drain, now + 2 * GENTLE), 2);
        assert_eq!(drain.poll_timeout(), None);
    }

    #[test]
    fn without_a_time_all_leave_at_once() {
        let now = start();
        let mut drain = Drain::new(rigs(1000), Duration::ZERO, now);
        assert_eq!((due(&mut drain, now), drain.poll_timeout()), (1000, None));
        assert_eq!(Drain::new(rigs(0), Duration::ZERO, now).poll_timeout(), None);
    }
}
