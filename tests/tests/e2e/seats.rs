//! Rigs that have to wait for a place, or get none.

use std::time::Duration;

use orepass_hstratum::Hstratum;
use orepass_sim::pool::PoolFault;
use orepass_tests::client::Client;
use orepass_tests::gate::Gate;
use orepass_tests::log::Log;
use orepass_tests::site::{Plan, Site};
use orepass_tests::wait::until;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

/// A site whose pool cannot be reached before the gate is open.
async fn behind_a_gate(park_for: Duration) -> (Site, Gate) {
    let mut plan = Plan::deployed();
    plan.route.downstream.park_for = park_for;
    let pool = plan.make_pool();
    let address = pool.listen("127.0.0.1:0").await.unwrap().to_string();
    let gate = Gate::default();
    let site = plan.start_between(pool, &address, Hstratum::default(), gate.clone()).await;
    (site, gate)
}

#[tokio::test]
async fn rigs_that_come_before_the_pool_are_answered_when_it_is_there() {
    let (site, gate) = behind_a_gate(LONG).await;
    let farm = site.farm(5, |number| site.rig(number));
    until("rigs wait", || site.route.roster().online(), |online| *online == 5).await;
    until("attempts", || gate.attempts(), |attempts| *attempts >= 2).await;
    assert_eq!(farm.stats().logged_in, 0);
    gate.open();
    site.all_in(&farm).await;
    site.all_earn(&farm, 5).await;
    let accounts = site.finish(farm).await;
    accounts.faults().assert_none();
    assert_eq!((accounts.rigs.connects, accounts.rigs.disconnects), (5, 0));
    assert_eq!(accounts.pool.connections_total, 1);
}

#[tokio::test]
async fn a_rig_is_let_go_without_an_answer_when_no_pool_comes() {
    let (log, _guard) = Log::capture();
    let (site, _gate) = behind_a_gate(Duration::from_millis(200)).await;
    let mut client = Client::connect(&site.address).await;
    client.send(r#"{"id":1,"method":"mining.subscribe","params":[]}"#).await;
    assert!(client.rest().await.is_empty());
    // A refused authorize would make firmware give its account up: it is never refused for this.
    let mut client = Client::connect(&site.address).await;
    let authorize = r#"{"id":1,"method":"mining.authorize","params":["rig","x"]}"#;
    assert_eq!(client.ask(authorize).await["result"], true);
    client.send(r#"{"id":2,"method":"mining.subscribe","params":[]}"#).await;
    assert!(client.rest().await.is_empty());
    log.says(&["no pool connection was there within 200ms"]).await;
    site.close().await;
}

#[tokio::test]
async fn a_full_route_says_so_and_takes_the_next_rig_when_one_has_left() {
    let mut plan = Plan::deployed();
    plan.route.max_channels = 1;
    plan.route.max_rigs_per_channel = 2;
    let site = plan.start().await;
    let (first, _) = Client::login(&site.address, "one").await;
    let (_second, _) = Client::login(&site.address, "two").await;
    let mut third = Client::connect(&site.address).await;
    let refused = third.subscribe().await;
    assert_eq!(refused["error"][0], 20, "{refused}");
    let reason = refused["error"][1].as_str().unwrap();
    for part in ["no room: 1 of 1", "full with 2 rigs each", "`max_channels`"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert!(third.rest().await.is_empty());

    drop(first);
    until("a rig leaves", || site.route.roster().online(), |online| *online == 1).await;
    let (_, login) = Client::login(&site.address, "four").await;
    assert_eq!(login.allotment.extranonce1.as_bytes()[4], 2, "a lease that nobody had yet");
    site.close().await;
}

#[tokio::test]
async fn a_rig_that_comes_back_to_the_last_place_has_what_it_sent_there_refused_until_the_next_job()
{
    let mut plan = Plan::deployed();
    plan.route.prefix_bytes = Some(0);
    plan.route.max_channels = 1;
    plan.route.downstream.park_for = LONG;
    let site = plan.start().await;
    let (mut first, login) = Client::login(&site.address, "one").await;
    let share = login.shares(1).remove(0);
    assert_eq!(first.submit("one", login.job(), &share).await["result"], true);
    drop(first);
    until("the rig leaves", || site.route.roster().online(), |online| *online == 0).await;
    let (mut again, former) = (Client::login(&site.address, "one").await, login);
    assert_eq!(again.1.allotment.extranonce1, former.allotment.extranonce1);
    assert_eq!(again.1.notify[2], former.notify[2], "the same work");
    let answer = again.0.submit("one", again.1.job(), &share).await;
    assert_eq!(answer["error"][0], 22, "{answer}");
    site.pool.new_job();
    let (_, notify) = again.0.next_job().await;
    assert_ne!(notify[2], former.notify[2]);
    assert_eq!(site.pool.stats().duplicates, 0);
    site.close().await;
}

#[tokio::test]
async fn a_pool_that_leaves_no_room_to_split_is_named_with_the_numbers() {
    let (log, _guard) = Log::capture();
    let mut plan = Plan::deployed();
    plan.coin.extranonce2_size = 1;
    plan.route.downstream.park_for = Duration::from_millis(200);
    let site = plan.start().await;
    let line = log.says(&["no room to split"]).await;
    let numbers = "extranonce1 of 4 bytes, extranonce2 of 1 bytes, a prefix of 1 wanted";
    assert!(line.contains(numbers) && line.contains("prefix_bytes = 0"), "{line}");
    let mut client = Client::connect(&site.address).await;
    client.send(r#"{"id":1,"method":"mining.subscribe","params":[]}"#).await;
    assert!(client.rest().await.is_empty());
    site.close().await;
}

#[tokio::test]
async fn an_extranonce1_that_another_connection_has_is_not_taken() {
    let mut plan = Plan::deployed();
    // A connection for each rig, so that nothing but extranonce1 tells them apart.
    plan.route.prefix_bytes = Some(0);
    plan.route.downstream.park_for = LONG;
    let site = plan.start().await;
    site.pool.fault(PoolFault::SameExtranonce1);
    let farm = site.farm(2, |number| site.rig(number));
    let tried = |connections: &u64| *connections >= 3;
    until("another try", || site.pool.stats().connections_total, tried).await;
    assert_eq!(farm.stats().logged_in, 1, "one of them has a place");

    site.pool.heal();
    site.all_in(&farm).await;
    site.all_earn(&farm, 3).await;
    site.finish(farm).await.faults().assert_none();
}
