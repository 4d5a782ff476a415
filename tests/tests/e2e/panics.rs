//! A fault in our own code that one rig finds.

use std::sync::atomic::{AtomicU8, Ordering};

use orepass_tests::broken::Misdivided;
use orepass_tests::site::Plan;

/// The prefix of the rig that came first; none so far.
static FIRST: AtomicU8 = AtomicU8::new(u8::MAX);
/// How often sessions of other rigs panic, when they are told their part of the extranonce.
static FAULTS: AtomicU8 = AtomicU8::new(3);

fn faulty(prefix: u8) -> u8 {
    let first = FIRST.compare_exchange(u8::MAX, prefix, Ordering::Relaxed, Ordering::Relaxed);
    let is_first = first.map_or_else(|first| first == prefix, |_| true);
    let fault =
        || FAULTS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
    assert!(is_first || fault().is_err(), "a fault that a test has made");
    prefix
}

#[tokio::test]
async fn a_panic_ends_one_session_and_the_first_rig_notices_nothing() {
    let site = Plan::deployed().start_as(Misdivided::<false>::new(faulty)).await;
    let farm = site.farm(4, |number| site.rig(number));
    site.all_in(&farm).await;
    site.all_earn(&farm, 5).await;
    assert_eq!(FAULTS.load(Ordering::Relaxed), 0);
    let lost: Vec<u64> = farm.rigs().iter().map(|rig| rig.stats().disconnects).collect();
    assert_eq!(lost.iter().sum::<u64>(), 3, "each is one session, and it came back: {lost:?}");
    assert!(lost.contains(&0));
    site.finish(farm).await.faults().assert_none();
}
