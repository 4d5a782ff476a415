//! More shares at once than there is room for: they wait, and none is lost.

use std::time::Duration;

use orepass_sim::pool::PoolFault;
use orepass_stratum::verdict::Verdict;
use orepass_tests::check::{bad_submits, books};
use orepass_tests::client::Client;
use orepass_tests::site::Plan;
use orepass_tests::wait::until;

/// With more in flight a rig is read no further, and a connection takes no more.
const RIGS: usize = 40;
const SHARES: usize = 80;

#[tokio::test]
async fn a_burst_past_all_room_costs_waiting_and_no_share() {
    let site = Plan::deployed().start().await;
    site.pool.fault(PoolFault::LateVerdicts(Duration::from_millis(700)));
    let mut clients = Vec::new();
    for number in 0..RIGS {
        let (mut client, login) = Client::login(&site.address, &format!("rig{number}")).await;
        for share in login.shares(SHARES) {
            client.send_share(&format!("rig{number}"), login.job(), &share).await;
        }
        clients.push(client);
    }
    // A rig is read up to its own bound, and together they are past a connection's.
    until("a full house", || site.totals().sent, |sent| *sent > 1_500).await;
    for client in &mut clients {
        for _ in 0..SHARES {
            let answer = client.answer("s").await;
            assert_eq!(answer["result"], true, "{answer}");
        }
    }
    let (totals, pool) = (site.totals(), site.pool.stats());
    books(&totals).assert_none();
    bad_submits(&pool).assert_none();
    let all = (RIGS * SHARES) as u64;
    assert_eq!((totals.sent, totals.count(Verdict::AcceptedByPool)), (all, all));
    assert_eq!((pool.submits, site.route.live_channels()), (all, 1), "over one connection");
    drop(clients);
    site.close().await;
}
