//! A pool that changes its mind while rigs mine: difficulty, extranonce, repeated jobs.

use orepass_sim::net::RigHandle;
use orepass_sim::pool::{JudgedBy, PoolFault, PoolStats};
use orepass_stratum::target::Difficulty;
use orepass_stratum::verdict::Verdict;
use orepass_tests::check::bad_submits;
use orepass_tests::log::Log;
use orepass_tests::site::{EASY, Plan};
use orepass_tests::wait::until;

const RIGS: usize = 4;

fn difficulty(value: f64) -> Difficulty {
    Difficulty::new(value).unwrap()
}

#[tokio::test]
async fn a_difficulty_that_comes_with_a_job_is_the_rigs_from_that_job_on() {
    let site = Plan::deployed().start().await;
    let farm = site.farm(RIGS, |number| site.rig(number));
    site.all_in(&farm).await;
    site.all_earn(&farm, 5).await;
    for factor in [8.0, 0.5, 2.0] {
        site.pool.fault(PoolFault::Difficulty(difficulty(EASY * factor)));
        site.pool.new_job();
        let near = |told: f64| (told / (EASY * factor) - 1.0).abs() < 1e-6;
        for rig in farm.rigs() {
            let told = || rig.stats().difficulty.unwrap_or_default();
            until("the new difficulty", told, |told| near(*told)).await;
        }
        site.all_earn(&farm, 5).await;
    }
    let accounts = site.finish(farm).await;
    accounts.faults().assert_none();
}

/// Shares of the easier difficulty that rigs still mine at are no longer good enough for the
/// pool; whichever way it judges, it sees none of them.
#[tokio::test]
async fn a_difficulty_that_is_raised_at_once_holds_for_shares_of_the_present_job() {
    for judge in [JudgedBy::AtJob, JudgedBy::Present] {
        let (log, _guard) = Log::capture();
        let mut plan = Plan::deployed();
        plan.pool.judge = judge;
        let site = plan.start().await;
        let farm = site.farm(RIGS, |number| site.rig(number));
        site.all_in(&farm).await;
        site.all_earn(&farm, 5).await;
        site.drain(&farm).await;
        assert_eq!(site.totals().count(Verdict::BelowPoolTarget), 0);

        let announced = log.lines(&["pool.target"]).len();
        site.pool.fault(PoolFault::DifficultyNow(difficulty(EASY * 8.0)));
        let lines = || log.lines(&["pool.target"]).len();
        until("the route hears of it", lines, |lines| *lines > announced).await;
        site.start_mining(&farm);
        site.all_earn(&farm, 30).await;

        let accounts = site.finish(farm).await;
        accounts.faults().assert_none();
        let below = accounts.count(Verdict::BelowPoolTarget);
        assert!(below > RIGS as u64 * 10, "{judge:?}: {below}");
        assert_eq!(accounts.rigs.accepted, below + accounts.pool.accepted);
    }
}

/// A share that is worth nothing to the pool may be a block.
#[tokio::test]
async fn blocks_go_out_whatever_the_difficulty_is() {
    let (log, _guard) = Log::capture();
    let mut plan = Plan::deployed();
    plan.pool.real_blocks = false;
    // One block in 4,300 hashes.
    plan.coin.bits = 0x2000_0f42;
    let site = plan.start().await;
    let farm = site.farm(RIGS, |number| site.rig(number));
    site.all_in(&farm).await;
    site.all_earn(&farm, 5).await;
    site.drain(&farm).await;

    let announced = log.lines(&["pool.target"]).len();
    site.pool.fault(PoolFault::DifficultyNow(difficulty(EASY * 1e6)));
    let lines = || log.lines(&["pool.target"]).len();
    until("the route hears of it", lines, |lines| *lines > announced).await;
    let before = site.pool.stats();
    site.start_mining(&farm);
    let found = |pool: &PoolStats| pool.blocks_found >= before.blocks_found + 20;
    until("blocks", || site.pool.stats(), found).await;
    log.says(&["share.block", "the pool took it"]).await;

    let accounts = site.finish(farm).await;
    accounts.honesty().assert_none();
    bad_submits(&accounts.pool).assert_none();
    let pool = accounts.pool;
    let (blocks, shares) =
        (pool.blocks_found - before.blocks_found, pool.accepted - before.accepted);
    assert_eq!(blocks, shares, "nothing else went out");
    assert!(accounts.route.count(Verdict::BelowPoolTarget) > blocks);
}

#[tokio::test]
async fn a_repeated_job_is_not_told_to_rigs_again() {
    let site = Plan::deployed().start().await;
    let farm = site.farm(RIGS, |number| site.rig(number));
    site.all_in(&farm).await;
    site.all_earn(&farm, 5).await;
    for _ in 0..20 {
        site.pool.fault(PoolFault::RepeatNotify);
    }
    site.all_earn(&farm, 20).await;
    let accounts = site.finish(farm).await;
    accounts.faults().assert_none();
    assert_eq!(accounts.rigs.jobs, RIGS as u64);
}

#[tokio::test]
async fn a_pools_set_extranonce_moves_the_rigs_that_can_be_told_and_the_others_come_back() {
    let site = Plan::deployed().start().await;
    let farm = site.farm(RIGS, |number| orepass_sim::rig::RigConfig {
        extranonce_subscribe: number % 2 == 1,
        ..site.rig(number)
    });
    site.all_in(&farm).await;
    site.all_earn(&farm, 5).await;
    let before: Vec<_> = farm.rigs().iter().map(RigHandle::stats).collect();
    site.pool.fault(PoolFault::SetExtranonce);
    for (number, rig) in farm.rigs().iter().enumerate() {
        let was = before[number].extranonce1.clone();
        let moved = until(
            "another extranonce1",
            || rig.stats(),
            |stats| {
                stats.extranonce1 != was && stats.logged_in == 1 && stats.jobs > before[number].jobs
            },
        )
        .await;
        let expected = if number % 2 == 1 { (1, 0) } else { (0, 1) };
        assert_eq!((moved.set_extranonces, moved.disconnects), expected, "rig {number}");
    }
    site.all_earn(&farm, 5).await;
    let accounts = site.finish(farm).await;
    accounts.honesty().assert_none();
    assert_eq!(accounts.pool.duplicates, 0);
    assert_eq!((accounts.pool.low_difficulty, accounts.pool.invalid_params), (0, 0));
    assert_eq!(accounts.pool.connections_total, 1);
}
