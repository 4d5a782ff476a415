//! A block is sacred.

use super::*;
use crate::dialect::Pace;

impl Story {
    fn submit_block(&mut self, ticket: u32, frames: &Arc<JobFrames<Coin>>) -> String {
        let block = share(ticket, frames, [0, 0]);
        self.hand_over(ticket, Submission { is_block: true, ..block })
    }
}

type Coin = crate::testing::Coin<false>;

#[test]
fn a_block_of_a_replaced_job_goes_out_as_long_as_its_connection_lives() {
    let mut story = Story::mining();
    let work = story.work().unwrap();
    story.notify("j2", "p2", "w2");
    assert_eq!(story.submit_for(1, &work, GOOD), "", "another share does not");
    assert_eq!(job_of(&story.submit_block(2, &work)), "j1");
    story.lose();
    story.log_in(GIVEN);
    story.notify("k1", "p3", "w3");
    assert_eq!(story.submit_block(3, &work), "");
    assert!(story.news().contains(&"3 stale".to_owned()));
}

#[test]
fn a_block_passes_a_target_that_became_harder() {
    let mut story = Story::mining();
    let work = story.work().unwrap();
    story.difficulty(1 << 31);
    story.notify("j1", "p1", "w1");
    assert_eq!(story.submit_for(1, &work, GOOD), "");
    let block = Submission { is_block: true, ..share(2, &work, GOOD) };
    assert_eq!(job_of(&story.hand_over(2, block)), "j1", "whatever its hash is worth as a share");
}

#[test]
fn a_block_has_a_place_in_each_window() {
    let pace = Some(Pace { bytes: 9_600, submits: 3 });
    let mut story = Story::mining_with(Coin { pace, ..Coin::default() });
    let work = story.work().unwrap();
    for ticket in 0..1_000 {
        story.submit(ticket);
    }
    assert!(story.told().contains(&"999 overflow".to_owned()), "the queue is full");
    assert_eq!(job_of(&story.submit_block(1_000, &work)), "j1", "at once, in the last slot");
    story.submit_block(1_001, &work);
    assert_eq!(story.told(), [""; 0]);
    let heard = story.result(3, "true");
    assert!(heard.contains("2a0003e9"), "the next block goes before all shares: {heard}");

    let mut story = Story::mining();
    let work = story.work().unwrap();
    for ticket in 0..2_000 {
        story.submit(ticket);
    }
    assert_eq!(job_of(&story.submit_block(2_000, &work)), "j1");
}

#[test]
fn a_block_does_not_wait_for_a_name_that_was_not_asked_for_yet() {
    use crate::channel::Account;
    let mut story = Story::mining();
    let work = story.work().unwrap();
    story.submit(1);
    let named = |ticket| Submission {
        account: Some(Arc::new(Account { name: "acct.r1".into(), password: None })),
        ..share(ticket, &work, GOOD)
    };
    assert_eq!(story.hand_over(2, named(2)), "", "the first name waits for the first share");
    let block = Submission { is_block: true, ..named(3) };
    let heard = story.hand_over(3, block);
    assert!(heard.contains(OWN) && heard.contains("2a000003"), "{heard}");
}

#[test]
fn a_block_of_the_former_extranonce_goes_out() {
    let mut story = Story::mining();
    let work = story.work().unwrap();
    story.calls("mining.set_extranonce", "[\"11223344\"]");
    story.notify("j2", "p1", "w2");
    story.told();
    let heard = story.submit_block(1, &work);
    assert_eq!(job_of(&heard), "j1", "{:?}", story.told());
}

/// A session whose ground is divided anew, and the work before that.
fn divided_anew() -> (Story, Arc<JobFrames<Coin>>) {
    let mut story = Story::with(Coin { asks_split: true, ..Coin::default() });
    story.log_in(GIVEN);
    story.notify("j1", "p1", "w1");
    let work = story.work().unwrap();
    story.pool.setup.habits.learn(Habit::Split, Answer::Other);
    story.notify("j2", "p1", "w2");
    story.told();
    (story, work)
}

#[test]
fn a_block_found_under_the_former_division_goes_out() {
    let (mut story, work) = divided_anew();
    let heard = story.submit_block(1, &work);
    assert_eq!(job_of(&heard), "j1", "{:?}", story.told());
}

#[test]
fn a_share_found_under_the_former_division_goes_out() {
    let (mut story, work) = divided_anew();
    let heard = story.submit_for(1, &work, GOOD);
    assert_eq!(job_of(&heard), "j1", "{:?}", story.told());
}
