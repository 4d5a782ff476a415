//! A rig's way in, in any order.

use super::*;

#[test]
fn a_rig_logs_in_in_the_usual_order() {
    let mut story = Story::new(DownstreamConfig::default());
    story.work("p1", "w1", 256.0);
    let nothing = story.says("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"rig/1\"]}");
    assert_eq!(nothing, "", "it is parked until it has a seat");
    assert_eq!(story.events(), [Event::WantsSeat]);
    assert_eq!(story.seat(), "{\"id\":1,\"result\":[\"2a\",\"aabbccdd00\",3],\"error\":null}\n");
    let heard =
        story.says("{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"farm.r1\",\"x\"]}");
    assert_eq!(
        heard,
        "{\"id\":2,\"result\":true,\"error\":null}\n\
         {\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[256]}\n\
         {\"id\":null,\"method\":\"mining.notify\",\"params\":[\"6b000000\",\"p1\",\"w1\",true]}\n"
    );
    assert_eq!(story.rig.agent().map(|agent| &**agent), Some("rig/1"));
}

#[test]
fn a_rig_logs_in_backwards_with_odd_ids_and_unknown_methods() {
    let mut story = Story::new(DownstreamConfig::default());
    story.work("p1", "w1", 256.0);
    let heard = story.says("{\"id\":\"init\",\"method\":\"mining.add_user\",\"params\":[\"a\"]}");
    assert_eq!(
        heard,
        "{\"id\":\"init\",\"result\":null,\"error\":[20,\"unknown method mining.add_user\",null]}\n"
    );
    let heard = story.says(
        "{\"id\":null,\"method\":\"mining.configure\",\"params\":[[\"version-rolling\"],{}]}",
    );
    assert_eq!(heard, "{\"id\":null,\"result\":{\"version-rolling\":false},\"error\":null}\n");
    let heard =
        story.says("{\"id\":\"auth\",\"method\":\"mining.authorize\",\"params\":[\"farm.r1\"]}");
    assert_eq!(heard, "{\"id\":\"auth\",\"result\":true,\"error\":null}\n");
    story.says("{\"id\":3,\"method\":\"mining.suggest_difficulty\",\"params\":[16]}");
    story.says("{\"id\":4,\"method\":\"mining.extranonce.subscribe\",\"params\":[]}");
    story.says("{\"id\":5,\"method\":\"mining.subscribe\"}");
    let heard = story.seat();
    assert!(heard.starts_with("{\"id\":5,\"result\":["), "{heard}");
    assert!(heard.contains("\"mining.set_difficulty\",\"params\":[16]"), "{heard}");
    assert!(heard.contains("mining.notify"), "{heard}");
}

#[test]
fn a_rig_may_suggest_its_difficulty_with_or_without_an_array() {
    let suggest = |params: &str| {
        format!("{{\"id\":1,\"method\":\"mining.suggest_difficulty\",\"params\":{params}}}")
    };
    for params in ["[16]", "16", "\"16\"", "1.6e1"] {
        let mut story = Story::new(DownstreamConfig::default());
        story.work("p1", "w1", 256.0);
        let heard = story.says(&suggest(params));
        assert_eq!(heard, "{\"id\":1,\"result\":true,\"error\":null}\n", "{params}");
        story.says("{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"farm.r1\"]}");
        story.says("{\"id\":3,\"method\":\"mining.subscribe\"}");
        let heard = story.seat();
        let told = heard.contains("\"mining.set_difficulty\",\"params\":[16]");
        assert!(told, "{params}: {heard}");
    }
    let mut story = Story::new(DownstreamConfig::default());
    for params in ["[]", "{}", "0", "[null]", "\"x\"", "[[16]]"] {
        let heard = story.says(&suggest(params));
        assert!(heard.contains("a suggested difficulty is a number above 0"), "{params}");
    }
}

#[test]
fn each_step_of_the_login_has_its_time() {
    let mut story = Story::new(DownstreamConfig::default());
    assert_eq!(story.rig.poll_timeout(), Some(story.now + Duration::from_secs(10)));
    story.later(9);
    story.rig.handle_timeout(story.now);
    assert!(!story.rig.is_closed());
    story.says("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}");
    story.events();
    story.later(15);
    assert_eq!(story.rig.poll_timeout(), Some(story.now));
    story.rig.handle_timeout(story.now);
    assert_eq!(
        story.events(),
        [Event::Closed(CloseReason::Parked(Duration::from_secs(15), Wait::Pool))]
    );
    assert_eq!(story.hears(), "", "a parked rig is let go without an answer");

    let mut story = Story::new(DownstreamConfig::default());
    story.says("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}");
    story.rig.handle_wait(Wait::Lease);
    story.events();
    story.later(15);
    story.rig.handle_timeout(story.now);
    let parked = CloseReason::Parked(Duration::from_secs(15), Wait::Lease);
    assert!(parked.to_string().starts_with("no lease came free"), "not that no pool was there");
    assert_eq!(story.events(), [Event::Closed(parked)]);

    let mut story = Story::new(DownstreamConfig::default());
    story.says("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}");
    story.seat();
    story.later(60);
    story.rig.handle_timeout(story.now);
    let closed = CloseReason::AuthorizeTimeout(Duration::from_secs(60));
    assert_eq!(story.events().last(), Some(&Event::Closed(closed)));
}

#[test]
fn a_full_route_says_so() {
    let mut story = Story::new(DownstreamConfig::default());
    story.says("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}");
    story.rig.handle_no_seat("all 2 pool connections are full".into());
    let heard = story.hears();
    assert_eq!(
        heard,
        "{\"id\":1,\"result\":null,\"error\":[20,\"all 2 pool connections are full\",null]}\n"
    );
    assert!(story.rig.is_closed());
}

#[test]
fn several_workers_share_a_connection() {
    let mut story = Story::mining(DownstreamConfig::default());
    story.says("{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"farm.r2\",\"x\"]}");
    let line = format!(
        "{{\"id\":5,\"method\":\"mining.submit\",\"params\":[\"farm.r2\",\"6b000000\",\"000001\",{GOOD}]}}"
    );
    assert_eq!(story.says(&line), "");
    assert_eq!(&*story.forwarded.take().unwrap().worker, "farm.r2");
    for extra in 2..MAX_WORKERS {
        let line =
            format!("{{\"id\":6,\"method\":\"mining.authorize\",\"params\":[\"w{extra}\"]}}");
        assert!(story.says(&line).contains("true"));
    }
    let heard = story.says("{\"id\":6,\"method\":\"mining.authorize\",\"params\":[\"one more\"]}");
    assert!(heard.contains("at most 16 workers"), "{heard}");
}

#[test]
fn each_worker_has_the_password_that_it_gave_and_no_log_shows_it() {
    let mut story = Story::mining(DownstreamConfig::default());
    let login = |name: &str, rest: &str| {
        format!("{{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"{name}\"{rest}]}}")
    };
    story.says(&login("farm.r2", ",\"sesame\""));
    story.says(&login("farm.r3", ""));
    story.says(&login("farm.r4", &format!(",\"{}\"", "x".repeat(257))));
    let given = |worker| story.rig.password(worker).map(crate::secret::Secret::reveal);
    assert_eq!(given("farm.r1"), Some("x"));
    assert_eq!(given("farm.r2"), Some("sesame"));
    assert_eq!((given("farm.r3"), given("farm.r4"), given("farm.r5")), (None, None, None));
    let shown = format!("{:?}", story.rig.password("farm.r2"));
    assert!(!shown.contains("sesame"), "{shown}");
}
