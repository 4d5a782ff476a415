//! Several connections to one pool, and its extranonces.

use super::*;
use crate::channel::PoolShared;
use crate::space::Wish;

/// Two connections to one pool.
fn pair() -> (Story, Story) {
    let shared = PoolShared::from(Arc::new(JobIds::new(0x6b00_0000)));
    let story = |number| {
        let mut story = Story::new();
        let config = UpstreamConfig { number, ..story.pool.setup.config.clone() };
        story.pool = Upstream::new(Arc::default(), config, shared.clone());
        story
    };
    (story(1), story(2))
}

#[test]
fn the_second_of_two_with_one_extranonce1_is_dropped_before_it_shows_anything() {
    let (mut one, mut other) = pair();
    one.log_in(GIVEN);
    other.connect();
    other.answers(GIVEN);
    let told = other.told();
    assert!(told[0].starts_with("down: the pool gave the extranonce1 of another"), "{told:?}");
    assert!(other.pool.view().ground.is_none());
    other.log_in("[\"s2\",\"aabbccde\",4]");
    other.told();
    other.calls("mining.set_extranonce", "[\"aabbccdd\"]");
    other.notify("k1", "p1", "w1");
    let told = other.told();
    assert!(told[0].starts_with("down: "), "nor may it be moved there: {told:?}");
}

#[test]
fn a_connection_that_is_away_keeps_its_extranonce1_as_long_as_rigs_hash_under_it() {
    let (mut one, mut other) = pair();
    one.log_in(GIVEN);
    let ground = one.pool.view().ground.unwrap();
    let rig = ground.space.lease(&Wish::default(), None).unwrap();
    one.lose();
    other.connect();
    other.answers(GIVEN);
    assert!(other.told()[0].starts_with("down: "));
    drop(rig);
    other.log_in(GIVEN);
    assert!(other.pool.is_live());
    one.connect();
    one.answers(GIVEN);
    assert!(one.told().iter().any(|told| told.starts_with("down: ")), "it is the other's now");
}

#[test]
fn what_one_connection_learns_the_other_acts_on() {
    let (mut one, mut other) = pair();
    let wide = Coin { asks_split: true, ..Coin::default() };
    for story in [&mut one, &mut other] {
        story.pool.setup.dialect = Arc::new(wide.clone());
    }
    one.log_in(GIVEN);
    other.log_in("[\"s2\",\"11223344\",4]");
    other.notify("k1", "p1", "w1");
    one.pool.setup.habits.learn(Habit::Split, Answer::Other);
    let size = |story: &Story| story.pool.view().ground.unwrap().split.rig_extranonce2;
    other.notify("k2", "p1", "w1");
    assert_eq!(size(&other), 3, "the same work must not be done in two ways");
    other.notify("k3", "p1", "w2");
    assert_eq!((size(&other), other.work().unwrap().job.work.as_str()), (4, "w2"));
}

#[test]
fn a_pool_that_refuses_the_wide_split_keeps_its_rigs_where_they_are() {
    let mut story = Story::with(Coin::<false> { asks_split: true, ..Coin::default() });
    story.log_in(GIVEN);
    story.notify("j1", "p1", "w1");
    let before = story.pool.view();
    story.pool.setup.habits.learn(Habit::Split, Answer::Usual);
    story.told();
    story.notify("j2", "p1", "w2");
    assert_eq!(story.told(), ["view"]);
    let after = story.pool.view();
    assert_eq!(after.generation, before.generation);
    assert_eq!(after.ground.unwrap().split.probe, None, "nor is it asked again");
}

#[test]
fn two_that_log_in_at_the_same_time_do_not_both_have_one_extranonce1() {
    let (mut one, mut other) = pair();
    // The one serves a single rig, the other many.
    one.pool.setup.config.prefix_bytes = Some(0);
    one.connect();
    one.answers(GIVEN);
    other.connect();
    other.answers(GIVEN);
    one.answers("true");
    other.answers("true");
    one.notify("j1", "p1", "w1");
    other.notify("j1", "p1", "w1");
    let prefix = |story: &Story| {
        let view = story.pool.view();
        let ground = view.ground?;
        let lease = ground.space.lease(&Wish::default(), view.work.map(|w| w.work)).ok()?;
        Some((ground.split.extranonce1.to_string(), lease.prefix().to_vec(), view.live))
    };
    let both = (prefix(&one), prefix(&other));
    assert!(!(one.pool.is_live() && other.pool.is_live()), "both are live: {both:?}");
}
