//! Works that come back, and ids that are used again.

use super::*;
use crate::space::{Permission, Wish};

impl Story {
    fn clean(&mut self, id: &str, work: &str) -> String {
        self.calls("mining.notify", &format!("[\"{id}\",\"p1\",\"{work}\",true]"))
    }
}

#[test]
fn a_work_that_comes_back_is_told_as_the_same_work() {
    let mut story = Story::mining();
    let first = story.work().unwrap();
    story.clean("j2", "w2");
    story.clean("j3", "w1");
    let again = story.work().unwrap();
    assert_eq!((again.work, again.job.work.as_str()), (first.work, "w1"));
    assert!(again.serial > first.serial && again.id != first.id, "rigs are told it anew");
    // Shares of either telling go out under the name that it has now.
    assert_eq!(job_of(&story.submit_for(1, &first, GOOD)), "j3");
    assert_eq!(job_of(&story.submit_for(2, &again, GOOD)), "j3");
}

#[test]
fn while_a_newer_work_is_open_rigs_stay_on_that() {
    let mut story = Story::mining();
    story.notify("j2", "p1", "w2");
    let newer = story.work().unwrap();
    story.notify("j3", "p1", "w1");
    assert!(Arc::ptr_eq(&newer, &story.work().unwrap()));
}

#[test]
fn a_block_that_goes_back_and_a_new_connection_bring_the_same_work() {
    let mut story = Story::mining();
    let first = story.work().unwrap();
    story.notify("j2", "p2", "w2");
    story.notify("j3", "p1", "w1");
    assert_eq!(story.work().unwrap().work, first.work);
    story.notify("j4", "p2", "w3");
    story.lose();
    story.log_in(GIVEN);
    story.notify("k1", "p1", "w1");
    let again = story.work().unwrap();
    assert_eq!((again.work, again.generation), (first.work, first.generation));
    assert_eq!(job_of(&story.submit_for(1, &first, GOOD)), "k1");
}

#[test]
fn an_extranonce1_that_comes_back_after_another_has_its_works_too() {
    let mut story = Story::mining();
    let space = |story: &Story| story.pool.view().ground.unwrap().space;
    let before = space(&story);
    let mut lease = before.lease(&Wish::default(), Some(story.work().unwrap().work)).unwrap();
    assert!(lease.tell(story.work().unwrap().work, 4));
    drop(lease);
    story.lose();
    story.log_in("[\"s2\",\"11223344\",4]");
    story.notify("k1", "p1", "w1");
    assert!(!space(&story).is_same(&before));
    story.lose();
    story.log_in(GIVEN);
    story.notify("l1", "p1", "w1");
    assert!(space(&story).is_same(&before));
    let again = Wish { slot: Some(0), ..Wish::default() };
    let lease = space(&story).lease(&again, Some(story.work().unwrap().work)).unwrap();
    assert_eq!(
        (lease.number(), lease.may_tell(story.work().unwrap().work)),
        (1, Permission::First)
    );
}

#[test]
fn an_id_that_is_used_again_stands_for_its_new_work_alone() {
    let mut story = Story::mining();
    let first = story.work().unwrap();
    story.notify("j2", "p1", "w1");
    story.notify("j2", "p1", "w2");
    assert_eq!(job_of(&story.submit_for(1, &first, GOOD)), "j1", "its other name");
    story.notify("j1", "p1", "w3");
    assert_eq!(story.submit_for(2, &first, GOOD), "", "it has no name any more");
    assert_eq!(job_of(&story.submit(3)), "j1");
    assert!(story.news().contains(&"2 stale".to_owned()));
}

#[test]
fn an_id_that_repeats_its_work_is_one_name() {
    let mut story = Story::mining();
    for _ in 0..100 {
        story.notify("j1", "p1", "w1");
    }
    assert_eq!(story.pool.jobs.names(), 1);
    assert_eq!(job_of(&story.submit(1)), "j1");
}
