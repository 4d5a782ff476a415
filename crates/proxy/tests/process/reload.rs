//! The config is edited while hundreds of rigs mine.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use orepass_sim::net::{PoolServer, RigFarm};
use orepass_sim::rig::{RigConfig, RigStats};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::support::{Orepass, PATIENCE, free_address, pool, until};

const RIGS: usize = 300;
const OTHER_RIGS: usize = 30;
const RIGS_OF_THE_REMOVED: usize = 10;

/// The files of a process, deleted when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("orepass-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn config(&self) -> PathBuf {
        self.0.join("orepass.toml")
    }

    fn write(&self, text: &str) {
        std::fs::write(self.config(), format!("{text}\n[api]\nlisten = \"off\"\n")).unwrap();
    }

    fn start(&self) -> Orepass {
        let mut command = self.command("run");
        command.arg("-c").arg(self.config());
        Orepass::start(command.stderr(Stdio::piped()))
    }

    async fn ctl(&self, arguments: &[&str]) -> Output {
        let mut command = self.command("ctl");
        command.args(arguments).arg("-c").arg(self.config());
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    fn command(&self, what: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orepass"));
        command.arg(what);
        for variable in
            ["OREPASS_CONFIG", "OREPASS_LOG", "RUST_LOG", "STATE_DIRECTORY", "RUNTIME_DIRECTORY"]
        {
            command.env_remove(variable);
        }
        command
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn text(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).unwrap()
}

fn route(name: &str, listen: &str, more: &str, pools: &[&str]) -> String {
    let mut text = format!(
        "[[route]]\nname = \"{name}\"\ndialect = \"hstratum\"\nlisten = [\"{listen}\"]\n{more}\n"
    );
    for (number, pool) in pools.iter().enumerate() {
        text += &format!(
            "[[route.pool]]\nname = \"pool{number}\"\nurl = \"stratum+tcp://{pool}\"\n\
             user = \"account\"\npassword = \"hunter2\"\n"
        );
    }
    text
}

fn farm(rigs: usize, address: &str) -> RigFarm {
    RigFarm::start(rigs, address, Duration::from_millis(1), |number| RigConfig {
        worker: format!("rig{number}"),
        hashrate: 400.0,
        reconnect_min: Duration::from_millis(50),
        reconnect_max: Duration::from_millis(200),
        seed: number as u64,
        ..RigConfig::default()
    })
}

async fn all_mine(farm: &RigFarm) {
    let rigs = farm.rigs().len() as u64;
    until("rigs mine", || farm.stats(), |stats: &RigStats| stats.mining == rigs).await;
    let before = farm.stats().accepted;
    until("shares", || farm.stats().accepted, |accepted| *accepted > before + rigs / 4).await;
}

/// Somebody who tries all the time whether he can connect.
struct Knocker {
    stops: Arc<AtomicBool>,
    refused: Arc<AtomicU64>,
    came_in: Arc<AtomicU64>,
}

impl Knocker {
    fn start(address: &str) -> Self {
        let (stops, refused, came_in) = (
            Arc::<AtomicBool>::default(),
            Arc::<AtomicU64>::default(),
            Arc::<AtomicU64>::default(),
        );
        let knocker = Self {
            stops: Arc::clone(&stops),
            refused: Arc::clone(&refused),
            came_in: Arc::clone(&came_in),
        };
        let address = address.to_owned();
        tokio::spawn(async move {
            while !stops.load(Ordering::Relaxed) {
                let counted = match TcpStream::connect(&address).await {
                    Ok(_) => &came_in,
                    Err(_) => &refused,
                };
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        knocker
    }

    fn stop(&self) {
        self.stops.store(true, Ordering::Relaxed);
        assert_eq!(self.refused.load(Ordering::Relaxed), 0, "connections refused");
        assert!(self.came_in.load(Ordering::Relaxed) > 10);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_touches_what_is_different_and_a_refused_one_nothing() {
    let folder = Folder::new("reload");
    let ((first, first_at), (second, second_at)): ((PoolServer, _), (PoolServer, _)) =
        (pool().await, pool().await);
    let (at, other_at, removed_at, new_at) =
        (free_address().await, free_address().await, free_address().await, free_address().await);
    let other = route("other", &other_at, "", &[&first_at]);
    let before = format!(
        "{}{other}{}",
        route("hns", &at, "", &[&first_at]),
        route("removed", &removed_at, "", &[&first_at]),
    );
    let socket = folder.0.join("s");
    let head = format!("[stop]\ndrain_seconds = 3\n[control]\nsocket = \"{}\"\n", socket.display());
    folder.write(&format!("{head}{before}"));
    let mut orepass = folder.start();
    orepass.says(&["control.up"]).await;
    let (rigs, others, removed) =
        (farm(RIGS, &at), farm(OTHER_RIGS, &other_at), farm(RIGS_OF_THE_REMOVED, &removed_at));
    for farm in [&rigs, &others, &removed] {
        all_mine(farm).await;
    }
    let knockers = [Knocker::start(&at), Knocker::start(&other_at)];

    // Other difficulties, a pool more, a route less and a new one.
    let vardiff = "[route.vardiff]\nshares_per_minute = 20";
    let after = format!(
        "{}{other}{}",
        route("hns", &at, vardiff, &[&first_at, &second_at]),
        route("new", &new_at, "", &[&second_at]),
    );
    folder.write(&format!("{head}{after}"));
    let said = folder.ctl(&["reload"]).await;
    assert!(said.status.success(), "{said:?}");
    let lines = text(&said.stdout);
    assert_eq!(
        lines.lines().collect::<Vec<_>>(),
        [
            "route hns: vardiff.shares_per_minute 10 → 20",
            &format!("route hns: pool pool1 comes: stratum+tcp://{second_at} as account"),
            &format!("route new starts: hstratum on {new_at}"),
            "route removed ends: its rigs are closed, and find nobody where they come back",
        ]
    );
    orepass.says(&["reload.changed", "vardiff.shares_per_minute 10"]).await;
    until("the new pool", || second.stats().connections_open, |open| *open >= 2).await;
    let newcomers = farm(3, &new_at);
    all_mine(&newcomers).await;
    until("refused", || removed.stats().connect_failures, |failures| *failures > 0).await;
    all_mine(&rigs).await;
    let status = folder.ctl(&["status", "--json"]).await;
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let named: Vec<_> =
        status["routes"].as_array().unwrap().iter().map(|route| &route["name"]).collect();
    assert_eq!(named, ["hns", "other", "new"]);
    assert_eq!(status["reloads"], 1);

    // A slip, and an address that somebody else has.
    folder.write(&format!("{head}{}", after.replacen("listen", "listne", 1)));
    let said = folder.ctl(&["reload"]).await;
    assert_eq!(said.status.code(), Some(1));
    let error = text(&said.stderr);
    assert!(error.contains("orepass.toml:8:1: "), "{error}");
    assert!(error.contains("`listne`") && error.contains("`listen`"), "{error}");
    let said = folder.ctl(&["reload", "--json"]).await;
    let answer: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(
        (&answer["problems"][0]["line"], &answer["problems"][0]["column"]),
        (&8.into(), &1.into())
    );
    orepass.says(&["reload.refused", "listne"]).await;
    let extra = route("more", &first_at, "", &[&second_at]);
    folder.write(&format!("{head}{after}{extra}"));
    let said = folder.ctl(&["reload"]).await;
    assert_eq!(said.status.code(), Some(1));
    assert!(text(&said.stderr).contains(&format!("cannot listen on {first_at}")), "{said:?}");

    // The signal does the same.
    folder.write(&format!("workers = 3\n{head}[log]\nlevel = \"debug\"\n{after}"));
    orepass.signal("HUP");
    orepass.says(&["reload.put_off", "workers"]).await;
    orepass.says(&["reload.changed", "log.level info"]).await;
    // This does not end it.
    orepass.signal("USR1");
    for farm in [&rigs, &others] {
        all_mine(farm).await;
    }

    knockers.iter().for_each(Knocker::stop);
    for farm in [rigs, others, newcomers] {
        farm.drain(PATIENCE).await.unwrap();
        let count = farm.rigs().len() as u64;
        let stats = farm.close().await;
        assert_eq!((stats.connects, stats.disconnects), (count, 0), "rigs were disconnected");
        let lost = (stats.unanswered, stats.pending, stats.double_answers, stats.rejected);
        assert_eq!(lost, (0, 0, 0, 0), "{stats:?}");
    }
    drop(removed);
    assert!(orepass.lines(&["hunter2"]).is_empty());
    orepass.terminate();
    assert!(orepass.ends().await.success());
    first.close();
    second.close();
    let said = folder.ctl(&["status"]).await;
    assert_eq!(said.status.code(), Some(69));
    assert!(!folder.0.join("s").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_that_has_to_start_anew_does_so_on_its_own_socket() {
    let folder = Folder::new("anew");
    let (first, first_at) = pool().await;
    let at = free_address().await;
    folder.write(&format!("[control]\nsocket = \"s\"\n{}", route("hns", &at, "", &[&first_at])));
    let mut orepass = folder.start();
    orepass.says(&["control.up"]).await;
    let rigs = farm(20, &at);
    all_mine(&rigs).await;
    let knocker = Knocker::start(&at);
    folder.write(&format!(
        "[control]\nsocket = \"s\"\n{}",
        route("hns", &at, "prefix_bytes = 2", &[&first_at])
    ));
    let said = folder.ctl(&["reload"]).await;
    assert_eq!(
        text(&said.stdout).trim_end(),
        "route hns: prefix_bytes auto → 2: starts anew on the same sockets, and its rigs come back \
         to it"
    );
    until("they come back", || rigs.stats(), |stats: &RigStats| stats.connects == 40).await;
    all_mine(&rigs).await;
    until("only the new one", || orepass.lines(&["route.stopped"]), |lines| lines.len() == 1).await;
    knocker.stop();
    let stats = rigs.close().await;
    assert_eq!((stats.connect_failures, stats.double_answers), (0, 0));
    // To and fro at once: each edit is done after the other.
    for prefix in ["", "prefix_bytes = 2"].repeat(4) {
        let text = route("hns", &at, prefix, &[&first_at]);
        folder.write(&format!("[control]\nsocket = \"s\"\n{text}"));
        assert!(folder.ctl(&["reload"]).await.status.success());
    }
    let rigs = farm(5, &at);
    all_mine(&rigs).await;
    drop(rigs);
    orepass.terminate();
    assert!(orepass.ends().await.success());
    first.close();
}
