//! [`Bitcoin`]: the crate's parts behind the proxy's trait.

use std::time::Duration;

use bytes::BytesMut;
use orepass_stratum::dialect::{
    Announced, Basis, BasisOf, Checked, CleanJobs, Comparison, Diagnosis, Dialect, ExtranonceTime,
    FailedShare, NotifyForm, OpenJobs, PoolAnswer, PoolCall, PoolEvent, PoolQuestion, Price,
    Refusal, RigCall, RigSay, Rules, Splits, Subscribed, Wanted,
};
use orepass_stratum::error::Reject;
use orepass_stratum::extranonce::MAX_EXTRANONCE;
use orepass_stratum::firmware::USUAL_EXTRANONCE2;
use orepass_stratum::habits::Habits;
use orepass_stratum::job::JobId;
use orepass_stratum::rpc::{self, Params, PoolError, RpcCall, RpcReply};
use orepass_stratum::sv1;
use orepass_stratum::target::{Scale, Target};

use crate::job::Job;
use crate::options::Options;
use crate::rig::RigWishes;
use crate::share::{self, Share};
use crate::terms::{CoinbaseRoom, PoolGrant};
use crate::wire::{configure, submit};
use crate::{diagnose, payout, scale, split};

/// Bitcoin's stratum.
#[derive(Debug, Clone, Default)]
pub struct Bitcoin {
    options: Options,
}

impl Bitcoin {
    /// With one pool's options.
    #[must_use]
    pub const fn new(options: Options) -> Self {
        Self { options }
    }

    /// What it was made with.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// A job, unless it pays others than the operator wants.
    fn hear_job(&self, call: RpcCall<'_>, grant: &PoolGrant) -> PoolEvent<Job> {
        let job = Job::parse(call.params_or_null(), grant.room);
        let wanted = &self.options.verify_payout;
        match &job {
            Ok(job) if !wanted.is_empty() => match payout::verify(job, wanted) {
                Ok(()) => {}
                Err(why) => return PoolEvent::Barred(why),
            },
            _ => {}
        }
        PoolEvent::Job(job)
    }
}

impl Dialect for Bitcoin {
    const NAME: &'static str = "bitcoin";

    type Job = Job;
    type Share = Share;
    type Terms = PoolGrant;
    type Rig = RigWishes;
    type Scratch = ();

    fn rules(&self) -> Rules {
        Rules {
            open: OpenJobs { count: self.options.open_jobs, linger: None },
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

    fn hear_rig<'a>(&self, call: RpcCall<'a>, rig: &mut RigWishes) -> RigCall<'a> {
        match call.method {
            sv1::SUBMIT => RigCall::Submit(sv1::submit(call.params, submit::arity)),
            sv1::CONFIGURE => {
                if let Some(params) = call.params {
                    configure::note_wishes(params, self.options.version_mask, rig);
                }
                RigCall::Configure
            }
            sv1::SUGGEST_TARGET => sv1::suggest_target(call.params, scale::bitcoin()),
            _ => sv1::hear_rig(call),
        }
    }

    fn tell_rig(&self, say: RigSay<'_, Job, PoolGrant>, rig: &RigWishes, out: &mut BytesMut) {
        match say {
            RigSay::Configured { id, asked } => {
                rpc::put_result(out, id, configure::granted(asked, rig));
            }
            // A rig takes what it wished for as granted until it hears this, before its first job.
            RigSay::Terms(grant) if !rig.mask.is_none() => {
                let mask = grant.mask_of(rig);
                let params = format_args!("[\"{mask}\"]");
                rpc::put_notification(out, configure::SET_VERSION_MASK, params);
            }
            say => sv1::tell_rig(say, out),
        }
    }

    fn notify(&self, id: JobId, job: &Job, _target: &Target, form: NotifyForm, out: &mut BytesMut) {
        rpc::put_notification(out, sv1::NOTIFY, job.notify(id, form.clean));
    }

    fn read_share(&self, told: &BasisOf<'_, Self>, fields: &Params<'_>) -> Result<Share, Reject> {
        submit::read(told, fields)
    }

    // --- the work ---

    fn scale(&self, _: &Job) -> Scale {
        scale::bitcoin()
    }

    fn price(&self, job: &Job, announced: &Announced, _: Habits) -> Price {
        Price { wanted: Wanted::sure(announced.on(scale::bitcoin())), block: job.block_target() }
    }

    fn splits(&self, given: &Subscribed, prefix_bytes: Option<usize>) -> Splits {
        split::splits(given, prefix_bytes)
    }

    fn check(
        &self,
        told: &BasisOf<'_, Self>,
        share: &Share,
        easiest: &Target,
        job_age: Duration,
        (): &mut (),
    ) -> Result<Checked, Reject> {
        let Basis { job, extranonce1, .. } = *told;
        share::check_time(job, share, job_age)?;
        let hash = share::hash(job, extranonce1.as_bytes(), share);
        if !hash.at_or_below(easiest) {
            let reason = format!("high-hash: {hash} is above the target {easiest}");
            return Err(Reject::low_difficulty(reason));
        }
        Ok(Checked::Proven(hash))
    }

    fn why(&self, told: &BasisOf<'_, Self>, failed: FailedShare<'_, Share>) -> Option<Diagnosis> {
        match failed {
            FailedShare::Form(fields) => diagnose::diagnose_form(told, fields),
            FailedShare::Share { share, target } => diagnose::diagnose(told, share, target),
        }
    }

    // --- towards the pool ---

    fn hear_pool(&self, call: RpcCall<'_>, grant: &mut PoolGrant) -> PoolEvent<Job> {
        let params = call.params_or_null();
        match call.method {
            sv1::NOTIFY => self.hear_job(call, grant),
            configure::SET_VERSION_MASK => match configure::set_version_mask(params) {
                Ok(mask) => {
                    grant.mask = mask.and(self.options.version_mask);
                    PoolEvent::Noted
                }
                Err(error) => PoolEvent::Unusable(error),
            },
            _ => {
                let event = sv1::hear_pool(call);
                if let PoolEvent::Extranonce { extranonce1, size } = &event {
                    let before = grant.room.map(|room| room.extranonce2);
                    let extranonce2 = size.or(before).unwrap_or(USUAL_EXTRANONCE2);
                    let extranonce1 = extranonce1.len();
                    grant.room = Some(CoinbaseRoom { extranonce1, extranonce2 });
                }
                event
            }
        }
    }

    /// Servers take the id of a former session as a wish; that they give the same extranonce1 again
    /// proves no resumed session: former jobs are open once they are told again.
    fn hear_answer(
        &self,
        to: PoolQuestion<'_, Job>,
        answer: &RpcReply<'_>,
        grant: &mut PoolGrant,
    ) -> PoolAnswer {
        match to {
            PoolQuestion::Configure => {
                let granted = answer.result.map(configure::grant).unwrap_or_default();
                grant.mask = granted.and(self.options.version_mask);
                PoolAnswer::Yes
            }
            PoolQuestion::Subscribe { .. } => sv1::subscribed(answer, |result| {
                let given = sv1::read_subscribed(result, MAX_EXTRANONCE)?;
                grant.room = Some(CoinbaseRoom {
                    extranonce1: given.extranonce1.len(),
                    extranonce2: given.announced_size.unwrap_or(USUAL_EXTRANONCE2),
                });
                Ok(Some(given))
            }),
            PoolQuestion::Share => sv1::verdict(answer, refusal),
            to => sv1::hear_answer(to, answer),
        }
    }

    fn tell_pool(&self, call: PoolCall<'_, Job, Share>, out: &mut BytesMut) {
        match call {
            PoolCall::Configure { id } => {
                let mask = self.options.version_mask;
                if !mask.is_none() {
                    rpc::put_request(out, id, sv1::CONFIGURE, configure::wish(mask));
                }
            }
            PoolCall::Submit { id, worker, job, prefix, share } => {
                rpc::put_request(out, id, sv1::SUBMIT, submit::submit(worker, job, prefix, share));
            }
            call => sv1::tell_pool(call, out),
        }
    }
}

/// ckpool has words of its own for a hash that misses the target and for a worker of another name.
fn refusal(error: &PoolError) -> Refusal {
    let message = error.message.to_ascii_lowercase();
    match Refusal::common(error) {
        Refusal::Other if message.contains("above target") => Refusal::LowDifficulty,
        Refusal::Other if message.contains("worker mismatch") => Refusal::Unauthorized,
        refusal => refusal,
    }
}
