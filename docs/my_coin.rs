// A whole coin to copy from: everything that a dialect must say, and nothing that it may.
//
// Its notify is `[work, job id, target]`, its submit `[worker, job id, extranonce2, nonce]`. Its
// hash is a toy, which proves nothing.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use orepass_stratum::bytes::BytesMut;
use orepass_stratum::common_calls;
use orepass_stratum::dialect::{
    Announced, BasisOf, Checked, CleanJobs, Comparison, Diagnosis, Dialect, ExtranonceTime,
    FailedShare, Fingerprint, NoRoom, NotifyForm, OpenJobs, PoolEvent, RigCall, RigSay, RigSpace,
    Rules, ShareTarget, Split, Subscribed, Wanted, WorkKey,
};
use orepass_stratum::error::{ParseError, Reject};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::habits::{Answer, Habits};
use orepass_stratum::job::JobId;
use orepass_stratum::rpc::{self, Hex, Params, Quoted, RpcCall};
use orepass_stratum::serde_json::value::RawValue;
use orepass_stratum::sv1;
use orepass_stratum::target::{Difficulty, PowHash, Scale, Target};

/// The stratum of my coin.
pub struct MyCoin {
    /// For how many jobs a pool takes shares.
    pub open_jobs: usize,
}

/// A job.
#[derive(Debug)]
pub struct Job {
    id: String,
    work: String,
    /// Of a block.
    target: Target,
}

/// A share.
#[derive(Debug)]
pub struct Share {
    extranonce2: Extranonce,
    nonce: u32,
}

/// Difficulty d is the target 2²⁵⁶ / d.
fn scale() -> Scale {
    Scale::from_power_of_two(256)
}

/// The first elements of an array, which are strings.
fn strings<const N: usize>(elements: &[&RawValue]) -> Option<[String; N]> {
    let texts = elements.iter().take(N).filter_map(|element| rpc::string(element));
    texts.map(String::from).collect::<Vec<_>>().try_into().ok()
}

fn hash(job: &Job, extranonce1: &Extranonce, share: &Share) -> PowHash {
    let mut bytes = [0; 32];
    for (at, part) in bytes.chunks_mut(8).enumerate() {
        let mut hasher = DefaultHasher::new();
        let extranonce = [extranonce1.as_bytes(), share.extranonce2.as_bytes()];
        (at, &job.work, extranonce.concat(), share.nonce).hash(&mut hasher);
        part.copy_from_slice(&hasher.finish().to_be_bytes());
    }
    PowHash::from_be_bytes(bytes)
}

fn four_strings() -> Reject {
    Reject::invalid("a submit is 4 strings")
}

impl Dialect for MyCoin {
    const NAME: &'static str = "my-coin";

    type Job = Job;
    type Share = Share;
    type Terms = ();
    type Rig = ();
    type Scratch = ();

    fn rules(&self) -> Rules {
        Rules {
            open: OpenJobs { count: self.open_jobs, linger: None },
            pace: None,
            good: Comparison::AtOrBelow,
            clean: CleanJobs::ByEpoch,
            target_in_notify: false,
            target_behind_notify: None,
            hello: ExtranonceTime::InSubscribed,
            checks_workers: true,
            second_solutions: false,
            habits: Habits::default(),
            scale_names: ["usual", "other"],
            unexplained_refusal: None,
        }
    }

    // --- towards rigs ---

    fn hear_rig<'a>(&self, call: RpcCall<'a>, (): &mut ()) -> RigCall<'a> {
        match call.method {
            sv1::SUBMIT => RigCall::Submit(sv1::submit(call.params, |_| four_strings())),
            _ => sv1::hear_rig(call),
        }
    }

    fn tell_rig(&self, say: RigSay<'_, Job, ()>, (): &(), out: &mut BytesMut) {
        match say {
            RigSay::Subscribed { id, session, given: RigSpace { extranonce1, extranonce2 } } => {
                let session = Quoted(session);
                let result = format_args!("[{session},\"{extranonce1}\",{extranonce2}]");
                rpc::put_result(out, id, result);
            }
            say => sv1::tell_rig(say, out),
        }
    }

    fn notify(&self, id: JobId, job: &Job, _: &Target, _: NotifyForm, out: &mut BytesMut) {
        let params = format_args!("[{},\"{id}\",\"{}\"]", Quoted(&job.work), job.target);
        rpc::put_notification(out, sv1::NOTIFY, params);
    }

    fn read_share(&self, told: &BasisOf<'_, Self>, fields: &Params<'_>) -> Result<Share, Reject> {
        let [_, _, extranonce2, nonce] = strings(fields.elements()).ok_or_else(four_strings)?;
        let own: Extranonce =
            extranonce2.parse().map_err(|_| Reject::invalid("extranonce2 is not hex"))?;
        if own.len() != told.extranonce2 {
            return Err(Reject::wrong_size(own.len(), told.extranonce2, &extranonce2));
        }
        let nonce = u32::from_str_radix(&nonce, 16);
        let nonce = nonce.map_err(|_| Reject::invalid("the nonce is no number in hex"))?;
        Ok(Share { extranonce2: own, nonce })
    }

    // --- proof of work ---

    fn check(
        &self,
        told: &BasisOf<'_, Self>,
        share: &Share,
        easiest: &Target,
        _job_age: Duration,
        (): &mut (),
    ) -> Result<Checked, Reject> {
        let hash = hash(told.job, told.extranonce1, share);
        if !self.rules().good.meets(&hash, easiest) {
            return Err(Reject::low_difficulty(format!("{hash} is above the target {easiest}")));
        }
        Ok(Checked::Proven(hash))
    }

    fn fingerprint(&self, share: &Share) -> Fingerprint {
        let mut hasher = DefaultHasher::new();
        (share.extranonce2.as_bytes(), share.nonce).hash(&mut hasher);
        Fingerprint { share: hasher.finish(), nonce: None }
    }

    fn block_target(&self, job: &Job, _: &Announced, _: Habits) -> Option<Target> {
        Some(job.target)
    }

    fn header(&self, _: &Job, _: &Extranonce, _: &Share) -> Option<Vec<u8>> {
        None
    }

    fn rig_difficulty(&self, _: &Job, target: &Target) -> Difficulty {
        scale().difficulty_lossy(*target)
    }

    fn rig_target(&self, _: &Job, difficulty: Difficulty) -> Target {
        scale().target(difficulty)
    }

    fn why(&self, _: &BasisOf<'_, Self>, _: FailedShare<'_, Share>) -> Option<Diagnosis> {
        None
    }

    // --- towards the pool ---

    fn put_subscribe(&self, id: u64, agent: &str, _former: Option<&str>, out: &mut BytesMut) {
        rpc::put_request(out, id, "mining.subscribe", format_args!("[{}]", Quoted(agent)));
    }

    fn parse_subscribed(&self, result: &RawValue) -> Result<Subscribed, ParseError> {
        let wrong = || ParseError::field("subscribe result", "[id, hex, size]", result.get());
        let (fields, _) = rpc::array::<3>(result).ok_or_else(wrong)?;
        let &[session, extranonce1, size] = &fields[..] else { return Err(wrong()) };
        let extranonce1 = rpc::string(extranonce1).and_then(|text| text.parse().ok());
        Ok(Subscribed {
            extranonce1: extranonce1.ok_or_else(wrong)?,
            announced_size: rpc::whole(size).and_then(|size| size.try_into().ok()),
            session: rpc::string(session).map(Into::into),
        })
    }

    fn split(
        &self,
        given: &Subscribed,
        prefix_bytes: Option<usize>,
        _known: Option<Answer>,
    ) -> Result<Split, NoRoom> {
        let prefix = prefix_bytes.unwrap_or(1);
        let (extranonce1, extranonce2) =
            (given.extranonce1.len(), given.announced_size.unwrap_or(4));
        let remedy = "set a smaller prefix_bytes";
        let no_room = NoRoom { extranonce1, extranonce2, prefix, remedy };
        Ok(Split {
            extranonce1: given.extranonce1.clone(),
            prefix_bytes: prefix,
            rig_extranonce2: extranonce2
                .checked_sub(prefix)
                .filter(|left| *left > 0)
                .ok_or(no_room)?,
            wide: false,
            probe: None,
            remark: None,
        })
    }

    fn parse_event(&self, method: &str, params: &RawValue) -> Result<PoolEvent<Job>, ParseError> {
        let wrong = |expected| ParseError::field("params", expected, params.get());
        match method {
            "mining.notify" => {
                let [work, id, target] =
                    strings(Params::read(params).map_err(|_| wrong("an array"))?.elements())
                        .ok_or_else(|| wrong("[work, job id, target]"))?;
                let target = Target::from_hex(&target).map_err(|_| wrong("a target in hex"))?;
                Ok(PoolEvent::Notify(Job { id, work, target }))
            }
            "mining.set_difficulty" => {
                let number =
                    common_calls::first(params).and_then(rpc::number).and_then(Difficulty::new);
                let difficulty = number.ok_or_else(|| wrong("a number above zero"))?;
                Ok(PoolEvent::Difficulty(ShareTarget::Difficulty(difficulty)))
            }
            _ => common_calls::common(method, params),
        }
    }

    fn job_id<'a>(&self, job: &'a Job) -> &'a str {
        &job.id
    }

    fn work_key(&self, job: &Job) -> WorkKey {
        WorkKey::of(&job.work)
    }

    fn supersedes(&self, old: &Job, new: &Job) -> bool {
        old.work != new.work
    }

    fn pool_target(&self, _: &Job, announced: &Announced) -> Wanted {
        Wanted::sure(match announced.difficulty {
            Some(ShareTarget::Difficulty(difficulty)) => scale().target(difficulty),
            Some(ShareTarget::Target(target)) => target,
            None => scale().target(Difficulty::ONE),
        })
    }

    fn put_submit(
        &self,
        id: u64,
        worker: &str,
        job: &Job,
        prefix: &[u8],
        share: &Share,
        out: &mut BytesMut,
    ) {
        let (worker, job, prefix) = (Quoted(worker), Quoted(&job.id), Hex(prefix));
        let (own, nonce) = (&share.extranonce2, share.nonce);
        let params = format_args!("[{worker},{job},\"{prefix}{own}\",\"{nonce:08x}\"]");
        rpc::put_request(out, id, "mining.submit", params);
    }
}
