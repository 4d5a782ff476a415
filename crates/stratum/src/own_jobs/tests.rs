use super::*;
use crate::dialect::Wanted;
use crate::downstream::{Downstream, DownstreamConfig, Event};
use crate::space::Wish;
use crate::target::{Difficulty, Target};
use crate::testing::{TestCoin, TestJob, scale, start, written};
use crate::verdict::Verdict;

fn job(previous: &str, work: &str) -> TestJob {
    TestJob { id: work.into(), previous: previous.into(), work: work.into(), clean: false }
}

fn price(target: Target) -> Price {
    Price { wanted: Wanted::sure(target), block: None }
}

fn pool() -> OwnJobs<TestCoin> {
    let split = Split { prefix_bytes: 1, rig_extranonce2: 3, ..Split::default() };
    OwnJobs::new(Arc::default(), split, 250, 0x6b00_0000)
}

/// The id under which the rig was told this job, the last thing that it was told.
fn told(rig: &mut Downstream<TestCoin>, previous: &str, work: &str) -> String {
    let said = written(rig.transmit());
    let (before, _) = said.split_once(&format!("\",\"{previous}\",\"{work}\"")).expect(&said);
    before.rsplit('"').next().unwrap().to_owned()
}

#[test]
fn a_rig_is_told_each_job_and_its_shares_come_as_submissions() {
    let (mut jobs, now) = (pool(), start());
    let target = scale().target(Difficulty::ONE);
    let mut rig =
        Downstream::new(Arc::default(), Arc::new(DownstreamConfig::default()), "2a".into(), now);
    rig.handle_line(b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}", now, &mut ());
    let view = jobs.tell(job("p1", "w1"), price(target), now);
    rig.handle_seat(view.seat(&Wish::default()).unwrap(), view, now);
    rig.handle_line(
        b"{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"r1\",\"x\"]}",
        now,
        &mut (),
    );
    let first = told(&mut rig, "p1", "w1");
    let submit = |rig: &mut Downstream<TestCoin>, job: &str, extranonce2: &str| {
        let hash = "01".repeat(32);
        let params = format!("[\"r1\",\"{job}\",\"{extranonce2}\",\"{hash}\"]");
        let line = format!("{{\"id\":9,\"method\":\"mining.submit\",\"params\":{params}}}");
        rig.handle_line(line.as_bytes(), now, &mut ())
    };
    assert!(submit(&mut rig, &first, "000001").is_some());

    rig.handle_view(jobs.tell(job("p2", "w2"), price(target), now), now);
    let second = told(&mut rig, "p2", "w2");
    assert!(submit(&mut rig, &second, "000001").is_some());
    while rig.poll_event().is_some() {}
    // Of the block before.
    assert!(submit(&mut rig, &first, "000002").is_none());
    let stale = std::iter::from_fn(|| rig.poll_event())
        .any(|event| matches!(event, Event::Ended { verdict: Verdict::Stale, .. }));
    assert!(stale);
}

#[test]
fn each_job_is_told_on_the_pools_terms() {
    let (mut jobs, now) = (pool().with_terms(0x6000), start());
    for work in ["w1", "w2"] {
        let view = jobs.tell(job("p1", work), price(Target::MAX), now);
        assert_eq!(view.work.as_ref().unwrap().terms, 0x6000);
    }
}

#[test]
fn a_work_that_comes_back_has_its_number_and_a_new_serial() {
    let (mut jobs, now) = (pool(), start());
    assert!(jobs.view().work.is_none());
    let mut tell = |previous, work| {
        let view = jobs.tell(job(previous, work), price(Target::MAX), now);
        let told = view.work.as_ref().unwrap();
        (told.serial, told.epoch, told.work, told.id)
    };
    let (first, second, again) = (tell("p1", "w1"), tell("p1", "w2"), tell("p1", "w1"));
    assert_eq!((first.0, second.0, again.0), (Serial(1), Serial(2), Serial(3)));
    assert_eq!((first.1, again.1), (Epoch(0), Epoch(0)));
    assert_eq!(first.2, again.2);
    assert_ne!(first.2, second.2);
    assert_ne!(first.3, again.3);
    assert_eq!(tell("p2", "w3").1, Epoch(1));
}
