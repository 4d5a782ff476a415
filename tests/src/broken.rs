//! A dialect whose division of the extranonce is wrong, to prove that the checks notice.

use std::time::Duration;

use bytes::BytesMut;
use orepass::commands::demo::Scene;
use orepass::config::{OptionError, OptionTable};
use orepass::registry::FromConfig;
use orepass_hstratum::Hstratum;
use orepass_stratum::dialect::{
    Announced, Basis, BasisOf, Checked, Diagnosis, Dialect, FailedShare, NotifyForm, PoolAnswer,
    PoolCall, PoolEvent, PoolQuestion, Price, RigCall, RigSay, RigSpace, Rules, Splits, Subscribed,
};
use orepass_stratum::error::Reject;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::habits::Habits;
use orepass_stratum::job::JobId;
use orepass_stratum::rpc::{Params, RpcCall, RpcReply};
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

    type Job = Job;
    type Share = Share;
    type Terms = <Hstratum as Dialect>::Terms;
    type Rig = <Hstratum as Dialect>::Rig;
    type Scratch = <Hstratum as Dialect>::Scratch;

    fn rules(&self) -> Rules {
        self.inner.rules()
    }

    fn tell_rig(&self, say: RigSay<'_, Job, Self::Terms>, rig: &Self::Rig, out: &mut BytesMut) {
        let wrong = match say {
            RigSay::Subscribed { given, .. } | RigSay::Extranonce(given) => {
                self.wrong(given.extranonce1)
            }
            say => return self.inner.tell_rig(say, rig, out),
        };
        let misled = |given| RigSpace { extranonce1: &wrong, ..given };
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

    fn why(&self, told: &BasisOf<'_, Self>, failed: FailedShare<'_, Share>) -> Option<Diagnosis> {
        self.inner.why(told, failed)
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
