//! Which target a rig is told, and by which its shares are judged.

use super::*;

#[test]
fn a_work_is_told_once_and_a_new_level_rides_on_the_next() {
    let mut story = Story::mining(DownstreamConfig::default());
    assert_eq!(story.show(), "", "the same work is not told again");
    story.later(31);
    story.rig.handle_timeout(story.now);
    assert_eq!(story.show(), "", "a new level does not go out by itself");
    story.work("p1", "w2", 256.0);
    let heard = story.show();
    assert!(heard.contains("\"mining.set_difficulty\",\"params\":[64]"), "{heard}");
    assert!(heard.contains("[\"6b000001\",\"p1\",\"w2\",false]"), "{heard}");
    // The former job is open, and judged by the easier target that was told meanwhile.
    let hash = "\"03ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"";
    assert!(story.submit(20, "6b000000", "000001", hash).contains("true"));
    assert!(story.submit(21, "6b000001", "000001", hash).contains("true"));
    // A new block ends both.
    story.work("p2", "w3", 256.0);
    assert!(story.show().contains("[\"6b000002\",\"p2\",\"w3\",true]"));
    assert!(story.submit(22, "6b000001", "000002", GOOD).contains("[21,"));
    assert_eq!(story.verdicts().last(), Some(&Verdict::Stale));
}

#[test]
fn a_changed_pool_target_is_judged_by_the_harder_of_the_two() {
    let mut story = Story::mining(DownstreamConfig::default());
    story.view.wanted = Arc::new(Wanted::sure(scale().target(Difficulty::new(1024.0).unwrap())));
    story.show();
    let hash = "\"00ff000000000000000000000000000000000000000000000000000000000000\"";
    assert!(story.submit(9, "6b000000", "000001", hash).contains("true"));
    assert!(story.forwarded.take().is_none());
    assert_eq!(story.verdicts().last(), Some(&Verdict::BelowPoolTarget));
}

#[test]
fn an_unchecked_route_gives_the_pools_target_and_forwards() {
    let config = DownstreamConfig { verify: Verify::Off, ..DownstreamConfig::default() };
    let mut story = Story::mining(config);
    let bad = format!("\"{}\"", "e".repeat(64));
    assert_eq!(story.submit(7, "6b000000", "000001", &bad), "");
    assert_eq!(story.forwarded.take().unwrap().hash, None);
    assert!(story.submit(8, "6b000000", "000001", &bad).contains("[22,"));
}

#[test]
fn a_floor_is_told_with_the_next_work_and_its_shares_must_meet_it() {
    let mut story = Story::mining(DownstreamConfig::default());
    let target = |difficulty| scale().target(Difficulty::new(difficulty).unwrap());
    story.view.floor = Some(target(1024.0));
    assert_eq!(story.show(), "", "no work is told twice");
    assert!(story.submit(3, "6b000000", "000001", GOOD).is_empty());
    assert_eq!(story.forwarded.take().unwrap().hashes.round(), 256.0);

    story.work("p1", "w2", 256.0);
    let heard = story.show();
    assert!(heard.contains("mining.set_difficulty\",\"params\":[1024]"), "{heard}");
    let refused = story.submit(4, "6b000001", "000002", GOOD);
    assert!(refused.contains("high-hash"), "{refused}");
    let better = GOOD.replace("00f", "000");
    assert!(story.submit(5, "6b000001", "000003", &better).is_empty());
    assert_eq!(story.forwarded.take().unwrap().hashes.round(), 1024.0);
    assert!(story.submit(6, "6b000000", "000004", GOOD).is_empty(), "as that job was told");

    // A harder pool's own target is the pool's; without a floor everything is as before.
    story.work("p1", "w3", 4096.0);
    assert!(story.show().contains("[4096]"));
    story.view.floor = None;
    story.work("p1", "w4", 256.0);
    assert!(story.show().contains("[256]"));
}

#[test]
fn the_easiest_target_is_the_rigs_own() {
    let story = Story::mining(DownstreamConfig::default());
    assert_eq!(story.rig.difficulty(), Difficulty::new(256.0));
    assert_eq!(*story.view.wanted, Wanted::sure(Target::from_compact(0x2001_0000).unwrap()));
    assert_eq!(story.view.generation, Generation(1));
}
