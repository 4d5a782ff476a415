//! Rigs that wait for a seat, in the order of their coming.

use std::collections::BTreeMap;
use std::time::Duration;

use super::RigId;
use orepass_stratum::time::Instant;

/// How long a rig waits for a lease to come free before another connection is opened for it.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The queue. It holds no more than the route's rigs, each once.
#[derive(Debug, Default)]
pub(super) struct WaitingRigs {
    tickets: BTreeMap<RigId, u64>,
    waiters: BTreeMap<u64, Waiter>,
    next: u64,
    /// The patience of those with smaller tickets has ended, and that has been seen to.
    patient_from: u64,
    /// How many may need a connection of their own.
    alone: usize,
}

/// A rig that waits for a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiter {
    /// Which rig.
    pub rig: RigId,
    /// Since when.
    pub since: Instant,
    /// Whether it may need a connection of its own.
    pub alone: bool,
}

impl WaitingRigs {
    /// A rig waits, if it does not already; gives since when.
    pub(super) fn join(&mut self, rig: RigId, alone: bool, now: Instant) -> Instant {
        let ticket = *self.tickets.entry(rig).or_insert(self.next);
        if ticket == self.next {
            self.next += 1;
            self.alone += usize::from(alone);
            self.waiters.insert(ticket, Waiter { rig, since: now, alone });
        }
        self.waiters.get(&ticket).map_or(now, |waiter| waiter.since)
    }

    /// A rig waits no more.
    pub(super) fn leave(&mut self, rig: RigId) {
        let ticket = self.tickets.remove(&rig);
        if let Some(waiter) = ticket.and_then(|ticket| self.waiters.remove(&ticket)) {
            self.alone -= usize::from(waiter.alone);
        }
    }

    /// The next rig whose patience has ended.
    pub(super) fn impatient(&mut self, now: Instant) -> Option<RigId> {
        let (&ticket, waiter) = self.waiters.range(self.patient_from..).next()?;
        if waiter.since + PATIENCE > now {
            return None;
        }
        self.patient_from = ticket + 1;
        Some(waiter.rig)
    }

    /// When the next patience ends.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let (_, waiter) = self.waiters.range(self.patient_from..).next()?;
        Some(waiter.since + PATIENCE)
    }

    /// How many wait that may need a connection of their own, or of those that need none.
    pub(super) fn like(&self, alone: bool) -> usize {
        if alone { self.alone } else { self.waiters.len() - self.alone }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiter> {
        self.waiters.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orepass_stratum::testing::start;

    #[test]
    fn rigs_wait_in_the_order_of_their_coming_and_each_patience_ends_once() {
        let (mut queue, now) = (WaitingRigs::default(), start());
        let later = now + Duration::from_secs(1);
        queue.join(RigId(7), false, now);
        queue.join(RigId(3), true, later);
        assert_eq!(queue.join(RigId(7), false, later), now, "it has its place");
        let order =
            |queue: &WaitingRigs| queue.iter().map(|waiter| waiter.rig.0).collect::<Vec<_>>();
        assert_eq!((order(&queue), queue.like(true), queue.like(false)), (vec![7, 3], 1, 1));
        assert_eq!(queue.poll_timeout(), Some(now + PATIENCE));
        assert_eq!(queue.impatient(now + PATIENCE), Some(RigId(7)));
        assert_eq!(queue.impatient(now + PATIENCE), None);
        queue.leave(RigId(7));
        queue.join(RigId(7), false, now + PATIENCE);
        assert_eq!(order(&queue), [3, 7], "who comes again stands at the end");
        assert_eq!(queue.impatient(later + PATIENCE), Some(RigId(3)));
        assert_eq!(queue.poll_timeout(), Some(now + 2 * PATIENCE));
        queue.leave(RigId(3));
        queue.leave(RigId(7));
        assert!(queue.is_empty() && queue.like(true) == 0 && queue.poll_timeout().is_none());
    }
}
