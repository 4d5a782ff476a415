//! Which pool now? Failover, warm standby and damped fail-back, without a socket or a clock.
//!
//! A pool *serves* if one of its connections is logged in and has been told a job that can be
//! mined, and if it credits what it gets. Being connected is nothing.
//!
//! A route's pools stand in ranks: rank 0 is preferred, and pools of one rank share the work by
//! weight. The lowest rank with a pool that serves is the active one. When a better rank comes
//! back it has to stay healthy for a while, then gets a tenth of the work on trial, and a minute
//! later the rest; each relapse doubles the wait.

mod blocks;
mod course;
mod faults;
mod interface;
mod links;
mod member;
mod probation;
mod reconfigure;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use blocks::Blocks;
use course::{Course, Trial};
pub use interface::{
    Cause, Evidence, Gate, Leaving, Link, PoolHealth, PoolIndex, PoolsConfig, PoolsEvent, Standing,
};
use member::{Health, Member};
use orepass_stratum::error::Reject;
use orepass_stratum::time::Instant;
use orepass_stratum::verdict::Verdict;
use tally::Judgement;

/// The most events that wait to be taken; past it the oldest are dropped.
const MAX_EVENTS: usize = 256;

/// The choice of pools of one route.
#[derive(Debug)]
pub struct Pools {
    config: PoolsConfig,
    pools: Vec<Member>,
    course: Course,
    /// Until when refusals move no rigs, since the cause is probably ours.
    spared: Option<Instant>,
    blocks: Blocks,
    events: VecDeque<PoolsEvent>,
}

impl Pools {
    /// No pool is connected yet.
    #[must_use]
    pub fn new(config: PoolsConfig, now: Instant) -> Self {
        Self {
            pools: config.pools.iter().map(|_| Member::new(config.healthy_for)).collect(),
            config,
            course: Course::starting(now),
            spared: None,
            blocks: Blocks::default(),
            events: VecDeque::new(),
        }
    }

    /// A connection serves: the pool has authorized us and told a job on it. May be said again.
    pub fn up(&mut self, link: Link, now: Instant) {
        let Some(pool) = self.member(link.pool) else { return };
        pool.links.up(link);
        if pool.up(now) {
            self.push(PoolsEvent::Up(link.pool));
        }
        self.decide(now);
    }

    /// A connection has ended that may come back at once: it served, or the pool sent it elsewhere,
    /// or its extranonce was another one's. The pool is down only if none comes back soon.
    pub fn lost(&mut self, link: Link, now: Instant) {
        let Some(pool) = self.member(link.pool) else { return };
        pool.links.lost(link, now);
        if !pool.links.serve() {
            pool.lost(now);
        }
        self.count_losses(link.pool, now);
        self.decide(now);
    }

    /// A connection could not be made, or was given up, for this cause. The pool is down unless
    /// another one serves.
    pub fn down(&mut self, link: Link, cause: Cause, now: Instant) {
        let Some(pool) = self.member(link.pool) else { return };
        pool.links.lost(link, now);
        if !pool.links.serve() {
            self.fail(link.pool, cause, now);
        }
        self.count_losses(link.pool, now);
        self.decide(now);
    }

    /// A connection was closed for good, since it is not needed. Where it was the last, how the
    /// pool does is not known until it has one again.
    pub fn released(&mut self, link: Link, now: Instant) {
        let Some(pool) = self.member(link.pool) else { return };
        pool.links.closed(link);
        if pool.links.is_empty() {
            pool.released();
        } else if !pool.links.serve() {
            pool.lost(now);
        }
        self.decide(now);
    }

    /// A share that was sent on a connection has its verdict, and that
    /// [weighs](orepass_stratum::upstream::UpstreamEvent::Verdict).
    pub fn verdict(&mut self, link: Link, verdict: &Result<(), Reject>, now: Instant) {
        let Some(pool) = self.member(link.pool) else { return };
        let lost = verdict.as_ref().is_err_and(|reject| reject.verdict == Verdict::LostOnFailover);
        if !pool.serves() || lost && link.dedicated {
            // What happens to one rig says little about the pool.
            return;
        }
        pool.tally.add(verdict, now);
        match pool.tally.judgement() {
            Judgement::Open => {}
            Judgement::Sound => pool.sound = true,
            Judgement::Unsound(Cause::Rejects) => self.refuses(link.pool, now),
            Judgement::Unsound(cause) => self.fail_or_keep(link.pool, cause, now),
        }
    }

    /// The time has come that [`poll_timeout`](Self::poll_timeout) gave.
    pub fn handle_timeout(&mut self, now: Instant) {
        for pool in 0..self.pools.len() {
            match self.pools[pool].health {
                Health::Benched { until, cause } if now >= until => {
                    if self.lags(pool, now) {
                        self.pools[pool].stay_benched(cause, now);
                    } else {
                        self.pardon(pool, now);
                    }
                }
                _ if self.pools[pool].poll_timeout().is_some_and(|at| now >= at) => {
                    self.fail(pool, Cause::Connection, now);
                }
                _ => {}
            }
        }
        self.decide(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called: after that, later than
    /// then.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let pools = self.pools.iter().filter_map(Member::poll_timeout);
        let lag = (0..self.pools.len()).filter_map(|pool| self.lags_at(pool));
        let proven = self.better().filter_map(|pool| self.pools[pool].proven_at());
        let course = self.course.poll_timeout(self.config.hold_for);
        let leaving = self.pools.iter().filter_map(|pool| Some(pool.leaving?.1));
        pools.chain(lag).chain(proven).chain(course).chain(leaving).min()
    }

    /// Whether there is a decision to be taken from [`poll_event`](Self::poll_event).
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.events.is_empty()
    }

    /// The next decision.
    pub fn poll_event(&mut self) -> Option<PoolsEvent> {
        self.events.pop_front()
    }

    /// What happens with rigs now.
    #[must_use]
    pub const fn gate(&self) -> Gate {
        self.course.gate()
    }

    /// Whether a pool serves.
    #[must_use]
    pub fn serves(&self, pool: PoolIndex) -> bool {
        self.pools.get(pool).is_some_and(Member::serves)
    }

    /// Whether a pool is of use; none where there is no such pool.
    #[must_use]
    pub fn health(&self, pool: PoolIndex) -> Option<PoolHealth> {
        Some(match self.pools.get(pool)?.health {
            Health::Unknown { .. } => PoolHealth::Unknown,
            Health::Up { since } => PoolHealth::Serves(since),
            Health::Lost { since } => PoolHealth::Lost(since),
            Health::Down(cause) => PoolHealth::Down(cause),
            Health::Benched { until, cause } => PoolHealth::Benched(until, cause),
            Health::Retired => PoolHealth::Retired,
        })
    }

    /// The part of the work that each pool should have now, in the config's order; they add up to
    /// one while a pool serves.
    #[must_use]
    pub fn shares(&self) -> Vec<f64> {
        let mut shares = vec![0.0; self.pools.len()];
        let Some(active) = self.course.rank() else { return shares };
        let trial = self.course.trial().map_or(0.0, |_| self.config.trial_share);
        self.spread(active, 1.0 - trial, &mut shares);
        if let Some(Trial { rank, .. }) = self.course.trial() {
            self.spread(rank, trial, &mut shares);
        }
        shares
    }

    /// The pools that should have at least one connection: all that are better than the active
    /// rank, the active rank, and as a warm standby the next one; also those after it, up to the
    /// first that is not known to be of no use. None that is to leave.
    #[must_use]
    pub fn warm(&self) -> Vec<PoolIndex> {
        let active = self.course.rank().unwrap_or(usize::MAX);
        let after = (0..self.pools.len()).filter(|&pool| self.rank(pool) > active);
        let promising =
            after.filter(|&pool| self.pools[pool].stays() && self.pools[pool].is_promising());
        let last = promising.map(|pool| self.rank(pool)).min().unwrap_or(usize::MAX);
        let stays = |pool: &PoolIndex| self.pools[*pool].stays();
        (0..self.pools.len()).filter(|&pool| self.rank(pool) <= last).filter(stays).collect()
    }

    /// Draws the consequences of what is known.
    fn decide(&mut self, now: Instant) {
        self.retire(now);
        for pool in 0..self.pools.len() {
            if self.lags_at(pool).is_some_and(|at| now >= at) {
                self.fail(pool, Cause::Lag, now);
            }
        }
        if !self.pools.iter().any(Member::serves) {
            // A pool that does badly is still better than none: one that is not behind, and of those
            // the one that would be used first.
            let connected = (0..self.pools.len()).filter(|&pool| self.pools[pool].links.serve());
            let benched = connected
                .filter_map(|at| Some((self.lags(at, now), self.pools[at].benched_until()?, at)));
            if let Some((.., first)) = benched.min() {
                self.pardon(first, now);
            }
        }
        while self.step(now) {}
    }

    /// Takes the next step that is due; whether there was one. Each leads on: to a better rank, or
    /// away from one that does not serve.
    fn step(&mut self, now: Instant) -> bool {
        let best = (0..self.pools.len()).filter(|&pool| self.serves(pool));
        let best = best.map(|pool| self.rank(pool)).min();
        match (self.course, best) {
            (Course::Starting { until }, best) => {
                let better = |pool: usize| best.is_none_or(|best| self.rank(pool) < best);
                let unknown =
                    |pool: usize| matches!(self.pools[pool].health, Health::Unknown { .. });
                if now < until && (0..self.pools.len()).any(|pool| better(pool) && unknown(pool)) {
                    return false;
                }
                match best {
                    Some(best) => self.switch(best, now),
                    None => self.outage(now),
                }
            }
            (Course::Mining { trial: Some(trial), rank }, _) if !self.serving(trial.rank) => {
                self.course = Course::Mining { rank, trial: None };
                self.of_rank(trial.rank, |pool| pool.proving.fail(now));
                self.push(PoolsEvent::TrialFailed { rank: trial.rank });
            }
            (Course::Mining { .. }, None) => self.outage(now),
            (Course::Mining { rank, .. }, Some(best)) if !self.serving(rank) => {
                self.switch(best, now);
            }
            (Course::Mining { trial: Some(trial), .. }, _) => {
                if now < trial.until {
                    return false;
                }
                self.switch(trial.rank, now);
            }
            (Course::Mining { trial: None, rank }, _) => {
                let Some(better) = self.proven(now) else { return false };
                let until = now + self.config.trial_for;
                self.course = Course::Mining { rank, trial: Some(Trial { rank: better, until }) };
                self.of_rank(better, |pool| pool.proving.trust(now));
                self.push(PoolsEvent::Trial { to: better });
            }
            (Course::Outage { .. }, Some(best)) => self.switch(best, now),
            (Course::Outage { since, closed: false }, None)
                if self.course.poll_timeout(self.config.hold_for).is_some_and(|at| now >= at) =>
            {
                self.course = Course::Outage { since, closed: true };
                self.push(PoolsEvent::Closing);
            }
            (Course::Outage { .. }, None) => return false,
        }
        true
    }

    fn outage(&mut self, now: Instant) {
        self.course = Course::Outage { since: now, closed: false };
        self.push(PoolsEvent::Outage);
    }

    fn switch(&mut self, to: usize, now: Instant) {
        let from = self.course.rank();
        self.course = Course::Mining { rank: to, trial: None };
        if from.is_some_and(|from| to < from) {
            self.of_rank(to, |pool| pool.proving.trust(now));
        }
        self.push(PoolsEvent::Switched { from, to });
    }

    /// The best rank that has proven itself, of those that are better than the active one.
    fn proven(&self, now: Instant) -> Option<usize> {
        let proven = |pool: &usize| self.pools[*pool].proven_at().is_some_and(|at| now >= at);
        self.better().filter(proven).map(|pool| self.rank(pool)).min()
    }

    /// The pools of better ranks than the active one, while none of them is on trial.
    fn better(&self) -> impl Iterator<Item = PoolIndex> {
        let active = self.course.rank().filter(|_| self.course.trial().is_none());
        (0..self.pools.len()).filter(move |&pool| active.is_some_and(|rank| self.rank(pool) < rank))
    }

    fn serving(&self, rank: usize) -> bool {
        (0..self.pools.len()).any(|pool| self.rank(pool) == rank && self.serves(pool))
    }

    fn of_rank(&mut self, rank: usize, act: impl Fn(&mut Member)) {
        let members = self.pools.iter_mut().zip(&self.config.pools);
        members.filter(|(_, standing)| standing.rank == rank).for_each(|(pool, _)| act(pool));
    }

    fn spread(&self, rank: usize, part: f64, shares: &mut [f64]) {
        let members = || (0..self.pools.len()).filter(|&pool| self.rank(pool) == rank);
        let serving = || members().filter(|&pool| self.serves(pool));
        let total: f64 = serving().map(|pool| self.config.pools[pool].weight).sum();
        for pool in serving() {
            shares[pool] = part * self.config.pools[pool].weight / total.max(f64::MIN_POSITIVE);
        }
    }

    /// A pool that the route has.
    fn member(&mut self, pool: PoolIndex) -> Option<&mut Member> {
        self.pools.get_mut(pool).filter(|pool| !pool.is_retired())
    }

    fn rank(&self, pool: PoolIndex) -> usize {
        self.config.pools.get(pool).map_or(usize::MAX, |standing| standing.rank)
    }

    fn push(&mut self, event: PoolsEvent) {
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}
