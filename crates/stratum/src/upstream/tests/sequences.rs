//! Random sequences of everything that may happen, played against a pool that keeps books.

mod checks;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::channel::Account;
use crate::dialect::Pace;

#[derive(Debug, Clone)]
enum Step {
    Connect(usize),
    /// Answers the open subscribe or authorize.
    Login(bool),
    Lose,
    /// A connection is lost and made again, and the pool tells the work that it told last.
    Return,
    Submit(Index, bool),
    Answer(Index, &'static str),
    Notify(Index),
    Say(&'static str),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let answers = prop::sample::select(vec![
        "true,\"error\":null",
        "true,\"error\":null",
        "false,\"error\":null",
        "null,\"error\":[21,\"job not found\"]",
        "null,\"error\":[22,\"duplicate\"]",
        "null,\"error\":[20,\"incorrect size of extranonce2\"]",
    ]);
    let lines = prop::sample::select(vec![
        "{\"method\":\"mining.set_difficulty\",\"params\":[2]}",
        "{\"method\":\"mining.set_difficulty\",\"params\":[256]}",
        "{\"method\":\"mining.set_target\",\"params\":[\"40ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"]}",
        "{\"method\":\"mining.set_extranonce\",\"params\":[\"c0c0c0c0\"]}",
        "{\"method\":\"mining.notify\",\"params\":[]}",
        "{\"id\":1,\"result\":true}",
        "rubbish",
    ]);
    prop_oneof![
        1 => (0..2_usize).prop_map(Step::Connect),
        3 => prop::bool::weighted(0.95).prop_map(Step::Login),
        1 => Just(Step::Lose),
        1 => Just(Step::Return),
        10 => (any::<Index>(), any::<bool>()).prop_map(|(at, good)| Step::Submit(at, good)),
        8 => (any::<Index>(), answers).prop_map(|(at, answer)| Step::Answer(at, answer)),
        5 => any::<Index>().prop_map(Step::Notify),
        2 => lines.prop_map(Step::Say),
        5 => prop::sample::select(vec![10, 60, 500, 1_000, 6_000, 31_000]).prop_map(Step::Wait),
    ]
}

/// A line that the pool has not answered.
struct Owed {
    id: u64,
    method: String,
    /// The worker of an authorize.
    name: Option<String>,
    /// The session that a subscribe asks for.
    asks_for: Option<String>,
    bytes: usize,
    at: Instant,
}

impl Owed {
    /// Whether it is the subscribe or the authorize that a connection begins with.
    fn is_login(&self) -> bool {
        self.method == "mining.subscribe" || self.name.as_deref() == Some(OWN)
    }

    /// Whether it asks if the pool still lives: one short line at a time, outside the window.
    fn is_probe(&self) -> bool {
        self.method == "mining.extranonce.subscribe"
    }
}

/// Jobs whose shares a pool takes: id to previous block and work.
type Open = BTreeMap<String, (String, String)>;

/// What a session that can be resumed had.
struct Kept {
    extranonce: String,
    open: Open,
    told: Vec<(String, String)>,
}

/// The pool's view, and the rigs'.
struct Books<const LATE: bool> {
    story: Story<LATE>,
    pace: Option<Pace>,
    connected: bool,
    /// Whether the pool resumes sessions.
    keeps: bool,
    /// Whether shares are sent again.
    resubmits: bool,
    /// The connections so far.
    connections: u32,
    /// By share, the connections that it was written to.
    written: BTreeMap<u32, Vec<u32>>,
    /// The present session's id.
    session: String,
    kept: Option<Kept>,
    extranonce: String,
    next_extranonce: Option<String>,
    owed: Vec<Owed>,
    /// The workers that the pool has welcomed on this connection.
    welcome: BTreeSet<String>,
    ids: BTreeSet<u64>,
    open: Open,
    /// All works told so far on this connection, the newest last.
    told: Vec<(String, String)>,
    counter: usize,
    /// Every work that rigs have seen, with the extranonce1 that they saw it under.
    frames: Vec<(Arc<JobFrames<Coin<LATE>>>, String)>,
    /// Shares without a verdict: the work that they are for.
    waiting: BTreeMap<u32, usize>,
    tickets: u32,
}

impl<const LATE: bool> Books<LATE> {
    fn new(coin: Coin<LATE>, keeps: bool) -> Self {
        let pace = coin.pace;
        let mut story = Story::with(coin);
        // So low that it is met.
        story.pool.setup.config.max_shares_per_second = 1;
        Self {
            pace,
            story,
            connected: false,
            keeps,
            resubmits: false,
            connections: 0,
            written: BTreeMap::new(),
            session: String::new(),
            kept: None,
            extranonce: String::new(),
            next_extranonce: None,
            owed: Vec::new(),
            welcome: BTreeSet::new(),
            ids: BTreeSet::new(),
            open: BTreeMap::new(),
            told: Vec::new(),
            counter: 0,
            frames: Vec::new(),
            waiting: BTreeMap::new(),
            tickets: 0,
        }
    }

    fn play(&mut self, step: &Step) {
        let heard = match step {
            Step::Return => return self.come_back(),
            Step::Connect(at) => {
                self.forget();
                self.connected = true;
                self.connections += 1;
                self.extranonce = ["aabbccdd", "11223344"][*at].into();
                self.story.connect()
            }
            Step::Login(welcome) => self.login(*welcome),
            Step::Lose => {
                self.forget();
                self.story.lose();
                String::new()
            }
            Step::Submit(at, good) => self.submit(at, *good),
            Step::Answer(at, answer) => {
                let shares = self.owed.iter().filter(|owed| !owed.is_login());
                let ids: Vec<u64> = shares.map(|owed| owed.id).collect();
                if ids.is_empty() { String::new() } else { self.answer(*at.get(&ids), answer) }
            }
            Step::Notify(at) => self.notify(at),
            Step::Say(line) => {
                if self.connected && line.contains("c0c0c0c0") && self.logged_in() {
                    self.next_extranonce = Some("c0c0c0c0".into());
                }
                self.story.says(line)
            }
            Step::Wait(time) => {
                self.story.later(millis(*time));
                self.story.hears()
            }
        };
        self.read(&heard);
        self.settle();
        self.look();
    }

    fn come_back(&mut self) {
        let last = self.told.last().cloned();
        let extranonce = usize::from(self.extranonce != "aabbccdd");
        for step in [Step::Connect(extranonce), Step::Login(true), Step::Login(true)] {
            self.play(&step);
        }
        if let Some((previous, work)) = last {
            self.counter += 1;
            let heard = self.tell(&format!("j{}", self.counter), previous, work, false);
            self.read(&heard);
            self.settle();
            self.look();
        }
    }

    /// The pool's end of a connection is gone.
    fn forget(&mut self) {
        let had_session = self.connected && self.logged_in();
        self.connected = false;
        self.owed.clear();
        self.welcome.clear();
        let (open, told) = (std::mem::take(&mut self.open), std::mem::take(&mut self.told));
        if had_session {
            self.kept = Some(Kept { extranonce: self.extranonce.clone(), open, told });
        }
        self.next_extranonce = None;
    }

    fn logged_in(&self) -> bool {
        !self.owed.iter().any(|owed| owed.method == "mining.subscribe")
    }

    fn login(&mut self, welcome: bool) -> String {
        let Some(owed) = self.owed.iter().find(|owed| owed.is_login()) else {
            return String::new();
        };
        let id = owed.id;
        // A pool that tells jobs before the session is known has begun another one.
        let resumes = owed.asks_for.as_ref() == Some(&self.session) && self.told.is_empty();
        match (welcome, owed.method.as_str()) {
            (false, _) => self.answer(id, "null,\"error\":[20,\"no\"]"),
            (true, "mining.subscribe") => {
                self.begin_session(resumes);
                let (session, extranonce) = (&self.session, &self.extranonce);
                let given = format!("[\"{session}\",\"{extranonce}\",4],\"error\":null");
                self.answer(id, &given)
            }
            (true, _) => self.answer(id, "true,\"error\":null"),
        }
    }

    fn begin_session(&mut self, resumes: bool) {
        let kept = self.kept.take();
        if !resumes || !self.keeps {
            self.session = format!("{}{}", ["s", "kept"][usize::from(self.keeps)], self.ids.len());
        } else if let Some(kept) = kept.filter(|kept| kept.extranonce == self.extranonce) {
            (self.open, self.told) = (kept.open, kept.told);
        }
    }

    fn answer(&mut self, id: u64, answer: &str) -> String {
        if let Some(at) = self.owed.iter().position(|owed| owed.id == id) {
            let welcome = answer == "true,\"error\":null";
            self.welcome.extend(self.owed.remove(at).name.filter(|_| welcome));
        }
        self.story.says(&format!("{{\"id\":{id},\"result\":{answer}}}"))
    }

    fn submit(&mut self, at: &Index, good: bool) -> String {
        if self.frames.is_empty() {
            return String::new();
        }
        // Mostly the newest, now and then one of long ago.
        let back = at.index(12) / 4;
        let at = self.frames.len().saturating_sub(1 + back);
        self.tickets += 1;
        self.waiting.insert(self.tickets, at);
        let frames = Arc::clone(&self.frames[at].0);
        let mut submission = share(self.tickets, &frames, if good { GOOD } else { POOR });
        submission.account = (!self.tickets.is_multiple_of(3)).then(|| {
            let name = format!("acct.r{}", self.tickets % 8).into();
            Arc::new(Account { name, password: None })
        });
        self.story.hand_over(self.tickets, submission)
    }

    fn notify(&mut self, at: &Index) -> String {
        if !self.connected {
            return String::new();
        }
        self.counter += 1;
        let id = format!("{}{}", ["late", "j"][at.index(16).min(1)], self.counter);
        let fresh = format!("w{}", self.counter);
        let last = self.told.last().cloned();
        let (previous, work, clean) = match (at.index(8), last) {
            (0 | 1, _) | (_, None) => (format!("p{}", self.counter), fresh, false),
            (2, Some((previous, _))) => (previous, fresh, true),
            (3 | 4, Some((previous, work))) => (previous, work, false),
            // One of the former works of this block.
            (5, Some((previous, _))) => {
                let of_block: Vec<_> = self.told.iter().filter(|told| told.0 == previous).collect();
                (previous, at.get(&of_block).1.clone(), false)
            }
            (_, Some((previous, _))) => (previous, fresh, false),
        };
        self.tell(&id, previous, work, clean)
    }

    fn tell(&mut self, id: &str, previous: String, work: String, clean: bool) -> String {
        let same_block = self.told.last().is_some_and(|told| told.0 == previous);
        if clean || !same_block {
            self.open.clear();
        }
        if let Some(extranonce) = self.next_extranonce.take()
            && extranonce != self.extranonce
        {
            self.extranonce = extranonce;
            self.open.clear();
        }
        self.open.insert(id.into(), (previous.clone(), work.clone()));
        let params = format!("[\"{id}\",\"{previous}\",\"{work}\",{clean}]");
        self.told.push((previous, work));
        self.story.calls("mining.notify", &params)
    }
}

fn play<const LATE: bool>(coin: Coin<LATE>, keeps: bool, resubmits: bool, steps: &[Step]) {
    let mut books = Books::new(coin, keeps);
    books.story.resubmit(resubmits);
    books.resubmits = resubmits;
    for step in [Step::Connect(0), Step::Login(true), Step::Login(true)].iter().chain(steps) {
        books.play(step);
    }
    for last in [Step::Lose, Step::Wait(30_000)] {
        books.play(&last);
    }
    assert!(books.waiting.is_empty(), "no verdict for {:?}", books.waiting);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Every share gets exactly one verdict, none is written under a job that the pool does not
    /// take it for or under a name that it has not welcomed, the window holds, ids are never used
    /// twice, and no timer fires at once again.
    #[test]
    fn the_books_balance(
        steps in prop::collection::vec(step(), 1..120),
        paced: bool,
        bytes in 100_usize..700,
        wide: bool,
        late: bool,
        keeps: bool,
        resubmits: bool,
    ) {
        let pace = paced.then_some(Pace { bytes, submits: 3 });
        if late {
            play(Coin::<true> { pace, wide, ..Coin::default() }, keeps, resubmits, &steps);
        } else {
            play(Coin::<false> { pace, wide, ..Coin::default() }, keeps, resubmits, &steps);
        }
    }
}
