//! Which pool now? Failover, warm standby and damped fail-back, without a socket or a clock.
//!
//! A route's pools stand in ranks: rank 0 is preferred, and pools of one rank share the work by
//! weight. The lowest rank with a pool that serves is the active one. When a better rank comes
//! back it has to stay healthy for a while, then gets a tenth of the work on trial, and a minute
//! later the rest; each relapse doubles the wait.

mod blocks;
mod terms;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use blocks::Blocks;
pub use terms::{Cause, Gate, PoolIndex, PoolsConfig, PoolsEvent, Standing};

/// The last shares of a pool that are looked at, and how many of them it may reject.
const JUDGED_SHARES: usize = 20;
/// A pool that stays without a connection for so long is down, even if nothing says so.
const GRACE: Duration = Duration::from_secs(6);
/// A pool that behind another one's newer block for so long is down.
const LAG: Duration = Duration::from_secs(60);
/// A relapse within this time of a fail-back counts as flapping.
const FLAP_WITHIN: Duration = Duration::from_secs(3600);
/// How long a pool that was down for its shares or its blocks is left alone.
const BENCHED_FOR: Duration = Duration::from_secs(300);
/// The longest time that a flapping pool has to prove itself.
const MAX_HEALTHY_FOR: Duration = Duration::from_secs(3600);
/// How long the better pools have at the start to be there before a lesser one is used.
const FIRST_WAIT: Duration = Duration::from_secs(3);
/// The most events that wait to be taken; past it the oldest are dropped.
const MAX_EVENTS: usize = 256;

/// The choice of pools of one route.
#[derive(Debug)]
pub struct Pools {
    config: PoolsConfig,
    pools: Vec<Pool>,
    active: Option<usize>,
    trial: Option<Trial>,
    outage: Option<Instant>,
    /// Until when better pools than the first that serves are waited for at the start.
    first_until: Option<Instant>,
    gate: Gate,
    events: VecDeque<PoolsEvent>,
    blocks: Blocks,
}

#[derive(Debug)]
struct Pool {
    health: Health,
    /// How long it must be healthy before rigs come back to it.
    proves_for: Duration,
    /// When rigs last came back to it.
    returned: Option<Instant>,
    /// Its last verdicts, stale ones left out: whether it took the share.
    verdicts: VecDeque<bool>,
    block: Option<u64>,
    /// It is known where that block stands among the others.
    is_placed: bool,
    /// It has a connection that takes shares.
    connected: bool,
}

impl Pool {
    const fn is_up(&self) -> bool {
        matches!(self.health, Health::Up { .. })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    /// Not connected yet.
    Unknown,
    Up {
        since: Instant,
    },
    /// Without a connection, which may come back at once.
    Lost {
        since: Instant,
    },
    /// Of no use until it connects again.
    Down,
    /// Connected, but not trusted until then.
    Benched {
        until: Instant,
    },
}

#[derive(Debug, Clone, Copy)]
struct Trial {
    rank: usize,
    until: Instant,
}

impl Pools {
    /// No pool is connected yet.
    #[must_use]
    pub fn new(config: PoolsConfig, now: Instant) -> Self {
        let fresh = |_: &Standing| Pool {
            health: Health::Unknown,
            proves_for: config.healthy_for,
            returned: None,
            verdicts: VecDeque::new(),
            block: None,
            is_placed: false,
            connected: false,
        };
        Self {
            pools: config.pools.iter().map(fresh).collect(),
            config,
            active: None,
            trial: None,
            outage: Some(now),
            first_until: Some(now + FIRST_WAIT),
            gate: Gate::Hold,
            events: VecDeque::new(),
            blocks: Blocks::default(),
        }
    }

    /// A pool has a connection that takes shares.
    pub fn up(&mut self, pool: PoolIndex, now: Instant) {
        let Some(state) = self.pools.get_mut(pool) else { return };
        state.connected = true;
        match state.health {
            Health::Up { .. } | Health::Benched { .. } => return,
            // A connection that is back at once has not been away.
            Health::Lost { since } if now.saturating_duration_since(since) < GRACE => {
                state.health = Health::Up { since: now };
            }
            _ => {
                state.health = Health::Up { since: now };
                state.verdicts.clear();
                self.push(PoolsEvent::Up(pool));
            }
        }
        self.decide(now);
    }

    /// A pool's last connection is lost. It is down only if it does not come back soon.
    pub fn lost(&mut self, pool: PoolIndex, now: Instant) {
        let Some(state) = self.pools.get_mut(pool) else { return };
        state.connected = false;
        if matches!(state.health, Health::Up { .. }) {
            state.health = Health::Lost { since: now };
        }
    }

    /// A pool's last connection was closed, since it is not needed. How the pool does is not known
    /// until it has one again; what it did wrong is not forgotten meanwhile.
    pub fn released(&mut self, pool: PoolIndex, now: Instant) {
        let Some(state) = self.pools.get_mut(pool) else { return };
        state.connected = false;
        state.block = None;
        state.is_placed = false;
        if !matches!(state.health, Health::Benched { .. }) {
            state.health = Health::Unknown;
        }
        self.decide(now);
    }

    /// A pool cannot be reached or refuses us, and has no other connection.
    pub fn down(&mut self, pool: PoolIndex, now: Instant) {
        let Some(state) = self.pools.get_mut(pool) else { return };
        state.connected = false;
        self.fail(pool, Cause::Connection, now);
        self.decide(now);
    }

    /// A pool has judged a share that was not stale.
    pub fn verdict(&mut self, pool: PoolIndex, accepted: bool, now: Instant) {
        let Some(state) = self.pools.get_mut(pool) else { return };
        if state.verdicts.len() == JUDGED_SHARES {
            state.verdicts.pop_front();
        }
        state.verdicts.push_back(accepted);
        let full = state.verdicts.len() == JUDGED_SHARES;
        let rejected = state.verdicts.iter().filter(|accepted| !**accepted).count();
        // A pool that rejects much is still better than none.
        let elsewhere = || (0..self.pools.len()).any(|other| other != pool && self.serves(other));
        if full && rejected > JUDGED_SHARES / 2 && elsewhere() {
            self.fail(pool, Cause::Rejects, now);
            self.decide(now);
        }
    }

    /// A pool has told a job on this block; `key` stands for the previous block's hash.
    ///
    /// A pool that is behind tells blocks that others told long ago, or that nobody told us. So an
    /// unknown block that a pool comes with counts as new only where another pool tells it too, or
    /// where no other pool's place is known; one that it goes on to counts as new.
    pub fn block(&mut self, pool: PoolIndex, key: u64, now: Instant) {
        let Some(state) = self.pools.get_mut(pool) else { return };
        let before = state.block.replace(key);
        if before == Some(key) {
            return;
        }
        state.is_placed = true;
        if self.blocks.knows(key) {
            return;
        }
        let others =
            self.pools.iter().enumerate().filter(|(at, other)| *at != pool && other.is_up());
        let told: Vec<&Pool> = others.map(|(_, other)| other).collect();
        let lone = !told.iter().any(|other| other.is_placed);
        if before.is_some() || lone || told.iter().any(|other| other.block == Some(key)) {
            self.blocks.push(key, now);
        } else {
            self.pools[pool].is_placed = false;
        }
    }

    /// The time has come that [`poll_timeout`](Self::poll_timeout) gave.
    pub fn handle_timeout(&mut self, now: Instant) {
        for pool in 0..self.pools.len() {
            match self.pools[pool].health {
                Health::Lost { since } if now.saturating_duration_since(since) >= GRACE => {
                    self.fail(pool, Cause::Connection, now);
                }
                Health::Benched { until } if now >= until => {
                    if self.behind_since(pool).is_some_and(|since| now >= since + LAG) {
                        let until = now + BENCHED_FOR;
                        self.pools[pool].health = Health::Benched { until };
                    } else {
                        self.pardon(pool, now);
                    }
                }
                Health::Up { .. } if self.lags_at(pool).is_some_and(|at| now >= at) => {
                    self.fail(pool, Cause::Lag, now);
                }
                _ => {}
            }
        }
        self.decide(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let active = self.active.unwrap_or(usize::MAX);
        let pools = self.pools.iter().enumerate().filter_map(|(pool, state)| match state.health {
            Health::Lost { since } => Some(since + GRACE),
            Health::Benched { until } => Some(until),
            Health::Up { since } if self.rank(pool) < active && self.trial.is_none() => {
                Some(since + state.proves_for)
            }
            _ => None,
        });
        let lag = (0..self.pools.len()).filter_map(|pool| self.lags_at(pool)).min();
        let hold = match (self.gate, self.outage, self.config.hold_for) {
            (Gate::Hold, Some(since), Some(limit)) => Some(since + limit),
            _ => None,
        };
        let trial = self.trial.map(|trial| trial.until);
        let any = (0..self.pools.len()).any(|pool| self.serves(pool));
        let first = self.first_until.filter(|_| any && self.active.is_none());
        pools.chain(lag).chain(hold).chain(trial).chain(first).min()
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
        self.gate
    }

    /// Whether a pool serves.
    #[must_use]
    pub fn serves(&self, pool: PoolIndex) -> bool {
        self.pools
            .get(pool)
            .is_some_and(|state| matches!(state.health, Health::Up { .. } | Health::Lost { .. }))
    }

    /// The part of the work that each pool should have now, in the config's order; they add up to
    /// one while a pool serves.
    #[must_use]
    pub fn shares(&self) -> Vec<f64> {
        let mut shares = vec![0.0; self.pools.len()];
        let Some(active) = self.active else { return shares };
        let trial = self.trial.map_or(0.0, |_| self.config.trial_share);
        self.spread(active, 1.0 - trial, &mut shares);
        if let Some(Trial { rank, .. }) = self.trial {
            self.spread(rank, trial, &mut shares);
        }
        shares
    }

    /// The pools that should have at least one connection: all that are better than the active
    /// rank, the active rank, and the next one as a warm standby.
    #[must_use]
    pub fn warm(&self) -> Vec<PoolIndex> {
        let active = self.active.unwrap_or(usize::MAX);
        let standby = self.next_rank(active);
        let wanted = |pool: &PoolIndex| {
            let rank = self.rank(*pool);
            rank <= active || Some(rank) == standby
        };
        (0..self.pools.len()).filter(wanted).collect()
    }

    /// The rank behind the active one, which is held warm.
    fn next_rank(&self, active: usize) -> Option<usize> {
        let ranks = (0..self.pools.len()).map(|pool| self.rank(pool));
        ranks.filter(|&rank| rank > active).min()
    }

    fn spread(&self, rank: usize, part: f64, shares: &mut [f64]) {
        let members = || (0..self.pools.len()).filter(|&pool| self.rank(pool) == rank);
        let serving = || members().filter(|&pool| self.serves(pool));
        let total: f64 = serving().map(|pool| self.config.pools[pool].weight).sum();
        for pool in serving() {
            shares[pool] = part * self.config.pools[pool].weight / total.max(f64::MIN_POSITIVE);
        }
    }

    fn rank(&self, pool: PoolIndex) -> usize {
        self.config.pools.get(pool).map_or(usize::MAX, |standing| standing.rank)
    }

    /// When a pool that serves counts as lagging, unless it catches up.
    fn lags_at(&self, pool: PoolIndex) -> Option<Instant> {
        let up = self.pools.get(pool).is_some_and(Pool::is_up);
        self.behind_since(pool).filter(|_| up).map(|since| since + LAG)
    }

    /// Since when a pool that is up has told a newer block than this one.
    fn behind_since(&self, pool: PoolIndex) -> Option<Instant> {
        let Pool { block, is_placed, .. } = self.pools.get(pool)?;
        let own = block.filter(|&block| *is_placed || self.blocks.knows(block))?;
        let newest = self.blocks.newest();
        let led = self.pools.iter().any(|other| other.is_up() && other.block == newest);
        self.blocks.overtaken(own).filter(|_| led)
    }

    fn fail(&mut self, pool: PoolIndex, cause: Cause, now: Instant) {
        let Some(state) = self.pools.get_mut(pool) else { return };
        if cause == Cause::Connection && matches!(state.health, Health::Benched { .. }) {
            // It is left alone as long as it was to be.
            return;
        }
        let served = !matches!(state.health, Health::Down | Health::Benched { .. });
        let first = state.health != Health::Down;
        state.health = match cause {
            Cause::Connection => Health::Down,
            Cause::Rejects | Cause::Lag => Health::Benched { until: now + BENCHED_FOR },
        };
        state.verdicts.clear();
        if served {
            let flaps = |at: Instant| now.saturating_duration_since(at) < FLAP_WITHIN;
            state.proves_for = if state.returned.take().is_some_and(flaps) {
                (state.proves_for * 2).min(MAX_HEALTHY_FOR)
            } else {
                state.proves_for
            };
        }
        if first {
            self.push(PoolsEvent::Down(pool, cause));
        }
    }

    /// Trusts a benched pool again.
    fn pardon(&mut self, pool: PoolIndex, now: Instant) {
        let state = &mut self.pools[pool];
        state.verdicts.clear();
        if state.connected {
            state.health = Health::Up { since: now };
            self.push(PoolsEvent::Up(pool));
        } else {
            state.health = Health::Unknown;
        }
    }

    /// Draws the consequences of what is known.
    fn decide(&mut self, now: Instant) {
        if !(0..self.pools.len()).any(|pool| self.serves(pool)) {
            // A pool that does badly is still better than none.
            let benched = |pool: &PoolIndex| {
                let Pool { health, connected, .. } = &self.pools[*pool];
                *connected && matches!(health, Health::Benched { .. })
            };
            let benched: Vec<PoolIndex> = (0..self.pools.len()).filter(benched).collect();
            benched.into_iter().for_each(|pool| self.pardon(pool, now));
        }
        let serving = |rank: usize| {
            (0..self.pools.len()).any(|pool| self.rank(pool) == rank && self.serves(pool))
        };
        let best = {
            let mut ranks: Vec<usize> = (0..self.pools.len()).map(|pool| self.rank(pool)).collect();
            ranks.sort_unstable();
            ranks.into_iter().find(|&rank| serving(rank))
        };
        let active_serves = self.active.is_some_and(serving);
        let trial_serves = self.trial.is_none_or(|trial| serving(trial.rank));
        if !trial_serves && let Some(trial) = self.trial.take() {
            self.relapse(trial.rank);
            self.push(PoolsEvent::TrialFailed { rank: trial.rank });
        }
        match best {
            None => self.outage(now),
            // At the start a lesser pool may be there first.
            Some(best) if self.better_may_come(best, now) => {}
            Some(best) if !active_serves => self.switch(best, now),
            Some(_) => self.fail_back(now),
        }
    }

    /// Whether a pool of a better rank than this is still on its first way at the start.
    fn better_may_come(&mut self, best: usize, now: Instant) -> bool {
        self.first_until = self.first_until.filter(|&until| now < until && self.active.is_none());
        let unknown = |pool: usize| self.pools[pool].health == Health::Unknown;
        let better = |pool: usize| self.rank(pool) < best && unknown(pool);
        self.first_until.is_some() && (0..self.pools.len()).any(better)
    }

    fn outage(&mut self, now: Instant) {
        if self.active.take().is_some() || self.outage.is_none() {
            self.outage = Some(now);
            self.gate = Gate::Hold;
            self.push(PoolsEvent::Outage);
        }
        let over = |since: Instant| {
            self.config.hold_for.is_some_and(|limit| now.saturating_duration_since(since) >= limit)
        };
        if self.gate == Gate::Hold && self.outage.is_some_and(over) {
            self.gate = Gate::Closed;
            self.push(PoolsEvent::Closing);
        }
    }

    fn switch(&mut self, to: usize, now: Instant) {
        let from = self.active.replace(to);
        self.trial = None;
        self.outage = None;
        self.gate = Gate::Open;
        if from.is_some_and(|from| to < from) {
            self.mark_returned(to, now);
        }
        self.push(PoolsEvent::Switched { from, to });
    }

    /// Goes on with a trial, or begins one with the best rank that has proven itself.
    fn fail_back(&mut self, now: Instant) {
        if let Some(trial) = self.trial {
            if now >= trial.until {
                self.switch(trial.rank, now);
            }
            return;
        }
        let proven = |pool: &PoolIndex| {
            let state = &self.pools[*pool];
            Some(self.rank(*pool)) < self.active
                && matches!(state.health, Health::Up { since }
                    if now.saturating_duration_since(since) >= state.proves_for)
        };
        let best = (0..self.pools.len()).filter(proven).map(|pool| self.rank(pool)).min();
        if let Some(rank) = best {
            self.trial = Some(Trial { rank, until: now + self.config.trial_for });
            self.mark_returned(rank, now);
            self.push(PoolsEvent::Trial { to: rank });
        }
    }

    fn mark_returned(&mut self, rank: usize, now: Instant) {
        for pool in 0..self.pools.len() {
            if self.rank(pool) == rank {
                self.pools[pool].returned = Some(now);
            }
        }
    }

    fn relapse(&mut self, rank: usize) {
        for pool in 0..self.pools.len() {
            let state = &mut self.pools[pool];
            if self.config.pools[pool].rank == rank && state.returned.take().is_some() {
                state.proves_for = (state.proves_for * 2).min(MAX_HEALTHY_FOR);
            }
        }
    }

    fn push(&mut self, event: PoolsEvent) {
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}
