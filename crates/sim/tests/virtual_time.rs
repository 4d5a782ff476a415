//! A pool and its rigs without sockets, tasks or a clock: an hour passes in the time that its hashes
//! take, and passes in the same way again.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::time::{Duration, Instant};

use common::{config, rig_config};
use orepass_sim::handshake::StratumGeneration;
use orepass_sim::pool::{Moment, PoolConfig, PoolFault, PoolStats};
use orepass_sim::rig::{RigConfig, RigStats};
use orepass_sim::{Pool, Rig};

const HOUR: Duration = Duration::from_secs(3600);

/// Rigs at a pool, and what time it is.
struct Yard {
    now: Moment,
    pool: Pool,
    /// Each with its connection, and when it connects again.
    rigs: Vec<(Rig, Option<u64>, Option<Instant>)>,
}

impl Yard {
    fn new(pool: PoolConfig, rigs: impl IntoIterator<Item = RigConfig>) -> Self {
        let now = Moment { at: tokio::time::Instant::now().into_std(), unix: 1_700_000_000 };
        let rigs = rigs.into_iter().map(|config| (Rig::new(config), None, Some(now.at)));
        let mut pool = Pool::new(pool, now);
        pool.begin_schedule(now);
        Self { now, pool, rigs: rigs.collect() }
    }

    /// Goes on until so much time has passed.
    fn pass(&mut self, span: Duration) {
        let end = self.now.at + span;
        while self.now.at < end {
            self.pool.handle_timeout(self.now);
            let mut next = end;
            for at in 0..self.rigs.len() {
                let due = self.turn(at);
                next = due.map_or(next, |due| next.min(due));
            }
            next = self.pool.poll_timeout().map_or(next, |due| next.min(due));
            // At least a little, as whatever drives them takes its time.
            let step = (next - self.now.at.min(next)).max(Duration::from_micros(1));
            self.now.at += step;
        }
    }

    /// Does what a rig has to do; when it next has.
    fn turn(&mut self, at: usize) -> Option<Instant> {
        let (rig, connection, again) = &mut self.rigs[at];
        let now = self.now.at;
        if again.is_some_and(|again| again <= now) {
            *again = None;
            *connection = self.pool.handle_connected();
            if connection.is_some() {
                rig.handle_connected();
            } else {
                rig.handle_unconnected("refused".into());
                *again = Some(now + rig.pause());
            }
        }
        let Some(number) = *connection else { return *again };
        rig.handle_timeout(now);
        if rig.poll_mining(now).is_some_and(|due| due <= now) {
            rig.mine(now);
        }
        loop {
            let said = rig.transmit();
            for line in said.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                self.pool.handle_line(number, line, self.now);
            }
            let heard = self.pool.transmit(number);
            for line in heard.bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                rig.handle_line(line, now);
            }
            if heard.ends || rig.wants_to_end() {
                self.pool.handle_gone(number);
                rig.handle_disconnected();
                (*connection, *again) = (None, Some(now + rig.pause()));
                return *again;
            }
            if said.is_empty() && heard.bytes.is_empty() {
                let mining = rig.poll_mining(now);
                return mining.into_iter().chain(rig.poll_timeout()).min();
            }
        }
    }

    fn stats(&self) -> (PoolStats, RigStats) {
        let mut sum = RigStats::default();
        for (rig, ..) in &self.rigs {
            sum.add(rig.stats());
        }
        (self.pool.stats().clone(), sum)
    }
}

fn rigs() -> impl Iterator<Item = RigConfig> {
    (0..4_u32).map(|number| RigConfig {
        worker: format!("rig{number}"),
        hashrate: 20.0 + f64::from(number),
        reconnect_max: Duration::from_secs(3),
        seed: number.into(),
        ..rig_config(StratumGeneration::Deployed)
    })
}

fn hour() -> (PoolStats, RigStats) {
    let mut yard = Yard::new(config(StratumGeneration::Deployed), rigs());
    yard.pass(HOUR / 3);
    yard.pool.fault(PoolFault::RefuseConnections, yard.now);
    yard.pass(Duration::from_secs(60));
    yard.pool.heal(yard.now);
    yard.pool.fault(PoolFault::LateVerdicts(Duration::from_secs(5)), yard.now);
    yard.pass(HOUR / 3);
    yard.pool.heal(yard.now);
    yard.pass(HOUR / 3);
    yard.stats()
}

#[test]
fn an_hour_passes_without_a_clock_and_again_in_the_same_way() {
    let (pool, rigs) = hour();
    assert!(pool.accepted > 300, "{pool:?}");
    // What the rigs were answered, and what they were not.
    assert_eq!(pool.submits, rigs.shares_sent);
    assert_eq!(rigs.shares_sent, rigs.accepted + rigs.rejected + rigs.unanswered + rigs.pending);
    assert!((rigs.accepted..=rigs.accepted + rigs.unanswered).contains(&pool.accepted));
    assert_eq!((rigs.rejected, pool.duplicates, pool.low_difficulty), (pool.rejected(), 0, 0));
    assert!(rigs.connect_failures > 0 && rigs.connects == 8 && pool.jobs > 120, "{rigs:?}");
    assert_eq!(hour(), (pool, rigs));
}
