//! Which jobs a rig's shares count for.

use orepass_stratum::verdict::Verdict;
use orepass_tests::check::{bad_submits, books};
use orepass_tests::client::{Client, Login};
use orepass_tests::log::Log;
use orepass_tests::site::Plan;

#[tokio::test]
async fn shares_of_the_last_six_jobs_of_a_block_count_and_no_others_reach_the_pool() {
    let site = Plan::deployed().start().await;
    let (mut client, first) = Client::login(&site.address, "rig").await;
    let old = first.shares(8);
    for (at, share) in old.iter().enumerate().take(6) {
        let answer = client.submit("rig", first.job(), share).await;
        assert_eq!(answer["result"], true, "{at} jobs later: {answer}");
        site.pool.new_job();
        client.next_job().await;
    }
    let answer = client.submit("rig", first.job(), &old[6]).await;
    let reason = format!("job {} has been replaced", first.job());
    assert_eq!(answer["error"], serde_json::json!([21, reason, false]));

    site.pool.new_job();
    let (_, notify) = client.next_job().await;
    let Login { allotment, difficulty, .. } = first;
    let last = Login { allotment, difficulty, notify };
    let shares = last.shares(2);
    assert_eq!(client.submit("rig", last.job(), &shares[0]).await["result"], true);
    site.pool.new_block();
    client.next_job().await;
    let answer = client.submit("rig", last.job(), &shares[1]).await;
    assert_eq!(answer["error"][0], 21, "{answer}");

    let (totals, pool) = (site.totals(), site.pool.stats());
    books(&totals).assert_none();
    bad_submits(&pool).assert_none();
    assert_eq!((totals.count(Verdict::Stale), totals.count(Verdict::AcceptedByPool)), (2, 7));
    assert_eq!(pool.submits, 7);
    site.close().await;
}

#[tokio::test]
async fn a_share_that_is_a_block_is_said_to_be_and_brings_the_next_one() {
    let (log, _guard) = Log::capture();
    let mut plan = Plan::deployed();
    // The easiest there is.
    plan.coin.bits = 0x207f_ffff;
    let site = plan.start().await;
    let (mut client, login) = Client::login(&site.address, "rig").await;
    assert_eq!(client.submit("rig", login.job(), &login.shares(1)[0]).await["result"], true);
    let (_, next) = client.next_job().await;
    assert_ne!(next[1], login.notify[1], "it builds on the block that was found");
    log.says(&["share.block", "found a block", "rig=\"rig\""]).await;
    assert_eq!(site.pool.stats().blocks_found, 1);
    site.close().await;
}
