//! Rigs follow the choice of pools.

use super::*;
use crate::pools::Cause;

/// A rig of each kind at the first of two pools that serve: one that can be told to move, and one
/// that cannot.
fn two_pools() -> Story {
    let mut story = Story::serving(config(2), 250);
    (1..=2).for_each(|rig| story.come(rig, rig == 1));
    assert_eq!(story.acts(), ["seat 1 on 1", "seat 2 on 1"]);
    story
}

fn refused() -> Result<(), Reject> {
    let verdict = orepass_stratum::verdict::Verdict::RejectedByPool;
    Err(Reject::new(orepass_stratum::error::RejectCode::Other, "low difficulty", verdict))
}

#[test]
fn a_standby_is_kept_warm_and_pools_behind_it_are_not() {
    let mut story = Story::with(config(3), 250);
    assert_eq!(story.acts(), ["open 1 at A", "open 2 at B", "open 3 at C"], "where is unknown yet");
    (1..=3).for_each(|channel| story.serve(channel));
    story.sleep(80_000);
    assert_eq!(story.acts(), ["close 3"]);
}

#[test]
fn when_the_first_pool_dies_every_rig_goes_to_the_second_and_comes_back_after_a_trial() {
    let mut story = two_pools();
    story.end(1, Ending::GivenUp(Cause::Connection));
    assert_eq!(story.reports(), ["down A: connection", "switch B"]);
    assert_eq!(story.acts(), ["seat 1 on 2"]);
    story.sleep(300);
    let moves = "leave 2: the rig is to have another extranonce and must subscribe again";
    assert_eq!(story.acts(), [moves]);
    story.go(2);
    story.come(3, false);
    assert_eq!(story.acts(), ["seat 3 on 2"]);

    story.serve(1);
    assert_eq!(story.reports(), ["news A", "up A"]);
    story.sleep(299_000);
    assert_eq!((story.reports(), story.acts()), (vec![], vec![]), "it has to stay healthy");
    story.sleep(1_000);
    assert_eq!(story.reports(), ["trial A"]);
    assert_eq!(story.acts(), ["seat 1 on 1"], "one of the two is more than a tenth, and the least");
    story.sleep(60_300);
    assert_eq!(story.reports(), ["switch A"]);
    assert_eq!(story.acts(), [moves.replace('2', "3")]);
}

#[test]
fn without_any_pool_rigs_are_held_and_then_let_go_to_their_own_backup() {
    let mut config = config(1);
    config.hold_for = Some(Duration::from_secs(60));
    let mut story = Story::serving(config, 250);
    story.come(1, true);
    story.connects(2);
    story.acts();
    story.end(1, Ending::GivenUp(Cause::Connection));
    let said = ["down A: connection", "Outage", "urgent true"];
    assert_eq!(story.reports(), said);
    story.come(3, true);
    story.sleep(59_000);
    assert_eq!((story.acts(), story.farm.gate()), (vec![], Gate::Hold));
    story.sleep(1_000);
    let gone = |rig| format!("leave {rig}: no pool serves");
    let acts = story.acts();
    assert_eq!(acts.len(), 3, "{acts:?}");
    assert!(acts.iter().zip(1..).all(|(act, rig)| act.starts_with(&gone(rig))), "{acts:?}");
    assert_eq!((story.reports(), story.farm.gate()), (vec!["Closing".into()], Gate::Closed));
    story.connects(4);
    assert_eq!(story.acts().len(), 1, "at once");
    (1..=4).for_each(|rig| story.go(rig));
    story.serve(1);
    story.sleep(0);
    assert_eq!(story.farm.gate(), Gate::Open);
    story.come(5, true);
    assert_eq!(story.acts(), ["seat 5 on 1"]);
}

#[test]
fn rigs_that_are_held_mine_on_where_they_were_when_the_pool_is_back() {
    let mut story = Story::serving(config(1), 250);
    (1..=2).for_each(|rig| story.come(rig, rig == 1));
    story.acts();
    story.end(1, Ending::GivenUp(Cause::Connection));
    story.come(3, false);
    story.sleep(60_000);
    story.resume(1);
    story.sleep(1_000);
    assert_eq!((story.acts(), story.channels_of(1..=3)), (vec!["seat 3 on 1".into()], vec![1; 3]));
    assert_eq!(story.farm.waiting().count(), 0);
}

#[test]
fn a_rig_that_finds_no_place_at_its_pool_mines_at_another_one_until_there_is_one() {
    let mut config = config(2);
    config.pools[1].standing.rank = 0;
    config.max_channels = 1;
    let mut story = Story::serving(config, 250);
    story.connects(1);
    // Its pool serves, as far as is known, and its connection is away.
    story.end(1, Ending::Lost);
    story.come(1, true);
    assert_eq!(story.acts(), ["doubt 2"][..0]);
    story.sleep(4_999);
    assert_eq!(story.acts(), [] as [&str; 0], "it may be back soon");
    story.sleep(1);
    assert_eq!(story.acts(), ["seat 1 on 2"]);
    story.serve(1);
    story.sleep(10_000);
    assert_eq!(story.acts(), ["seat 1 on 1"]);
    assert_eq!((story.farm.waiting().count(), story.farm.astray.len()), (0, 0));
}

#[test]
fn pools_of_one_rank_share_the_work_by_what_rigs_prove() {
    let mut config = config(2);
    config.pools[1].standing.rank = 0;
    let mut story = Story::serving(config, 250);
    (1..=4).for_each(|rig| story.come(rig, true));
    assert_eq!(story.channels_of(1..=4), [1, 2, 1, 2]);
    story.acts();
    // The two at the first pool do three times as much as the others.
    for _ in 0..4 {
        for rig in 1..=4 {
            let hashes = if rig % 2 == 1 { 360.0 } else { 120.0 };
            story.work[&RigId(rig)].add(hashes);
        }
        story.sleep(30_000);
    }
    let moved: Vec<_> = story.reports();
    assert!(moved.iter().any(|line| line.starts_with("rebalance")), "{moved:?}");
    let at_first = story.channels_of(1..=4).iter().filter(|channel| **channel == 1).count();
    assert_eq!(at_first, 1 + usize::from(at_first == 2), "one of each is at either");
    let fast = [story.channels_of(1..=1)[0], story.channels_of(3..=3)[0]];
    assert_ne!(fast[0], fast[1]);
}

#[test]
fn a_pool_that_refuses_what_it_gets_is_left_with_its_words() {
    let mut story = two_pools();
    let refusals = vec![refused(); 100];
    story.farm.handle_verdicts(ChannelId(1), &refusals, story.now);
    story.run();
    assert_eq!(story.reports(), ["down A: rejects", "switch B"]);
    assert_eq!(story.acts(), ["seat 1 on 2"]);
}

#[test]
fn one_connection_that_ends_has_the_others_of_its_pool_asked_whether_they_live() {
    let mut story = Story::serving(config(2), 1);
    (1..=2).for_each(|rig| story.come(rig, true));
    story.serve(3);
    story.acts();
    story.end(1, Ending::SentAway);
    assert_eq!(story.acts(), [] as [&str; 0], "the pool sent it elsewhere");
    story.resume(1);
    story.end(1, Ending::Lost);
    assert_eq!(story.acts(), ["doubt 3"], "and none of another pool, nor one that is away");
}

#[test]
fn one_connection_that_serves_is_news_for_those_that_wait_to_be_made() {
    let mut story = Story::with(config(1), 250);
    assert_eq!(story.reports(), ["urgent true"]);
    story.connect(1);
    assert_eq!(story.reports(), [] as [&str; 0], "it has told no job");
    story.job(1);
    assert_eq!(story.reports(), ["news A", "up A", "switch A", "urgent false"]);
    story.job(1);
    assert_eq!(story.reports(), [] as [&str; 0]);
    story.end(1, Ending::Lost);
    story.resume(1);
    assert_eq!(story.reports(), ["news A"]);
}

#[test]
fn as_many_channels_are_opened_as_the_rigs_of_a_pool_need() {
    let mut story = two_pools();
    for rig in 3..=20 {
        story.come(rig, true);
    }
    story.acts();
    story.max_rigs = 5;
    story.connect(2);
    story.job(2);
    story.end(1, Ending::GivenUp(Cause::Connection));
    let acts = story.acts();
    let opened = acts.iter().filter(|act| act.ends_with("at B")).count();
    assert_eq!(opened, 3, "20 rigs, 5 on each: {acts:?}");
}
