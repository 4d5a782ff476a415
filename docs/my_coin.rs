// A whole coin to copy from: everything that a dialect must say, and nothing that it may.
//
// Its notify is `[work, job id, target]`, its submit `[worker, job id, extranonce2, nonce]`. Its
// hash is a toy, which proves nothing.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use orepass_stratum::bytes::BytesMut;
use orepass_stratum::dialect::{
    Announced, BasisOf, Checked, CleanJobs, Comparison, Diagnosis, Dialect, ExtranonceTime,
    FailedShare, Fingerprint, Fingerprinted, NoRoom, NotifyForm, OpenJobs, PoolAnswer, PoolCall,
    PoolEvent, PoolQuestion, Price, RigCall, RigSay, RigSpace, Rules, ShareTarget, Split, Splits,
    Subscribed, Wanted, Work, WorkKey,
};
use orepass_stratum::error::{ParseError, Reject};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::habits::Habits;
use orepass_stratum::job::JobId;
use orepass_stratum::rpc::{self, Hex, Params, Quoted, RpcCall, RpcReply};
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

impl Work<Share> for Job {
    fn id(&self) -> &str {
        &self.id
    }

    fn key(&self) -> WorkKey {
        WorkKey::of(&self.work)
    }

    fn parent(&self) -> Option<u64> {
        None
    }

    fn supersedes(&self, old: &Self) -> bool {
        old.work != self.work
    }

    fn serves(&self, _: &Share) -> bool {
        true
    }

    fn is_complete(&self) -> bool {
        true
    }
}

impl Fingerprinted for Share {
    fn fingerprint(&self) -> Fingerprint {
        let mut hasher = DefaultHasher::new();
        (self.extranonce2.as_bytes(), self.nonce).hash(&mut hasher);
        Fingerprint { share: hasher.finish(), nonce: None }
    }
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
        Price { wanted: Wanted::sure(target), block: Some(job.target) }
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

    fn why(&self, _: &BasisOf<'_, Self>, _: FailedShare<'_, Share>) -> Option<Diagnosis> {
        None
    }

    // --- towards the pool ---

    fn hear_pool(&self, call: RpcCall<'_>, (): &mut ()) -> PoolEvent<Job> {
        match call.method {
            sv1::NOTIFY => PoolEvent::Job(job(call.params_or_null())),
            _ => sv1::hear_pool(call),
        }
    }

    fn hear_answer(
        &self,
        to: PoolQuestion<'_, Job>,
        answer: &RpcReply<'_>,
        (): &mut (),
    ) -> PoolAnswer {
        match to {
            PoolQuestion::Subscribe { .. } => {
                sv1::subscribed(answer, |result| subscribed(result).map(Some))
            }
            to => sv1::hear_answer(to, answer),
        }
    }

    fn tell_pool(&self, call: PoolCall<'_, Job, Share>, out: &mut BytesMut) {
        match call {
            PoolCall::Submit { id, worker, job, prefix, share } => {
                let (worker, job, prefix) = (Quoted(worker), Quoted(&job.id), Hex(prefix));
                let (own, nonce) = (&share.extranonce2, share.nonce);
                let params = format_args!("[{worker},{job},\"{prefix}{own}\",\"{nonce:08x}\"]");
                rpc::put_request(out, id, sv1::SUBMIT, params);
            }
            call => sv1::tell_pool(call, out),
        }
    }
}

fn job(params: &RawValue) -> Result<Job, ParseError> {
    let wrong = |expected| ParseError::field("params", expected, params.get());
    let params = Params::read(params).map_err(|_| wrong("an array"))?;
    let [work, id, target] =
        strings(params.elements()).ok_or_else(|| wrong("[work, job id, target]"))?;
    let target = Target::from_hex(&target).map_err(|_| wrong("a target in hex"))?;
    Ok(Job { id, work, target })
}

fn subscribed(result: &RawValue) -> Result<Subscribed, ParseError> {
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
