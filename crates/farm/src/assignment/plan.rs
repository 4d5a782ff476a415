//! Evens out the rates of pools by moving few rigs.

use std::collections::{BTreeMap, BTreeSet};

use crate::pools::PoolIndex;

/// The most exchanges of two rigs. Each costs a walk over all rigs of two pools.
const MAX_SWAPS: usize = 32;

/// Rigs at pools, and what the pools should have.
pub(super) struct Plan {
    pools: Vec<Side>,
    /// Where rigs that have been moved are now; some may be back where they were.
    moved: BTreeMap<u64, PoolIndex>,
}

/// One pool.
struct Side {
    /// The rate that it should have; none goes to a pool that should have nothing.
    aim: f64,
    /// How far off it may be.
    slack: f64,
    rate: f64,
    rigs: BTreeSet<RatedRig>,
}

/// A rig, ordered by its rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct RatedRig {
    /// The bits of a float that is not negative, which are ordered as such floats are.
    rate: u64,
    serial: u64,
}

impl Plan {
    /// Pools by the rates that they should have and how far off that they may be.
    pub(super) fn new(aims: impl Iterator<Item = (f64, f64)>) -> Self {
        let side = |(aim, slack)| Side { aim, slack, rate: 0.0, rigs: BTreeSet::new() };
        Self { pools: aims.map(side).collect(), moved: BTreeMap::new() }
    }

    /// A rig that is at that pool.
    pub(super) fn put(&mut self, serial: u64, rate: f64, pool: PoolIndex) {
        self.pools[pool].take(RatedRig::new(serial, rate));
    }

    /// Deals out rigs that have no pool, the largest first.
    pub(super) fn deal(&mut self, rigs: Vec<(u64, f64)>) {
        let rigs: BTreeSet<RatedRig> =
            rigs.into_iter().map(|(serial, rate)| RatedRig::new(serial, rate)).collect();
        for rig in rigs.into_iter().rev() {
            if let Some(to) = self.most(|side| side.aim > 0.0, |side| side.aim - side.rate) {
                self.pools[to].take(rig);
                self.moved.insert(rig.serial, to);
            }
        }
    }

    /// Moves and exchanges rigs until all pools are near enough to their aims, or nothing brings
    /// them nearer.
    pub(super) fn even_out(&mut self) {
        let rigs: usize = self.pools.iter().map(|side| side.rigs.len()).sum();
        let mut swaps = 0;
        for _ in 0..2 * rigs {
            if self.pools.iter().all(|side| (side.rate - side.aim).abs() <= side.slack) {
                return;
            }
            let over = self.most(|_| true, |side| side.rate - side.aim);
            let under = self.most(|side| side.aim > 0.0, |side| side.aim - side.rate);
            let (Some(over), Some(under)) = (over, under) else { return };
            let (from, to) = (&self.pools[over], &self.pools[under]);
            let gap = (from.rate - from.aim).min(to.aim - to.rate);
            let mut best = nearest(&from.rigs, gap).map(|rig| (rig, None));
            let left = |best: Option<(RatedRig, Option<RatedRig>)>| {
                best.map_or(f64::INFINITY, |(rig, back)| (gap - rig.rate() + rate(back)).abs())
            };
            // With a gap as large as the largest rig no exchange does as much as that rig alone.
            let overshoots = from.rigs.last().is_some_and(|rig| rig.rate() > gap);
            if overshoots && left(best) > from.slack.min(to.slack) && swaps < MAX_SWAPS {
                swaps += 1;
                let pair = nearest_pair(&from.rigs, &to.rigs, gap);
                let pair = pair.map(|(rig, back)| (rig, Some(back)));
                best = if left(pair) < left(best) { pair } else { best };
            }
            let Some((rig, back)) = best.filter(|_| left(best) < gap) else { return };
            self.shift(rig, over, under);
            if let Some(back) = back {
                self.shift(back, under, over);
            }
        }
    }

    /// Gives each pool that should have something at least one rig, of those with two or more.
    pub(super) fn fill_empty(&mut self) {
        for pool in 0..self.pools.len() {
            let side = &self.pools[pool];
            if !side.rigs.is_empty() || side.aim <= 0.0 {
                continue;
            }
            let rich = self.most(|side| side.rigs.len() > 1, |side| side.rate - side.aim);
            let rig = |rich: PoolIndex| nearest(&self.pools[rich].rigs, side.aim);
            if let Some((rich, rig)) = rich.and_then(|rich| Some((rich, rig(rich)?))) {
                self.shift(rig, rich, pool);
            }
        }
    }

    /// The rigs that were moved, and where they are now.
    pub(super) fn moves(&self) -> impl Iterator<Item = (u64, PoolIndex)> {
        self.moved.iter().map(|(&serial, &pool)| (serial, pool))
    }

    fn shift(&mut self, rig: RatedRig, from: PoolIndex, to: PoolIndex) {
        self.pools[from].drop(rig);
        self.pools[to].take(rig);
        self.moved.insert(rig.serial, to);
    }

    /// The pool of some that has the most of something; of equals the first.
    fn most(&self, of: impl Fn(&Side) -> bool, what: impl Fn(&Side) -> f64) -> Option<PoolIndex> {
        let some = self.pools.iter().enumerate().filter(|(_, side)| of(side));
        let first = |(one, a): &(usize, &Side), (other, b): &(usize, &Side)| {
            what(a).total_cmp(&what(b)).then(other.cmp(one))
        };
        some.max_by(first).map(|(pool, _)| pool)
    }
}

impl Side {
    fn take(&mut self, rig: RatedRig) {
        self.rigs.insert(rig);
        self.rate += rig.rate();
    }

    fn drop(&mut self, rig: RatedRig) {
        self.rigs.remove(&rig);
        self.rate -= rig.rate();
    }
}

impl RatedRig {
    const fn new(serial: u64, rate: f64) -> Self {
        Self { rate: rate.max(0.0).to_bits(), serial }
    }

    const fn rate(self) -> f64 {
        f64::from_bits(self.rate)
    }
}

fn rate(rig: Option<RatedRig>) -> f64 {
    rig.map_or(0.0, RatedRig::rate)
}

/// The rig whose rate is nearest to that.
fn nearest(rigs: &BTreeSet<RatedRig>, rate: f64) -> Option<RatedRig> {
    let split = RatedRig { serial: u64::MAX, ..RatedRig::new(0, rate) };
    let below = rigs.range(..=split).next_back();
    let above = rigs.range(split..).next();
    let off = |rig: &&RatedRig| (rig.rate() - rate).abs();
    [below, above].into_iter().flatten().min_by(|a, b| off(a).total_cmp(&off(b))).copied()
}

/// Two rigs whose rates differ by as nearly as possible the gap: one to go and one to come back.
fn nearest_pair(
    from: &BTreeSet<RatedRig>,
    to: &BTreeSet<RatedRig>,
    gap: f64,
) -> Option<(RatedRig, RatedRig)> {
    let mut best = None;
    let mut least = f64::INFINITY;
    let mut rest = to.iter().copied().peekable();
    let mut below = None;
    for &rig in from.range(RatedRig::new(0, gap)..) {
        let wanted = rig.rate() - gap;
        while let Some(next) = rest.next_if(|back| back.rate() <= wanted) {
            below = Some(next);
        }
        for back in [below, rest.peek().copied()].into_iter().flatten() {
            let off = (wanted - back.rate()).abs();
            if off < least {
                (least, best) = (off, Some((rig, back)));
            }
        }
    }
    best
}
