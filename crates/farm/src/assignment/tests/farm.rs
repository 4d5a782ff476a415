//! A farm whose hashrates are known, and what is really done at each pool.

use super::super::*;
use orepass_stratum::testing::start;

/// How far the virtual clock goes at a time.
const STEP: Duration = Duration::from_secs(5);
/// The shares of a rig are so far apart, on average.
const SHARE_EVERY: f64 = 6.0;

/// A farm that is asked and told what the proxy's director and sessions would be.
pub(super) struct Farm {
    pub(super) assignment: Assignment,
    pub(super) now: Instant,
    pub(super) rigs: Vec<Miner>,
    next_serial: u64,
    dice: Option<Dice>,
    /// Whether rigs are closed when they have to move, and come back under a new serial.
    pub(super) reconnecting: bool,
    /// What has really been done at each pool, and what shares have proven.
    pub(super) real: Ledger,
    pub(super) proven: Ledger,
    /// The rigs that each look moved.
    pub(super) moved: Vec<usize>,
}

/// Work at each pool.
pub(super) struct Ledger {
    work: Vec<f64>,
    /// What it was at each minute.
    minutes: Vec<Vec<f64>>,
}

pub(super) struct Miner {
    serial: u64,
    address: IpAddr,
    rate: f64,
    /// Proven work.
    total: f64,
}

/// Splitmix: the same luck in each run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// How many shares are found where so many are expected.
    fn poisson(&mut self, expected: f64) -> f64 {
        let limit = (-expected).exp();
        let mut product = self.roll();
        let mut count = 0.0;
        while product > limit {
            product *= self.roll();
            count += 1.0;
        }
        count
    }
}

/// Rates from 1 to 100, as many of each magnitude.
pub(super) fn unequal(count: usize, seed: u64) -> Vec<f64> {
    let mut dice = Dice(seed);
    (0..count).map(|_| 100_f64.powf(dice.roll())).collect()
}

impl Ledger {
    pub(super) fn new(pools: usize) -> Self {
        Self { work: vec![0.0; pools], minutes: vec![vec![0.0; pools]] }
    }

    /// The largest difference of a pool's part from the wanted one, in any span of so many minutes
    /// that begins in that minute or later.
    pub(super) fn worst(&self, wanted: &[f64], from: usize, span: usize) -> f64 {
        let off = |at: usize| {
            let (before, after) = (&self.minutes[at], &self.minutes[at + span]);
            let work: Vec<f64> = before.iter().zip(after).map(|(b, a)| a - b).collect();
            let total: f64 = work.iter().sum();
            let parts = work.iter().zip(wanted);
            parts.map(|(work, share)| (work / total - share).abs()).fold(0.0, f64::max)
        };
        (from..self.minutes.len() - span).map(off).fold(0.0, f64::max)
    }
}

impl Farm {
    pub(super) fn new(shares: &[f64], rates: &[f64]) -> Self {
        let mut farm = Self {
            assignment: Assignment::new(shares.len()),
            now: start(),
            rigs: Vec::new(),
            next_serial: 0,
            dice: None,
            reconnecting: false,
            real: Ledger::new(shares.len()),
            proven: Ledger::new(shares.len()),
            moved: Vec::new(),
        };
        farm.set_shares(shares);
        for &rate in rates {
            farm.come(rate);
        }
        farm
    }

    pub(super) fn lucky(mut self, seed: u64) -> Self {
        self.dice = Some(Dice(seed));
        self
    }

    pub(super) fn come(&mut self, rate: f64) {
        let serial = self.next_serial;
        self.next_serial += 1;
        let address = IpAddr::V4((serial as u32).into());
        self.assignment.enter(serial, address, self.now);
        self.rigs.push(Miner { serial, address, rate, total: 0.0 });
    }

    pub(super) fn go(&mut self, index: usize) {
        let rig = self.rigs.swap_remove(index);
        self.assignment.leave(rig.serial, rig.address, rig.total, self.now);
    }

    fn totals(&self) -> Vec<(u64, f64)> {
        self.rigs.iter().map(|rig| (rig.serial, rig.total)).collect()
    }

    pub(super) fn set_shares(&mut self, shares: &[f64]) -> usize {
        let totals = self.totals();
        self.assignment.set_shares(shares, totals, self.now)
    }

    /// The pool of each rig.
    pub(super) fn pools(&self) -> Vec<Option<PoolIndex>> {
        self.rigs.iter().map(|rig| self.assignment.pool_of(rig.serial)).collect()
    }

    /// The part of the work that a pool has now, by the rates of its rigs.
    pub(super) fn part(&self, pool: PoolIndex) -> f64 {
        let total: f64 = self.rigs.iter().map(|rig| rig.rate).sum();
        let here = self.rigs.iter().zip(self.pools()).filter(|(_, at)| *at == Some(pool));
        here.map(|(rig, _)| rig.rate).sum::<f64>() / total
    }

    pub(super) fn run(&mut self, minutes: u64) {
        self.run_with(minutes, |_| {});
    }

    /// Lets time pass, with something that happens every minute.
    pub(super) fn run_with(&mut self, minutes: u64, mut happens: impl FnMut(&mut Self)) {
        for _ in 0..minutes {
            for _ in 0..60 / STEP.as_secs() {
                self.step();
            }
            for ledger in [&mut self.real, &mut self.proven] {
                ledger.minutes.push(ledger.work.clone());
            }
            happens(self);
        }
    }

    pub(super) fn step(&mut self) {
        self.now += STEP;
        let seconds = STEP.as_secs_f64();
        for rig in &mut self.rigs {
            let work = match &mut self.dice {
                Some(dice) => dice.poisson(seconds / SHARE_EVERY) * SHARE_EVERY * rig.rate,
                None => rig.rate * seconds,
            };
            rig.total += work;
            if let Some(pool) = self.assignment.pool_of(rig.serial) {
                self.real.work[pool] += rig.rate * seconds;
                self.proven.work[pool] += work;
            }
        }
        if self.assignment.poll_timeout().is_some_and(|due| due <= self.now) {
            self.look();
        }
    }

    fn look(&mut self) {
        let before = self.pools();
        let totals = self.totals();
        let rebalance = self.assignment.handle_timeout(self.now, totals);
        let movers = differences(&before, &self.pools());
        assert_eq!(rebalance.map_or(0, |rebalance| rebalance.rigs), movers.len());
        self.moved.push(movers.len());
        for index in movers.into_iter().filter(|_| self.reconnecting) {
            let rig = &mut self.rigs[index];
            self.assignment.leave(rig.serial, rig.address, rig.total, self.now);
            (rig.serial, rig.total) = (self.next_serial, 0.0);
            self.next_serial += 1;
            self.assignment.enter(rig.serial, rig.address, self.now);
        }
    }
}

/// Which rigs have another pool than before.
pub(super) fn differences(before: &[Option<PoolIndex>], after: &[Option<PoolIndex>]) -> Vec<usize> {
    assert_eq!(before.len(), after.len());
    (0..before.len()).filter(|&index| before[index] != after[index]).collect()
}
