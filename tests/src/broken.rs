//! A dialect whose division of the extranonce is wrong, to prove that the checks notice.

use std::time::Duration;

use bytes::BytesMut;
use orepass::commands::demo::Scene;
use orepass::config::{OptionError, OptionTable};
use orepass::registry::FromConfig;
use orepass_hstratum::Hstratum;
use orepass_stratum::dialect::{
    Announced, Checked, Diagnosis, Dialect, PoolAnswer, PoolCall, PoolEvent, PoolQuestion, Price,
    Rules, Splits, SubmitHead, Subscribed,
};
use orepass_stratum::error::Reject;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::habits::Habits;
use orepass_stratum::job::JobId;
use orepass_stratum::rpc::{Id, Params, RpcCall, RpcReply};
use orepass_stratum::target::{Scale, Target};

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

    fn header(job: &Job, extranonce1: &Extranonce, share: &Share) -> Option<Vec<u8>> {
        Hstratum::header(job, extranonce1, share)
    }
}

impl<const LENT_TWICE: bool> Dialect for Misdivided<LENT_TWICE> {
    const NAME: &'static str = Hstratum::NAME;
    const ERROR_DATA: &'static str = Hstratum::ERROR_DATA;
    const JOB_QUERY: Option<&'static str> = Hstratum::JOB_QUERY;

    type Job = Job;
    type Share = Share;
    type Terms = <Hstratum as Dialect>::Terms;
    type Scratch = <Hstratum as Dialect>::Scratch;

    fn rules(&self) -> Rules {
        self.inner.rules()
    }

    fn put_subscribed(
        &self,
        id: &Id,
        session: &str,
        extranonce1: &Extranonce,
        extranonce2_size: usize,
        out: &mut BytesMut,
    ) {
        let extranonce1 = self.wrong(extranonce1);
        self.inner.put_subscribed(id, session, &extranonce1, extranonce2_size, out);
    }

    fn put_set_extranonce(&self, extranonce1: &Extranonce, size: usize, out: &mut BytesMut) {
        self.inner.put_set_extranonce(&self.wrong(extranonce1), size, out);
    }

    fn check(
        &self,
        job: &Job,
        extranonce1: &Extranonce,
        share: &Share,
        easiest: &Target,
        job_age: Duration,
        scratch: &mut Self::Scratch,
    ) -> Result<Checked, Reject> {
        self.inner.check(job, &self.wrong(extranonce1), share, easiest, job_age, scratch)
    }

    // Everything else is Handshake's own.

    fn put_target(&self, job: &Job, target: &Target, out: &mut BytesMut) {
        self.inner.put_target(job, target, out);
    }

    fn put_job(&self, id: JobId, job: &Job, target: &Target, clean: bool, out: &mut BytesMut) {
        self.inner.put_job(id, job, target, clean, out);
    }

    fn put_job_answer(&self, id: &Id, job: &Job, out: &mut BytesMut) -> bool {
        self.inner.put_job_answer(id, job, out)
    }

    fn submit_head<'a>(&self, params: &Params<'a>) -> Result<SubmitHead<'a>, Reject> {
        self.inner.submit_head(params)
    }

    fn parse_share(
        &self,
        job: &Job,
        extranonce2_size: usize,
        params: &Params<'_>,
    ) -> Result<Share, Reject> {
        self.inner.parse_share(job, extranonce2_size, params)
    }

    fn diagnose(
        &self,
        job: &Job,
        extranonce1: &Extranonce,
        pool_extranonce1: usize,
        share: &Share,
        target: &Target,
    ) -> Option<Diagnosis> {
        self.inner.diagnose(job, extranonce1, pool_extranonce1, share, target)
    }

    fn scale(&self, job: &Job) -> Scale {
        self.inner.scale(job)
    }

    fn price(&self, job: &Job, announced: &Announced, known: Habits) -> Price {
        self.inner.price(job, announced, known)
    }

    fn splits(&self, given: &Subscribed, prefix_bytes: Option<usize>) -> Splits {
        self.inner.splits(given, prefix_bytes)
    }

    fn diagnose_form(&self, job: &Job, size: usize, params: &Params<'_>) -> Option<Diagnosis> {
        self.inner.diagnose_form(job, size, params)
    }

    fn hear_pool(&self, call: RpcCall<'_>, terms: &mut Self::Terms) -> PoolEvent<Job> {
        self.inner.hear_pool(call, terms)
    }

    fn hear_answer(
        &self,
        to: PoolQuestion<'_, Job>,
        answer: &RpcReply<'_>,
        terms: &mut Self::Terms,
    ) -> PoolAnswer {
        self.inner.hear_answer(to, answer, terms)
    }

    fn tell_pool(&self, call: PoolCall<'_, Job, Share>, out: &mut BytesMut) {
        match call {
            PoolCall::Submit { id, worker, job, prefix, share } => {
                let prefix = &self.wrong_prefix(prefix);
                self.inner.tell_pool(PoolCall::Submit { id, worker, job, prefix, share }, out);
            }
            call => self.inner.tell_pool(call, out),
        }
    }
}
