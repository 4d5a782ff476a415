//! What is done about a pool that does badly.

use std::time::Duration;

use super::member::Member;
use super::{Cause, PoolIndex, Pools, PoolsEvent};
use orepass_stratum::time::Instant;

/// How often it is said that a pool is kept though it does badly.
const KEPT_EVERY: Duration = Duration::from_secs(300);
/// How long refusals move no rigs when two pools have refused alike.
const SPARED_FOR: Duration = Duration::from_secs(1800);

impl Pools {
    /// Most of the connections to a pool are lost all the time, perhaps.
    pub(super) fn count_losses(&mut self, pool: PoolIndex, now: Instant) {
        if self.pools[pool].serves() && self.pools[pool].links.flap(now) {
            self.fail_or_keep(pool, Cause::Losses, now);
        }
    }

    /// A pool refuses most shares.
    pub(super) fn refuses(&mut self, pool: PoolIndex, now: Instant) {
        if self.spared.is_some_and(|until| now < until) {
            return self.keep(pool, Cause::Rejects, now);
        }
        let refused = |other: &PoolIndex| *other != pool && self.pools[*other].refused();
        let first = (0..self.pools.len()).filter(refused).min_by_key(|other| self.rank(*other));
        match first.filter(|_| !self.pools[pool].sound) {
            Some(first) => self.both_refuse(pool, first, now),
            None => self.fail_or_keep(pool, Cause::Rejects, now),
        }
    }

    /// A pool refuses shares as the one did that rigs have left for that. They go back.
    fn both_refuse(&mut self, pool: PoolIndex, first: PoolIndex, now: Instant) {
        let evidence = self.pools[pool].tally.evidence();
        self.spared = Some(now + SPARED_FOR);
        self.pools[pool].tally.clear();
        self.pardon(first, now);
        self.push(PoolsEvent::Alike { pool, first, evidence });
        let rank = self.rank(first);
        if self.course.rank().is_some_and(|active| rank < active) {
            self.switch(rank, now);
        }
        self.decide(now);
    }

    /// A pool does badly. It is left if there is another to go to: one that serves, or else one
    /// that was left before, where this one has done well since or has no connection.
    pub(super) fn fail_or_keep(&mut self, pool: PoolIndex, cause: Cause, now: Instant) {
        let Member { links, sound, .. } = &self.pools[pool];
        let (connected, sound) = (links.serve(), *sound);
        let elsewhere = |(at, other): (usize, &Member)| {
            let again = !connected || sound && other.refused();
            at != pool && (other.serves() || again && other.links.serve())
        };
        if !self.pools.iter().enumerate().any(elsewhere) {
            return self.keep(pool, cause, now);
        }
        self.fail(pool, cause, now);
        if cause == Cause::Rejects {
            // The others are judged by what they do from now on.
            for (_, other) in self.pools.iter_mut().enumerate().filter(|(at, _)| *at != pool) {
                other.sound = false;
                other.tally.clear();
            }
        }
        self.decide(now);
    }

    /// A pool does badly and is kept all the same, which is said from time to time.
    fn keep(&mut self, pool: PoolIndex, cause: Cause, now: Instant) {
        let state = &mut self.pools[pool];
        let recent = |said: Instant| now.saturating_duration_since(said) < KEPT_EVERY;
        if !state.kept.is_some_and(recent) {
            state.kept = Some(now);
            let evidence = state.tally.evidence();
            self.push(PoolsEvent::Kept { pool, cause, evidence });
        }
    }

    pub(super) fn fail(&mut self, pool: PoolIndex, cause: Cause, now: Instant) {
        let evidence = self.pools[pool].tally.evidence();
        if self.pools[pool].fail(cause, now) {
            self.push(PoolsEvent::Down { pool, cause, evidence });
        }
    }

    /// Trusts a benched pool again.
    pub(super) fn pardon(&mut self, pool: PoolIndex, now: Instant) {
        if self.pools[pool].pardon(now) {
            self.push(PoolsEvent::Up(pool));
        }
    }
}
