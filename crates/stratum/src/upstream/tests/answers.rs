//! What the pool says to shares, or does not.

use super::*;
use crate::error::RejectCode;

#[test]
fn refusals_of_every_shape() {
    let cases = [
        ("null", "[21,\"job not found\"]", RejectCode::JobNotFound, "stale"),
        ("null", "{\"code\":-1,\"message\":\"stale share\"}", RejectCode::JobNotFound, "stale"),
        ("null", "[22,\"duplicate share\",null]", RejectCode::Duplicate, "rejected_by_pool"),
        ("null", "[23,\"high-hash\",false]", RejectCode::LowDifficulty, "rejected_by_pool"),
        ("null", "[24,\"unauthorized user\",null]", RejectCode::Unauthorized, "rejected_by_pool"),
        ("null", "[20,\"incorrect size of ntime\"]", RejectCode::Other, "rejected_by_pool"),
        ("null", "\"invalid\"", RejectCode::Other, "rejected_by_pool"),
        ("null", "true", RejectCode::Other, "rejected_by_pool"),
        ("true", "[20,\"yes and no\"]", RejectCode::Other, "rejected_by_pool"),
        ("false", "null", RejectCode::Other, "rejected_by_pool"),
        ("false", "false", RejectCode::Other, "rejected_by_pool"),
        ("null", "null", RejectCode::Other, "rejected_by_pool"),
        ("1", "null", RejectCode::Other, "rejected_by_pool"),
    ];
    for (result, error, code, name) in cases {
        let mut story = Story::mining();
        story.submit(1);
        story.says(&format!("{{\"id\":3,\"result\":{result},\"error\":{error}}}"));
        let event = story.pool.poll_event();
        let Some(UpstreamEvent::Verdict { ticket: 1, outcome, .. }) = event else {
            panic!("{error}: {event:?}");
        };
        let reject = outcome.told.unwrap_err();
        assert_eq!((reject.code, reject.verdict.name()), (code, name), "{result} {error}");
        assert!(reject.reason.starts_with("pool: "), "{reject}");
        assert!(story.pool.poll_event().is_none());
    }
}

#[test]
fn an_error_of_false_is_none() {
    let mut story = Story::mining();
    story.submit(1);
    story.says("{\"id\":3,\"result\":true,\"error\":false}");
    assert_eq!(story.told(), ["1 accepted"]);
}

#[test]
fn answers_may_come_in_any_order_and_count_once() {
    let mut story = Story::mining();
    for ticket in 1..=3 {
        story.submit(ticket);
    }
    for id in [5, 3, 5, 4, 3, 4] {
        story.result(id, "true");
    }
    assert_eq!(story.told(), ["3 accepted", "1 accepted", "2 accepted"]);
}

#[test]
fn a_share_without_an_answer_is_given_up_after_thirty_seconds() {
    let mut story = Story::mining();
    story.submit(1);
    assert_eq!(story.pool.poll_timeout(), Some(story.now + VERDICT_WITHIN));
    story.later(millis(29_999));
    assert_eq!(story.told(), [""; 0]);
    story.later(millis(1));
    assert_eq!(story.told(), ["1 unanswered"]);
    let silence = story.now + seconds(30);
    assert_eq!((story.pool.in_flight(), story.pool.poll_timeout()), (0, Some(silence)));
    story.answers("true");
    story.answers("true");
    assert_eq!(story.told(), ["late verdict"]);
    assert!(story.pool.is_live());
}

#[test]
fn three_in_a_row_without_an_answer_mean_that_the_pool_is_gone() {
    let mut story = Story::mining();
    for ticket in [1, 2] {
        story.submit(ticket);
        story.later(seconds(30));
    }
    story.submit(3);
    story.answers("true");
    assert_eq!(story.told(), ["1 unanswered", "2 unanswered", "3 accepted"]);
    for ticket in 4..=9 {
        story.submit(ticket);
        story.later(seconds(4));
    }
    story.later(seconds(13));
    assert_eq!(story.told(), ["4 unanswered", "5 unanswered"]);
    story.later(seconds(4));
    assert_eq!(
        story.told(),
        [
            "6 unanswered",
            "down: 3 shares in a row got no answer within 30s",
            "7 lost_on_failover",
            "8 lost_on_failover",
            "9 lost_on_failover",
            "view"
        ]
    );
    assert!(!story.pool.view().live);
    story.pool.handle_disconnected(story.now);
    assert_eq!(story.news(), [""; 0], "everything has been said");
}

#[test]
fn many_that_are_overdue_at_once_bring_the_connection_down_once() {
    let mut story = Story::mining();
    for ticket in 0..100 {
        story.submit(ticket);
    }
    story.later(seconds(31));
    let told = story.news();
    assert_eq!(told.iter().filter(|event| event.ends_with(" unanswered")).count(), 100);
    assert_eq!(told.iter().filter(|event| event.starts_with("down")).count(), 1);
}

#[test]
fn a_share_for_no_connection_is_lost_at_once() {
    let mut story = Story::mining();
    story.lose();
    story.told();
    assert_eq!(story.submit(1), "");
    assert_eq!(story.told(), ["1 lost_on_failover"]);
}

#[test]
fn a_share_of_another_channels_job_is_not_written() {
    let mut story = Story::mining();
    let other = {
        let mut other = Story::new();
        let ids = Arc::clone(story.pool.jobs.ids());
        other.pool = Upstream::new(Arc::default(), other.pool.setup.config.clone(), ids);
        other.log_in(GIVEN);
        other.notify("j1", "p1", "w1");
        other.work().unwrap()
    };
    assert_eq!((other.serial, other.generation), (Serial(1), Generation(2)));
    assert_eq!(story.submit_for(1, &other, GOOD), "");
    assert_eq!(story.told(), ["1 stale"]);
}

#[test]
fn what_is_too_much_overflows() {
    let mut story = Story::mining();
    for ticket in 0..2_000 {
        story.submit(ticket);
    }
    let told = story.told();
    // 1,023 are written, 255 wait; one more place in each is a block's.
    assert_eq!(story.pool.in_flight(), 1_278);
    assert_eq!(told.len(), 2_000 - 1_278);
    assert_eq!(told[0], "1278 overflow");
    let heard = story.result(3, "true");
    assert!(heard.contains("\"2a0003ff\""), "the first that waits is next: {heard}");
    story.lose();
    assert_eq!(story.news().len(), 1 + 1_277);
    assert_eq!(story.pool.in_flight(), 0);
}

#[test]
fn a_wide_split_that_was_never_taken_becomes_a_narrow_one() {
    let mut story = Story::mining_with(Coin { wide: true, ..Coin::default() });
    assert_eq!(story.pool.view().ground.unwrap().split.rig_extranonce2, 4);
    story.notify("j2", "p1", "w1");
    let former = story.work().unwrap();
    story.submit(1);
    story.submit(2);
    story.told();
    let heard = story.refuses_id(3, "[20,\"incorrect size of extranonce2\"]");
    assert_eq!(heard, "");
    let told = story.told();
    assert!(told[0].starts_with("Learnt"), "{told:?}");
    assert_eq!(told[1..], ["ground aabbccdd for 250", "view", "1 rejected_by_pool"]);
    let view = story.pool.view();
    assert_eq!((view.generation, view.live), (Generation(2), true));
    assert_eq!(view.ground.unwrap().split.rig_extranonce2, 3);
    let work = view.work.unwrap();
    assert_eq!(work.job.work, "w1", "the work goes on");
    assert_ne!(work.id, former.id);
    assert!(work.serial > former.serial);

    // Shares of the wide form are not written any more, and nothing falls back twice.
    assert_eq!(story.submit_for(3, &former, GOOD), "");
    story.refuses_id(4, "[20,\"incorrect size of extranonce2\"]");
    assert_eq!(story.told(), ["3 stale", "2 rejected_by_pool"]);
    assert_eq!(job_of(&story.submit(4)), "j2", "under the newest of its names");
    story.lose();
    story.log_in(GIVEN);
    assert_eq!(story.pool.view().generation, Generation(2), "it stays narrow");
}

#[test]
fn a_wide_split_that_was_taken_stays() {
    let mut story = Story::mining_with(Coin { wide: true, ..Coin::default() });
    story.submit(1);
    story.answers("true");
    story.submit(2);
    story.refuses("[20,\"incorrect size of extranonce2\"]");
    assert_eq!(story.told(), ["1 accepted", "2 rejected_by_pool"]);
    assert_eq!(story.pool.view().generation, Generation(1));

    let mut story = Story::mining_with(Coin { wide: true, ..Coin::default() });
    story.submit(1);
    story.refuses("[23,\"high-hash\",false]");
    assert_eq!(story.pool.view().generation, Generation(1), "only the form matters");
}
