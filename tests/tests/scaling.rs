//! Two of the program behind HAProxy, watched by Prometheus, and one of them is killed.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use orepass_sim::net::{PoolServer, RigFarm, RigHandle};
use orepass_sim::pool::PoolConfig;
use orepass_sim::rig::{RigConfig, RigStats};
use orepass_tests::http::{get, get_json};
use orepass_tests::programs::{Running, free_port, has};
use orepass_tests::proxy::{ProxyProcess, new_folder};
use orepass_tests::site::{Plan, mixed_rig};
use orepass_tests::wait::until;

const RIGS: usize = 1000;

/// Comes from one of 250 addresses, as HAProxy's hash of the source tells them apart.
fn rig(number: usize) -> RigConfig {
    let from = IpAddr::V4(Ipv4Addr::new(127, 0, 1, (number % 250) as u8 + 1));
    RigConfig {
        from: Some(from),
        worker: format!("rig{number}"),
        hashrate: 200.0,
        reconnect_max: Duration::from_millis(500),
        ..mixed_rig(number)
    }
}

async fn proxy(pool: &PoolServer, api: &str) -> ProxyProcess {
    let at = pool.listen("127.0.0.1:0").await.unwrap();
    let more = format!("[api]\nlisten = \"{api}\"\n[limits]\naccepts_per_second = 5000\n");
    let route = "proxy_protocol = \"required\"\nproxy_from = [\"127.0.0.0/8\"]";
    let program = Command::new(env!("CARGO_BIN_EXE_proxy"));
    ProxyProcess::start(program, at, [route, &more]).await
}

#[test]
fn promtool_is_content_with_the_rules_and_the_config() {
    if !has("promtool") {
        return;
    }
    let configs = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/prometheus");
    for [what, file] in [["rules", "orepass.rules.yml"], ["config", "prometheus.yml"]] {
        let mut command = Command::new("promtool");
        let said = command.args(["check", what, file]).current_dir(configs).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
}

fn rigs_at(prometheus: &str, query: &str) -> Option<f64> {
    let query = query.replace('{', "%7B").replace('}', "%7D").replace('"', "%22");
    let found = get_json(prometheus, &format!("/api/v1/query?query={query}"))?;
    found["data"]["result"].get(0)?["value"].get(1)?.as_str()?.parse().ok()
}

#[tokio::test]
async fn of_two_behind_haproxy_one_is_killed_and_only_what_was_in_flight_there_is_lost() {
    if !has("haproxy") || !has("prometheus") || !has("promtool") {
        return;
    }
    let plan = Plan::deployed();
    let coin = Arc::new(plan.coin.clone());
    let pool = PoolServer::new(PoolConfig { coin, fixed_time: None, ..plan.pool.clone() });
    let apis = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
    let mut first = proxy(&pool, &apis[0]).await;
    let second = proxy(&pool, &apis[1]).await;

    let folder = new_folder();
    let port = free_port();
    let haproxy = format!(
        "global\n maxconn 4000\ndefaults\n mode tcp\n timeout connect 2s\n timeout client 5m\n \
         timeout server 5m\nlisten farm\n bind 127.0.0.1:{port}\n balance source\n hash-type \
         consistent\n option redispatch\n retries 2\n server a {} send-proxy-v2 check inter \
         200ms on-marked-down shutdown-sessions\n server b {} send-proxy-v2 check inter 200ms \
         on-marked-down shutdown-sessions\n",
        first.address, second.address
    );
    std::fs::write(folder.join("haproxy.cfg"), haproxy).unwrap();
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(folder.join("haproxy.cfg"));
    let _haproxy = Running::serving(&mut command, port).await;

    let watch = free_port();
    let scrape = format!(
        "global: {{ scrape_interval: 1s }}\nscrape_configs:\n- job_name: orepass\n  \
         static_configs:\n  - targets: [{:?}, {:?}]\n",
        apis[0], apis[1]
    );
    std::fs::write(folder.join("prometheus.yml"), scrape).unwrap();
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{watch}"));
    let _prometheus = Running::serving(&mut command, watch).await;
    let prometheus = format!("127.0.0.1:{watch}");

    let farm = RigFarm::start(RIGS, &format!("127.0.0.1:{port}"), Duration::from_secs(2), rig);
    until("all rigs mine", || farm.stats().mining, |mining| *mining == RIGS as u64).await;
    let all = || rigs_at(&prometheus, "sum(orepass_downstream_connections)");
    until("Prometheus sees all", all, |rigs| *rigs == Some(RIGS as f64)).await;
    let each = || rigs_at(&prometheus, "min(orepass_downstream_connections)");
    let fewest = until("both have rigs", each, |rigs| rigs.is_some_and(|rigs| rigs > 100.0)).await;
    let accepted = farm.stats().accepted;
    until("work", || farm.stats().accepted, |now| *now > accepted + 2000).await;

    let before: Vec<RigStats> = farm.rigs().iter().map(RigHandle::stats).collect();
    first.signal("KILL");
    first.ended().await;
    until("all mine at the other one", || farm.stats().mining, |m| *m == RIGS as u64).await;
    let up = || rigs_at(&prometheus, "sum(up{job=\"orepass\"})");
    until("Prometheus misses one", up, |up| *up == Some(1.0)).await;
    until("Prometheus sees all", all, |rigs| *rigs == Some(RIGS as f64)).await;
    let accepted = farm.stats().accepted;
    until("work", || farm.stats().accepted, |now| *now > accepted + 2000).await;

    farm.stop_mining();
    until("answers", || farm.stats().pending, |pending| *pending == 0).await;
    let (mut moved, mut lost) = (0, 0);
    for (before, rig) in before.iter().zip(farm.rigs()) {
        let now = rig.stats();
        let moves = now.disconnects - before.disconnects > 0;
        moved += u64::from(moves);
        lost += now.unanswered - before.unanswered;
        assert!(moves || now.unanswered == before.unanswered);
        assert_eq!(now.rejected, before.rejected, "{now:?}");
    }
    // Each had a few shares on the way at most.
    assert!(moved > 100 && lost <= 4 * moved, "{lost} shares lost of {moved} rigs");
    let fewest = fewest.unwrap_or_default();
    assert!(moved as f64 >= fewest && moved as f64 <= RIGS as f64 - fewest, "{moved} {fewest}");
    // The other one's books are those of the rigs that it has.
    let summary = get_json(&apis[1], "/api/v1/summary").unwrap();
    let shares = &summary["routes"][0]["shares"];
    assert_eq!(shares["in_flight"], 0, "{shares}");
    for path in ["/metrics", "/metrics/workers"] {
        let page = get(&apis[1], path).unwrap();
        assert!(page.lines().count() > 200, "{path}: {page}");
        let mut command = Command::new("promtool");
        command.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut promtool = command.spawn().unwrap();
        promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
        let said = promtool.wait_with_output().unwrap();
        assert!(said.status.success(), "{path}: {}", String::from_utf8_lossy(&said.stderr));
    }
    farm.close().await;
    pool.close();
    std::fs::remove_dir_all(folder).unwrap();
}
