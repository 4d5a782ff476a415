//! A rig whose every line the test writes and reads.

use std::collections::VecDeque;

use orepass_sim::coin::{Allotment, RigCoin, RigJob, Search, Solution};
use orepass_sim::handshake::HandshakeRig;
use orepass_stratum::target::Difficulty;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::wait::within;

/// A connection to a route, or to a pool.
pub struct Client {
    stream: BufReader<TcpStream>,
    /// Lines that came while an answer was waited for.
    passed: VecDeque<Value>,
}

/// What a login gave.
pub struct Login {
    /// The extranonce.
    pub allotment: Allotment,
    /// The difficulty.
    pub difficulty: f64,
    /// The first job's parameters.
    pub notify: Value,
}

impl Client {
    /// Connects.
    pub async fn connect(address: &str) -> Self {
        let stream = within("a connection", TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream), passed: VecDeque::new() }
    }

    /// Connects, subscribes and authorizes as `worker`.
    pub async fn login(address: &str, worker: &str) -> (Self, Login) {
        let mut client = Self::connect(address).await;
        let subscribed = client.subscribe().await;
        let allotment = allotment(&subscribed["result"]);
        let call = json!({"id": 2, "method": "mining.authorize", "params": [worker, "x"]});
        let authorized = client.ask(&call.to_string()).await;
        assert_eq!(authorized["result"], true, "{authorized}");
        let (difficulty, notify) = client.next_job().await;
        let difficulty = difficulty.expect("a difficulty comes before the first job");
        (client, Login { allotment, difficulty, notify })
    }

    /// Subscribes and gives the answer.
    pub async fn subscribe(&mut self) -> Value {
        self.ask(r#"{"id":1,"method":"mining.subscribe","params":["test/1"]}"#).await
    }

    /// Sends a line.
    pub async fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\n").as_bytes()).await;
    }

    /// Sends bytes; the other side may have closed already.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// Says that nothing more is said; what the other side says can still be read.
    pub async fn half_close(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Sends a share without waiting for its answer, whose id is `"s"`.
    pub async fn send_share(&mut self, worker: &str, job: &str, share: &Solution) {
        let mut params = vec![worker.to_owned(), job.to_owned()];
        params.extend_from_slice(&share.fields);
        let call = json!({"id": "s", "method": "mining.submit", "params": params});
        self.send(&call.to_string()).await;
    }

    /// The next line; `None` at the connection's end.
    pub async fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = within("a line, or the end", self.stream.read_line(&mut line)).await;
        // A reset is an end too: the other side closed while bytes of ours were unread.
        let count = read.unwrap_or(0);
        (count > 0).then(|| serde_json::from_str(&line).unwrap())
    }

    /// All lines up to the connection's end.
    pub async fn rest(&mut self) -> Vec<Value> {
        let mut lines = Vec::new();
        while let Some(line) = self.line().await {
            lines.push(line);
        }
        lines
    }

    /// Sends a call, whose id must be a number or a string, and gives its answer. Jobs that come
    /// before it are kept for [`next_job`](Self::next_job).
    pub async fn ask(&mut self, line: &str) -> Value {
        self.send(line).await;
        let call: Value = serde_json::from_str(line).unwrap();
        self.answer(call["id"].clone()).await
    }

    /// The answer to the call of this id; what comes before it is kept as by [`ask`](Self::ask).
    pub async fn answer(&mut self, id: impl Into<Value>) -> Value {
        let id = id.into();
        loop {
            let answer = self.line().await.unwrap_or_else(|| panic!("no answer to {id}"));
            if answer["id"] == id {
                return answer;
            }
            self.passed.push_back(answer);
        }
    }

    /// The parameters of the next notify, and the difficulty that came before it.
    pub async fn next_job(&mut self) -> (Option<f64>, Value) {
        let mut difficulty = None;
        loop {
            let mut line = match self.passed.pop_front() {
                Some(line) => line,
                None => self.line().await.expect("a job comes"),
            };
            match line["method"].as_str() {
                Some("mining.set_difficulty") => difficulty = line["params"][0].as_f64(),
                Some("mining.notify") => return (difficulty, line["params"].take()),
                _ => {}
            }
        }
    }

    /// Submits a share and gives the answer.
    pub async fn submit(&mut self, worker: &str, job: &str, share: &Solution) -> Value {
        self.send_share(worker, job, share).await;
        self.answer("s").await
    }
}

impl Login {
    /// The first job's id.
    #[must_use]
    pub fn job(&self) -> &str {
        self.notify[0].as_str().unwrap()
    }

    /// So many different shares of the first job.
    #[must_use]
    pub fn shares(&self, count: usize) -> Vec<Solution> {
        let rig = HandshakeRig::default();
        let mut search = search(&rig, &self.allotment, &self.notify, None);
        solve(&mut *search, &rig, self.difficulty, count)
    }
}

/// The extranonce in a subscribe's result.
#[must_use]
pub fn allotment(result: &Value) -> Allotment {
    HandshakeRig::default().parse_subscribed(&raw(result)).unwrap().unwrap()
}

/// The search of a job; `transactions` are the other transactions' ids, where they are needed.
#[must_use]
pub fn search(
    rig: &HandshakeRig,
    allotment: &Allotment,
    notify: &Value,
    transactions: Option<&Value>,
) -> Box<dyn Search> {
    let mut job: Box<dyn RigJob> = rig.parse_notify(&raw(notify)).unwrap();
    if let Some(transactions) = transactions {
        job.learn_transactions(&raw(transactions)).unwrap();
    }
    job.search(allotment).unwrap()
}

/// So many shares of a difficulty on the rig's scale.
pub fn solve(
    search: &mut dyn Search,
    rig: &HandshakeRig,
    difficulty: f64,
    count: usize,
) -> Vec<Solution> {
    let target = rig.scale.target(Difficulty::new(difficulty).unwrap());
    (0..count).map(|_| search.step(u32::MAX, &target).found.unwrap()).collect()
}

/// A share of a job that misses the difficulty by a factor of at most eight.
#[must_use]
pub fn poor_share(rig: &HandshakeRig, login: &Login, transactions: Option<&Value>) -> Solution {
    let solve = |difficulty, count| {
        let mut search = search(rig, &login.allotment, &login.notify, transactions);
        solve(&mut *search, rig, difficulty, count)
    };
    // Both searches go the same way, so the good ones among the first few are all known.
    let good = solve(login.difficulty, 20);
    let poor = solve(login.difficulty / 8.0, 20).into_iter().find(|share| !good.contains(share));
    poor.expect("not every share of an eighth of the difficulty meets it")
}

/// A value's JSON text.
#[must_use]
pub fn raw(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).unwrap()
}
