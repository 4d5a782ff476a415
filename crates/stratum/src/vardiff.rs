//! Share times in, levels out: each rig's difficulty follows its hashrate.

use std::time::Duration;

use crate::ladder::Level;
use crate::target::Difficulty;
use crate::time::Instant;

/// How often a rig's difficulty is looked at.
const CHECK_EVERY: Duration = Duration::from_secs(30);
/// The longest time over which shares are counted for one decision.
const WINDOW: Duration = Duration::from_secs(120);
/// A rig that reaches this many shares far too soon is given a harder level at once.
const FAST_SHARES: u16 = 8;
/// How much too soon: this many times the wanted rate.
const FAST_FACTOR: f64 = 4.0;
/// The most rungs that one decision goes down after silence: difficulty ÷ 4.
const SILENT_RUNGS: i16 = 2;

/// How far silence takes a rig below the level that its shares have shown: difficulty ÷ 256. One that is
/// silent there has stopped, and would wake to a flood of shares.
const PROVEN_RUNGS: i16 = 8;

/// The wishes of a route.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VardiffConfig {
    /// Without it every rig gets the pool's own target.
    pub enabled: bool,
    /// How many shares a minute a rig should send.
    pub shares_per_minute: f64,
    /// The difficulty of a rig of which nothing is known; the pool's own when absent.
    pub start: Option<Difficulty>,
    /// The easiest difficulty, on the scale that the rigs are told.
    pub min: Option<Difficulty>,
    /// The hardest difficulty, on the same scale. The pool's own is a limit besides.
    pub max: Option<Difficulty>,
}

impl Default for VardiffConfig {
    fn default() -> Self {
        Self { enabled: true, shares_per_minute: 10.0, start: None, min: None, max: None }
    }
}

impl VardiffConfig {
    /// The wanted seconds between shares.
    fn interval(&self) -> f64 {
        60.0 / self.shares_per_minute.max(0.01)
    }

    fn clamp(&self, level: Level) -> Level {
        let min = self.min.map_or(Level::EASIEST, Level::nearest);
        let max = self.max.map_or(Level::TOP, Level::nearest);
        level.min(max).max(min)
    }
}

/// The difficulty of one rig.
///
/// It estimates the rig's speed from the work of its shares, so the estimate is right also while
/// a new level has not reached the rig yet.
#[derive(Debug)]
pub struct Vardiff {
    level: Level,
    /// The operator has set it: it follows nothing.
    fixed: bool,
    since: Instant,
    next_check: Instant,
    /// Far more than are needed for any decision are not counted.
    shares: u16,
    /// The sum of the shares' difficulties.
    work: f64,
    /// The level that its shares have last shown to fit; the easiest where they have shown none.
    proven: Level,
}

impl Vardiff {
    /// Starts at a level.
    #[must_use]
    pub fn new(config: &VardiffConfig, start: Level, now: Instant) -> Self {
        let level = if config.enabled { config.clamp(start) } else { Level::TOP };
        Self::at(level, false, now)
    }

    fn at(level: Level, fixed: bool, now: Instant) -> Self {
        let next_check = now + CHECK_EVERY;
        Self { level, fixed, since: now, next_check, shares: 0, work: 0.0, proven: Level::EASIEST }
    }

    /// It stays at a level, whatever the wishes of the route and the rig's speed are.
    pub fn fix(&mut self, level: Level, now: Instant) {
        *self = Self::at(level, true, now);
    }

    /// It follows the rig's hashrate again.
    pub fn release(&mut self, config: &VardiffConfig, now: Instant) {
        if self.fixed {
            *self = Self::new(config, self.level, now);
        }
    }

    /// Whether it stays where it was set.
    #[must_use]
    pub const fn is_fixed(&self) -> bool {
        self.fixed
    }

    /// Whether it follows the rig's hashrate.
    const fn follows(&self, config: &VardiffConfig) -> bool {
        config.enabled && !self.fixed
    }

    /// The wishes are others from now on. Where rigs had the pool's own target until now, `start` is
    /// where it begins.
    pub fn reconfigure(
        &mut self,
        before: &VardiffConfig,
        config: &VardiffConfig,
        start: Level,
        now: Instant,
    ) {
        if self.fixed {
            return;
        }
        if before.enabled && config.enabled {
            self.level = config.clamp(self.level);
        } else {
            *self = Self::new(config, start, now);
        }
    }

    /// The level that the rig should have.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.level
    }

    /// The seconds between shares that the level aims at; none where it cannot aim: when every
    /// rig has the pool's target, or the level is at the route's lower limit.
    #[must_use]
    pub fn aims_at(&self, config: &VardiffConfig) -> Option<f64> {
        let at_limit = config.min.is_some_and(|min| self.level <= Level::nearest(min));
        (self.follows(config) && !at_limit).then(|| config.interval())
    }

    /// Notes a share that met the rig's target of this difficulty.
    pub fn on_share(&mut self, config: &VardiffConfig, difficulty: Difficulty, now: Instant) {
        if !self.follows(config) {
            return;
        }
        self.shares = self.shares.saturating_add(1);
        self.work += difficulty.get();
        let elapsed = now.saturating_duration_since(self.since).as_secs_f64();
        let soon = f64::from(self.shares) * config.interval() / FAST_FACTOR;
        if self.shares >= FAST_SHARES && elapsed < soon {
            self.decide(config, elapsed.max(0.001), now);
        }
    }

    /// Decides when it is time to; `current` is the difficulty of the target that the rig has.
    pub fn on_timeout(&mut self, config: &VardiffConfig, current: Difficulty, now: Instant) {
        if !self.follows(config) || now < self.next_check {
            return;
        }
        self.next_check = now + CHECK_EVERY;
        let elapsed = now.saturating_duration_since(self.since).as_secs_f64();
        if self.shares > 0 {
            self.decide(config, elapsed, now);
        } else if elapsed > 3.0 * config.interval() {
            // What it was told may be harder than its level.
            let current = self.level.min(Level::at_or_below(current));
            let floor = self.proven.easier_by(PROVEN_RUNGS);
            self.level = config.clamp(current.easier_by(SILENT_RUNGS).max(floor.min(current)));
            self.start_window(now);
        }
    }

    /// When [`on_timeout`](Self::on_timeout) wants to be called.
    #[must_use]
    pub fn poll_timeout(&self, config: &VardiffConfig) -> Option<Instant> {
        self.follows(config).then_some(self.next_check)
    }

    fn decide(&mut self, config: &VardiffConfig, elapsed: f64, now: Instant) {
        let Some(ideal) = Difficulty::new(self.work / elapsed * config.interval()) else { return };
        self.proven = Level::nearest(ideal);
        // A level within half a rung of the ideal stays; where few shares were counted, chance
        // alone moves the estimate by more than that, so a whole rung is left alone.
        let tolerance = if self.shares < 16 { 1.0 } else { 0.6 };
        let off = self
            .level
            .difficulty()
            .map_or(f64::INFINITY, |level| (ideal.get() / level.get()).log2().abs());
        if off > tolerance {
            self.level = config.clamp(Level::nearest(ideal));
            self.start_window(now);
        } else if now.saturating_duration_since(self.since) >= WINDOW {
            self.start_window(now);
        }
    }

    fn start_window(&mut self, now: Instant) {
        self.since = now;
        self.next_check = now + CHECK_EVERY;
        self.shares = 0;
        self.work = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::start;

    /// A rig of a constant speed, in difficulties per second, told its level at once.
    fn run(vardiff: &mut Vardiff, speed: f64, now: &mut Instant, seconds: u64) -> u32 {
        let config = VardiffConfig::default();
        let end = *now + Duration::from_secs(seconds);
        let mut shares = 0;
        while *now < end {
            let difficulty =
                vardiff.level().difficulty().unwrap_or_else(|| Difficulty::power_of_two(10));
            let found = *now + Duration::from_secs_f64(difficulty.get() / speed);
            let check = vardiff.poll_timeout(&config).unwrap();
            if check < found {
                *now = check;
                vardiff.on_timeout(&config, difficulty, check);
            } else {
                *now = found;
                shares += 1;
                vardiff.on_share(&config, difficulty, found);
            }
        }
        shares
    }

    #[test]
    fn settles_near_the_wanted_rate_from_either_side() {
        for speed in [0.001, 1.0, 170.0, 1e6] {
            let mut now = start();
            let mut vardiff = Vardiff::new(&VardiffConfig::default(), Level::TOP, now);
            run(&mut vardiff, speed, &mut now, 1800);
            let shares = run(&mut vardiff, speed, &mut now, 600);
            assert!((50..=200).contains(&shares), "{shares} shares in 10 minutes at {speed}");
        }
    }

    #[test]
    fn a_flood_is_stopped_within_a_few_shares() {
        let mut now = start();
        let mut vardiff = Vardiff::new(&VardiffConfig::default(), Level::EASIEST, now);
        let shares = run(&mut vardiff, 1e3, &mut now, 30);
        assert!(shares < 300, "{shares}");
    }

    #[test]
    fn silence_begins_after_three_intervals() {
        let config = VardiffConfig { shares_per_minute: 1.0, ..VardiffConfig::default() };
        let one = Level::nearest(Difficulty::ONE);
        let mut vardiff = Vardiff::new(&config, one, start());
        for seconds in [30, 60, 180] {
            vardiff.on_timeout(&config, Difficulty::ONE, start() + Duration::from_secs(seconds));
            assert_eq!(vardiff.level(), one, "after {seconds} s");
        }
        vardiff.on_timeout(&config, Difficulty::ONE, start() + Duration::from_secs(210));
        assert_eq!(vardiff.level(), one.easier_by(SILENT_RUNGS));
    }

    #[test]
    fn a_rig_that_sleeps_wakes_to_no_flood() {
        let mut now = start();
        let mut vardiff = Vardiff::new(&VardiffConfig::default(), Level::TOP, now);
        run(&mut vardiff, 1e6, &mut now, 1800);
        let awake = vardiff.level();
        run(&mut vardiff, 1e-9, &mut now, 3600);
        let asleep = vardiff.level();
        assert!(
            asleep < awake && asleep >= awake.easier_by(PROVEN_RUNGS + 1),
            "{asleep:?} {awake:?}"
        );
        // Of one that has shown nothing, nothing is known.
        let mut unknown = Vardiff::new(&VardiffConfig::default(), Level::TOP, now);
        run(&mut unknown, 1e-9, &mut now, 7200);
        assert!(unknown.level() < asleep, "{unknown:?}");
    }

    #[test]
    fn limits_hold_and_disabled_means_the_pools_target() {
        let now = start();
        let config = VardiffConfig {
            min: Difficulty::new(4.0),
            max: Difficulty::new(64.0),
            ..VardiffConfig::default()
        };
        assert_eq!(
            Vardiff::new(&config, Level::EASIEST, now).level(),
            Level::nearest(Difficulty::new(4.0).unwrap())
        );
        assert_eq!(
            Vardiff::new(&config, Level::TOP, now).level(),
            Level::nearest(Difficulty::new(64.0).unwrap())
        );
        let off = VardiffConfig { enabled: false, ..config };
        let vardiff = Vardiff::new(&off, Level::EASIEST, now);
        assert_eq!((vardiff.level(), vardiff.poll_timeout(&off)), (Level::TOP, None));
    }

    #[test]
    fn a_level_that_is_set_stays_until_it_is_released() {
        let mut now = start();
        let config = VardiffConfig { max: Difficulty::new(64.0), ..VardiffConfig::default() };
        let mut vardiff = Vardiff::new(&config, Level::EASIEST, now);
        let set = Level::nearest(Difficulty::new(1024.0).unwrap());
        vardiff.fix(set, now);
        for _ in 0..100 {
            now += Duration::from_millis(10);
            vardiff.on_share(&config, Difficulty::new(1024.0).unwrap(), now);
        }
        vardiff.reconfigure(&config, &VardiffConfig::default(), Level::TOP, now);
        assert_eq!((vardiff.level(), vardiff.poll_timeout(&config)), (set, None));
        vardiff.release(&config, now);
        assert_eq!(vardiff.level(), Level::nearest(Difficulty::new(64.0).unwrap()));
        assert!(vardiff.poll_timeout(&config).is_some());
    }
}
