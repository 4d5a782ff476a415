//! Rigs whose firmware does not do what it is told.

use std::time::Duration;

use orepass::config::Profile;
use orepass_hstratum::SplitMode;
use orepass_sim::handshake::ExtranoncePolicy::{self, AlwaysFour, Respect, Truncate};
use orepass_sim::net::RigFarm;
use orepass_sim::pool::{PoolFault, PoolStats};
use orepass_sim::rig::{RigConfig, RigStats, Rubbish};
use orepass_stratum::firmware::Firmware;
use orepass_stratum::verdict::Verdict;
use orepass_tests::check::{bad_submits, books};
use orepass_tests::log::Log;
use orepass_tests::relay::{self, Way};
use orepass_tests::site::Plan;
use orepass_tests::wait::until;
use wildmatch::WildMatch;

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

/// Hard enough that a share of another extranonce1 is none by luck: one in 430 hashes.
const TELLING: f64 = 1e-7;

/// A rig that cannot share a connection beside rigs that do: it gets one of its own, and the log
/// tells why in three lines. `asked` of its shares go to the pool, to ask whether it takes them.
async fn earns_alone(policy: ExtranoncePolicy, announced: usize, wrong: &str, asked: u64) {
    let (log, _guard) = Log::capture();
    let mut plan = whole_field(announced == 4);
    plan.coin.extranonce2_size = announced;
    plan.pool.difficulty = TELLING;
    let site = plan.start().await;
    let obedient = site.farm(RIGS, |number| site.rig(number));
    site.all_in(&obedient).await;
    let stubborn = site.farm(1, |_| site.rig_with(99, policy));
    site.all_earn(&stubborn, 20).await;
    site.all_earn(&obedient, 20).await;

    assert_eq!(site.route.live_channels(), 2, "one for all the others");
    let told = stubborn.stats().extranonce1.unwrap();
    assert_eq!(told.len(), 8, "4 bytes in hex: nothing is split off");
    let line = |words: &[&str]| log.lines(&[&["rig99"], words].concat()).len();
    assert_eq!(line(&["WARN", "rig.diagnosis", wrong, "a pool connection of its own"]), 1);
    assert_eq!(line(&["rig.down", wrong, "when it comes back"]), 1);
    assert_eq!(line(&["rig.up", "with a pool connection of its own"]), 1);
    // Beside it the first share's end, where that share asked.
    assert_eq!(line(&["WARN"]) as u64, 1 + asked, "{:?}", log.lines(&["rig99"]));

    let (misfit, obedient) = (stubborn.close().await, obedient.close().await);
    assert_eq!((misfit.disconnects, obedient.disconnects, obedient.rejected), (1, 0, 0));
    let totals = site.totals();
    let refused = totals.count(Verdict::Invalid) + totals.count(Verdict::LowDifficulty);
    assert_eq!(refused, asked + 20, "so many show what is wrong");
    site.close().await;
    let pool = site.pool.stats();
    let (submits, invalid_params) = (pool.submits - asked, pool.invalid_params - asked);
    bad_submits(&PoolStats { submits, invalid_params, ..pool }).assert_none();
    books(&site.totals()).assert_none();
}

#[tokio::test]
async fn a_rig_with_4_bytes_of_extranonce2_whatever_it_is_told_earns_on_a_strict_pool() {
    let wrong = "its firmware ignores the announced extranonce2 size";
    earns_alone(AlwaysFour, 4, wrong, 1).await;
}

#[tokio::test]
async fn a_rig_that_cuts_extranonce1_earns() {
    earns_alone(Truncate, 24, "its firmware cuts extranonce1", 0).await;
}

/// A strict pool, and profiles that give the rigs of an agent or a worker a connection each.
/// By its name, as with Goldshell's machines, and by what it calls before it subscribes, as in solo
/// mode.
#[tokio::test]
async fn handyminer_is_served_as_it_needs_from_its_first_seat() {
    for by_name in [true, false] {
        let mut plan = whole_field(true);
        plan.coin.extranonce2_size = 4;
        let site = plan.start().await;
        let others = site.farm(2, |number| site.rig(number));
        site.all_in(&others).await;
        let wire = relay::start(site.address.clone(), move |way, line| match way {
            Way::Up if !by_name && line.contains("mining.subscribe") => {
                let call = |method| {
                    format!("{{\"id\":\"x\",\"method\":\"{method}\",\"params\":[\"a\",\"b\"]}}")
                };
                vec![call("mining.authorize_admin"), call("mining.add_user"), line]
            }
            Way::Down if line.contains("\"id\":\"x\"") => vec![],
            _ => vec![line],
        });
        let wire = wire.await.to_string();
        let agent = if by_name { "HandyMiner/0.0.5" } else { "" };
        let rig = |_| RigConfig { agent: agent.into(), ..site.rig_with(99, AlwaysFour) };
        let handyminer = RigFarm::start(1, &wire, Duration::ZERO, rig);
        site.all_earn(&handyminer, 20).await;
        site.all_earn(&others, 10).await;
        let told = handyminer.close().await;
        assert_eq!((told.rejected, told.disconnects), (0, 0), "by name: {by_name}");
        let accounts = site.finish(others).await;
        bad_submits(&accounts.pool).assert_none();
        assert_eq!(accounts.pool.connections_total, 2);
    }
}

fn profiled(agent: Option<&str>, worker: Option<&str>) -> Plan {
    let mut plan = whole_field(true);
    plan.coin.extranonce2_size = 4;
    let pattern = |text: Option<&str>| text.map(WildMatch::new);
    let firmware = Firmware { dedicated: true, ..Firmware::default() };
    let profile =
        Profile { agent: pattern(agent), worker: pattern(worker), firmware, hashrate: None };
    plan.route.profiles = vec![profile];
    plan
}

#[tokio::test]
async fn a_profile_by_agent_gives_a_connection_of_its_own_at_once() {
    let site = profiled(Some("Old/*"), None).start().await;
    let others = site.farm(2, |number| site.rig(number));
    let old = |_| RigConfig { agent: "Old/1.2".into(), ..site.rig_with(99, AlwaysFour) };
    let old = site.farm(1, old);
    site.all_earn(&old, 10).await;
    site.all_earn(&others, 10).await;
    assert_eq!(site.route.live_channels(), 2);
    let old = old.close().await;
    assert_eq!((old.disconnects, old.rejected), (0, 0));
    let accounts = site.finish(others).await;
    bad_submits(&accounts.pool).assert_none();
    assert_eq!(accounts.count(Verdict::Invalid), 0);
}

/// It says who works only when it has its extranonce, and others behind its address share.
#[tokio::test]
async fn a_profile_by_worker_closes_its_rig_once_and_leaves_its_neighbours_alone() {
    let (log, _guard) = Log::capture();
    let site = profiled(None, Some("rig9?")).start().await;
    let others = site.farm(2, |number| site.rig(number));
    site.all_in(&others).await;
    let old = site.farm(2, |number| site.rig_with(90 + number, AlwaysFour));
    site.all_earn(&old, 10).await;
    site.all_earn(&others, 10).await;
    assert_eq!(site.route.live_channels(), 3);
    assert_eq!(log.lines(&["rig.down", "its worker needs another place"]).len(), 2);
    let old = old.close().await;
    assert_eq!((old.disconnects, old.rejected), (2, 0));
    let accounts = site.finish(others).await;
    assert_eq!(accounts.rigs.disconnects, 0);
    bad_submits(&accounts.pool).assert_none();
    books(&accounts.route).assert_none();
}

#[tokio::test]
async fn past_the_last_connection_of_their_own_they_are_refused_with_the_reason() {
    let (log, _guard) = Log::capture();
    let mut plan = whole_field(true);
    plan.coin.extranonce2_size = 4;
    plan.options.split = SplitMode::Narrow;
    plan.route.max_dedicated = 1;
    let site = plan.start().await;
    let stubborn = site.farm(2, |number| site.rig_with(number, AlwaysFour));
    log.says(&["all 1 of them are taken; raise `max_dedicated`"]).await;
    let earning = || stubborn.rigs().iter().filter(|rig| rig.stats().accepted >= 10).count();
    until("one of them earns", earning, |rigs| *rigs == 1).await;
    stubborn.close().await;
    site.close().await;
    bad_submits(&site.pool.stats()).assert_none();
}

#[tokio::test]
async fn rubbish_is_quarantined_and_at_last_refused_and_good_rigs_of_the_address_go_on() {
    let (log, _guard) = Log::capture();
    let site = Plan::deployed().start().await;
    let good = site.farm(2, |number| site.rig(number));
    let rubbish = |_| RigConfig { rubbish: vec![Rubbish::NotHex], ..site.rig(9) };
    let bad = site.farm(1, rubbish);
    site.all_in(&good).await;
    log.says(&["rig.quarantine", "rig9"]).await;
    let before = bad.stats().accepted;
    let taken = |stats: &RigStats| stats.accepted >= before + 10;
    until("its good shares go out all the same", || bad.stats(), taken).await;
    bad.close().await;
    // Each time that it comes back it is quarantined again.
    let bad = site.farm(1, rubbish);
    let quarantines = || log.lines(&["rig.quarantine", "rig9"]).len();
    until("another quarantine", quarantines, |lines| *lines == 2).await;
    bad.close().await;
    let bad = site.farm(1, rubbish);
    log.says(&["rig9", "too much rubbish came from this worker"]).await;
    bad.close().await;
    let bad = site.farm(1, |_| site.rig(9));
    until("it is refused", || bad.stats(), |stats| stats.disconnects >= 2).await;
    assert_eq!(bad.stats().accepted, 0);
    site.all_earn(&good, 10).await;
    bad.close().await;
    let accounts = site.finish(good).await;
    assert_eq!((accounts.rigs.disconnects, accounts.rigs.rejected), (0, 0));
    bad_submits(&accounts.pool).assert_none();
    books(&accounts.route).assert_none();
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
    books(&accounts.route).assert_none();
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

#[tokio::test]
async fn a_rig_that_goes_on_with_a_replaced_extranonce1_is_closed_and_never_told_another() {
    let (log, _guard) = Log::capture();
    let mut plan = Plan::deployed();
    plan.pool.difficulty = TELLING;
    let site = plan.start().await;
    let farm = site.farm(2, |number| RigConfig {
        extranonce_subscribe: true,
        ignores_set_extranonce: number == 0,
        agent: format!("firmware/{number}"),
        ..site.rig(number)
    });
    site.all_in(&farm).await;
    site.all_earn(&farm, 5).await;
    let told = |rig: usize| farm.rigs()[rig].stats().set_extranonces;
    site.pool.fault(PoolFault::SetExtranonce);
    until("both are told", || (told(0), told(1)), |told| *told == (1, 1)).await;
    log.says(&["rig.down", "rig0", "its firmware ignores mining.set_extranonce"]).await;
    site.all_earn(&farm, 5).await;
    let refused = site.totals().count(Verdict::LowDifficulty);

    site.pool.fault(PoolFault::SetExtranonce);
    until("it is told once more", || told(1), |told| *told == 2).await;
    site.all_earn(&farm, 5).await;
    assert_eq!(told(0), 1, "it is closed instead");
    let stats = farm.rigs()[0].stats();
    assert_eq!(stats.disconnects, 2);
    let accounts = site.finish(farm).await;
    assert_eq!(refused, 3, "so many shares were needed to see it");
    assert_eq!(accounts.count(Verdict::LowDifficulty), refused);
    bad_submits(&accounts.pool).assert_none();
    books(&accounts.route).assert_none();
}
