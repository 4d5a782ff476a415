//! The brake by itself, with a farm of a constant speed.

use super::*;
use crate::target::Difficulty;
use crate::testing::{scale, start};

const LIMIT: u32 = 50;

/// A farm of a constant speed behind a pool's connection.
struct Farm {
    brake: Brake,
    out: UpstreamOut<()>,
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
            brake: Brake::new(LIMIT, None),
            out: UpstreamOut::new(),
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
            let wanted = self.out.timers.get(UpstreamTimer::Brake).unwrap_or(end).min(end);
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
        self.brake.look(self.pool, &mut self.out, self.now);
        self.hear();
    }

    /// The connection is lost, and there is another.
    fn lose(&mut self) {
        let brake = std::mem::replace(&mut self.brake, Brake::new(LIMIT, None));
        self.brake = Brake::new(LIMIT, brake.release(&mut self.out));
        self.hear();
    }

    fn hear(&mut self) {
        let events = std::iter::from_fn(|| self.out.poll_event());
        self.said.extend(events.filter_map(|event| match event {
            UpstreamEvent::Notice(notice) => Some(notice),
            _ => None,
        }));
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
        let [Notice::BrakeOn { shares_per_second, limit: LIMIT, floor }] = &farm.said[..] else {
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
    assert_eq!(farm.out.timers.get(UpstreamTimer::Brake), None);
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
    farm.lose();
    let [.., Notice::BrakeOff { why, .. }] = farm.said[..] else { panic!() };
    assert_eq!((why, farm.brake.floor()), (BrakeEnd::Disconnected, None));
    let said = farm.said.len();
    farm.lose();
    assert_eq!(farm.said.len(), said);
    farm.run(seconds(3));
    assert!(farm.brake.floor().is_some());
}
