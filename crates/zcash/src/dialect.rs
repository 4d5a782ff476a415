//! [`Zcash`]: the crate's parts behind the proxy's trait.

use std::time::Duration;

use bytes::BytesMut;
use orepass_equihash::Scratch;
use orepass_stratum::dialect::{
    Announced, Basis, BasisOf, Checked, CleanJobs, Comparison, Diagnosis, Dialect, ExtranonceTime,
    FailedShare, NotifyForm, OpenJobs, Pace, PoolAnswer, PoolCall, PoolEvent, PoolQuestion, Price,
    RigCall, RigSay, Rules, Splits, Subscribed, Wanted,
};
use orepass_stratum::error::Reject;
use orepass_stratum::habits::Habits;
use orepass_stratum::job::JobId;
use orepass_stratum::rpc::{self, Params, Quoted, RpcCall, RpcReply};
use orepass_stratum::sv1;
use orepass_stratum::target::{Scale, Target};

use crate::job::Job;
use crate::pow::scale;
use crate::share::{self, Share};
use crate::{diagnose, split, wire};

/// More jobs than a pool tells for one block.
const OPEN_JOBS: usize = 8;

/// Zcash's stratum, as ZIP 301 has it. It has no options: what the protocol leaves open, servers do
/// alike.
#[derive(Debug, Clone, Copy, Default)]
pub struct Zcash;

impl Dialect for Zcash {
    const NAME: &'static str = "zcash";

    type Job = Job;
    type Share = Share;
    type Terms = ();
    type Rig = ();
    type Scratch = Scratch;

    fn rules(&self) -> Rules {
        Rules {
            open: OpenJobs { count: OPEN_JOBS, linger: None },
            // Servers of the NOMP family drop a connection of which more than 10,240 bytes arrive at
            // once, and a submit has about 2,900.
            pace: Some(Pace { bytes: 9_600, submits: 3 }),
            good: Comparison::AtOrBelow,
            // As those servers say it, and as nheqminer needs it, which ignores all other jobs.
            clean: CleanJobs::Always,
            target_in_notify: false,
            target_behind_notify: None,
            hello: ExtranonceTime::InSubscribed,
            checks_workers: true,
            // Two solutions of one nonce that both meet a share's target are so rare that it is for the
            // pool to say whether it counts them.
            second_solutions: true,
            habits: Habits::default(),
            scale_names: ["usual", "other"],
            unexplained_refusal: None,
        }
    }

    fn hear_rig<'a>(&self, call: RpcCall<'a>, (): &mut ()) -> RigCall<'a> {
        match call.method {
            sv1::SUBMIT => RigCall::Submit(sv1::submit(call.params, wire::arity)),
            sv1::SUGGEST_TARGET => sv1::suggest_target(call.params, scale()),
            _ => sv1::hear_rig(call),
        }
    }

    /// The session is null: none is resumed. The size of extranonce2 is what extranonce1 leaves of 32
    /// bytes.
    fn tell_rig(&self, say: RigSay<'_, Job, ()>, (): &(), out: &mut BytesMut) {
        match say {
            RigSay::Subscribed { id, given, .. } => {
                rpc::put_result(out, id, format_args!("[null,\"{}\"]", given.extranonce1));
            }
            RigSay::Target { target, .. } => {
                rpc::put_notification(out, sv1::SET_TARGET, format_args!("[\"{target}\"]"));
            }
            say => sv1::tell_rig(say, out),
        }
    }

    fn notify(&self, id: JobId, job: &Job, _: &Target, form: NotifyForm, out: &mut BytesMut) {
        rpc::put_notification(out, sv1::NOTIFY, job.notify(id, form.clean));
    }

    fn read_share(&self, told: &BasisOf<'_, Self>, fields: &Params<'_>) -> Result<Share, Reject> {
        Share::parse(told.extranonce2, fields)
    }

    fn check(
        &self,
        told: &BasisOf<'_, Self>,
        share: &Share,
        easiest: &Target,
        job_age: Duration,
        scratch: &mut Scratch,
    ) -> Result<Checked, Reject> {
        let Basis { job, extranonce1, .. } = *told;
        share::check_time(job, share, job_age)?;
        let judged = share::judge(job, extranonce1, share, easiest, scratch)?;
        let hash = judged.hash;
        if !judged.meets_target {
            return Err(Reject::low_difficulty(format!(
                "low difficulty: {hash} is above the target {easiest}"
            )));
        }
        Ok(Checked::Proven(hash))
    }

    fn scale(&self, _job: &Job) -> Scale {
        scale()
    }

    /// Servers announce targets. A difficulty is read on the scale that ZIP 301 names, and where
    /// nothing is announced the easiest target of the chain is in force.
    fn price(&self, job: &Job, announced: &Announced, _: Habits) -> Price {
        let wanted = Wanted::sure(announced.on(scale()));
        Price { wanted, block: Target::from_compact(job.bits) }
    }

    fn splits(&self, given: &Subscribed, prefix_bytes: Option<usize>) -> Splits {
        Splits::sure(split::split(given, prefix_bytes))
    }

    fn why(&self, told: &BasisOf<'_, Self>, failed: FailedShare<'_, Share>) -> Option<Diagnosis> {
        match failed {
            FailedShare::Form(fields) => diagnose::diagnose_form(told.extranonce2, fields),
            FailedShare::Share { share, target } => diagnose::diagnose(told, share, target),
        }
    }

    fn hear_pool(&self, call: RpcCall<'_>, (): &mut ()) -> PoolEvent<Job> {
        match call.method {
            sv1::NOTIFY => PoolEvent::Job(Job::parse(call.params_or_null())),
            _ => sv1::hear_pool(call),
        }
    }

    /// A server that gives a session's id once more has its jobs too: by ZIP 301 one that does not know
    /// the session must give another.
    fn hear_answer(
        &self,
        to: PoolQuestion<'_, Job>,
        answer: &RpcReply<'_>,
        (): &mut (),
    ) -> PoolAnswer {
        match to {
            PoolQuestion::Subscribe { .. } => {
                match sv1::subscribed(answer, |result| wire::subscribed(result).map(Some)) {
                    PoolAnswer::Subscribed { given, .. } => {
                        PoolAnswer::Subscribed { given, resumed: true }
                    }
                    other => other,
                }
            }
            to => sv1::hear_answer(to, answer),
        }
    }

    fn tell_pool(&self, call: PoolCall<'_, Job, Share>, out: &mut BytesMut) {
        match call {
            PoolCall::Subscribe { id, agent, former, server } => {
                let session = former.map_or_else(|| "null".to_owned(), |id| Quoted(id).to_string());
                let server = server
                    .map_or_else(String::new, |(host, port)| format!(",{},{port}", Quoted(host)));
                let params = format_args!("[{},{session}{server}]", Quoted(agent));
                rpc::put_request(out, id, sv1::SUBSCRIBE, params);
            }
            PoolCall::Suggest { id, difficulty } => {
                let target = scale().target(difficulty);
                rpc::put_request(out, id, sv1::SUGGEST_TARGET, format_args!("[\"{target}\"]"));
            }
            PoolCall::Submit { id, worker, job, prefix, share } => {
                let params = wire::submit(worker, job, prefix, share);
                rpc::put_request(out, id, sv1::SUBMIT, params);
            }
            call => sv1::tell_pool(call, out),
        }
    }
}
