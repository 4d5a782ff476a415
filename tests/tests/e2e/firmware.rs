//! Rigs that always send 4 bytes of extranonce2, whatever they were told.

use orepass_sim::handshake::ExtranoncePolicy::{AlwaysFour, Respect};
use orepass_sim::rig::RigConfig;
use orepass_stratum::verdict::Verdict;
use orepass_tests::site::Plan;
use orepass_tests::wait::until;

const RIGS: usize = 6;

/// A pool that announces the size of the whole header field, as those of mainnet do.
fn whole_field(strict: bool) -> Plan {
    let mut plan = Plan::deployed();
    plan.coin.extranonce2_size = 24;
    plan.coin.strict_extranonce2 = strict;
    plan
}

#[tokio::test]
async fn they_earn_side_by_side_over_one_connection_where_the_pool_has_room() {
    let site = whole_field(false).start().await;
    let farm = site.farm(RIGS, |number| site.rig_with(number, AlwaysFour));
    site.all_in(&farm).await;
    site.all_earn(&farm, 10).await;
    let extranonces: Vec<_> =
        farm.rigs().iter().map(|rig| rig.stats().extranonce1.unwrap()).collect();
    assert!(extranonces.iter().all(|extranonce1| extranonce1.len() == 10), "{extranonces:?}");
    let accounts = site.finish(farm).await;
    accounts.faults().assert_none();
    assert_eq!(accounts.pool.connections_total, 1);
}

#[tokio::test]
async fn a_pool_that_takes_just_4_bytes_gets_4_and_other_rigs_go_on() {
    let site = whole_field(true).start().await;
    let obedient = site.farm(RIGS, |number| site.rig(number));
    site.all_in(&obedient).await;
    site.all_earn(&obedient, 10).await;
    let stubborn =
        site.farm(1, |_| RigConfig { share_limit: Some(5), ..site.rig_with(99, AlwaysFour) });
    let told = until("refusals", || stubborn.stats(), |stats| stats.rejected == 5).await;
    let error = told.last_error.clone().unwrap();
    assert!(error.contains("extranonce2 is 4 bytes"), "{error}");
    assert!(error.contains("this rig was told 3"), "{error}");
    assert_eq!(told.rejected_by_code.into_iter().collect::<Vec<_>>(), [(20, 5)]);
    assert_eq!((told.accepted, told.disconnects), (0, 0));
    site.all_earn(&obedient, 10).await;

    let obedient = obedient.close().await;
    let invalid = site.totals().count(Verdict::Invalid);
    let accounts = site.finish(stubborn).await;
    assert_eq!(invalid, 5);
    assert!(obedient.accepted >= 20 * RIGS as u64);
    let pool = accounts.pool;
    assert_eq!(pool.connections_total, 1);
    // What was on its way before the pool refused the first one.
    assert!((1..=4 * RIGS as u64).contains(&pool.invalid_params), "{pool:?}");
    assert_eq!(pool.accepted + pool.invalid_params, pool.submits, "{pool:?}");
    orepass_tests::check::books(&accounts.route).assert_none();
}

#[tokio::test]
async fn they_earn_on_a_strict_pool_with_a_connection_each() {
    for announced in [4, 24] {
        let mut plan = whole_field(true);
        plan.coin.extranonce2_size = announced;
        plan.route.prefix_bytes = Some(0);
        plan.route.max_channels = RIGS;
        let site = plan.start().await;
        let farm = site.farm(RIGS, |number| {
            site.rig_with(number, if number % 2 == 0 { AlwaysFour } else { Respect })
        });
        site.all_in(&farm).await;
        site.all_earn(&farm, 10).await;
        assert_eq!(site.route.live_channels(), RIGS);
        let accounts = site.finish(farm).await;
        accounts.faults().assert_none();
        assert_eq!(accounts.pool.connections_total, RIGS as u64);
    }
}
