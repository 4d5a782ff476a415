//! Which verdicts count for or against the pool.

use super::*;
use crate::channel::Account;

const STALE: &str = "[21,\"stale\"]";

/// The verdicts that came since, by their tickets: whether they weigh.
fn weights(story: &mut Story) -> Vec<(u32, bool)> {
    let events = std::iter::from_fn(|| story.pool.poll_event());
    let weight = |event| match event {
        UpstreamEvent::Verdict { ticket, weighs, .. } => Some((ticket, weighs)),
        _ => None,
    };
    events.filter_map(weight).collect()
}

#[test]
fn a_stale_verdict_weighs_for_the_newest_work_alone_and_two_seconds_after_it_was_told() {
    let mut story = Story::mining();
    story.later(millis(1_999));
    story.submit(1);
    story.refuses(STALE);
    assert_eq!(weights(&mut story), [(1, false)], "it may have been on its way already");
    story.later(millis(1));
    story.submit(2);
    story.later(seconds(5));
    story.refuses(STALE);
    assert_eq!(weights(&mut story), [(2, true)]);

    story.submit(3);
    let share = story.asked;
    story.notify("j2", "p1", "w2");
    story.refuses_id(share, STALE);
    assert_eq!(weights(&mut story), [(3, false)], "the pool was on the way to the next work");
}

#[test]
fn a_work_that_was_told_again_has_been_the_newest_all_the_time() {
    let mut story = Story::mining();
    story.later(seconds(2));
    story.notify("j2", "p1", "w1");
    story.submit(1);
    story.refuses(STALE);
    assert_eq!(weights(&mut story), [(1, true)]);
}

#[test]
fn every_other_verdict_of_the_pool_weighs_and_also_none() {
    let mut story = Story::mining();
    story.submit(1);
    story.answers("true");
    story.submit(2);
    story.refuses("[23,\"low difficulty\"]");
    assert_eq!(weights(&mut story), [(1, true), (2, true)]);
    story.submit(3);
    story.later(VERDICT_WITHIN);
    assert_eq!(weights(&mut story), [(3, true)]);
    story.submit(4);
    story.lose();
    assert_eq!(weights(&mut story), [(4, true)]);
}

#[test]
fn what_the_pool_never_saw_does_not_weigh() {
    let mut story = Story::mining();
    let work = story.work().unwrap();
    story.notify("j2", "p2", "w2");
    story.submit_for(1, &work, GOOD);
    story.difficulty(256);
    story.notify("j3", "p2", "w3");
    let work = story.work().unwrap();
    story.submit_for(2, &work, POOR);
    story.lose();
    story.submit_for(3, &work, GOOD);
    assert_eq!(weights(&mut story), [(1, false), (2, false), (3, false)]);
}

#[test]
fn shares_that_probed_a_split_do_not_weigh() {
    let mut story = Story::mining_with(Coin { wide: true, ..Coin::default() });
    story.submit(1);
    let first = story.asked;
    story.submit(2);
    let second = story.asked;
    for share in [first, second] {
        story.refuses_id(share, "[20,\"incorrect size of extranonce2\"]");
    }
    assert_eq!(weights(&mut story), [(1, false), (2, false)]);
}

#[test]
fn a_worker_that_the_pool_knows_no_more_does_not_weigh() {
    let mut story = Story::mining();
    let named = |story: &Story, ticket| Submission {
        account: Some(Arc::new(Account { name: "acct.r1".into(), password: None })),
        ..share(ticket, &story.work().unwrap(), GOOD)
    };
    let first = named(&story, 1);
    story.hand_over(1, first);
    story.answers("true");
    story.answers("true");
    let second = named(&story, 2);
    story.hand_over(2, second);
    story.refuses("[24,\"unauthorized worker\"]");
    assert_eq!(weights(&mut story), [(1, true), (2, false)]);
}

#[test]
fn a_block_that_is_worth_nothing_as_a_share_does_not_weigh() {
    let mut story = Story::mining();
    let work = story.work().unwrap();
    for (ticket, error) in [(1, "[22,\"duplicate share\"]"), (2, "[23,\"low difficulty\"]")] {
        let block = Submission { is_block: true, ..share(ticket, &work, [0, 0]) };
        story.hand_over(ticket, block);
        story.refuses(error);
    }
    assert_eq!(weights(&mut story), [(1, false), (2, false)]);
}

#[test]
fn a_share_that_was_never_written_does_not_weigh() {
    let pace = Some(crate::dialect::Pace { bytes: 9_600, submits: 1 });
    let mut story = Story::mining_with(Coin { pace, ..Coin::default() });
    story.submit(1);
    story.submit(2);
    story.lose();
    assert_eq!(weights(&mut story), [(1, true), (2, false)]);
}

#[test]
fn a_probe_of_the_split_is_not_sent_again_as_an_ordinary_share() {
    let mut story = Story::with(Coin::<false> { asks_split: true, ..Coin::default() });
    story.resubmit(true);
    story.log_in(GIVEN);
    story.notify("j1", "p1", "w1");
    let probe = story.pool.setup.habits.ask(Habit::Split, Answer::Other);
    assert!(probe.is_some());
    let mut odd = share(1, &story.work().unwrap(), GOOD);
    odd.share.extranonce2 = "00000001".parse().unwrap();
    odd.probe = probe;
    story.hand_over(1, odd);
    story.lose();
    story.log_in(GIVEN);
    let heard = story.notify("k1", "p1", "w1");
    if heard.contains("mining.submit") {
        story.told();
        story.refuses("[20,\"incorrect size of extranonce2\"]");
        let events: Vec<_> = std::iter::from_fn(|| story.pool.poll_event()).collect();
        panic!(
            "sent again: {heard} -> {events:?}, known {:?}",
            story.pool.setup.habits.known().get(Habit::Split)
        );
    }
}
