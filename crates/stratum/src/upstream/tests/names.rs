//! Workers under names of their own.

use super::*;
use crate::channel::Account;
use crate::dialect::Pace;
use crate::secret::Secret;

impl Story {
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

    /// Names that the pool has been asked about and has welcomed.
    fn welcomes(&mut self, ticket: u32, name: &str) {
        let heard = self.submit_as(ticket, name);
        assert_eq!(calls(&heard), [submit(OWN), authorize(name)]);
        self.answers("true");
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
fn a_name_is_asked_for_with_its_first_share_and_used_once_it_is_welcome() {
    let mut story = Story::mining();
    let heard = story.submit_as(1, "acct.r1");
    assert_eq!(calls(&heard), [submit(OWN), authorize("acct.r1")]);
    assert!(heard.ends_with("\"params\":[\"acct.r1\",\"hunter2\"]}\n"), "{heard}");
    let authorize_id = story.asked;
    assert_eq!(calls(&story.submit_as(2, "acct.r1")), [submit(OWN)], "nothing waits");
    story.result(authorize_id, "true");
    assert_eq!(calls(&story.submit_as(3, "acct.r1")), [submit("acct.r1")]);
    assert_eq!(calls(&story.submit(4)), [submit(OWN)], "a share without a name");
    assert_eq!(calls(&story.submit_as(5, OWN)), [submit(OWN)], "it is authorized already");
    assert_eq!(story.news(), [""; 0]);
}

#[test]
fn a_worker_may_bring_its_own_password() {
    let mut story = Story::mining();
    let heard = story.submit_with(1, "acct.r1", Some("sesame"));
    assert!(heard.ends_with("\"params\":[\"acct.r1\",\"sesame\"]}\n"), "{heard}");
    let heard = story.submit_with(2, "acct.r2", Some(""));
    assert!(heard.ends_with("\"params\":[\"acct.r2\",\"\"]}\n"), "{heard}");
}

#[test]
fn a_name_that_is_refused_falls_back_to_the_own_user() {
    for answer in [
        "\"result\":false,\"error\":null",
        "\"result\":null,\"error\":null",
        "\"result\":true,\"error\":[20,\"no\"]",
    ] {
        let mut story = Story::mining();
        story.welcomes(1, "acct.r1");
        story.submit_as(2, "acct.r2");
        story.says(&format!("{{\"id\":{},{answer}}}", story.asked));
        assert_eq!(calls(&story.submit_as(3, "acct.r2")), [submit(OWN)], "and is not asked again");
        assert_eq!(calls(&story.submit_as(4, "acct.r1")), [submit("acct.r1")]);
        let news = story.news();
        assert!(news[0].contains("NameRefused { name: \"acct.r2\""), "{news:?}");
        assert_eq!(news.len(), 1);
    }
}

#[test]
fn a_pool_that_refuses_the_first_three_names_is_asked_about_no_more() {
    let mut story = Story::mining();
    for number in 1..=3 {
        let heard = story.submit_with(number, &format!("acct.r{number}"), Some("sesame"));
        assert_eq!(asked(&heard), 1);
        story.refuses("[24,\"one worker only, not sesame or hunter2\"]");
    }
    assert_eq!(calls(&story.submit_as(4, "acct.r4")), [submit(OWN)]);
    let news = story.news();
    let kinds = ["NameRefused", "NameRefused", "NamesRefused"];
    assert_eq!(news.len(), kinds.len());
    for (said, kind) in news.iter().zip(kinds) {
        assert!(said.starts_with(kind), "{said}");
        assert!(said.contains("one worker only, not *** or ***"), "{said}");
    }
    // Another connection is asked again, and what was said is not said again.
    story.lose();
    story.log_in(GIVEN);
    story.notify("k1", "p1", "w1");
    story.told();
    for number in 5..=8 {
        let heard = story.submit_as(number, &format!("acct.r{number}"));
        assert_eq!(asked(&heard), usize::from(number < 8));
        story.refuses("[24,\"one worker only\"]");
    }
    let news = story.news();
    let said: Vec<_> = news.iter().filter(|event| event.contains("Refused")).collect();
    assert_eq!(said.len(), 1, "the last of three single names: {said:?}");
}

#[test]
fn a_pool_that_took_a_name_is_asked_on_and_few_refusals_are_said() {
    let mut story = Story::mining();
    story.welcomes(1, "acct.r1");
    for number in 2..=9 {
        story.now += seconds(1);
        assert_eq!(asked(&story.submit_as(number, &format!("acct.r{number}"))), 1);
        story.answers("false");
    }
    assert_eq!(story.news().len(), 3);
}

#[test]
fn a_name_whose_share_is_answered_unauthorized_falls_back() {
    let mut story = Story::mining();
    story.welcomes(1, "acct.r1");
    story.submit_as(2, "acct.r1");
    let second = story.asked;
    story.submit_as(3, "acct.r1");
    story.refuses_id(second, "[24,\"unauthorized worker\"]");
    story.refuses("[24,\"unauthorized worker\"]");
    assert_eq!(calls(&story.submit_as(4, "acct.r1")), [submit(OWN)]);
    let news = story.news();
    assert_eq!(news.len(), 3, "two verdicts, and the name once: {news:?}");
    // The own user's refusal says nothing about a name.
    story.welcomes(5, "acct.r2");
    story.submit(6);
    story.refuses("[24,\"unauthorized worker\"]");
    assert_eq!(calls(&story.submit_as(7, "acct.r2")), [submit("acct.r2")]);
}

#[test]
fn five_names_a_second_are_asked_for_and_the_next_shares_ask_for_the_others() {
    let mut story = Story::mining();
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
    let mut story = Story::mining();
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
fn a_name_without_an_answer_falls_back_and_the_connection_stays() {
    let mut story = Story::mining();
    story.submit_as(1, "acct.r1");
    let (share, name) = (story.asked - 1, story.asked);
    story.result(share, "true");
    story.later(seconds(30));
    let news = story.news();
    assert_eq!(news.len(), 2, "{news:?}");
    assert!(news[1].contains("NameRefused") && news[1].contains("no answer within 30s"));
    story.result(name, "true");
    assert_eq!(calls(&story.submit_as(2, "acct.r1")), [submit(OWN)], "too late");
    assert!(story.pool.is_live());
}

#[test]
fn a_pool_that_answers_nothing_has_said_nothing_about_names() {
    let mut story = Story::mining();
    for number in 1..=2 {
        story.submit_as(number, &format!("acct.r{number}"));
    }
    story.later(seconds(30));
    assert_eq!(story.news(), ["1 unanswered", "2 unanswered"]);
}

#[test]
fn names_fill_the_windows_bytes_but_take_no_shares_slot() {
    let share = Story::mining().submit(1).len();
    let name = Story::mining().submit_as(1, "acct.r1").len() - share;
    for (bytes, shares) in [(3 * share + 2 * name, 3), (3 * share + 2 * name - 1, 2)] {
        let pace = Some(Pace { bytes, submits: 3 });
        let mut story = Story::mining_with(Coin { pace, ..Coin::default() });
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
    let own = Story::mining().submit(1).len();
    let pace = Some(Pace { bytes: 2 * own, submits: 3 });
    let mut story = Story::mining_with(Coin { pace, ..Coin::default() });
    let long = format!("acct.{}", "r".repeat(40));
    story.submit_as(1, &long);
    for id in [3, 4] {
        story.result(id, "true");
    }
    assert_eq!(calls(&story.submit_as(2, &long)), [submit(&long)]);
    assert_eq!(story.submit_as(3, &long), "", "two of them are too long");
}
