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
pub mod kit;
mod sessions;

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use bytes::BytesMut;
use ruint::aliases::U256;
use serde_json::value::RawValue;

use crate::dialect::{
    Announced, Basis, BasisOf, Checked, CleanJobs, Comparison, Diagnosis, Dialect, ExtranonceTime,
    FailedShare, Fingerprint, Fingerprinted, GrantedTerms, NoRoom, NotifyForm, OpenJobs, Pace,
    PoolAnswer, PoolCall, PoolEvent, PoolQuestion, Price, RigCall, RigNeeds, RigSay, RigSpace,
    Rules, ShareTarget, Split, Splits, Subscribed, Symptom, Wanted, Work, WorkKey,
};
use crate::error::{ParseError, Reject};
use crate::extranonce::Extranonce;
use crate::firmware::Firmware;
use crate::habits::{Answer, Habit, Habits};
use crate::job::JobId;
use crate::rpc::{self, Hex, Params, Quoted, RpcCall, RpcReply};
use crate::sv1;
use crate::target::{Difficulty, PowHash, Scale, Target};
use crate::time::Instant;

pub use calls::{
    PlainRig, answer, ask, check, diagnose, form, given, hear, heard_submit, learn, read_share,
    refusal,
};
pub use sessions::{seated_rig, written};

/// Some instant to count from, with enough before it for what is to have been earlier.
#[must_use]
pub const fn start() -> Instant {
    Instant::after_origin(Duration::from_secs(1_000_000))
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
/// bits that it rolled. With a second number in its wish it can work at no easier difficulty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TestRig {
    rolls: u32,
    least: Option<Difficulty>,
}

impl RigNeeds for TestRig {
    fn flavour(&self) -> u8 {
        u8::from(self.rolls > 0)
    }

    fn firmware(&self) -> Firmware {
        Firmware { least_difficulty: self.least, ..Firmware::default() }
    }
}

/// The bits of a mask.
impl GrantedTerms<TestRig> for u32 {
    fn misses(&self, rig: &TestRig) -> Option<Diagnosis> {
        (rig.rolls > 0 && rig.rolls & self == 0).then_some(ROLLS_NOTHING)
    }

    fn version_mask(&self, rig: Option<&TestRig>) -> Option<u32> {
        Some(self & rig.map_or(Self::MAX, |rig| rig.rolls))
    }
}

/// A rig of the test coin that may roll nothing of what it wished to.
pub const ROLLS_NOTHING: Diagnosis = Diagnosis::own(&Symptom {
    name: "rolls_nothing",
    text: "its pool lets it roll nothing",
    advice: "use another pool",
});

impl Work<TestShare> for TestJob {
    fn id(&self) -> &str {
        &self.id
    }

    fn key(&self) -> WorkKey {
        WorkKey::of((&self.previous, &self.work))
    }

    fn parent(&self) -> Option<u64> {
        Some(hash_of(&self.previous))
    }

    fn time(&self) -> Option<u64> {
        None
    }

    fn supersedes(&self, old: &Self) -> bool {
        self.clean || old.previous != self.previous
    }

    fn serves(&self, share: &TestShare) -> bool {
        !self.id.starts_with("late") || share.extranonce2.as_bytes().last() == Some(&0xff)
    }

    fn is_complete(&self) -> bool {
        !self.work.starts_with("ask")
    }

    fn remark(&self) -> Option<String> {
        self.work.starts_with("odd").then(|| "its work is odd".into())
    }
}

impl Fingerprinted for TestShare {
    fn fingerprint(&self) -> Fingerprint {
        let extranonce2 = self.extranonce2.as_bytes();
        let several = extranonce2.first() == Some(&0x5e);
        Fingerprint { share: hash_of(self), nonce: several.then(|| hash_of(extranonce2)) }
    }
}

fn hash_of(part: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    part.hash(&mut hasher);
    hasher.finish()
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
                let wishes = call.params.and_then(rpc::array::<2>).map(|(wishes, _)| wishes);
                let wish = |at: usize| wishes.as_ref()?.get(at).copied();
                let bits = wish(0).and_then(rpc::whole);
                rig.rolls = bits.and_then(|bits| bits.try_into().ok()).unwrap_or_default();
                rig.least = wish(1).and_then(rpc::number).and_then(Difficulty::new);
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

    fn why(
        &self,
        told: &BasisOf<'_, Self>,
        failed: FailedShare<'_, TestShare>,
    ) -> Option<Diagnosis> {
        let FailedShare::Form(fields) = failed else { return None };
        let [_, _, extranonce2, _] = texts(fields.elements(), fields.count())?;
        let found = extranonce2.parse::<Extranonce>().ok()?.len();
        (found != told.extranonce2).then_some(Diagnosis::IGNORES_EXTRANONCE2_SIZE)
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
        if !job.is_complete() {
            return Ok(Checked::Unchecked);
        }
        if !self.rules().good.meets(&share.hash, easiest) {
            return Err(Reject::low_difficulty(format!("high-hash {}", share.hash)));
        }
        Ok(Checked::Proven(share.hash))
    }

    fn scale(&self, _: &TestJob) -> Scale {
        scale()
    }

    fn price(&self, _: &TestJob, announced: &Announced, _: Habits) -> Price {
        let block = Some(Target::new(U256::MAX >> 32));
        let target = match (announced.target, announced.difficulty) {
            (Some(target), _) | (None, Some(ShareTarget::Target(target))) => target,
            (None, Some(ShareTarget::Difficulty(difficulty))) => scale().target(difficulty),
            (None, None) => scale().target(Difficulty::ONE),
        };
        if !self.asks_scale {
            return Price { wanted: Wanted::sure(target), block };
        }
        let easier = Target::new(target.value().saturating_shl(8));
        Price { wanted: Wanted::either(Habit::DifficultyScale, target, easier), block }
    }

    fn splits(&self, given: &Subscribed, prefix_bytes: Option<usize>) -> Splits {
        let prefix_bytes = prefix_bytes.unwrap_or(1);
        let extranonce2 = given.announced_size.unwrap_or(4);
        let extranonce1 = given.extranonce1.len();
        if prefix_bytes >= extranonce2 {
            let remedy = "set a smaller `prefix_bytes`";
            let prefix = prefix_bytes;
            return Splits::sure(Err(NoRoom { extranonce1, extranonce2, prefix, remedy }));
        }
        let split = |rig_extranonce2, probe| {
            let extranonce1 = given.extranonce1.clone();
            let (needs, remark) = (None, None);
            Ok(Split { extranonce1, prefix_bytes, rig_extranonce2, needs, probe, remark })
        };
        let probe = self.asks_split.then_some(extranonce2);
        let (narrow, wide) = (split(extranonce2 - prefix_bytes, probe), split(extranonce2, probe));
        match (self.wide, self.asks_split) {
            (true, _) => Splits::either(narrow, wide, Answer::Other),
            (false, true) => Splits::either(narrow, wide, Answer::Usual),
            (false, false) => Splits::sure(narrow),
        }
    }

    fn hear_pool(&self, call: RpcCall<'_>, mask: &mut u32) -> PoolEvent<TestJob> {
        match call.method {
            "test.set_mask" => {
                let bits = sv1::first(call.params_or_null()).and_then(rpc::whole);
                *mask = bits.and_then(|bits| bits.try_into().ok()).unwrap_or_default();
                PoolEvent::Noted
            }
            sv1::NOTIFY => match job(call.params_or_null()) {
                Ok(job) if job.work.starts_with("barred") => PoolEvent::Barred(job.work),
                job => PoolEvent::Job(job),
            },
            _ => sv1::hear_pool(call),
        }
    }

    fn hear_answer(
        &self,
        to: PoolQuestion<'_, TestJob>,
        answer: &RpcReply<'_>,
        _: &mut u32,
    ) -> PoolAnswer {
        match to {
            PoolQuestion::Subscribe { former } => match sv1::subscribed(answer, subscribed) {
                PoolAnswer::Subscribed { given, .. } => {
                    let resumed = former.is_some_and(|former| former.starts_with("kept"));
                    PoolAnswer::Subscribed { given, resumed }
                }
                other => other,
            },
            PoolQuestion::Job(_) => sv1::learnt(answer, |answer| {
                let error = || ParseError::field("answer", "a string", answer.get());
                rpc::string(answer).map(|_| ()).ok_or_else(error)
            }),
            to => sv1::hear_answer(to, answer),
        }
    }

    fn tell_pool(&self, call: PoolCall<'_, TestJob, TestShare>, out: &mut BytesMut) {
        match call {
            PoolCall::Ask { id, job } if job.work.starts_with("ask") => {
                rpc::put_request(out, id, "test.ask", format_args!("[{}]", Quoted(&job.id)));
            }
            PoolCall::Submit { id, worker, job, prefix, share } => {
                let (worker, job, prefix) = (Quoted(worker), Quoted(&job.id), Hex(prefix));
                let TestShare { extranonce2, hash } = share;
                let params = format_args!("[{worker},{job},\"{prefix}{extranonce2}\",\"{hash}\"]");
                rpc::put_request(out, id, sv1::SUBMIT, params);
            }
            call => sv1::tell_pool(call, out),
        }
    }
}

fn job(params: &RawValue) -> Result<TestJob, ParseError> {
    let wrong = || ParseError::field("params", "the test coin's", params.get());
    let (elements, count) = rpc::array::<4>(params).ok_or_else(wrong)?;
    let text = |at: usize| elements.get(at).and_then(|e| rpc::string(e)).ok_or_else(wrong);
    if count != 4 {
        return Err(ParseError::arity(sv1::NOTIFY, "4", count));
    }
    Ok(TestJob {
        id: text(0)?.into_owned(),
        previous: text(1)?.into_owned(),
        work: text(2)?.into_owned(),
        clean: elements[3].get() == "true",
    })
}

/// Reads `[session, extranonce1, size]`, or `[session, null]` where the extranonce comes later.
fn subscribed(result: &RawValue) -> Result<Option<Subscribed>, ParseError> {
    let wrong = || ParseError::field("subscribe result", "[session, hex, size]", result.get());
    let (elements, _) = rpc::array::<3>(result).ok_or_else(wrong)?;
    let extranonce1 = elements.get(1).ok_or_else(wrong)?;
    if extranonce1.get() == "null" {
        return Ok(None);
    }
    let extranonce1 = rpc::string(extranonce1).ok_or_else(wrong)?;
    Ok(Some(Subscribed {
        extranonce1: extranonce1.parse().map_err(|_| wrong())?,
        announced_size: elements.get(2).and_then(|size| size.get().parse().ok()),
        session: elements.first().and_then(|id| rpc::string(id)).map(Into::into),
    }))
}
