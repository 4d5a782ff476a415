//! The toy coin's stratum: a [`Dialect`] from its first line to its last.
//!
//! Its notify is `[parent, job id, root, version, block target, clean]`, all but the last of them strings
//! of hex, its submit `[worker, job id, extranonce2, nonce]` and, where versions roll, the bits of the
//! version. The
//! extranonce comes by `mining.set_extranonce` after the authorize. Versions roll as Bitcoin's do
//! (BIP 310): a rig wishes for a mask by `mining.configure`, the pool grants one, and the narrower of
//! the two holds.

pub mod config;
pub mod job;
pub mod sim;

use std::borrow::Cow;
use std::num::ParseIntError;
use std::time::Duration;

use orepass_stratum::bytes::BytesMut;
use orepass_stratum::dialect::{
    Announced, BasisOf, Checked, CleanJobs, Comparison, Diagnosis, Dialect, ExtranonceTime,
    FailedShare, GrantedTerms, NoRoom, NotifyForm, OpenJobs, PoolAnswer, PoolCall, PoolEvent,
    PoolQuestion, Price, RigCall, RigNeeds, RigSay, Rules, ShareTarget, Split, Splits, Subscribed,
    Symptom, Wanted,
};
use orepass_stratum::error::{ParseError, Reject};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::firmware::Firmware;
use orepass_stratum::habits::Habits;
use orepass_stratum::job::JobId;
use orepass_stratum::rpc::{self, Hex, Params, Quoted, RpcCall, RpcReply};
use orepass_stratum::serde_json::value::RawValue;
use orepass_stratum::serde_json::{self, Value};
use orepass_stratum::sv1;
use orepass_stratum::target::{Difficulty, Scale, Target};

use self::job::{Job, ROLLABLE, Share, scale};

/// Another mask of the version, by the pool.
const SET_VERSION_MASK: &str = "mining.set_version_mask";

/// What no other coin's rigs can do wrong.
pub const ROLLS_TOO_MUCH: Diagnosis = Diagnosis::own(&Symptom {
    name: "rolls_too_much",
    text: "its firmware rolls bits of the version that it was not given",
    advice: "its shares cannot count: another firmware is needed, or none that rolls versions",
});

/// It asked for bits of the version, and its pool grants none of them.
pub const NOTHING_TO_ROLL: Diagnosis = Diagnosis::own(&Symptom {
    name: "nothing_to_roll",
    text: "its pool lets it roll no bits of the version",
    advice: "use a pool that does, or set the rig not to roll versions",
});

/// The toy coin's stratum.
#[derive(Debug, Clone)]
pub struct Toy {
    /// For how many jobs a pool takes shares.
    pub open_jobs: usize,
}

/// The bits of the version that a pool lets its miners roll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mask(pub u32);

impl GrantedTerms<ToyRig> for Mask {
    fn misses(&self, rig: &ToyRig) -> Option<Diagnosis> {
        (rig.rolls != 0 && rig.rolls & self.0 == 0).then_some(NOTHING_TO_ROLL)
    }

    fn version_mask(&self, rig: Option<&ToyRig>) -> Option<u32> {
        Some(self.0 & rig.map_or(u32::MAX, |rig| rig.rolls))
    }
}

/// What a rig has negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ToyRig {
    /// The bits of the version that it rolls; none where it has not asked.
    pub rolls: u32,
}

impl RigNeeds for ToyRig {
    // All are told a job in one form.
    fn flavour(&self) -> u8 {
        0
    }

    fn firmware(&self) -> Firmware {
        Firmware::default()
    }
}

impl Dialect for Toy {
    const NAME: &'static str = "toy";

    type Job = Job;
    type Share = Share;
    type Terms = Mask;
    type Rig = ToyRig;
    type Scratch = ();

    fn rules(&self) -> Rules {
        Rules {
            open: OpenJobs { count: self.open_jobs, linger: None },
            pace: None,
            good: Comparison::AtOrBelow,
            clean: CleanJobs::ByEpoch,
            target_in_notify: false,
            target_behind_notify: None,
            hello: ExtranonceTime::AfterAuthorize,
            checks_workers: true,
            second_solutions: false,
            habits: Habits::default(),
            scale_names: ["usual", "other"],
            unexplained_refusal: None,
        }
    }

    // --- towards rigs ---

    fn hear_rig<'a>(&self, call: RpcCall<'a>, rig: &mut ToyRig) -> RigCall<'a> {
        match call.method {
            sv1::SUBMIT => RigCall::Submit(sv1::submit(call.params, arity)),
            sv1::CONFIGURE => {
                rig.rolls = call.params.map_or(0, wish);
                RigCall::Configure
            }
            _ => sv1::hear_rig(call),
        }
    }

    fn tell_rig(&self, say: RigSay<'_, Job, Mask>, rig: &ToyRig, out: &mut BytesMut) {
        match say {
            RigSay::Configured { id, .. } if rig.rolls != 0 => {
                rpc::put_result(out, id, granted(rig.rolls));
            }
            RigSay::Subscribed { id, .. } => rpc::put_result(out, id, true),
            // Before the rig's first job, and whenever its pool grants something else.
            RigSay::Terms(Mask(mask)) if rig.rolls != 0 => {
                let mask = rig.rolls & mask;
                rpc::put_notification(out, SET_VERSION_MASK, format_args!("[\"{mask:08x}\"]"));
            }
            say => sv1::tell_rig(say, out),
        }
    }

    fn notify(&self, id: JobId, job: &Job, _: &Target, form: NotifyForm, out: &mut BytesMut) {
        let Job { parent, root, version, block, .. } = job;
        let clean = form.clean;
        let params = format_args!(
            "[\"{parent:016x}\",\"{id}\",\"{root:016x}\",\"{version:08x}\",\"{block}\",{clean}]"
        );
        rpc::put_notification(out, sv1::NOTIFY, params);
    }

    fn read_share(&self, told: &BasisOf<'_, Self>, fields: &Params<'_>) -> Result<Share, Reject> {
        let given = text(fields, 2).zip(text(fields, 3));
        let (extranonce2, nonce) = given.ok_or_else(|| arity(fields.count()))?;
        let own: Extranonce =
            extranonce2.parse().map_err(|_| Reject::invalid("extranonce2 is not hex"))?;
        if own.len() != told.extranonce2 {
            return Err(Reject::wrong_size(own.len(), told.extranonce2, &extranonce2));
        }
        let nonce = u32::from_str_radix(&nonce, 16);
        let nonce = nonce.map_err(|_| Reject::invalid("the nonce is no number in hex"))?;
        let bits =
            bits(fields).map_err(|_| Reject::invalid("the version bits are no number in hex"))?;
        let (mask, own_mask) = (told.terms.0, own_mask(told));
        if bits & !own_mask != 0 {
            let reason = format!("version bits {bits:08x} are outside of the mask {own_mask:08x}");
            return Err(Reject::invalid(reason));
        }
        let version = told.job.version & !own_mask | bits;
        Ok(Share { extranonce2: own, nonce, version, mask })
    }

    // --- the work ---

    fn scale(&self, _: &Job) -> Scale {
        scale()
    }

    fn price(&self, job: &Job, announced: &Announced, _: Habits) -> Price {
        let target = match announced.difficulty {
            Some(ShareTarget::Difficulty(difficulty)) => scale().target(difficulty),
            Some(ShareTarget::Target(target)) => target,
            None => scale().target(Difficulty::ONE),
        };
        Price { wanted: Wanted::sure(target), block: Some(job.block) }
    }

    fn splits(&self, given: &Subscribed, prefix_bytes: Option<usize>) -> Splits {
        let prefix = prefix_bytes.unwrap_or(1);
        let (extranonce1, extranonce2) =
            (given.extranonce1.len(), given.announced_size.unwrap_or(4));
        let remedy = "set a smaller prefix_bytes";
        let no_room = NoRoom { extranonce1, extranonce2, prefix, remedy };
        let own = extranonce2.checked_sub(prefix).filter(|left| *left > 0).ok_or(no_room);
        Splits::sure(own.map(|rig_extranonce2| Split {
            extranonce1: given.extranonce1.clone(),
            prefix_bytes: prefix,
            rig_extranonce2,
            needs: None,
            probe: None,
            remark: None,
        }))
    }

    fn check(
        &self,
        told: &BasisOf<'_, Self>,
        share: &Share,
        easiest: &Target,
        _job_age: Duration,
        (): &mut (),
    ) -> Result<Checked, Reject> {
        let extranonce = [told.extranonce1.as_bytes(), share.extranonce2.as_bytes()];
        let hash = told.job.hash(share.version, extranonce, share.nonce);
        if !self.rules().good.meets(&hash, easiest) {
            return Err(Reject::low_difficulty(format!("{hash} is above the target {easiest}")));
        }
        Ok(Checked::Proven(hash))
    }

    fn why(&self, told: &BasisOf<'_, Self>, failed: FailedShare<'_, Share>) -> Option<Diagnosis> {
        let FailedShare::Form(fields) = failed else { return None };
        let foreign = bits(fields).is_ok_and(|bits| bits & !own_mask(told) != 0);
        foreign.then_some(ROLLS_TOO_MUCH)
    }

    // --- towards the pool ---

    fn hear_pool(&self, call: RpcCall<'_>, terms: &mut Mask) -> PoolEvent<Job> {
        let params = call.params_or_null();
        match call.method {
            sv1::NOTIFY => PoolEvent::Job(job(params)),
            SET_VERSION_MASK => match mask(sv1::first(params).unwrap_or(params)) {
                Ok(mask) => {
                    *terms = mask;
                    PoolEvent::Noted
                }
                Err(error) => PoolEvent::Unusable(error),
            },
            // Its pools announce difficulties alone.
            sv1::SET_TARGET => PoolEvent::Unknown,
            _ => sv1::hear_pool(call),
        }
    }

    fn hear_answer(
        &self,
        to: PoolQuestion<'_, Job>,
        answer: &RpcReply<'_>,
        terms: &mut Mask,
    ) -> PoolAnswer {
        match to {
            // The extranonce comes by a call of its own.
            PoolQuestion::Subscribe { .. } => sv1::subscribed(answer, |_| Ok(None)),
            PoolQuestion::Configure => {
                *terms = answer.result.map_or(Mask::default(), grant);
                PoolAnswer::Yes
            }
            to => sv1::hear_answer(to, answer),
        }
    }

    fn tell_pool(&self, call: PoolCall<'_, Job, Share>, out: &mut BytesMut) {
        match call {
            PoolCall::Configure { id } => {
                let wish = format_args!(
                    "[[\"version-rolling\"],{{\"version-rolling.mask\":\"{ROLLABLE:08x}\"}}]"
                );
                rpc::put_request(out, id, sv1::CONFIGURE, wish);
            }
            PoolCall::Submit { id, worker, job, prefix, share } => {
                let (worker, job, prefix) = (Quoted(worker), Quoted(&job.id), Hex(prefix));
                let Share { extranonce2: own, nonce, version, mask } = share;
                let share = format_args!("{worker},{job},\"{prefix}{own}\",\"{nonce:08x}\"");
                if *mask == 0 {
                    rpc::put_request(out, id, sv1::SUBMIT, format_args!("[{share}]"));
                } else {
                    // All bits that the pool looks at, also those that the rig must leave alone.
                    let bits = version & mask;
                    let params = format_args!("[{share},\"{bits:08x}\"]");
                    rpc::put_request(out, id, sv1::SUBMIT, params);
                }
            }
            call => sv1::tell_pool(call, out),
        }
    }
}

fn text<'a>(fields: &'a Params<'_>, at: usize) -> Option<Cow<'a, str>> {
    fields.elements().get(at).and_then(|field| rpc::string(field))
}

/// The bits of the version that a submit names; none where it is silent.
fn bits(fields: &Params<'_>) -> Result<u32, ParseIntError> {
    text(fields, 4).map_or(Ok(0), |bits| u32::from_str_radix(&bits, 16))
}

/// The bits that a rig may roll for a job.
const fn own_mask(told: &BasisOf<'_, Toy>) -> u32 {
    told.terms.0 & told.rig.rolls
}

fn arity(found: usize) -> Reject {
    Reject::invalid(format!("submit with {found} parameters, expected 4 or 5 strings"))
}

fn job(params: &RawValue) -> Result<Job, ParseError> {
    let wrong = || {
        let expected = "[parent, job id, root, version, block target]";
        ParseError::field("params", expected, params.get())
    };
    let (fields, _) = rpc::array::<5>(params).ok_or_else(wrong)?;
    let text = |at: usize| fields.get(at).and_then(|field| rpc::string(field)).ok_or_else(wrong);
    let number = |at| u64::from_str_radix(&text(at)?, 16).map_err(|_| wrong());
    Ok(Job {
        id: text(1)?.into_owned(),
        parent: number(0)?,
        root: number(2)?,
        version: number(3)?.try_into().map_err(|_| wrong())?,
        block: Target::from_hex(&text(4)?).map_err(|_| wrong())?,
    })
}

fn mask(value: &RawValue) -> Result<Mask, ParseError> {
    let mask = rpc::string(value).and_then(|text| u32::from_str_radix(&text, 16).ok());
    let error = || ParseError::field("mask", "8 hex digits", value.get());
    mask.map(|mask| Mask(mask & ROLLABLE)).ok_or_else(error)
}

/// The mask of an object with options of `mining.configure`; no bits where it names none.
fn named_mask(options: &Value) -> u32 {
    let text = options["version-rolling.mask"].as_str();
    text.and_then(|text| u32::from_str_radix(text, 16).ok()).unwrap_or_default() & ROLLABLE
}

/// What a rig wishes for: `[["version-rolling"], {"version-rolling.mask": "1fffe000"}]`.
fn wish(params: &RawValue) -> u32 {
    serde_json::from_str(params.get()).map_or(0, |wish: Value| named_mask(&wish[1]))
}

/// What a pool grants: `{"version-rolling": true, "version-rolling.mask": "1fffe000"}`.
fn grant(result: &RawValue) -> Mask {
    let grant: Value = serde_json::from_str(result.get()).unwrap_or_default();
    Mask(if grant["version-rolling"] == true { named_mask(&grant) } else { 0 })
}

fn granted(mask: u32) -> String {
    format!("{{\"version-rolling\":true,\"version-rolling.mask\":\"{mask:08x}\"}}")
}
