//! The checks that the other stories end with can fail.

use orepass_farm::stats::Book;
use orepass_hstratum::Hstratum;
use orepass_sim::net::RigFarm;
use orepass_sim::rig::RigConfig;
use orepass_stratum::verdict::Verdict;
use orepass_tests::broken::Misdivided;
use orepass_tests::check::{Accounts, books};
use orepass_tests::relay::{self, Way};
use orepass_tests::site::{Plan, Site};
use orepass_tests::wait::until;

/// Two rigs in a dialect that gives them these prefixes.
async fn mine_misdivided(prefix: fn(u8) -> u8) -> Accounts {
    let site = Plan::deployed().start_as(Misdivided::<false>::new(prefix)).await;
    let farm = site.farm(2, |number| site.rig(number));
    site.all_in(&farm).await;
    until("shares", || farm.stats(), |stats| stats.accepted + stats.rejected >= 40).await;
    site.finish(farm).await
}

#[tokio::test]
async fn a_sound_division_passes() {
    let accounts = mine_misdivided(|prefix| prefix).await;
    accounts.faults().assert_none();
}

#[tokio::test]
async fn rigs_that_all_get_the_same_prefix_are_found_out_by_the_pool() {
    let accounts = mine_misdivided(|_| 0x5a).await;
    assert!(accounts.pool.duplicates > 0, "{:?}", accounts.pool);
    let faults = accounts.faults();
    assert!(faults.mention("duplicates at the pool"), "{faults}");
    assert!(faults.mention("shares that rigs were refused"), "{faults}");
}

#[tokio::test]
async fn a_lease_that_is_lent_twice_is_found_out_by_the_pool() {
    let accounts = mine_misdivided(|prefix| if prefix == 1 { 0 } else { prefix }).await;
    let faults = accounts.faults();
    assert!(faults.mention("duplicates at the pool"), "{faults}");
}

/// A rig behind a wire that changes what the route says to it.
async fn behind<F>(edit: F) -> (Site<Hstratum>, RigFarm)
where
    F: Fn(Way, String) -> Vec<String> + Send + Sync + 'static,
{
    let site = Plan::deployed().start().await;
    let wire = relay::start(site.address.clone(), edit).await.to_string();
    let farm = RigFarm::start(1, &wire, std::time::Duration::ZERO, |number| RigConfig {
        share_limit: Some(10),
        ..site.rig(number)
    });
    (site, farm)
}

fn is_verdict(way: Way, line: &str) -> bool {
    way == Way::Down && line.contains("\"result\":true") && !line.contains("\"id\":2,")
}

#[tokio::test]
async fn a_second_answer_is_noticed() {
    let (site, farm) = behind(|way, line| {
        let twice = is_verdict(way, &line);
        let mut lines = vec![line];
        lines.extend(lines.first().filter(|_| twice).cloned());
        lines
    })
    .await;
    until("second answers", || farm.stats(), |stats| stats.double_answers >= 10).await;
    let faults = site.finish(farm).await.honesty();
    assert!(faults.mention("second answers"), "{faults}");
}

#[tokio::test]
async fn a_missing_answer_is_noticed() {
    let (site, farm) = behind(|way, line| {
        let lost = is_verdict(way, &line) && line.contains("\"id\":5,");
        if lost { Vec::new() } else { vec![line] }
    })
    .await;
    let all_but_one = until("answers", || farm.stats(), |stats| stats.accepted == 9).await;
    assert_eq!(all_but_one.pending, 1);
    let accounts = Accounts { pool: site.pool.stats(), route: site.totals(), rigs: all_but_one };
    assert!(accounts.honesty().mention("shares without an answer"), "{}", accounts.honesty());
    farm.close().await;
    site.close().await;
}

#[test]
fn a_share_that_is_booked_twice_or_never_is_noticed() {
    let twice = Book::default();
    twice.sent();
    twice.ended(Verdict::AcceptedByPool, 1.0);
    books(&twice.totals()).assert_none();
    twice.ended(Verdict::Stale, 1.0);
    assert!(books(&twice.totals()).mention("shares ended"));

    let never = Book::default();
    never.sent();
    assert!(books(&never.totals()).mention("shares ended"));
}
