//! Sessions of the reference miner with real and played pools, told again with the proxy between
//! them: the pool's lines go to the proxy's upstream, the miner's to its downstream.

#![allow(clippy::unwrap_used)]

mod dialect_support;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use dialect_support::{dialect, file, text};
use orepass_aion::Aion;
use orepass_equihash::Scratch;
use orepass_stratum::downstream::{Downstream, DownstreamConfig, Event};
use orepass_stratum::job::JobIds;
use orepass_stratum::space::Wish;
use orepass_stratum::testing::{start, written};
use orepass_stratum::time::Instant;
use orepass_stratum::upstream::{Notice, Upstream, UpstreamConfig, UpstreamEvent};
use serde_json::Value;

const USER: &str = "0xa0aabbccddeeff00112233445566778899aabbccddeeff001122334455667788.rig1";

/// How a rig's share ended: accepted, or refused with a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum End {
    Accepted,
    Refused(u64),
}

/// Pool and miner as recorded, the proxy's two sessions between them.
struct Chain {
    pool: Upstream<Aion, u64>,
    rig: Downstream<Aion>,
    scratch: Scratch,
    now: Instant,
    wants_seat: bool,
    /// The pool's jobs: header hash by id.
    jobs: HashMap<String, String>,
    /// What the rig was told: job id and target by header hash.
    told: HashMap<String, (String, String)>,
    /// Submits of the rig as they were recorded, by id.
    submits: HashMap<u64, Value>,
    /// The proxy's request ids by those of the recorded miner.
    ids: HashMap<u64, u64>,
    /// The rig's numbers of its forwarded shares, by recorded id.
    numbers: HashMap<u64, u64>,
    /// The block target by header hash, where it is known.
    blocks: HashMap<String, Option<String>>,
    /// All that ever was sent: extranonce1, header hash, and the submit's end.
    sent: HashSet<(String, String, String)>,
    /// Header hash and nonce of the rig's good shares.
    good: HashSet<(String, String)>,
    connections: usize,
    /// By connection and id.
    expected: HashMap<(usize, u64), End>,
    ended: HashMap<(usize, u64), End>,
    news: Vec<String>,
}

impl Chain {
    fn new(now: Instant) -> Self {
        let config =
            UpstreamConfig::new(USER, "x", "orepass/1").with_prefix_bytes(0).with_max_rigs(1);
        let ids = Arc::new(JobIds::new(0x6b00_0000));
        Self {
            pool: Upstream::new(Arc::new(dialect()), config, ids),
            rig: rig(now),
            scratch: Scratch::default(),
            now,
            wants_seat: false,
            jobs: HashMap::new(),
            told: HashMap::new(),
            submits: HashMap::new(),
            ids: HashMap::new(),
            numbers: HashMap::new(),
            blocks: HashMap::new(),
            sent: HashSet::new(),
            good: HashSet::new(),
            connections: 0,
            expected: HashMap::new(),
            ended: HashMap::new(),
            news: Vec::new(),
        }
    }

    fn connect(&mut self) {
        self.pool.handle_disconnected(self.now);
        self.settle();
        self.rig = rig(self.now);
        self.connections += 1;
        self.submits.clear();
        self.numbers.clear();
        self.good.clear();
        self.pool.handle_connected(self.now);
        self.settle();
    }

    fn later(&mut self, now: Instant) {
        self.now = now;
        if self.pool.poll_timeout().is_some_and(|at| at <= now) {
            self.pool.handle_timeout(now);
        }
        if self.rig.poll_timeout().is_some_and(|at| at <= now) {
            self.rig.handle_timeout(now);
        }
        self.settle();
    }

    fn pool_says(&mut self, line: &str) {
        let mut message: Value = serde_json::from_str(line).unwrap();
        if let Some(id) = message["id"].as_u64() {
            // Not everything that the miner asked is asked by the proxy.
            let Some(own) = self.ids.remove(&id) else { return };
            message["id"] = own.into();
            self.pool.handle_line(message.to_string().as_bytes(), self.now);
        } else {
            if message["method"] == "mining.notify" {
                let field = |at: usize| message["params"][at].as_str().unwrap().to_owned();
                self.jobs.insert(field(0), field(3));
            }
            self.pool.handle_line(line.as_bytes(), self.now);
        }
        self.settle();
    }

    /// `verdict` is the recorder's own judgement of a submit, `answer` the recorded pool's.
    fn rig_says(&mut self, line: &str, verdict: Option<&Value>, answer: Option<End>) {
        let mut message: Value = serde_json::from_str(line).unwrap();
        if message["method"] == "mining.submit" {
            let header = self.jobs[message["params"][1].as_str().unwrap()].clone();
            let (job, target) = self.told[&header].clone();
            let id = message["id"].as_u64().unwrap();
            let end = self.expect(&header, &target, &message["params"], verdict);
            self.expected.insert((self.connections, id), answer.filter(|_| end.1).unwrap_or(end.0));
            self.submits.insert(id, message["params"].clone());
            message["params"][1] = job.into();
            let line = message.to_string();
            let submission = self.rig.handle_line(line.as_bytes(), self.now, &mut self.scratch);
            if let Some(submission) = submission {
                self.numbers.insert(id, submission.number);
                self.pool.handle_submission(submission, id, self.now);
            }
        } else {
            self.rig.handle_line(line.as_bytes(), self.now, &mut self.scratch);
        }
        self.settle();
    }

    /// How a share should end here, and whether the pool decides all the same, since it is a block.
    fn expect(
        &mut self,
        header: &str,
        target: &str,
        params: &Value,
        note: Option<&Value>,
    ) -> (End, bool) {
        let nonce = text_at(params, 3).to_owned();
        let (extranonce1, _) = self.rig.told_extranonce().unwrap();
        let whole =
            (extranonce1.to_string(), header.to_owned(), nonce.clone() + text_at(params, 4));
        if note.is_some_and(|note| note["verdict"] == "ok") && !self.sent.insert(whole) {
            // The rig begins anew where the pool gives the same extranonce and work again.
            return (End::Refused(22), false);
        }
        let block = self.blocks.get(header).and_then(Option::as_deref);
        let is_block = |note: &Value| block.is_some_and(|block| text(note, "pow_hash") < block);
        match note {
            Some(note) if note["verdict"] != "ok" && text(note, "pow_hash") < target => {
                (End::Refused(20), false)
            }
            Some(note) if is_block(note) => (End::Accepted, true),
            Some(note) if text(note, "pow_hash") >= target => (End::Refused(23), false),
            _ if !self.good.insert((header.to_owned(), nonce)) => (End::Refused(22), false),
            _ => (End::Accepted, false),
        }
    }

    /// Passes on whatever the sessions have for each other and for the recorded peers.
    fn settle(&mut self) {
        loop {
            let mut still = true;
            while let Some(event) = self.pool.poll_event() {
                still = false;
                self.pool_event(event);
            }
            while let Some(event) = self.rig.poll_event() {
                still = false;
                self.wants_seat |= matches!(event, Event::WantsSeat | Event::LostSeat);
            }
            let here = IpAddr::from(Ipv4Addr::LOCALHOST);
            let wish = Wish { address: Some(here), ..Wish::default() };
            if let (true, Ok(mut seat)) = (self.wants_seat, self.pool.view().seat(&wish)) {
                seat.lease.belongs_to(here, None);
                self.wants_seat = false;
                self.rig.handle_seat(seat, &self.pool.view(), self.now);
                still = false;
            }
            if still {
                break;
            }
        }
        for line in written(self.pool.transmit()).lines() {
            self.asked(&serde_json::from_str(line).unwrap());
        }
        for line in written(self.rig.transmit()).lines() {
            self.heard(line);
        }
    }

    fn pool_event(&mut self, event: UpstreamEvent<u64>) {
        match event {
            UpstreamEvent::View => {
                let view = self.pool.view();
                if let Some(work) = &view.work {
                    let block = work.block.map(|block| block.to_string());
                    self.blocks.insert(const_hex::encode(work.job.header_hash), block);
                }
                self.rig.handle_view(&view, self.now);
            }
            UpstreamEvent::Verdict { ticket, outcome, .. } => {
                self.rig.handle_verdict(self.numbers[&ticket], &outcome.told, self.now);
            }
            // What is shown of a refused share is told by its verdict.
            UpstreamEvent::Evidence { .. } => {}
            UpstreamEvent::LateVerdict => self.news.push("late verdict".into()),
            resent @ (UpstreamEvent::Resent | UpstreamEvent::ResentDuplicate) => {
                self.news.push(format!("{resent:?}"));
            }
            UpstreamEvent::Reconnect { host, port, wait } => {
                let (host, port) = (host.unwrap(), port.unwrap());
                self.news.push(format!("reconnect {host} {port} in {wait:?}"));
            }
            UpstreamEvent::Down(reason) => self.news.push(format!("down: {reason}")),
            UpstreamEvent::Notice(Notice::Ground { split, .. }) => {
                self.news.push(format!("ground {}", split.extranonce1));
            }
            UpstreamEvent::Notice(Notice::Target(target)) => {
                self.news.push(format!("target {}", &target.to_string()[..8]));
            }
            UpstreamEvent::Notice(Notice::Live) => self.news.push("live".into()),
            UpstreamEvent::Notice(notice) => self.news.push(format!("{notice:?}")),
        }
    }

    /// The proxy asks the pool something: the same as the miner did, but for its name
    /// and the protocol version, where the miner has null.
    fn asked(&mut self, request: &Value) {
        let own = request["id"].as_u64().unwrap();
        let params = &request["params"];
        let recorded = match text(request, "method") {
            "mining.subscribe" => {
                assert_eq!(params.to_string(), "[\"orepass/1\",\"AionStratum/1.0.0\"]");
                1
            }
            "mining.authorize" => {
                assert_eq!(params.to_string(), format!("[\"{USER}\",\"x\"]"));
                2
            }
            "mining.submit" => {
                *self.submits.iter().find(|(_, recorded)| *recorded == params).unwrap().0
            }
            other => panic!("{other}"),
        };
        self.ids.insert(recorded, own);
    }

    /// The rig hears a line, which must have the form that the reference miner takes.
    fn heard(&mut self, line: &str) {
        assert!(line.starts_with('{') && line.ends_with('}'), "{line}");
        let message: Value = serde_json::from_str(line).unwrap();
        let params = message["params"].as_array();
        let field = |at: usize| params.unwrap()[at].as_str().unwrap().to_owned();
        match (message["method"].as_str(), message["id"].as_u64()) {
            (Some("mining.notify"), None) => {
                assert_eq!(params.unwrap().len(), 4);
                let clean = params.unwrap()[1].as_bool().unwrap();
                assert!(clean || !self.told.is_empty(), "its first job is clean: {line}");
                let former = self.told.insert(field(3), (field(0), field(2)));
                assert!(former.is_none_or(|(job, _)| job < field(0)), "{line}");
            }
            (Some("mining.set_target"), None) => assert_eq!(field(0).len(), 64),
            (Some("mining.set_extranonce"), None) => assert_eq!(params.unwrap().len(), 1),
            (None, Some(1)) => {
                assert!(message["result"][0].is_string() && message["result"][1].is_string());
            }
            (None, Some(2 | 3)) => assert_eq!(message["result"], true),
            (None, Some(id)) if message["result"] == true => self.end(id, End::Accepted),
            (None, Some(id)) => {
                let error = message["error"].as_array().unwrap();
                assert!(error.len() == 3 && error[1].is_string() && error[2].is_null(), "{line}");
                self.end(id, End::Refused(error[0].as_u64().unwrap()));
            }
            other => panic!("{other:?}: {line}"),
        }
    }

    fn end(&mut self, id: u64, end: End) {
        let former = self.ended.insert((self.connections, id), end);
        assert_eq!(former, None, "share {id} was answered twice");
    }

    fn count(&self, end: End) -> usize {
        self.ended.values().filter(|found| **found == end).count()
    }
}

fn rig(now: Instant) -> Downstream<Aion> {
    Downstream::new(
        Arc::new(dialect()),
        Arc::new(DownstreamConfig::default()),
        "0000002a".into(),
        now,
    )
}

fn rows(scenario: &str) -> Vec<Value> {
    let rows = file("aion.jsonl");
    let rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.filter(|row| row["scenario"] == scenario).collect()
}

fn replay(scenario: &str) -> Chain {
    let start = start();
    let mut chain = Chain::new(start);
    let mut connection = None;
    let rows = rows(scenario);
    for (at, row) in rows.iter().enumerate() {
        chain.later(start + Duration::from_secs_f64(row["t"].as_f64().unwrap()));
        let of = row["conn"].as_u64();
        if connection != of {
            connection = of;
            chain.connect();
        }
        match text(row, "dir") {
            "miner->pool" => {
                let note = rows.get(at + 1).filter(|next| next["dir"] == "note");
                chain.rig_says(text(row, "line"), note, answer_to(&rows[at..]));
            }
            "pool->miner" => chain.pool_says(text(row, "line")),
            _ => {}
        }
    }
    assert_eq!(chain.ended, chain.expected, "{scenario}");
    chain
}

fn text_at(params: &Value, at: usize) -> &str {
    params[at].as_str().unwrap()
}

/// How the recorded pool answered the request of the first row, if it did.
fn answer_to(rows: &[Value]) -> Option<End> {
    let line = |row: &Value| -> Option<Value> { serde_json::from_str(row["line"].as_str()?).ok() };
    let id = line(&rows[0])?["id"].clone();
    let on = &rows[0]["conn"];
    let mut after =
        rows[1..].iter().filter(|row| row["conn"] == *on && row["dir"] == "pool->miner");
    let answer = after.find_map(|row| line(row).filter(|line| line["id"] == id))?;
    Some(match answer["error"][0].as_u64().or_else(|| answer["error"]["code"].as_u64()) {
        Some(code) => End::Refused(code),
        None => End::Accepted,
    })
}

/// Accepted, repeated or second solutions, above the target. The rest was refused by the played
/// pool for the play's sake.
fn ends(chain: &Chain) -> (usize, usize, usize) {
    let [second, low] = [22, 23].map(|code| chain.count(End::Refused(code)));
    (chain.count(End::Accepted), second, low)
}

#[test]
fn a_pool_that_does_all_there_is() {
    let chain = replay("solo");
    assert_eq!(ends(&chain), (14, 13, 0), "five of them as on the first connection");
    assert_eq!(
        chain.news,
        [
            "ground 0000000000000001",
            "live",
            // What the third job says; then the announced zeros, which overflowed from 2²⁵⁶.
            "target 7fffffff",
            "target ffffffff",
            "ground aabbccdd00112233",
            "ground 0000000000000001",
            "live",
        ]
    );
}

#[test]
fn a_node_based_server() {
    let chain = replay("real-solo-pool");
    assert_eq!(ends(&chain), (6, 9, 0), "the server calls second solutions duplicates");
    assert_eq!(chain.news, ["ground 66fa7b1900000000", "live"]);
}

#[test]
fn a_miningcore_fork() {
    let chain = replay("pool2");
    assert_eq!(ends(&chain), (11, 0, 0), "below its own target, and blocks by the notify's");
    assert_eq!(chain.news, ["ground 0000000000000002", "live", "target 00ffffff"]);
    let (_, target) = chain.told.values().next().unwrap();
    assert!(target.starts_with("00ff"), "the share target is in the notify: {target}");
}

#[test]
fn a_pool_that_writes_the_flag_as_a_string() {
    let chain = replay("strclean");
    assert_eq!(ends(&chain), (1, 0, 0));
    assert_eq!(chain.news, ["ground 0000000000000002", "live", "live"]);
    assert_eq!(chain.told.len(), 2, "the job with the string was told on");
}

#[test]
fn a_pool_that_sends_its_miners_away() {
    let chain = replay("reconnect");
    assert_eq!(ends(&chain), (1, 0, 0));
    assert_eq!(
        chain.news,
        ["ground 0000000000000002", "live", "reconnect 127.0.0.1 34343 in 1s", "live"]
    );
}

#[test]
fn a_pool_with_four_bytes() {
    let chain = replay("len4");
    assert_eq!(ends(&chain), (9, 0, 0), "every share is a block, also a second solution");
    assert_eq!(chain.news, ["ground 40000001", "live"]);
}

#[test]
fn a_pool_that_refuses_the_user() {
    let chain = replay("authfalse");
    let [_, down] = &chain.news[..] else { panic!("{:?}", chain.news) };
    assert!(down.starts_with("down: the pool refused user") && down.contains(USER), "{down}");
}
