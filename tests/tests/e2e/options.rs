//! The route's choices: whose verdict a rig is told, and whether shares are checked.

use orepass_sim::handshake::HandshakeRig;
use orepass_sim::pool::PoolFault;
use orepass_stratum::downstream::{Reply, Verify};
use orepass_stratum::verdict::Verdict;
use orepass_tests::check::books;
use orepass_tests::client::{Client, poor_share};
use orepass_tests::site::Plan;
use orepass_tests::wait::until;
use serde_json::json;

#[tokio::test]
async fn with_local_replies_a_rig_does_not_wait_for_the_pool_and_the_books_do() {
    let mut plan = Plan::deployed();
    plan.route.downstream.reply = Reply::Local;
    let site = plan.start().await;
    let (mut client, login) = Client::login(&site.address, "rig").await;
    let shares = login.shares(4);
    let submit = async |client: &mut Client, at: usize| {
        client.submit("rig", login.job(), &shares[at]).await["result"].clone()
    };
    let settled =
        async |count| until("verdicts", || site.totals(), |totals| totals.ended() == count).await;
    assert_eq!(submit(&mut client, 0).await, true);
    assert_eq!(settled(1).await.count(Verdict::AcceptedByPool), 1);

    site.pool.fault(PoolFault::RefuseShares);
    assert_eq!(submit(&mut client, 1).await, true);
    assert_eq!(settled(2).await.count(Verdict::RejectedByPool), 1);
    site.pool.heal();

    site.pool.fault(PoolFault::NoVerdicts);
    assert_eq!(submit(&mut client, 2).await, true);
    site.pool.wait_for(|stats| stats.submits == 3).await.unwrap();
    assert_eq!(site.totals().ended(), 2);
    site.pool.fault(PoolFault::DropConnections);
    assert_eq!(settled(3).await.count(Verdict::LostOnFailover), 1);

    // What is wrong by the route's own check is refused all the same, and nothing is said twice.
    let again = client.submit("rig", login.job(), &shares[0]).await;
    assert_eq!(again["error"][0], json!(22), "{again}");
    client.send(r#"{"id":"end","method":"mining.ping"}"#).await;
    assert_eq!(client.line().await.unwrap()["id"], "end");
    books(&site.totals()).assert_none();
    site.close().await;
}

#[tokio::test]
async fn with_checks_off_the_pool_judges_the_proof_and_the_route_the_rest() {
    let mut plan = Plan::deployed();
    plan.route.downstream.verify = Verify::Off;
    // Without checks there is nothing to measure a rig by: it gets the pool's own target.
    plan.route.downstream.vardiff.enabled = true;
    plan.route.downstream.vardiff.max =
        orepass_stratum::target::Difficulty::new(plan.pool.difficulty / 64.0);
    let site = plan.start().await;
    let (mut client, login) = Client::login(&site.address, "rig").await;
    assert!((login.difficulty / orepass_tests::site::EASY - 1.0).abs() < 1e-6);
    let shares = login.shares(2);
    for share in &shares {
        assert_eq!(client.submit("rig", login.job(), share).await["result"], true);
    }
    let poor = poor_share(&HandshakeRig::default(), &login, None);
    let refused = client.submit("rig", login.job(), &poor).await;
    assert_eq!(refused["error"], json!([23, "pool: high-hash (23)", false]));
    let again = client.submit("rig", login.job(), &shares[0]).await;
    assert_eq!(again["error"], json!([22, "duplicate", false]));
    let unknown = client.submit("rig", "nojob", &shares[0]).await;
    assert_eq!(unknown["error"][0], 21);

    let (totals, pool) = (site.totals(), site.pool.stats());
    books(&totals).assert_none();
    assert_eq!((totals.unchecked, pool.submits, pool.low_difficulty), (3, 3, 1));
    assert_eq!(totals.count(Verdict::AcceptedByPool), 2);
    assert_eq!(totals.count(Verdict::RejectedByPool), 1);
    assert_eq!(totals.count(Verdict::Duplicate), 1);
    assert_eq!(totals.count(Verdict::Invalid), 1);
    site.close().await;
}
