use std::io;
use std::sync::Arc;

use orepass_stratum::dialect::Split;
use orepass_stratum::error::ParseError;
use orepass_stratum::target::Target;
use orepass_stratum::upstream::{BrakeEnd, DownReason};
use serde_json::Value;

use super::*;
use crate::telemetry::testing::json_lines;

fn log_of(said: &Arc<Said>, channel: u64) -> ChannelLog {
    let address = Some("192.0.2.1:3008".parse().unwrap());
    let scales = ["bitcoin", "hstratum"];
    ChannelLog {
        route: "hns".into(),
        pool: "p".into(),
        channel,
        address,
        scales,
        said: Arc::clone(said),
    }
}

fn lost(log: &ChannelLog, end: &End) {
    let wait = Duration::from_millis(1200);
    log.lost(Lost { end, was_live: false, others_live: false, wait });
}

fn refused() -> End {
    End::Connect(io::Error::from(io::ErrorKind::ConnectionRefused).into())
}

fn message(line: &Value) -> &str {
    line["message"].as_str().unwrap()
}

#[tokio::test(start_paused = true)]
async fn sixteen_connections_that_fail_alike_are_one_line_a_minute_with_the_count() {
    let said = Arc::new(Said::default());
    let fail = || (1..=16).for_each(|channel| lost(&log_of(&said, channel), &refused()));
    let lines = json_lines(fail);
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(message(line), "cannot connect: connection refused; again in 1.2 s");
    assert_eq!(line.get("more_since_last"), None);

    // Another reason is said at once.
    let closed =
        json_lines(|| (1..=16).for_each(|channel| lost(&log_of(&said, channel), &End::Closed)));
    assert_eq!(closed.len(), 1, "{closed:?}");

    tokio::time::advance(SAY_EVERY).await;
    let lines = json_lines(fail);
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(line["more_since_last"], 15);
}

#[test]
fn a_pool_that_closes_before_the_login_is_not_blamed_for_our_version_while_others_to_it_are_up() {
    let said = Arc::new(Said::default());
    let log = log_of(&said, 7);
    let closed = |others_live, wait| Lost { end: &End::Closed, was_live: false, others_live, wait };
    let lines = json_lines(|| log.lost(closed(true, Duration::from_millis(40))));
    assert_eq!(
        message(&lines[0]),
        "the pool closed the connection before the login was done: since others to it are up, it \
         may allow no more connections from our address; lower `max_channels`; again at once"
    );
    let said = Arc::new(Said::default());
    let log = log_of(&said, 7);
    let lines = json_lines(|| log.lost(closed(false, Duration::from_secs(3))));
    assert!(message(&lines[0]).contains("want TLS; again in 3.0 s"), "{lines:?}");
    let log = log_of(&Arc::new(Said::default()), 7);
    let end = &End::Hangup(LoginCall::Configure);
    let wait = Duration::from_secs(3);
    let lost = Lost { end, was_live: false, others_live: false, wait };
    let lines = json_lines(|| log.lost(lost));
    let said = "the pool closed the connection instead of answering the configure: it may not know";
    assert!(message(&lines[0]).starts_with(said), "{lines:?}");
}

#[test]
fn a_flood_from_a_broken_pool_is_a_line_of_each_kind() {
    let said = Arc::new(Said::default());
    let error = || ParseError::arity("mining.notify", "9", 3);
    let unusable = |method: &str| Notice::Unusable { method: method.into(), error: error() };
    let flood = |number: u64| {
        let log = log_of(&said, number % 4);
        log.notice(&unusable("mining.notify"));
        log.notice(&unusable("mining.set_difficulty"));
        log.notice(&Notice::UnusableAnswer(error()));
        log.notice(&Notice::BadLine(format!("{number}")));
        log.notice(&Notice::Overlong { cap: 9 });
        log.notice(&Notice::Message(format!("hello {number}")));
        log.redirected(&"stratum+tcp://a.example:1".parse().unwrap());
        log.elsewhere(Some("b.example"), None, RedirectRefused::Foreign);
    };
    let lines = json_lines(|| (0..100).for_each(flood));
    let messages = lines.iter().filter(|line| line["event"] == "pool.message").count();
    assert_eq!((messages, lines.len()), (5, 5 + 7), "{lines:?}");
    let targets = |number: u64| log_of(&said, number % 4).notice(&Notice::Target(Target::MAX));
    let lines = json_lines(|| (0..100).for_each(targets));
    assert_eq!(lines.len(), 4 * 5, "each connection has a target of its own");
}

#[test]
fn no_line_has_a_field_of_the_name_of_tracings_own() {
    let split = Split {
        extranonce1: "0102".parse().unwrap(),
        prefix_bytes: 0,
        rig_extranonce2: 4,
        needs: None,
        probe: None,
        remark: Some("a remark".into()),
    };
    let error = || ParseError::arity("mining.notify", "9", 3);
    let text = || "why".to_owned();
    let notices = [
        Notice::Ground { split: Arc::new(split), capacity: 1 },
        Notice::Live,
        Notice::AuthorizeUnanswered,
        Notice::Unusable { method: text(), error: error() },
        Notice::UnusableAnswer(error()),
        Notice::BadLine(text()),
        Notice::Overlong { cap: 9 },
        Notice::Target(Target::MAX),
        Notice::BrakeOn { shares_per_second: 9.0, limit: 5, floor: Target::MAX },
        Notice::BrakeOff {
            forgone_hashes: 1e9,
            held: Duration::from_secs(9),
            why: BrakeEnd::Retargeted,
        },
        Notice::Message(text()),
    ];
    let learnt = Habit::ALL.into_iter().flat_map(|habit| {
        let learnt = [Answer::Usual, Answer::Other].map(|answer| Learnt { habit, answer });
        learnt.map(|learnt| Notice::Learnt { learnt, why: text() })
    });
    let notices: Vec<_> = notices.into_iter().chain(learnt).collect();
    let said = Arc::new(Said::default());
    let log = log_of(&said, 1);
    let url = "stratum+tcp://a.example:1".parse().unwrap();
    let lines = json_lines(|| {
        notices.iter().for_each(|notice| log.notice(notice));
        lost(&log, &End::Reconnect(Duration::ZERO));
        lost(&log, &End::Down(DownReason::BadLines));
        log.redirected(&url);
        log.went_back(&url, &url);
        log.elsewhere(Some("b"), Some(1), RedirectRefused::Port);
    });
    assert_eq!(lines.len(), notices.len() + 1 + 5, "and a remark on the split");
    let told = |event: &str| lines.iter().find(|line| line["event"] == event).unwrap();
    assert_eq!(message(told("pool.extranonce")), "the pool's extranonce space holds 1 rig");
    assert_eq!(told("pool.up")["address"], "192.0.2.1:3008");
    assert_eq!(told("pool.target")["share_target"], Target::MAX.to_string());
    let scale = lines.iter().find(|line| line["value"] == "hstratum").unwrap();
    assert!(message(scale).contains("`difficulty_scale = \"hstratum\"`"), "{scale}");
    assert_eq!(told("pool.target")["target"], "orepass::pool::log");
}
