//! Rigs with a difficulty of their own, below the pool's.

use orepass_stratum::target::Difficulty;
use orepass_stratum::vardiff::VardiffConfig;
use orepass_stratum::verdict::Verdict;
use orepass_tests::check::{bad_submits, books};
use orepass_tests::client::Client;
use orepass_tests::site::{EASY, Plan};

#[tokio::test]
async fn shares_below_the_pools_difficulty_count_for_the_rig_and_stay_here() {
    let mut plan = Plan::deployed();
    plan.route.downstream.vardiff = VardiffConfig {
        enabled: true,
        // Three rungs: a share in eight is good enough for the pool.
        max: Difficulty::new(EASY / 8.0),
        ..VardiffConfig::default()
    };
    let site = plan.start().await;
    let farm = site.farm(4, |number| site.rig(number));
    site.all_in(&farm).await;
    site.all_earn(&farm, 100).await;
    let told = farm.stats().difficulty.unwrap();
    assert!((EASY / 16.0..EASY / 4.0).contains(&told), "{told}");
    let accounts = site.finish(farm).await;
    accounts.faults().assert_none();
    let below = accounts.count(Verdict::BelowPoolTarget);
    let forwarded = accounts.count(Verdict::AcceptedByPool);
    assert_eq!(below + forwarded, accounts.rigs.accepted);
    assert_eq!(forwarded, accounts.pool.submits);
    assert!(below > 3 * forwarded && forwarded > 0, "{below} {forwarded}");
    // Each share stands for the work of the rig's own target.
    let work = accounts.route.proven_work();
    assert!((work / accounts.rigs.work - 1.0).abs() < 1e-6, "{work} {}", accounts.rigs.work);
}

#[tokio::test]
async fn a_rig_gets_the_difficulty_that_it_suggests_with_the_next_job() {
    let mut plan = Plan::deployed();
    plan.route.downstream.vardiff.enabled = true;
    let site = plan.start().await;
    let (mut client, mut login) = Client::login(&site.address, "rig").await;
    assert!((login.difficulty / EASY - 1.0).abs() < 1e-6, "{}", login.difficulty);
    let suggested = 2_f64.powi(-30);
    let call = serde_json::json!({
        "id": "d", "method": "mining.suggest_difficulty", "params": [suggested]
    });
    assert_eq!(client.ask(&call.to_string()).await["result"], true);
    site.pool.new_job();
    let (difficulty, notify) = client.next_job().await;
    assert!((difficulty.unwrap() / suggested - 1.0).abs() < 1e-6, "{difficulty:?}");
    (login.difficulty, login.notify) = (suggested, notify);
    for share in login.shares(50) {
        let answer = client.submit("rig", login.job(), &share).await;
        assert_eq!(answer["result"], true, "{answer}");
    }
    let totals = site.totals();
    books(&totals).assert_none();
    let pool = site.pool.stats();
    bad_submits(&pool).assert_none();
    assert_eq!(totals.count(Verdict::AcceptedByPool), pool.submits);
    assert_eq!(totals.count(Verdict::BelowPoolTarget) + pool.submits, 50);
    assert!(pool.submits < 25, "{pool:?}");

    // Never harder than the pool's own.
    let call = r#"{"id":"d","method":"mining.suggest_difficulty","params":[1000000]}"#;
    client.ask(call).await;
    site.pool.new_job();
    let (difficulty, _) = client.next_job().await;
    assert!((difficulty.unwrap() / EASY - 1.0).abs() < 1e-6, "{difficulty:?}");
    site.close().await;
}
