//! What rigs, strangers and floods can do to the others: nothing.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use orepass::clock::now;
use orepass::net::wire::Wire;
use orepass_farm::limits::{Limit, LimitWishes};
use orepass_sim::net::RigFarm;
use orepass_tests::client::Client;
use orepass_tests::log::Log;
use orepass_tests::site::{Plan, Site, mixed_rig};
use orepass_tests::wait::{until, within};
use orepass_tests::wires::{Wired, slow_rig};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// How long a rig may wait for the answers to its shares while somebody else misbehaves.
const USUAL: Duration = Duration::from_secs(20);

fn limited(wishes: LimitWishes) -> Plan {
    let plan = Plan::deployed();
    plan.process.admission.set_wishes(wishes);
    plan
}

/// Each rig has ten more shares accepted, in its usual time.
async fn all_earn_as_usual(site: &Site, farm: &RigFarm) {
    let since = now();
    site.all_earn(farm, 10).await;
    let took = now() - since;
    assert!(took < USUAL, "{took:?}");
    assert_eq!(farm.stats().disconnects, 0);
}

async fn ends_well(site: Site, farm: RigFarm) {
    let accounts = site.finish(farm).await;
    accounts.faults().assert_none();
    assert_eq!(accounts.rigs.disconnects, 0);
}

#[tokio::test]
async fn five_thousand_connections_that_say_nothing_are_told_so_and_closed() {
    const SILENT: usize = 5_000;
    let mut plan = Plan::deployed();
    plan.route.downstream.subscribe_within = Duration::from_secs(5);
    plan.route.max_channels = 32;
    let process = plan.process.clone();
    let site = plan.start().await;
    let farm = site.farm(4, |number| site.rig(number));
    site.all_in(&farm).await;
    let mut silent = JoinSet::new();
    for _ in 0..SILENT {
        let stream = within("a connection", TcpStream::connect(&site.address)).await.unwrap();
        silent.spawn(async move {
            let (mut stream, mut said) = (stream, String::new());
            stream.read_to_string(&mut said).await.unwrap();
            said
        });
    }
    all_earn_as_usual(&site, &farm).await;
    while let Some(said) = within("the next end", silent.join_next()).await {
        let said = said.unwrap();
        assert!(said.contains("[20,\"no subscribe within 5s\","), "{said:?}");
    }
    // It is counted after the last word.
    let counted = || process.admission.met(Limit::SubscribeSeconds);
    until("all are counted", counted, |counted| *counted == SILENT as u64).await;
    all_earn_as_usual(&site, &farm).await;
    until("all have left", || process.admission.open(), |open| *open == 4).await;
    ends_well(site, farm).await;
}

/// What many rigs have in common that say two lines each, read all they are told, and hang up together.
#[derive(Default)]
struct Crowd {
    told: AtomicUsize,
    hung_up: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Crowd {
    fn hang_up(&self) {
        self.hung_up.store(true, Ordering::Relaxed);
        std::mem::take(&mut *self.waiting.lock().unwrap()).into_iter().for_each(Waker::wake);
    }
}

struct OfCrowd {
    crowd: Arc<Crowd>,
    number: usize,
    said: u8,
}

impl AsyncRead for OfCrowd {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let number = self.number;
        let call = match self.said {
            0 => json!({"id": 1, "method": "mining.subscribe", "params": ["cgminer/4.11"]}),
            1 => {
                json!({"id": 2, "method": "mining.authorize", "params": [format!("farm.{number}"), "x"]})
            }
            _ if self.crowd.hung_up.load(Ordering::Relaxed) => return Poll::Ready(Ok(())),
            _ => {
                self.crowd.waiting.lock().unwrap().push(context.waker().clone());
                return Poll::Pending;
            }
        };
        buffer.put_slice(format!("{call}\n").as_bytes());
        self.said += 1;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for OfCrowd {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let jobs = bytes.windows(15).filter(|window| window == b"\"mining.notify\"").count();
        self.crowd.told.fetch_add(jobs, Ordering::Relaxed);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Wire for OfCrowd {
    fn adopt(self: Box<Self>) -> io::Result<Box<dyn Wire>> {
        Ok(self)
    }
}

/// So many rigs of one address come at once, are all told a job, and leave at once.
async fn come_and_go(wired: &Wired, address: IpAddr, rigs: usize) {
    let crowd = Arc::new(Crowd::default());
    for number in 0..rigs {
        let rig = OfCrowd { crowd: Arc::clone(&crowd), number, said: 0 };
        let peer = SocketAddr::new(address, 1024);
        wired.route.admit(rig, peer, 3333).unwrap();
    }
    let told = || crowd.told.load(Ordering::Relaxed);
    until("a job at each of them", told, |told| *told >= rigs).await;
    crowd.hang_up();
    let online = || wired.route.roster().online();
    until("all have left", online, |online| *online == 0).await;
}

#[tokio::test]
async fn ten_thousand_rigs_of_one_address_return_at_once_and_none_is_refused() {
    const RIGS: usize = 10_000;
    let mut plan = Plan::deployed();
    plan.route.prefix_bytes = Some(2);
    plan.route.max_rigs_per_channel = 2 * RIGS;
    let process = plan.process.clone();
    let wired = Wired::start(plan, 1, |_, _| ());
    until("a pool", || wired.route.live_channels(), |live| *live == 1).await;
    // In the farm's own network nobody is counted; behind a router all are one, who mined here before.
    let [own, router]: [IpAddr; 2] = ["10.1.2.3", "203.0.113.7"].map(|ip| ip.parse().unwrap());
    (0..RIGS).for_each(|_| process.admission.remember(router));
    for address in [own, router] {
        for _ in 0..2 {
            come_and_go(&wired, address, RIGS).await;
        }
    }
    assert!(process.admission.counts().iter().all(|(_, met)| *met == 0));
    wired.route.stop().await;
}

#[tokio::test]
async fn an_address_of_strangers_is_told_that_it_has_too_many_until_they_mine() {
    let (log, _guard) = Log::capture();
    let wishes =
        LimitWishes { unproven_per_address: 3, limit_private: true, ..LimitWishes::default() };
    let site = limited(wishes).start().await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(Client::connect(&site.address).await);
    }
    until("they are in", || site.route.roster().online(), |online| *online == 3).await;
    for _ in 0..5 {
        let said = Client::connect(&site.address).await.rest().await;
        let reason =
            "too many connections of this address have shown no good share; try again later";
        assert_eq!(said, [json!({"id": null, "result": null, "error": [20, reason, null]})]);
    }
    let words = ["rig.refused", "limit=\"unproven_per_address\"", "`trusted`"];
    assert_eq!(log.lines(&words).len(), 1, "{:?}", log.lines(&["rig.refused"]));
    drop(silent);
    until("they have left", || site.route.roster().online(), |online| *online == 0).await;
    // Rigs that mine make room for more.
    for rigs in [3, 6] {
        let farm = site.farm(rigs, |number| site.rig(number));
        all_earn_as_usual(&site, &farm).await;
        farm.close().await;
        until("they have left", || site.route.roster().online(), |online| *online == 0).await;
    }
    // The minute's line about this address was that one, until the first rigs had mined.
    assert_eq!(log.lines(&["rig.up"]).len(), 6, "{:?}", log.lines(&["rig.up"]));
    assert_eq!(log.lines(&["rig.first_share"]).len(), 9);
    site.close().await;
}

#[tokio::test]
async fn connections_that_come_too_fast_wait_and_are_served() {
    let site = limited(LimitWishes { accepts_per_second: 20, ..LimitWishes::default() });
    let process = site.process.clone();
    let site = site.start().await;
    let since = now();
    let farm = site.farm(60, |number| site.rig(number));
    site.all_in(&farm).await;
    let took = now() - since;
    assert!(took >= Duration::from_millis(1900), "20 at once, and 40 at 20 a second: {took:?}");
    assert!(process.admission.met(Limit::AcceptsPerSecond) >= 30);
    ends_well(site, farm).await;
}

#[tokio::test]
async fn ranges_that_are_denied_are_told_so() {
    let mut plan = Plan::deployed();
    let deny = vec!["127.0.0.0/8".parse().unwrap()];
    plan.route.access = orepass_farm::limits::Access::new(vec![], deny, vec![]);
    let process = plan.process.clone();
    let site = plan.start().await;
    let said = Client::connect(&site.address).await.rest().await;
    assert_eq!(said[0]["error"][1], "this address may not connect");
    assert_eq!((process.admission.met(Limit::Deny), site.route.roster().traffic().0), (1, 0));
    site.close().await;
}

#[tokio::test]
async fn a_rig_without_the_access_password_mines_nothing_and_the_others_do() {
    let mut plan = Plan::deployed();
    let password = orepass_stratum::secret::Secret::new("let me in");
    plan.route.downstream.limits.access_password = Some(password);
    let site = plan.start().await;
    let farm = site.farm(2, |number| orepass_sim::rig::RigConfig {
        password: "let me in".into(),
        ..site.rig(number)
    });
    site.all_in(&farm).await;
    let mut client = Client::connect(&site.address).await;
    client.subscribe().await;
    for _ in 0..3 {
        let call = json!({"id": 2, "method": "mining.authorize", "params": ["rig", "x"]});
        let said = client.ask(&call.to_string()).await;
        assert_eq!(said["error"], json!([24, "unauthorized: wrong access password", false]));
    }
    let last = client.rest().await;
    assert_eq!(last[0]["error"][1], "wrong access password, 3 times");
    all_earn_as_usual(&site, &farm).await;
    ends_well(site, farm).await;
}

#[tokio::test]
async fn a_rig_that_never_reads_is_cut_and_nobody_else_notices() {
    let (log, _guard) = Log::capture();
    let mut plan = Plan::deployed();
    plan.route.downstream.limits.requests_per_second = 1_000_000;
    plan.route.downstream.limits.unwritten_bytes = 16 * 1024;
    let site = plan.start().await;
    let farm = site.farm(4, |number| site.rig(number));
    site.all_in(&farm).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let deaf = socket.connect(site.address.parse().unwrap()).await.unwrap();
    let (reader, mut writer) = deaf.into_split();
    let talk = tokio::spawn(async move {
        let login = "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n\
                     {\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"deaf\",\"x\"]}\n";
        writer.write_all(login.as_bytes()).await.unwrap();
        let ping = b"{\"id\":1,\"method\":\"mining.ping\"}\n".repeat(100);
        let mut sent = 0;
        while writer.write_all(&ping).await.is_ok() {
            sent += ping.len();
        }
        sent
    });
    all_earn_as_usual(&site, &farm).await;
    let sent = within("it is cut", talk).await.unwrap();
    assert!(sent < 64 << 20, "it was read for ever: {sent}");
    drop(reader);
    log.says(&["did not read for 10s", "limit=\"unwritten_bytes\""]).await;
    all_earn_as_usual(&site, &farm).await;
    ends_well(site, farm).await;
}

#[tokio::test(start_paused = true)]
async fn a_rig_that_takes_a_byte_a_minute_is_cut_all_the_same() {
    let wired = Wired::start(Plan::deployed(), 1, |_, _| ());
    let rigs = wired.rigs(2, slow_rig);
    until(
        "rigs log in",
        || rigs.iter().filter(|rig| rig.stats().logged_in == 1).count(),
        |in_| *in_ == 2,
    )
    .await;
    let (mut near, far) = duplex(64);
    wired.route.admit(far, "10.9.9.9:1".parse().unwrap(), 3333).unwrap();
    let since = tokio::time::Instant::now();
    let login = b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n";
    near.write_all(login).await.unwrap();
    let authorize = b"{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"x\",\"x\"]}\n";
    near.write_all(authorize).await.unwrap();
    let drip = async {
        loop {
            tokio::time::sleep(Duration::from_secs(20)).await;
            let _ = near.read_u8().await;
        }
    };
    let cut = async {
        while wired.route.roster().online() > 2 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = cut => {}
        () = drip => {}
    }
    let took = since.elapsed();
    assert!(took < Duration::from_secs(120), "{took:?}");
    assert!(rigs.iter().all(|rig| rig.stats().disconnects == 0));
    wired.route.stop().await;
}

#[tokio::test]
async fn a_flood_of_submits_slows_down_nobody_but_its_rig() {
    let site = Plan::deployed().start().await;
    let farm = site.farm(4, |number| site.rig(number));
    site.all_in(&farm).await;
    let mut flood = TcpStream::connect(&site.address).await.unwrap();
    let login = "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n\
                 {\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"flood\",\"x\"]}\n";
    flood.write_all(login.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = flood.into_split();
    // As many as the connection takes: far more than 100,000 a second.
    let submit = "{\"id\":3,\"method\":\"mining.submit\",\"params\":[\"flood\",\"x\",\"00\",\"00\",\"00\"]}\n";
    let lines = submit.repeat(1000);
    let writes =
        tokio::spawn(async move { while writer.write_all(lines.as_bytes()).await.is_ok() {} });
    let reads = tokio::spawn(async move {
        let mut said = Vec::new();
        // A reset ends it too.
        let _ = reader.read_to_end(&mut said).await;
        String::from_utf8_lossy(&said).into_owned()
    });
    for _ in 0..3 {
        all_earn_as_usual(&site, &farm).await;
    }
    let said = within("the end of the flood", reads).await.unwrap();
    assert!(said.lines().count() <= 260, "{} answers", said.lines().count());
    assert!(said.contains("250 refused shares without a good one between them"), "{said}");
    writes.abort();
    all_earn_as_usual(&site, &farm).await;
    site.drain(&farm).await;
    farm.close().await;
    site.close().await;
}

/// A route in a process of its own, with so few descriptors.
struct Cramped(Child);

impl Cramped {
    fn start(descriptors: u32) -> (Self, String) {
        let run = format!("ulimit -n {descriptors} && exec {}", env!("CARGO_BIN_EXE_door"));
        let mut child =
            Command::new("sh").arg("-c").arg(run).stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        (Self(child), address.trim().to_owned())
    }
}

impl Drop for Cramped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn with_its_descriptors_used_up_it_refuses_politely_and_goes_on() {
    let (_process, address) = Cramped::start(100);
    let farm = RigFarm::start(2, &address, Duration::ZERO, mixed_rig);
    let logged_in = |stats: &orepass_sim::rig::RigStats| stats.logged_in == 2;
    until("rigs log in", || farm.stats(), logged_in).await;
    for _ in 0..2 {
        let mut strangers = JoinSet::new();
        for _ in 0..150 {
            let stream = within("a connection", TcpStream::connect(&address)).await.unwrap();
            strangers.spawn(async move {
                let (mut stream, mut said) = (stream, String::new());
                stream.read_to_string(&mut said).await.unwrap();
                said
            });
        }
        // Those that had a place work on.
        let before = farm.stats().accepted;
        until("rigs earn", || farm.stats().accepted, |earned| *earned > before + 20).await;
        let mut refused = 0;
        while let Some(said) = within("the next end", strangers.join_next()).await {
            let said = said.unwrap();
            refused += usize::from(said.contains("too many connections; try again later"));
            // Who had a place and said nothing was told that.
            assert!(said.contains("\"error\":[20,\""), "{said:?}");
        }
        assert!((40..140).contains(&refused), "{refused}");
        assert_eq!(farm.stats().disconnects, 0);
    }
    let mut client = until_served(&address).await;
    assert_eq!(client.ask(r#"{"id":9,"method":"mining.ping"}"#).await["result"], "pong");
    farm.close().await;
}

/// A connection that is served, once there are descriptors again.
async fn until_served(address: &str) -> Client {
    for _ in 0..100 {
        let mut client = Client::connect(address).await;
        client.send(r#"{"id":1,"method":"mining.ping"}"#).await;
        if client.line().await.is_some_and(|line| line["result"] == "pong") {
            return client;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nobody is served any more");
}
