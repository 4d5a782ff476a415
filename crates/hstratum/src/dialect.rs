//! [`Hstratum`]: the crate's parts behind the proxy's trait.

use std::fmt::Write;
use std::time::Duration;

use arrayvec::ArrayString;
use bytes::BytesMut;
use orepass_stratum::dialect::{
    Announced, Basis, BasisOf, Checked, CleanJobs, Comparison, Diagnosis, Dialect, ExtranonceTime,
    FailedShare, NotifyForm, OpenJobs, PoolAnswer, PoolCall, PoolEvent, PoolQuestion, Price,
    Refusal, RigCall, RigSay, Rules, ShareTarget, Splits, Subscribed, Wanted, Work,
};
use orepass_stratum::error::Reject;
use orepass_stratum::extranonce::MAX_EXTRANONCE;
use orepass_stratum::habits::{Habit, Habits};
use orepass_stratum::job::JobId;
use orepass_stratum::rpc::{self, Params, PoolError, Quoted, RpcCall, RpcReply};
use orepass_stratum::sv1;
use orepass_stratum::target::{Difficulty, Scale, Target};

use crate::firmware::RigLogin;
use crate::job::Job;
use crate::options::Options;
use crate::scale::DifficultyScale;
use crate::share::{self, Share};
use crate::wire::subscribe::parse_subscribed;
use crate::wire::{event, list, submit};
use crate::{diagnose, split};

const GET_TRANSACTIONS: &str = "mining.get_transactions";
/// The number of the question about a job's transactions, the only one that there is.
const TRANSACTIONS: u8 = 0;

/// What a pool may mean by a difficulty, the usual first.
const SCALES: [DifficultyScale; 2] = [DifficultyScale::Bitcoin, DifficultyScale::Hstratum];

/// Handshake's stratum, of both generations; which one a pool speaks is told by its jobs.
#[derive(Debug, Clone, Default)]
pub struct Hstratum {
    options: Options,
}

impl Hstratum {
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

    /// What the pool means by a difficulty, as far as it has not shown another meaning.
    #[must_use]
    pub fn pool_scale(&self, job: &Job) -> DifficultyScale {
        self.options.difficulty_scale.unwrap_or(match job {
            Job::Deployed(_) => SCALES[0],
            Job::Seed(_) => SCALES[1],
        })
    }

    /// What the rigs mean by a difficulty.
    #[must_use]
    pub fn rig_scale(&self, job: &Job) -> DifficultyScale {
        self.options.rig_difficulty_scale.unwrap_or_else(|| self.pool_scale(job))
    }

    /// Servers of the hstratum family also take a share that is a block but misses the share
    /// target, which happens where blocks are easier than shares. HandyStratum tells the mask's hash
    /// in jobs of the deployed generation, and judges on the seed's scale; others may tell it too,
    /// so the pool has to show which one it means.
    fn wanted(&self, job: &Job, announced: &Announced) -> Wanted {
        let difficulty = match (announced.target, announced.difficulty) {
            (Some(target), _) | (None, Some(ShareTarget::Target(target))) => {
                return Wanted::sure(target);
            }
            (None, Some(ShareTarget::Difficulty(difficulty))) => difficulty,
            (None, None) => Difficulty::ONE,
        };
        let of = |scale: DifficultyScale| match (scale, job.block_target()) {
            (DifficultyScale::Hstratum, Some(block)) => {
                scale.scale().target(difficulty).easier(block)
            }
            _ => scale.scale().target(difficulty),
        };
        if self.options.difficulty_scale.is_none() && job.tells_mask() {
            let [usual, other] = SCALES.map(of);
            return Wanted::either(Habit::DifficultyScale, usual, other);
        }
        Wanted::sure(of(self.pool_scale(job)))
    }
}

impl Dialect for Hstratum {
    const NAME: &'static str = "hstratum";

    type Job = Job;
    type Share = Share;
    type Terms = ();
    type Rig = RigLogin;
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
            habits: self.options.habits(),
            scale_names: ["bitcoin", "hstratum"],
            unexplained_refusal: Some(
                "a HandyStratum server takes an account only after it was added there, by a miner's \
                 `mining.add_user` or in its users file",
            ),
        }
    }

    fn hear_rig<'a>(&self, call: RpcCall<'a>, rig: &mut RigLogin) -> RigCall<'a> {
        match call.method {
            sv1::SUBMIT => RigCall::Submit(sv1::submit(call.params, submit::arity)),
            GET_TRANSACTIONS => sv1::query(call.params, TRANSACTIONS),
            _ => {
                rig.note(call);
                sv1::hear_rig(call)
            }
        }
    }

    fn tell_rig(&self, say: RigSay<'_, Job, ()>, _: &RigLogin, out: &mut BytesMut) {
        match say {
            RigSay::Refused(id, reject) => rpc::put_error(out, id, reject, "false"),
            // The session's id is extranonce1, as with every server known; some ASIC firmware is said
            // to need it so.
            RigSay::Subscribed { id, given, .. } => {
                let mut session = ArrayString::<{ 2 * MAX_EXTRANONCE }>::new();
                // It holds the digits of the longest one.
                let _ = write!(session, "{}", given.extranonce1);
                sv1::tell_rig::<Job, ()>(RigSay::Subscribed { id, session: &session, given }, out);
            }
            RigSay::Answered { id, job: Job::Seed(job), kind: TRANSACTIONS } => {
                if let Some(transactions) = job.transactions() {
                    rpc::put_result(out, id, list(transactions));
                }
            }
            say => sv1::tell_rig(say, out),
        }
    }

    fn notify(&self, id: JobId, job: &Job, _target: &Target, form: NotifyForm, out: &mut BytesMut) {
        let mut text = ArrayString::<16>::new();
        // Sixteen bytes hold the eight digits of an id.
        let _ = write!(text, "{id}");
        match job {
            Job::Deployed(job) => rpc::put_notification(out, sv1::NOTIFY, job.notify(&text)),
            Job::Seed(job) => {
                rpc::put_notification(out, sv1::NOTIFY, job.notify(&text, form.clean));
            }
        }
    }

    fn read_share(&self, told: &BasisOf<'_, Self>, fields: &Params<'_>) -> Result<Share, Reject> {
        Share::parse(told.job, told.extranonce2, fields)
    }

    fn check(
        &self,
        told: &BasisOf<'_, Self>,
        share: &Share,
        easiest: &Target,
        job_age: Duration,
        _scratch: &mut (),
    ) -> Result<Checked, Reject> {
        let Basis { job, extranonce1, .. } = *told;
        share::check_time(job, share, job_age)?;
        if !job.is_complete() {
            share::check_size(job, extranonce1.as_bytes(), share)?;
            return Ok(Checked::Unchecked);
        }
        let judged = share::judge(job, extranonce1.as_bytes(), share, easiest)?;
        let hash = judged.hash;
        if !judged.meets_target {
            return Err(Reject::low_difficulty(format!(
                "high-hash: {hash} is above the target {easiest}"
            )));
        }
        Ok(Checked::Proven(hash))
    }

    fn scale(&self, job: &Job) -> Scale {
        self.rig_scale(job).scale()
    }

    fn price(&self, job: &Job, announced: &Announced, _: Habits) -> Price {
        Price { wanted: self.wanted(job, announced), block: job.block_target() }
    }

    fn splits(&self, given: &Subscribed, prefix_bytes: Option<usize>) -> Splits {
        split::splits(given, self.options.split, prefix_bytes)
    }

    fn why(&self, told: &BasisOf<'_, Self>, failed: FailedShare<'_, Share>) -> Option<Diagnosis> {
        let Basis { job, extranonce1, pool_extranonce1, extranonce2, .. } = *told;
        match failed {
            FailedShare::Form(fields) => diagnose::diagnose_form(job, extranonce2, fields),
            FailedShare::Share { share, target } => {
                let (one, scale) = (extranonce1.as_bytes(), self.rig_scale(job));
                diagnose::diagnose(job, one, pool_extranonce1, share, target, scale)
            }
        }
    }

    fn hear_pool(&self, call: RpcCall<'_>, (): &mut ()) -> PoolEvent<Job> {
        event::hear(call)
    }

    /// Servers take the id of a former session and give out the next of a counter all the same,
    /// which begins anew with the server; the session id is the extranonce1. That they give the
    /// same again is chance and proves no resumed session: former jobs are open once they are told
    /// again.
    fn hear_answer(
        &self,
        to: PoolQuestion<'_, Job>,
        answer: &RpcReply<'_>,
        (): &mut (),
    ) -> PoolAnswer {
        match to {
            PoolQuestion::Subscribe { .. } => {
                sv1::subscribed(answer, |result| parse_subscribed(result).map(Some))
            }
            PoolQuestion::Job(Job::Seed(job)) => sv1::learnt(answer, |answer| job.learn(answer)),
            PoolQuestion::Share => sv1::verdict(answer, refusal),
            to => sv1::hear_answer(to, answer),
        }
    }

    fn tell_pool(&self, call: PoolCall<'_, Job, Share>, out: &mut BytesMut) {
        match call {
            PoolCall::Ask { id, job } if matches!(job, Job::Seed(job) if job.needs_transactions()) =>
            {
                let job = Quoted(job.id());
                rpc::put_request(out, id, "mining.get_transactions", format_args!("[{job}]"));
            }
            PoolCall::Submit { id, worker, job, prefix, share } => {
                rpc::put_request(out, id, sv1::SUBMIT, submit::submit(worker, job, prefix, share));
            }
            call => sv1::tell_pool(call, out),
        }
    }
}

/// hstratum and its successors use code 0 both for a field's form and for work that is out of
/// date; their words tell which.
fn refusal(error: &PoolError) -> Refusal {
    match (error.code, &*error.message) {
        (Some(0), "invalid params") => Refusal::Form,
        (Some(0), "not up to date") => Refusal::Stale,
        _ => Refusal::common(error),
    }
}
