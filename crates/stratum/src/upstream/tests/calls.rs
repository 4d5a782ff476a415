//! Calls that want an answer, lines that make no sense, and what is forgiven.

use super::*;

#[test]
fn calls_that_want_an_answer_get_one() {
    let mut story = Story::mining();
    let says = |story: &mut Story, id: &str, method: &str| {
        story.says(&format!("{{\"id\":{id},\"method\":\"{method}\",\"params\":[]}}"))
    };
    let heard = says(&mut story, "7", "mining.ping");
    assert_eq!(heard, "{\"id\":7,\"result\":\"pong\",\"error\":null}\n");
    let heard = says(&mut story, "\"a\"", "client.get_version");
    assert_eq!(heard, "{\"id\":\"a\",\"result\":\"orepass/1\",\"error\":null}\n");
    let heard = says(&mut story, "8", "mining.dance");
    assert_eq!(
        heard,
        "{\"id\":8,\"result\":null,\"error\":[20,\"unknown method mining.dance\",null]}\n"
    );
    assert_eq!(says(&mut story, "null", "mining.ping"), "", "nobody waits for that one");
    assert_eq!(
        story.says(r#"{"id":9,"method":"mining.notify","params":["j9","p1","w9",true]}"#),
        ""
    );
    assert_eq!(story.told(), ["view"]);
    // A flood of them is not answered for ever.
    let heard: String = (0..1_000).map(|id| says(&mut story, &id.to_string(), "x")).collect();
    assert!((1..40).contains(&heard.lines().count()));
    story.now += seconds(10);
    assert_ne!(says(&mut story, "7", "mining.ping"), "");
}

#[test]
fn lines_without_sense_are_forgiven_for_good_ones_and_in_time() {
    let mut story = Story::mining();
    for _ in 0..100 {
        story.says("half a line");
        (0..100).for_each(|_| drop(story.says("{\"id\":99999,\"result\":true}")));
    }
    for _ in 0..100 {
        story.says("half a line");
        story.now += seconds(60);
    }
    assert!(story.pool.is_live());
    (0..5).for_each(|_| drop(story.says("half a line")));
    assert!(!story.pool.is_live(), "five in a row are too many");
}

#[test]
fn an_authorize_that_is_refused_in_any_shape_is_refused() {
    for answer in [
        r#""result":null,"error":{"code":"24","message":"unauthorized"}"#,
        r#""result":null,"error":{"code":24.0}"#,
        r#""result":null,"error":{"message":[7]}"#,
        r#""result":0,"error":null"#,
        r#""result":"false""#,
        r#""result":false,"reason":"banned""#,
    ] {
        let mut story = Story::new();
        story.connect();
        story.answers(GIVEN);
        story.says(&format!("{{\"id\":{},{answer}}}", story.asked));
        assert!(!story.pool.is_live(), "{answer}");
        let told = story.told();
        assert!(told.iter().any(|told| told.contains("refused user \"acct.farm\"")), "{told:?}");
    }
}

#[test]
fn a_pool_that_never_answers_the_authorize_is_taken_at_its_jobs() {
    let mut story = Story::new();
    story.connect();
    story.answers(GIVEN);
    let authorize = story.asked;
    story.notify("j1", "p1", "w1");
    story.later(seconds(9));
    assert!(!story.pool.is_live());
    story.later(seconds(1));
    assert!(story.pool.is_live());
    assert!(story.told().contains(&"AuthorizeUnanswered".to_owned()));
    assert_eq!(job_of(&story.submit(1)), "j1");
    story.answers("true");
    assert_eq!(story.news(), ["1 accepted"]);
    story.result(authorize, "false");
    assert!(!story.pool.is_live(), "a late no is a no");
}
