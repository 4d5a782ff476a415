//! All layouts of Handshake's jobs, through the route.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use orepass::net::connect::Tcp;
use orepass_hstratum::Hstratum;
use orepass_sim::handshake::{HandshakeRig, PoolScale, StratumGeneration};
use orepass_sim::pool::PoolStats;
use orepass_stratum::verdict::Verdict;
use orepass_tests::check::{Accounts, books};
use orepass_tests::client::{Client, poor_share, search, solve};
use orepass_tests::relay::{self, Way};
use orepass_tests::site::Plan;
use serde_json::json;

const RIGS: usize = 3;

/// Two jobs of a block and one of the next.
async fn mine(plan: Plan) -> Accounts {
    mine_asking(plan, 0).await
}

/// The same, where `asked` shares are sent to find out what the pool means by a difficulty.
async fn mine_asking(plan: Plan, asked: u64) -> Accounts {
    let site = plan.start().await;
    let farm = site.farm(RIGS, |number| site.rig(number));
    site.all_in(&farm).await;
    site.all_earn(&farm, 5).await;
    site.pool.new_job();
    site.all_earn(&farm, 5).await;
    let before = site.drain(&farm).await;
    site.pool.new_block();
    site.all_told(&farm, &before).await;
    site.start_mining(&farm);
    site.all_earn(&farm, 5).await;
    let accounts = site.finish(farm).await;
    let pool = accounts.pool.clone();
    let (submits, low_difficulty) = (pool.submits - asked, pool.low_difficulty - asked);
    let pool = PoolStats { submits, low_difficulty, ..pool };
    Accounts { pool, ..accounts.clone() }.faults().assert_none();
    assert_eq!(accounts.pool.connections_total, 1);
    accounts
}

#[tokio::test]
async fn deployed_jobs_of_9_fields() {
    assert_eq!(mine(Plan::new(StratumGeneration::Deployed)).await.route.unchecked, 0);
}

#[tokio::test]
async fn deployed_jobs_of_10_fields_with_a_mask_that_only_the_pool_knows() {
    let mut plan = Plan::new(StratumGeneration::DeployedMask);
    plan.coin.random_mask = true;
    let accounts = mine_asking(plan, 1).await;
    assert_eq!(accounts.route.unchecked, 0);
    assert!(accounts.count(Verdict::BelowPoolTarget) > 1, "rigs were told the easier target first");
}

#[tokio::test]
async fn seed_jobs_of_12_fields_without_and_with_other_transactions() {
    for transactions in [0, 3] {
        let mut plan = Plan::new(StratumGeneration::Seed12);
        plan.coin.transactions = transactions;
        let accounts = mine(plan).await;
        assert_eq!(accounts.route.unchecked, 0, "{transactions}");
    }
}

#[tokio::test]
async fn seed_jobs_of_13_fields() {
    let mut plan = Plan::new(StratumGeneration::Seed13);
    plan.coin.transactions = 3;
    assert_eq!(mine(plan).await.route.unchecked, 0);
}

/// A pool that is slower to tell the transactions than the rig is to ask for them.
#[tokio::test]
async fn a_rig_that_asks_for_transactions_too_early_is_answered_when_the_pool_has_told_them() {
    let plan = seed12();
    let pool = plan.make_pool();
    let at_pool = pool.listen("127.0.0.1:0").await.unwrap().to_string();
    // The pool's answer is held back until its next line.
    let held = Mutex::new((String::new(), None));
    let wire = relay::start(at_pool, move |way, line| {
        let (answer, held) = &mut *held.lock().unwrap();
        match way {
            Way::Up if line.contains("mining.get_transactions") => {
                let (id, _) = line.split_once(',').unwrap();
                *answer = format!("{id},\"result\"");
            }
            Way::Down if !answer.is_empty() && line.starts_with(answer.as_str()) => {
                *held = Some(line);
                return Vec::new();
            }
            Way::Up | Way::Down => {}
        }
        held.take_if(|_| way == Way::Down).into_iter().chain([line]).collect()
    });
    let wire = wire.await.to_string();
    let site = plan.start_between(pool, &wire, Hstratum::default(), Tcp).await;
    let (mut client, login) = Client::login(&site.address, "rig").await;
    client.send(&question(login.job())).await;
    client.send(r#"{"id":"p","method":"mining.ping"}"#).await;
    let pong = client.line().await.unwrap();
    assert_eq!(pong["id"], "p", "nothing is known yet: {pong}");

    site.pool.new_job();
    let mut answer = client.line().await.unwrap();
    while answer["id"] != "t" {
        answer = client.line().await.unwrap();
    }
    let rig = firmware();
    let mut search = search(&rig, &login.allotment, &login.notify, Some(&answer["result"]));
    for share in solve(&mut *search, &rig, login.difficulty, 5) {
        let answer = client.submit("rig", login.job(), &share).await;
        assert_eq!(answer["result"], true, "{answer}");
    }
    let totals = site.totals();
    assert_eq!((totals.count(Verdict::AcceptedByPool), totals.unchecked), (5, 0));
    site.close().await;
}

fn seed12() -> Plan {
    let mut plan = Plan::new(StratumGeneration::Seed12);
    plan.coin.transactions = 3;
    plan
}

fn firmware() -> HandshakeRig {
    HandshakeRig { scale: PoolScale::Hstratum, ..HandshakeRig::default() }
}

fn question(job: &str) -> String {
    json!({"id": "t", "method": "mining.get_transactions", "params": [job]}).to_string()
}

/// The pool never answers the route's question for the transactions; the rig has them from
/// elsewhere.
#[tokio::test]
async fn shares_of_seed_jobs_whose_transactions_are_not_told_are_forwarded_unchecked() {
    let plan = seed12();
    let pool = plan.make_pool();
    let at_pool = pool.listen("127.0.0.1:0").await.unwrap().to_string();
    let questions = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&questions);
    let wire = relay::start(at_pool.clone(), move |way, line| {
        let question = way == Way::Up && line.contains("mining.get_transactions");
        counted.fetch_add(u64::from(question), Ordering::SeqCst);
        if question { Vec::new() } else { vec![line] }
    })
    .await;
    let site = plan.start_between(pool, &wire.to_string(), Hstratum::default(), Tcp).await;

    let (mut client, login) = Client::login(&site.address, "rig").await;
    // This is kept until the pool has told them.
    client.send(&question(login.job())).await;
    let (mut direct, at_the_pool) = Client::login(&at_pool, "direct").await;
    let transactions = direct.ask(&question(at_the_pool.job())).await["result"].take();
    let rig = firmware();
    let mut search = search(&rig, &login.allotment, &login.notify, Some(&transactions));
    for share in solve(&mut *search, &rig, login.difficulty, 5) {
        let answer = client.submit("rig", login.job(), &share).await;
        assert_eq!(answer["result"], true, "{answer}");
    }
    // What cannot be checked may be wrong; the pool says so, and the rig is told.
    let poor = poor_share(&rig, &login, Some(&transactions));
    let answer = client.submit("rig", login.job(), &poor).await;
    assert_eq!(answer["error"], json!([23, "pool: high-hash (23)", false]));
    // What can be checked without transactions is.
    let mut long = poor;
    long.fields[0].push_str("00");
    let answer = client.submit("rig", login.job(), &long).await;
    assert!(answer["error"][1].as_str().unwrap().contains("this rig was told 3"), "{answer}");

    let totals = site.totals();
    books(&totals).assert_none();
    assert_eq!(totals.unchecked, 6);
    assert_eq!(totals.count(Verdict::AcceptedByPool), 5);
    assert_eq!(totals.count(Verdict::RejectedByPool), 1);
    assert_eq!(totals.count(Verdict::Invalid), 1);
    assert_eq!(questions.load(Ordering::SeqCst), 1);
    site.close().await;
}
