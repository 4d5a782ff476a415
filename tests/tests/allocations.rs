//! The path of a share, and of a job to many rigs, does not allocate once it is warm. Linking
//! `allocation_counter` counts what each thread allocates.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::sync::Arc;

use allocation_counter::{AllocationInfo, measure};
use bytes::Buf;
use orepass::clock::now;
use orepass_hstratum::Hstratum;
use orepass_hstratum::share::{Nonce, Share};
use orepass_stratum::channel::{Account, ShareOutcome, Submission};
use orepass_stratum::downstream::{Downstream, DownstreamConfig, Event, Reply};
use orepass_stratum::job::{JobId, JobIds};
use orepass_stratum::target::{Difficulty, PowHash};
use orepass_stratum::testing::seated_rig;
use orepass_stratum::time::Instant;
use orepass_stratum::upstream::{Upstream, UpstreamConfig, UpstreamEvent};
use orepass_stratum::vardiff::VardiffConfig;
use orepass_stratum::verdict::Verdict;
use serde_json::json;

const WARM_UP: u32 = 200;
const SHARES: u32 = 2_000;
/// The filter of duplicates grows with the shares of a job: from room for 200 to room for 2,200
/// it doubles five times at most.
const GROWTH: u64 = 5;

/// So easy that every share meets it.
const NOTHING: f64 = 1e-18;

type Session = Downstream<Hstratum>;
type Pool = Upstream<Hstratum, u32>;

/// A session with a pool that is live and has told a job of this difficulty.
fn pool(prefix_bytes: usize, difficulty: f64, now: Instant) -> Pool {
    let config = UpstreamConfig::new("account", "x", "test/1")
        .with_prefix_bytes(prefix_bytes)
        .with_max_rigs(5_000);
    let ids = Arc::new(JobIds::new(1));
    let mut pool = Pool::new(Arc::new(Hstratum::default()), config, ids);
    pool.handle_connected(now);
    let pairs = json!([["mining.notify", "01020304"], ["mining.set_difficulty", "01020304"]]);
    tell(&mut pool, now, &json!({"id": 1, "result": [pairs, "01020304", 4], "error": null}));
    let call = json!({"id": null, "method": "mining.set_difficulty", "params": [difficulty]});
    tell(&mut pool, now, &call);
    tell_job(&mut pool, now, 1);
    tell(&mut pool, now, &json!({"id": 2, "result": true, "error": null}));
    assert!(pool.is_live());
    pool
}

fn tell(pool: &mut Pool, now: Instant, line: &serde_json::Value) {
    pool.handle_line(line.to_string().as_bytes(), now);
    while pool.poll_event().is_some() {}
    let count = pool.transmit().remaining();
    pool.transmit().advance(count);
}

/// Tells a job whose work is told from others by its number.
fn tell_job(pool: &mut Pool, now: Instant, number: u32) {
    let (zeros, root) = ("00".repeat(32), format!("{number:064x}"));
    let job = number.to_string();
    let params = json!([job, zeros, root, zeros, zeros, zeros, "00000000", "1900ffff", "6553f100"]);
    tell(pool, now, &json!({"id": null, "method": "mining.notify", "params": params}));
}

/// A rig that is logged in and has work; gives the id that it was told.
fn rig(config: DownstreamConfig, pool: &Pool, now: Instant) -> (Session, JobId) {
    let (dialect, config) = (Arc::new(Hstratum::default()), Arc::new(config));
    let mut session = seated_rig(&dialect, &config, "rig", &pool.view(), now, &mut ());
    let mut told = None;
    while let Some(event) = session.poll_event() {
        if let Event::Told(id) = event {
            told = Some(id);
        }
    }
    drain(&mut session);
    (session, told.unwrap())
}

/// Reads what the session has to say, as its driver does; gives the verdict, if it has one.
fn drain(session: &mut Session) -> Option<Verdict> {
    let mut verdict = None;
    while let Some(event) = session.poll_event() {
        if let Event::Ended { verdict: ended, .. } = event {
            verdict = Some(ended);
        }
    }
    let count = session.transmit().remaining();
    session.transmit().advance(count);
    verdict
}

/// Feeds shares to a session and forwards those that are to be; counts the allocations of those
/// after the warm-up, and how many of all were forwarded.
fn feed(session: &mut Session, job: JobId, now: Instant) -> (AllocationInfo, u32) {
    let submit = |nonce: u32| {
        let params = json!(["rig", job.to_string(), "000000", "6553f100", format!("{nonce:08x}")]);
        json!({"id": nonce, "method": "mining.submit", "params": params}).to_string()
    };
    let lines: Vec<String> = (0..WARM_UP + SHARES).map(submit).collect();
    let mut forwarded = 0;
    let mut run = |lines: &[String]| {
        for line in lines {
            if let Some(submission) = session.handle_line(line.as_bytes(), now, &mut ()) {
                forwarded += 1;
                session.handle_verdict(submission.number, &Ok(()), now);
            } else {
                assert_eq!(drain(session), Some(Verdict::BelowPoolTarget));
            }
            drain(session);
        }
    };
    run(&lines[..WARM_UP as usize]);
    let allocated = measure(|| run(&lines[WARM_UP as usize..]));
    (allocated, forwarded)
}

fn without_vardiff(reply: Reply) -> DownstreamConfig {
    let vardiff = VardiffConfig { enabled: false, ..VardiffConfig::default() };
    DownstreamConfig::default().with_reply(reply).with_vardiff(vardiff)
}

#[test]
fn a_share_from_line_to_answer_allocates_nothing() {
    for reply in [Reply::Pool, Reply::Local] {
        let now = now();
        let pool = pool(1, NOTHING, now);
        let (mut session, job) = rig(without_vardiff(reply), &pool, now);
        let (allocated, forwarded) = feed(&mut session, job, now);
        assert_eq!(forwarded, WARM_UP + SHARES);
        assert!(allocated.count_total <= GROWTH, "{reply:?}: {allocated:?}");
    }
}

#[test]
fn a_share_that_stays_here_allocates_nothing_either() {
    let now = now();
    let pool = pool(1, 1.0, now);
    let vardiff = VardiffConfig { max: Difficulty::new(NOTHING), ..VardiffConfig::default() };
    let config = DownstreamConfig::default().with_vardiff(vardiff);
    let (mut session, job) = rig(config, &pool, now);
    let (allocated, forwarded) = feed(&mut session, job, now);
    assert_eq!(forwarded, 0);
    assert!(allocated.count_total <= GROWTH, "{allocated:?}");
}

#[test]
fn a_submission_from_queue_to_verdict_allocates_nothing() {
    let now = now();
    let mut upstream = pool(1, NOTHING, now);
    let frames = upstream.view().work.unwrap();
    let worker: Arc<str> = "rig".into();
    let account = Arc::new(Account { name: "account.rig".into(), password: None });
    let submission = |number: u32| Submission {
        number: number.into(),
        frames: Arc::clone(&frames),
        prefix: [7].into_iter().collect(),
        share: Share::new(&[0; 3], 0x6553_f100, Nonce::Deployed(number)).unwrap(),
        hash: Some(PowHash::from_be_bytes([0; 32])),
        is_block: false,
        probe: None,
        worker: Arc::clone(&worker),
        account: Some(Arc::clone(&account)),
        hashes: 1.0,
        credit: 1.0,
    };
    // The worker is authorized before its first share.
    upstream.handle_submission(submission(u32::MAX), u32::MAX, now);
    tell(&mut upstream, now, &json!({"id": 3, "result": true, "error": null}));
    tell(&mut upstream, now, &json!({"id": 4, "result": true, "error": null}));
    let answers: Vec<String> = (0..WARM_UP + SHARES)
        .map(|at| json!({"id": at + 5, "result": true, "error": null}).to_string())
        .collect();
    let mut verdicts = 0;
    let mut run = |range: std::ops::Range<u32>| {
        // Sixteen at a time are on their way.
        for start in range.step_by(16) {
            for number in start..start + 16 {
                upstream.handle_submission(submission(number), number, now);
            }
            let transmit = &*upstream.transmit();
            let named = transmit.chunk().windows(13).any(|text| text == b"\"account.rig\"");
            assert!(named, "the worker's own name is on the line");
            let count = transmit.remaining();
            assert!(count > 16 * 80, "sixteen submits are written");
            upstream.transmit().advance(count);
            for number in start..start + 16 {
                upstream.handle_line(answers[number as usize].as_bytes(), now);
                while let Some(event) = upstream.poll_event() {
                    if let UpstreamEvent::Verdict { ticket, outcome, .. } = event {
                        assert_eq!(outcome, ShareOutcome::accepted());
                        assert_eq!(ticket, number);
                        verdicts += 1;
                    }
                }
            }
        }
    };
    let warm_up = WARM_UP / 16 * 16;
    run(0..warm_up);
    let allocated = measure(|| run(warm_up..SHARES));
    assert_eq!(verdicts, SHARES);
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
}

#[test]
fn a_job_is_rendered_once_for_a_thousand_rigs() {
    const RIGS: usize = 1_000;
    const WARM_UP_JOBS: u32 = 10;
    let now = now();
    let mut pool = pool(2, NOTHING, now);
    let mut sessions: Vec<Session> =
        (0..RIGS).map(|_| rig(without_vardiff(Reply::Pool), &pool, now).0).collect();
    for number in 2..WARM_UP_JOBS {
        tell_job(&mut pool, now, number);
        for session in &mut sessions {
            session.handle_view(&pool.view(), now);
            drain(session);
        }
    }
    tell_job(&mut pool, now, WARM_UP_JOBS);
    let next = pool.view();
    let mut frames = Vec::with_capacity(RIGS);
    let allocated = measure(|| {
        for session in &mut sessions {
            session.handle_view(&next, now);
            let transmit = &*session.transmit();
            let frame = transmit.chunk();
            frames.push((frame.as_ptr(), frame.len()));
            drain(session);
        }
    });
    assert!(frames.iter().all(|frame| *frame == frames[0] && frame.1 > 300), "{:?}", frames[0]);
    // The line's buffer as it grows, and its count of owners.
    assert!(allocated.count_total <= 10, "{allocated:?}");
}

/// The counter counts: what the other tests find to be nothing would be found if it were there.
#[test]
fn the_counter_counts() {
    let allocated = measure(|| drop(std::hint::black_box(vec![1_u8; 100])));
    assert_eq!(allocated.count_total, 1, "{allocated:?}");
}
