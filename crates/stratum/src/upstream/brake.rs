//! Keeps a farm from flooding a pool that does not know its size yet.
//!
//! A pool gives each connection the same difficulty to begin with, meant for one rig, and learns
//! from the shares that come. With a farm behind the connection those are so many that some pools
//! ban for it. While they are too many, rigs get a harder target than the pool's own, the floor:
//! until the pool has retargeted, and not for long, since the pool credits its own target alone.

use std::time::{Duration, Instant};

use thiserror::Error;

use super::Notice;
use crate::target::Target;

/// How finely shares are counted.
const SLICE: Duration = Duration::from_millis(250);
/// So many slices are the time over which they are counted: 5 s.
const SLICES: usize = 20;
/// So many are what has come of late: 1 s.
const LATE_SLICES: usize = 4;
/// With so many shares of late, those alone show the farm's speed.
const ENOUGH: u32 = 16;
/// Shares must be too many for so long, so that a short burst does nothing.
const LASTING: Duration = Duration::from_secs(1);
/// How often the floor may be made harder.
const HARDER_EVERY: Duration = Duration::from_secs(10);
/// How long the floor holds at most.
pub const BRAKE_FOR: Duration = Duration::from_secs(120);
/// How long there is none after it held so long without the pool's taking notice.
pub const BRAKE_REST: Duration = Duration::from_secs(600);
/// The most times that the floor halves the pool's target.
const MAX_HALVINGS: f64 = 64.0;

/// Watches the flow of shares to a pool, and sets the floor. Knows no clock: the time is said.
pub(super) struct Brake {
    /// Shares per second.
    limit: u32,
    flow: Flow,
    /// The pool's target that was seen last, and the work of a share of it in hashes.
    pool: (Target, f64),
    /// Since when shares have been too many.
    over_since: Option<Instant>,
    on: Option<On>,
    rests_until: Option<Instant>,
}

struct On {
    began: Instant,
    floor: Target,
    /// When the floor was set or looked at last.
    set: Instant,
    /// Hashes that rigs have proven for shares that the pool took, and that it did not credit.
    forgone: f64,
}

/// Why a brake ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BrakeEnd {
    /// The pool's own target is hard enough by now.
    #[error("the pool has retargeted")]
    Retargeted,
    /// The pool did not take notice for so long.
    #[error(
        "the pool has not retargeted within {BRAKE_FOR:?}; no brake for the next {BRAKE_REST:?}"
    )]
    Overdue,
    /// The connection is lost.
    #[error("the connection is lost")]
    Disconnected,
}

impl Brake {
    pub(super) fn new(limit: u32) -> Self {
        Self {
            limit: limit.max(1),
            flow: Flow::default(),
            pool: (Target::MAX, 1.0),
            over_since: None,
            on: None,
            rests_until: None,
        }
    }

    /// The target that rigs must meet at least, while there is one.
    pub(super) fn floor(&self) -> Option<Target> {
        self.on.as_ref().map(|on| on.floor)
    }

    /// When [`look`](Self::look) wants to be called without a share.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.on.as_ref().map(|on| on.began + BRAKE_FOR)
    }

    /// A share for the pool came, by a rig that was told a target of so many hashes.
    pub(super) fn count(&mut self, told: f64, now: Instant) {
        // An easier target than the pool's does not make a forwarded share stand for less.
        self.flow.add(told.max(self.pool.1), now);
    }

    /// How much of a share, by a rig that was told a target of so many hashes, the pool will not
    /// credit.
    pub(super) fn forgone(&self, told: f64) -> f64 {
        if self.on.is_some() { (told - self.pool.1).max(0.0) } else { 0.0 }
    }

    /// The pool took a share, and did not credit so many hashes of it.
    pub(super) fn accepted(&mut self, forgone: f64) {
        if let Some(on) = &mut self.on {
            on.forgone += forgone;
        }
    }

    /// Compares the flow with the limit, and the pool's target with the floor. Gives what should
    /// be said; the floor has changed then.
    pub(super) fn look(&mut self, pool_target: Target, now: Instant) -> Option<Notice> {
        self.flow.advance(now);
        let retargeted = self.pool.0 != pool_target;
        if retargeted {
            self.pool = (pool_target, pool_target.hashes_lossy());
        }
        let Some(On { began, floor, set, .. }) = self.on else { return self.begin(now) };
        if pool_target <= floor || retargeted && self.pool_rate() <= f64::from(self.limit) {
            return self.end(BrakeEnd::Retargeted);
        }
        if now.saturating_duration_since(began) >= BRAKE_FOR {
            self.rests_until = Some(now + BRAKE_REST);
            return self.end(BrakeEnd::Overdue);
        }
        if now.saturating_duration_since(set) < HARDER_EVERY {
            return None;
        }
        let harder = self.wanted_floor();
        let too_many = self.is_over() && harder < floor;
        let on = self.on.as_mut()?;
        on.set = now;
        if !too_many {
            return None;
        }
        on.floor = harder;
        Some(self.said(harder))
    }

    /// The connection is lost.
    pub(super) fn release(&mut self) -> Option<Notice> {
        let notice = self.end(BrakeEnd::Disconnected);
        self.flow = Flow::default();
        self.over_since = None;
        notice
    }

    fn begin(&mut self, now: Instant) -> Option<Notice> {
        if !self.is_over() {
            self.over_since = None;
            return None;
        }
        let since = *self.over_since.get_or_insert(now);
        let lasts = now.saturating_duration_since(since) >= LASTING
            && self.flow.of_late().shares_per_second() > f64::from(self.limit);
        if !lasts || self.rests_until.is_some_and(|until| now < until) {
            return None;
        }
        let floor = self.wanted_floor();
        self.on = Some(On { began: now, floor, set: now, forgone: 0.0 });
        Some(self.said(floor))
    }

    fn end(&mut self, why: BrakeEnd) -> Option<Notice> {
        let On { began, forgone, .. } = self.on.take()?;
        self.over_since = None;
        let held = self.flow.seen().map_or(Duration::ZERO, |now| now.duration_since(began));
        Some(Notice::BrakeOff { forgone_hashes: forgone, held, why })
    }

    fn said(&self, floor: Target) -> Notice {
        let shares_per_second = self.flow.of_late().shares_per_second();
        Notice::BrakeOn { shares_per_second, limit: self.limit, floor }
    }

    fn is_over(&self) -> bool {
        let sum = self.flow.whole();
        f64::from(sum.shares) > f64::from(self.limit) * sum.over.as_secs_f64()
    }

    /// How many shares a second the farm would send at the pool's own target.
    fn pool_rate(&self) -> f64 {
        let late = self.flow.of_late();
        let sum = if late.shares >= ENOUGH { late } else { self.flow.whole() };
        sum.hashes / sum.over.as_secs_f64() / self.pool.1
    }

    /// The pool's target, made harder by the power of two that leaves about half the limit.
    fn wanted_floor(&self) -> Target {
        let halvings = (self.pool_rate() * 2.0 / f64::from(self.limit)).log2().round();
        // Clamped to a range that any integer holds.
        let halvings = halvings.clamp(1.0, MAX_HALVINGS) as usize;
        Target::new(self.pool.0.value() >> halvings)
    }
}

/// What came over the last seconds, in slices of time.
#[derive(Default)]
struct Flow {
    slices: [Slice; SLICES],
    /// The present slice, and when it began.
    present: usize,
    since: Option<Instant>,
    seen: Option<Instant>,
}

#[derive(Clone, Copy, Default)]
struct Slice {
    shares: u32,
    hashes: f64,
}

/// What came over some time.
struct Sum {
    shares: u32,
    hashes: f64,
    over: Duration,
}

impl Sum {
    fn shares_per_second(&self) -> f64 {
        f64::from(self.shares) / self.over.as_secs_f64()
    }
}

impl Flow {
    fn add(&mut self, hashes: f64, now: Instant) {
        self.advance(now);
        let slice = &mut self.slices[self.present];
        slice.shares = slice.shares.saturating_add(1);
        slice.hashes += hashes;
    }

    /// Begins the slices that have come since.
    fn advance(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        self.seen = Some(now);
        let passed = now.saturating_duration_since(since).as_millis() / SLICE.as_millis();
        if passed >= SLICES as u128 {
            self.slices = Default::default();
            self.since = Some(now);
            return;
        }
        for _ in 0..passed {
            self.present = (self.present + 1) % SLICES;
            self.slices[self.present] = Slice::default();
        }
        // Fewer than there are slices.
        self.since = Some(since + SLICE * passed as u32);
    }

    const fn seen(&self) -> Option<Instant> {
        self.seen
    }

    /// All of it, as if the present slice were over.
    fn whole(&self) -> Sum {
        self.sum(SLICES, SLICE)
    }

    /// The newest of it, up to now.
    fn of_late(&self) -> Sum {
        let present = self.seen.zip(self.since).map(|(now, since)| now.duration_since(since));
        self.sum(LATE_SLICES, present.unwrap_or_default())
    }

    fn sum(&self, slices: usize, present: Duration) -> Sum {
        let newest = (0..slices).map(|back| self.slices[(self.present + SLICES - back) % SLICES]);
        let (mut shares, mut hashes) = (0_u32, 0.0);
        for slice in newest {
            shares = shares.saturating_add(slice.shares);
            hashes += slice.hashes;
        }
        Sum { shares, hashes, over: SLICE * (slices as u32 - 1) + present }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Difficulty;
    use crate::testing::{scale, start};

    const LIMIT: u32 = 50;

    /// A farm of a constant speed behind a pool's connection.
    struct Farm {
        brake: Brake,
        now: Instant,
        pool: Target,
        /// What rigs were told; they hear of the floor when work comes.
        told: Target,
        /// In hashes per second.
        speed: f64,
        said: Vec<Notice>,
        shares: u32,
    }

    impl Farm {
        /// A farm that finds so many shares a second at the pool's difficulty of 256.
        fn new(shares_per_second: f64) -> Self {
            let pool = target(256.0);
            Self {
                brake: Brake::new(LIMIT),
                now: start(),
                pool,
                told: pool,
                speed: shares_per_second * 256.0,
                said: Vec::new(),
                shares: 0,
            }
        }

        fn run(&mut self, time: Duration) {
            let end = self.now + time;
            loop {
                let next = Duration::from_secs_f64(self.told.hashes_lossy() / self.speed);
                let wanted = self.brake.next_look().unwrap_or(end).min(end);
                if self.now + next > wanted {
                    self.now = wanted;
                    self.look();
                    if self.now == end {
                        return;
                    }
                    continue;
                }
                self.now += next;
                self.shares += 1;
                let hashes = self.told.hashes_lossy();
                self.brake.count(hashes, self.now);
                let forgone = self.brake.forgone(hashes);
                self.brake.accepted(forgone);
                self.look();
            }
        }

        fn look(&mut self) {
            self.said.extend(self.brake.look(self.pool, self.now));
        }

        fn work(&mut self) {
            self.told = self.brake.floor().map_or(self.pool, |floor| self.pool.harder(floor));
        }

        /// The rate of shares within the next five seconds.
        fn rate(&mut self) -> f64 {
            let before = self.shares;
            self.run(Duration::from_secs(5));
            f64::from(self.shares - before) / 5.0
        }

        fn retarget(&mut self, difficulty: f64) {
            self.pool = target(difficulty);
            self.look();
        }
    }

    fn target(difficulty: f64) -> Target {
        scale().target(Difficulty::new(difficulty).unwrap())
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_farm_within_the_limit_is_left_alone() {
        let mut farm = Farm::new(f64::from(LIMIT) - 0.5);
        farm.run(seconds(600));
        assert_eq!((farm.brake.floor(), farm.said.len()), (None, 0));
    }

    #[test]
    fn a_floor_brings_the_rate_to_about_half_the_limit_with_the_next_work() {
        for rate in [60.0, 150.0, 2_000.0, 70_000.0] {
            let mut farm = Farm::new(rate);
            farm.run(seconds(7));
            let [Notice::BrakeOn { shares_per_second, limit: LIMIT, floor }] = &farm.said[..]
            else {
                panic!("{:?}", farm.said);
            };
            assert!((shares_per_second / rate - 1.0).abs() < 0.05, "{shares_per_second} {rate}");
            assert_eq!(farm.brake.floor(), Some(*floor));
            assert_eq!(farm.told, farm.pool, "until there is work");
            farm.work();
            let braked = farm.rate();
            assert!((15.0..37.0).contains(&braked), "{braked} of {rate}");
        }
    }

    #[test]
    fn a_flood_is_noticed_within_a_little_more_than_a_second() {
        let mut farm = Farm::new(2_000.0);
        farm.run(Duration::from_millis(1_200));
        assert!(farm.brake.floor().is_some());
        // The same behind a slow flow before it.
        let mut farm = Farm::new(5.0);
        farm.run(seconds(20));
        farm.speed = 2_000.0 * 256.0;
        farm.run(Duration::from_millis(1_200));
        farm.work();
        let braked = farm.rate();
        assert!((15.0..37.0).contains(&braked), "{braked}");
    }

    #[test]
    fn a_burst_that_is_over_does_nothing() {
        let mut farm = Farm::new(5.0);
        for _ in 0..400 {
            farm.brake.count(256.0, farm.now);
            farm.look();
        }
        farm.run(seconds(10));
        assert_eq!(farm.said, []);
    }

    #[test]
    fn a_floor_that_is_not_enough_gets_harder_every_ten_seconds() {
        let mut farm = Farm::new(200.0);
        farm.run(seconds(3));
        farm.work();
        farm.speed *= 16.0;
        let first = farm.brake.floor().unwrap();
        farm.run(seconds(8));
        assert_eq!(farm.brake.floor(), Some(first));
        farm.run(seconds(3));
        assert_eq!(farm.said.len(), 2);
        assert_eq!(farm.brake.floor().unwrap().value(), first.value() >> 4);
        // It is not made harder once more only because rigs have not been told it.
        farm.run(seconds(30));
        assert_eq!(farm.said.len(), 2);
        farm.work();
        let braked = farm.rate();
        assert!((15.0..37.0).contains(&braked), "{braked}");
    }

    #[test]
    fn the_pools_own_target_ends_it() {
        let brake = |difficulty: f64| {
            let mut farm = Farm::new(2_000.0);
            farm.run(seconds(3));
            farm.work();
            farm.run(seconds(27));
            assert!(farm.brake.floor().is_some(), "{:?}", farm.said);
            farm.said.clear();
            farm.retarget(difficulty);
            farm
        };
        // 2,000 a second at 256 are 50 at 10,240, and the floor is at 16,384.
        for (difficulty, ends) in
            [(128.0, false), (9_000.0, false), (11_000.0, true), (16_384.0, true), (1e6, true)]
        {
            let farm = brake(difficulty);
            assert_eq!(farm.brake.floor().is_none(), ends, "{difficulty}");
            match &farm.said[..] {
                [] => assert!(!ends),
                [Notice::BrakeOff { why, held, .. }] => {
                    assert!(ends);
                    assert_eq!((*why, held.as_secs()), (BrakeEnd::Retargeted, 28));
                }
                said => panic!("{said:?}"),
            }
        }
    }

    #[test]
    fn it_ends_after_two_minutes_and_rests_for_ten() {
        let mut farm = Farm::new(2_000.0);
        farm.run(Duration::from_millis(1_500));
        farm.work();
        farm.run(seconds(119));
        assert!(farm.brake.floor().is_some());
        farm.run(seconds(1));
        assert_eq!(farm.brake.floor(), None);
        assert_eq!(farm.brake.next_look(), None);
        let [_, Notice::BrakeOff { forgone_hashes, held, why: BrakeEnd::Overdue }] = farm.said[..]
        else {
            panic!("{:?}", farm.said);
        };
        assert_eq!(held, BRAKE_FOR);
        // Of 64 proven the pool credited one.
        let proven = farm.speed * held.as_secs_f64();
        assert!((forgone_hashes / (proven * 63.0 / 64.0) - 1.0).abs() < 0.02, "{forgone_hashes}");
        farm.work();
        farm.speed = 200.0 * 256.0;
        farm.run(seconds(599));
        assert_eq!(farm.said.len(), 2);
        farm.run(seconds(2));
        assert_eq!(farm.said.len(), 3, "once more");
    }

    #[test]
    fn a_lost_connection_ends_it_and_the_next_may_need_it_again() {
        let mut farm = Farm::new(2_000.0);
        farm.run(seconds(3));
        let Some(Notice::BrakeOff { why, .. }) = farm.brake.release() else { panic!() };
        assert_eq!((why, farm.brake.floor()), (BrakeEnd::Disconnected, None));
        assert_eq!(farm.brake.release(), None);
        farm.run(seconds(3));
        assert!(farm.brake.floor().is_some());
    }
}
