//! Which rig mines at which pool, so that each pool gets its part of the work that is done.
//!
//! Work is what rigs have proven by shares, in hashes; how many rigs a pool has does not matter.
//! A rig stays where it is until a pool is owed so much, or will be by the next look, that it
//! shows in an hour's work. Then as few rigs as possible go where the work is owed, which pays the
//! debt back within the next period. Where one rig is more than a pool should have, that comes out
//! as turns: the rig is at one pool for a period, and at another for the next.

mod memory;
mod meter;
mod plan;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::pools::PoolIndex;
use memory::FormerRigs;
use meter::Meter;
use orepass_stratum::time::Instant;
use plan::Plan;

/// The time between two looks, and so the least between two rebalances, while the parts stay.
pub const REBALANCE_EVERY: Duration = Duration::from_secs(600);
/// When is looked first after the parts changed or the first rig came: by then it has shown what
/// the rigs can do, and little has been done at the wrong pool.
pub const FIRST_LOOK: Duration = Duration::from_secs(120);
/// The time over which the parts are to be right.
const SPAN: Duration = Duration::from_secs(3600);
/// Rigs move when a pool has, or will have, so much more or less than its part of an hour's work.
const TOLERANCE: f64 = 0.01;
/// The tolerance is never less than this part of the whole hour's work, so that the luck of a few
/// shares does not move rigs for the sake of a small pool.
const LEAST_TOLERANCE: f64 = 0.001;
/// A rebalance looks no further once it comes within this part of the tolerance.
const GOOD_ENOUGH: f64 = 0.25;
/// Debts within this part of the tolerance are left as they are.
const AT_REST: f64 = 0.5;
/// The most that a pool is owed, as a time of the whole route's work. What is older than that
/// cannot be made good without harm to the present hour.
const MAX_DEBT: Duration = Duration::from_secs(1200);

/// The pools of the rigs of one route.
///
/// Rigs are known by a serial that is never used again, and by the address that they come back
/// from. The parts of the pools come from [`Pools::shares`](crate::pools::Pools::shares).
#[derive(Debug)]
pub struct Assignment {
    /// The wanted parts of the work; they add up to one, or are all zero.
    shares: Vec<f64>,
    /// The parts that new rigs are dealt out by: the wanted ones, and what is owed.
    aims: Vec<f64>,
    /// In boxes, since a table that fills in order is half empty.
    rigs: BTreeMap<u64, Box<MeteredRig>>,
    loads: Vec<Load>,
    /// How much work each pool has got too little (or, if negative, too much), in hashes.
    debts: Vec<f64>,
    /// The work at each pool since the last look, in hashes.
    done: Vec<f64>,
    /// What was done up to each look of the last hour.
    periods: VecDeque<Period>,
    looked_at: Option<Instant>,
    next_look: Option<Instant>,
    memory: FormerRigs,
}

/// What a rebalance did.
#[derive(Debug, Clone, PartialEq)]
pub struct Rebalance {
    /// How many rigs have another pool now.
    pub rigs: usize,
    /// The parts of the work that the pools had in the hour before, or since the parts changed.
    pub parts: Vec<f64>,
}

#[derive(Debug)]
struct MeteredRig {
    /// The pool that it is, or was last, assigned to.
    pool: Option<PoolIndex>,
    meter: Meter,
}

/// The rigs of one pool.
#[derive(Debug, Clone, Copy, Default)]
struct Load {
    rigs: usize,
    measured: usize,
    /// What the measured ones do, in hashes per second.
    rate: f64,
}

#[derive(Debug)]
struct Period {
    end: Instant,
    work: Vec<f64>,
}

impl Assignment {
    /// No pool of so many has a part yet, and there are no rigs.
    #[must_use]
    pub fn new(pools: usize) -> Self {
        Self {
            shares: vec![0.0; pools],
            aims: vec![0.0; pools],
            rigs: BTreeMap::new(),
            loads: vec![Load::default(); pools],
            debts: vec![0.0; pools],
            done: vec![0.0; pools],
            periods: VecDeque::new(),
            looked_at: None,
            next_look: None,
            memory: FormerRigs::default(),
        }
    }

    /// There are so many pools now; those that come last are new, and have no part yet.
    pub fn grow(&mut self, pools: usize) {
        let pools = pools.max(self.shares.len());
        for part in [&mut self.shares, &mut self.aims, &mut self.debts, &mut self.done] {
            part.resize(pools, 0.0);
        }
        self.loads.resize(pools, Load::default());
    }

    /// The wanted parts of the work have changed. The rigs of pools that have none any more are
    /// dealt out among the others; as few as needed of the rest move. A pool that had no rig gets
    /// at least one, unless that leaves another without. What was owed is forgotten. `totals` is
    /// all the work that each rig has proven so far, in hashes.
    ///
    /// Gives how many rigs have another pool now.
    pub fn set_shares(
        &mut self,
        shares: &[f64],
        totals: impl IntoIterator<Item = (u64, f64)>,
        now: Instant,
    ) -> usize {
        self.read(totals, now);
        let sum: f64 = shares.iter().sum();
        for (own, share) in self.shares.iter_mut().zip(shares) {
            *own = if sum > 0.0 { share / sum } else { 0.0 };
        }
        self.aims.clone_from(&self.shares);
        self.debts.fill(0.0);
        self.done.fill(0.0);
        self.periods.clear();
        self.looked_at = None;
        self.next_look = Some(now + FIRST_LOOK);
        if sum <= 0.0 {
            return 0;
        }
        let mean = self.mean();
        let rate = |rig: &MeteredRig| rig.meter.rate().unwrap_or(mean);
        let total: f64 = self.rigs.values().map(|rig| rate(rig)).sum();
        // Where none has proven anything, as behind a pool that takes nothing, all count the same.
        let idle = total <= 0.0;
        let rate = |rig: &MeteredRig| if idle { 1.0 } else { rate(rig) };
        let total = if idle { self.rigs.len() as f64 } else { total };
        let aims = self.shares.iter().map(|share| share * total);
        let mut plan = Plan::new(aims.map(|aim| (aim, aim * TOLERANCE)));
        let mut homeless = Vec::new();
        for (&serial, rig) in &self.rigs {
            match rig.pool.filter(|&pool| self.has_part(pool)) {
                Some(pool) => plan.put(serial, rate(rig), pool),
                None => homeless.push((serial, rate(rig))),
            }
        }
        plan.deal(homeless);
        plan.even_out();
        plan.fill_empty();
        self.carry_out(&plan)
    }

    /// A rig that wants to mine has come. It gets the pool that it left not long ago, else the one
    /// that lacks most; none while no pool has a part.
    pub fn enter(&mut self, serial: u64, address: IpAddr, now: Instant) -> Option<PoolIndex> {
        if self.rigs.contains_key(&serial) {
            return self.pool_of(serial);
        }
        if self.rigs.is_empty() {
            let earliest = self.looked_at.map_or(now, |at| at + REBALANCE_EVERY);
            self.next_look = Some(earliest.max(now + FIRST_LOOK));
        }
        let former = self.memory.recall(address, now);
        let rate = former.and_then(|former| former.rate);
        let home = former.map(|former| former.pool).filter(|&pool| self.has_part(pool));
        let pool = home.or_else(|| self.neediest(rate.unwrap_or_else(|| self.mean())));
        let meter = Meter::new(rate, now);
        if let Some(pool) = pool {
            self.loads[pool].add(meter.rate());
        }
        self.rigs.insert(serial, Box::new(MeteredRig { pool, meter }));
        pool
    }

    /// A rig has gone that came from there; `total` is all the work that it has proven, in hashes. Without
    /// any its place is not kept.
    pub fn leave(&mut self, serial: u64, address: IpAddr, total: f64, now: Instant) {
        let Some(mut rig) = self.rigs.remove(&serial) else { return };
        let Some(pool) = rig.pool else { return };
        self.loads[pool].remove(rig.meter.rate());
        self.done[pool] += rig.meter.read(total, now);
        if total > 0.0 {
            self.memory.keep(address, pool, rig.meter.rate(), now);
        }
    }

    /// The pool that a rig should mine at; none while no pool has a part, or if it is not known.
    #[must_use]
    pub fn pool_of(&self, serial: u64) -> Option<PoolIndex> {
        self.rigs.get(&serial)?.pool.filter(|&pool| self.has_part(pool))
    }

    /// How many rigs a pool should have.
    #[must_use]
    pub fn rigs_at(&self, pool: PoolIndex) -> usize {
        self.loads.get(pool).map_or(0, |load| load.rigs)
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called: only while more than one
    /// pool has a part, and there are rigs.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let parts = self.shares.iter().filter(|share| **share > 0.0).count();
        self.next_look.filter(|_| parts > 1 && !self.rigs.is_empty())
    }

    /// The time has come that [`poll_timeout`](Self::poll_timeout) gave. `totals` is all the work
    /// that each rig has proven so far, in hashes. Tells of it if rigs have to move.
    pub fn handle_timeout(
        &mut self,
        now: Instant,
        totals: impl IntoIterator<Item = (u64, f64)>,
    ) -> Option<Rebalance> {
        if self.poll_timeout().is_none_or(|due| now < due) {
            return None;
        }
        self.read(totals, now);
        self.book(now);
        self.looked_at = Some(now);
        self.next_look = Some(now + REBALANCE_EVERY);
        let rigs = self.rebalance();
        (rigs > 0).then(|| Rebalance { rigs, parts: self.parts() })
    }

    /// The parts of the work that each pool had in the hour before the last look, or since the
    /// wanted parts changed if that is shorter; all zero without any work.
    #[must_use]
    pub fn parts(&self) -> Vec<f64> {
        let mut work = vec![0.0; self.shares.len()];
        for period in &self.periods {
            work.iter_mut().zip(&period.work).for_each(|(sum, work)| *sum += work);
        }
        let total: f64 = work.iter().sum();
        work.into_iter().map(|work| if total > 0.0 { work / total } else { 0.0 }).collect()
    }

    /// Takes note of what rigs have done, at the pools where they are.
    fn read(&mut self, totals: impl IntoIterator<Item = (u64, f64)>, now: Instant) {
        for (serial, total) in totals {
            let Some(rig) = self.rigs.get_mut(&serial) else { continue };
            let work = rig.meter.read(total, now);
            if let Some(pool) = rig.pool {
                self.done[pool] += work;
            }
        }
        self.recount();
    }

    /// Closes a period: what was done in it becomes debts.
    fn book(&mut self, now: Instant) {
        let total: f64 = self.done.iter().sum();
        for ((debt, share), done) in self.debts.iter_mut().zip(&self.shares).zip(&self.done) {
            *debt += share * total - done;
        }
        let most = self.rate() * MAX_DEBT.as_secs_f64();
        let worst = self.debts.iter().fold(0.0_f64, |worst, debt| worst.max(debt.abs()));
        if worst > most {
            self.debts.iter_mut().for_each(|debt| *debt *= most / worst);
        }
        let work = std::mem::replace(&mut self.done, vec![0.0; self.shares.len()]);
        self.periods.push_back(Period { end: now, work });
        let recent = |period: &Period| now.saturating_duration_since(period.end) < SPAN;
        while self.periods.front().is_some_and(|period| !recent(period)) {
            self.periods.pop_front();
        }
    }

    /// Moves rigs if a pool is owed more than is tolerable, or will be at the next look.
    fn rebalance(&mut self) -> usize {
        let total = self.rate();
        if total <= 0.0 {
            return 0;
        }
        let period = REBALANCE_EVERY.as_secs_f64();
        let mean = self.mean();
        let tolerances: Vec<f64> = self
            .shares
            .iter()
            .map(|share| (TOLERANCE * share).max(LEAST_TOLERANCE) * total * SPAN.as_secs_f64())
            .collect();
        let debts = || self.debts.iter().zip(&tolerances);
        let fine = (debts().zip(&self.shares).zip(&self.loads)).all(
            |(((debt, tolerance), share), load)| {
                let change = (share * total - load.expected(mean)) * period;
                (debt + change).abs() <= *tolerance
            },
        );
        // Of the debts so much is paid by the next look that they come well within the tolerance.
        // Paid to the last, they would turn into their opposite before the look after that.
        let worst = debts().map(|(debt, tolerance)| debt.abs() / tolerance).fold(0.0, f64::max);
        let paid = (1.0 - AT_REST / worst).max(0.0);
        let owed = self.shares.iter().zip(&self.debts);
        let owed = owed.map(|(share, debt)| (share * total + paid * debt / period).max(0.0));
        let owed: Vec<f64> = owed.collect();
        let payable: f64 = owed.iter().sum();
        self.aims = owed.iter().map(|owed| owed / payable).collect();
        if fine {
            return 0;
        }
        let slack = tolerances.iter().map(|tolerance| GOOD_ENOUGH * tolerance / period);
        let mut plan = Plan::new(self.aims.iter().map(|aim| aim * total).zip(slack));
        for (&serial, rig) in &self.rigs {
            if let Some(pool) = rig.pool {
                plan.put(serial, rig.meter.rate().unwrap_or(mean), pool);
            }
        }
        plan.even_out();
        self.carry_out(&plan)
    }

    fn carry_out(&mut self, plan: &Plan) -> usize {
        let mut moved = 0;
        for (serial, pool) in plan.moves() {
            if let Some(rig) = self.rigs.get_mut(&serial)
                && rig.pool.replace(pool) != Some(pool)
            {
                moved += 1;
            }
        }
        self.recount();
        moved
    }

    fn recount(&mut self) {
        self.loads.fill(Load::default());
        for rig in self.rigs.values() {
            if let Some(pool) = rig.pool {
                self.loads[pool].add(rig.meter.rate());
            }
        }
    }

    /// The pool that lacks most once a rig of this rate is there.
    fn neediest(&self, rate: f64) -> Option<PoolIndex> {
        let mean = self.mean();
        let total = self.rate() + rate;
        let lack = |pool: PoolIndex| self.aims[pool] * total - self.loads[pool].expected(mean);
        (0..self.shares.len())
            .filter(|&pool| self.has_part(pool))
            // Of equals the first.
            .max_by(|&one, &other| lack(one).total_cmp(&lack(other)).then(other.cmp(&one)))
    }

    fn has_part(&self, pool: PoolIndex) -> bool {
        self.shares.get(pool).is_some_and(|share| *share > 0.0)
    }

    /// What all rigs are expected to do, in hashes per second.
    fn rate(&self) -> f64 {
        let mean = self.mean();
        self.loads.iter().map(|load| load.expected(mean)).sum()
    }

    /// What a rig is expected to do as long as it has not been measured: the mean of the others.
    fn mean(&self) -> f64 {
        let measured: usize = self.loads.iter().map(|load| load.measured).sum();
        let rate: f64 = self.loads.iter().map(|load| load.rate).sum();
        if rate > 0.0 { rate / measured as f64 } else { 1.0 }
    }
}

impl Load {
    fn add(&mut self, rate: Option<f64>) {
        self.rigs += 1;
        self.measured += usize::from(rate.is_some());
        self.rate += rate.unwrap_or(0.0);
    }

    fn remove(&mut self, rate: Option<f64>) {
        self.rigs -= 1;
        self.measured -= usize::from(rate.is_some());
        // Differences of floats may end a hair below zero.
        self.rate = (self.rate - rate.unwrap_or(0.0)).max(0.0);
    }

    /// Its rate with rigs that are not measured yet, in hashes per second.
    fn expected(&self, mean: f64) -> f64 {
        self.rate + (self.rigs - self.measured) as f64 * mean
    }
}

#[cfg(test)]
mod tests;
