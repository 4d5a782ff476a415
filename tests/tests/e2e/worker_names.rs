//! Workers under names of their own at the pool.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use orepass::net::connect::Tcp;
use orepass_hstratum::Hstratum;
use orepass_sim::pool::{PoolFault, PoolStats};
use orepass_sim::rig::RigConfig;
use orepass_stratum::verdict::Verdict;
use orepass_tests::log::Log;
use orepass_tests::relay::{self, Way};
use orepass_tests::site::{Plan, Site};
use orepass_tests::wait::until;
use serde_json::{Value, json};

const RIGS: usize = 4;
/// The account that the route itself mines as.
const OWN: &str = "account";

async fn start(user: &str) -> Site {
    let mut plan = Plan::deployed();
    plan.route.pools[0].user = user.parse().unwrap();
    plan.start().await
}

fn accepted(pool: &PoolStats, name: &str) -> u64 {
    pool.workers.get(name).map_or(0, |worker| worker.accepted)
}

#[tokio::test]
async fn each_rigs_shares_are_seen_under_its_own_name() {
    let site = start("account.{rig}-{port}").await;
    let port = site.address.rsplit_once(':').unwrap().1.to_owned();
    let farm = site
        .farm(RIGS, |number| RigConfig { worker: format!("farm.{number}"), ..site.rig(number) });
    site.all_in(&farm).await;
    let names: Vec<String> = (0..RIGS).map(|number| format!("account.{number}-{port}")).collect();
    let all_named = |pool: &PoolStats| names.iter().all(|name| accepted(pool, name) >= 20);
    until("shares under all names", || site.pool.stats(), all_named).await;
    let route = Arc::clone(&site.route);
    let accounts = site.finish(farm).await;
    accounts.faults().assert_none();
    let pool = accounts.pool;
    assert_eq!(pool.authorized, 1 + RIGS as u64);
    // Nothing waited for a name but the very first, by which the pool shows whether it takes any: what
    // came before the welcome of another is the account's.
    let own = accepted(&pool, OWN);
    assert!((RIGS as u64 - 1..pool.accepted / 2).contains(&own), "{own} of {}", pool.accepted);
    let named: u64 = names.iter().map(|name| accepted(&pool, name)).sum();
    assert_eq!(named + own, pool.accepted);
    assert_eq!(pool.workers.len(), 1 + RIGS);
    // The route's own books go by the names that the rigs gave.
    let workers: BTreeMap<_, _> = route.roster().workers().into_iter().collect();
    assert!((0..RIGS).all(|number| workers.contains_key(&*format!("farm.{number}"))));
}

#[tokio::test]
async fn a_pool_that_refuses_workers_credits_everything_to_the_account() {
    let (log, _guard) = Log::capture();
    let mut plan = Plan::deployed();
    plan.route.pools[0].user = "account.{worker}".parse().unwrap();
    let site = plan.start().await;
    for number in 0..RIGS {
        site.pool.fault(PoolFault::RefuseWorker(format!("account.rig{number}")));
    }
    let farm = site.farm(RIGS, |number| site.rig(number));
    site.all_in(&farm).await;
    site.all_earn(&farm, 20).await;
    log.says(&["pool.habit", "no worker beside the account", "no reason given"]).await;
    // What was found out holds on the next connection too.
    site.pool.fault(PoolFault::DropConnections);
    until("another connection", || site.pool.stats(), |pool| pool.connections_total == 2).await;
    site.all_earn(&farm, 20).await;
    let accounts = site.finish(farm).await;
    accounts.honesty().assert_none();
    orepass_tests::check::bad_submits(&accounts.pool).assert_none();
    let pool = accounts.pool;
    assert_eq!(accounts.route.count(Verdict::RejectedByPool), 0);
    assert_eq!((accepted(&pool, OWN), pool.workers.len()), (pool.accepted, 1));
    assert_eq!(log.lines(&["pool.habit"]).len(), 1, "said once");
}

/// Where the pool keeps a list of a connection's names, and where a refused one takes the right to
/// submit away from all. There the shares are lost that the pool reads between its refusal and the
/// account's next authorize: those that are on their way.
#[tokio::test]
async fn one_refused_worker_costs_no_more_than_what_is_on_its_way() {
    for one_flag in [false, true] {
        let (log, _guard) = Log::capture();
        let mut plan = Plan::deployed();
        plan.pool.one_flag = one_flag;
        plan.route.pools[0].user = "account.{worker}".parse().unwrap();
        let site = plan.start().await;
        let farm = site.farm(RIGS, |number| site.rig(number));
        site.all_in(&farm).await;
        site.all_earn(&farm, 10).await;
        site.pool.fault(PoolFault::RefuseWorker("account.rig9".into()));
        let late = site.farm(1, |_| site.rig(9));
        site.all_earn(&late, 20).await;
        site.all_earn(&farm, 20).await;
        log.says(&["pool.habit", "names", "false"]).await;
        late.close().await;
        let accounts = site.finish(farm).await;
        let most = if one_flag { 4 * (RIGS as u64 + 1) } else { 0 };
        let lost = accounts.pool.unauthorized;
        assert!(lost <= most, "one flag: {one_flag}, {lost}");
        let pool =
            PoolStats { unauthorized: 0, submits: accounts.pool.submits - lost, ..accounts.pool };
        orepass_tests::check::bad_submits(&pool).assert_none();
        assert!(accounts.rigs.rejected <= lost, "one flag: {one_flag}");
        assert_eq!(pool.accepted, accounts.route.count(Verdict::AcceptedByPool));
        assert!(accepted(&pool, "account.rig0") > 0, "it took names before");
        assert_eq!(log.lines(&["pool.habit"]).len(), 2, "that it takes them, and that it does not");
    }
}

/// The password that a rig gave goes to the pool only where that is configured.
#[tokio::test]
async fn a_rigs_password_reaches_the_pool_where_it_is_to() {
    for pass_password in [false, true] {
        let mut plan = Plan::deployed();
        plan.route.pools[0].user = "account.{worker}".parse().unwrap();
        plan.route.pools[0].pass_password = pass_password;
        let pool = plan.make_pool();
        let at_pool = pool.listen("127.0.0.1:0").await.unwrap().to_string();
        let logins: Arc<Mutex<Vec<Value>>> = Arc::default();
        let seen = Arc::clone(&logins);
        let wire = relay::start(at_pool, move |way, line| {
            if way == Way::Up && line.contains("mining.authorize") {
                let mut call: Value = serde_json::from_str(&line).unwrap();
                seen.lock().unwrap().push(call["params"].take());
            }
            vec![line]
        });
        let wire = wire.await.to_string();
        let site = plan.start_between(pool, &wire, Hstratum::default(), Tcp).await;
        let farm = site.farm(1, |number| RigConfig {
            password: "sesame-97,d=512".to_owned(),
            ..site.rig(number)
        });
        let named = |pool: &PoolStats| accepted(pool, "account.rig0") >= 1;
        until("shares under the rig's name", || site.pool.stats(), named).await;
        site.finish(farm).await.faults().assert_none();
        let password = if pass_password { "sesame-97,d=512" } else { "x" };
        let expected = [json!([OWN, "x"]), json!(["account.rig0", password])];
        assert_eq!(*logins.lock().unwrap(), expected);
    }
}

#[tokio::test]
async fn a_name_that_pools_would_refuse_is_changed_and_said_once() {
    let (log, _guard) = Log::capture();
    let site = start("account.{worker}").await;
    let farm = site.farm(1, |number| RigConfig {
        worker: "rig 1/é".to_owned(),
        password: "sesame-97".to_owned(),
        ..site.rig(number)
    });
    site.all_in(&farm).await;
    let named = |pool: &PoolStats| accepted(pool, "account.rig_1__") >= 10;
    until("shares under the changed name", || site.pool.stats(), named).await;
    site.finish(farm).await.faults().assert_none();
    let lines = log.lines(&["rig.renamed"]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("rig 1/é") && lines[0].contains("account.rig_1__"), "{lines:?}");
    assert!(log.lines(&["sesame-97"]).is_empty());
}

#[tokio::test]
async fn a_rig_whose_name_would_repeat_the_account_is_remarked_upon_and_no_other() {
    let (log, _guard) = Log::capture();
    let site = start("account.{worker}").await;
    let farm = site.farm(2, |number| RigConfig {
        worker: ["account.a", "b"][number].into(),
        ..site.rig(number)
    });
    site.all_in(&farm).await;
    let remark = log.says(&["rig.remark", "account.account.a", "{rig}"]).await;
    assert!(remark.contains("rig=\"account.a\""), "{remark}");
    assert_eq!(log.lines(&["with the account twice"]).len(), 1);
    site.finish(farm).await.faults().assert_none();
}
