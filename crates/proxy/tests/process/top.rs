//! `orepass top` and `ctl` over TCP, against a process at work.

use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use crate::support::{Folder, Plan, easy_pool, free_address, rigs, until};

const ACT: &str = "act-0123456789abcdef";
const TENANT: &str = "tenant-0123456789abcdef";

async fn orepass(arguments: Vec<String>, token: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orepass"));
    command.args(arguments).env("OREPASS_TOKEN", token).stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_farm_is_seen_through_its_socket_and_at_its_address() {
    let (_pool, pool) = easy_pool().await;
    let folder = Folder::new("top");
    let socket = folder.0.join("s");
    let mut plan = Plan::new(&pool).await;
    plan.route = "vardiff = { enabled = false }\nmax_pool_shares_per_second = 10000";
    plan.more = format!("[control]\nsocket = \"{}\"\n", socket.display());
    plan.api = free_address().await;
    plan.after = format!(
        "[[api.token]]\nname = \"a\"\ntoken = \"{ACT}\"\nmay = \"act\"\n\
         [[api.token]]\nname = \"t\"\ntoken = \"{TENANT}\"\nmay = \"read\"\nworkers = \"rig1*\"\n"
    );
    let url = format!("http://{}", plan.api);
    let process = plan.start();
    process.says(&["api.up"]).await;
    process.says(&["control.up"]).await;
    let farm = rigs(3, &process.address);
    until("shares", || farm.stats().accepted, |accepted| *accepted > 6).await;

    let by_socket = words(&format!("top --json --socket {}", socket.display()));
    for (arguments, token) in [(by_socket, ""), (words(&format!("top --json --url {url}")), "")] {
        let said = orepass(arguments, token).await;
        assert!(said.status.success(), "{said:?}");
        let all: Value = serde_json::from_slice(&said.stdout).unwrap();
        assert_eq!(all["workers"]["total"], 3, "{all}");
        let route = &all["routes"][0];
        assert_eq!((&route["name"], &route["workers"]["online"]), (&"hns".into(), &3.into()));
        let sentence = route["sentence"].as_str().unwrap();
        assert!(sentence.starts_with("● 3 of 3 workers earn "), "{sentence}");
        assert!(all["events"].as_array().is_some_and(|events| !events.is_empty()), "{all}");
        assert!(all["diagnostics"].is_array() && all["summary"]["routes"].is_array(), "{all}");
    }

    // Who may see one worker sees that one.
    let said = orepass(words(&format!("top --json --url {url}")), TENANT).await;
    let all: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!((&all["workers"]["total"], &all["summary"]), (&1.into(), &Value::Null), "{all}");

    // What changes something wants a token at an address.
    let kick = words(&format!("ctl ban rig1 --minutes 1 --url {url}"));
    let said = orepass(kick.clone(), "").await;
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(String::from_utf8_lossy(&said.stderr).contains("Authorization"), "{said:?}");
    let said = orepass(kick, ACT).await;
    assert!(said.status.success(), "{said:?}");

    let said = orepass(words(&format!("top --url {url}")), "").await;
    let why = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!((said.status.code(), why.contains("--json")), (Some(2), true), "{why}");
    let nobody = format!("http://{}", free_address().await);
    let said = orepass(words(&format!("top --json --url {nobody}")), "").await;
    assert_eq!(said.status.code(), Some(69), "{said:?}");

    on_a_terminal(&url).await;
}

/// Its keys and its screen, by a terminal that `script` makes, where there is one.
async fn on_a_terminal(url: &str) {
    let program = env!("CARGO_BIN_EXE_orepass");
    let line = format!("stty rows 24 cols 80; exec {program} top --url {url}");
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm-256color").env("NO_COLOR", "1");
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = spawned else {
        eprintln!("left out: `script` is not installed");
        return;
    };
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let seen: Arc<Mutex<String>> = Arc::default();
    let reading = thread::spawn({
        let seen = Arc::clone(&seen);
        move || {
            let mut part = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut part) {
                seen.lock().unwrap().push_str(&String::from_utf8_lossy(&part[..count]));
            }
        }
    });
    let shown = || seen.lock().unwrap().clone();
    until("a screen", shown, |shown| shown.contains("Needs attention")).await;
    keys.write_all(b"q").unwrap();
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    reading.join().unwrap();
    let shown = shown();
    assert!(status.success(), "{shown}");
    let (taken, given_back) = (shown.find("\u{1b}[?1049h"), shown.rfind("\u{1b}[?1049l"));
    assert!(taken.is_some() && given_back > taken, "the terminal is given back: {shown:?}");
}
