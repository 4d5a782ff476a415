//! What pools and rigs share: the clock, chance, what is to happen, and the story.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use fastrand::Rng;
use orepass::clock::now;
use orepass_stratum::time::Instant;

use super::fates::{PoolFates, RigFates};
use super::pipe::Mark;
use super::story::Story;

/// Something that is to happen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// The checks that look at everything.
    Look,
    /// A block is found somewhere in the world.
    Block,
    /// A pool learns of a block, perhaps late.
    Learn { pool: usize, height: u64, late: bool },
    /// A pool makes another job.
    Job { pool: usize },
    /// A pool is to say something on a connection.
    Say { pool: usize, conn: u32, line: String, mark: Option<Mark> },
    /// A pool's weather changes for the worse.
    Worse { pool: usize },
    /// And for the better.
    Heal { pool: usize },
    /// A rig connects.
    Come { rig: usize },
    /// A rig leaves, or does something else that it should not.
    Whim { rig: usize },
    /// A rig finds a share; of no effect when its difficulty has changed since.
    Find { rig: usize, token: u64 },
}

/// What is to happen, soonest first; at the same time in the order in which it was planned.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    heap: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    planned: u64,
}

impl Agenda {
    /// When the next event is due.
    #[must_use]
    pub(super) fn next(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// The next event that is due.
    pub(super) fn due(&mut self, now: Duration) -> Option<Event> {
        let due = self.next().is_some_and(|at| at <= now);
        due.then(|| self.heap.pop()).flatten().map(|Reverse((.., event))| event)
    }

    fn plan(&mut self, at: Duration, event: Event) {
        self.planned += 1;
        self.heap.push(Reverse((at, self.planned, event)));
    }
}

/// What pools and rigs share.
#[derive(Debug)]
pub(super) struct Setting {
    start: Instant,
    /// The source of all chance outside the proxy.
    pub(super) rng: Rng,
    /// What is to happen.
    pub(super) agenda: Agenda,
    /// What has happened.
    pub(super) story: Story,
    /// What became of shares and answers.
    pub(super) pool_fates: PoolFates,
    pub(super) rig_fates: RigFates,
    /// The newest block.
    pub(super) height: u64,
    /// The newest blocks that the proxy has been told.
    told: VecDeque<u64>,
    /// Nobody starts anything any more.
    pub(super) over: bool,
}

impl Setting {
    /// Nothing has happened yet; so many of the last lines of its story are kept.
    #[must_use]
    pub(super) fn new(seed: u64, lines: usize) -> Self {
        Self {
            start: now(),
            rng: Rng::with_seed(seed),
            agenda: Agenda::default(),
            story: Story::new(lines),
            pool_fates: PoolFates::default(),
            rig_fates: RigFates::default(),
            height: 1,
            told: VecDeque::new(),
            over: false,
        }
    }

    /// The virtual time since the start.
    #[must_use]
    pub(super) fn now(&self) -> Duration {
        now().saturating_duration_since(self.start)
    }

    /// The instant of a virtual time.
    #[must_use]
    pub(super) fn instant(&self, at: Duration) -> Instant {
        self.start + at
    }

    /// A pool tells the proxy a job on this block.
    pub(super) fn tell_block(&mut self, height: u64) {
        if !self.has_told(height) {
            self.told.push_back(height);
            if self.told.len() > 64 {
                self.told.pop_front();
            }
        }
    }

    /// Whether some pool has told the proxy a job on this block.
    pub(super) fn has_told(&self, height: u64) -> bool {
        self.told.contains(&height)
    }

    /// Has something happen after a while.
    pub(super) fn after(&mut self, wait: Duration, event: Event) {
        let at = self.now() + wait;
        self.agenda.plan(at, event);
    }

    /// A time that has no memory, of this mean.
    pub(super) fn about(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(-(1.0 - self.rng.f64()).ln())
    }

    /// A time between two others.
    pub(super) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        least + (most - least).mul_f64(self.rng.f64())
    }

    /// Whether something of this probability happens.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.rng.f64() < probability
    }

    /// One of these.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.rng.usize(..choices.len())]
    }
}

/// Tells a line of the story.
macro_rules! tell {
    ($setting:expr, $($text:tt)*) => {{
        let at = $setting.now();
        $setting.story.tell(at, format_args!($($text)*));
    }};
}

/// Tells that a rule was broken.
macro_rules! violation {
    ($setting:expr, $($text:tt)*) => {{
        let at = $setting.now();
        $setting.story.violation(at, format_args!($($text)*));
    }};
}

pub(super) use {tell, violation};
