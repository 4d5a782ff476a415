//! Node-based pools close a connection that has more than 10,240 bytes in its buffer, before they
//! look for lines in it. Whatever rigs send, they never get that much at once.

#![allow(clippy::unwrap_used)]

mod dialect_support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Buf;
use orepass_aion::Aion;
use orepass_stratum::channel::Submission;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::job::JobIds;
use orepass_stratum::upstream::{Upstream, UpstreamConfig, UpstreamEvent};
use orepass_stratum::verdict::Verdict;
use serde_json::Value;

use dialect_support::{dialect, notify_of, raw, submit_of, vector};

const BLOCK: &str = "mainnet_block_700023";
const BUFFER: usize = 10_240;
const BURST: u32 = 200;

#[test]
fn a_burst_gets_through_whole_and_in_order() {
    let mut pool = SlowPool::start();
    for number in 0..BURST {
        pool.submit(number);
    }
    // The pool reads whatever lies there at once, and answers a while later.
    while pool.verdicts.len() < BURST as usize {
        pool.read_all();
        pool.now += Duration::from_millis(150);
        pool.answer_all();
    }
    let order: Vec<u32> = pool.verdicts.iter().map(|(number, _)| *number).collect();
    assert_eq!(order, (0..BURST).collect::<Vec<_>>());
    assert!(pool.verdicts.iter().all(|(_, verdict)| *verdict == Verdict::AcceptedByPool));
    assert_eq!(pool.most_unanswered, 3);
}

#[test]
fn a_pool_that_never_answers_still_gets_no_more_than_it_bears() {
    let mut pool = SlowPool::start();
    for number in 0..BURST {
        pool.submit(number);
    }
    // It reads once a second, by when the window's slots have freed by themselves.
    for _ in 0..20 {
        pool.read_all();
        pool.now += Duration::from_secs(1);
        pool.session.handle_timeout(pool.now);
    }
    assert!(pool.open.len() >= 30, "{} lines in 20 s", pool.open.len());
}

#[test]
fn past_the_queue_a_share_is_refused_as_overflow() {
    let mut pool = SlowPool::start();
    for number in 0..300 {
        pool.submit(number);
    }
    pool.take_verdicts();
    let overflow = pool.verdicts.iter().filter(|(_, verdict)| *verdict == Verdict::Overflow);
    // 3 are in the window and 256 in the queue.
    assert_eq!(overflow.count(), 300 - 256 - 3);
}

/// The far side of a connection, which checks how much lies there whenever it reads.
struct SlowPool {
    session: Upstream<Aion, u32>,
    now: Instant,
    work: Arc<orepass_stratum::job::JobFrames<Aion>>,
    params: Value,
    /// Ids of lines that were read and not answered.
    open: Vec<u64>,
    most_unanswered: usize,
    verdicts: Vec<(u32, Verdict)>,
}

impl SlowPool {
    fn start() -> Self {
        let config = UpstreamConfig {
            user: "0xa0".into(),
            password: "x".into(),
            agent: "orepass".into(),
            prefix_bytes: None,
            max_rigs: 250,
            resubmit: false,
            fallback: false,
        };
        let mut now = dialect_support::start();
        let ids = Arc::new(JobIds::new(1));
        let mut session = Upstream::new(Arc::new(dialect()), config, ids);
        session.handle_connected(now);
        session.handle_line(br#"{"id":1,"result":[null,"0011"]}"#, now);
        session.handle_line(br#"{"id":2,"result":true,"error":null}"#, now);
        let job = notify_of(&vector(BLOCK));
        let line = format!("{{\"id\":null,\"method\":\"mining.notify\",\"params\":{job}}}");
        session.handle_line(line.as_bytes(), now);
        now = session.poll_timeout().unwrap();
        session.handle_timeout(now);
        while session.poll_event().is_some() {}
        session.transmit().clear();
        let work = session.view().work.unwrap();
        let params = submit_of(&vector(BLOCK), 4);
        Self { session, now, work, params, open: vec![], most_unanswered: 0, verdicts: vec![] }
    }

    fn submit(&mut self, number: u32) {
        // Another nonce each; the session does not prove shares, the rig's did.
        self.params[3] = format!("{number:056x}").into();
        let share = dialect().parse_share(&self.work.job, 28, &raw(&self.params)).unwrap();
        let submission = Submission {
            number: number.into(),
            frames: Arc::clone(&self.work),
            prefix: [0, 1].into_iter().collect(),
            share,
            hash: None,
            worker: "rig".into(),
            hashes: 1.0,
        };
        self.session.handle_submission(submission, number, self.now);
    }

    fn read_all(&mut self) {
        let out = self.session.transmit();
        let bytes = out.copy_to_bytes(out.remaining());
        assert!(bytes.len() <= BUFFER, "{} bytes at once", bytes.len());
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line: Value = serde_json::from_slice(line).unwrap();
            self.open.push(line["id"].as_u64().unwrap());
        }
        self.most_unanswered = self.most_unanswered.max(self.open.len());
    }

    fn answer_all(&mut self) {
        for id in std::mem::take(&mut self.open) {
            let line = format!("{{\"id\":{id},\"result\":true,\"error\":null}}");
            self.session.handle_line(line.as_bytes(), self.now);
        }
        self.take_verdicts();
    }

    fn take_verdicts(&mut self) {
        while let Some(event) = self.session.poll_event() {
            if let UpstreamEvent::Verdict { ticket, verdict, .. } = event {
                let kind = verdict.map_or_else(|r| r.verdict, |()| Verdict::AcceptedByPool);
                self.verdicts.push((ticket, kind));
            }
        }
    }
}
