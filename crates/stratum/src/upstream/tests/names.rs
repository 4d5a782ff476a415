//! Workers under names of their own.

use super::*;
use crate::channel::Account;
use crate::dialect::Pace;
use crate::habits::{Habit, Habits};
use crate::secret::Secret;

impl Story {
    /// At a pool that is known to take names.
    fn named() -> Self {
        let story = Self::mining();
        story.pool.setup.habits.learn(Habit::Names, Answer::Usual);
        story
    }

    /// A share that the pool should see under this name.
    fn submit_as(&mut self, ticket: u32, name: &str) -> String {
        self.submit_with(ticket, name, None)
    }

    fn submit_with(&mut self, ticket: u32, name: &str, password: Option<&str>) -> String {
        let account = Account { name: name.into(), password: password.map(Secret::new) };
        let mut submission = share(ticket, &self.work().unwrap(), GOOD);
        submission.account = Some(Arc::new(account));
        self.hand_over(ticket, submission)
    }

    /// A name that the pool is asked about and welcomes.
    fn welcomes(&mut self, ticket: u32, name: &str) {
        let heard = self.submit_as(ticket, name);
        assert_eq!(calls(&heard), [submit(OWN), authorize(name)]);
        self.answers("true");
    }

    fn names(&self) -> Option<Answer> {
        self.pool.setup.habits.known().get(Habit::Names)
    }
}

fn submit(name: &str) -> (String, String) {
    ("mining.submit".into(), name.into())
}

fn authorize(name: &str) -> (String, String) {
    ("mining.authorize".into(), name.into())
}

/// The methods and first parameters, in order.
fn calls(heard: &str) -> Vec<(String, String)> {
    let call = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&line["method"]), text(&line["params"][0]))
    };
    heard.lines().map(call).collect()
}

fn asked(heard: &str) -> usize {
    heard.matches("mining.authorize").count()
}

#[test]
fn the_first_name_goes_out_with_no_share_in_flight_and_shares_wait_for_its_answer() {
    let mut story = Story::mining();
    assert_eq!(calls(&story.submit(1)), [submit(OWN)]);
    let first = story.asked;
    assert_eq!(story.submit_as(2, "acct.r1"), "", "one is in flight");
    let heard = story.result(first, "true");
    assert_eq!(calls(&heard), [authorize("acct.r1")]);
    let name = story.asked;
    assert_eq!(story.submit_as(3, "acct.r2"), "", "they wait");
    assert_eq!(story.submit(4), "");
    let heard = story.result(name, "true");
    let order = [submit("acct.r1"), submit(OWN), authorize("acct.r2"), submit(OWN)];
    assert_eq!(calls(&heard), order, "the pool takes names: the next is asked for as shares go on");
    assert_eq!(story.names(), Some(Answer::Usual));
    assert_eq!(story.news().iter().filter(|news| news.starts_with("Learnt")).count(), 1);
}

#[test]
fn a_first_name_that_is_refused_costs_no_share() {
    for answer in [
        "\"result\":false,\"error\":null",
        "\"result\":null,\"error\":null",
        "\"result\":true,\"error\":[20,\"no\"]",
        "\"result\":null,\"error\":{\"code\":\"24\",\"why\":\"who is that\"}",
    ] {
        let mut story = Story::mining();
        let heard = story.submit_as(1, "acct.r1");
        assert_eq!(calls(&heard), [authorize("acct.r1")]);
        let heard = story.says(&format!("{{\"id\":{},{answer}}}", story.asked));
        assert_eq!(calls(&heard), [authorize(OWN)], "the server may have taken the right from all");
        assert_eq!(story.submit_as(2, "acct.r2"), "");
        let heard = story.answers("true");
        assert_eq!(calls(&heard), [submit(OWN), submit(OWN)]);
        assert_eq!(story.names(), Some(Answer::Other), "{answer}");
        assert_eq!(calls(&story.submit_as(3, "acct.r3")), [submit(OWN)], "none is asked for again");
        assert_eq!(story.news().len(), 1, "said once");
    }
}

#[test]
fn one_refused_name_among_others_brings_the_account_back_before_the_next_share() {
    let mut story = Story::named();
    story.welcomes(1, "acct.r1");
    story.submit_as(2, "acct.r2");
    let heard = story.refuses("[24,\"not sesame or hunter2\"]");
    assert_eq!(calls(&heard), [authorize(OWN)]);
    assert_eq!(story.submit_as(3, "acct.r1"), "");
    assert_eq!(calls(&story.answers("true")), [submit(OWN)]);
    let news = story.news();
    assert!(news[0].starts_with("Learnt") && news[0].contains("not sesame or ***"), "{news:?}");
    // What was learnt is told to all connections to the pool, and outlives this one.
    story.lose();
    story.log_in(GIVEN);
    story.notify("k1", "p1", "w1");
    assert_eq!(calls(&story.submit_as(4, "acct.r4")), [submit(OWN)]);
}

#[test]
fn where_the_operator_insists_on_names_a_refused_one_is_asked_for_once() {
    let names = Habits::default().with(Habit::Names, Some(Answer::Usual));
    let mut story = Story::mining();
    story.configure(names);
    story.log_in(GIVEN);
    story.notify("j1", "p1", "w1");
    story.welcomes(1, "acct.r1");
    let asking = story.submit_as(2, "acct.r2");
    assert_eq!(calls(&asking), [submit(OWN), authorize("acct.r2")]);
    let heard = story.refuses("[24,\"unauthorized worker\"]");
    assert_eq!(calls(&heard), [authorize(OWN)], "the account comes back");
    assert_eq!(story.submit_as(3, "acct.r2"), "");
    let heard = story.answers("true");
    assert_eq!(calls(&heard), [submit(OWN)]);
    for ticket in 4..20 {
        assert_eq!(calls(&story.submit_as(ticket, "acct.r2")), [submit(OWN)]);
        assert_eq!(calls(&story.submit_as(20 + ticket, "acct.r1")), [submit("acct.r1")]);
    }
    assert_eq!(story.names(), Some(Answer::Usual));
}

#[test]
fn a_share_that_is_refused_for_a_name_brings_the_account_back() {
    for name in [OWN, "acct.r1"] {
        let mut story = Story::named();
        story.welcomes(1, "acct.r1");
        story.submit_as(2, name);
        let heard = story.refuses("[24,\"unauthorized worker\"]");
        assert_eq!(calls(&heard), [authorize(OWN)], "{name}");
        assert_eq!(story.names(), Some(Answer::Other));
        assert_eq!(calls(&story.answers("true")), []);
        assert_eq!(calls(&story.submit_as(3, "acct.r1")), [submit(OWN)]);
    }
}

#[test]
fn shares_that_were_on_their_way_blame_nobody() {
    let mut story = Story::named();
    story.welcomes(1, "acct.r1");
    let ids: Vec<u64> = (2..6)
        .map(|ticket| {
            story.submit_as(ticket, "acct.r1");
            story.asked
        })
        .collect();
    story.told();
    for id in ids {
        story.pool.handle_line(
            format!("{{\"id\":{id},\"result\":null,\"error\":[24,\"unauthorized\"]}}").as_bytes(),
            story.now,
        );
    }
    let weighs: Vec<bool> = std::iter::from_fn(|| story.pool.poll_event())
        .filter_map(|event| match event {
            UpstreamEvent::Verdict { weighs, .. } => Some(weighs),
            _ => None,
        })
        .collect();
    assert_eq!(weighs, [false; 4]);
    assert_eq!(calls(&story.hears()), [authorize(OWN)], "once for all of them");
}

#[test]
fn an_account_that_lost_its_right_without_any_name_is_authorized_again_now_and_then() {
    let mut story = Story::mining();
    story.submit(1);
    assert_eq!(calls(&story.refuses("[24,\"unauthorized worker\"]")), [authorize(OWN)]);
    story.answers("true");
    story.submit(2);
    assert_eq!(story.refuses("[24,\"unauthorized worker\"]"), "");
    story.now += seconds(60);
    story.submit(3);
    assert_eq!(calls(&story.refuses("[24,\"unauthorized worker\"]")), [authorize(OWN)]);
    story.refuses("[24,\"no such account\"]");
    let news = story.news();
    assert!(news.last().unwrap().contains("refused user \"acct.farm\""), "{news:?}");
    assert!(!story.pool.is_live());
}

#[test]
fn a_name_without_an_answer_holds_shares_for_two_seconds_and_no_other_is_asked_for() {
    let mut story = Story::mining();
    assert_eq!(calls(&story.submit_as(1, "acct.r1")), [authorize("acct.r1")]);
    let name = story.asked;
    story.later(millis(1_999));
    assert_eq!(story.hears(), "");
    story.later(millis(1));
    assert_eq!(calls(&story.hears()), [submit(OWN)]);
    story.answers("true");
    assert_eq!(calls(&story.submit_as(2, "acct.r2")), [submit(OWN)]);
    story.answers("true");
    story.later(seconds(28));
    assert_eq!(calls(&story.submit_as(3, "acct.r3")), [submit(OWN)], "it was never answered");
    assert_eq!(story.names(), None);
    story.result(name, "true");
    assert_eq!(calls(&story.submit_as(4, "acct.r1")), [submit(OWN)], "too late");
    assert!(story.pool.is_live());
}

#[test]
fn a_late_answer_counts_as_long_as_it_is_waited_for() {
    let mut story = Story::mining();
    story.submit_as(1, "acct.r1");
    let name = story.asked;
    story.later(seconds(3));
    assert_eq!(calls(&story.hears()), [submit(OWN)]);
    assert_eq!(calls(&story.result(name, "false")), [authorize(OWN)]);
    assert_eq!(story.names(), Some(Answer::Other));
}

#[test]
fn a_pool_that_never_has_all_shares_answered_is_asked_later() {
    let mut story = Story::mining();
    story.submit(1);
    assert_eq!(story.submit_as(2, "acct.r1"), "");
    story.later(seconds(2));
    assert_eq!(calls(&story.hears()), [submit(OWN)]);
    assert_eq!(calls(&story.submit_as(3, "acct.r1")), [submit(OWN)]);
    story.later(seconds(28));
    for id in [3, 4, 5] {
        story.result(id, "true");
    }
    story.later(seconds(32));
    assert_eq!(calls(&story.submit_as(4, "acct.r1")), [authorize("acct.r1")]);
}

#[test]
fn a_worker_may_bring_its_own_password() {
    let mut story = Story::named();
    let heard = story.submit_with(1, "acct.r1", Some("sesame"));
    assert!(heard.ends_with("\"params\":[\"acct.r1\",\"sesame\"]}\n"), "{heard}");
    let heard = story.submit_with(2, "acct.r2", Some(""));
    assert!(heard.ends_with("\"params\":[\"acct.r2\",\"\"]}\n"), "{heard}");
    story.refuses("[24,\"not sesame\"]");
    story.submit_with(3, "acct.r1", Some("sesame"));
    let heard = story.refuses_id(4, "[24,\"not sesame or hunter2\"]");
    assert!(!heard.contains("sesame"));
}

#[test]
fn the_account_itself_is_authorized_already() {
    let mut story = Story::mining();
    assert_eq!(calls(&story.submit_as(1, OWN)), [submit(OWN)]);
    assert_eq!(calls(&story.submit(2)), [submit(OWN)]);
}

#[test]
fn another_connection_that_learns_that_names_are_refused_is_heard() {
    let mut story = Story::named();
    story.welcomes(1, "acct.r1");
    story.pool.setup.habits.learn(Habit::Names, Answer::Other);
    story.calls("mining.extranonce", "[]");
    assert_eq!(calls(&story.submit_as(2, "acct.r1")), [authorize(OWN)]);
    assert_eq!(calls(&story.answers("true")), [submit(OWN)]);
}

#[test]
fn a_pool_that_is_being_asked_something_else_is_not_asked_for_names() {
    let mut story = Story::mining();
    let probe = story.pool.setup.habits.ask(Habit::Split, Answer::Other);
    assert_eq!(calls(&story.submit_as(1, "acct.r1")), [submit(OWN)], "nor does the share wait");
    drop(probe);
    story.answers("true");
    assert_eq!(calls(&story.submit_as(2, "acct.r1")), [authorize("acct.r1")]);
    story.lose();
    assert!(story.pool.setup.habits.ask(Habit::Split, Answer::Other).is_some(), "lost with it");
}

#[test]
fn five_names_a_second_are_asked_for_and_the_next_shares_ask_for_the_others() {
    let mut story = Story::named();
    let ask = |story: &mut Story, ticket: u32| {
        asked(&story.submit_as(ticket, &format!("acct.r{}", ticket % 100)))
    };
    let first: Vec<usize> = (0..8).map(|ticket| ask(&mut story, ticket)).collect();
    assert_eq!(first, [1, 1, 1, 1, 1, 0, 0, 0]);
    story.now += millis(999);
    assert_eq!(ask(&mut story, 105), 0);
    story.now += millis(1);
    let next: Vec<usize> = (200..212).map(|ticket| ask(&mut story, ticket)).collect();
    assert_eq!(next, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0]);
}

#[test]
fn a_thousand_names_are_asked_for_on_a_connection() {
    let mut story = Story::named();
    let mut total = 0;
    for number in 0..1_100 {
        story.now += millis(200);
        total += asked(&story.submit_as(number, &format!("acct.r{number}")));
        let first = story.asked - u64::from(total <= MAX_NAMES && number < 1_000);
        story.result(first, "true");
        story.answers("true");
    }
    assert_eq!(total, MAX_NAMES);
    assert_eq!(calls(&story.submit_as(2_000, "acct.r7")), [submit("acct.r7")]);
    assert_eq!(calls(&story.submit_as(2_001, "acct.r1050")), [submit(OWN)]);
}

#[test]
fn a_pool_that_answers_nothing_has_said_nothing_about_names() {
    let mut story = Story::named();
    for number in 1..=2 {
        story.submit_as(number, &format!("acct.r{number}"));
    }
    story.later(seconds(30));
    assert_eq!(story.news(), ["1 unanswered", "2 unanswered"]);
    assert_eq!(story.names(), Some(Answer::Usual));
}

#[test]
fn names_fill_the_windows_bytes_but_take_no_shares_slot() {
    let share = Story::named().submit(1).len();
    let name = Story::named().submit_as(1, "acct.r1").len() - share;
    for (bytes, shares) in [(3 * share + 2 * name, 3), (3 * share + 2 * name - 1, 2)] {
        // The fourth slot is a block's.
        let pace = Some(Pace { bytes, submits: 4 });
        let mut story = Story::mining_with(Coin { pace, ..Coin::default() });
        story.pool.setup.habits.learn(Habit::Names, Answer::Usual);
        let heard: String = (1..=4).map(|n| story.submit_as(n, &format!("acct.r{n}"))).collect();
        assert_eq!(heard.matches("mining.submit").count(), shares, "{bytes}");
        assert_eq!(asked(&heard), 2, "{bytes}");
        // An answered name makes room, though not for a fourth share.
        let id = heard.lines().find(|line| line.contains("authorize")).map(id_of).unwrap();
        let heard = story.result(id, "true");
        assert_eq!(heard.matches("mining.submit").count(), 3 - shares, "{bytes}");
    }
}

#[test]
fn the_line_of_a_longer_name_is_measured() {
    let own = Story::named().submit(1).len();
    let pace = Some(Pace { bytes: 2 * own, submits: 4 });
    let mut story = Story::mining_with(Coin { pace, ..Coin::default() });
    story.pool.setup.habits.learn(Habit::Names, Answer::Usual);
    let long = format!("acct.{}", "r".repeat(40));
    story.submit_as(1, &long);
    for id in [3, 4] {
        story.result(id, "true");
    }
    assert_eq!(calls(&story.submit_as(2, &long)), [submit(&long)]);
    assert_eq!(story.submit_as(3, &long), "", "two of them are too long");
}

#[test]
fn a_pool_that_closes_on_a_strange_name_is_not_asked_for_ever() {
    let mut story = Story::mining();
    let mut asked_times = 0;
    for round in 0..20 {
        let heard = story.submit_as(round, "acct.r1");
        if asked(&heard) > 0 {
            asked_times += 1;
        }
        // The pool closes at once, without an answer.
        story.lose();
        story.later(seconds(60));
        story.log_in(GIVEN);
        story.notify(&format!("k{round}"), "p1", "w1");
        story.told();
    }
    assert!(asked_times <= 3, "the farm lost {asked_times} connections of 20 to the same question");
}
