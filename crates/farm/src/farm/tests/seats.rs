//! Rigs find seats, wait for them, and leave them.

use super::*;

#[test]
fn rigs_that_come_before_the_pool_are_seated_in_their_order_when_it_is_there() {
    let mut story = Story::new(250);
    assert_eq!(story.acts(), ["open 1 at A"]);
    (1..=5).for_each(|rig| story.come(rig, true));
    let waiting: Vec<_> = story.farm.waiting().map(|waiter| waiter.rig.0).collect();
    assert_eq!((story.acts(), waiting), (vec![], vec![1, 2, 3, 4, 5]), "they are told nothing");
    story.connect(1);
    assert_eq!(story.acts(), [] as [&str; 0], "a pool that has told no job may be of no use");
    story.job(1);
    let seats = (1..=5).map(|rig| format!("seat {rig} on 1")).collect::<Vec<_>>();
    assert_eq!(story.acts(), seats);
    assert_eq!(story.farm.waiting().count(), 0);
}

#[test]
fn a_full_route_says_so_and_takes_the_next_rig_when_one_has_left() {
    let mut config = config(1);
    config.max_channels = 1;
    let mut story = Story::serving(config, 2);
    (1..=3).for_each(|rig| story.come(rig, true));
    let full = "refuse 3: no room: 1 of 1 connections to A are full with 2 rigs each; raise \
                `max_channels` or `max_rigs_per_channel`";
    assert_eq!(story.acts(), ["seat 1 on 1", "seat 2 on 1", full]);
    story.go(1);
    story.come(4, true);
    assert_eq!(story.acts(), ["seat 4 on 1"]);
    let (_, seat) = &story.seats[&RigId(4)];
    assert_eq!(seat.lease.number(), 2, "a lease that nobody had yet");
}

#[test]
fn another_channel_is_opened_where_one_is_full_and_not_more_than_are_needed() {
    let mut story = Story::serving(config(1), 2);
    (1..=4).for_each(|rig| story.come(rig, true));
    let waits = ["seat 1 on 1", "seat 2 on 1", "open 2 at A"];
    assert_eq!(story.acts(), waits);
    story.come(5, true);
    assert_eq!(story.acts(), ["open 3 at A"], "three wait, and two find room on the second");
    story.serve(2);
    assert_eq!(story.acts(), ["seat 3 on 2", "seat 4 on 2"]);
    story.serve(3);
    assert_eq!(story.acts(), ["seat 5 on 3"]);
}

#[test]
fn no_more_than_eight_channels_are_being_opened_at_once() {
    let mut config = config(1);
    config.prefix_bytes = Some(0);
    let mut story = Story::with(config, 250);
    (1..=12).for_each(|rig| story.come(rig, true));
    assert_eq!(story.acts(), ["open 1 at A"], "while no pool serves nobody is waited for");
    story.serve(1);
    let opened = story.acts().iter().filter(|act| act.starts_with("open")).count();
    assert_eq!(opened, 8);
    (2..=9).for_each(|channel| story.serve(channel));
    let opened = story.acts().iter().filter(|act| act.starts_with("open")).count();
    assert_eq!((opened, story.channels.len()), (3, 12));
}

#[test]
fn a_rig_waits_five_seconds_for_a_lease_that_rests_before_a_channel_is_opened_for_it() {
    let mut story = Story::serving(config(1), 250);
    // All leases but the one that rig 1 has were used for the present job.
    let all = (0..256).filter(|_| story.lend_and_tell(1)).count();
    assert_eq!(all, 256);
    story.come(1, true);
    assert_eq!(story.acts(), ["wait 1 for a lease"]);
    story.sleep(4_999);
    assert_eq!(story.acts(), [] as [&str; 0]);
    story.sleep(1);
    assert_eq!(story.acts(), ["open 2 at A", "wait 1 for a pool"]);
    story.job(1);
    assert_eq!(story.acts(), ["seat 1 on 1"], "the next job was there before");
}

#[test]
fn a_lease_that_comes_free_goes_to_who_has_waited_longest() {
    let mut config = config(1);
    config.max_channels = 2;
    let mut story = Story::serving(config, 1);
    (1..=3).for_each(|rig| story.come(rig, true));
    assert_eq!(story.acts(), ["seat 1 on 1", "open 2 at A"]);
    story.go(1);
    assert_eq!(story.acts(), ["seat 2 on 1"]);
    story.come(4, true);
    story.serve(2);
    let full = "refuse 4: no room: 2 of 2 connections to A are full with 1 rigs each; raise \
                `max_channels` or `max_rigs_per_channel`";
    assert_eq!(story.acts(), ["seat 3 on 2", full]);
}

#[test]
fn with_another_extranonce1_rigs_that_can_are_told_and_the_others_come_back() {
    let mut story = Story::serving(config(1), 250);
    story.come(1, true);
    story.come(2, false);
    story.acts();
    story.end(1, Ending::Lost);
    story.sleep(1_000);
    assert_eq!(story.acts(), [] as [&str; 0], "it may be back with the same");
    story.serve(1);
    assert_eq!(story.acts(), ["seat 1 on 1"]);
    story.sleep(300);
    let leave = "leave 2: the rig is to have another extranonce and must subscribe again";
    assert_eq!(story.acts(), [leave]);
    story.go(2);
    story.come(3, false);
    assert_eq!(story.acts(), ["seat 3 on 1"]);
}

#[test]
fn with_the_same_extranonce1_again_rigs_stay() {
    let mut story = Story::serving(config(1), 250);
    (1..=2).for_each(|rig| story.come(rig, rig == 1));
    story.acts();
    for pause in [1_000, 10_000] {
        story.end(1, Ending::Lost);
        story.sleep(pause);
        story.resume(1);
        story.sleep(1_000);
    }
    assert_eq!(story.acts(), [] as [&str; 0]);
    assert_eq!(story.channels_of(1..=2), [1, 1]);
}

#[test]
fn a_rig_that_is_closed_in_turn_stays_if_its_channel_is_back_in_time() {
    let mut story = Story::serving(config(1), 1);
    story.come(1, false);
    story.come(2, false);
    story.serve(2);
    story.go(2);
    story.acts();
    story.end(1, Ending::Lost);
    story.sleep(3_000);
    assert!(story.farm.exits.poll_timeout().is_some(), "there is a seat on the other one");
    story.resume(1);
    story.sleep(1_000);
    assert_eq!(story.acts(), ["doubt 2"]);
    assert_eq!(story.channels_of(1..=1), [1]);
}

#[test]
fn a_rig_without_a_connection_looks_for_a_sibling_after_three_seconds() {
    let mut story = Story::serving(config(1), 1);
    (1..=2).for_each(|rig| story.come(rig, true));
    story.serve(2);
    assert_eq!(story.channels_of(1..=2), [1, 2]);
    story.go(2);
    story.acts();
    story.end(1, Ending::Lost);
    assert_eq!(story.acts(), ["doubt 2"]);
    story.sleep(2_999);
    assert_eq!(story.acts(), [] as [&str; 0]);
    story.sleep(1);
    assert_eq!(story.acts(), ["seat 1 on 2"]);
}

#[test]
fn five_hundred_rigs_a_second_are_closed() {
    let mut story = Story::serving(config(1), 250);
    (1..=250).for_each(|rig| story.come(rig, false));
    story.acts();
    story.end(1, Ending::Lost);
    story.serve(1);
    story.sleep(250);
    let soon = story.acts().len();
    assert!((1..250).contains(&soon), "{soon}");
    story.sleep(500);
    assert_eq!(soon + story.acts().len(), 250);
}

#[test]
fn a_rig_whose_share_finds_no_room_gets_another_channel_if_it_can_be_told_so() {
    let mut story = Story::serving(config(1), 250);
    (1..=2).for_each(|rig| story.come(rig, rig == 1));
    story.acts();
    story.farm.handle_overflow(RigId(2), story.now);
    story.run();
    assert_eq!(story.acts(), ["open 2 at A"]);
    story.farm.handle_overflow(RigId(1), story.now);
    story.run();
    assert_eq!(story.acts(), [] as [&str; 0], "one is being opened");
    story.serve(2);
    assert_eq!((story.acts(), story.channels_of(1..=2)), (vec!["seat 1 on 2".into()], vec![2, 1]));
}

#[test]
fn a_rig_on_an_overloaded_channel_makes_do_with_it_where_there_is_no_other() {
    let mut config = config(1);
    config.max_channels = 1;
    let mut story = Story::serving(config, 250);
    story.come(1, true);
    story.acts();
    story.farm.handle_overflow(RigId(1), story.now);
    story.run();
    story.sleep(30_000);
    assert_eq!((story.acts(), story.farm.waiting().count()), (vec![], 0));
}

#[test]
fn a_channel_without_rigs_is_closed_after_a_minute_but_the_last_one() {
    let mut story = Story::serving(config(1), 1);
    (1..=2).for_each(|rig| story.come(rig, true));
    story.serve(2);
    (1..=2).for_each(|rig| story.go(rig));
    story.acts();
    story.sleep(59_000);
    assert_eq!(story.acts(), [] as [&str; 0]);
    story.sleep(12_000);
    assert_eq!(story.acts(), ["close 1"]);
    assert!(story.reports().contains(&"unused 1".into()));
    story.sleep(600_000);
    assert_eq!(story.acts(), [] as [&str; 0], "it is kept warm");
    story.come(3, true);
    assert_eq!(story.acts(), ["seat 3 on 2"]);
}

#[test]
fn rigs_of_a_channel_that_is_gone_are_seated_elsewhere_or_closed() {
    let mut config = config(1);
    config.max_channels = 2;
    let mut story = Story::serving(config, 2);
    (1..=3).for_each(|rig| story.come(rig, true));
    story.serve(2);
    assert_eq!(story.channels_of(1..=3), [1, 1, 2]);
    story.acts();
    // Its task has panicked.
    story.channels.remove(&ChannelId(1));
    story.farm.handle_closed(ChannelId(1), story.now);
    story.run();
    assert_eq!(story.acts(), ["open 3 at A", "seat 1 on 2"]);
    story.serve(3);
    assert_eq!(story.acts(), ["seat 2 on 3"]);
}

#[test]
fn a_channel_that_serves_one_rig_gives_way_to_one_that_many_share() {
    let mut story = Story::serving(config(1), 250);
    story.come(1, true);
    story.connects(2);
    story.subscribes(2, Firmware { dedicated: true, ..Firmware::default() });
    assert_eq!(story.acts(), ["seat 1 on 1", "know 2: true None None", "open 2 at A alone"]);
    let (shared, alone) = (ChannelId(1), ChannelId(2));
    story.farm.handle_clash(alone, Some(shared), story.now);
    story.farm.handle_clash(shared, None, story.now);
    story.run();
    assert_eq!(story.acts(), [] as [&str; 0]);
    story.farm.handle_clash(shared, Some(alone), story.now);
    story.run();
    assert_eq!(story.acts(), ["give way 2"]);
}

#[test]
fn a_new_job_asks_nothing_of_ten_thousand_seated_rigs() {
    let mut story = Story::serving(config(1), 250);
    story.farm.config.max_channels = 40;
    for rig in 1..=10_000 {
        story.come(rig, true);
        let open: Vec<u64> =
            story.channels.iter().filter(|(_, c)| !c.live).map(|(id, _)| id.0).collect();
        open.into_iter().for_each(|channel| story.serve(channel));
    }
    assert_eq!((story.channels.len(), story.seats.len()), (40, 10_000));
    story.acts();
    story.changes.clear();
    (1..=40).for_each(|channel| story.job(channel));
    story.sleep(60_000);
    assert_eq!((story.acts(), story.changes.len()), (vec![], 0));
}

impl Story {
    /// A rig takes a lease of a channel, is told its job and goes. Whether there was one.
    fn lend_and_tell(&mut self, channel: u64) -> bool {
        let upstream = &self.channels[&ChannelId(channel)];
        let (ground, work) = (upstream.ground.as_ref().unwrap(), upstream.work);
        let seat = ground.seat(&Default::default(), upstream.generation, work);
        seat.is_ok_and(|mut seat| seat.lease.tell(work.unwrap(), 6))
    }
}
