//! The kit notices what is wrong: the test coin keeps to it, and does not with one thing broken.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::BytesMut;

use super::*;
use crate::dialect::{BasisOf, Diagnosis, NotifyForm, Price, RigSpace, Rules, Splits};
use crate::rpc::RpcReply;
use crate::target::Scale;
use crate::testing::{TestCoin, TestJob, TestRig, TestShare};

/// What a coin does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    TellsAnotherId,
    WritesTwoLines,
    MeansAnotherTarget,
    GivesAnotherExtranonce,
    GivesNone,
    TakesNoForYes,
    HearsNoSubmit,
    AsksNothing,
    HasNoRoom,
    LetsAllPass,
    AsksTooMuch,
    PanicsAtNonsense,
}

/// The test coin with a flaw.
#[derive(Debug)]
struct Flawed {
    inner: TestCoin,
    flaw: Flaw,
}

impl Flawed {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }
}

impl Dialect for Flawed {
    const NAME: &'static str = TestCoin::NAME;
    type Job = TestJob;
    type Share = TestShare;
    type Terms = <TestCoin as Dialect>::Terms;
    type Rig = TestRig;
    type Scratch = ();

    fn rules(&self) -> Rules {
        self.inner.rules()
    }

    fn hear_rig<'a>(&self, call: RpcCall<'a>, rig: &mut TestRig) -> RigCall<'a> {
        match self.inner.hear_rig(call, rig) {
            RigCall::Submit(_) if self.has(Flaw::HearsNoSubmit) => RigCall::Unknown,
            other => other,
        }
    }

    fn tell_rig(&self, say: RigSay<'_, TestJob, Self::Terms>, rig: &TestRig, out: &mut BytesMut) {
        let wrong = Extranonce::from_slice(&[1]).unwrap();
        let harder = Difficulty::new(4.0).unwrap();
        let say = match say {
            RigSay::Target { target, .. } if self.has(Flaw::MeansAnotherTarget) => {
                RigSay::Target { target, difficulty: harder }
            }
            RigSay::Extranonce(space) if self.has(Flaw::GivesAnotherExtranonce) => {
                RigSay::Extranonce(RigSpace { extranonce1: &wrong, ..space })
            }
            say => say,
        };
        self.inner.tell_rig(say, rig, out);
    }

    fn notify(
        &self,
        id: JobId,
        job: &TestJob,
        target: &Target,
        form: NotifyForm,
        out: &mut BytesMut,
    ) {
        let id = if self.has(Flaw::TellsAnotherId) { JobId::new(9) } else { id };
        self.inner.notify(id, job, target, form, out);
        if self.has(Flaw::WritesTwoLines) {
            self.inner.notify(id, job, target, form, out);
        }
    }

    fn read_share(
        &self,
        told: &BasisOf<'_, Self>,
        fields: &Params<'_>,
    ) -> Result<TestShare, Reject> {
        self.inner.read_share(told, fields)
    }

    fn scale(&self, job: &TestJob) -> Scale {
        self.inner.scale(job)
    }

    fn price(&self, job: &TestJob, announced: &Announced, known: Habits) -> Price {
        self.inner.price(job, announced, known)
    }

    fn splits(&self, given: &Subscribed, prefix_bytes: Option<usize>) -> Splits {
        let prefix_bytes = prefix_bytes.map(|bytes| bytes + usize::from(self.has(Flaw::HasNoRoom)));
        self.inner.splits(given, prefix_bytes)
    }

    fn check(
        &self,
        told: &BasisOf<'_, Self>,
        share: &TestShare,
        easiest: &Target,
        job_age: Duration,
        scratch: &mut (),
    ) -> Result<Checked, Reject> {
        let easiest = match self.flaw {
            Flaw::LetsAllPass => &Target::MAX,
            Flaw::AsksTooMuch => &Target::new(easiest.value() >> 1),
            _ => easiest,
        };
        self.inner.check(told, share, easiest, job_age, scratch)
    }

    fn why(
        &self,
        told: &BasisOf<'_, Self>,
        failed: FailedShare<'_, TestShare>,
    ) -> Option<Diagnosis> {
        self.inner.why(told, failed)
    }

    fn hear_pool(&self, call: RpcCall<'_>, terms: &mut Self::Terms) -> PoolEvent<TestJob> {
        let heard = self.inner.hear_pool(call, terms);
        let nonsense = matches!(heard, PoolEvent::Job(Err(_)));
        assert!(!nonsense || !self.has(Flaw::PanicsAtNonsense), "nonsense");
        heard
    }

    fn hear_answer(
        &self,
        to: PoolQuestion<'_, TestJob>,
        answer: &RpcReply<'_>,
        terms: &mut Self::Terms,
    ) -> PoolAnswer {
        match self.inner.hear_answer(to, answer, terms) {
            PoolAnswer::No(..) if self.has(Flaw::TakesNoForYes) => PoolAnswer::Yes,
            PoolAnswer::Subscribed { resumed, .. } if self.has(Flaw::GivesNone) => {
                PoolAnswer::Subscribed { given: None, resumed }
            }
            answer => answer,
        }
    }

    fn tell_pool(&self, call: PoolCall<'_, TestJob, TestShare>, out: &mut BytesMut) {
        if !matches!(call, PoolCall::Probe { .. }) || !self.has(Flaw::AsksNothing) {
            self.inner.tell_pool(call, out);
        }
    }
}

fn kit(flaw: Flaw) -> Kit<Flawed> {
    let notify = |id, work| {
        format!(
            "{{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"{id}\",\"p1\",\"{work}\",false]}}"
        )
    };
    let submit = |own, hash: &str| {
        let hash = format!("{hash}{}", "0".repeat(62));
        format!(
            "{{\"id\":4,\"method\":\"mining.submit\",\"params\":[\"w\",\"j1\",\"{own}\",\"{hash}\"]}}"
        )
    };
    Kit {
        dialect: Flawed { inner: TestCoin::default(), flaw },
        jobs: [notify("j1", "w1"), notify("j2", "w2")].into(),
        login: ["{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"rig/1\"]}".into()].into(),
        submits: [submit("000001", "01"), submit("000002", "02")].into(),
        terms: Default::default(),
        extranonce1: Extranonce::from_slice(&[0xaa, 0xbb, 0xcc, 0xdd, 0x2a]).unwrap(),
        extranonce2: 3,
        allocations: None,
    }
}

#[test]
fn the_test_coin_keeps_to_the_kit() {
    kit(Flaw::None).run();
}

#[test]
fn each_flaw_is_noticed() {
    for flaw in [
        Flaw::TellsAnotherId,
        Flaw::WritesTwoLines,
        Flaw::MeansAnotherTarget,
        Flaw::GivesAnotherExtranonce,
        Flaw::GivesNone,
        Flaw::TakesNoForYes,
        Flaw::HearsNoSubmit,
        Flaw::AsksNothing,
        Flaw::HasNoRoom,
        Flaw::LetsAllPass,
        Flaw::AsksTooMuch,
        Flaw::PanicsAtNonsense,
    ] {
        let run = AssertUnwindSafe(|| kit(flaw).run());
        assert!(catch_unwind(run).is_err(), "{flaw:?} is not noticed");
    }
}

#[test]
fn what_allocates_is_noticed() {
    let counting = |count: CountAllocations| {
        let kit = Kit { allocations: Some(count), ..kit(Flaw::None) };
        catch_unwind(AssertUnwindSafe(|| kit.checks_do_not_allocate()))
    };
    fn once(run: &mut dyn FnMut()) -> u64 {
        run();
        1
    }
    fn never(run: &mut dyn FnMut()) -> u64 {
        run();
        0
    }
    assert!(counting(once).is_err());
    assert!(counting(never).is_ok());
}
