//! [`Aion`]: the crate's parts behind the proxy's trait.

use std::time::Duration;

use bytes::BytesMut;
use orepass_equihash::Scratch;
use orepass_stratum::dialect::{
    Announced, Basis, BasisOf, Checked, CleanJobs, Comparison, Diagnosis, Dialect, ExtranonceTime,
    FailedShare, NotifyForm, OpenJobs, Pace, PoolAnswer, PoolCall, PoolEvent, PoolQuestion, Price,
    RigCall, RigSay, RigSpace, Rules, ShareTarget, Splits, Subscribed, Wanted,
};
use orepass_stratum::error::Reject;
use orepass_stratum::habits::{Answer, Habit, Habits};
use orepass_stratum::job::JobId;
use orepass_stratum::rpc::{self, Params, Quoted, RpcCall, RpcReply};
use orepass_stratum::sv1;
use orepass_stratum::target::{Scale, Target};

use crate::job::Job;
use crate::options::{NotifyTarget, Options};
use crate::scale::DifficultyScale;
use crate::share::{self, Share};
use crate::wire::subscribe::{judge_subscribe, parse_subscribed};
use crate::wire::{event, submit};
use crate::{diagnose, split};

/// A rig that ignores jobs which are not clean must not be left on its old one for longer.
const SOFT_FOR: Duration = Duration::from_secs(60);
/// …nor for more jobs, the one that it is at included.
const SOFT_JOBS: u64 = 4;

/// Aion's stratum, as spoken by the node-based servers, by Miningcore's forks and by the miners of
/// both.
#[derive(Debug, Clone, Default)]
pub struct Aion {
    options: Options,
}

impl Aion {
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

    /// What the pool means by a difficulty.
    #[must_use]
    pub fn pool_scale(&self) -> DifficultyScale {
        self.options.difficulty_scale.unwrap_or_default()
    }

    /// A target that a server announces beside its notifies is the shares'. Where it announces a
    /// difficulty alone, Miningcore's forks judge by that, and aion_pool by the notify's target; where
    /// it announces nothing, all judge by the notify's.
    fn wanted(&self, job: &Job, announced: &Announced) -> Wanted {
        let by_difficulty = match (announced.target, announced.difficulty) {
            (Some(target), _) => return Wanted::sure(target),
            (None, None) => return Wanted::sure(job.target),
            (None, Some(ShareTarget::Target(target))) => target,
            (None, Some(ShareTarget::Difficulty(difficulty))) => {
                self.pool_scale().scale().target(difficulty)
            }
        };
        match self.options.notify_target {
            Some(NotifyTarget::Network) => Wanted::sure(by_difficulty),
            Some(NotifyTarget::Share) => Wanted::sure(job.target),
            None => Wanted::either(Habit::NotifyTarget, by_difficulty, job.target),
        }
    }

    /// The notify's target, where that is the network's. One that is also announced is the shares'
    /// own, as a proxy tells it, and beside a mere difficulty it may be.
    fn networks_target(&self, job: &Job, announced: &Announced, known: Habits) -> Option<Target> {
        let is_networks = match self.rules().habits.or(known).get(Habit::NotifyTarget) {
            Some(answer) => answer == Answer::Usual,
            None if announced.target.is_some() => announced.target != Some(job.target),
            None => announced.difficulty.is_none(),
        };
        is_networks.then_some(job.target)
    }
}

impl Dialect for Aion {
    const NAME: &'static str = "aion";

    type Job = Job;
    type Share = Share;
    type Terms = ();
    type Rig = ();
    type Scratch = Scratch;

    fn rules(&self) -> Rules {
        let Options { open_jobs, open_for, soft_jobs, second_solutions, .. } = self.options;
        let jobs = SOFT_JOBS.min(open_jobs as u64);
        Rules {
            open: OpenJobs {
                count: open_jobs.max(1),
                linger: Some(open_for.unwrap_or(Duration::MAX)),
            },
            // The node-based servers drop a connection of which more than 10,240 bytes arrive at once,
            // and a submit has about 3,050.
            pace: Some(Pace { bytes: 9_600, submits: 3 }),
            // As the kernel, the reference miner and Miningcore's forks compare. The node-based servers
            // would also take a hash that equals the target.
            good: Comparison::Below,
            clean: if soft_jobs {
                CleanJobs::Soft { within: SOFT_FOR, jobs }
            } else {
                CleanJobs::Always
            },
            target_in_notify: true,
            // Servers write the two lines together.
            target_behind_notify: Some(Duration::from_millis(5)),
            hello: ExtranonceTime::InSubscribed,
            // No known server looks at them.
            checks_workers: false,
            second_solutions,
            habits: self.options.habits(),
            scale_names: ["usual", "other"],
            unexplained_refusal: None,
        }
    }

    fn hear_rig<'a>(&self, call: RpcCall<'a>, (): &mut ()) -> RigCall<'a> {
        let params = call.params;
        match call.method {
            sv1::SUBMIT => RigCall::Submit(sv1::submit(params, submit::arity)),
            sv1::SUBSCRIBE => RigCall::Subscribe {
                agent: sv1::agent(params),
                verdict: judge_subscribe(params, self.options.strict_version),
            },
            _ => sv1::hear_rig(call),
        }
    }

    /// The size of extranonce2 is not told: it is what extranonce1 leaves of 32 bytes.
    fn tell_rig(&self, say: RigSay<'_, Job, ()>, (): &(), out: &mut BytesMut) {
        match say {
            RigSay::Subscribed { id, session, given } => {
                let (session, extranonce1) = (Quoted(session), given.extranonce1);
                rpc::put_result(out, id, format_args!("[{session},\"{extranonce1}\"]"));
            }
            RigSay::Extranonce(RigSpace { extranonce1, .. }) => {
                rpc::put_notification(
                    out,
                    sv1::SET_EXTRANONCE,
                    format_args!("[\"{extranonce1}\"]"),
                );
            }
            // Some miners obey this, the reference miner obeys the notify alone; so both are told, and
            // agree. A difficulty is never told: of the two forms in use, one makes miners disconnect.
            RigSay::Target { target, .. } => {
                rpc::put_notification(out, sv1::SET_TARGET, format_args!("[\"{target}\"]"));
            }
            say => sv1::tell_rig(say, out),
        }
    }

    fn notify(&self, id: JobId, job: &Job, target: &Target, form: NotifyForm, out: &mut BytesMut) {
        rpc::put_notification(out, sv1::NOTIFY, job.notify(id, target, form.clean));
    }

    fn read_share(&self, told: &BasisOf<'_, Self>, fields: &Params<'_>) -> Result<Share, Reject> {
        Share::parse(told.extranonce2, fields)
    }

    /// A share's time is not looked at: nothing hashes it and no server cares.
    fn check(
        &self,
        told: &BasisOf<'_, Self>,
        share: &Share,
        easiest: &Target,
        _job_age: Duration,
        scratch: &mut Scratch,
    ) -> Result<Checked, Reject> {
        let Basis { job, extranonce1, .. } = *told;
        let judged = share::judge(job, extranonce1.as_bytes(), share, easiest, scratch)?;
        let hash = judged.hash;
        if !judged.meets_target {
            return Err(Reject::low_difficulty(format!(
                "low difficulty: {hash} is not below the target {easiest}"
            )));
        }
        Ok(Checked::Proven(hash))
    }

    /// Always the kernel's: rigs are told targets, so the number is for people, and on this scale it
    /// is the work of a share in hashes.
    fn scale(&self, _job: &Job) -> Scale {
        DifficultyScale::Kernel.scale()
    }

    fn price(&self, job: &Job, announced: &Announced, known: Habits) -> Price {
        Price {
            wanted: self.wanted(job, announced),
            block: self.networks_target(job, announced, known),
        }
    }

    fn splits(&self, given: &Subscribed, prefix_bytes: Option<usize>) -> Splits {
        Splits::sure(split::split(given, prefix_bytes))
    }

    fn why(&self, told: &BasisOf<'_, Self>, failed: FailedShare<'_, Share>) -> Option<Diagnosis> {
        let Basis { job, extranonce1, pool_extranonce1, extranonce2, .. } = *told;
        match failed {
            FailedShare::Form(fields) => diagnose::diagnose_form(extranonce2, fields),
            FailedShare::Share { share, target } => {
                diagnose::diagnose(job, extranonce1.as_bytes(), pool_extranonce1, share, target)
            }
        }
    }

    fn hear_pool(&self, call: RpcCall<'_>, (): &mut ()) -> PoolEvent<Job> {
        event::hear(call)
    }

    /// Words tell more than codes here: Miningcore's forks use −1 for stale and duplicate shares,
    /// the node-based servers 20 for hashes above the target.
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
            to => sv1::hear_answer(to, answer),
        }
    }

    /// No server resumes a session, so none is named.
    fn tell_pool(&self, call: PoolCall<'_, Job, Share>, out: &mut BytesMut) {
        match call {
            PoolCall::Subscribe { id, agent, .. } => {
                let (agent, version) = (Quoted(agent), self.options.protocol_version);
                rpc::put_request(out, id, sv1::SUBSCRIBE, format_args!("[{agent},{version}]"));
            }
            PoolCall::Submit { id, worker, job, prefix, share } => {
                let with_size = self.options.solution_prefix;
                let params = submit::submit(worker, job, prefix, share, with_size);
                rpc::put_request(out, id, sv1::SUBMIT, params);
            }
            call => sv1::tell_pool(call, out),
        }
    }
}
