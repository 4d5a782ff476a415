//! From the connection to the first job.

use super::*;

#[test]
fn the_usual_way() {
    let mut story = Story::new();
    assert!(!story.pool.view().live);
    assert_eq!(
        story.connect(),
        "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"orepass/1\"]}\n"
    );
    assert_eq!(
        story.answers(GIVEN),
        "{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"acct.farm\",\"hunter2\"]}\n"
    );
    assert_eq!(story.told(), ["ground aabbccdd for 250", "view"]);
    assert_eq!(story.pool.view().generation, Generation(1));
    assert!(!story.pool.is_live());
    story.answers("true");
    assert_eq!(story.told(), ["Live", "view"]);
    assert!(story.pool.view().live && story.work().is_none());

    story.notify("j1", "p1", "w1");
    assert_eq!(story.told(), ["view"]);
    assert_eq!(story.shown(), (Serial(1), "6b000000".into(), 0));
    assert_eq!(
        story.submit(7),
        "{\"id\":3,\"method\":\"mining.submit\",\"params\":[\"acct.farm\",\"j1\",\"2a000007\",\
         \"0080000000000000000000000000000000000000000000000000000000000000\"]}\n"
    );
    assert_eq!(story.pool.in_flight(), 1);
    story.now += millis(120);
    story.answers("true");
    let event = story.pool.poll_event();
    let Some(UpstreamEvent::Verdict { ticket: 7, outcome, after, .. }) = event else {
        panic!("{event:?}");
    };
    assert_eq!((outcome, after), (ShareOutcome::accepted(), Some(millis(120))));
    assert_eq!(story.pool.in_flight(), 0);
}

#[test]
fn a_job_before_the_authorize_is_shown_at_once() {
    let mut story = Story::new();
    story.connect();
    story.answers(GIVEN);
    let authorize = story.asked;
    story.told();
    story.notify("j1", "p1", "w1");
    assert_eq!(story.told(), ["view"]);
    assert!(!story.pool.view().live);
    story.submit(1);
    assert_eq!(story.told(), ["1 lost_on_failover"], "nobody would credit it");
    story.result(authorize, "true");
    assert!(story.submit(2).contains("\"j1\""));
}

#[test]
fn a_job_and_a_target_before_the_subscribes_answer_are_kept() {
    let mut story = Story::new();
    story.connect();
    story.difficulty(64);
    story.notify("j0", "p1", "w0");
    story.notify("j1", "p1", "w1");
    assert_eq!(story.told(), [""; 0]);
    assert!(story.work().is_none());
    let heard = story.answers(GIVEN);
    assert!(heard.contains("mining.authorize"), "{heard}");
    assert_eq!(story.told(), ["ground aabbccdd for 250", "view", "difficulty 64", "view"]);
    assert_eq!(story.work().unwrap().job.work, "w1");
    assert_eq!(story.work().unwrap().generation, Generation(1));

    // Also on a later connection, whose extranonce1 is another.
    story.answers("true");
    story.lose();
    story.connect();
    story.notify("j2", "p1", "w2");
    assert_eq!(story.work().unwrap().job.work, "w1");
    story.answers("[\"s2\",\"11223344\",4]");
    assert_eq!(story.work().unwrap().job.work, "w2");
    assert_eq!(story.work().unwrap().generation, Generation(2));
}

/// The answer to a subscribe of a pool that gives its extranonce later.
const LATER: &str = "[\"s1\",null]";

#[test]
fn an_extranonce_may_come_after_the_authorize() {
    let mut story = Story::new();
    story.connect();
    let heard = story.answers(LATER);
    assert!(heard.contains("mining.authorize"), "{heard}");
    story.answers("true");
    assert!(!story.pool.is_live(), "shares could not be made yet");
    story.notify("j0", "p1", "w0");
    story.notify("j1", "p1", "w1");
    assert_eq!(story.told(), [""; 0]);
    story.calls("mining.set_extranonce", "[\"aabbccdd\"]");
    assert_eq!(story.told(), ["ground aabbccdd for 250", "view", "view", "Live", "view"]);
    assert_eq!(story.work().unwrap().job.work, "w1");
    assert!(story.submit(1).contains("\"j1\",\"2a000001\""));
    story.told();

    // The next one applies with the next job, as ever.
    story.calls("mining.set_extranonce", "[\"11223344\"]");
    assert_eq!(story.told(), [""; 0]);
    story.notify("j2", "p1", "w2");
    assert_eq!(story.told()[0], "ground 11223344 for 250");
}

#[test]
fn an_extranonce_may_come_between_or_before_the_answers_of_the_login() {
    for before in [false, true] {
        let mut story = Story::new();
        story.connect();
        let subscribe = story.asked;
        if before {
            story.calls("mining.set_extranonce", "[\"aabbccdd\"]");
            assert_eq!(story.told(), [""; 0], "the subscribe may give another");
        }
        story.result(subscribe, LATER);
        if !before {
            story.calls("mining.set_extranonce", "[\"aabbccdd\"]");
        }
        assert_eq!(story.told(), ["ground aabbccdd for 250", "view"]);
        story.notify("j1", "p1", "w1");
        assert_eq!(story.told(), ["view"]);
        story.answers("true");
        assert_eq!(story.told(), ["Live", "view"]);
    }
}

#[test]
fn an_extranonce_that_never_comes_is_waited_for_half_a_minute() {
    let mut story = Story::new();
    story.connect();
    story.answers(LATER);
    story.answers("true");
    story.notify("j1", "p1", "w1");
    story.later(JOB_WITHIN - millis(1));
    assert_eq!(story.told(), [""; 0]);
    story.later(millis(1));
    assert_eq!(story.news(), ["down: the pool gave no extranonce within 30s of the login"]);
}

#[test]
fn the_same_extranonce_may_come_later_again_on_the_next_connection() {
    let mut story = Story::mining();
    let before = story.work().unwrap();
    story.lose();
    story.connect();
    story.answers(LATER);
    story.answers("true");
    assert!(!story.pool.view().live);
    story.told();
    story.calls("mining.set_extranonce", "[\"aabbccdd\"]");
    assert_eq!(story.pool.view().generation, Generation(1), "the rigs stay");
    assert!(story.pool.view().live);
    story.notify("j1", "p1", "w1");
    assert!(story.submit_for(3, &before, GOOD).contains("\"j1\""));
}

#[test]
fn an_early_job_is_forgotten_with_its_connection() {
    let mut story = Story::new();
    story.connect();
    story.notify("j0", "p1", "w0");
    story.lose();
    story.log_in(GIVEN);
    assert!(story.work().is_none());
}

#[test]
fn a_refused_subscribe_ends_the_connection_once() {
    let cases = [
        ("null,\"error\":[20,\"too many connections\"]", "refused the subscribe: too many"),
        ("null,\"error\":{\"code\":-1,\"message\":\"invalid request\"}", "invalid request (-1)"),
        ("null,\"error\":null", "refused the subscribe: no result"),
        ("[\"s1\"],\"error\":null", "makes no sense: subscribe result is [\"s1\"]"),
        ("[\"s1\",\"xyz\",4],\"error\":null", "makes no sense"),
        ("false,\"error\":null", "makes no sense"),
        ("[\"s1\",\"aabbccdd\",1],\"error\":null", "no room to split"),
    ];
    for (answer, reason) in cases {
        let mut story = Story::new();
        story.connect();
        let heard = story.says(&format!("{{\"id\":1,\"result\":{answer}}}"));
        assert_eq!(heard, "", "nothing more is said");
        let told = story.news();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("down: ") && told[0].contains(reason), "{told:?}");
        assert_eq!(story.pool.poll_timeout(), None);
        story.notify("j1", "p1", "w1");
        story.later(seconds(60));
        assert_eq!(story.told(), [""; 0], "nothing comes after it");
    }
}

#[test]
fn whose_fault_it_is() {
    let mut story = Story::new();
    story.connect();
    story.answers("[\"s1\",\"aabbccdd\",1]");
    let down = std::iter::from_fn(|| story.pool.poll_event()).find_map(|event| match event {
        UpstreamEvent::Down(reason) => Some(reason.fault()),
        _ => None,
    });
    assert_eq!(down, Some(crate::error::Fault::Operator));
    assert_eq!(DownReason::BadLines.fault(), crate::error::Fault::Pool);
}

#[test]
fn a_login_without_an_answer_is_given_up() {
    for (subscribed, what, limit) in [(false, "the subscribe", 20), (true, "the authorize", 10)] {
        let mut story = Story::new();
        story.connect();
        if subscribed {
            story.answers(GIVEN);
            story.told();
        }
        assert_eq!(story.pool.poll_timeout(), Some(story.now + seconds(limit)));
        story.later(millis(limit * 1_000 - 1));
        assert_eq!(story.told(), [""; 0]);
        story.later(millis(1));
        let expected = format!("down: the pool did not answer {what} within {limit}s");
        assert_eq!(story.told(), [expected, "view".into()]);
        story.later(seconds(60));
        assert_eq!(story.told(), [""; 0]);
    }
}

#[test]
fn a_pool_that_hangs_up_shows_at_which_call() {
    let mut story = Story::new();
    assert_eq!(story.pool.open_login(), None);
    story.connect();
    assert_eq!(story.pool.open_login(), Some(LoginCall::Subscribe));
    story.answers(GIVEN);
    assert_eq!(story.pool.open_login(), Some(LoginCall::Authorize));
    story.answers("true");
    assert_eq!(story.pool.open_login(), None);
}

#[test]
fn a_refused_account_is_named_and_its_password_is_not() {
    let cases = [
        ("false,\"error\":null", "no reason given"),
        (
            "null,\"error\":[24,\"bad login acct.farm:hunter2\",null]",
            "bad login acct.farm:*** (24)",
        ),
        ("false,\"error\":true", "error"),
        ("true,\"error\":\"banned\"", "banned"),
    ];
    for (answer, reason) in cases {
        let mut story = Story::new();
        story.connect();
        story.answers(GIVEN);
        story.told();
        story.says(&format!("{{\"id\":2,\"result\":{answer}}}"));
        let expected = format!(
            "down: the pool refused user \"acct.farm\": {reason}; check `user` and `password`"
        );
        assert_eq!(story.told(), [expected, "view".into()]);
        assert!(!story.pool.is_live());
    }
}

#[test]
fn a_session_is_resumed_unless_the_pool_will_not() {
    let mut story = Story::mining();
    story.lose();
    assert!(story.connect().contains("[\"orepass/1\",\"s1\"]"));
    story.refuses("[20,\"unknown session\",null]");
    assert!(story.connect().contains("[\"orepass/1\"]"));
    story.answers(GIVEN);
    story.answers("true");
    story.lose();
    assert!(story.connect().contains("[\"orepass/1\",\"s1\"]"));
    story.lose();
    assert!(story.connect().contains("[\"orepass/1\"]"), "the pool hung up on it");
}

#[test]
fn calls_that_are_no_jobs() {
    let mut story = Story::mining();
    story.calls("client.reconnect", "[]");
    story.calls("client.show_message", "[\"maintenance\\nat noon\"]");
    story.calls("mining.something_new", "[1,{}]");
    story.says("{\"id\":77,\"result\":true,\"error\":null}");
    story.says("{\"id\":\"3\",\"result\":true,\"error\":null}");
    story.says("{}");
    assert_eq!(story.told(), ["reconnect", "Message(\"maintenance\\\\nat noon\")"]);
    assert!(story.pool.is_live());
}

#[test]
fn lines_without_sense_end_the_connection_at_the_fifth() {
    let mut story = Story::mining();
    story.submit(1);
    for line in ["{bad", "[]", "\"\u{1b}[31m\"", "5"] {
        story.says(line);
        assert!(story.pool.is_live());
    }
    story.says("HTTP/1.1 400 Bad Request");
    let told = story.told();
    let tail: Vec<&str> = told[4..].iter().map(String::as_str).collect();
    assert_eq!(
        tail,
        [
            "BadLine(\"HTTP/1.1 400 Bad Request\")",
            "down: 5 lines from the pool made no sense",
            "1 lost_on_failover",
            "view"
        ]
    );
    for _ in 0..300 {
        story.says("more");
    }
    assert_eq!(story.told(), [""; 0]);
    story.log_in(GIVEN);
    story.told();
    story.says("{bad");
    assert_eq!(story.told(), ["BadLine(\"{bad\")"], "each connection is counted by itself");
}

#[test]
fn two_overlong_lines_within_a_minute_end_the_connection() {
    let mut story = Story::mining();
    story.pool.handle_overlong(512, story.now);
    story.later(seconds(60));
    story.pool.handle_overlong(512, story.now);
    assert_eq!(story.news(), ["Overlong { cap: 512 }", "Overlong { cap: 512 }"]);
    story.later(seconds(59));
    story.pool.handle_overlong(512, story.now);
    let down = "down: two lines from the pool within 60s were longer than 512 bytes";
    assert_eq!(story.news(), ["Overlong { cap: 512 }", down]);
    story.pool.handle_overlong(512, story.now);
    assert_eq!(story.news(), [""; 0]);
}

#[test]
fn without_a_connection_nothing_is_heard() {
    let mut story = Story::new();
    story.says("{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"j\",\"p\",\"w\",true]}");
    story.says("rubbish");
    story.pool.handle_overlong(512, story.now);
    story.later(seconds(1_000));
    assert_eq!(story.told(), [""; 0]);
    assert_eq!(story.pool.poll_timeout(), None);
    assert!(story.pool.transmit().is_empty());
}
