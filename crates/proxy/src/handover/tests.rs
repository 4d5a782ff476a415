//! Both ends in a small world: lines in order between them, a file that one process can have, and a
//! clock. Lines are lost, processes hang and end, whatever may go wrong does, at every step.

use std::collections::VecDeque;
use std::time::Duration;

use fastrand::Rng;
use orepass_stratum::time::Instant;

use super::new::{self, New};
use super::old::{self, Old};
use super::{HandoverMessage, State};

/// Nobody accepts for as long at most.
const GAP: Duration = Duration::from_secs(2);

struct World {
    now: Instant,
    old: Old,
    new: Option<New>,
    to_old: VecDeque<HandoverMessage>,
    to_new: VecDeque<HandoverMessage>,
    /// What the new process' own work has come to.
    done: VecDeque<new::HeardByNew>,
    /// The old process works on its state.
    saving: bool,
    old_lives: bool,
    /// The new process' status, once it has ended; the old one has not heard of it.
    ended: bool,
    hangs: bool,
    old_accepts: bool,
    new_accepts: bool,
    old_has_file: bool,
    new_has_file: bool,
    new_has_sockets: bool,
    answers: Vec<Result<(), String>>,
    draining: bool,
    leaves: bool,
    silent_since: Option<Instant>,
}

impl World {
    fn new() -> Self {
        let now = crate::clock::now();
        Self {
            now,
            old: Old::begin(now),
            new: None,
            to_old: VecDeque::new(),
            to_new: VecDeque::new(),
            done: VecDeque::new(),
            saving: false,
            old_lives: true,
            ended: false,
            hangs: false,
            old_accepts: true,
            new_accepts: false,
            old_has_file: true,
            new_has_file: false,
            new_has_sockets: false,
            answers: Vec::new(),
            draining: false,
            leaves: false,
            silent_since: None,
        }
    }

    fn new_ends(&mut self) {
        if self.new.take().is_some() {
            (self.new_accepts, self.new_has_file, self.new_has_sockets) = (false, false, false);
            self.ended = true;
            self.to_new.clear();
            self.done.clear();
        }
    }

    fn old_ends(&mut self) {
        (self.old_lives, self.old_accepts, self.old_has_file) = (false, false, false);
        self.saving = false;
    }

    fn act(&mut self, rng: &mut Rng) {
        while self.old_lives
            && let Some(act) = self.old.poll()
        {
            match act {
                old::OldAct::Start => {
                    self.new = Some(New::begin(self.now));
                    self.to_new.push_back(HandoverMessage::Sockets(1));
                }
                old::OldAct::Save => self.saving = true,
                old::OldAct::SendState(mark) => {
                    self.to_new
                        .push_back(HandoverMessage::State(State { mark, ..State::default() }));
                }
                old::OldAct::StopAccepting => self.old_accepts = false,
                old::OldAct::SendGo => self.to_new.push_back(HandoverMessage::Go),
                old::OldAct::Kill => self.new_ends(),
                old::OldAct::Reopen => {
                    // That is tried until it goes.
                    assert!(!self.new_has_file, "the file is not free");
                    self.old_has_file = true;
                }
                old::OldAct::Accept => self.old_accepts = true,
                old::OldAct::Answer(answer) => self.answers.push(answer),
                old::OldAct::Drain => self.draining = true,
                old::OldAct::Undrain => (self.draining, self.old_accepts) = (false, true),
                old::OldAct::Stop | old::OldAct::Leave => {
                    self.leaves = true;
                    self.old_ends();
                }
            }
        }
        while let Some(act) = self.new.as_mut().and_then(New::poll) {
            match act {
                new::NewAct::Bind => {
                    self.new_has_sockets = true;
                    let bound = if rng.u8(..8) == 0 { Err("taken".to_owned()) } else { Ok(()) };
                    self.done.push_back(new::HeardByNew::Bound(bound));
                }
                new::NewAct::SendBound => self.to_old.push_back(HandoverMessage::Bound),
                new::NewAct::Start(_) => {
                    assert!(!self.old_has_file, "two processes would have the file");
                    self.new_has_file = true;
                    let started = if rng.u8(..8) == 0 { Err("no".to_owned()) } else { Ok(()) };
                    self.done.push_back(new::HeardByNew::Started(started));
                }
                new::NewAct::SendWarm => self.to_old.push_back(HandoverMessage::Warm),
                new::NewAct::Accept => {
                    assert!(!self.old_accepts, "both would accept");
                    self.new_accepts = true;
                }
                new::NewAct::SendServing => self.to_old.push_back(HandoverMessage::Serving),
                new::NewAct::Refuse(why) => {
                    self.to_old.push_back(HandoverMessage::Refused(why));
                    self.new_ends();
                }
            }
        }
    }

    /// One thing happens.
    fn step(&mut self, rng: &mut Rng, trouble: bool) {
        let trouble = trouble && rng.u8(..25) == 0;
        match if trouble { rng.u8(8..14) } else { rng.u8(..8) } {
            0..=2 => {
                if let Some(message) = self.to_old.pop_front()
                    && self.old_lives
                {
                    let heard = match message {
                        HandoverMessage::Bound => old::HeardByOld::Bound,
                        HandoverMessage::Warm => old::HeardByOld::Warm,
                        HandoverMessage::Serving => old::HeardByOld::Serving,
                        HandoverMessage::Refused(why) => old::HeardByOld::Refused(why),
                        other => panic!("{other:?}"),
                    };
                    self.old.handle(heard, self.now);
                } else if self.ended && self.old_lives {
                    self.ended = false;
                    self.old.handle(old::HeardByOld::Ended("status 1".to_owned()), self.now);
                }
            }
            3..=5 if !self.hangs => {
                let Some(new) = &mut self.new else { return };
                if let Some(heard) = self.done.pop_front() {
                    new.handle(heard, self.now);
                } else if let Some(message) = self.to_new.pop_front() {
                    let heard = match message {
                        HandoverMessage::Sockets(_) => new::HeardByNew::Sockets,
                        HandoverMessage::State(state) => new::HeardByNew::State(state),
                        HandoverMessage::Go => new::HeardByNew::Go,
                        other => panic!("{other:?}"),
                    };
                    new.handle(heard, self.now);
                } else if !self.old_lives {
                    new.handle(new::HeardByNew::Ended, self.now);
                } else if new.is_warming() && rng.bool() {
                    new.handle(new::HeardByNew::Warm, self.now);
                }
            }
            6 if self.saving => {
                self.saving = false;
                self.old_has_file = false;
                let saved = if rng.u8(..6) == 0 { Err("full".to_owned()) } else { Ok(9) };
                self.old.handle(old::HeardByOld::Saved(saved), self.now);
            }
            7 if self.draining && self.old_lives && rng.u8(..4) == 0 => {
                self.old.handle(old::HeardByOld::Drained, self.now);
            }
            // Nothing but a deadline is left to be waited for, or something takes its time.
            8 | 9 => self.pass(rng),
            10 => self.new_ends(),
            11 => self.hangs = true,
            12 => _ = if rng.bool() { self.to_old.pop_front() } else { self.to_new.pop_front() },
            13 if self.old_lives => match rng.u8(..4) {
                0 => self.old_ends(),
                _ => self.old.handle(old::HeardByOld::Stop, self.now),
            },
            _ => {}
        }
    }

    /// Time passes, as far as a deadline at most.
    fn pass(&mut self, rng: &mut Rng) {
        let old = self.old.poll_timeout().filter(|_| self.old_lives);
        let new = self.new.as_ref().and_then(New::poll_timeout).filter(|_| !self.hangs);
        let Some(next) = old.into_iter().chain(new).min() else { return };
        let all = next.saturating_duration_since(self.now);
        self.now += if rng.bool() { all } else { all.mul_f64(rng.f64()) };
        if self.old_lives {
            self.old.handle_timeout(self.now);
        }
        if let Some(new) = &mut self.new
            && !self.hangs
        {
            new.handle_timeout(self.now);
        }
    }

    fn check(&mut self) {
        assert!(!(self.old_accepts && self.new_accepts), "one accepts");
        assert!(!(self.old_has_file && self.new_has_file), "one has the file");
        assert!(self.answers.len() <= 1, "{:?}", self.answers);
        if self.leaves && self.answers != [Ok(())] {
            // It was told to stop, and nobody was to take over.
            return;
        }
        if !self.old_lives {
            // What a process that is killed leaves is the new one's, as soon as it can.
            return;
        }
        assert!(self.old_accepts || self.new_accepts || self.new.is_some() || self.ended);
        match (self.old_accepts || self.new_accepts, self.silent_since) {
            (true, _) => self.silent_since = None,
            (false, None) => self.silent_since = Some(self.now),
            (false, Some(since)) => {
                let gap = self.now.saturating_duration_since(since);
                assert!(gap < GAP, "nobody accepts for {gap:?}");
            }
        }
    }
}

#[test]
fn whatever_goes_wrong_one_process_accepts_and_one_has_the_file() {
    let mut ends = [0; 3];
    for seed in 0..20_000 {
        let mut rng = Rng::with_seed(seed);
        let mut world = World::new();
        for _ in 0..200 {
            world.act(&mut rng);
            world.check();
            world.step(&mut rng, true);
        }
        // Then all that is left runs to its end.
        for _ in 0..2000 {
            world.act(&mut rng);
            world.check();
            world.step(&mut rng, false);
            if rng.u8(..20) == 0 {
                world.pass(&mut rng);
            }
        }
        world.act(&mut rng);
        world.check();
        if world.old_lives {
            assert!(world.old.is_over() || world.old.is_draining(), "seed {seed}");
            assert_eq!(world.answers.len(), 1, "seed {seed}: whoever asked is answered");
            assert!(world.draining || world.old_has_file, "seed {seed}: the file is back");
        }
        if let Some(new) = &world.new
            && !world.old_lives
            && !world.leaves
            && !world.hangs
        {
            assert!(new.is_serving(), "seed {seed}: the new one serves, or has ended");
        }
        ends[match &world.answers[..] {
            [Ok(())] => 0,
            [Err(_)] => 1,
            _ => 2,
        }] += 1;
    }
    assert!(ends.iter().all(|&count| count > 100), "all ends are tried: {ends:?}");
}

#[test]
fn without_trouble_the_new_one_serves_and_the_old_one_leaves() {
    let mut served = 0;
    for seed in 0..100 {
        let mut rng = Rng::with_seed(seed);
        let mut world = World::new();
        for _ in 0..2000 {
            world.act(&mut rng);
            world.check();
            world.step(&mut rng, false);
        }
        if world.answers == [Ok(())] {
            served += 1;
            assert!(world.leaves && world.new_accepts && world.new_has_file);
        }
    }
    assert!(served > 50, "{served}");
}
