//! New work, repeats, and which jobs are open.

use super::*;

#[test]
fn a_repeat_is_no_new_work_and_gives_shares_its_id() {
    let mut story = Story::mining();
    let before = story.shown();
    story.notify("j2", "p1", "w1");
    assert_eq!(story.told(), ["view"]);
    assert_eq!(story.shown(), before);
    assert_eq!(job_of(&story.submit(1)), "j2");
    story.notify("late3", "p1", "w1");
    assert_eq!(job_of(&story.submit(2)), "j2", "the newest does not take it");
    assert_eq!(job_of(&story.submit(0xff)), "late3");
}

#[test]
fn the_first_name_of_a_work_stays_however_many_follow() {
    let mut story = Story::mining();
    for at in 0..1_000 {
        story.notify(&format!("late{at}"), "p1", "w1");
        story.told();
    }
    assert_eq!(job_of(&story.submit(1)), "j1");
    assert_eq!(job_of(&story.submit(0xff)), "late999");
    assert!(story.pool.jobs.names() <= 8);
}

#[test]
fn new_work_of_the_same_block_keeps_the_last_four_open() {
    let mut story = Story::mining();
    let first = story.work().unwrap();
    for (id, work) in [("j2", "w2"), ("j3", "w3"), ("j4", "w4")] {
        story.notify(id, "p1", work);
    }
    assert_eq!(story.shown(), (Serial(4), "6b000003".into(), 0));
    assert_eq!(job_of(&story.submit_for(1, &first, GOOD)), "j1");
    story.notify("j5", "p1", "w5");
    story.told();
    assert_eq!(story.submit_for(2, &first, GOOD), "");
    assert_eq!(story.told(), ["2 stale"]);
}

#[test]
fn a_new_block_or_a_clean_job_closes_all_before_it() {
    for params in ["[\"j2\",\"p2\",\"w2\",false]", "[\"j2\",\"p1\",\"w2\",true]"] {
        let mut story = Story::mining();
        let first = story.work().unwrap();
        story.calls("mining.notify", params);
        assert_eq!(story.shown(), (Serial(2), "6b000001".into(), 1));
        story.told();
        assert_eq!(story.submit_for(1, &first, GOOD), "");
        assert_eq!(story.told(), ["1 stale"]);
        assert_eq!(job_of(&story.submit(2)), "j2");
    }
}

#[test]
fn where_the_pool_looks_at_ids_alone_a_replaced_job_lingers() {
    let coin = Coin { linger: Some(seconds(10)), ..Coin::default() };
    let mut story = Story::mining_with(coin);
    let first = story.work().unwrap();
    story.later(seconds(50));
    assert_eq!(job_of(&story.submit(1)), "j1");
    story.answers("true");
    story.notify("j2", "p2", "w2");
    story.later(seconds(10));
    assert_eq!(job_of(&story.submit_for(2, &first, GOOD)), "j1");
    story.answers("true");
    story.told();
    story.later(millis(1));
    assert_eq!(story.submit_for(3, &first, GOOD), "");
    assert_eq!(story.told(), ["3 stale"]);
}

#[test]
fn a_lingering_job_is_closed_by_a_lost_connection_all_the_same() {
    let coin = Coin { linger: Some(seconds(10)), ..Coin::default() };
    let mut story = Story::mining_with(coin);
    let first = story.work().unwrap();
    story.lose();
    story.log_in(GIVEN);
    story.told();
    story.submit_for(1, &first, GOOD);
    story.notify("j2", "p2", "w2");
    story.submit_for(2, &first, GOOD);
    assert_eq!(story.news(), ["1 stale", "2 stale"]);
}

#[test]
fn a_former_work_that_is_told_again_is_not_given_out_twice() {
    let mut story = Story::mining();
    let first = story.work().unwrap();
    story.notify("j2", "p1", "w2");
    let second = story.shown();
    story.notify("j3", "p1", "w1");
    assert_eq!(story.shown(), second, "rigs stay on the other");
    assert_eq!(job_of(&story.submit_for(1, &first, GOOD)), "j3");
    assert_eq!(job_of(&story.submit(2)), "j2");
}

#[test]
fn a_notify_without_sense_is_skipped_and_the_last_good_job_kept() {
    let mut story = Story::mining();
    let before = story.shown();
    for _ in 0..20 {
        story.calls("mining.notify", "[\"j2\",\"p2\"]");
        let told = story.told();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("Unusable { method: \"mining.notify\", error: Arity"));
    }
    story.says("{\"id\":null,\"method\":\"mining.set_difficulty\"}");
    assert!(story.told()[0].starts_with("Unusable { method: \"mining.set_difficulty\""));
    assert_eq!(story.shown(), before);
    assert_eq!(job_of(&story.submit(1)), "j1");
}

#[test]
fn what_goes_stale_while_it_waits_is_not_written() {
    let pace = Some(crate::dialect::Pace { bytes: 9_600, submits: 1 });
    let mut story = Story::mining_with(Coin { pace, ..Coin::default() });
    story.submit(1);
    assert_eq!(story.submit(2), "");
    story.notify("j2", "p2", "w2");
    assert_eq!(story.submit(3), "");
    story.told();
    let heard = story.answers("true");
    assert_eq!(story.told(), ["1 accepted", "2 stale"]);
    assert_eq!(job_of(&heard), "j2");
}

#[test]
fn a_new_extranonce_applies_with_the_next_job() {
    let mut story = Story::mining();
    let first = story.work().unwrap();
    story.calls("mining.set_extranonce", "[\"11223344\"]");
    assert_eq!(story.told(), [""; 0]);
    assert_eq!(job_of(&story.submit(1)), "j1", "the old one still counts");
    story.notify("j2", "p1", "w1");
    assert_eq!(story.told(), ["ground 11223344 for 250", "view", "view"]);
    let view = story.pool.view();
    assert_eq!((view.generation, view.live), (Generation(2), true));
    assert_eq!(view.work.unwrap().id.to_string(), "6b000001", "same roots, other work");
    story.submit_for(2, &first, GOOD);
    story.result(3, "true");
    assert_eq!(story.told(), ["2 stale", "1 accepted"], "what was written keeps its answer");
    assert_eq!(story.pool.subscribed().unwrap().extranonce1.to_string(), "11223344");

    story.calls("mining.set_extranonce", "[\"11223344\"]");
    story.notify("j3", "p1", "w1");
    assert_eq!(story.told(), ["view"], "no change, no new generation");
}

#[test]
fn an_extranonce_without_room_ends_the_connection_before_its_job() {
    let mut story = Story::new();
    story.pool.setup.config.prefix_bytes = Some(3);
    story.log_in(GIVEN);
    story.notify("j1", "p1", "w1");
    story.told();
    story.pool.setup.config.prefix_bytes = Some(4);
    story.calls("mining.set_extranonce", "[\"1122334455\"]");
    story.notify("j2", "p2", "w2");
    let told = story.told();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("down: the pool leaves no room"), "{told:?}");
    assert_eq!(story.work().unwrap().job.work, "w1");
}

#[test]
fn a_job_that_cannot_be_checked_is_asked_about() {
    let mut story = Story::new();
    story.log_in(GIVEN);
    let heard = story.notify("j1", "p1", "ask1");
    assert_eq!(heard, "{\"id\":3,\"method\":\"test.ask\",\"params\":[\"j1\"]}\n");
    assert_eq!(story.notify("j2", "p1", "ask1"), "", "once is enough");
    story.told();
    story.answers("5");
    assert!(story.told()[0].starts_with("UnusableAnswer"));
    story.answers("\"again\"");
    assert_eq!(story.told(), [""; 0]);
    assert!(story.notify("j3", "p1", "ask2").contains("test.ask"));
    story.later(seconds(30));
    assert_eq!(story.told(), ["view"], "no answer to it does no harm");

    story.lose();
    story.log_in(GIVEN);
    let heard = story.notify("k1", "p1", "ask2");
    assert!(heard.contains("\"test.ask\",\"params\":[\"k1\"]"), "by the name it has now: {heard}");
}
