//! Nights without an operator.

mod blocks;
mod failover;
mod losses;
mod outage;
mod sequences;
mod shares;

use std::time::Duration;

use super::tally::JUDGED_SHARES;
use super::*;
use orepass_stratum::error::RejectCode;
use orepass_stratum::testing::start;
use orepass_stratum::time::Instant;

struct Night {
    pools: Pools,
    now: Instant,
}

impl Night {
    fn new(config: PoolsConfig) -> Self {
        let now = start();
        Self { pools: Pools::new(config, now), now }
    }

    /// Two pools in order that serve; the first one is mined at.
    fn calm() -> Self {
        let mut night = Self::new(PoolsConfig::in_order(2));
        night.up(0);
        night.up(1);
        night
    }

    fn up(&mut self, pool: PoolIndex) -> Vec<PoolsEvent> {
        self.pools.up(link(pool), self.now);
        self.events()
    }

    /// Its connection is lost.
    fn lost(&mut self, pool: PoolIndex) -> Vec<PoolsEvent> {
        self.pools.lost(link(pool), self.now);
        self.events()
    }

    /// It cannot be reached.
    fn down(&mut self, pool: PoolIndex) -> Vec<PoolsEvent> {
        self.fails(pool, Cause::Connection)
    }

    fn fails(&mut self, pool: PoolIndex, cause: Cause) -> Vec<PoolsEvent> {
        self.pools.down(link(pool), cause, self.now);
        self.events()
    }

    /// So many shares have this verdict.
    fn judges(
        &mut self,
        pool: PoolIndex,
        shares: usize,
        verdict: &Result<(), Reject>,
    ) -> Vec<PoolsEvent> {
        for _ in 0..shares {
            self.pools.verdict(link(pool), verdict, self.now);
        }
        self.events()
    }

    fn events(&mut self) -> Vec<PoolsEvent> {
        std::iter::from_fn(|| self.pools.poll_event()).collect()
    }

    /// Lets time pass, waking up whenever asked to.
    fn sleep(&mut self, seconds: u64) -> Vec<PoolsEvent> {
        let end = self.now + Duration::from_secs(seconds);
        let mut events = Vec::new();
        while let Some(wake) = self.pools.poll_timeout().filter(|wake| *wake <= end) {
            self.now = self.now.max(wake);
            self.pools.handle_timeout(self.now);
            events.extend(self.events());
            let next = self.pools.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "it would wake up all the time");
        }
        self.now = end;
        events
    }
}

/// The connection to a pool.
fn link(pool: PoolIndex) -> Link {
    numbered(pool, pool as u64)
}

fn numbered(pool: PoolIndex, number: u64) -> Link {
    Link { pool, number, dedicated: false }
}

fn refused(words: &str) -> Result<(), Reject> {
    let verdict = Verdict::RejectedByPool;
    Err(Reject::new(RejectCode::Other, format!("pool: {words}"), verdict))
}

/// A pool is down, whatever became of its shares.
fn down(pool: PoolIndex, cause: Cause) -> PoolsEvent {
    PoolsEvent::Down { pool, cause, evidence: Evidence::default() }
}

/// The events without the evidence.
fn bare(events: Vec<PoolsEvent>) -> Vec<PoolsEvent> {
    let bare = |event| match event {
        PoolsEvent::Down { pool, cause, .. } => down(pool, cause),
        PoolsEvent::Kept { pool, cause, .. } => kept(pool, cause),
        other => other,
    };
    events.into_iter().map(bare).collect()
}

/// A pool is kept, whatever became of its shares.
fn kept(pool: PoolIndex, cause: Cause) -> PoolsEvent {
    PoolsEvent::Kept { pool, cause, evidence: Evidence::default() }
}

fn switched(from: usize, to: usize) -> PoolsEvent {
    PoolsEvent::Switched { from: Some(from), to }
}
