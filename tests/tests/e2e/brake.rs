//! A farm meets the start difficulty of a pool that expects one rig.

use orepass_sim::pool::PoolFault;
use orepass_stratum::target::Difficulty;
use orepass_tests::log::Log;
use orepass_tests::site::{EASY, Plan};
use orepass_tests::wait::until;

const RIGS: usize = 4;

#[tokio::test]
async fn rigs_get_a_harder_target_until_the_pool_has_retargeted() {
    let (log, _guard) = Log::capture();
    let mut plan = Plan::deployed();
    plan.route.max_pool_shares_per_second = 10;
    plan.route.pools[0].start_difficulty = Difficulty::new(EASY * 1024.0);
    let site = plan.start().await;
    let farm = site.farm(RIGS, |number| site.rig(number));
    site.all_in(&farm).await;
    let easy = |told: f64| told < EASY * 1.5;
    assert!(easy(farm.stats().difficulty.unwrap()), "this pool does not know the suggestion");
    let unknown = site.pool.stats().unknown_methods;
    assert_eq!(unknown.get("mining.suggest_difficulty"), Some(&1), "{unknown:?}");

    log.says(&["WARN", "pool.brake", "too many for the pool"]).await;
    site.pool.new_job();
    for rig in farm.rigs() {
        let told = || rig.stats().difficulty.unwrap();
        until("a harder target", told, |told| !easy(*told)).await;
    }
    let harder = farm.rigs()[0].stats().difficulty.unwrap();
    let halvings = (harder / EASY).log2();
    assert!((halvings - halvings.round()).abs() < 1e-6 && halvings > 2.0, "{halvings}");
    site.all_earn(&farm, 2).await;

    site.pool.fault(PoolFault::Difficulty(Difficulty::new(harder * 2.0).unwrap()));
    site.pool.new_job();
    log.says(&["INFO", "pool.brake_off", "the pool has retargeted", "not credited"]).await;
    for rig in farm.rigs() {
        let told = || rig.stats().difficulty.unwrap();
        until("the pool's own", told, |told| (told / harder - 2.0).abs() < 1e-6).await;
    }
    let accounts = site.finish(farm).await;
    accounts.faults().assert_none();
    assert!(accounts.rigs.work > accounts.pool.work, "the brake has its price");
}
