//! What every dialect must do, whatever its coin: [`Kit::run`] is a test for any of them.
//!
//! A dialect is held against itself: what it says as a pool it must hear as a miner, and the other way
//! round, so a rig behind a proxy behind a proxy is told the same. Each check panics where it fails,
//! and says what was found.

mod damage;
mod played;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::dialect::{
    Announced, Checked, Comparison, Dialect, ExtranonceTime, FailedShare, Fingerprinted,
    PoolAnswer, PoolCall, PoolEvent, PoolQuestion, Refusal, RigCall, RigNeeds, RigSay, Subscribed,
    Work,
};
use crate::error::Reject;
use crate::extranonce::Extranonce;
use crate::habits::Habits;
use crate::job::JobId;
use crate::rpc::{Id, Message, Params, RpcCall};
use crate::target::{Difficulty, Target};
use crate::verdict::Verdict;

/// Runs something, and tells how many allocations this thread made for it.
pub type CountAllocations = fn(&mut dyn FnMut()) -> u64;

/// A dialect, and what servers and rigs of its coin say.
#[derive(Debug)]
pub struct Kit<D: Dialect> {
    /// The dialect.
    pub dialect: D,
    /// Whole lines by which pools tell jobs, each of another work; the first is that of `submits`.
    pub jobs: Vec<String>,
    /// Whole lines of calls that a rig makes before it submits, in their order.
    pub login: Vec<String>,
    /// Whole lines by which a rig submits different shares for the first job, each with a hash that can
    /// be checked.
    pub submits: Vec<String>,
    /// What the pool granted the connection.
    pub terms: D::Terms,
    /// The extranonce1 of that rig: the pool's, and a prefix of one byte.
    pub extranonce1: Extranonce,
    /// The length of its extranonce2, in bytes.
    pub extranonce2: usize,
    /// How allocations are counted, where they are: with the crate `allocation-counter`,
    /// `Some(|run| measure(run).count_total)`.
    pub allocations: Option<CountAllocations>,
}

impl<D: Dialect> Kit<D> {
    /// All checks.
    ///
    /// # Panics
    /// Where one fails.
    pub fn run(&self) {
        self.jobs_are_heard_as_they_are_told();
        self.the_same_bytes_are_told_to_all_of_a_flavour();
        self.targets_are_heard_as_they_are_told();
        self.an_extranonce_is_heard_as_it_is_told();
        self.verdicts_are_heard_as_they_are_told();
        self.a_rigs_calls_are_heard_as_they_are_made();
        self.an_extranonce_can_be_divided();
        self.equal_shares_have_equal_fingerprints();
        self.verdicts_turn_at_the_target();
        self.checks_do_not_allocate();
        self.no_bytes_panic();
    }

    /// A job that is told to a rig is the same work as the pool's, and other jobs are not.
    ///
    /// # Panics
    /// Where it is not so.
    pub fn jobs_are_heard_as_they_are_told(&self) {
        let jobs = self.heard_jobs();
        for (at, job) in jobs.iter().enumerate() {
            let id = JobId::new(0x6b00_0001);
            for clean in [false, true] {
                let again = self.heard_job(&self.told(id, job, Target::MAX, clean, 0));
                assert_eq!(again.id(), id.to_string(), "another id than was told");
                assert_eq!(again.key(), job.key(), "another work than was told");
                assert_eq!(again.parent(), job.parent(), "another block than was told");
            }
            for other in jobs.iter().take(at) {
                assert_ne!(other.key(), job.key(), "two jobs are one work");
            }
        }
    }

    /// What is rendered once for many rigs is the same each time.
    ///
    /// # Panics
    /// Where it is not so.
    pub fn the_same_bytes_are_told_to_all_of_a_flavour(&self) {
        let job = self.first_job();
        let flavour = self.rig().flavour();
        for clean in [false, true] {
            let line = || self.told(JobId::new(7), &job, Target::MAX, clean, flavour);
            assert_eq!(line(), line(), "a frame is not what it was");
            Self::is_a_line(&line());
        }
    }

    /// A target that a rig is told means about the same as the pool's.
    ///
    /// # Panics
    /// Where it is not so.
    pub fn targets_are_heard_as_they_are_told(&self) {
        for job in &self.heard_jobs() {
            let wanted = |announced: &Announced| {
                let price = self.dialect.price(job, announced, Habits::USUAL);
                price.wanted.surely(Habits::USUAL)
            };
            let target = wanted(&Announced::default());
            let difficulty = self.dialect.scale(job).difficulty_lossy(target);
            let line = self.say(RigSay::Target { target: &target, difficulty });
            if line.is_empty() {
                let in_notify = self.dialect.rules().target_in_notify;
                assert!(in_notify, "rigs are told a target neither with their jobs nor before");
                continue;
            }
            let announced = match self.hear(&line) {
                PoolEvent::Difficulty(told) => Announced { difficulty: Some(told), target: None },
                PoolEvent::Target(told) => Announced { difficulty: None, target: Some(told) },
                other => panic!("a target is heard as {other:?}: {line}"),
            };
            let ratio = wanted(&announced).hashes_lossy() / target.hashes_lossy();
            assert!((0.99..1.01).contains(&ratio), "{line} means {ratio} of {target}");
        }
    }

    /// A rig's part of the extranonce is heard as an extranonce, in the answer to its subscribe or after
    /// it.
    ///
    /// # Panics
    /// Where it is not so.
    pub fn an_extranonce_is_heard_as_it_is_told(&self) {
        let space = self.space();
        let id = Id::null();
        let line = self.say(RigSay::Subscribed { id: &id, session: "5e55", given: space });
        let given = match self.answer(PoolQuestion::Subscribe { former: None }, &line) {
            PoolAnswer::Subscribed { given, .. } => given,
            other => panic!("a subscribe's answer is heard as {other:?}: {line}"),
        };
        let in_answer = self.dialect.rules().hello == ExtranonceTime::InSubscribed;
        assert_eq!(given.is_some(), in_answer, "rules and answer differ: {line}");
        if let Some(Subscribed { extranonce1, announced_size, .. }) = given {
            assert_eq!(&extranonce1, space.extranonce1, "{line}");
            assert!(announced_size.is_none_or(|size| size == space.extranonce2), "{line}");
        }
        let line = self.say(RigSay::Extranonce(space));
        match self.hear(&line) {
            PoolEvent::Extranonce { extranonce1, size } => {
                assert_eq!(&extranonce1, space.extranonce1, "{line}");
                assert!(size.is_none_or(|size| size == space.extranonce2), "{line}");
            }
            other => panic!("an extranonce is heard as {other:?}: {line}"),
        }
    }

    /// Yes is heard as yes, and a refusal for what it is.
    ///
    /// # Panics
    /// Where it is not so.
    pub fn verdicts_are_heard_as_they_are_told(&self) {
        let id = Id::null();
        for (to, say) in [
            (PoolQuestion::Login, RigSay::Granted(&id)),
            (PoolQuestion::Name, RigSay::Granted(&id)),
            (PoolQuestion::Share, RigSay::Taken(&id)),
        ] {
            let (answer, line) = self.said_and_heard(to, say);
            assert!(matches!(answer, PoolAnswer::Yes), "{line} is heard as {answer:?}");
        }
        for (reject, expected) in [
            (Reject::stale("the job is over"), Refusal::Stale),
            (Reject::duplicate(), Refusal::Duplicate),
            (Reject::low_difficulty("high-hash"), Refusal::LowDifficulty),
            (Reject::unauthorized("worker"), Refusal::Unauthorized),
        ] {
            let say = RigSay::Refused(&id, &reject);
            let (answer, line) = self.said_and_heard(PoolQuestion::Share, say);
            let PoolAnswer::No(refusal, _) = answer else { panic!("{line} is no refusal") };
            assert_eq!(refusal, expected, "{line}");
        }
        assert!(
            !self.say(RigSay::Pong(&id)).is_empty(),
            "a rig that asks for any answer gets none"
        );
    }

    /// What is said to a pool is understood from a rig: a proxy may stand behind another.
    ///
    /// # Panics
    /// Where it is not so.
    pub fn a_rigs_calls_are_heard_as_they_are_made(&self) {
        let mut rig = D::Rig::default();
        let server = Some(("pool.example", 3333));
        let call = PoolCall::Subscribe { id: 1, agent: "kit/1", former: None, server };
        let line = self.ask(call);
        match self.hear_rig(&line, &mut rig) {
            RigCall::Subscribe { agent, .. } => {
                assert_eq!(agent.as_deref(), Some("kit/1"), "{line}");
            }
            other => panic!("a subscribe is heard as {other:?}: {line}"),
        }
        let (user, password) = ("account.\"farm\"", "x");
        let line = self.ask(PoolCall::Authorize { id: 2, user, password });
        match self.hear_rig(&line, &mut rig) {
            RigCall::Authorize { worker, password } => {
                assert_eq!((worker.as_deref(), password.as_deref()), (Some(user), Some("x")));
            }
            other => panic!("an authorize is heard as {other:?}: {line}"),
        }
        let line = self.ask(PoolCall::Configure { id: 3 });
        if !line.is_empty() {
            let heard = self.hear_rig(&line, &mut rig);
            assert!(matches!(heard, RigCall::Configure), "{heard:?}: {line}");
        }
        let line = self.ask(PoolCall::Suggest { id: 4, difficulty: Difficulty::ONE });
        if !line.is_empty() {
            let heard = self.hear_rig(&line, &mut rig);
            assert!(matches!(heard, RigCall::Suggest(Some(Difficulty::ONE))), "{heard:?}: {line}");
        }
        let line = self.ask(PoolCall::Probe { id: 5 });
        assert!(!line.is_empty(), "a silent pool is asked nothing");
        let job = self.first_job();
        for share in self.shares(&job) {
            let (worker, prefix) = (user, &[][..]);
            let call = PoolCall::Submit { id: 6, worker, job: &job, prefix, share: &share };
            let line = self.ask(call);
            let again = self.read(&job, &line).unwrap_or_else(|reject| panic!("{line}: {reject}"));
            assert_eq!(again.fingerprint(), share.fingerprint(), "another share: {line}");
        }
    }

    /// What a pool gives leaves room for rigs, and no byte is given twice.
    ///
    /// # Panics
    /// Where it is not so.
    pub fn an_extranonce_can_be_divided(&self) {
        let (pool, _) = self.extranonce1.split(self.extranonce1.len() - 1).expect("a prefix");
        let announced_size = Some(self.extranonce2 + 1);
        let given = Subscribed { extranonce1: pool.clone(), announced_size, session: None };
        let split = self.dialect.splits(&given, Some(1)).choose(None);
        let split = split.unwrap_or_else(|no_room| panic!("{no_room}"));
        assert_eq!((&split.extranonce1, split.prefix_bytes), (&pool, 1), "{split:?}");
        assert!(split.rig_extranonce2 > 0, "{split:?}");
        let alone = self.dialect.splits(&given, Some(0)).choose(None);
        assert_eq!(alone.map(|split| split.prefix_bytes), Ok(0), "a rig of its own");
    }

    /// A share that is read twice is the same share, and another one is another.
    ///
    /// # Panics
    /// Where it is not so.
    pub fn equal_shares_have_equal_fingerprints(&self) {
        let job = self.first_job();
        let (shares, again) = (self.shares(&job), self.shares(&job));
        for (at, share) in shares.iter().enumerate() {
            assert_eq!(share.fingerprint(), again[at].fingerprint());
            assert!(job.serves(share), "its own job does not serve it: {share:?}");
            for other in shares.iter().take(at) {
                assert_ne!(share.fingerprint().share, other.fingerprint().share);
            }
        }
    }

    /// A hash is good at its own target, or just above it, as the rules say; and no sooner.
    ///
    /// # Panics
    /// Where it is not so.
    pub fn verdicts_turn_at_the_target(&self) {
        let job = self.first_job();
        for share in self.shares(&job) {
            let hash = self.proven(&job, &share);
            let at = hash.as_target().value();
            let one = ruint::aliases::U256::from(1);
            let (good, bad) = match self.dialect.rules().good {
                Comparison::AtOrBelow => (at, at.saturating_sub(one)),
                Comparison::Below => (at.saturating_add(one), at),
            };
            let judged = |target| self.judged(&job, &share, &Target::new(target));
            let taken = judged(good);
            assert!(matches!(taken, Ok(Checked::Proven(found)) if found == hash), "{taken:?}");
            let refused = judged(bad).map_err(|reject| reject.verdict);
            assert_eq!(refused, Err(Verdict::LowDifficulty), "{hash} at {bad:064x}");
        }
    }

    /// A good share costs no memory, and neither does one that misses its target but for its reason.
    ///
    /// # Panics
    /// Where it is not so.
    pub fn checks_do_not_allocate(&self) {
        let Some(count) = self.allocations else { return };
        let job = self.first_job();
        let rig = self.rig();
        let mut scratch = D::Scratch::default();
        for share in self.shares(&job) {
            let mut check = || {
                let basis = self.basis(&job, &rig);
                self.dialect.check(&basis, &share, &Target::MAX, Duration::ZERO, &mut scratch)
            };
            let warm = check();
            let mut checked = None;
            assert_eq!(count(&mut || checked = Some(check())), 0, "a check allocates");
            assert_eq!(checked.and_then(Result::ok), warm.ok());
        }
    }

    /// No byte of a line can be changed so that anything panics.
    ///
    /// # Panics
    /// Where one can.
    pub fn no_bytes_panic(&self) {
        let job = self.first_job();
        let own: Vec<String> = [
            self.say(RigSay::Extranonce(self.space())),
            self.ask(PoolCall::Probe { id: 1 }),
            self.ask(PoolCall::Configure { id: 1 }),
            self.ask(PoolCall::Ask { id: 1, job: &job }),
        ]
        .into();
        let lines = self.jobs.iter().chain(&self.login).chain(&self.submits);
        for line in lines.chain(&own) {
            for damaged in damage::of(line.as_bytes()) {
                self.survive(&damaged, &job);
            }
        }
    }

    /// Hears a line in every way that it might be meant.
    fn survive(&self, line: &[u8], known: &D::Job) {
        let Ok(message) = Message::parse(line) else { return };
        let mut rig = self.rig();
        if let Some(method) = message.method.as_deref() {
            let call = RpcCall { method, params: message.params };
            if let PoolEvent::Job(Ok(job)) = self.dialect.hear_pool(call, &mut self.terms.clone()) {
                self.told(JobId::new(1), &job, Target::MAX, true, rig.flavour());
                let _ = (job.supersedes(known), known.supersedes(&job));
            }
            if let RigCall::Submit(Ok(submit)) = self.dialect.hear_rig(call, &mut rig) {
                self.judge(&submit.fields, known, &rig);
            }
        }
        let reply = message.reply(line);
        for to in [
            PoolQuestion::Configure,
            PoolQuestion::Subscribe { former: Some("5e55") },
            PoolQuestion::Login,
            PoolQuestion::Share,
            PoolQuestion::Job(known),
        ] {
            let _ = self.dialect.hear_answer(to, &reply, &mut self.terms.clone());
        }
    }

    fn judge(&self, fields: &Params<'_>, job: &D::Job, rig: &D::Rig) {
        let basis = self.basis(job, rig);
        let _ = self.dialect.why(&basis, FailedShare::Form(fields));
        let Ok(share) = self.dialect.read_share(&basis, fields) else { return };
        let mut scratch = D::Scratch::default();
        let target = &Target::ZERO;
        let age = Duration::MAX;
        let _ = self.dialect.check(&basis, &share, target, age, &mut scratch);
        let failed = FailedShare::Share { share: &share, target };
        let _ = self.dialect.why(&basis, failed);
    }
}
