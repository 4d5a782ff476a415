//! The pool's share target, announced ahead of a job or behind it.

use super::*;
use crate::dialect::Wanted;
use crate::target::{Difficulty, Target};

fn target(difficulty: u32) -> Target {
    crate::testing::scale().target(Difficulty::new(difficulty.into()).unwrap())
}

fn sure(difficulty: u32) -> Wanted {
    Wanted::sure(target(difficulty))
}

#[test]
fn a_difficulty_before_the_first_job_is_that_jobs() {
    let mut story = Story::new();
    story.log_in(GIVEN);
    story.told();
    story.difficulty(64);
    assert_eq!(story.told(), [""; 0]);
    story.notify("j1", "p1", "w1");
    assert_eq!(story.told(), ["difficulty 64", "view"]);
    let view = story.pool.view();
    assert_eq!((*view.wanted, view.work.unwrap().wanted), (sure(64), sure(64)));
}

#[test]
fn a_new_difficulty_is_in_force_from_the_next_notify_on_also_from_a_repeated_one() {
    let mut story = Story::mining();
    story.difficulty(64);
    assert_eq!(story.told(), [""; 0]);
    assert_eq!(*story.pool.view().wanted, sure(1), "it does not count yet");
    story.notify("j2", "p1", "w1");
    assert_eq!(story.told(), ["difficulty 64", "view"]);
    assert_eq!(*story.pool.view().wanted, sure(64));
    assert_eq!(story.work().unwrap().wanted, sure(1), "a repeat changes no work");
    story.notify("j3", "p1", "w2");
    assert_eq!(story.work().unwrap().wanted, sure(64));
    assert_eq!(story.told(), ["view"]);
}

#[test]
fn what_was_announced_since_the_newest_notify_withholds_no_share() {
    let mut story = Story::mining();
    let work = story.work().unwrap();
    story.difficulty(4);
    assert_eq!(job_of(&story.submit_for(1, &work, POOR)), "j1");
    story.answers("true");
    assert_eq!(story.news(), ["1 accepted"]);
    story.notify("j1", "p1", "w1");
    assert_eq!(story.submit_for(2, &work, POOR), "", "from here on it does");
    assert_eq!(story.news(), ["difficulty 4", "2 below_pool_target"]);
}

#[test]
fn a_pool_that_enforces_at_once_shows_it_by_a_refusal_that_is_nobodys_fault() {
    let mut story = Story::mining();
    let work = story.work().unwrap();
    story.submit_for(1, &work, POOR);
    story.refuses("[23,\"low difficulty share\"]");
    assert_eq!(story.news(), ["1 rejected_by_pool"], "nothing was announced since");

    story.difficulty(4);
    story.submit_for(2, &work, POOR);
    story.refuses("[20,\"some other reason\"]");
    assert_eq!(story.news(), ["2 rejected_by_pool"], "that tells nothing");
    story.submit_for(3, &work, POOR);
    story.pool.handle_line(
        format!(r#"{{"id":{},"result":null,"error":[23,"low difficulty share"]}}"#, story.asked)
            .as_bytes(),
        story.now,
    );
    let verdict = std::iter::from_fn(|| story.pool.poll_event()).find_map(|event| match event {
        UpstreamEvent::Verdict { outcome, weighs, .. } => Some((outcome, weighs)),
        _ => None,
    });
    let (outcome, weighs) = verdict.unwrap();
    assert_eq!((outcome.booked, outcome.told.is_ok()), (Verdict::BelowPoolTarget, true));
    assert!(outcome.reason().unwrap().contains("low difficulty share") && !weighs);
    assert_eq!(*story.pool.view().wanted, sure(4), "in force now");
    assert_eq!(story.submit_for(4, &work, POOR), "");
    story.told();
    story.difficulty(1);
    assert_eq!(story.told(), ["difficulty 1", "view"], "and from now on at once");
}

#[test]
fn what_another_connection_has_learnt_holds_for_the_next_share() {
    let mut story = Story::mining();
    let work = story.work().unwrap();
    story.difficulty(4);
    story.told();
    let elsewhere = story.pool.setup.habits.clone();
    elsewhere.learn(Habit::DifficultyFrom, Answer::Other).unwrap();
    assert_eq!(story.submit_for(1, &work, POOR), "");
    assert_eq!(story.news(), ["difficulty 4", "1 below_pool_target"]);
}

#[test]
fn shares_that_miss_the_new_target_while_they_wait_are_below_it() {
    let pace = Some(crate::dialect::Pace { bytes: 9_600, submits: 1 });
    let mut story = Story::mining_with(Coin { pace, ..Coin::default() });
    let work = story.work().unwrap();
    assert!(!story.submit_for(1, &work, POOR).is_empty());
    story.submit_for(2, &work, POOR);
    story.submit_for(3, &work, GOOD);
    story.difficulty(4);
    story.notify("j1", "p1", "w1");
    story.told();
    let heard = story.answers("true");
    assert_eq!(story.told(), ["1 accepted", "2 below_pool_target"]);
    assert!(heard.contains("2a000003"), "{heard}");
}

#[test]
fn the_targets_of_the_job_and_of_the_moment_both_count() {
    let mut story = Story::mining();
    story.difficulty(4);
    story.notify("j2", "p1", "w2");
    let work = story.work().unwrap();
    story.difficulty(1);
    story.notify("j3", "p1", "w3");
    story.told();
    assert_eq!(story.submit_for(1, &work, POOR), "");
    assert_eq!(story.told(), ["1 below_pool_target"]);
}

fn set_target<const LATE: bool>(story: &mut Story<LATE>, difficulty: u32) -> String {
    story.calls("mining.set_target", &format!("[\"{}\"]", target(difficulty)))
}

#[test]
fn a_target_behind_its_job_comes_out_with_it() {
    let mut story = Story::with(Coin::<true>::default());
    story.log_in(GIVEN);
    story.told();
    story.notify("j1", "p1", "w1");
    assert_eq!(story.told(), [""; 0]);
    assert_eq!(story.pool.poll_timeout(), Some(story.now + millis(1000)));
    set_target(&mut story, 64);
    assert_eq!(story.told(), ["difficulty 64", "view"]);
    assert_eq!(story.work().unwrap().wanted, sure(64));
    assert_eq!(story.pool.poll_timeout(), Some(story.now + seconds(60)), "nothing is waited for");

    // And each time after that; an absent one means the last.
    story.notify("j2", "p1", "w2");
    assert_eq!(story.told(), [""; 0]);
    set_target(&mut story, 32);
    assert_eq!(story.told(), ["difficulty 32", "view"]);
    assert_eq!(story.work().unwrap().wanted, sure(32));
    story.notify("j3", "p1", "w3");
    story.later(millis(49));
    assert_eq!(story.told(), [""; 0]);
    story.later(millis(1));
    assert_eq!(story.told(), ["view"]);
    assert_eq!(story.work().unwrap().wanted, sure(32));

    // Two jobs in a row: the first does not wait for the second.
    story.notify("j4", "p1", "w4");
    story.notify("j5", "p1", "w5");
    assert_eq!(story.told(), ["view"]);
    assert_eq!(story.work().unwrap().job.work, "w4");
    set_target(&mut story, 32);
    assert_eq!(story.told(), ["view"]);
    assert_eq!(story.work().unwrap().job.work, "w5");
}

#[test]
fn a_pool_that_never_announces_a_target_is_waited_for_once() {
    let mut story = Story::with(Coin::<true>::default());
    story.log_in(GIVEN);
    story.told();
    story.notify("j1", "p1", "w1");
    story.later(millis(999));
    assert_eq!(story.told(), [""; 0]);
    story.later(millis(1));
    assert_eq!(story.told(), ["view"]);
    story.notify("j2", "p2", "w2");
    assert_eq!(story.told(), ["view"]);
    assert_eq!(story.work().unwrap().job.work, "w2");
}

#[test]
fn a_new_connection_waits_for_its_first_target_again() {
    let mut story = Story::with(Coin::<true>::default());
    story.log_in(GIVEN);
    story.notify("j1", "p1", "w1");
    set_target(&mut story, 64);
    story.lose();
    story.connect();
    story.notify("k1", "p2", "w2");
    story.answers(GIVEN);
    story.answers("true");
    story.told();
    assert_eq!(story.work().unwrap().job.work, "w1");
    set_target(&mut story, 32);
    assert_eq!(story.told(), ["difficulty 32", "view"]);
    let work = story.work().unwrap();
    assert_eq!((&*work.job.work, work.wanted), ("w2", sure(32)));
}

#[test]
fn a_job_that_waits_for_its_target_closes_those_before_it_already() {
    let mut story = Story::with(Coin::<true>::default());
    story.log_in(GIVEN);
    story.notify("j1", "p1", "w1");
    set_target(&mut story, 64);
    story.notify("j2", "p1", "w2");
    assert_eq!(job_of(&story.submit(1)), "j1");
    story.notify("j3", "p2", "w3");
    story.told();
    assert_eq!(story.submit(2), "");
    assert_eq!(story.told(), ["2 stale"]);
}

#[test]
fn a_job_that_waits_for_its_target_does_not_outlive_its_connection() {
    let mut story = Story::with(Coin::<true>::default());
    story.log_in(GIVEN);
    story.notify("j1", "p1", "w1");
    story.lose();
    story.log_in(GIVEN);
    story.later(seconds(1));
    assert!(story.work().is_none());
}

#[test]
fn a_job_that_waits_for_its_target_survives_a_fallback_and_a_new_extranonce_replaces_it() {
    let mut story = Story::with(Coin::<true> { wide: true, ..Coin::default() });
    story.log_in(GIVEN);
    story.notify("j1", "p1", "w1");
    set_target(&mut story, 1);
    story.submit(1);
    story.notify("j2", "p2", "w2");
    story.refuses("[20,\"incorrect size of extranonce2\"]");
    assert_eq!(story.work().unwrap().job.work, "w1");
    story.later(millis(50));
    let work = story.work().unwrap();
    assert_eq!((&*work.job.work, work.generation), ("w2", Generation(2)));

    story.notify("j3", "p3", "w3");
    story.calls("mining.set_extranonce", "[\"11223344\"]");
    story.notify("j4", "p4", "w4");
    assert!(story.work().is_none(), "w3 was of the old extranonce");
    story.later(millis(50));
    let work = story.work().unwrap();
    assert_eq!((&*work.job.work, work.generation), ("w4", Generation(3)));
}

/// A pool whose difficulties may mean 256 times easier targets, at difficulty 256.
fn doubtful() -> Story {
    let mut story = Story::mining_with(Coin { asks_scale: true, ..Coin::default() });
    story.difficulty(256);
    story.notify("j2", "p1", "w2");
    story.told();
    story
}

/// A share between the two targets by which the pool is asked.
fn ask(story: &mut Story, ticket: u32) -> String {
    let work = story.work().unwrap();
    let probe = story.pool.setup.habits.ask(Habit::DifficultyScale, Answer::Other);
    story.hand_over(ticket, Submission { probe, ..share(ticket, &work, POOR) })
}

#[test]
fn one_share_between_two_targets_shows_which_of_them_rules() {
    for (answer, surely) in [("true", 1), ("false", 256)] {
        let mut story = doubtful();
        let work = story.work().unwrap();
        assert_eq!(story.submit_for(1, &work, POOR), "", "without a question it is not sent");
        assert_eq!(job_of(&ask(&mut story, 2)), "j2");
        story.told();
        if answer == "true" {
            story.answers("true");
        } else {
            story.refuses("[23,\"low difficulty share\"]");
        }
        let told = story.told();
        assert!(told.iter().any(|told| told.starts_with("Learnt")), "{told:?}");
        let verdict = if answer == "true" { "2 accepted" } else { "2 below_pool_target" };
        assert!(told.contains(&verdict.to_owned()), "{told:?}");
        let known = story.pool.setup.habits.known();
        assert_eq!(story.pool.view().wanted.surely(known), target(surely));
        assert_eq!(work.wanted.surely(known), target(surely), "also of the present job");
    }
}

#[test]
fn a_question_that_is_answered_beside_the_point_or_lost_may_be_asked_again() {
    let mut story = doubtful();
    ask(&mut story, 1);
    story.refuses("[21,\"stale\"]");
    assert_ne!(ask(&mut story, 2), "");
    story.lose();
    assert!(story.pool.setup.habits.ask(Habit::DifficultyScale, Answer::Other).is_some());
    assert_eq!(story.pool.setup.habits.known().get(Habit::DifficultyScale), None);
}

#[test]
fn a_probe_that_misses_what_was_announced_since_shows_nothing() {
    let mut story = doubtful();
    // The pool means the easier scale, and enforces at once: 512 on that scale.
    story.difficulty(256 * 512);
    story.told();
    assert_eq!(ask(&mut story, 1), "", "a refusal would show nothing");
    assert_eq!(story.news(), ["1 below_pool_target"]);
    // On its way it may be overtaken.
    story.difficulty(256);
    assert_eq!(job_of(&ask(&mut story, 2)), "j2");
    let asked = story.asked;
    story.difficulty(256 * 512);
    story.refuses_id(asked, "[23,\"low difficulty share\"]");
    let told = story.told();
    assert_eq!(story.pool.setup.habits.known().get(Habit::DifficultyScale), None, "{told:?}");
}

#[test]
fn a_probe_that_is_refused_in_unknown_words_is_not_repeated_without_bound() {
    let mut story = doubtful();
    let mut sent = 0;
    for ticket in 0..200 {
        let work = story.work().unwrap();
        let probe = story.pool.setup.habits.ask(Habit::DifficultyScale, Answer::Other);
        let heard = story.hand_over(ticket, Submission { probe, ..share(ticket, &work, POOR) });
        if !heard.is_empty() {
            sent += 1;
            story.refuses("[20,\"Share above target\"]");
        }
    }
    assert!(sent < 20, "{sent} bad shares of 200 reached the pool");
}

#[test]
fn a_pool_that_closes_at_a_probe_is_not_probed_for_ever() {
    let mut story = doubtful();
    let mut sent = 0;
    for round in 0..20 {
        let heard = ask(&mut story, round);
        sent += usize::from(heard.contains("mining.submit"));
        story.lose();
        story.later(seconds(60));
        story.log_in(GIVEN);
        story.difficulty(256);
        story.notify(&format!("k{round}"), "p1", "w2");
        story.told();
    }
    assert!(sent <= 3, "{sent} connections of 20 were lost to the same probe");
}

#[test]
fn an_unanswered_probe_counts_against_nobody() {
    let mut story = doubtful();
    ask(&mut story, 1);
    story.told();
    story.now += seconds(30);
    story.pool.handle_timeout(story.now);
    let weighs = std::iter::from_fn(|| story.pool.poll_event()).find_map(|event| match event {
        UpstreamEvent::Verdict { weighs, .. } => Some(weighs),
        _ => None,
    });
    assert_eq!(weighs, Some(false));
}

#[test]
fn three_unanswered_probes_do_not_end_the_connection() {
    let mut story = doubtful();
    for ticket in 0..3 {
        ask(&mut story, ticket);
        for _ in 0..3 {
            story.now += seconds(10);
            story.notify(&format!("n{ticket}"), "p1", "w2");
            story.pool.handle_timeout(story.now);
        }
    }
    let told = story.told();
    assert!(story.pool.is_live(), "{told:?}");
}
