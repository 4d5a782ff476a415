//! Its simulated rigs at its simulated pool, without the proxy between them.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use orepass_sim::net::{PoolServer, RigDriver};
use toy_coin::sim::{WISH, pool, rig_that_rolls};

#[tokio::test]
async fn rigs_that_roll_and_rigs_that_do_not_earn() {
    let pool = PoolServer::new(pool());
    let at = pool.listen("127.0.0.1:0").await.unwrap();
    for wish in [WISH, 0x0001_e000, 0] {
        let (rig, handle) = RigDriver::new(rig_that_rolls(wish));
        let running = tokio::spawn(rig.run_tcp(at.to_string()));
        let stats = handle.wait_for(|stats| stats.accepted >= 3).await.unwrap();
        assert_eq!((stats.rejected, stats.malformed_lines), (0, 0), "{wish:08x}: {stats:?}");
        handle.close();
        running.await.unwrap();
    }
}
