//! A simulated rig of the test coin, well-behaved or not. It notes every answer and every job.

mod inbound;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::testing::bound_to;
use serde_json::{Value, json};

use super::pipe::{Mark, Wire};
use super::setting::{Event, Setting, tell, violation};

/// The most jobs that a rig remembers.
const MAX_JOBS: usize = 8;
/// The most shares that it remembers.
const MAX_SENT: usize = 32;
/// How long a share may wait for its answer: the pool's 30 s, and connecting to one before.
const ANSWER_WITHIN: Duration = Duration::from_secs(36);
/// How long a rig with work hears nothing: the proxy's 60 s, and the wire. Some firmware hangs up after
/// 120 s.
const SILENT_FOR: Duration = Duration::from_secs(90);
/// How long a rig waits before it connects again, and how much longer at random.
const RECONNECT_AFTER: Duration = Duration::from_secs(2);
const RECONNECT_JITTER: Duration = Duration::from_secs(1);
/// The longest wait of a rig for its next connection.
pub(super) const RECONNECT_WITHIN: Duration = Duration::from_secs(3);

/// What a rig is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Kind {
    /// Takes set_extranonce and does all that it is told.
    #[default]
    Good,
    /// Does all that it is told, and does not take set_extranonce.
    Plain,
    /// Asks for set_extranonce and ignores it.
    Ignores,
    /// Sends shares of jobs that have been replaced.
    Late,
    /// Sends some shares twice.
    Repeats,
    /// Sends shares that miss its target.
    Weak,
    /// Sends rubbish.
    Rubbish,
    /// Hangs from time to time: neither reads nor writes.
    Hangs,
    /// Connects and does not subscribe.
    Silent,
    /// Leaves and comes back.
    Restless,
}

impl Kind {
    /// Whether none of its shares may be refused for what the rig did.
    #[must_use]
    pub(super) const fn is_honest(self) -> bool {
        matches!(self, Self::Good | Self::Plain | Self::Restless | Self::Hangs)
    }

    const fn takes_set_extranonce(self) -> bool {
        !matches!(self, Self::Plain | Self::Silent)
    }
}

/// A rig.
#[derive(Debug, Default)]
pub(super) struct Rig {
    pub(super) index: usize,
    pub(super) kind: Kind,
    /// In difficulties a second.
    speed: f64,
    /// Whether it takes up a new difficulty at once, or with the next job.
    at_once: bool,
    pub(super) conns: BTreeMap<u32, Conn>,
    pub(super) current: Option<u32>,
    next_conn: u32,
    /// Job ids that it was told, on any connection.
    ids: Ids,
    counter: u32,
    find: u64,
    /// The last shares.
    sent: VecDeque<Sent>,
}

/// A connection to the proxy.
#[derive(Debug, Default)]
pub(super) struct Conn {
    pub(super) wire: Wire,
    /// When it heard something last.
    heard: Duration,
    next_id: u64,
    pub(super) subscribed: Option<Duration>,
    pub(super) extranonce1: Option<Extranonce>,
    next_extranonce1: Option<Extranonce>,
    size: usize,
    difficulty: Option<f64>,
    pub(super) jobs: VecDeque<Job>,
    waiting: BTreeMap<u64, Waiting>,
}

/// A job as it was told.
#[derive(Debug, Clone)]
pub(super) struct Job {
    id: String,
    /// The pool, as the work's name says.
    pub(super) pool: usize,
    pub(super) work: String,
    pub(super) extranonce1: Extranonce,
    difficulty: f64,
    /// It was told this work under this extranonce before, so that it begins anew.
    again: bool,
}

/// A share that was sent.
#[derive(Debug)]
struct Sent {
    work: String,
    extranonce1: Extranonce,
    extranonce2: Extranonce,
    hash: String,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    call: Call,
    read: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Subscribe,
    Other,
    /// A share, and whether it was as it should be.
    Share {
        honest: bool,
    },
}

impl Rig {
    #[must_use]
    pub(super) fn new(index: usize, kind: Kind, speed: f64, at_once: bool) -> Self {
        Self { index, kind, speed, at_once, ..Self::default() }
    }

    #[must_use]
    pub(super) const fn has_never_come(&self) -> bool {
        self.next_conn == 0
    }

    /// The connection that the rig uses now.
    #[must_use]
    pub(super) fn conn(&self) -> Option<&Conn> {
        self.conns.get(&self.current?)
    }

    fn conn_mut(&mut self) -> Option<&mut Conn> {
        self.conns.get_mut(&self.current?)
    }

    /// Connects and logs in; gives the connection's number.
    pub(super) fn come(&mut self, setting: &mut Setting) -> u32 {
        self.next_conn += 1;
        setting.rig_fates.came += 1;
        self.conns.insert(self.next_conn, Conn::default());
        self.current = Some(self.next_conn);
        tell!(setting, "rig {}.{} comes ({:?})", self.index, self.next_conn, self.kind);
        if self.kind != Kind::Silent {
            if self.kind.takes_set_extranonce() && setting.chance(0.5) {
                self.call(setting, "mining.extranonce.subscribe", &json!([]), Call::Other);
            }
            self.call(setting, "mining.subscribe", &json!(["storm/1"]), Call::Subscribe);
            if self.kind.takes_set_extranonce() {
                self.call(setting, "mining.extranonce.subscribe", &json!([]), Call::Other);
            }
            let worker = format!("rig{}", self.index);
            self.call(setting, "mining.authorize", &json!([worker, "x"]), Call::Other);
            let now = setting.now();
            if let Some(conn) = self.conn_mut() {
                conn.subscribed = Some(now);
            }
        }
        self.plan_whim(setting);
        self.next_conn
    }

    /// Leaves, and comes back after a while.
    fn leave(&mut self, setting: &mut Setting, wait: Duration) {
        let Some(number) = self.current.take() else { return };
        if let Some(conn) = self.conns.get_mut(&number) {
            conn.wire.end();
        }
        tell!(setting, "rig {}.{number} leaves", self.index);
        setting.after(wait, Event::Come { rig: self.index });
    }

    /// The proxy has ended or dropped a connection.
    pub(super) fn dropped(&mut self, setting: &mut Setting, number: u32, gone: bool) {
        if self.current == Some(number) {
            tell!(setting, "rig {}.{number} is closed", self.index);
            self.current = None;
            let wait = RECONNECT_AFTER + RECONNECT_JITTER.mul_f64(setting.rng.f64());
            setting.after(wait, Event::Come { rig: self.index });
        }
        if gone && let Some(conn) = self.conns.remove(&number) {
            let shares = conn.waiting.values().filter(|w| matches!(w.call, Call::Share { .. }));
            setting.rig_fates.cut_off += shares.count() as u64;
        }
    }

    fn plan_whim(&mut self, setting: &mut Setting) {
        let mean = match self.kind {
            Kind::Restless => Duration::from_secs(900),
            Kind::Hangs => Duration::from_secs(3600),
            Kind::Silent => Duration::from_secs(5),
            _ => return,
        };
        let wait = setting.about(mean);
        setting.after(wait, Event::Whim { rig: self.index });
    }

    /// Does what this kind of rig does besides mining.
    pub(super) fn whim(&mut self, setting: &mut Setting) {
        if self.current.is_none() || setting.over {
            return;
        }
        match self.kind {
            Kind::Restless | Kind::Silent => {
                let wait = if setting.chance(0.3) {
                    Duration::from_millis(20)
                } else {
                    setting.between(Duration::from_secs(2), Duration::from_secs(600))
                };
                self.leave(setting, wait);
            }
            Kind::Hangs => {
                let (index, number) = (self.index, self.current);
                let Some(conn) = self.conn_mut() else { return };
                if conn.wire.is_deaf() {
                    return;
                }
                conn.wire.set_deaf(true);
                tell!(setting, "rig {index}.{number:?} hangs");
                // It is switched off and on by whoever looks after it.
                let wait = setting.about(Duration::from_secs(600));
                let leave = setting.chance(0.7);
                if leave {
                    self.leave(setting, wait);
                }
            }
            _ => {}
        }
    }

    fn call(&mut self, setting: &mut Setting, method: &str, params: &Value, call: Call) {
        let Some(conn) = self.conn_mut() else { return };
        conn.next_id += 1;
        let id = conn.next_id;
        let line = json!({"id": id, "method": method, "params": params}).to_string();
        conn.waiting.insert(id, Waiting { call, read: None });
        conn.wire.say(&line, Some(Mark::Call(id)));
        if matches!(call, Call::Share { .. }) {
            setting.rig_fates.sent += 1;
        }
    }

    /// The proxy has read past a call.
    pub(super) fn read(&mut self, setting: &mut Setting, number: u32, mark: Mark) {
        let Mark::Call(id) = mark else { return };
        let now = setting.now();
        let waiting = self.conns.get_mut(&number).and_then(|conn| conn.waiting.get_mut(&id));
        let Some(waiting) = waiting else { return };
        waiting.read = Some(now);
        setting.rig_fates.read += u64::from(matches!(waiting.call, Call::Share { .. }));
    }

    /// Whether an answer is overdue.
    pub(super) fn look(&self, setting: &mut Setting) {
        for (number, conn) in
            self.conns.iter().filter(|(_, c)| c.wire.is_open() && !c.wire.is_deaf())
        {
            let overdue = conn.waiting.iter().find(|(_, waiting)| {
                let share = matches!(waiting.call, Call::Share { .. });
                share && waiting.read.is_some_and(|at| setting.now() - at > ANSWER_WITHIN)
            });
            if let Some((id, _)) = overdue {
                violation!(setting, "rig {}.{number} has no answer to share {id}", self.index);
            }
            if !conn.jobs.is_empty() && setting.now() - conn.heard > SILENT_FOR {
                violation!(setting, "rig {}.{number} hears nothing for {SILENT_FOR:?}", self.index);
            }
        }
    }

    fn plan_find(&mut self, setting: &mut Setting, difficulty: f64) {
        self.find += 1;
        let wait = setting.about(Duration::from_secs_f64(difficulty / self.speed));
        setting.after(wait, Event::Find { rig: self.index, token: self.find });
    }

    /// Finds a share.
    pub(super) fn find(&mut self, setting: &mut Setting, token: u64) {
        if token != self.find || setting.over {
            return;
        }
        let kind = self.kind;
        let (late, twice) = (setting.chance(0.2), setting.chance(0.1));
        let (weak, rubbish) = (setting.chance(0.2), setting.chance(0.1));
        let Some(conn) = self.conn_mut().filter(|c| c.wire.is_open() && !c.wire.is_deaf()) else {
            return;
        };
        let newest = conn.jobs.len().wrapping_sub(1);
        let at = if kind == Kind::Late && late { 0 } else { newest };
        let Some(job) = conn.jobs.get(at).cloned() else { return };
        let difficulty = conn.difficulty.unwrap_or(job.difficulty);
        let size = conn.size;
        let restarts = job.again && setting.chance(0.5);
        if let Some(sent) = self.sent.iter().find(|sent| restarts && sent.is_for(&job)) {
            let worker = format!("rig{}", self.index);
            let params = json!([worker, job.id, sent.extranonce2.to_string(), sent.hash]);
            tell!(setting, "rig {} repeats {} of {}", self.index, sent.hash, job.work);
            self.call(setting, "mining.submit", &params, Call::Share { honest: false });
            return self.plan_find(setting, difficulty);
        }
        self.counter += 1;
        let counter = self.counter.to_be_bytes();
        let extranonce2 = Extranonce::from_slice(&counter[4_usize.saturating_sub(size)..]).unwrap();
        let whole = job.extranonce1.join(extranonce2.as_bytes()).unwrap();
        let tag = u64::from_be_bytes(bound_to(&whole, &job.work));
        let misses = kind == Kind::Weak && weak;
        // The hash's chance is even over all that meet the target.
        let most = 2_f64.powi(128) / job.difficulty * (1.0 - 1e-9);
        let part = if misses { 1.5 + setting.rng.f64() } else { setting.rng.f64() };
        let high = (most * part) as u128;
        let hash = format!("{high:032x}{:016x}{tag:016x}", setting.rng.u64(..));
        let worker = format!("rig{}", self.index);
        let mut params = json!([worker, job.id, extranonce2.to_string(), hash]);
        let mut honest = kind.is_honest();
        if kind == Kind::Rubbish && rubbish {
            honest = false;
            match setting.rng.u8(..5) {
                0 => params = json!([worker, job.id, extranonce2.to_string(), "zz"]),
                1 => params[2] = json!("00"),
                2 => params[0] = json!("somebody"),
                3 => params[1] = json!("ffffffff"),
                _ => params = json!({"no": "array"}),
            }
        }
        let (number, work) = (self.current.unwrap_or_default(), &job.work);
        tell!(
            setting,
            "rig {}.{number} sends {hash} of {work} under {}",
            self.index,
            job.extranonce1
        );
        self.call(setting, "mining.submit", &params, Call::Share { honest });
        if honest {
            self.sent.truncate(MAX_SENT - 1);
            let Job { work, extranonce1, .. } = job;
            self.sent.push_front(Sent { work, extranonce1, extranonce2, hash });
        }
        if kind == Kind::Repeats && twice {
            self.call(setting, "mining.submit", &params, Call::Share { honest: false });
        }
        self.plan_find(setting, difficulty);
    }
}

impl Sent {
    fn is_for(&self, job: &Job) -> bool {
        self.work == job.work && self.extranonce1 == job.extranonce1
    }
}

/// Which job ids a rig was told: ids of a route grow by one, so bits do.
#[derive(Debug, Default)]
struct Ids {
    bits: Vec<u64>,
}

impl Ids {
    /// Notes an id, counted from the first that any rig was told; gives that count, and whether it
    /// was told before.
    fn note(&mut self, id: u32, first: u32) -> (u32, bool) {
        let relative = id.wrapping_sub(first);
        // An early id may be overtaken by another rig's by a few.
        let place = relative.wrapping_add(1024) as usize;
        let (word, bit) = (place / 64, 1 << (place % 64));
        if self.bits.len() <= word {
            self.bits.resize(word.min(1 << 22) + 1, 0);
        }
        let Some(word) = self.bits.get_mut(word) else { return (relative, false) };
        let known = *word & bit != 0;
        *word |= bit;
        (relative, known)
    }
}
