//! Stories of a session with a rig.

mod blocks;
mod comeback;
mod conduct;
mod keepalive;
mod late_extranonce;
mod limits;
mod login;
mod odd;
mod probes;
mod reconfigure;
mod targets;
mod terms;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::dialect::{Announced, NotifyForm, Price, ShareTarget, Subscribed, Wanted, Work};
use crate::firmware::Merit;
use crate::habits::{Habit, HabitBook, Habits};
use crate::job::{Epoch, Frames, Generation, JobFrames, JobIds, Serial};
use crate::space::{Space, Wish};
use crate::target::{Difficulty, Target};
use crate::testing::{TestCoin, TestJob, scale, start, written};
use crate::time::Instant;
use crate::verdict::Verdict;

/// A rig's session and a hand-made channel.
struct Story {
    rig: Downstream<TestCoin>,
    /// The share of the last line, if it is to be forwarded.
    forwarded: Option<Submission<TestCoin>>,
    dialect: Arc<TestCoin>,
    view: ChannelView<TestCoin>,
    ids: Arc<JobIds>,
    habits: HabitBook,
    now: Instant,
}

/// Where all rigs connect from.
const HERE: Wish<'_> =
    Wish { slot: None, address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), worker: None };
const ONE: &str = "\"7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"";
const GOOD: &str = "\"00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"";

impl Story {
    fn new(config: DownstreamConfig) -> Self {
        Self::with(TestCoin::default(), config)
    }

    fn with(dialect: TestCoin, config: DownstreamConfig) -> Self {
        let now = start();
        let dialect = Arc::new(dialect);
        let rig = Downstream::new(Arc::clone(&dialect), Arc::new(config), "2a".into(), now);
        let ids = Arc::new(JobIds::new(0x6aff_ffff));
        let (view, habits) = (ChannelView::unborn(), HabitBook::default());
        let forwarded = None;
        let mut story = Self { rig, forwarded, dialect, view, ids, habits, now };
        story.ground("aabbccdd");
        story
    }

    /// A rig that has logged in, with a first job of pool difficulty 256.
    fn mining(config: DownstreamConfig) -> Self {
        Self::mining_with(TestCoin::default(), config)
    }

    fn mining_with(dialect: TestCoin, config: DownstreamConfig) -> Self {
        let mut story = Self::with(dialect, config);
        story.work("p1", "w1", 256.0);
        story.log_in();
        story
    }

    fn log_in(&mut self) -> String {
        self.says("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"rig/1\"]}");
        self.seat();
        self.says("{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"farm.r1\",\"x\"]}")
    }

    /// The rig comes back over a new connection, from the same address.
    fn come_back(&mut self) -> String {
        let config = Arc::clone(&self.rig.config);
        self.rig = Downstream::new(Arc::clone(&self.dialect), config, "2b".into(), self.now);
        self.log_in()
    }

    fn ground(&mut self, extranonce1: &str) {
        self.view.generation.0 += 1;
        self.view.live = true;
        self.view.work = None;
        let (extranonce1, announced_size) = (extranonce1.parse().unwrap(), Some(4));
        let given = Subscribed { extranonce1, announced_size, session: None };
        let known = self.habits.known().get(Habit::Split);
        self.view.ground = Some(crate::channel::Ground {
            split: Arc::new(self.dialect.splits(&given, Some(1)).choose(known).unwrap()),
            space: Space::new(1, 250),
            ids: Arc::clone(&self.ids),
            habits: self.habits.clone(),
        });
    }

    fn work(&mut self, previous: &str, work: &str, difficulty: f64) {
        let former = self.view.work.as_ref();
        let epoch = former.map_or(Epoch(0), |former| {
            Epoch(former.epoch.0 + u64::from(former.job.previous != previous))
        });
        let serial = Serial(former.map_or(1, |former| former.serial.0 + 1));
        let dialect = Arc::clone(&self.dialect);
        let job =
            TestJob { id: work.into(), previous: previous.into(), work: work.into(), clean: false };
        let announced = ShareTarget::Difficulty(Difficulty::new(difficulty).unwrap());
        let announced = Announced { difficulty: Some(announced), ..Announced::default() };
        let Price { wanted, block } = dialect.price(&job, &announced, Habits::default());
        self.view.wanted = Arc::new(wanted);
        let space = &self.view.ground.as_ref().unwrap().space;
        self.view.work = Some(Arc::new(JobFrames {
            id: self.ids.next(),
            serial,
            work: space.number(job.key()),
            epoch,
            generation: self.view.generation,
            terms: 0,
            wanted,
            block,
            arrived: self.now,
            frames: Frames::default(),
            job: Arc::new(job),
            dialect,
        }));
    }

    fn seat(&mut self) -> String {
        let mut seat = self.view.seat(&HERE).unwrap();
        seat.lease.belongs_to(HERE.address.unwrap(), self.rig.worker());
        self.rig.handle_seat(seat, &self.view, self.now);
        self.hears()
    }

    /// The next share that is forwarded, and the pool's verdict on it.
    fn judged(&mut self, verdict: &Result<(), Reject>) -> String {
        let number = self.forwarded.take().unwrap().number;
        self.rig.handle_verdict(number, verdict, self.now);
        self.hears()
    }

    fn show(&mut self) -> String {
        self.rig.handle_view(&self.view, self.now);
        self.hears()
    }

    fn says(&mut self, line: &str) -> String {
        self.forwarded = self.rig.handle_line(line.as_bytes(), self.now, &mut ());
        self.hears()
    }

    fn submit(&mut self, id: u64, job: &str, extranonce2: &str, hash: &str) -> String {
        self.says(&format!(
            "{{\"id\":{id},\"method\":\"mining.submit\",\"params\":[\"farm.r1\",\"{job}\",\"{extranonce2}\",{hash}]}}"
        ))
    }

    fn hears(&mut self) -> String {
        written(self.rig.transmit())
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.rig.poll_event()).collect()
    }

    fn verdicts(&mut self) -> Vec<Verdict> {
        let ended = |event| match event {
            Event::Ended { verdict, .. } => Some(verdict),
            _ => None,
        };
        self.events().into_iter().filter_map(ended).collect()
    }

    fn later(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }
}

#[test]
fn shares_end_in_one_verdict_each() {
    let mut config = DownstreamConfig::default();
    config.vardiff.max = Difficulty::new(2.0);
    let mut story = Story::mining(config);
    story.events();
    let job = "6b000000";
    // Meets the rig's 2 and not the pool's 256.
    assert_eq!(
        story.submit(10, job, "000001", ONE),
        "{\"id\":10,\"result\":true,\"error\":null}\n"
    );
    assert!(story.forwarded.take().is_none());
    // The same again.
    assert!(story.submit(11, job, "000001", ONE).contains("[22,\"duplicate\",null]"));
    // Meets the pool's.
    assert_eq!(story.submit(12, job, "000002", GOOD), "");
    let submission = story.forwarded.take().unwrap();
    assert_eq!((submission.number, &*submission.worker), (3, "farm.r1"));
    assert_eq!(submission.prefix[..], [0]);
    story.rig.handle_verdict(3, &Ok(()), story.now);
    story.rig.handle_verdict(3, &Ok(()), story.now);
    assert_eq!(story.hears(), "{\"id\":12,\"result\":true,\"error\":null}\n", "answered once");
    // Misses even the rig's.
    let bad = format!("\"{}\"", "a".repeat(64));
    assert!(story.submit(13, job, "000003", &bad).contains("[23,\"high-hash"));
    let bad = format!("\"{}\"", "e".repeat(64));
    assert!(story.submit(14, job, "000003", &bad).contains("[20,\"bad proof"));
    assert!(story.submit(15, job, "03", GOOD).contains("[20,\"extranonce2 is 1 bytes"));
    assert!(story.submit(16, "nonsense", "000003", GOOD).contains("[21,\"job not found: nonsense"));
    assert!(story.submit(17, "6a000000", "000003", GOOD).contains("[21,\"job 6a000000 has been"));
    let stranger = "{\"id\":18,\"method\":\"mining.submit\",\"params\":[\"x\",\"y\",\"z\",\"\"]}";
    assert!(story.says(stranger).contains("[24,\"unauthorized worker x\""));
    assert!(story.says("{\"id\":19,\"method\":\"mining.submit\"}").contains("[20,"));
    let expected = [
        Verdict::BelowPoolTarget,
        Verdict::Duplicate,
        Verdict::LowDifficulty,
        Verdict::Invalid,
        Verdict::Invalid,
        Verdict::Invalid,
        Verdict::Stale,
        Verdict::Unauthorized,
        Verdict::Invalid,
    ];
    let events = story.events();
    let sent = events.iter().filter(|event| **event == Event::Sent).count();
    let ended: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Ended { verdict, .. } => Some(*verdict),
            _ => None,
        })
        .collect();
    assert_eq!(ended, expected);
    assert_eq!(sent, expected.len() + 1, "and one was forwarded");
}

#[test]
fn three_views_between_two_polls_lose_nothing() {
    let mut story = Story::mining(DownstreamConfig::default());
    story.work("p2", "w2", 512.0);
    story.work("p2", "w3", 512.0);
    story.work("p2", "w4", 512.0);
    let heard = story.show();
    assert!(heard.contains("[\"6b000003\",\"p2\",\"w4\",true]"), "clean is not lost: {heard}");
    assert_eq!(heard.matches("mining.notify").count(), 1);
}

#[test]
fn a_new_extranonce_is_set_or_the_rig_is_closed() {
    for subscribed in [true, false] {
        let mut story = Story::mining(DownstreamConfig::default());
        if subscribed {
            story.says("{\"id\":4,\"method\":\"mining.extranonce.subscribe\",\"params\":[]}");
        }
        story.events();
        story.ground("11223344");
        story.work("p1", "w9", 256.0);
        assert_eq!(story.show(), "");
        assert_eq!(story.events(), [Event::LostSeat]);
        let heard = story.seat();
        if subscribed {
            assert!(heard.contains("\"mining.set_extranonce\",\"params\":[\"1122334400\",3]"));
            assert!(heard.contains("\"p1\",\"w9\",true"), "{heard}");
            assert_eq!(story.submit(8, "6b000000", "000001", GOOD), "");
            let former = story.forwarded.take().unwrap();
            assert_eq!(former.frames.generation, Generation(1), "it goes where it belongs");
            story.later(11);
            assert!(story.submit(8, "6b000000", "000002", GOOD).contains("[21,"), "too late");
            assert_eq!(story.submit(9, "6b000001", "000001", GOOD), "");
        } else {
            assert_eq!(story.events(), [Event::Closed(CloseReason::ExtranonceChanged)]);
            assert!(story.rig.is_closed());
        }
    }
}

#[test]
fn local_replies_are_given_at_once_and_the_verdict_is_not_told_twice() {
    let config = DownstreamConfig { reply: Reply::Local, ..DownstreamConfig::default() };
    let mut story = Story::mining(config);
    assert!(story.submit(7, "6b000000", "000001", GOOD).contains("true"));
    let submission = story.forwarded.take().unwrap();
    story.rig.handle_verdict(submission.number, &Err(Reject::lost()), story.now);
    assert_eq!(story.hears(), "");
}

#[test]
fn at_most_so_many_shares_wait() {
    let mut story = Story::mining(DownstreamConfig::default());
    // The last place is a block's.
    for at in 0..MAX_IN_FLIGHT - 1 {
        assert_eq!(story.submit(at as u64, "6b000000", &format!("{at:06x}"), GOOD), "");
        assert!(story.forwarded.take().is_some());
    }
    let heard = story.submit(99, "6b000000", "ffffff", GOOD);
    assert!(heard.contains("[20,\"too many shares wait"), "{heard}");
    assert_eq!(story.verdicts(), [Verdict::Overflow]);
}

#[test]
fn lines_without_sense_end_the_session_at_the_fifth() {
    let mut story = Story::mining(DownstreamConfig::default());
    story.events();
    let lines: [&[u8]; 5] =
        [b"{bad json", b"[]", b"{\"id\":1}", b"{\"id\":[],\"method\":\"x\"}", b"\xff"];
    for (count, line) in lines.into_iter().enumerate() {
        assert!(!story.rig.is_closed(), "after {count}");
        story.rig.handle_line(line, story.now, &mut ());
    }
    assert!(matches!(story.events().last(), Some(Event::Closed(CloseReason::BadLines(_)))));
    let said = story.hears();
    assert!(said.contains("\"error\":[20,\"too many lines made no sense"), "{said}");
    assert_eq!(
        story.says("{\"id\":1,\"method\":\"mining.ping\"}"),
        "",
        "a closed session is silent"
    );
}

proptest::proptest! {
    /// Whatever a rig sends, nothing panics, and every submit is answered or forwarded.
    #[test]
    fn any_line_is_borne(lines in proptest::collection::vec(line(), 1..20)) {
        let mut story = Story::mining(DownstreamConfig::default());
        for line in lines {
            let forwarded = story.rig.handle_line(&line, story.now, &mut ());
            let (mut sent, mut ended) = (0, 0);
            for event in story.events() {
                sent += usize::from(matches!(event, Event::Sent));
                ended += usize::from(matches!(event, Event::Ended { .. }));
            }
            proptest::prop_assert_eq!(sent, ended + usize::from(forwarded.is_some()));
            let said = story.hears();
            let answers = said.lines().filter(|line| !line.contains("\"method\"")).count();
            proptest::prop_assert!(answers <= 1, "{}", said);
            if sent == 1 {
                proptest::prop_assert_eq!(answers + usize::from(forwarded.is_some()), 1, "{}", said);
            }
            if let Some(share) = forwarded {
                story.rig.handle_verdict(share.number, &Ok(()), story.now);
                proptest::prop_assert_eq!(story.hears().lines().count(), 1);
            }
        }
    }
}

fn line() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    use proptest::prelude::*;
    prop_oneof![
        any::<Vec<u8>>(),
        "\\{\"id\":[0-9]{1,3},\"method\":\"mining.(submit|subscribe|authorize|configure|suggest_difficulty)\",\"params\":(\\[\\]|null|[0-9]|\\[\"farm.r1\",\"6b000000\",\"[0-9a-f]{4,8}\",\"[0-9a-f]{64}\"\\]|\\[\\[1,\"x\"\\]\\])\\}"
            .prop_map(String::into_bytes),
    ]
}
