//! What the tests share: a client that is scripted line by line, and configurations that a CPU
//! finds shares for at once.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod aion;

use std::future::{Ready, ready};
use std::io;
use std::sync::Arc;

use orepass_sim::coin::{Allotment, RigCoin, RigJob, Search, Solution};
use orepass_sim::handshake::{HandshakePool, HandshakeRig, StratumGeneration};
use orepass_sim::net::{PoolServer, RigDriver, RigHandle};
use orepass_sim::pool::PoolConfig;
use orepass_sim::rig::RigConfig;
use orepass_stratum::target::{Difficulty, Target};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};

/// One share in 430 hashes on Bitcoin's scale.
pub(crate) const EASY: f64 = 1e-7;

/// A deterministic pool of this generation with easy shares.
pub(crate) fn config(generation: StratumGeneration) -> PoolConfig {
    let difficulty = if generation.is_seed() { EASY * 256.0 } else { EASY };
    PoolConfig {
        fixed_time: Some(1_700_000_000),
        seed: 7,
        ..PoolConfig::handshake(generation, difficulty)
    }
}

/// A firmware that reads difficulties as a pool of this generation means them.
pub(crate) fn firmware(generation: StratumGeneration) -> HandshakeRig {
    let scale = HandshakePool::new(generation).scale;
    HandshakeRig { scale, ..HandshakeRig::default() }
}

/// A rig that comes back at once.
pub(crate) fn rig_config(generation: StratumGeneration) -> RigConfig {
    RigConfig {
        coin: Arc::new(firmware(generation)),
        reconnect_max: std::time::Duration::ZERO,
        ..RigConfig::default()
    }
}

/// What a rig connects with.
pub(crate) fn connector(
    pool: &PoolServer,
) -> impl FnMut() -> Ready<io::Result<DuplexStream>> + use<> {
    let pool = pool.clone();
    move || ready(Ok(pool.connect()))
}

/// Starts a rig at a pool.
pub(crate) fn start(pool: &PoolServer, config: RigConfig) -> RigHandle {
    let (rig, handle) = RigDriver::new(config);
    tokio::spawn(rig.run(connector(pool)));
    handle
}

/// A connection whose every line is written and read by the test.
pub(crate) struct Client {
    stream: BufReader<DuplexStream>,
}

impl Client {
    pub(crate) fn new(stream: DuplexStream) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// Subscribes and authorizes as `rig`; gives extranonce1 and the first notify.
    pub(crate) async fn login(pool: &PoolServer) -> (Self, Allotment, Value) {
        let mut client = Self::new(pool.connect());
        let subscribed = client.ask(r#"{"id":1,"method":"mining.subscribe","params":["test"]}"#);
        let subscribed = subscribed.await["result"].take();
        let allotment = HandshakeRig::default().parse_subscribed(&raw(&subscribed));
        let allotment = allotment.unwrap().unwrap();
        client.ask(r#"{"id":2,"method":"mining.authorize","params":["rig","x"]}"#).await;
        assert_eq!(client.line().await["method"], "mining.set_difficulty");
        let notify = client.line().await;
        assert_eq!(notify["method"], "mining.notify");
        (client, allotment, notify["params"].clone())
    }

    pub(crate) async fn send(&mut self, line: &str) {
        assert!(self.try_send(line).await, "the connection ended");
    }

    /// Whether the line could be written.
    pub(crate) async fn try_send(&mut self, line: &str) -> bool {
        self.stream.write_all(format!("{line}\n").as_bytes()).await.is_ok()
    }

    /// The next line's very text.
    pub(crate) async fn text(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.unwrap();
        assert!(line.ends_with('\n'), "the connection ended");
        line.pop();
        line
    }

    pub(crate) async fn line(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// Whether the other side ended the connection.
    pub(crate) async fn ended(&mut self) -> bool {
        self.stream.read_line(&mut String::new()).await.unwrap_or(0) == 0
    }

    pub(crate) async fn ask(&mut self, line: &str) -> Value {
        self.send(line).await;
        self.line().await
    }

    /// Submits and gives the answer, past the difficulty that may follow an earlier one.
    pub(crate) async fn submit(&mut self, worker: &str, job: &str, fields: &[String]) -> Value {
        let mut params = vec![worker.to_owned(), job.to_owned()];
        params.extend_from_slice(fields);
        let call = serde_json::json!({"id": "s", "method": "mining.submit", "params": params});
        self.send(&call.to_string()).await;
        loop {
            let line = self.line().await;
            if line["id"] == "s" {
                return line;
            }
        }
    }
}

/// A rig whose other end of its one connection is the test's.
pub(crate) fn script(config: RigConfig) -> (Client, RigHandle) {
    let (near, far) = duplex(1 << 16);
    let (rig, handle) = RigDriver::new(config);
    let mut near = Some(near);
    tokio::spawn(rig.run(move || {
        let stream = near.take().ok_or_else(|| io::Error::other("only once"));
        ready(stream)
    }));
    (Client::new(far), handle)
}

/// The search of a notified job.
pub(crate) fn search(rig: &HandshakeRig, allotment: &Allotment, notify: &Value) -> Box<dyn Search> {
    let job: Box<dyn RigJob> = rig.parse_notify(&raw(notify)).unwrap();
    job.search(allotment).unwrap()
}

/// A share of a notified job that meets this difficulty.
pub(crate) fn solve(
    rig: &HandshakeRig,
    allotment: &Allotment,
    notify: &Value,
    difficulty: f64,
) -> Solution {
    let target = rig.scale.target(Difficulty::new(difficulty).unwrap());
    search(rig, allotment, notify).step(u32::MAX, &target).found.unwrap()
}

/// The next share of a search that meets this target.
pub(crate) fn solve_target(search: &mut dyn Search, target: &Target) -> Solution {
    search.step(u32::MAX, target).found.unwrap()
}

pub(crate) fn raw(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).unwrap()
}

pub(crate) const ALL: [StratumGeneration; 4] = [
    StratumGeneration::Deployed,
    StratumGeneration::DeployedMask,
    StratumGeneration::Seed12,
    StratumGeneration::Seed13,
];
