//! The rig does what the reference miner does.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::aion::{HEADER, config, scenario, solutions_of, taught};
use common::{Client, script, start};
use orepass_sim::aion::{AionRig, Family};
use orepass_sim::coin::{
    Allotment, FirmwareHabits, RigCoin, RigError, RigJob, Search, SearchStep, Solution,
};
use orepass_sim::equihash::Solvers;
use orepass_sim::net::{PoolServer, RigDriver, RigHandle};
use orepass_sim::rig::{RigConfig, Rubbish};
use orepass_stratum::target::{Difficulty, Target};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

const EXTRANONCE1: &str = "0000000000000001";

fn rig(solvers: &Solvers) -> RigConfig {
    RigConfig {
        coin: Arc::new(AionRig { seat: solvers.seat(), ..AionRig::default() }),
        worker: "w".into(),
        reconnect_min: Duration::ZERO,
        reconnect_max: Duration::ZERO,
        ..RigConfig::aion()
    }
}

fn notify(id: &str, clean: bool, header: &str) -> String {
    json!({"id": null, "method": "mining.notify", "params": [id, clean, "f".repeat(64), header]})
        .to_string()
}

/// Answers a rig's login, its extranonce1 being this one.
async fn welcome(pool: &mut Client, extranonce1: &str) {
    assert_eq!(pool.line().await["method"], "mining.subscribe");
    pool.send(&json!({"id": 1, "result": [null, extranonce1], "error": null}).to_string()).await;
    assert_eq!(pool.line().await["method"], "mining.authorize");
    pool.send(r#"{"id":2,"result":true,"error":null}"#).await;
    let asked = pool.text().await;
    assert_eq!(asked, r#"{"id":3,"method":"mining.extranonce.subscribe","params":[]}"#);
}

/// The recorded conversation up to the second job, with recorded solutions.
#[tokio::test]
async fn the_real_miner_would_have_said_the_same() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let name = "0xa0aabbccddeeff00112233445566778899aabbccddeeff001122334455667788.rig1";
    let solvers = taught(EXTRANONCE1, 3);
    let config = RigConfig { worker: name.into(), share_limit: Some(4), ..rig(&solvers) };
    let (rig, handle) = RigDriver::new(config);
    tokio::spawn(rig.run_tcp(address.to_string()));
    let mut stream = BufReader::new(listener.accept().await.unwrap().0);
    let session = scenario("solo");
    let end = session.iter().position(|(_, line)| line.contains("\"id\":7")).unwrap();
    for (direction, line) in &session[..=end] {
        let line = line.replace("34333", &address.port().to_string());
        if direction == "pool->miner" {
            stream.write_all(format!("{line}\n").as_bytes()).await.unwrap();
            continue;
        }
        let mut read = String::new();
        stream.read_line(&mut read).await.unwrap();
        if line.contains("mining.submit") {
            // The time is the present one, and a nonce's solutions come in any order.
            let [mut read, mut line] =
                [&read, &line].map(|line| serde_json::from_str::<Value>(line).unwrap());
            let time = read["params"][2].take();
            assert_eq!(time.as_str().unwrap().len(), 16);
            line["params"][2].take();
            let solution = read["params"][4].take();
            let nonce = format!("{EXTRANONCE1}{}", read["params"][3].as_str().unwrap());
            let bare = solution.as_str().unwrap().strip_prefix("fd8005").unwrap().to_owned();
            assert!(solutions_of(&nonce).contains(&bare));
            line["params"][4].take();
            assert_eq!(read, line);
        } else {
            assert_eq!(read.trim_end_matches('\n'), line);
        }
    }
    let stats = handle.wait_for(|stats| stats.accepted > 0).await.unwrap();
    assert_eq!((stats.shares_sent, stats.hashes), (4, 4));
}

#[tokio::test]
async fn what_the_miner_does_not_care_for_changes_nothing() {
    let solvers = taught(EXTRANONCE1, 4);
    let (mut pool, handle) = script(RigConfig { share_limit: Some(5), ..rig(&solvers) });
    welcome(&mut pool, EXTRANONCE1).await;
    let zeros = "0".repeat(64);
    for ignored in [
        format!("{} ", notify("9", true, &zeros)),
        format!("{}\r", notify("9", true, &zeros)),
        format!(" {}", notify("9", true, &zeros)),
        notify("9", false, &zeros),
        json!({"id": null, "method": "mining.set_target", "params": [zeros]}).to_string(),
        json!({"id": null, "method": "mining.set_target", "params": ["?"]}).to_string(),
        json!({"id": null, "method": "mining.set_difficulty", "params": [512]}).to_string(),
        json!({"id": null, "method": "mining.something", "params": [1]}).to_string(),
        r#"{"id":"3","result":true,"error":null}"#.to_owned(),
        "not json".to_owned(),
        notify("1", true, HEADER),
        // The same id again, with other work.
        notify("1", true, &zeros),
    ] {
        pool.send(&ignored).await;
    }
    for id in 4..9 {
        let submit = pool.line().await;
        assert_eq!((&submit["id"], &submit["params"][1]), (&json!(id), &json!("1")));
    }
    let stats = handle.stats();
    assert_eq!((stats.jobs, stats.jobs_ignored, stats.job_ids_repeated), (3, 2, 1));
    assert_eq!((stats.lines_ignored, stats.disconnects, stats.difficulty), (4, 0, Some(512.0)));
}

/// A connection that the miner makes again whenever it drops one.
async fn reconnecting(config: RigConfig) -> (TcpListener, RigHandle) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (rig, handle) = RigDriver::new(config);
    tokio::spawn(rig.run_tcp(listener.local_addr().unwrap().to_string()));
    (listener, handle)
}

#[tokio::test]
async fn what_the_miner_cannot_read_makes_it_drop_the_connection() {
    let solvers = taught(EXTRANONCE1, 2);
    let (listener, handle) = reconnecting(rig(&solvers)).await;
    let target = "f".repeat(64);
    let call = |method: &str, params: Value| {
        json!({"id": null, "method": method, "params": params}).to_string()
    };
    let calls = [
        call("mining.set_difficulty", json!(["0007ff"])),
        call("mining.set_difficulty", json!(["512"])),
        call("mining.set_target", json!([512])),
        call("mining.notify", json!(["1", "true", target, HEADER])),
        call("mining.notify", json!(["1", true, target])),
        call("mining.notify", json!(["1", true, target, HEADER, 1])),
        call("mining.notify", json!(["1", true, target, format!("0x{HEADER}")])),
        call("client.reconnect", json!(["127.0.0.1", 1])),
        call("mining.set_extranonce", json!([7])),
    ];
    for (count, call) in calls.iter().enumerate() {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(format!("{call}\n").as_bytes()).await.unwrap();
        let dropped = count as u64 + 1;
        handle.wait_for(|stats| stats.drops_over_nonsense == dropped).await.unwrap();
    }
    assert_eq!(handle.stats().jobs, 0);
}

#[tokio::test]
async fn a_job_id_is_remembered_across_connections() {
    let solvers = taught(EXTRANONCE1, 2);
    let (listener, handle) = reconnecting(rig(&solvers)).await;
    for (connection, (id, shares)) in [("1", 1), ("1", 1), ("2", 2)].into_iter().enumerate() {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let answers = [
            json!({"id": 1, "result": [null, EXTRANONCE1], "error": null}).to_string(),
            r#"{"id":2,"result":true,"error":null}"#.to_owned(),
            notify(id, true, HEADER),
            r#"{"id":3,"result":null,"error":[20,"Not supported.",null]}"#.to_owned(),
        ];
        for answer in answers {
            stream.write_all(format!("{answer}\n").as_bytes()).await.unwrap();
            if !answer.contains("notify") {
                stream.read_line(&mut String::new()).await.unwrap();
            }
        }
        let seen = connection as u64 + 1;
        handle.wait_for(|stats| stats.jobs == seen && stats.shares_sent == shares).await.unwrap();
    }
    let stats = handle.stats();
    assert_eq!((stats.jobs_ignored, stats.job_ids_repeated, stats.works_repeated), (1, 1, 2));
}

#[tokio::test]
async fn a_refused_login_ends_the_miner() {
    let pool = PoolServer::new(config(Family::Node, &[], 0));
    pool.fault(orepass_sim::pool::PoolFault::RefuseWorker("*".into()));
    let (rig, _handle) = RigDriver::new(rig(&taught(EXTRANONCE1, 0)));
    let stats = rig.run(common::connector(&pool)).await;
    assert_eq!((stats.connects, stats.authorize_refused), (1, 1));
}

#[tokio::test]
async fn a_new_extranonce_waits_for_the_next_job() {
    let solvers = taught(EXTRANONCE1, 3);
    let other = "40000001";
    for counter in 0..3 {
        let nonce = format!("{:0<64}", format!("{other}{counter:02x}"));
        let known = solutions_of(&nonce).iter().map(|hex| common::aion::bytes(hex)).collect();
        let header = common::aion::array(HEADER);
        solvers.teach(header, common::aion::array(&nonce), known);
    }
    // The first nonce of the first extranonce1 has no solution, the next has one, then three.
    let (mut pool, handle) = script(RigConfig { share_limit: Some(5), ..rig(&solvers) });
    welcome(&mut pool, EXTRANONCE1).await;
    pool.send(&notify("1", true, HEADER)).await;
    pool.send(&json!({"method": "mining.set_extranonce", "params": [other]}).to_string()).await;
    for _ in 0..4 {
        assert_eq!(pool.line().await["params"][3].as_str().unwrap().len(), 48);
    }
    handle.wait_for(|stats| stats.set_extranonces == 1).await.unwrap();
    pool.send(&notify("2", true, HEADER)).await;
    let next = pool.line().await;
    assert_eq!((&next["params"][1], &next["params"][3]), (&json!("2"), &json!("0".repeat(56))));
}

#[tokio::test]
async fn the_miner_goes_where_it_is_sent() {
    let (listener, handle) = reconnecting(rig(&taught(EXTRANONCE1, 0))).await;
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let (mut stream, _) = listener.accept().await.unwrap();
    let call = json!({"method": "client.reconnect", "params": ["127.0.0.1", port, 1]});
    stream.write_all(format!("{call}\n").as_bytes()).await.unwrap();
    let (stream, _) = other.accept().await.unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await.unwrap();
    assert!(line.contains(&format!("\"127.0.0.1\",\"{port}\"")), "{line}");
    assert_eq!(handle.stats().drops_over_nonsense, 0);
}

/// Real solving: the rig finds solutions and the pool takes them. The notify of this family
/// carries the target that the reference miner works from.
#[tokio::test]
async fn solved_nonces_are_shares() {
    let pool = PoolServer::new(config(Family::Node, &[], 0));
    let config = RigConfig { share_limit: Some(1), ..RigConfig::aion() };
    let handle = start(&pool, config);
    let stats = handle.wait_for(|stats| stats.accepted == 1).await.unwrap();
    assert_eq!((stats.rejected, stats.works_repeated), (0, 0));
    let stats = pool.stats();
    assert_eq!((stats.accepted, stats.invalid_solutions, stats.workers["sim"].accepted), (1, 0, 1));
}

/// A coin whose searches end when the test says so.
#[derive(Debug, Clone)]
struct Scripted {
    finished: Arc<Finished>,
}

/// So many searches have found their share, and who waits for more.
#[derive(Debug, Default)]
struct Finished(Mutex<(u64, Vec<Waker>)>);

impl Finished {
    fn until(&self, job: u64) {
        let mut state = self.0.lock().unwrap();
        state.0 = job;
        state.1.drain(..).for_each(Waker::wake);
    }
}

#[derive(Debug)]
struct ScriptedJob(Scripted, String);

#[derive(Debug)]
struct ScriptedSearch(Scripted, String);

impl RigCoin for Scripted {
    fn habits(&self) -> FirmwareHabits {
        FirmwareHabits { lingers: Duration::from_secs(1), ..FirmwareHabits::default() }
    }

    fn subscribe_params(&self, _agent: &str, _address: &str) -> String {
        "[]".into()
    }

    fn parse_subscribed(&self, _result: &RawValue) -> Result<Option<Allotment>, RigError> {
        let extranonce1 = "00".parse().unwrap();
        Ok(Some(Allotment { extranonce1, size: None, granted: None }))
    }

    fn parse_notify(&self, params: &RawValue) -> Result<Box<dyn RigJob>, RigError> {
        let id: Vec<String> = serde_json::from_str(params.get()).unwrap();
        Ok(Box::new(ScriptedJob(self.clone(), id[0].clone())))
    }

    fn target(&self, _difficulty: Difficulty) -> Target {
        Target::MAX
    }
}

impl RigJob for ScriptedJob {
    fn id(&self) -> &str {
        &self.1
    }

    fn fingerprint(&self) -> u64 {
        0
    }

    fn search(&self, _allotment: &Allotment) -> Result<Box<dyn Search>, RigError> {
        Ok(Box::new(ScriptedSearch(self.0.clone(), self.1.clone())))
    }
}

impl ScriptedSearch {
    fn is_finished(&self) -> bool {
        self.0.finished.0.lock().unwrap().0 >= self.1.parse().unwrap()
    }
}

impl Search for ScriptedSearch {
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_finished() {
            return Poll::Ready(());
        }
        self.0.finished.0.lock().unwrap().1.push(context.waker().clone());
        Poll::Pending
    }

    fn step(&mut self, _budget: u32, _target: &Target) -> SearchStep {
        let found = self.is_finished().then(|| Solution { fields: vec![self.1.clone()] });
        SearchStep { tried: 1, found, exhausted: true }
    }

    fn is_busy(&self) -> bool {
        !self.is_finished()
    }

    fn spoil(&self, _share: &Solution, _how: Rubbish) -> Option<Solution> {
        None
    }
}

/// What has been begun is finished and handed in under the old job, for a second.
#[tokio::test(start_paused = true)]
async fn the_old_job_lingers() {
    let finished = Arc::new(Finished::default());
    let coin = Scripted { finished: Arc::clone(&finished) };
    let (mut pool, handle) = script(RigConfig { coin: Arc::new(coin), ..RigConfig::default() });
    pool.line().await;
    pool.send(r#"{"id":1,"result":[],"error":null}"#).await;
    pool.line().await;
    pool.send(r#"{"id":2,"result":true,"error":null}"#).await;
    pool.send(r#"{"method":"mining.notify","params":["1"]}"#).await;
    handle.wait_for(|stats| stats.mining == 1).await.unwrap();
    pool.send(r#"{"method":"mining.notify","params":["2"]}"#).await;
    handle.wait_for(|stats| stats.jobs == 2).await.unwrap();
    finished.until(1);
    assert_eq!(pool.line().await["params"], json!(["sim", "1", "1"]));
    // The second job's search does not end, so the third takes its place after a second.
    pool.send(r#"{"method":"mining.notify","params":["3"]}"#).await;
    let told = tokio::time::Instant::now();
    handle.wait_for(|stats| stats.jobs == 3).await.unwrap();
    pool.send(r#"{"method":"mining.notify","params":["4"]}"#).await;
    handle.wait_for(|stats| stats.jobs == 4).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(told.elapsed() < Duration::from_secs(20));
    finished.until(4);
    assert_eq!(pool.line().await["params"], json!(["sim", "4", "4"]));
}
