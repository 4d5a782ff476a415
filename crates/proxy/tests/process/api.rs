//! The API of a process at work: what it shows, what it lets whom do, and who cannot hold it up.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Folder, Orepass, PATIENCE, Plan, easy_pool, free_address, rigs, until};

const ACT: &str = "act-0123456789abcdef";
const READ: &str = "read-0123456789abcdef";
const TENANT: &str = "tenant-0123456789abcdef";

fn tokens() -> String {
    let token = |name: &str, token: &str, more: &str| {
        format!("[[api.token]]\nname = \"{name}\"\ntoken = \"{token}\"\n{more}\n")
    };
    token("actor", ACT, "may = \"act\"")
        + &token("reader", READ, "may = \"read\"")
        + &token("tenant", TENANT, "may = \"act\"\nworkers = \"rig1*\"")
}

/// An answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    fn is_problem(&self, status: u16, code: &str) {
        assert!(self.head.contains("content-type: application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!((self.status, &problem["code"]), (status, &code.into()), "{self:?}");
        assert_eq!(problem["status"], status);
        for key in ["type", "title", "detail", "remedy"] {
            assert!(problem[key].is_string(), "{key}: {self:?}");
        }
    }
}

/// The API of a process.
struct ApiClient {
    address: String,
}

impl ApiClient {
    async fn ask(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Answer {
        let mut head = String::new();
        if !token.is_empty() {
            head += &format!("Authorization: Bearer {token}\r\n");
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        if !body.is_empty() {
            head += "Content-Type: application/json\r\n";
        }
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{head}Content-Length: \
             {length}\r\n\r\n{body}",
            self.address
        );
        self.say(&request).await
    }

    async fn say(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut text)).await.unwrap().unwrap();
        let text = String::from_utf8(text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", &format!("/api/v1/{path}"), "", None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }
}

async fn at_work(pools: &str, more: &str) -> (Orepass, ApiClient) {
    let address = free_address().await;
    let mut plan = Plan::new(pools).await;
    plan.route = "vardiff = { enabled = false }\nmax_pool_shares_per_second = 10000\n\
                  failover = { healthy_seconds = 1, trial_seconds = 0 }";
    plan.api = address.clone();
    plan.more = more.to_owned();
    plan.after = tokens();
    let orepass = plan.start();
    orepass.says(&["api.up"]).await;
    (orepass, ApiClient { address })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_farm_is_seen_and_acted_upon_by_whoever_may() {
    let ((_first, first), (_second, second)) = (easy_pool().await, easy_pool().await);
    let more = format!(
        "[[route.pool]]\nname = \"other\"\nurl = \"stratum+tcp://{second}\"\nuser = \"account\"\n"
    );
    let (_orepass, api) = at_work(&first, &more).await;
    let farm = rigs(12, &_orepass.address);
    until("rigs mine", || farm.stats().mining, |mining| *mining == 12).await;
    let least = || farm.rigs().iter().map(|rig| rig.stats().accepted).min();
    until("two shares of each", least, |accepted| *accepted > Some(1)).await;

    let summary = api.get("summary").await;
    let route = &summary["routes"][0];
    assert_eq!((&route["name"], &route["rigs"]), (&"hns".into(), &12.into()));
    assert_eq!(summary["pid"], _orepass.id());
    let shares = route["shares"].as_object().unwrap();
    let kinds = shares.iter().filter(|(kind, _)| {
        let beside = ["sent", "unchecked", "late_verdicts", "resent", "undeliverable", "blocks"];
        let work = ["best_share_hashes", "credited_hashes"];
        !beside.contains(&kind.as_str()) && !work.contains(&kind.as_str())
    });
    let sum: u64 = kinds.map(|(_, count)| count.as_u64().unwrap()).sum();
    assert_eq!(shares["sent"], sum);
    assert_eq!(api.ask("GET", "/readyz", "", None).await.status, 200);

    let page = api.get("workers?sort=-sent&limit=5").await;
    let (workers, total) = (page["workers"].as_array().unwrap(), &page["total"]);
    assert_eq!((workers.len(), total), (5, &12.into()));
    let sent: Vec<_> = workers.iter().map(|worker| worker["shares"]["sent"].as_u64()).collect();
    assert!(sent.is_sorted_by(|one, other| one >= other), "{sent:?}");
    assert_eq!(api.get("workers?search=RIG1").await["total"], 3);
    assert_eq!(api.get("workers?state=offline").await["total"], 0);
    let table = api.ask("GET", "/api/v1/workers?format=csv&sort=-rigs", "", None).await;
    assert_eq!(table.body.lines().count(), 13);
    assert!(table.head.contains("content-type: text/csv"));
    let worker = api.get("workers/%72ig3").await;
    assert_eq!((&worker["name"], &worker["state"]), (&"rig3".into(), &"online".into()));

    // Who may what.
    let act = |method: &'static str, path: String, token, body| {
        let api = &api;
        async move { api.ask(method, &format!("/api/v1/{path}"), token, body).await }
    };
    act("POST", "reload".into(), "", None).await.is_problem(401, "token_missing");
    act("POST", "reload".into(), READ, None).await.is_problem(403, "token_only_reads");
    act("POST", "reload".into(), TENANT, None).await.is_problem(403, "token_for_workers");
    act("GET", "summary".into(), "nobody's", None).await.is_problem(401, "token_unknown");
    let seen = act("GET", "workers".into(), TENANT, None).await.json();
    assert_eq!(seen["total"], 3, "rig1, rig10 and rig11");
    act("GET", "workers/rig2".into(), TENANT, None).await.is_problem(404, "no_such_worker");
    let ban = Some(json!({"minutes": 5}));
    let refused = act("POST", "workers/rig2/ban".into(), TENANT, ban.clone()).await;
    refused.is_problem(404, "no_such_worker");

    // What happens is told as it happens.
    let mut live = TcpStream::connect(&api.address).await.unwrap();
    let ask = format!(
        "GET /api/v1/events/stream?id=api. HTTP/1.1\r\nHost: {}\r\nLast-Event-ID: 1-1\r\n\r\n",
        api.address
    );
    live.write_all(ask.as_bytes()).await.unwrap();

    // A rig.
    let id_of = async |worker: &str| {
        let rigs = api.get(&format!("rigs?worker={worker}")).await;
        rigs["rigs"][0]["id"].as_str().unwrap_or_default().to_owned()
    };
    let id = id_of("rig2").await;
    act("POST", format!("rigs/{id}/kick"), TENANT, None).await.is_problem(404, "no_such_rig");
    assert_eq!(act("POST", format!("rigs/{id}/kick"), ACT, None).await.status, 200);
    until("it comes back", || farm.stats().connects, |connects| *connects >= 13).await;
    let id = id_of("rig3").await;
    let easy =
        act("POST", format!("rigs/{id}/difficulty"), ACT, Some(json!({"difficulty": 1.1e-9})));
    let told = easy.await.json()["difficulty"].as_f64().unwrap();
    assert!((told.log2() - told.log2().round()).abs() < 1e-9, "a power of two: {told}");
    let wrong = act("POST", format!("rigs/{id}/difficulty"), ACT, Some(json!({"difficulty": -1})));
    wrong.await.is_problem(400, "bad_body");
    let empty = act("POST", format!("rigs/{id}/difficulty"), ACT, Some(json!({})));
    empty.await.is_problem(400, "bad_body");
    let none = act("POST", format!("rigs/{id}/difficulty"), ACT, Some(json!({"difficulty": null})));
    assert_eq!(none.await.json()["difficulty"], Value::Null);

    let mut told = String::new();
    while !told.contains("rig kicked") {
        let mut bytes = [0; 4096];
        let count = timeout(PATIENCE, live.read(&mut bytes)).await.unwrap().unwrap();
        assert!(count > 0, "{told}");
        told += &String::from_utf8_lossy(&bytes[..count]);
    }
    assert!(told.contains("text/event-stream") && told.contains("\"id\":\"api.up\""), "{told}");
    let events = api.get("events?id=api.act&limit=1").await;
    let event = &events["events"][0];
    assert_eq!((&event["level"], &event["fields"]["who"]), (&"info".into(), &"actor".into()));
    let none = api.get(&format!("events?after={}&text=kicked", event["sequence"])).await;
    assert_eq!(none["events"], json!([]));

    // A worker.
    act("DELETE", "workers/rig5".into(), ACT, None).await.is_problem(409, "worker_online");
    let banned = act("POST", "workers/rig5/ban".into(), ACT, ban).await.json();
    assert_eq!(banned["rigs_closed"], 1, "{banned}");
    loop {
        let worker = api.get("workers/rig5").await;
        if worker["state"] == "offline" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let unbanned = act("POST", "workers/rig5/unban".into(), ACT, None).await.json();
    assert_eq!(unbanned["routes"], json!(["hns"]));
    until("all mine again", || farm.stats().mining, |mining| *mining == 12).await;

    // A pool.
    let switch = |preferred| Some(json!({"route": "hns", "preferred": preferred}));
    let no_such = act("POST", "pools/othr/switch".into(), ACT, switch(true)).await;
    no_such.is_problem(404, "no_such_pool");
    assert!(no_such.json()["detail"].as_str().unwrap().contains("`other`"), "{no_such:?}");
    let switched = act("POST", "pools/other/switch".into(), ACT, switch(true)).await.json();
    assert_eq!(switched["preferred_pool"], "other");
    let rigs_at = async |pool: usize| api.get("pools").await["pools"][pool]["rigs"].clone();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while rigs_at(1).await != 12 {
        assert!(tokio::time::Instant::now() < deadline, "{}", api.get("pools").await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Reading the config again takes that back.
    let changes = act("POST", "reload".into(), ACT, None).await.json();
    let said = "route hns: pool other is preferred no more";
    assert!(changes["changed"].as_array().unwrap().contains(&said.into()), "{changes}");
    while rigs_at(0).await != 12 {
        assert!(tokio::time::Instant::now() < deadline, "{}", api.get("pools").await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(farm);
    loop {
        let forgotten = act("DELETE", "workers/rig5".into(), ACT, None).await;
        if forgotten.status == 200 {
            break;
        }
        forgotten.is_problem(409, "worker_online");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    act("DELETE", "workers/rig5".into(), ACT, None).await.is_problem(404, "no_such_worker");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_is_told_so_and_who_does_not_read_stalls_nobody() {
    let (_pool, pool) = easy_pool().await;
    let (orepass, api) = at_work(&pool, "").await;
    let get = |path: &'static str| api.ask("GET", path, "", None);
    get("/nowhere").await.is_problem(404, "no_such_path");
    let delete = api.ask("DELETE", "/api/v1/summary", ACT, None).await;
    delete.is_problem(405, "method_not_allowed");
    assert!(delete.head.contains("allow: get,head"), "{delete:?}");
    let unknown = get("/api/v1/workers?limt=5").await;
    unknown.is_problem(400, "bad_query");
    assert!(unknown.body.contains("did you mean `limit`?"), "{unknown:?}");
    for query in
        ["limit=x", "limit=1001", "limit=1&limit=2", "state=asleep", "sort=wrong", "format=x"]
    {
        let answer = api.ask("GET", &format!("/api/v1/workers?{query}"), "", None).await;
        answer.is_problem(400, "bad_query");
    }
    get("/api/v1/summary?x=1").await.is_problem(400, "bad_query");
    get("/api/v1/routes/hnz").await.is_problem(404, "no_such_route");
    get("/api/v1/workers/%ff").await.is_problem(400, "bad_path");
    get("/api/v1/rigs/hns-99").await.is_problem(404, "no_such_rig");
    let path = "/api/v1/workers/x/ban";
    let wrong = [json!({}), json!([]), json!({"minutes": 0}), json!({"minutes": 5, "x": 1})];
    for body in wrong {
        api.ask("POST", path, ACT, Some(body)).await.is_problem(400, "bad_body");
    }
    api.ask("POST", path, ACT, None).await.is_problem(415, "not_json");
    let long = Some(json!({"minutes": "x".repeat(70_000)}));
    api.ask("POST", path, ACT, long).await.is_problem(413, "body_too_large");
    let other = "GET /api/v1/summary HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    api.say(other).await.is_problem(421, "host_not_allowed");

    // Some ask for much and read nothing, some ask for nothing.
    let mut stuck = Vec::new();
    for number in 0..40 {
        let mut stream = TcpStream::connect(&api.address).await.unwrap();
        if number % 2 == 0 {
            let request =
                format!("GET /api/v1/openapi.json HTTP/1.1\r\nHost: {}\r\n\r\n", api.address);
            stream.write_all(request.repeat(20).as_bytes()).await.unwrap();
        }
        stuck.push(stream);
    }
    let answered = timeout(Duration::from_secs(5), get("/healthz")).await.unwrap();
    assert_eq!(answered.status, 200);
    // More than there may be are told so.
    for _ in 0..60 {
        stuck.push(TcpStream::connect(&api.address).await.unwrap());
    }
    let mut text = String::new();
    let mut last = stuck.pop().unwrap();
    timeout(PATIENCE, last.read_to_string(&mut text)).await.unwrap().unwrap();
    assert!(text.starts_with("HTTP/1.1 503 "), "{text:?}");
    // Whoever says nothing is closed after five seconds, and others find room.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let mut stream = TcpStream::connect(&api.address).await.unwrap();
        let request = format!("GET /healthz HTTP/1.0\r\nHost: {}\r\n\r\n", api.address);
        let _ = stream.write_all(request.as_bytes()).await;
        let mut text = String::new();
        let _ = timeout(PATIENCE, stream.read_to_string(&mut text)).await.unwrap();
        if text.contains(" 200 ") {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{text:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    drop(stuck);
    let config = api.get("config").await;
    assert_eq!(config["api"]["token"][0]["token"], "…");
    for secret in [ACT, READ, TENANT] {
        assert!(orepass.lines(&[secret]).is_empty() && !config.to_string().contains(secret));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctl_shows_and_does_the_same_and_a_port_in_use_matters_only_where_it_was_asked_for() {
    let (_pool, pool) = easy_pool().await;
    let folder = Folder::new("api-ctl");
    let socket = folder.0.join("s");
    let (orepass, api) =
        at_work(&pool, &format!("[control]\nsocket = \"{}\"\n", socket.display())).await;
    orepass.says(&["control.up"]).await;
    let farm = rigs(3, &orepass.address);
    until("rigs mine", || farm.stats().mining, |mining| *mining == 3).await;
    until("shares", || farm.stats().accepted, |accepted| *accepted > 6).await;
    let ctl = async |arguments: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orepass"));
        command.arg("ctl").args(arguments.split(' ')).arg("--socket").arg(&socket);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    let (code, said) = ctl("summary").await;
    assert!(code == Some(0) && said.contains("\nhns "), "{said}");
    let (code, said) = ctl("workers --sort -sent --limit 2").await;
    assert_eq!((code, said.lines().count()), (Some(0), 4), "{said}");
    let (_, said) = ctl("rigs --json").await;
    let rigs: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(rigs["total"], 3);
    let id = rigs["rigs"][0]["id"].as_str().unwrap();
    assert_eq!(ctl(&format!("kick {id}")).await.0, Some(0));
    assert_eq!(ctl("kick nobody-1").await.0, Some(1));
    let (code, said) = ctl("ban rig1 --minutes 1").await;
    assert!(code == Some(0) && said.contains("rig1 is refused on hns for 1 min"), "{said}");
    let (code, said) = ctl("unban rig1").await;
    assert!(code == Some(0) && said.contains("rig1 may come back on hns"), "{said}");
    let (code, said) = ctl("switch pool").await;
    assert!(code == Some(0) && said.contains("route hns prefers pool pool"), "{said}");
    let (code, said) = ctl("switch pool --back").await;
    assert!(code == Some(0) && said.contains("in the config's order"), "{said}");

    let mut again = Plan { api: api.address.clone(), ..Plan::new(&pool).await }.start();
    assert_eq!(again.ends().await.code(), Some(69));
    again.says(&["cannot listen on"]).await;
    drop(farm);
    fs::remove_file(&socket).unwrap();
}
