//! Node-based pools close a connection that has more than 10,240 bytes in its buffer, before they
//! look for lines in it. Whatever rigs send, they never get that much at once.

#![allow(clippy::unwrap_used)]

mod dialect_support;

use std::sync::Arc;
use std::time::Duration;

use orepass_aion::Aion;
use orepass_stratum::channel::{Account, Submission};
use orepass_stratum::job::JobIds;
use orepass_stratum::testing::{read_share, start, written};
use orepass_stratum::time::Instant;
use orepass_stratum::upstream::{Upstream, UpstreamConfig, UpstreamEvent};
use orepass_stratum::verdict::Verdict;
use serde_json::Value;

use dialect_support::{dialect, notify_of, raw, submit_of, vector};

const BLOCK: &str = "mainnet_block_700023";
const USER: &str = "0xa0aabbccddeeff00112233445566778899aabbccddeeff001122334455667788";
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
    // The third place in the window is kept for a block.
    assert_eq!(pool.most_unanswered, 2);
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
    // 2 are in the window and 255 in the queue: a place in each is kept for a block.
    assert_eq!(overflow.count(), 300 - 255 - 2);
}

/// A worker's authorize waits for room beside the submits, as they do for it.
#[test]
fn names_of_workers_come_through_beside_a_burst() {
    const WORKERS: u32 = 12;
    let mut pool = SlowPool::start();
    for number in 0..BURST {
        let account =
            Account { name: format!("{USER}.r{}", number % WORKERS).into(), password: None };
        pool.submit_as(number, Some(Arc::new(account)));
    }
    while pool.verdicts.len() < BURST as usize {
        pool.read_all();
        pool.now += Duration::from_millis(150);
        pool.answer_all();
    }
    assert!(pool.verdicts.iter().all(|(_, verdict)| *verdict == Verdict::AcceptedByPool));
    assert_eq!(pool.authorized.len(), WORKERS as usize, "{:?}", pool.authorized);
    let named = pool.submitted.iter().filter(|name| name.as_str() != USER).count();
    assert!(named > BURST as usize / 2, "{named} of {BURST} under names");
}

/// The far side of a connection, which checks how much lies there whenever it reads.
struct SlowPool {
    session: Upstream<Aion, u32>,
    now: Instant,
    work: Arc<orepass_stratum::job::JobFrames<Aion>>,
    params: Value,
    /// Ids of lines that were read and not answered.
    open: Vec<u64>,
    /// Workers that were asked for, and under which the shares came.
    authorized: Vec<String>,
    submitted: Vec<String>,
    most_unanswered: usize,
    verdicts: Vec<(u32, Verdict)>,
}

impl SlowPool {
    fn start() -> Self {
        let config = UpstreamConfig::new(USER, "x", "orepass");
        let mut now = start();
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
        Self {
            session,
            now,
            work,
            params,
            open: vec![],
            authorized: vec![],
            submitted: vec![],
            most_unanswered: 0,
            verdicts: vec![],
        }
    }

    fn submit(&mut self, number: u32) {
        self.submit_as(number, None);
    }

    fn submit_as(&mut self, number: u32, account: Option<Arc<Account>>) {
        // Another nonce each; the session does not prove shares, the rig's did.
        self.params[3] = format!("{number:056x}").into();
        let share = read_share(&dialect(), &self.work.job, 28, &raw(&self.params)).unwrap();
        let submission = Submission {
            is_block: false,
            probe: None,
            number: number.into(),
            frames: Arc::clone(&self.work),
            prefix: [0, 1].into_iter().collect(),
            share,
            hash: None,
            worker: "rig".into(),
            account,
            hashes: 1.0,
            credit: 1.0,
        };
        self.session.handle_submission(submission, number, self.now);
    }

    fn read_all(&mut self) {
        let text = written(self.session.transmit());
        assert!(text.len() <= BUFFER, "{} bytes at once", text.len());
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            self.open.push(line["id"].as_u64().unwrap());
            let name = line["params"][0].as_str().unwrap().to_owned();
            match line["method"].as_str().unwrap() {
                "mining.authorize" => {
                    assert!(!self.authorized.contains(&name), "{name} twice");
                    self.authorized.push(name);
                }
                _ => {
                    assert!(name == USER || self.authorized.contains(&name), "{name}");
                    self.submitted.push(name);
                }
            }
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
            if let UpstreamEvent::Verdict { ticket, outcome, .. } = event {
                self.verdicts.push((ticket, outcome.booked));
            }
        }
    }
}
