//! The operator edits the pools while rigs mine.

use super::wishes::{add, remove};
use super::*;
use crate::pools::{Cause, Leaving};

/// A rig of each kind at the first of so many pools that serve: one that can be told to move, and
/// one that cannot.
fn mining(pools: usize) -> Story {
    let mut story = Story::serving(config(pools), 250);
    (1..=2).for_each(|rig| story.come(rig, rig == 1));
    assert_eq!(story.channels_of(1..=2), [1, 1]);
    story.acts();
    story
}

#[test]
fn rigs_that_may_not_connect_any_more_go_whatever_seat_they_get() {
    let mut story = mining(2);
    (1..=2).for_each(|rig| story.farm.handle_barred(RigId(rig), story.now));
    story.farm.handle_barred(RigId(3), story.now);
    // The one that can be told so gets another seat meanwhile.
    story.wishes(|config| remove(config, 0, None));
    let mut acts = story.acts();
    story.sleep(1_000);
    acts.extend(story.acts());
    assert!(acts.contains(&"seat 1 on 2".into()), "{acts:?}");
    for rig in 1..=2 {
        let leaves = format!("leave {rig}: it may not connect any more");
        assert_eq!(acts.iter().filter(|act| act.starts_with(&leaves)).count(), 1, "{acts:?}");
    }
    assert!(story.reports().contains(&"barred 2".into()));
}

#[test]
fn the_same_wishes_again_change_nothing() {
    let mut story = mining(2);
    story.wishes(|_| {});
    story.sleep(3_600_000);
    assert_eq!((story.acts(), story.reports()), (vec![], vec![]));
}

#[test]
fn a_better_pool_that_comes_at_noon_proves_itself_before_it_gets_a_rig() {
    let mut story = mining(2);
    story.wishes(|config| {
        config.pools.iter_mut().for_each(|pool| pool.standing.rank += 1);
        add(config, 0);
    });
    assert_eq!(story.acts(), ["open 3 at C"]);
    // Nothing is there at the address that was written.
    story.end(3, Ending::Failed);
    story.sleep(600_000);
    assert_eq!(story.reports(), ["down C: connection"]);
    assert_eq!((story.acts(), story.channels_of(1..=2)), (vec![], vec![1, 1]));
    story.serve(3);
    story.sleep(299_000);
    assert_eq!(story.reports(), ["news C", "up C"]);
    story.sleep(1_000);
    assert_eq!(story.reports(), ["trial A"], "rank 0 is its own now");
    story.sleep(61_000);
    assert_eq!(story.reports(), ["switch A", "unused 2"]);
    assert_eq!(story.channels_of(1..=1), [3]);
}

#[test]
fn the_rigs_of_a_pool_that_is_removed_go_to_the_next_one_at_once() {
    let mut story = mining(2);
    story.wishes(|config| {
        config.pools[1].standing.rank = 0;
        remove(config, 0, None);
    });
    assert_eq!(story.reports(), ["Left(0)", "switch A"], "rank 0 is the other one's now");
    assert_eq!(story.acts(), ["seat 1 on 2"]);
    story.sleep(300);
    assert!(story.acts()[0].starts_with("leave 2: "));
    story.go(2);
    story.job(1);
    story.sleep(10_000);
    assert_eq!(story.acts(), ["close 1"], "as soon as nobody hashes for it");
    story.sleep(600_000);
    assert_eq!((story.acts(), story.reports()), (vec![], vec![]), "it is not kept warm");
}

#[test]
fn what_a_pool_that_has_left_still_says_is_of_no_matter() {
    let mut story = mining(2);
    story.wishes(|config| remove(config, 0, None));
    story.reports();
    story.farm.handle_verdicts(ChannelId(1), &vec![Ok(()); 100], story.now);
    story.end(1, Ending::GivenUp(Cause::Connection));
    story.serve(1);
    story.sleep(60_000);
    assert_eq!(story.reports(), ["news A"]);
    assert_eq!(story.channels_of(1..=1), [2]);
}

#[test]
fn without_another_that_serves_a_pool_is_used_for_half_a_minute_longer() {
    let mut story = mining(1);
    story.wishes(|config| {
        add(config, 0);
        remove(config, 0, None);
    });
    assert_eq!((story.acts(), story.reports()), (vec!["open 2 at B".into()], vec![]));
    story.sleep(20_000);
    assert_eq!(story.farm.gate(), Gate::Open);
    story.serve(2);
    assert_eq!(story.reports(), ["news B", "up B", "Left(0)", "switch A"]);
    assert_eq!(story.acts(), ["seat 1 on 2"]);

    let mut story = mining(1);
    story.wishes(|config| {
        add(config, 0);
        remove(config, 0, None);
    });
    story.sleep(29_999);
    assert_eq!((story.farm.gate(), story.reports()), (Gate::Open, vec![]));
    story.sleep(1);
    assert_eq!(story.reports(), ["Left(0)", "Outage", "urgent true"]);
}

#[test]
fn a_changed_password_costs_neither_an_outage_nor_a_while_at_the_standby() {
    let mut story = mining(2);
    story.wishes(|config| {
        let new = add(config, 0);
        remove(config, 0, Some(new));
    });
    assert_eq!((story.acts(), story.reports()), (vec!["open 3 at C".into()], vec![]));
    story.sleep(1_000);
    assert_eq!(story.channels_of(1..=2), [1, 1]);
    story.serve(3);
    assert_eq!(story.reports(), ["news C", "up C", "Left(0)"], "no switch");
    assert_eq!(story.acts(), ["seat 1 on 3"]);
    // The pool does not take the password.
    let mut story = mining(2);
    story.wishes(|config| {
        let new = add(config, 0);
        remove(config, 0, Some(new));
    });
    story.end(3, Ending::GivenUp(Cause::Account));
    story.sleep(30_000);
    assert_eq!(story.reports(), ["down C: account", "Left(0)", "switch B"]);
}

#[test]
fn a_second_edit_within_the_half_minute_finds_the_pool_in_the_first_ones_place() {
    let mut story = mining(1);
    for old in [0, 1] {
        story.wishes(|config| {
            let new = add(config, 0);
            (0..=old).for_each(|old| {
                config.pools[old].leaving = Some(Leaving { successor: Some(new) });
            });
        });
        story.sleep(20_000);
    }
    // The first one was kept for thirty seconds, and the second one was of no use.
    assert_eq!(story.reports(), ["Left(1)", "Left(0)", "Outage", "urgent true"]);
    story.serve(3);
    assert_eq!(story.reports(), ["news C", "up C", "switch A", "urgent false"]);
}

#[test]
fn rigs_stay_where_they_are_when_the_order_changes_and_follow_it_after_a_trial() {
    let mut story = mining(2);
    story.sleep(400_000);
    story.wishes(|config| {
        config.pools[0].standing.rank = 1;
        config.pools[1].standing.rank = 0;
    });
    assert_eq!(story.reports(), ["trial A"], "the standby has been healthy for long");
    story.sleep(30_000);
    // Back again: there is nothing left to try.
    story.wishes(|config| {
        config.pools[0].standing.rank = 0;
        config.pools[1].standing.rank = 1;
    });
    story.sleep(100_000);
    assert_eq!((story.reports(), story.channels_of(1..=1)), (vec![], vec![1]));
}

#[test]
fn another_weight_moves_as_many_rigs_as_it_takes() {
    let mut config = config(2);
    config.pools[1].standing.rank = 0;
    let mut story = Story::serving(config, 250);
    (1..=4).for_each(|rig| story.come(rig, true));
    assert_eq!(story.channels_of(1..=4), [1, 2, 1, 2]);
    story.acts();
    story.wishes(|config| config.pools[0].standing.weight = 3.0);
    assert_eq!(story.acts().len(), 1);
    let at_first = story.channels_of(1..=4).iter().filter(|channel| **channel == 1).count();
    assert_eq!(at_first, 3);
}

#[test]
fn a_shorter_time_to_prove_oneself_holds_for_pools_that_are_there() {
    let mut story = mining(2);
    story.end(1, Ending::GivenUp(Cause::Connection));
    story.serve(1);
    story.reports();
    story.wishes(|config| config.healthy_for = Duration::from_secs(10));
    story.sleep(10_000);
    assert_eq!(story.reports(), ["trial A"]);
}

#[test]
fn the_next_farm_of_a_route_knows_what_this_one_knew() {
    let mut story = mining(1);
    story.work[&RigId(1)].add(64.0);
    story.farm.handle_gone(RigId(1), Difficulty::new(64.0), Some(7), story.now);
    story.farm.handle_merit(RigId(2), orepass_stratum::firmware::Merit::Shares, story.now);
    let known = story.farm.export(story.now);
    let workers: BTreeMap<_, _> = known.workers.iter().cloned().collect();
    let of = |worker: &str| (workers[worker].slot, workers[worker].difficulty.map(Difficulty::get));
    assert_eq!(of("rig1"), (Some(7), Some(64.0)));
    assert!(known.firmware[0].1.shares);
    let mut next = Story::after(config(1), known);
    next.serve(1);
    next.come(1, true);
    assert!(next.acts().contains(&"welcome 1 at 64".into()));
}

#[test]
fn fewer_channels_close_as_rigs_leave_and_more_are_opened_at_once() {
    let mut story = Story::serving(config(1), 1);
    (1..=3).for_each(|rig| story.come(rig, true));
    (2..=3).for_each(|channel| story.serve(channel));
    assert_eq!(story.channels_of(1..=3), [1, 2, 3]);
    story.acts();
    story.wishes(|config| config.max_channels = 1);
    story.sleep(120_000);
    assert_eq!((story.acts(), story.channels_of(1..=3)), (vec![], vec![1, 2, 3]));
    story.wishes(|config| config.max_channels = 4);
    story.come(4, true);
    assert!(story.acts().contains(&"open 4 at A".into()));
}
