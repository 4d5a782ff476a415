//! Rigs that have shown no work yet, beside those that have.

use super::*;
use crate::farm::strangers::PROVES_WITHIN;

const BOTS: u64 = 10_000;
const HONEST: u64 = 300;
const CAPACITY: usize = 256;

impl Story {
    /// A rig of which nothing is known comes, subscribes and authorizes.
    fn stranger(&mut self, rig: u64) {
        let work = Arc::clone(self.work.entry(RigId(rig)).or_default());
        self.farm.handle_rig(RigId(rig), address(rig), work, self.now);
        self.farm.handle_stranger(RigId(rig), self.now);
        self.run();
        self.farm.handle_follows(RigId(rig), true, self.now);
        self.subscribes(rig, Firmware::default());
        self.authorizes(rig);
        self.close_dismissed();
    }

    fn proves(&mut self, rig: u64) {
        self.farm.handle_proven(RigId(rig), self.now);
        self.run();
    }

    /// Those that were told to go are gone.
    fn close_dismissed(&mut self) {
        while let Some(rig) = self.dismissed.pop() {
            self.go(rig.0);
        }
    }

    /// Channels that were opened are connected and told a job.
    fn serve_all(&mut self) {
        let dead = self.channels.iter().filter(|(_, channel)| !channel.live);
        for channel in dead.map(|(id, _)| id.0).collect::<Vec<_>>() {
            self.serve(channel);
        }
        self.close_dismissed();
    }

    fn seated(&self, rigs: std::ops::Range<u64>) -> usize {
        rigs.filter(|rig| self.seats.contains_key(&RigId(*rig))).count()
    }
}

/// Rigs that mine sit at two connections.
fn honest_at_work() -> Story {
    let mut story = Story::serving(config(1), CAPACITY);
    for rig in 1..=HONEST {
        story.stranger(rig);
        story.serve_all();
        story.proves(rig);
    }
    assert_eq!(story.seated(1..HONEST + 1), HONEST as usize);
    assert_eq!(story.channels.len(), 2);
    story
}

#[test]
fn ten_thousand_bots_that_never_mine_cost_one_connection_and_nobodys_seat() {
    let mut story = honest_at_work();
    for bot in 1000..1000 + BOTS {
        story.stranger(bot);
        story.serve_all();
    }
    assert_eq!(story.channels.len(), 3, "one more than the others need");
    assert_eq!(story.seated(1..HONEST + 1), HONEST as usize);
    assert_eq!(story.seated(1000..1000 + BOTS), 3 * CAPACITY - HONEST as usize);

    // All that mine lose their connections to us and come back from addresses that are known.
    (1..=HONEST).for_each(|rig| story.go(rig));
    for bot in 20_000..20_000 + BOTS {
        story.stranger(bot);
        story.serve_all();
    }
    for rig in 40_000..40_000 + HONEST {
        story.come(rig, true);
        story.close_dismissed();
    }
    story.job(1);
    story.serve_all();
    story.job(2);
    story.job(3);
    story.close_dismissed();
    assert_eq!(story.seated(40_000..40_000 + HONEST), HONEST as usize);
    assert!(story.channels.len() <= 3, "{}", story.channels.len());
}

#[test]
fn a_farm_of_strangers_grows_as_its_rigs_show_work() {
    let mut story = Story::serving(config(1), 2);
    (1..=5).for_each(|rig| story.stranger(rig));
    let full = "refuse 5: no room at A for another rig that has shown no good share yet: such rigs \
                get one connection beside those that others need";
    assert_eq!(story.acts(), ["seat 1 on 1", "seat 2 on 1", "open 2 at A"]);
    story.serve_all();
    assert_eq!(story.acts(), ["seat 3 on 2", "seat 4 on 2", full]);
    story.proves(1);
    story.stranger(6);
    assert_eq!(story.acts(), [full.replace('5', "6")], "the first connection is enough for one");
    story.proves(3);
    story.proves(4);
    story.stranger(7);
    story.serve_all();
    let opened = ["open 3 at A", "seat 7 on 3"];
    assert_eq!(story.acts(), opened, "three need two, and strangers have one more");
}

#[test]
fn who_has_shown_work_takes_the_seat_of_the_stranger_that_has_it_for_longest() {
    let mut config = config(1);
    config.max_channels = 1;
    let mut story = Story::serving(config, 2);
    story.stranger(1);
    story.stranger(2);
    story.acts();
    story.come(3, true);
    let goes = "leave 1: no good share yet: its place goes to others; the rig may come back";
    assert_eq!(story.acts(), [goes, "wait 3 for a lease"]);
    story.close_dismissed();
    story.job(1);
    story.sleep(10_000);
    assert_eq!(story.acts(), ["seat 3 on 1"]);
    // The one that has shown work keeps its own.
    story.proves(2);
    story.come(4, true);
    assert!(story.acts()[0].starts_with("refuse 4"));
}

#[test]
fn a_stranger_that_has_had_its_time_makes_way_for_another() {
    let mut config = config(1);
    config.max_channels = 1;
    let mut story = Story::serving(config, 2);
    story.stranger(1);
    story.stranger(2);
    story.acts();
    story.stranger(9);
    assert!(story.acts()[0].starts_with("refuse 9"));
    story.sleep(PROVES_WITHIN.as_millis() as u64);
    story.acts();
    story.stranger(3);
    let mut acts = story.acts();
    story.job(1);
    story.sleep(10_000);
    acts.extend(story.acts());
    assert!(acts[0].starts_with("leave 1"), "{acts:?}");
    assert_eq!(acts.last().unwrap(), "seat 3 on 1", "{acts:?}");
}

#[test]
fn strangers_that_need_a_connection_of_their_own_get_one_all_together() {
    let mut story = Story::serving(config(1), 2);
    let alone = Firmware { dedicated: true, ..Firmware::default() };
    for rig in 1..=3 {
        let work = Arc::clone(story.work.entry(RigId(rig)).or_default());
        story.farm.handle_rig(RigId(rig), address(rig), work, story.now);
        story.farm.handle_stranger(RigId(rig), story.now);
        story.subscribes(rig, alone);
        story.serve_all();
    }
    let acts = story.acts();
    let opened = acts.iter().filter(|act| act.starts_with("open")).count();
    assert_eq!(opened, 1, "the others make do with a shared one: {acts:?}");
    story.proves(1);
    story.connects(4);
    story.farm.handle_stranger(RigId(4), story.now);
    story.subscribes(4, alone);
    story.serve_all();
    let acts = story.acts();
    assert!(acts.contains(&"open 3 at A alone".to_owned()), "the first has shown work: {acts:?}");
}

#[test]
fn where_nobody_finds_a_place_the_oldest_stranger_goes_and_nobody_else() {
    let mut story = Story::serving(config(1), 10);
    story.come(1, true);
    story.stranger(2);
    story.stranger(3);
    story.connects(4);
    story.farm.handle_stranger(RigId(4), story.now);
    story.run();
    story.acts();
    for expected in ["leave 2", "leave 3", "leave 4"] {
        story.farm.handle_crowd(story.now);
        story.run();
        assert!(story.acts()[0].starts_with(expected), "{expected}");
        story.close_dismissed();
    }
    story.farm.handle_crowd(story.now);
    story.run();
    assert!(story.acts().is_empty());
}

#[test]
fn a_trusted_rig_is_never_refused_for_what_it_sent() {
    let mut story = Story::serving(config(1), 10);
    for trusted in [true, false] {
        story.connects(1);
        if trusted {
            story.farm.handle_trust(RigId(1), story.now);
        }
        story.subscribes(1, Firmware::default());
        story.authorizes(1);
        story.farm.handle_flood(RigId(1), story.now);
        story.go(1);
        story.acts();
        story.come(1, true);
        let acts = story.acts();
        assert_eq!(acts.iter().any(|act| act.starts_with("leave 1: too much rubbish")), !trusted);
        story.go(1);
    }
}
