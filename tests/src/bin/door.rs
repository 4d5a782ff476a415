//! A route and its pool in a process of its own, whose open-file limit a test can set: `door`. It says
//! where rigs connect to, and does not look at the limit itself.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use orepass_tests::site::Plan;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let site = Plan::deployed().start().await;
    println!("{}", site.address);
    std::future::pending::<()>().await;
}
