//! The demo ends well, and does not where the split is broken.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use orepass::cli::{Cli, Command, Demo};
use orepass::commands::{Outcome, demo::demo};
use orepass::registry::{FromConfig, Registry};
use orepass_hstratum::Hstratum;
use orepass_tests::broken::Misdivided;

async fn play<D: FromConfig>() -> Outcome {
    play_with::<D>(&["--json"]).await
}

async fn play_with<D: FromConfig>(more: &[&str]) -> Outcome {
    let line = ["orepass", "demo", "--dialect", "hstratum", "--rigs", "8", "--seconds", "4"];
    let line = line.iter().chain(more);
    let Some(Command::Demo(arguments)) = Cli::try_read(line).unwrap().command else {
        panic!("that is a demo");
    };
    let arguments: Demo = arguments;
    demo(arguments, &Registry::empty().with::<D>()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_close() {
    assert_eq!(play::<Hstratum>().await, Outcome::Success);
}

/// Success says that the rigs went to the second pool, and came back.
#[tokio::test(flavor = "multi_thread")]
async fn the_books_close_over_a_failover() {
    assert_eq!(play_with::<Hstratum>(&[]).await, Outcome::Success);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_do_not_close_where_the_prefix_is_dropped() {
    assert_eq!(play::<Misdivided<false>>().await, Outcome::Failure);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_do_not_close_where_a_lease_is_lent_twice() {
    assert_eq!(play::<Misdivided<true>>().await, Outcome::Failure);
}
