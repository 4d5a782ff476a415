//! A coin without hashing, for tests of sessions and policy.
//!
//! Its notify is `[job, previous block, work, clean]`, its submit
//! `[worker, job, extranonce2, hash]`: the rig says what its hash is. Difficulty `d` is the target
//! 2²⁵⁶ / d. A hash `ee…` is a bad proof. A pool's job `late…` takes only shares whose extranonce2
//! ends in `ff`, and a job whose work is `ask…` cannot be checked, and is asked about. A job whose
//! work is `bound…` takes only hashes that end in [`bound_to`] the extranonces and the work. A
//! session `kept…` that the pool gives again is resumed. An extranonce2 `5e…` may have several
//! hashes, of which a pool counts the first.

mod calls;

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use ruint::aliases::U256;
use serde_json::value::RawValue;

use crate::common_calls;
use crate::dialect::{
    Announced, Basis, BasisOf, Checked, CleanJobs, Comparison, Diagnosis, Dialect, ExtranonceTime,
    FailedShare, Fingerprint, NoRoom, NotifyForm, OpenJobs, Pace, PoolEvent, RigCall, RigNeeds,
    RigSay, RigSpace, Rules, ShareTarget, Split, Subscribed, Wanted, WorkKey,
};
use crate::error::{ParseError, Reject};
use crate::extranonce::Extranonce;
use crate::firmware::Firmware;
use crate::habits::{Answer, Habit, Habits};
use crate::job::JobId;
use crate::rpc::{self, Hex, Params, Quoted, RpcCall};
use crate::sv1;
use crate::target::{Difficulty, PowHash, Scale, Target};

pub use calls::{PlainRig, check, diagnose, form, heard_submit, read_share};

/// Some instant to count from.
#[expect(clippy::disallowed_methods, reason = "tests need some first instant")]
#[must_use]
pub fn start() -> Instant {
    Instant::now()
}

/// The test coin with targets that are announced ahead of their jobs.
pub type TestCoin = Coin<false>;
/// The test coin with targets that are announced behind their jobs.
pub type LateTargetCoin = Coin<true>;

/// The dialect of the test coin.
#[derive(Debug, Clone, Default)]
pub struct Coin<const TARGET_FOLLOWS: bool> {
    /// The pace towards pools.
    pub pace: Option<Pace>,
    /// The split is wide until a share is refused for its form.
    pub wide: bool,
    /// How long a replaced job stays open.
    pub linger: Option<Duration>,
    /// The pool may be asked whether it takes an extranonce2 of the whole announced size behind the
    /// prefix.
    pub asks_split: bool,
    /// The pool may mean 256 times easier targets by its difficulties.
    pub asks_scale: bool,
    /// Rigs are told their extranonce when they have authorized.
    pub late_extranonce: bool,
}

/// A job of the test coin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestJob {
    /// The pool's id.
    pub id: String,
    /// The previous block.
    pub previous: String,
    /// What is hashed.
    pub work: String,
    /// The pool's flag.
    pub clean: bool,
}

/// A share of the test coin.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TestShare {
    /// The rig's part.
    pub extranonce2: Extranonce,
    /// What the rig says it found.
    pub hash: PowHash,
}

/// What a rig of the test coin has negotiated: the bits that it may roll, as far as the pool's terms
/// are a mask of them. It is told its jobs by `test.notify` then, and its submit has a fifth part, the
/// bits that it rolled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TestRig {
    rolls: u32,
}

impl RigNeeds for TestRig {
    fn flavour(&self) -> u8 {
        u8::from(self.rolls > 0)
    }

    fn firmware(&self) -> Firmware {
        Firmware::default()
    }
}

/// The scale of the test coin.
#[must_use]
pub fn scale() -> Scale {
    Scale::from_power_of_two(256)
}

/// The last bytes of a hash for a job whose work is `bound…`. `extranonce` is extranonce1 and
/// extranonce2 in one, so a pool and a rig compute the same from their different parts of it.
#[must_use]
pub fn bound_to(extranonce: &Extranonce, work: &str) -> [u8; 8] {
    let mut hasher = DefaultHasher::new();
    extranonce.as_bytes().hash(&mut hasher);
    work.hash(&mut hasher);
    hasher.finish().to_be_bytes()
}

fn texts<const N: usize>(elements: &[&RawValue], count: usize) -> Option<[String; N]> {
    if count != N {
        return None;
    }
    let mut texts = elements.iter().map(|e| rpc::string(e).map(Cow::into_owned));
    let mut out = [const { String::new() }; N];
    for slot in &mut out {
        *slot = texts.next()??;
    }
    Some(out)
}

fn arity() -> Reject {
    Reject::invalid("submit takes 4 strings")
}

impl<const TARGET_FOLLOWS: bool> Dialect for Coin<TARGET_FOLLOWS> {
    const NAME: &'static str = "test";
    type Job = TestJob;
    type Share = TestShare;
    type Terms = u32;
    type Rig = TestRig;
    type Scratch = ();

    fn rules(&self) -> Rules {
        Rules {
            open: OpenJobs { count: 4, linger: self.linger },
            pace: self.pace,
            good: Comparison::AtOrBelow,
            clean: CleanJobs::ByEpoch,
            target_in_notify: false,
            target_behind_notify: TARGET_FOLLOWS.then_some(Duration::from_millis(50)),
            hello: if self.late_extranonce {
                ExtranonceTime::AfterAuthorize
            } else {
                ExtranonceTime::InSubscribed
            },
            checks_workers: true,
            second_solutions: false,
            habits: Habits::default(),
            scale_names: ["usual", "other"],
            unexplained_refusal: None,
        }
    }

    fn hear_rig<'a>(&self, call: RpcCall<'a>, rig: &mut TestRig) -> RigCall<'a> {
        match call.method {
            "test.configure" => {
                let bits = call.params.and_then(common_calls::first).and_then(rpc::whole);
                rig.rolls = bits.and_then(|bits| bits.try_into().ok()).unwrap_or_default();
                RigCall::Configure
            }
            sv1::SUBMIT => RigCall::Submit(sv1::submit(call.params, |_| arity())),
            _ => sv1::hear_rig(call),
        }
    }

    fn tell_rig(&self, say: RigSay<'_, TestJob, u32>, rig: &TestRig, out: &mut BytesMut) {
        match say {
            RigSay::Configured { id, .. } if rig.rolls > 0 => {
                rpc::put_result(out, id, format_args!("{{\"rolls\":{}}}", rig.rolls));
            }
            RigSay::Terms(mask) if rig.rolls > 0 => {
                rpc::put_notification(out, "test.set_mask", format_args!("[{}]", rig.rolls & mask));
            }
            RigSay::Subscribed { id, session, given: RigSpace { extranonce1, extranonce2 } } => {
                let result = format_args!("[\"{session}\",\"{extranonce1}\",{extranonce2}]");
                rpc::put_result(out, id, result);
            }
            say => sv1::tell_rig(say, out),
        }
    }

    fn notify(&self, id: JobId, job: &TestJob, _: &Target, form: NotifyForm, out: &mut BytesMut) {
        let (previous, work, clean) = (Quoted(&job.previous), Quoted(&job.work), form.clean);
        let params = format_args!("[\"{id}\",{previous},{work},{clean}]");
        let method = if form.flavour == 0 { sv1::NOTIFY } else { "test.notify" };
        rpc::put_notification(out, method, params);
    }

    fn read_share(
        &self,
        told: &BasisOf<'_, Self>,
        fields: &Params<'_>,
    ) -> Result<TestShare, Reject> {
        let (elements, rolls) = (fields.elements(), told.rig.rolls > 0);
        let [_, _, text, hash] =
            texts(elements, fields.count().saturating_sub(rolls.into())).ok_or_else(arity)?;
        if rolls {
            let bits = elements.get(4).and_then(|bits| rpc::whole(bits)).ok_or_else(arity)?;
            let mask = told.rig.rolls & told.terms;
            if bits & !u64::from(mask) != 0 {
                return Err(Reject::invalid(format!("bits {bits} are not of the mask {mask}")));
            }
        }
        let extranonce2: Extranonce =
            text.parse().map_err(|_| Reject::invalid("extranonce2 is not hex"))?;
        if extranonce2.len() != told.extranonce2 {
            return Err(Reject::wrong_size(extranonce2.len(), told.extranonce2, &text));
        }
        let hash = Target::from_hex(&hash).map_err(|_| Reject::invalid("hash is not hex"))?;
        Ok(TestShare { extranonce2, hash: PowHash::from_be_bytes(hash.to_be_bytes()) })
    }

    fn checkable(&self, job: &TestJob) -> bool {
        !job.work.starts_with("ask")
    }

    fn check(
        &self,
        told: &BasisOf<'_, Self>,
        share: &TestShare,
        easiest: &Target,
        _: Duration,
        (): &mut (),
    ) -> Result<Checked, Reject> {
        let Basis { job, extranonce1, .. } = *told;
        let bound = || {
            let whole = extranonce1.join(share.extranonce2.as_bytes()).ok()?;
            Some(bound_to(&whole, &job.work))
        };
        let hash = share.hash.as_be_bytes();
        let unbound = job.work.starts_with("bound") && bound().is_none_or(|tag| hash[24..] != tag);
        if hash[0] == 0xee || unbound {
            return Err(Reject::invalid("bad proof"));
        }
        if !self.checkable(job) {
            return Ok(Checked::Unchecked);
        }
        if !self.rules().good.meets(&share.hash, easiest) {
            return Err(Reject::low_difficulty(format!("high-hash {}", share.hash)));
        }
        Ok(Checked::Proven(share.hash))
    }

    fn fingerprint(&self, share: &TestShare) -> Fingerprint {
        let hash_of = |part: &dyn Fn(&mut DefaultHasher)| {
            let mut hasher = DefaultHasher::new();
            part(&mut hasher);
            hasher.finish()
        };
        let extranonce2 = share.extranonce2.as_bytes();
        let several = extranonce2.first() == Some(&0x5e);
        Fingerprint {
            share: hash_of(&|hasher| share.hash(hasher)),
            nonce: several.then(|| hash_of(&|hasher| extranonce2.hash(hasher))),
        }
    }

    fn block_target(&self, _: &TestJob, _: &Announced, _: Habits) -> Option<Target> {
        Some(Target::new(U256::MAX >> 32))
    }

    fn header(&self, _: &TestJob, _: &Extranonce, _: &TestShare) -> Option<Vec<u8>> {
        None
    }

    fn rig_difficulty(&self, _: &TestJob, target: &Target) -> Difficulty {
        scale().difficulty_lossy(*target)
    }

    fn rig_target(&self, _: &TestJob, difficulty: Difficulty) -> Target {
        scale().target(difficulty)
    }

    fn why(
        &self,
        told: &BasisOf<'_, Self>,
        failed: FailedShare<'_, TestShare>,
    ) -> Option<Diagnosis> {
        let FailedShare::Form(fields) = failed else { return None };
        let [_, _, extranonce2, _] = texts(fields.elements(), fields.count())?;
        let found = extranonce2.parse::<Extranonce>().ok()?.len();
        (found != told.extranonce2).then_some(Diagnosis::IgnoresExtranonce2Size)
    }

    fn put_subscribe(&self, id: u64, agent: &str, former: Option<&str>, out: &mut BytesMut) {
        let agent = Quoted(agent);
        match former {
            Some(former) => {
                let params = format_args!("[{agent},{}]", Quoted(former));
                rpc::put_request(out, id, "mining.subscribe", params);
            }
            None => rpc::put_request(out, id, "mining.subscribe", format_args!("[{agent}]")),
        }
    }

    fn parse_subscribed(&self, result: &RawValue) -> Result<Subscribed, ParseError> {
        let wrong = || ParseError::field("subscribe result", "[session, hex, size]", result.get());
        let (elements, _) = rpc::array::<3>(result).ok_or_else(wrong)?;
        let extranonce1 = elements.get(1).and_then(|text| rpc::string(text)).ok_or_else(wrong)?;
        Ok(Subscribed {
            extranonce1: extranonce1.parse().map_err(|_| wrong())?,
            announced_size: elements.get(2).and_then(|size| size.get().parse().ok()),
            session: elements.first().and_then(|id| rpc::string(id)).map(Into::into),
        })
    }

    fn resumes(&self, asked: &str, _: &Subscribed) -> bool {
        asked.starts_with("kept")
    }

    fn split(
        &self,
        given: &Subscribed,
        prefix_bytes: Option<usize>,
        known: Option<Answer>,
    ) -> Result<Split, NoRoom> {
        let prefix_bytes = prefix_bytes.unwrap_or(1);
        let extranonce2 = given.announced_size.unwrap_or(4);
        let extranonce1 = given.extranonce1.len();
        if prefix_bytes >= extranonce2 {
            let remedy = "set a smaller `prefix_bytes`";
            return Err(NoRoom { extranonce1, extranonce2, prefix: prefix_bytes, remedy });
        }
        let may_fall_back = self.wide && known != Some(Answer::Usual);
        let wide = may_fall_back || self.asks_split && known == Some(Answer::Other);
        Ok(Split {
            extranonce1: given.extranonce1.clone(),
            prefix_bytes,
            rig_extranonce2: if wide { extranonce2 } else { extranonce2 - prefix_bytes },
            wide: may_fall_back,
            probe: (self.asks_split && known.is_none()).then_some(extranonce2),
            remark: None,
        })
    }

    fn parse_event(
        &self,
        method: &str,
        params: &RawValue,
    ) -> Result<PoolEvent<TestJob>, ParseError> {
        let wrong = || ParseError::field("params", "the test coin's", params.get());
        let (elements, count) = rpc::array::<4>(params).ok_or_else(wrong)?;
        let text = |at: usize| elements.get(at).and_then(|e| rpc::string(e)).ok_or_else(wrong);
        Ok(match method {
            "mining.notify" if count != 4 => {
                return Err(ParseError::arity("mining.notify", "4", count));
            }
            "mining.notify" => PoolEvent::Notify(TestJob {
                id: text(0)?.into_owned(),
                previous: text(1)?.into_owned(),
                work: text(2)?.into_owned(),
                clean: elements[3].get() == "true",
            }),
            "mining.set_difficulty" => {
                let difficulty = elements.first().and_then(|d| rpc::number(d));
                let difficulty = difficulty.and_then(Difficulty::new).ok_or_else(wrong)?;
                PoolEvent::Difficulty(ShareTarget::Difficulty(difficulty))
            }
            "mining.set_target" => {
                PoolEvent::Target(Target::from_hex(&text(0)?).map_err(|_| wrong())?)
            }
            "mining.set_extranonce" => PoolEvent::Extranonce {
                extranonce1: text(0)?.parse().map_err(|_| wrong())?,
                size: None,
            },
            _ => return common_calls::common(method, params),
        })
    }

    fn job_id<'a>(&self, job: &'a TestJob) -> &'a str {
        &job.id
    }

    fn work_key(&self, job: &TestJob) -> WorkKey {
        WorkKey::of((&job.previous, &job.work))
    }

    fn supersedes(&self, old: &TestJob, new: &TestJob) -> bool {
        new.clean || old.previous != new.previous
    }

    fn block_key(&self, job: &TestJob) -> Option<u64> {
        let mut hasher = DefaultHasher::new();
        job.previous.hash(&mut hasher);
        Some(hasher.finish())
    }

    fn serves(&self, job: &TestJob, share: &TestShare) -> bool {
        !job.id.starts_with("late") || share.extranonce2.as_bytes().last() == Some(&0xff)
    }

    fn pool_target(&self, _: &TestJob, announced: &Announced) -> Wanted {
        let target = match (announced.target, announced.difficulty) {
            (Some(target), _) | (None, Some(ShareTarget::Target(target))) => target,
            (None, Some(ShareTarget::Difficulty(difficulty))) => scale().target(difficulty),
            (None, None) => scale().target(Difficulty::ONE),
        };
        if !self.asks_scale {
            return Wanted::sure(target);
        }
        let easier = Target::new(target.value().saturating_shl(8));
        Wanted::either(Habit::DifficultyScale, target, easier)
    }

    fn put_question(&self, id: u64, job: &TestJob, out: &mut BytesMut) -> bool {
        if !job.work.starts_with("ask") {
            return false;
        }
        rpc::put_request(out, id, "test.ask", format_args!("[{}]", Quoted(&job.id)));
        true
    }

    fn learn(&self, _: &TestJob, answer: &RawValue) -> Result<(), ParseError> {
        let text = rpc::string(answer);
        text.map(|_| ()).ok_or_else(|| ParseError::field("answer", "a string", answer.get()))
    }

    fn put_submit(
        &self,
        id: u64,
        worker: &str,
        job: &TestJob,
        prefix: &[u8],
        share: &TestShare,
        out: &mut BytesMut,
    ) {
        let (worker, job, prefix) = (Quoted(worker), Quoted(&job.id), Hex(prefix));
        let TestShare { extranonce2, hash } = share;
        let params = format_args!("[{worker},{job},\"{prefix}{extranonce2}\",\"{hash}\"]");
        rpc::put_request(out, id, "mining.submit", params);
    }
}
