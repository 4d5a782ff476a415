//! Both sessions between a few rigs and a pool that keep books, in whatever order things happen. What
//! may be answered follows from a small model of each side:
//!
//! * A rig knows the jobs that it was told, and what was asked of their shares. Each submit has one answer;
//!   a share of the newest job is good or bad as it should be by that, one that was taken before is a
//!   duplicate, and one of a block that is over is stale. No work is told twice under one extranonce1.
//! * What is said to a silent rig is the last target that it was told, and nothing else.
//! * The pool gets no share twice, none of a job that it has not told, none that is easier than it asked
//!   for, and answers each when it likes, or never.
//!
//! Input: operations, each a byte and what it takes.

mod model;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use orepass_stratum::downstream::{DownstreamConfig, Event, Reply};
use orepass_stratum::error::Reject;
use orepass_stratum::job::JobIds;
use orepass_stratum::space::Wish;
use orepass_stratum::testing::{TestCoin, seated_rig, start};
use orepass_stratum::time::Instant;
use orepass_stratum::upstream::{Upstream, UpstreamConfig, UpstreamEvent};

use self::model::{ModelPool, ModelRig, ShareKey};
use crate::take;

/// The most rigs at a time, and the most that happens.
const MAX_RIGS: usize = 3;
const MAX_OPERATIONS: usize = 400;

/// Takes an input as the head of this file says, and gives how many shares the pool took.
///
/// # Panics
/// When anything is not as the model has it.
pub fn sessions(data: &[u8]) -> usize {
    let mut input = data.iter().copied();
    let mut story = Story::new(input.next().unwrap_or_default());
    for _ in 0..MAX_OPERATIONS {
        let Some(operation) = input.next() else { break };
        story.operation(operation, input.next().unwrap_or_default());
    }
    story.end()
}

struct Story {
    upstream: Upstream<TestCoin, (usize, u64)>,
    coin: Arc<TestCoin>,
    config: Arc<DownstreamConfig>,
    pool: ModelPool,
    rigs: Vec<ModelRig>,
    taken: BTreeSet<ShareKey>,
    /// How many rigs have come.
    came: usize,
    now: Instant,
    good: usize,
}

impl Story {
    fn new(options: u8) -> Self {
        let reply = if options & 1 == 0 { Reply::Pool } else { Reply::Local };
        let (coin, now) = (Arc::new(TestCoin::default()), start());
        let config = UpstreamConfig::new("account", "hunter2", "fuzz/1").with_prefix_bytes(1);
        let upstream = Upstream::new(Arc::clone(&coin), config, Arc::new(JobIds::new(0x6b00_0000)));
        let config = Arc::new(DownstreamConfig::default().with_reply(reply));
        let mut story = Self {
            upstream,
            coin,
            config,
            pool: ModelPool::default(),
            rigs: Vec::new(),
            taken: BTreeSet::new(),
            came: 0,
            now,
            good: 0,
        };
        story.connect(0);
        story.operation(0, 0);
        story
    }

    fn operation(&mut self, operation: u8, argument: u8) {
        let at = usize::from(argument) % self.rigs.len().max(1);
        match operation % 16 {
            0 | 1 => self.pool_says(ModelPool::new_work),
            2 => self.pool_says(ModelPool::new_block),
            3 => self.pool_says(ModelPool::repeat),
            4 => self.pool_says(|pool| pool.difficulty(argument % 12)),
            5 => self.come(argument & 1 == 0),
            6 if !self.rigs.is_empty() => drop(self.rigs.remove(at)),
            7..=10 if !self.rigs.is_empty() => self.submit(argument, operation),
            11 => {
                let answer = self.pool.answer(argument);
                answer.into_iter().for_each(|line| self.hear(&line));
            }
            12 => self.wait(Duration::from_millis(u64::from(argument) * 400)),
            13 => {
                self.upstream.handle_disconnected(self.now);
                self.settle();
                self.wait(Duration::from_secs(1));
                self.connect(argument % 3);
            }
            14 if !self.rigs.is_empty() => {
                let line = match argument % 4 {
                    0 => r#"{"id":1,"method":"mining.subscribe","params":[]}"#.to_owned(),
                    1 => r#"{"id":1,"method":"mining.ping"}"#.to_owned(),
                    2 => "rubbish".to_owned(),
                    _ => {
                        let wish = f64::from(argument).exp2();
                        format!(
                            r#"{{"id":1,"method":"mining.suggest_difficulty","params":[{wish}]}}"#
                        )
                    }
                };
                let rig = &mut self.rigs[at];
                rig.has_forgotten |= argument.is_multiple_of(4);
                rig.session.handle_line(line.as_bytes(), self.now, &mut ());
            }
            _ => self.hear("rubbish of a pool"),
        }
        self.settle();
    }

    fn pool_says(&mut self, what: impl FnOnce(&mut ModelPool) -> String) {
        let line = what(&mut self.pool);
        self.hear(&line);
    }

    fn hear(&mut self, line: &str) {
        self.upstream.handle_line(line.as_bytes(), self.now);
        self.settle();
    }

    /// The pool takes the connection, and gives one of some extranonces.
    fn connect(&mut self, extranonce: u8) {
        self.pool.connected(extranonce);
        self.upstream.handle_connected(self.now);
        self.settle();
        for line in self.pool.login() {
            self.hear(&line);
            self.settle();
        }
    }

    fn come(&mut self, follows: bool) {
        let view = self.upstream.view();
        if self.rigs.len() >= MAX_RIGS || view.ground.is_none() {
            return;
        }
        self.came += 1;
        let (coin, config) = (&self.coin, &self.config);
        let mut session = seated_rig(coin, config, "w", &view, self.now, &mut ());
        if follows {
            let line = br#"{"id":3,"method":"mining.extranonce.subscribe"}"#;
            session.handle_line(line, self.now, &mut ());
        }
        self.rigs.push(ModelRig::new(self.came, session));
        self.settle();
    }

    fn submit(&mut self, argument: u8, operation: u8) {
        let at = usize::from(argument) % self.rigs.len();
        let reply = self.config.reply;
        let rig = &mut self.rigs[at];
        let Some(submit) = rig.submit(argument, operation) else { return };
        let share = rig.session.handle_line(submit.line.as_bytes(), self.now, &mut ());
        rig.listen();
        rig.judge(&submit, share.is_some(), reply, &mut self.taken);
        if let Some(share) = share {
            let ticket = (rig.number, share.number);
            self.upstream.handle_submission(share, ticket, self.now);
        }
        self.settle();
    }

    /// Time passes for everybody.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let rigs = self.rigs.iter().filter_map(|rig| rig.session.poll_timeout());
            let next = rigs.chain(self.upstream.poll_timeout()).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.upstream.handle_timeout(self.now);
            for rig in &mut self.rigs {
                if rig.session.poll_timeout().is_some_and(|at| at <= self.now) {
                    rig.session.handle_timeout(self.now);
                    rig.listen_in_silence();
                }
            }
            self.settle();
            let rigs = self.rigs.iter().filter_map(|rig| rig.session.poll_timeout());
            let next = rigs.chain(self.upstream.poll_timeout()).min();
            assert!(next.is_none_or(|next| next > self.now), "the driver would spin");
        }
        self.now = end;
    }

    /// Does what drivers do, until there is nothing to be done.
    fn settle(&mut self) {
        loop {
            let mut went_on = false;
            while let Some(event) = self.upstream.poll_event() {
                went_on = true;
                self.event(event);
            }
            let view = self.upstream.view();
            for rig in &mut self.rigs {
                while let Some(event) = rig.session.poll_event() {
                    went_on = true;
                    if matches!(event, Event::LostSeat) {
                        // One that cannot be told another extranonce is closed by this.
                        let seat = view.seat(&Wish::default()).expect("few rigs");
                        rig.session.handle_seat(seat, &view, self.now);
                    }
                    rig.note(&event);
                }
                rig.listen();
            }
            self.rigs.retain(|rig| !rig.session.is_closed());
            let lines = take(self.upstream.transmit());
            went_on |= !lines.is_empty();
            self.pool.hear(lines);
            if !went_on {
                return;
            }
        }
    }

    fn event(&mut self, event: UpstreamEvent<(usize, u64)>) {
        match event {
            UpstreamEvent::View => {
                let view = self.upstream.view();
                for rig in &mut self.rigs {
                    rig.session.handle_view(&view, self.now);
                    rig.listen();
                }
            }
            UpstreamEvent::Verdict { ticket: (number, share), outcome, .. } => {
                self.good += usize::from(outcome.told.is_ok());
                let rig = self.rigs.iter_mut().find(|rig| rig.number == number);
                let Some(rig) = rig else { return };
                rig.session.handle_verdict(share, &outcome.told, self.now);
                rig.listen();
            }
            UpstreamEvent::Down(_) => {
                self.upstream.handle_disconnected(self.now);
                self.pool.disconnected();
            }
            _ => {}
        }
    }

    /// The pool goes: whatever waits is answered.
    fn end(mut self) -> usize {
        self.upstream.handle_disconnected(self.now);
        self.settle();
        // Shares that were held for a next connection have had their time.
        self.wait(Duration::from_secs(600));
        for rig in &mut self.rigs {
            assert_eq!(rig.owed(), 0, "shares without an answer");
            rig.session.handle_verdict(0, &Err(Reject::lost()), self.now);
            assert!(rig.session.transmit().is_empty(), "a verdict on nothing is told");
        }
        self.good
    }
}
