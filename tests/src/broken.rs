//! A dialect whose division of the extranonce is wrong, to prove that the checks notice.

use std::time::Duration;

use bytes::BytesMut;
use orepass::commands::demo::Scene;
use orepass::config::{OptionError, OptionTable};
use orepass::registry::FromConfig;
use orepass_hstratum::Hstratum;
use orepass_stratum::dialect::{
    Announced, Basis, BasisOf, Checked, Diagnosis, Dialect, FailedShare, Fingerprint, NoRoom,
    NotifyForm, PoolEvent, Refusal, RigCall, RigSay, RigSpace, Rules, Split, Subscribed, Wanted,
    WorkKey,
};
use orepass_stratum::error::{ParseError, Reject};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::habits::{Answer, Habits};
use orepass_stratum::job::JobId;
use orepass_stratum::rpc::{Params, PoolError, RpcCall};
use orepass_stratum::target::{Difficulty, Target};
use serde_json::value::RawValue;

type Job = <Hstratum as Dialect>::Job;
type Share = <Hstratum as Dialect>::Share;

/// Handshake's stratum, in which a rig's prefix of one byte is not what its lease says. It is
/// consistent in itself: the same wrong prefix is told, checked and submitted.
///
/// As a dialect of a config it drops every prefix, or, with `LENT_TWICE`, lends every second lease
/// twice.
pub struct Misdivided<const LENT_TWICE: bool = false> {
    inner: Hstratum,
    prefix: fn(u8) -> u8,
}

impl<const LENT_TWICE: bool> Misdivided<LENT_TWICE> {
    /// With this prefix in the place of each lease's own.
    #[must_use]
    pub fn new(prefix: fn(u8) -> u8) -> Self {
        Self { inner: Hstratum::default(), prefix }
    }

    /// A rig's extranonce1, the last byte of which is its prefix.
    fn wrong(&self, extranonce1: &Extranonce) -> Extranonce {
        let (pool, prefix) = extranonce1.split(extranonce1.len() - 1).unwrap();
        pool.join(&self.wrong_prefix(prefix.as_bytes())).unwrap()
    }

    fn wrong_prefix(&self, prefix: &[u8]) -> [u8; 1] {
        [(self.prefix)(prefix[0])]
    }
}

impl<const LENT_TWICE: bool> FromConfig for Misdivided<LENT_TWICE> {
    const ROUTE_OPTIONS: &'static [&'static str] = &[];
    const POOL_OPTIONS: &'static [&'static str] = &[];
    const SCENE: Option<fn() -> Scene> = Hstratum::SCENE;

    fn from_config(_: &OptionTable, _: &OptionTable) -> Result<Self, OptionError> {
        Ok(Self::new(if LENT_TWICE { |prefix| prefix & !1 } else { |_| 0 }))
    }
}

impl<const LENT_TWICE: bool> Dialect for Misdivided<LENT_TWICE> {
    const NAME: &'static str = Hstratum::NAME;

    type Job = Job;
    type Share = Share;
    type Terms = <Hstratum as Dialect>::Terms;
    type Rig = <Hstratum as Dialect>::Rig;
    type Scratch = <Hstratum as Dialect>::Scratch;

    fn rules(&self) -> Rules {
        self.inner.rules()
    }

    fn tell_rig(&self, say: RigSay<'_, Job, Self::Terms>, rig: &Self::Rig, out: &mut BytesMut) {
        let wrong;
        let mut misled = |given: RigSpace<'_>| {
            wrong = self.wrong(given.extranonce1);
            RigSpace { extranonce1: &wrong, ..given }
        };
        let say = match say {
            RigSay::Subscribed { id, session, given } => {
                RigSay::Subscribed { id, session, given: misled(given) }
            }
            RigSay::Extranonce(given) => RigSay::Extranonce(misled(given)),
            say => say,
        };
        self.inner.tell_rig(say, rig, out);
    }

    fn check(
        &self,
        told: &BasisOf<'_, Self>,
        share: &Share,
        easiest: &Target,
        job_age: Duration,
        scratch: &mut Self::Scratch,
    ) -> Result<Checked, Reject> {
        let wrong = self.wrong(told.extranonce1);
        let told = Basis { extranonce1: &wrong, ..*told };
        self.inner.check(&told, share, easiest, job_age, scratch)
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
        self.inner.put_submit(id, worker, job, &self.wrong_prefix(prefix), share, out);
    }

    // Everything else is Handshake's own.

    fn hear_rig<'a>(&self, call: RpcCall<'a>, rig: &mut Self::Rig) -> RigCall<'a> {
        self.inner.hear_rig(call, rig)
    }

    fn notify(&self, id: JobId, job: &Job, target: &Target, form: NotifyForm, out: &mut BytesMut) {
        self.inner.notify(id, job, target, form, out);
    }

    fn read_share(&self, told: &BasisOf<'_, Self>, fields: &Params<'_>) -> Result<Share, Reject> {
        self.inner.read_share(told, fields)
    }

    fn checkable(&self, job: &Job) -> bool {
        self.inner.checkable(job)
    }

    fn fingerprint(&self, share: &Share) -> Fingerprint {
        self.inner.fingerprint(share)
    }

    fn block_target(&self, job: &Job, announced: &Announced, known: Habits) -> Option<Target> {
        self.inner.block_target(job, announced, known)
    }

    fn header(&self, job: &Job, extranonce1: &Extranonce, share: &Share) -> Option<Vec<u8>> {
        self.inner.header(job, extranonce1, share)
    }

    fn rig_difficulty(&self, job: &Job, target: &Target) -> Difficulty {
        self.inner.rig_difficulty(job, target)
    }

    fn rig_target(&self, job: &Job, difficulty: Difficulty) -> Target {
        self.inner.rig_target(job, difficulty)
    }

    fn why(&self, told: &BasisOf<'_, Self>, failed: FailedShare<'_, Share>) -> Option<Diagnosis> {
        self.inner.why(told, failed)
    }

    fn put_subscribe(&self, id: u64, agent: &str, former: Option<&str>, out: &mut BytesMut) {
        self.inner.put_subscribe(id, agent, former, out);
    }

    fn parse_subscribed(&self, result: &RawValue) -> Result<Subscribed, ParseError> {
        self.inner.parse_subscribed(result)
    }

    fn split(
        &self,
        given: &Subscribed,
        prefix_bytes: Option<usize>,
        known: Option<Answer>,
    ) -> Result<Split, NoRoom> {
        self.inner.split(given, prefix_bytes, known)
    }

    fn parse_event(&self, method: &str, params: &RawValue) -> Result<PoolEvent<Job>, ParseError> {
        self.inner.parse_event(method, params)
    }

    fn job_id<'a>(&self, job: &'a Job) -> &'a str {
        self.inner.job_id(job)
    }

    fn work_key(&self, job: &Job) -> WorkKey {
        self.inner.work_key(job)
    }

    fn block_key(&self, job: &Job) -> Option<u64> {
        self.inner.block_key(job)
    }

    fn supersedes(&self, old: &Job, new: &Job) -> bool {
        self.inner.supersedes(old, new)
    }

    fn serves(&self, job: &Job, share: &Share) -> bool {
        self.inner.serves(job, share)
    }

    fn pool_target(&self, job: &Job, announced: &Announced) -> Wanted {
        self.inner.pool_target(job, announced)
    }

    fn put_question(&self, id: u64, job: &Job, out: &mut BytesMut) -> bool {
        self.inner.put_question(id, job, out)
    }

    fn learn(&self, job: &Job, answer: &RawValue) -> Result<(), ParseError> {
        self.inner.learn(job, answer)
    }

    fn classify_refusal(&self, error: &PoolError) -> Refusal {
        self.inner.classify_refusal(error)
    }
}
