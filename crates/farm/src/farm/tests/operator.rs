//! The operator kicks, bans and forgets.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_rig_that_is_kicked_may_come_back_and_one_that_is_banned_may_not() {
    let mut story = Story::serving(config(1), 250);
    story.come(1, true);
    story.come(2, true);
    story.acts();
    assert!(story.farm.handle_kick(RigId(1), story.now));
    story.run();
    assert_eq!(story.dismissed, [RigId(1)]);
    assert!(!story.farm.handle_kick(RigId(1), story.now), "it goes already");
    story.go(1);
    story.come(1, true);
    assert_eq!(story.seats.len(), 2);

    let worker: Arc<str> = "rig1".into();
    assert_eq!(story.farm.handle_ban(&worker, MINUTE, story.now), 1);
    story.run();
    story.go(1);
    story.dismissed.clear();
    story.come(1, true);
    assert_eq!(story.dismissed, [RigId(1)], "also where its address is trusted");
    story.go(1);
    assert!(story.farm.handle_pardon("rig1", story.now));
    assert!(!story.farm.handle_pardon("rig1", story.now));
    story.dismissed.clear();
    story.come(1, true);
    assert_eq!((story.seats.len(), story.dismissed.len()), (2, 0));
}

#[test]
fn a_ban_is_about_every_worker_of_a_connection() {
    let mut story = Story::serving(config(1), 250);
    story.come(1, true);
    story.come(2, true);
    let (second, now): (Arc<str>, _) = ("second".into(), story.now);
    let name = |story: &mut Story, rig| {
        let (id, now) = (RigId(rig), story.now);
        story.farm.handle_worker(id, &"second".into(), Firmware::default(), now);
        story.run();
    };
    name(&mut story, 1);
    assert_eq!(story.farm.handle_ban(&second, MINUTE, now), 1);
    story.run();
    assert_eq!(story.dismissed, [RigId(1)]);
    name(&mut story, 2);
    assert_eq!(story.dismissed, [RigId(1), RigId(2)]);
    story.go(1);
    story.come(1, true);
    assert_eq!(story.dismissed.len(), 2, "under its first name it may come back");
}

#[test]
fn what_is_known_of_a_worker_is_forgotten_and_that_is_remembered() {
    let mut story = Story::serving(config(1), 250);
    story.come(1, true);
    story.work[&RigId(1)].add(64.0);
    story.go(1);
    story.changes.clear();
    assert!(story.farm.handle_forget("rig1", story.now));
    story.run();
    assert_eq!(story.changes, [Change::Worker("rig1".into(), None)]);
    assert!(!story.farm.handle_forget("rig1", story.now));
}

#[test]
fn a_difficulty_is_passed_on_to_a_rig_that_is_there() {
    let mut story = Story::serving(config(1), 250);
    story.come(1, true);
    story.acts();
    assert!(story.farm.handle_difficulty(RigId(1), Difficulty::new(4.0), story.now));
    assert!(!story.farm.handle_difficulty(RigId(2), None, story.now));
    story.run();
    assert_eq!(story.acts(), ["difficulty 1: Some(4.0)"]);
}
