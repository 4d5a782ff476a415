//! How pools and rigs say it, and what is refused with which words.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

mod support;

use orepass_stratum::dialect::{
    Announced, Diagnosis, Dialect, Fingerprinted, PoolAnswer, PoolCall, PoolEvent, PoolQuestion,
    Refusal, RigCall, RigSay, RigSpace, ShareTarget, Work,
};
use orepass_stratum::error::{Reject, WrongSize};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::habits::Habits;
use orepass_stratum::job::JobId;
use orepass_stratum::rpc::{Id, Message, RpcCall};
use orepass_stratum::target::{Difficulty, Target};
use orepass_stratum::testing::{self, diagnose, form};
use orepass_zcash::Zcash;
use orepass_zcash::pow::scale;
use orepass_zcash::share::{Share, check_time};
use serde_json::{Value, json};
use std::time::Duration;
use support::{block, check, diagnose_form, file, job, raw, share, written};

#[test]
fn a_job_is_told_as_zip_301_has_it() {
    let block = block();
    let job = block.job();
    assert_eq!((job.id(), job.bits, job.clean), ("cccd", 0x1c03_abe1, true));
    assert_eq!(job.time, 0x5bcc_bea8);
    let line =
        written(|out| Zcash.notify(JobId::new(0x6b00_0001), &job, &Target::MAX, form(false), out));
    let mut told = block.notify();
    (told[0], told[7]) = ("6b000001".into(), false.into());
    assert_eq!(line, format!(r#"{{"id":null,"method":"mining.notify","params":{told}}}"#));
}

#[test]
fn a_job_that_cannot_be_read_is_named() {
    let with = |at: usize, value: Value| {
        let mut notify = block().notify();
        notify[at] = value;
        job(&notify).map(|_| ()).map_err(|error| error.to_string())
    };
    let wrong = |at, value: Value, expected: &str| {
        let error = with(at, value).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    };
    wrong(1, json!("05000000"), "version is \"05000000\", expected 04000000");
    wrong(1, json!("00000004"), "version is \"00000004\", expected 04000000");
    wrong(1, json!(4), "version is 4, expected a string");
    wrong(2, json!("00"), "previous block is \"00\", expected 64 hex digits");
    wrong(3, json!(null), "merkle root is null, expected a string");
    wrong(4, json!("zz"), "reserved is \"zz\"");
    wrong(5, json!("5bccbe"), "time is \"5bccbe\", expected 8 hex digits");
    wrong(6, json!("0x1c03abe1"), "bits is \"0x1c03abe1\"");
    wrong(7, json!("perhaps"), "clean is \"perhaps\", expected true or false");
    wrong(0, json!("x".repeat(65)), "job id is \"xxx");
    assert_eq!(with(7, json!("False")), Ok(()));
    let error = job(&json!(["1", "04000000"])).unwrap_err().to_string();
    assert!(error.contains("has 2 parameters, expected 8: job id, version"), "{error}");
    assert!(job(&json!({})).unwrap_err().to_string().starts_with("params is {}"));
    // Some servers say behind it which Equihash it is.
    let mut notify = block().notify();
    notify.as_array_mut().unwrap().extend([json!("200_9"), json!("ZcashPoW")]);
    assert_eq!(job(&notify), Ok(block().job()));
}

#[test]
fn works_are_told_apart_by_what_is_hashed() {
    let work = |change: &[(usize, &str)]| {
        let mut notify = block().notify();
        change.iter().for_each(|(at, value)| notify[*at] = (*value).into());
        job(&notify).unwrap()
    };
    let (ones, old) = ("1".repeat(64), work(&[]));
    for (at, same) in [(0, true), (2, false), (3, false), (4, false), (5, true), (6, false)] {
        let value = if at == 5 || at == 6 { "a9becc5b" } else { &ones };
        let value = if at == 0 { "9" } else { value };
        assert_eq!(work(&[(at, value)]).key() == old.key(), same, "{at}");
    }
    // A clean flag without a new block ends no epoch.
    assert!(!work(&[(3, &ones)]).supersedes(&old) && work(&[(2, &ones)]).supersedes(&old));
    assert_ne!(work(&[(2, &ones)]).parent(), old.parent());
    // A later telling of the same work takes no share with a time before it.
    let share = block().share(4);
    assert!(old.serves(&share) && !work(&[(5, "a9becc5b")]).serves(&share));
}

#[test]
fn a_share_is_told_as_zip_301_has_it() {
    let block = block();
    for (prefix, told) in [(0, 4), (2, 6), (4, 12)] {
        let share = block.share(told);
        let prefix =
            &const_hex::decode(&block.text("nonce")[2 * (told - prefix)..2 * told]).unwrap()[..];
        let (worker, job) = ("t1account.rig1", &block.job());
        let call = PoolCall::Submit { id: 4, worker, job, prefix, share: &share };
        let line = written(|out| Zcash.tell_pool(call, out));
        let params = block.submit(told - prefix.len());
        assert_eq!(line, format!(r#"{{"id":4,"method":"mining.submit","params":{params}}}"#));
    }
    let mut upper = block.submit(4);
    for at in 2..5 {
        upper[at] = upper[at].as_str().unwrap().to_uppercase().into();
    }
    assert_eq!(share(&block.job(), 28, &upper), Ok(block.share(4)));
}

#[test]
fn a_submit_that_cannot_be_read_is_refused_with_what_came() {
    let block = block();
    let job = &block.job();
    let with = |at: usize, value: Value| {
        let mut submit = block.submit(4);
        submit[at] = value;
        share(job, 28, &submit).unwrap_err()
    };
    let solution = block.text("solution");
    let reason = |at, value: Value| with(at, value).reason.into_owned();
    let shown = |reason: String, start: &str, end: &str| {
        assert!(reason.starts_with(start) && reason.ends_with(end), "{reason}");
        assert!(reason.len() < 200, "{reason}");
    };
    let expected = "expected 2694 that begin with fd4005";
    shown(reason(4, json!(solution)), "solution is 2688 digits (\"", expected);
    shown(
        reason(4, json!(format!("fd4105{solution}"))),
        "solution is 2694 digits (\"fd41",
        expected,
    );
    shown(reason(4, json!("fd4005")), "solution is 6 digits (\"fd4005\")", expected);
    shown(reason(4, json!("é".repeat(1347))), "solution is 2694 digits", expected);
    shown(
        reason(4, json!(format!("fd4005{}", "z".repeat(2688)))),
        "solution is \"fd4005zz",
        "hex digits",
    );
    shown(reason(4, json!(7)), "solution is 7", "a string");
    shown(reason(2, json!("5bcc")), "time is \"5bcc\"", "8 hex digits");
    shown(reason(3, json!("zz".repeat(28))), "extranonce2 is \"zz", "hex digits");
    let size = with(3, json!("00".repeat(26)));
    assert!(size.reason.starts_with("extranonce2 is 26 bytes (\"0000"), "{size}");
    assert!(size.reason.ends_with("this rig was told 28"), "{size}");
    assert_eq!(size.wrong_size, Some(WrongSize { found: 26, told: 28 }));
    let error = share(job, 28, &json!(["w", "1", "00000000"])).unwrap_err();
    assert!(error.reason.starts_with("mining.submit has 3 parameters"), "{error}");
    // What a session was told wrong of.
    let error = check(job, &block.extranonce1(3), &block.share(4), &Target::MAX).unwrap_err();
    assert!(error.reason.contains("extranonce1 of 3 and extranonce2 of 28"), "{error}");
}

#[test]
fn a_time_outside_of_the_window_is_refused() {
    let block = block();
    let (job, mut share) = (block.job(), block.share(4));
    let mut refused = |time: u32, age: u64| {
        share.time = time;
        check_time(&job, &share, Duration::from_secs(age)).map_err(|error| error.reason)
    };
    let at = job.time;
    assert_eq!(refused(at, 0), Ok(()));
    assert_eq!(refused(at + 7_000, 0), Ok(()));
    assert_eq!(refused(at + 7_010, 10), Ok(()));
    assert_eq!(
        refused(at - 1, 60).unwrap_err(),
        format!("time too old: the job's is {at}, the share's is {}", at - 1)
    );
    let latest = at + 7_000;
    assert_eq!(
        refused(latest + 1, 0).unwrap_err(),
        format!("time too new: the latest for this job is {latest}, the share's is {}", latest + 1)
    );
    assert!(refused(u32::MAX, u64::MAX).is_ok());
    // The proof is not looked at then.
    share.time = 1;
    let error = check(&job, &block.extranonce1(4), &share, &Target::MAX).unwrap_err();
    assert!(error.reason.starts_with("time too old"), "{error}");
}

#[test]
fn what_a_rig_does_wrong_is_named() {
    let block = block();
    let (job, zeros) = (block.job(), &Target::MAX);
    let form = |extranonce2: usize, solution: usize| {
        let submit = json!(["w", "1", "00000000", "00".repeat(extranonce2), "00".repeat(solution)]);
        diagnose_form(&job, 28, &submit)
    };
    assert_eq!(form(28, 1347), None);
    assert_eq!(form(28, 1344), None);
    assert_eq!(form(26, 1347), Some(Diagnosis::IGNORES_EXTRANONCE2_SIZE));
    assert_eq!(form(28, 1411), Some(Diagnosis::OTHER_COIN), "Equihash 210,9");
    assert_eq!(form(28, 101), Some(Diagnosis::OTHER_COIN), "Equihash 144,5");

    let one = block.extranonce1(9);
    let mut reversed = block.share(9);
    reversed.time = reversed.time.swap_bytes();
    let named = |one: &Extranonce, share: &Share| diagnose(&Zcash, &job, one, 7, share, zeros);
    assert_eq!(named(&one, &reversed), Some(Diagnosis::REVERSED_TIME));
    assert_eq!(named(&one, &block.share(9)), None);
    // The block's nonce has zeros where this rig's prefix is.
    let prefixed = block.extranonce1(7).join(&[0, 1]).unwrap();
    assert_eq!(named(&prefixed, &block.share(9)), Some(Diagnosis::TRUNCATES_EXTRANONCE1));
    let nonce: Vec<u8> =
        const_hex::decode(block.text("nonce")).unwrap().into_iter().rev().collect();
    let mut share = block.share(9);
    share.extranonce2 = Extranonce::from_slice(&nonce[9..]).unwrap();
    let one = Extranonce::from_slice(&nonce[..9]).unwrap();
    assert_eq!(named(&one, &share), Some(Diagnosis::REVERSED_NONCE));
}

#[test]
fn targets_are_told_and_heard() {
    let job = &block().job();
    let wanted = |method: &str, params: Value| {
        let announced = match testing::hear(&Zcash, method, &raw(params)).unwrap() {
            PoolEvent::Target(target) => Announced { target: Some(target), difficulty: None },
            PoolEvent::Difficulty(told) => Announced { difficulty: Some(told), target: None },
            other => panic!("{other:?}"),
        };
        Zcash.price(job, &announced, Habits::USUAL).wanted.surely(Habits::USUAL).to_string()
    };
    let told = "003fffc000000000000000000000000000000000000000000000000000000000";
    assert_eq!(wanted("mining.set_target", json!([told])), told);
    assert_eq!(wanted("mining.set_difficulty", json!([32])), format!("00003{}", "f".repeat(59)));
    let announced = Announced::default();
    let target = Zcash.price(job, &announced, Habits::USUAL).wanted.surely(Habits::USUAL);
    assert_eq!(target, scale().target(Difficulty::ONE));
    let both = Announced {
        target: Some(Target::MAX),
        difficulty: Some(ShareTarget::Difficulty(Difficulty::ONE)),
    };
    assert_eq!(Zcash.price(job, &both, Habits::USUAL).wanted.surely(Habits::USUAL), Target::MAX);
    let say = RigSay::Target { target: &target, difficulty: Difficulty::ONE };
    let limit = format!("0007{}", "f".repeat(60));
    assert_eq!(
        written(|out| Zcash.tell_rig(say, &(), out)),
        format!(r#"{{"id":null,"method":"mining.set_target","params":["{limit}"]}}"#)
    );
}

#[test]
fn rigs_log_in_and_wish() {
    let given = &"0000002a0001".parse().unwrap();
    let space = RigSpace { extranonce1: given, extranonce2: 26 };
    let id = Id::null();
    let say = RigSay::Subscribed { id: &id, session: "5e55", given: space };
    let line = written(|out| Zcash.tell_rig(say, &(), out));
    assert_eq!(line, r#"{"id":null,"result":[null,"0000002a0001"],"error":null}"#);
    let wish = |params: Value| {
        let params = raw(params);
        let call = RpcCall { method: "mining.suggest_target", params: Some(&params) };
        match Zcash.hear_rig(call, &mut ()) {
            RigCall::Suggest(wish) => wish.map(Difficulty::get),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(wish(json!([format!("0007{}", "f".repeat(60))])), Some(1.0));
    for none in [json!([]), json!([12]), json!(["0007"]), json!(null), json!(["z".repeat(64)])] {
        assert_eq!(wish(none), None);
    }
}

#[test]
fn pools_are_told_who_calls_them() {
    let told = |former, server| {
        let call = PoolCall::Subscribe { id: 1, agent: "orepass/1", former, server };
        let line = written(|out| Zcash.tell_pool(call, out));
        serde_json::from_str::<Value>(&line).unwrap()["params"].clone()
    };
    assert_eq!(told(None, None), json!(["orepass/1", null]));
    let server = Some(("pool.example", 3337));
    assert_eq!(told(None, server), json!(["orepass/1", null, "pool.example", 3337]));
    assert_eq!(told(Some("s\"1"), server), json!(["orepass/1", "s\"1", "pool.example", 3337]));
    let wish = PoolCall::Suggest { id: 3, difficulty: Difficulty::ONE };
    let line = written(|out| Zcash.tell_pool(wish, out));
    assert!(line.contains(r#""method":"mining.suggest_target","params":["0007ffff"#), "{line}");
}

#[test]
fn an_extranonce_is_heard_in_every_shape() {
    let heard = |result: &str| {
        let line = format!("{{\"id\":1,\"result\":{result},\"error\":null}}");
        let message = Message::parse(line.as_bytes()).unwrap();
        let reply = message.reply(line.as_bytes());
        match Zcash.hear_answer(PoolQuestion::Subscribe { former: None }, &reply, &mut ()) {
            PoolAnswer::Subscribed { given, .. } => {
                let given = given.unwrap();
                assert_eq!(given.announced_size, None);
                Ok((given.extranonce1.to_string(), given.session.map(String::from)))
            }
            PoolAnswer::Unusable(error) => Err(error.to_string()),
            other => panic!("{other:?}"),
        }
    };
    let none = |extranonce1: &str| Ok((extranonce1.to_owned(), None));
    assert_eq!(heard(r#"[null,"0000002a"]"#), none("0000002a"));
    assert_eq!(heard(r#"["0HL9","00002A"]"#), Ok(("00002a".into(), Some("0HL9".into()))));
    assert_eq!(heard(r#"[null,""]"#), none(""));
    assert_eq!(heard(&format!("[7,\"{}\"]", "ab".repeat(31))), none(&"ab".repeat(31)));
    for (wrong, expected) in [
        ("true", "subscribe result is true"),
        ("[null]", "subscribe result is [null]"),
        ("[null,7]", "extranonce1 is 7"),
        ("[null,\"abc\"]", "extranonce1 is \"abc\""),
        (&format!("[null,\"{}\"]", "00".repeat(32)), "extranonce1 is \"0000"),
    ] {
        let error = heard(wrong).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn refusals_are_understood() {
    for (error, expected) in [
        ("[21,\"job not found\"]", Refusal::Stale),
        ("[22,\"duplicate share\"]", Refusal::Duplicate),
        ("[23,\"low difficulty share of 0.31\"]", Refusal::LowDifficulty),
        ("{\"code\":23,\"message\":\"low difficulty share (0.3)\"}", Refusal::LowDifficulty),
        ("[20,\"incorrect size of nonce\"]", Refusal::Form),
        ("[20,\"Error: Incorrect size of solution (2688), expected 2694\"]", Refusal::Form),
        ("[20,\"invalid solution\"]", Refusal::Other),
        ("[20,\"ntime out of range\"]", Refusal::Other),
        ("[24,\"unauthorized worker\",null]", Refusal::Unauthorized),
        ("[25,\"not subscribed\",null]", Refusal::Unauthorized),
    ] {
        assert_eq!(testing::refusal(&Zcash, &raw(error)), expected, "{error}");
    }
}

#[test]
fn each_solution_of_a_nonce_is_a_share() {
    let (one, mut other) = (block().share(4), block().share(4));
    assert_eq!(one.fingerprint(), other.fingerprint());
    other.solution[1343] ^= 1;
    assert_ne!(one.fingerprint().share, other.fingerprint().share);
    assert!(Zcash.rules().second_solutions);
}

/// Every line of `tests/vectors/zcash.jsonl` is understood, in the forms of several servers and miners.
#[test]
fn the_lines_of_known_servers_and_miners_are_understood() {
    let mut heard = 0;
    for row in file("zcash.jsonl").lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        let Some(line) = row["line"].as_str() else { continue };
        let message = Message::parse(line.as_bytes()).unwrap();
        let Some(method) = message.method.as_deref() else { continue };
        let call = RpcCall { method, params: message.params };
        if row["dir"] == "pool->miner" {
            let event = Zcash.hear_pool(call, &mut ());
            let lost = matches!(
                event,
                PoolEvent::Unknown | PoolEvent::Unusable(_) | PoolEvent::Job(Err(_))
            );
            assert!(!lost, "{event:?}: {line}");
        } else {
            let call = Zcash.hear_rig(call, &mut ());
            assert!(
                !matches!(call, RigCall::Unknown | RigCall::Submit(Err(_))),
                "{call:?}: {line}"
            );
        }
        heard += 1;
    }
    assert_eq!(heard, 21);
    let reject: Reject = Reject::duplicate();
    let line = written(|out| {
        Zcash.tell_rig(RigSay::Refused(&Id::null(), &reject), &(), out);
    });
    assert_eq!(line, r#"{"id":null,"result":null,"error":[22,"duplicate",null]}"#);
}
