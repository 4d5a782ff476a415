//! What the program writes to files and tells webhooks, and what a full disk, a folder that is gone, a
//! receiver that is ill, a reload and an upgrade make of it.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orepass_sim::net::{PoolServer, RigFarm};
use orepass_sim::pool::PoolConfig;
use orepass_sim::rig::RigConfig;
use orepass_tests::http::{get, get_json};
use orepass_tests::programs::free_port;
use orepass_tests::proxy::ProxyProcess;
use orepass_tests::site::{Plan, mixed_rig};
use orepass_tests::tls::OwnCertificate;
use orepass_tests::wait::until;
use serde_json::Value;

/// A receiver of webhooks: answers as it is told, and keeps what it is sent.
#[derive(Clone)]
struct Receiver {
    port: u16,
    status: Arc<AtomicU16>,
    calls: Arc<Mutex<Vec<(u16, Value)>>>,
}

impl Receiver {
    fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Self {
            port: listener.local_addr().unwrap().port(),
            status: Arc::new(AtomicU16::new(status)),
            calls: Arc::default(),
        };
        let own = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let own = own.clone();
                std::thread::spawn(move || own.serve(stream));
            }
        });
        receiver
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream.try_clone().ok()?);
        let mut stream = stream;
        loop {
            let mut length = 0;
            loop {
                let mut line = String::new();
                if lines.read_line(&mut line).ok()? == 0 {
                    return None;
                }
                let line = line.trim_end().to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().ok()?;
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            lines.read_exact(&mut body).ok()?;
            let status = self.status.load(Ordering::Relaxed);
            self.calls.lock().unwrap().push((status, serde_json::from_slice(&body).ok()?));
            write!(stream, "HTTP/1.1 {status} As Told\r\nContent-Length: 0\r\n\r\n").ok()?;
        }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// The alerts that it was sent while it answered so, by their code and state.
    fn alerts(&self, status: u16) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        let of = calls.iter().filter(|(answered, _)| *answered == status);
        of.map(|(_, body)| {
            assert_eq!((&body["kind"], &body["text"]), (&"alert".into(), &body["content"]));
            let text = |key: &str| body[key].as_str().unwrap().to_owned();
            format!("{} {}", text("alert"), text("state"))
        })
        .collect()
    }
}

struct SinkStory {
    pool: PoolServer,
    proxy: ProxyProcess,
    farm: RigFarm,
    api: String,
}

impl SinkStory {
    async fn begin(program: Command, sinks: &str) -> Self {
        let plan = Plan::deployed();
        let coin = Arc::new(plan.coin.clone());
        let pool = PoolServer::new(PoolConfig { coin, fixed_time: None, ..plan.pool.clone() });
        let at = pool.listen("127.0.0.1:0").await.unwrap();
        let api = format!("127.0.0.1:{}", free_port());
        let more = format!(
            "[api]\nlisten = \"{api}\"\n[control]\nsocket = \"c.sock\"\n[stop]\ndrain_seconds = \
             2\n{sinks}"
        );
        let proxy = ProxyProcess::start(program, at, ["", &more]).await;
        let rig = |number| RigConfig { hashrate: 500.0, ..mixed_rig(number) };
        let farm = RigFarm::start(4, &proxy.address, Duration::ZERO, rig);
        let story = Self { pool, proxy, farm, api };
        story.earns(20).await;
        story
    }

    async fn earns(&self, more: u64) {
        let before = self.farm.stats().accepted;
        until("work", || self.farm.stats().accepted, |now| *now >= before + more).await;
    }

    fn metric(&self, name: &str, sink: &str) -> f64 {
        let page = get(&self.api, "/metrics").unwrap_or_default();
        let row = format!("orepass_sink_{name}{{sink=\"{sink}\"}} ");
        page.lines().find_map(|line| line.strip_prefix(&row)?.parse().ok()).unwrap_or_default()
    }

    /// Stops the rigs and tells how many shares have ended.
    async fn ended(&self) -> f64 {
        self.farm.stop_mining();
        until("answers", || self.farm.stats().pending, |pending| *pending == 0).await;
        let summary = get_json(&self.api, "/api/v1/summary").unwrap();
        let shares = &summary["routes"][0]["shares"];
        assert_eq!(shares["in_flight"], 0);
        shares["sent"].as_f64().unwrap()
    }

    fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.proxy.config()).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(self.proxy.config(), text.replace(from, to)).unwrap();
    }

    async fn end(self) {
        self.farm.close().await;
        drop(self.proxy);
        self.pool.close();
    }
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_proxy"))
}

/// The records of a file, each of which is there once.
fn records(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let records: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: HashSet<&str> = records.iter().map(|record| record["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), records.len());
    records
}

fn of_kind(records: &[Value], kind: &str) -> f64 {
    records.iter().filter(|record| record["kind"] == kind).count() as f64
}

#[tokio::test]
async fn a_file_has_each_share_and_event_and_a_full_disk_stops_nobody() {
    let sinks = "[[file]]\npath = \"out.ndjson\"\n[[file]]\npath = \"/dev/full\"\nname = \"full\"\n\
                 [[file]]\npath = \"gone/out.ndjson\"\nname = \"gone\"\nwhat = [\"shares\"]\n";
    let mut story = SinkStory::begin(program(), sinks).await;
    story.proxy.log().says(&["sink.failed", "full", "make room"]).await;
    story.proxy.log().says(&["sink.failed", "gone", "its folder is not there"]).await;
    story.earns(50).await;
    let waiting = || story.metric("waiting", "gone");
    until("what waits", waiting, |waiting| *waiting > 0.0).await;
    // Another one that is there at once, and what waited comes along.
    fs::create_dir(story.proxy.folder.join("gone")).unwrap();
    let ended = story.ended().await;
    let told = |sink: &'static str| story.metric("records_total", sink);
    until("all shares in the folder", || told("gone"), |told| *told == ended).await;
    let out = story.proxy.folder.join("out.ndjson");
    until("all shares", || of_kind(&records(&out), "share"), |shares| *shares == ended).await;
    let all = records(&out);
    let has = |key: &str, value: &str| all.iter().any(|record| record[key] == value);
    assert!(has("event", "route.up") && has("event", "rig.up"), "also what was before it began");
    assert!(has("result", "accepted_by_pool") && has("worker", "rig0") && has("pool", "pool"));
    let rigs = story.farm.stats();
    assert_eq!((rigs.disconnects, rigs.rejected, rigs.unanswered), (0, 0, 0), "{rigs:?}");
    let needs_somebody = || {
        let diagnostics = get(&story.api, "/api/v1/diagnostics").unwrap();
        diagnostics.contains("sink_failing") && diagnostics.contains("make room")
    };
    until("it is on the list", needs_somebody, |is| *is).await;
    // What does not find its way by the end is said.
    story.proxy.signal("TERM");
    assert!(story.proxy.ended().await.success());
    story.proxy.log().says(&["sink.dropped", "full"]).await;
    story.end().await;
}

#[tokio::test]
async fn sinks_change_with_the_config_and_lose_nothing_by_it() {
    let sinks = "[[file]]\nname = \"out\"\npath = \"out.ndjson\"\nwhat = [\"shares\"]\n";
    let story = SinkStory::begin(program(), sinks).await;
    story.edit("\"out.ndjson\"", "\"other.ndjson\"");
    story.proxy.signal("HUP");
    story.proxy.log().says(&["reload.changed", "file out changed"]).await;
    let other = story.proxy.folder.join("other.ndjson");
    until("the other file", || other.exists(), |is| *is).await;
    story.earns(20).await;
    story.edit("what = [\"shares\"]", "what = [\"shares\"]\n[[file]]\npath = \"more.ndjson\"\n");
    story.proxy.signal("HUP");
    story.proxy.log().says(&["reload.changed", "file more.ndjson begins"]).await;
    story.earns(20).await;
    let ended = story.ended().await;
    let out = story.proxy.folder.join("out.ndjson");
    let both = || (records(&out).len() + records(&other).len()) as f64;
    until("all shares in both", both, |shares| *shares == ended).await;
    assert!(!records(&story.proxy.folder.join("more.ndjson")).is_empty());
    story.end().await;
}

#[tokio::test]
async fn an_upgrade_writes_each_share_once_and_the_old_process_writes_another_file() {
    let sinks = "[[file]]\npath = \"out.ndjson\"\nwhat = [\"shares\", \"events\"]\n";
    let mut story = SinkStory::begin(program(), sinks).await;
    story.proxy.signal("USR2");
    story.proxy.log().says(&["\"upgraded\""]).await;
    story.proxy.log().says(&["handover.done"]).await;
    story.proxy.ended().await;
    story.earns(20).await;
    story.farm.stop_mining();
    until("answers", || story.farm.stats().pending, |pending| *pending == 0).await;
    let accepted = story.farm.stats().accepted as f64;
    let folder = story.proxy.folder.clone();
    let all = || {
        let paths = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let files = paths.filter(|path| path.extension().is_some_and(|end| end == "ndjson"));
        files.flat_map(|path| records(&path)).collect::<Vec<_>>()
    };
    let told = || {
        let good = |record: &&Value| record["result"] == "accepted_by_pool";
        all().iter().filter(good).count() as f64
    };
    until("all shares", told, |told| *told >= accepted).await;
    let own = |mark: &str| {
        let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().contains(mark)).count()
    };
    assert_eq!((own("out.ndjson"), own("out-20")), (1, 1), "one beside it");
    // Both processes' runs are in the files, and no record is there twice.
    let ids: HashSet<String> =
        all().iter().map(|record| record["id"].as_str().unwrap()[..16].to_owned()).collect();
    assert_eq!(ids.len(), 2);
    // The new process is no child of ours.
    let status = get_json(&story.api, "/api/v1/status").unwrap();
    let killed = Command::new("kill").arg(status["pid"].to_string()).status().unwrap();
    assert!(killed.success());
    story.end().await;
}

#[tokio::test]
async fn a_webhook_that_was_ill_is_told_what_was_and_that_it_is_over() {
    let (receiver, own) = (Receiver::start(500), OwnCertificate::make("sinks"));
    let by_tls = own.before(([127, 0, 0, 1], receiver.port).into()).await.port();
    let sinks = format!(
        "[[webhook]]\nname = \"chat\"\nurl = \"https://localhost:{by_tls}/hook/hunter2\"\non = \
         [\"reload_refused\"]\nheaders = [\"Authorization: hunter2\"]\nca_file = {:?}\n\
         [[webhook]]\nname = \"stranger\"\nurl = \"https://localhost:{by_tls}/\"\non = \
         [\"reload_refused\"]\n",
        own.file()
    );
    let story = SinkStory::begin(program(), &sinks).await;
    story.edit("[control]", "[controll]");
    story.proxy.signal("HUP");
    let tries = || receiver.alerts(500).len();
    until("it is tried again", tries, |tries| *tries >= 3).await;
    story.proxy.log().says(&["sink.failed", "chat", "status 500"]).await;
    receiver.answers(204);
    let well = || receiver.alerts(204);
    let raised = "reload_refused raised".to_owned();
    until("told", well, |told| *told == [raised.clone()]).await;
    story.edit("[controll]", "[control]");
    story.proxy.signal("HUP");
    let over = "reload_refused recovered".to_owned();
    until("over", well, |told| *told == [raised.clone(), over.clone()]).await;
    assert_eq!(story.metric("dropped_total", "chat"), 0.0);
    // Nobody whom this machine believes has signed that receiver's certificate.
    story.proxy.log().says(&["sink.failed", "stranger", "ertificate"]).await;
    assert_eq!(story.metric("records_total", "stranger"), 0.0);
    assert!(story.proxy.log().lines(&["hunter2"]).is_empty());
    story.end().await;
}
