//! A simulated pool of the test coin. It judges each share by what it told on that connection,
//! and knows what the proxy had read of it.

mod difficulty;
mod hear;
mod judge;
mod names;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use orepass_sim::pool::{JudgedBy, PoolFault};
use orepass_stratum::extranonce::Extranonce;
use serde_json::{Value, json};

use super::pipe::{Mark, Wire};
use super::plan::Plan;
use super::setting::{Setting, tell};
use super::weather::is_jobless;
use difficulty::{Lesson, Terms};
pub(super) use names::NameRule;
use names::Names;

/// The size of extranonce2, of which the proxy takes one byte.
const EXTRANONCE2: usize = 4;
/// How long the proxy may write on as if it had not read what it has: the two meet within the
/// same instant.
const SAME_INSTANT: Duration = Duration::from_millis(5);
/// How long the proxy waits for a share's verdict.
const VERDICT_WITHIN: Duration = Duration::from_secs(30);
/// So many shares in a row without an answer, and the proxy gives the connection up.
const MAX_UNANSWERED: usize = 3;
/// The most jobs of a connection that are remembered.
const MAX_TOLD: usize = 64;
/// The most works whose shares are remembered, to find duplicates.
const MAX_WORKS: usize = 256;

/// What is to be mined.
#[derive(Debug, Clone, Default)]
pub(super) struct Work {
    number: u64,
    pub(super) id: String,
    pub(super) height: u64,
    pub(super) name: String,
    pub(super) clean: bool,
}

/// A pool.
#[derive(Debug, Default)]
pub(super) struct Pool {
    pub(super) index: usize,
    pub(super) fault: Option<PoolFault>,
    /// Since when.
    pub(super) since: Duration,
    /// From when on the proxy must use it again.
    pub(super) trusted: Duration,
    /// From when on it is sure that the proxy trusts it, unless something goes wrong.
    pub(super) sure_from: Duration,
    /// When it last refused shares for no reason.
    pub(super) refused: Option<Duration>,
    /// The shares that it refused for no reason since rigs could have gone to a better pool.
    pub(super) wasted: u64,
    /// Since when it has stayed at this block while a pool that should be used in its place has
    /// told a newer one.
    pub(super) behind_since: Option<(Duration, u64)>,
    /// Until when there may be no further connection to it.
    pub(super) crowded: Duration,
    pub(super) conns: BTreeMap<u32, Conn>,
    pub(super) work: Work,
    pub(super) difficulty: i32,
    /// How long old jobs are taken all the same.
    pub(super) linger: Option<Duration>,
    rule: JudgedBy,
    names: NameRule,
    /// When the proxy read that announcements are in force at once.
    taught: Lesson,
    /// The work before this one.
    former: Option<Work>,
    next_conn: u32,
    next_job: u64,
    next_work: u64,
    next_extranonce1: u32,
    /// The shares of the last works, by these numbers.
    shares: BTreeMap<u64, BTreeSet<(Extranonce, String)>>,
}

/// A connection to the proxy.
#[derive(Debug, Default)]
pub(super) struct Conn {
    pub(super) wire: Wire,
    pub(super) extranonce1: Extranonce,
    /// Announced, and in force from the next job on.
    next_extranonce1: Option<Extranonce>,
    /// Nothing is ever answered.
    hole: bool,
    /// The login is done and a job has been told.
    pub(super) live: bool,
    told: VecDeque<Told>,
    jobs: u64,
    terms: Terms,
    names: Names,
    /// When the shares came that are still to be answered.
    waiting: VecDeque<Duration>,
    /// What a stalled pool would have said.
    held: Vec<(String, Option<Mark>)>,
    /// Answers that the proxy read last: when, accepted ones in time, late ones.
    last_read: (Duration, u64, u64),
}

#[derive(Debug)]
struct Told {
    number: u64,
    at: Duration,
    work: Work,
    extranonce1: Extranonce,
    difficulty: i32,
    /// When it became worthless, and when the proxy read so.
    closed: Option<Duration>,
    closed_read: Option<Duration>,
    /// It did so since the extranonce changed.
    by_extranonce: bool,
    /// It was told before, and another that came later was still open.
    returns: bool,
}

impl Conn {
    /// The works that a rig may be at, and since when: the one that was told last, and where that
    /// came back while a newer one was open, the newer one.
    pub(super) fn newest(&self) -> impl Iterator<Item = (&String, Duration)> {
        let comebacks = self.told.iter().rev().take_while(|told| told.returns).count();
        let told = self.told.iter().rev().take(comebacks + 1);
        told.map(|told| (&told.work.name, told.at))
    }

    /// Whether this work was told on it, not too long ago.
    #[must_use]
    pub(super) fn has_told(&self, work: &str) -> bool {
        self.told.iter().rev().any(|told| told.work.name == work)
    }
}

impl Pool {
    #[must_use]
    pub(super) fn new(index: usize, plan: &Plan) -> Self {
        let mut pool = Self {
            index,
            difficulty: plan.difficulty,
            linger: plan.linger,
            rule: plan.rules[index].0,
            names: plan.rules[index].1,
            ..Self::default()
        };
        pool.make_work(1, true);
        pool
    }

    /// A connection comes in.
    pub(super) fn accept(&mut self, setting: &mut Setting) -> u32 {
        self.next_conn += 1;
        let hole = self.fault == Some(PoolFault::BlackHole);
        self.conns.insert(self.next_conn, Conn { hole, ..Conn::default() });
        if hole || self.fault == Some(PoolFault::Freeze) {
            self.set_deaf(true);
        }
        tell!(setting, "pool {} takes connection {}", self.index, self.next_conn);
        self.next_conn
    }

    /// Stops or starts to listen on all connections.
    pub(super) fn set_deaf(&mut self, deaf: bool) {
        for conn in self.conns.values_mut() {
            conn.wire.set_deaf(deaf || conn.hole);
        }
    }

    /// Says on all connections what was held back.
    pub(super) fn say_held(&mut self) {
        for conn in self.conns.values_mut() {
            for (line, mark) in std::mem::take(&mut conn.held) {
                conn.wire.say(&line, mark);
            }
        }
    }

    /// Closes all connections.
    pub(super) fn drop_all(&mut self, setting: &mut Setting) {
        for conn in self.conns.values_mut() {
            conn.wire.end();
        }
        tell!(setting, "pool {} drops its connections", self.index);
    }

    /// Forgets what a server forgets when it starts again.
    pub(super) fn restart(&mut self, setting: &mut Setting) {
        self.drop_all(setting);
        self.next_extranonce1 = 0;
        self.next_job = 0;
        self.make_work(self.work.height, true);
        tell!(setting, "pool {} starts again", self.index);
    }

    /// Makes another work and tells it, unless it is stalled.
    pub(super) fn new_work(&mut self, setting: &mut Setting, height: u64, clean: bool) {
        self.make_work(height, clean);
        self.tell_all(setting);
    }

    fn make_work(&mut self, height: u64, clean: bool) {
        self.next_work += 1;
        self.next_job += 1;
        let former = std::mem::take(&mut self.work);
        self.former = Some(former).filter(|former| !former.name.is_empty());
        self.work = Work {
            number: self.next_work,
            id: format!("{:x}", self.next_job),
            height,
            name: format!("bound-{}-{}", self.index, self.next_work),
            clean,
        };
    }

    /// Tells the same work under another id.
    pub(super) fn repeat_work(&mut self, setting: &mut Setting) {
        self.next_job += 1;
        self.work.id = format!("{:x}", self.next_job);
        tell!(setting, "pool {} repeats {}", self.index, self.work.name);
        self.tell_all(setting);
    }

    /// Goes back to the work before this one, if that is of the same block.
    pub(super) fn go_back(&mut self, setting: &mut Setting, clean: bool) {
        let height = self.work.height;
        let Some(former) = self.former.take().filter(|former| former.height == height) else {
            return;
        };
        self.next_job += 1;
        let work = Work { id: format!("{:x}", self.next_job), clean, ..former };
        self.former = Some(std::mem::replace(&mut self.work, work));
        tell!(setting, "pool {} goes back to {}", self.index, self.work.name);
        self.tell_all(setting);
    }

    /// Counts its jobs from the first again, on the connections that it has.
    pub(super) fn use_ids_again(&mut self, setting: &mut Setting) {
        self.next_job = 0;
        tell!(setting, "pool {} uses its job ids again", self.index);
        self.new_work(setting, self.work.height, false);
    }

    /// Tells the present work on all connections that have logged in. A stalled pool does so when
    /// it has come to.
    pub(super) fn tell_all(&mut self, setting: &mut Setting) {
        if self.fault.as_ref().is_some_and(|fault| *fault == PoolFault::Freeze || is_jobless(fault))
        {
            return;
        }
        for conn in self.live() {
            self.tell_work(setting, conn);
        }
    }

    /// The connections that have logged in.
    fn live(&self) -> Vec<u32> {
        self.conns.iter().filter(|(_, conn)| conn.live).map(|(number, _)| *number).collect()
    }

    fn tell_work(&mut self, setting: &mut Setting, number: u32) {
        let now = setting.now();
        let work = self.work.clone();
        let Some(conn) = self.conns.get_mut(&number) else { return };
        setting.tell_block(work.height);
        let moved = conn.next_extranonce1.take().inspect(|next| conn.extranonce1 = next.clone());
        conn.jobs += 1;
        let difficulty = conn.terms.notify();
        for told in &mut conn.told {
            let replaced =
                work.clean && told.work.name != work.name || told.work.height != work.height;
            if told.closed.is_none() && (replaced || moved.is_some()) {
                told.closed = Some(now);
            }
            told.by_extranonce |= moved.is_some();
        }
        let mut others = conn.told.iter().filter(|told| told.work.name != work.name);
        let returns = conn.has_told(&work.name) && others.any(|told| told.closed.is_none());
        if conn.told.len() >= MAX_TOLD {
            conn.told.pop_front();
        }
        conn.told.push_back(Told {
            number: conn.jobs,
            at: now,
            work: work.clone(),
            extranonce1: conn.extranonce1.clone(),
            difficulty,
            closed: None,
            closed_read: None,
            by_extranonce: false,
            returns,
        });
        let params = json!([work.id, format!("block-{}", work.height), work.name, work.clean]);
        let mark = Mark::Job(conn.jobs);
        tell!(
            setting,
            "pool {}.{number} tells {} as {} on block {} clean {} under {}",
            self.index,
            work.name,
            work.id,
            work.height,
            work.clean,
            conn.extranonce1
        );
        self.call(number, "mining.notify", &params, Some(mark));
    }

    fn tell_difficulty(&mut self, setting: &mut Setting, number: u32) {
        let difficulty = self.difficulty;
        let Some(conn) = self.conns.get_mut(&number) else { return };
        conn.terms.announce(difficulty);
        tell!(setting, "pool {}.{number} sets difficulty 2^{difficulty}", self.index);
        let mark = Mark::Difficulty(difficulty);
        self.call(number, "mining.set_difficulty", &json!([1_u64 << difficulty]), Some(mark));
    }

    /// Changes the difficulty on all connections.
    pub(super) fn set_difficulty(&mut self, setting: &mut Setting, difficulty: i32) {
        self.difficulty = difficulty;
        for conn in self.live() {
            self.tell_difficulty(setting, conn);
        }
    }

    /// Announces another extranonce1 on all connections; it applies from the next job on. With a
    /// `clash` it is that of the first connection.
    pub(super) fn change_extranonces(&mut self, setting: &mut Setting, clash: bool) {
        let live = self.live();
        let first = live.first().and_then(|first| self.conns.get(first));
        let taken = first.map(|conn| conn.extranonce1.clone()).filter(|_| clash);
        for number in live.into_iter().skip(usize::from(clash)) {
            let extranonce1 = taken.clone().unwrap_or_else(|| self.extranonce1());
            let params = json!([extranonce1.to_string(), EXTRANONCE2]);
            tell!(setting, "pool {}.{number} announces extranonce1 {extranonce1}", self.index);
            if let Some(conn) = self.conns.get_mut(&number) {
                conn.next_extranonce1 = Some(extranonce1);
            }
            self.call(number, "mining.set_extranonce", &params, None);
        }
    }

    /// Says the same on all connections.
    pub(super) fn say_all(&mut self, setting: &mut Setting, line: &str) {
        tell!(setting, "pool {} says {line}", self.index);
        for conn in self.live() {
            self.say(conn, line, None);
        }
    }

    fn call(&mut self, number: u32, method: &str, params: &Value, mark: Option<Mark>) {
        let line = json!({"id": null, "method": method, "params": params}).to_string();
        self.say(number, &line, mark);
    }

    fn answer(&mut self, number: u32, id: u64, result: &Value, mark: Option<Mark>) {
        let line = json!({"id": id, "result": result, "error": null}).to_string();
        self.say(number, &line, mark);
    }

    /// Says a line on a connection, or keeps it while it is stalled.
    pub(super) fn say(&mut self, number: u32, line: &str, mark: Option<Mark>) {
        let stalled = self.fault == Some(PoolFault::Freeze);
        let Some(conn) = self.conns.get_mut(&number).filter(|conn| !conn.hole) else { return };
        if let (Some(Mark::Answer { .. }), false) = (&mark, stalled) {
            conn.waiting.pop_front();
        }
        let last = self.fault == Some(PoolFault::CloseAfterShare)
            && matches!(mark, Some(Mark::Answer { .. }));
        if stalled {
            conn.held.push((line.to_owned(), mark));
        } else {
            conn.wire.say(line, mark);
        }
        if last {
            conn.wire.end();
        }
    }

    /// A new extranonce1: the next number, behind a byte that tells pools apart. In one kind of
    /// weather it is one that a connection has already.
    fn extranonce1(&mut self) -> Extranonce {
        let taken = self.conns.values().rev().find(|conn| conn.live && conn.wire.is_open());
        if let (Some(PoolFault::SameExtranonce1), Some(taken)) = (&self.fault, taken) {
            return taken.extranonce1.clone();
        }
        self.next_extranonce1 += 1;
        let mut bytes = self.next_extranonce1.to_be_bytes();
        bytes[0] = self.index as u8 + 1;
        Extranonce::from_slice(&bytes).unwrap()
    }
}
