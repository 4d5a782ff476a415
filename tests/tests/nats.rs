//! What the program tells a NATS server, and what becomes of that when the server is killed, stopped, or
//! copied from by a hub. The servers are Debian's.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::stream::{Config, External, Source};
use async_nats::jetstream::{self, Context};
use orepass_sim::net::{PoolServer, RigFarm};
use orepass_sim::pool::PoolConfig;
use orepass_sim::rig::RigConfig;
use orepass_tests::http::{get, get_json};
use orepass_tests::programs::{Running, free_port, has};
use orepass_tests::proxy::{ProxyProcess, new_folder};
use orepass_tests::site::{Plan, mixed_rig};
use orepass_tests::tls::OwnCertificate;
use orepass_tests::wait::until;
use serde_json::Value;

const RIGS: usize = 20;

/// How long a server is away: longer where that is wished.
fn outage() -> Duration {
    let wished = std::env::var("OREPASS_NATS_OUTAGE_SECONDS").ok();
    Duration::from_secs(wished.and_then(|text| text.parse().ok()).unwrap_or(8))
}

async fn server(folder: &Path, port: u16) -> Running {
    let mut command = Command::new("nats-server");
    command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"]).arg(folder);
    Running::serving(&mut command, port).await
}

async fn jetstream(port: u16) -> Context {
    jetstream::new(async_nats::connect(format!("nats://127.0.0.1:{port}")).await.unwrap())
}

/// A farm at the program that tells a server of each share.
struct NatsStory {
    pool: PoolServer,
    proxy: ProxyProcess,
    farm: RigFarm,
    api: String,
}

impl NatsStory {
    async fn begin(port: u16, queue_mib: u32, hashrate: f64) -> Self {
        let server = format!("url = \"nats://127.0.0.1:{port}\"\nqueue_mib = {queue_mib}\n");
        Self::begin_at(&server, hashrate).await
    }

    /// At the server that these keys tell of.
    async fn begin_at(server: &str, hashrate: f64) -> Self {
        let plan = Plan::deployed();
        let coin = Arc::new(plan.coin.clone());
        let pool = PoolServer::new(PoolConfig { coin, fixed_time: None, ..plan.pool.clone() });
        let at = pool.listen("127.0.0.1:0").await.unwrap();
        let api = format!("127.0.0.1:{}", free_port());
        let more = format!(
            "[api]\nlisten = \"{api}\"\n[[nats]]\n{server}site = \"north\"\nname = \"stream\"\n\
             what = [\"shares\"]\n"
        );
        let program = Command::new(env!("CARGO_BIN_EXE_proxy"));
        let proxy = ProxyProcess::start(program, at, ["", &more]).await;
        let rig = |number| RigConfig { hashrate, ..mixed_rig(number) };
        let farm = RigFarm::start(RIGS, &proxy.address, Duration::ZERO, rig);
        Self { pool, proxy, farm, api }
    }

    fn metric(&self, name: &str) -> f64 {
        let page = get(&self.api, "/metrics").unwrap();
        let row = format!("orepass_sink_{name}{{sink=\"stream\"}} ");
        page.lines().find_map(|line| line.strip_prefix(&row)?.parse().ok()).unwrap()
    }

    /// Waits until so many more shares of the rigs were accepted.
    async fn earns(&self, more: u64) {
        let before = self.farm.stats().accepted;
        until("work", || self.farm.stats().accepted, |now| *now >= before + more).await;
    }

    async fn is_told(&self) {
        until("nothing waits", || self.metric("waiting"), |waiting| *waiting == 0.0).await;
        // What is being delivered does not wait.
        let all = || self.metric("records_total") + self.metric("dropped_total");
        let ended = self.ended() as f64;
        until("all is told", all, |all| *all == ended).await;
    }

    /// How many shares have ended, by the route's books.
    fn ended(&self) -> u64 {
        let summary = get_json(&self.api, "/api/v1/summary").unwrap();
        let shares = &summary["routes"][0]["shares"];
        shares["sent"].as_u64().unwrap() - shares["in_flight"].as_u64().unwrap()
    }

    /// Stops the rigs, and holds the stream against the books.
    async fn end(self, stream: &Context) -> Told {
        self.farm.stop_mining();
        until("answers", || self.farm.stats().pending, |pending| *pending == 0).await;
        let rigs = self.farm.stats();
        assert_eq!((rigs.disconnects, rigs.unanswered, rigs.rejected), (0, 0, 0), "{rigs:?}");
        self.is_told().await;
        let (delivered, dropped) = (self.metric("records_total"), self.metric("dropped_total"));
        let shares = read(stream, "orepass").await;
        assert_eq!(shares.len() as f64, delivered, "the stream has what was delivered");
        assert_eq!(delivered + dropped, self.ended() as f64, "each share is told or counted");
        let accepted = shares.iter().filter(|share| share["result"] == "accepted_by_pool").count();
        let told = Told { delivered, dropped, accepted: accepted as f64, seen: rigs.accepted };
        self.farm.close().await;
        drop(self.proxy);
        self.pool.close();
        told
    }
}

#[derive(Debug)]
struct Told {
    delivered: f64,
    dropped: f64,
    accepted: f64,
    seen: u64,
}

/// All messages of a stream, each of which is there once.
async fn read(context: &Context, name: &str) -> Vec<Value> {
    let mut stream = context.get_stream(name).await.unwrap();
    let state = stream.info().await.unwrap().state.clone();
    let (mut shares, mut ids) = (Vec::new(), HashSet::new());
    for sequence in state.first_sequence..=state.last_sequence {
        let message = stream.get_raw_message(sequence).await.unwrap();
        assert_eq!(message.subject.as_str(), "orepass.v1.north.hns.share");
        let share: Value = serde_json::from_slice(&message.payload).unwrap();
        assert_eq!((&share["v"], &share["site"]), (&1.into(), &"north".into()));
        let id = share["id"].as_str().unwrap().to_owned();
        assert!(ids.insert(id), "{share} is there twice");
        shares.push(share);
    }
    assert_eq!(shares.len() as u64, state.messages);
    shares
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "whoever runs the test is to see what it came to")]
async fn a_server_that_is_killed_and_comes_back_costs_no_share_and_nothing_is_told_twice() {
    if !has("nats-server") {
        return;
    }
    let (folder, port) = (new_folder(), free_port());
    let nats = server(&folder, port).await;
    let story = NatsStory::begin(port, 32, 300.0).await;
    story.earns(200).await;
    until("records", || story.metric("records_total"), |records| *records > 100.0).await;
    drop(nats);
    // Not `until`: it is under load for so long.
    tokio::time::sleep(outage()).await;
    assert!(story.metric("waiting") > 0.0);
    story.proxy.log().says(&["sink.failed", "stream"]).await;
    story.earns(100).await;
    let _nats = server(&folder, port).await;
    until("records", || story.metric("waiting"), |waiting| *waiting == 0.0).await;
    story.proxy.log().says(&["sink.works", "stream"]).await;
    story.earns(100).await;
    let told = story.end(&jetstream(port).await).await;
    assert_eq!((told.dropped, told.accepted), (0.0, told.seen as f64), "{told:?}");
    eprintln!("killed for {:?}: {told:?}", outage());
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "whoever runs the test is to see what it came to")]
async fn a_server_that_stands_still_under_load_costs_what_finds_no_room_and_that_is_counted() {
    if !has("nats-server") {
        return;
    }
    let (folder, port) = (new_folder(), free_port());
    let nats = server(&folder, port).await;
    // Some thousand shares find room.
    let story = NatsStory::begin(port, 1, 2500.0).await;
    story.earns(200).await;
    nats.signal("STOP");
    tokio::time::sleep(outage()).await;
    until("drops", || story.metric("dropped_total"), |dropped| *dropped > 100.0).await;
    story.earns(100).await;
    nats.signal("CONT");
    story.proxy.log().says(&["sink.dropped", "stream"]).await;
    story.earns(100).await;
    let told = story.end(&jetstream(port).await).await;
    assert!(told.dropped > 100.0 && told.delivered > 1000.0, "{told:?}");
    eprintln!("stood still for {:?}: {told:?}", outage());
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_server_is_spoken_to_by_tls_with_a_password_and_one_that_is_somebody_else_is_not() {
    if !has("nats-server") {
        return;
    }
    let (folder, port) = (new_folder(), free_port());
    let own = OwnCertificate::make("nats");
    let file = own.file();
    let config = format!(
        "listen: 127.0.0.1:{port}\njetstream {{ store_dir: {folder:?} }}\ntls {{ cert_file: \
         {file:?}, key_file: {file:?} }}\nauthorization {{ user: north, password: SECRET }}\n"
    );
    std::fs::write(folder.join("n.conf"), config).unwrap();
    let mut command = Command::new("nats-server");
    command.arg("-c").arg(folder.join("n.conf"));
    let _nats = Running::serving(&mut command, port).await;
    let server = |url: &str, password: &str, ca: &str| {
        format!("url = \"{url}\"\nuser = \"north\"\npassword = \"{password}\"\n{ca}")
    };
    let (ca, tls) = (format!("ca_file = {file:?}\n"), format!("tls://localhost:{port}"));
    let story = NatsStory::begin_at(&server(&tls, "SECRET", &ca), 300.0).await;
    until("records", || story.metric("records_total"), |records| *records > 100.0).await;
    let by_address = format!("tls://127.0.0.1:{port}");
    for (url, password, ca, why) in [
        (&*tls, "WRONG", &*ca, "authorization violation"),
        // Nobody whom this machine believes has signed it.
        (&*tls, "SECRET", "", "ertificate"),
        // It is not called so.
        (&*by_address, "SECRET", &*ca, "ertificate"),
    ] {
        let story = NatsStory::begin_at(&server(url, password, ca), 300.0).await;
        story.proxy.log().says(&["sink.failed", why]).await;
        assert_eq!(story.metric("records_total"), 0.0);
        assert!(story.proxy.log().lines(&[password]).is_empty());
        story.farm.close().await;
    }
    story.farm.close().await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_hub_has_what_a_site_was_told_also_after_a_time_without_a_line() {
    if !has("nats-server") {
        return;
    }
    let folder = new_folder();
    let [at_site, at_hub, leaf] = [free_port(), free_port(), free_port()];
    // As docs/scaling.md has them.
    let site = format!(
        "server_name: north\nlisten: 127.0.0.1:{at_site}\njetstream {{ store_dir: {:?}, domain: \
         north }}\nleafnodes {{ remotes: [ {{ url: \"nats-leaf://north:SECRET@127.0.0.1:{leaf}\" \
         }} ] }}\n",
        folder.join("north")
    );
    let hub = format!(
        "server_name: hub\nlisten: 127.0.0.1:{at_hub}\njetstream {{ store_dir: {:?}, domain: hub \
         }}\nleafnodes {{\n listen: 127.0.0.1:{leaf}\n authorization {{ users: [ {{ user: north, \
         password: SECRET }} ] }}\n}}\n",
        folder.join("hub")
    );
    std::fs::write(folder.join("north.conf"), site).unwrap();
    std::fs::write(folder.join("hub.conf"), hub).unwrap();
    let start = |name: &str, port| {
        let mut command = Command::new("nats-server");
        command.arg("-c").arg(folder.join(name));
        async move { Running::serving(&mut command, port).await }
    };
    let _site = start("north.conf", at_site).await;
    let hub = start("hub.conf", at_hub).await;
    let story = NatsStory::begin(at_site, 32, 300.0).await;
    until("records", || story.metric("records_total"), |records| *records > 100.0).await;
    let source = Source {
        name: "orepass".to_owned(),
        external: Some(External { api_prefix: "$JS.north.API".to_owned(), delivery_prefix: None }),
        ..Source::default()
    };
    let wanted =
        Config { name: "farm".to_owned(), sources: Some(vec![source]), ..Config::default() };
    jetstream(at_hub).await.create_stream(wanted).await.unwrap();
    // The line is down while the site goes on.
    drop(hub);
    story.earns(200).await;
    let _hub = start("hub.conf", at_hub).await;
    let told = story.end(&jetstream(at_site).await).await;
    let farm = jetstream(at_hub).await;
    for _ in 0..600 {
        let mut stream = farm.get_stream("farm").await.unwrap();
        if stream.info().await.unwrap().state.messages as f64 == told.delivered {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(read(&farm, "farm").await.len() as f64, told.delivered);
    std::fs::remove_dir_all(folder).unwrap();
}
