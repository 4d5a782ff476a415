//! What the dialect writes and reads, line by line.

#![allow(clippy::unwrap_used)]

mod dialect_support;

use std::time::Duration;

use dialect_support::{dialect, line, notify, notify_of, raw, submit_of, text, vector, written};
use orepass_aion::job::Job;
use orepass_aion::share::{self, Share};
use orepass_aion::{Aion, NotifyTarget, Options, ProtocolVersion};
use orepass_equihash::Scratch;
use orepass_stratum::dialect::{
    Announced, Diagnosis, Dialect, Fingerprinted, OpenJobs, Pace, PoolCall, Refusal, RigSay,
    RigSpace, ShareTarget, Telling, Wanted, Work,
};
use orepass_stratum::error::{Reject, RejectCode};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::habits::{Answer, Habit, Habits};
use orepass_stratum::job::JobId;
use orepass_stratum::rpc::Id;
use orepass_stratum::target::{Difficulty, PowHash, Target};
use orepass_stratum::testing::{self, check, diagnose, form, heard_submit, read_share};
use serde_json::{Value, json};

const BLOCK: &str = "mainnet_block_700023";

fn real() -> Value {
    notify_of(&vector(BLOCK))
}

fn good() -> Value {
    submit_of(&vector(BLOCK), 8)
}

fn parse(params: Value) -> Result<Share, Reject> {
    read_share(&dialect(), &notify(&real()).unwrap(), 24, &raw(params))
}

fn en1(text: &str) -> Extranonce {
    text.parse().unwrap()
}

const fn space(extranonce1: &Extranonce) -> RigSpace<'_> {
    RigSpace { extranonce1, extranonce2: 28 }
}

#[test]
fn what_rigs_are_told() {
    let job = notify(&real()).unwrap();
    let id = Id::new(Some(&raw("1"))).unwrap();
    let told = |say: RigSay<'_, Job, ()>| line(|out| dialect().tell_rig(say, &(), out));
    let subscribed =
        told(RigSay::Subscribed { id: &id, session: "5e55", given: space(&en1("66FA7b19")) });
    assert_eq!(subscribed, "{\"id\":1,\"result\":[\"5e55\",\"66fa7b19\"],\"error\":null}\n");

    let target = Target::from_hex(&format!("00AB{}", "0".repeat(60))).unwrap();
    let hex = format!("00ab{}", "0".repeat(60));
    let set = told(RigSay::Target { target: &target, difficulty: Difficulty::ONE });
    assert_eq!(
        set,
        format!("{{\"id\":null,\"method\":\"mining.set_target\",\"params\":[\"{hex}\"]}}\n")
    );
    let job_told =
        line(|out| dialect().notify(JobId::new(0x6b00_0001), &job, &target, form(true), out));
    let header = text(&vector(BLOCK), "header_hash").to_owned();
    assert_eq!(
        job_told,
        format!(
            "{{\"id\":null,\"method\":\"mining.notify\",\
             \"params\":[\"6b000001\",true,\"{hex}\",\"{header}\"]}}\n"
        )
    );
    let soft = written(|out| dialect().notify(JobId::new(1), &job, &Target::MAX, form(false), out));
    assert_eq!(soft["params"], json!(["00000001", false, "f".repeat(64), header]));
    let moved = told(RigSay::Extranonce(space(&en1("aabbccdd"))));
    assert_eq!(
        moved,
        "{\"id\":null,\"method\":\"mining.set_extranonce\",\"params\":[\"aabbccdd\"]}\n"
    );
    let refused = told(RigSay::Refused(&id, &Reject::duplicate()));
    assert_eq!(refused, "{\"id\":1,\"result\":null,\"error\":[22,\"duplicate\",null]}\n");
}

#[test]
fn a_job_is_told_as_clean_where_a_rig_must_not_miss_it() {
    let hard = Aion::new(Options::default().with_soft_jobs(false));
    let calm = Telling {
        first: false,
        new_epoch: false,
        new_target: false,
        clean_job_age: Duration::from_secs(60),
        clean_job_behind: 2,
    };
    assert!(hard.rules().clean.is_clean(&calm));
    assert!(!dialect().rules().clean.is_clean(&calm));
    for telling in [
        Telling { first: true, ..calm },
        Telling { new_epoch: true, ..calm },
        Telling { new_target: true, ..calm },
        Telling { clean_job_age: Duration::from_millis(60_001), ..calm },
        Telling { clean_job_behind: 3, ..calm },
    ] {
        assert!(
            dialect().rules().clean.is_clean(&telling) && hard.rules().clean.is_clean(&telling),
            "{telling:?}"
        );
    }
}

#[test]
fn notifies_of_every_server() {
    let header = text(&vector(BLOCK), "header_hash").to_owned();
    let zeros = "0".repeat(64);
    let real = notify(&real()).unwrap();
    for (clean, expected) in
        [(json!(true), true), (json!(false), false), (json!("true"), true), (json!("False"), false)]
    {
        for prefix in ["", "0x"] {
            let target = format!("{prefix}{}", real.target);
            let job = notify(&json!(["000120c9", clean, target, header])).unwrap();
            assert_eq!((&*job.id, job.clean, job.target), ("000120c9", expected, real.target));
            assert_eq!(job.key(), real.key());
            assert_eq!(job.supersedes(&real), expected);
        }
    }
    let easiest = notify(&json!(["1", true, zeros, header.to_uppercase()])).unwrap();
    assert_eq!((easiest.target, easiest.header_hash), (Target::MAX, real.header_hash));
    assert_ne!(real.key(), notify(&json!(["1", true, zeros, zeros])).unwrap().key());
}

#[test]
fn a_bad_notify_names_its_field() {
    let long = "x".repeat(65);
    for (index, wrong, expected) in [
        (0, json!(7), "job id is 7, expected a string"),
        (0, json!(long), "job id is \"xxx"),
        (1, json!(1), "clean is 1, expected true or false"),
        (1, json!(null), "clean is null, expected true or false"),
        (2, json!(9), "target is 9, expected a string"),
        (2, json!("00ff"), "target is \"00ff\", expected 64 hex digits"),
        (3, json!("0x00"), "header hash is \"0x00\", expected 64 hex digits"),
        (3, json!("g".repeat(64)), "header hash is \"ggg"),
        (3, json!([1]), "header hash is [1], expected a string"),
    ] {
        let mut params = real();
        params[index] = wrong;
        let error = notify(&params).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    for count in [0, 1, 3, 5, 9] {
        let error = notify(&json!(vec!["00"; count])).unwrap_err().to_string();
        assert!(error.starts_with(&format!("mining.notify has {count} parameters")), "{error}");
    }
    assert_eq!(notify(&json!({})).unwrap_err().to_string(), "params is {}, expected an array");
}

#[test]
fn what_the_pool_is_told() {
    let asked = written(|out| {
        dialect().tell_pool(
            PoolCall::Subscribe { id: 1, agent: "orepass/0.1", former: Some("5e55"), server: None },
            out,
        );
    });
    let params = json!(["orepass/0.1", "AionStratum/1.0.0"]);
    assert_eq!(asked, json!({"id": 1, "method": "mining.subscribe", "params": params}));
    let silent = Options::default().with_protocol_version(ProtocolVersion::NULL);
    let asked = written(|out| {
        Aion::new(silent).tell_pool(
            PoolCall::Subscribe { id: 1, agent: "orepass/0.1", former: None, server: None },
            out,
        );
    });
    assert_eq!(asked["params"], json!(["orepass/0.1", null]));
    let job = notify(&real()).unwrap();
    let mut params = good();
    params[2] = "000000006B00B3A4".into();
    params[4] = text(&vector(BLOCK), "solution").to_uppercase().into();
    let share = parse(params).unwrap();
    let mut expected = good();
    expected[0] = "0xa0.\"rig\"".into();
    expected[3] = format!("2f01{}", good()[3].as_str().unwrap()).into();
    let sent = written(|out| {
        dialect().tell_pool(
            PoolCall::Submit {
                id: 9,
                worker: "0xa0.\"rig\"",
                job: &job,
                prefix: &[0x2f, 1],
                share: &share,
            },
            out,
        );
    });
    assert_eq!(sent, json!({"id": 9, "method": "mining.submit", "params": expected}));
    let bare = Aion::new(Options::default().with_solution_prefix(false));
    let sent = written(|out| {
        bare.tell_pool(
            PoolCall::Submit { id: 9, worker: "w", job: &job, prefix: &[], share: &share },
            out,
        );
    });
    assert_eq!(sent["params"][4], vector(BLOCK)["solution"]);

    let worker = format!("0x{}.{}", "a0".repeat(32), "x".repeat(16));
    let sent = line(|out| {
        dialect().tell_pool(
            PoolCall::Submit {
                id: 99_999,
                worker: &worker,
                job: &job,
                prefix: &[1, 2],
                share: &share,
            },
            out,
        );
    });
    assert_eq!(dialect().rules().pace, Some(Pace { bytes: 9_600, submits: 3 }));
    assert!(3 * sent.len() <= 9_600, "{}", sent.len());
    assert_eq!(dialect().rules().open, OpenJobs { count: 8, linger: Some(Duration::MAX) });
    let short = Aion::new(Options::default().with_open_for(Duration::ZERO));
    assert_eq!(short.rules().open, OpenJobs { count: 8, linger: Some(Duration::ZERO) });
}

#[test]
fn a_bad_submit_names_its_field() {
    assert!(parse(good()).is_ok());
    let digits = |count: usize| json!("0".repeat(count));
    for (index, wrong, expected) in [
        (3, json!("0000"), "extranonce2 is 2 bytes (\"0000\"), this rig was told 24"),
        (3, digits(64), "extranonce2 is 32 bytes (\"0000"),
        (3, digits(400), "extranonce2 is 200 bytes (\"0000"),
        (3, json!("000"), "extranonce2 is \"000\", expected an even number of hex digits"),
        (3, json!(7), "extranonce2 is 7, expected a string"),
        (4, digits(2814), "solution is 2814 digits (\"0000"),
        (4, digits(2822), "solution is 2822 digits (\"0000"),
        (4, json!("x".repeat(2816)), "solution is \"xxxx"),
        (4, json!("é".repeat(1408)), "solution is \"éééé"),
        (
            4,
            json!(""),
            "solution is 0 digits (\"\"), expected 2816, or 2822 that begin with fd8005",
        ),
        (4, json!(["00"]), "solution is [\"00\"], expected a string"),
    ] {
        let mut params = good();
        params[index] = wrong;
        let reject = parse(params).unwrap_err();
        assert!(reject.reason.starts_with(expected), "{reject}");
        assert!(reject.reason.chars().count() < 180, "{reject}");
        assert_eq!(reject.code, RejectCode::Other);
        let sized = reject.wrong_size.map(|size| size.told);
        assert_eq!(sized, reject.reason.contains("this rig was told").then_some(24), "{reject}");
    }
    for count in [0, 1, 4, 6, 12] {
        let reject = parse(json!(vec!["00"; count])).unwrap_err();
        assert!(reject.reason.starts_with(&format!("mining.submit has {count} parameters")));
    }
    assert_eq!(parse(json!({})).unwrap_err().reason, "params is {}, expected an array");
    let job = notify(&real()).unwrap();
    let share = parse(good()).unwrap();
    let check = |told| {
        let scratch = &mut Default::default();
        check(&dialect(), &job, &en1(told), &share, &Target::MAX, Duration::ZERO, scratch)
    };
    let reject = check("aabbcc").unwrap_err();
    assert_eq!(
        reject.reason,
        "extranonce1 of 3 and extranonce2 of 24 bytes do not fill the nonce's 32"
    );
}

#[test]
fn a_time_of_any_form_is_taken_and_goes_on_in_16_digits() {
    let job = notify(&real()).unwrap();
    for (time, told) in [
        (json!("000000006b00b3a4"), "000000006b00b3a4"),
        (json!("6b00B3a4"), "000000006b00b3a4"),
        (json!("0x6b00b3a4"), "000000006b00b3a4"),
        (json!("00000000000000006b00b3a4"), "000000006b00b3a4"),
        (json!(0x6b00_b3a4_u32), "000000006b00b3a4"),
        (json!(1_795_208_343.0), "000000006b00b497"),
        (json!(1_795_208_343.5), "0000000000000000"),
        (json!("10000000000000000"), "0000000000000000"),
        (json!("now"), "0000000000000000"),
        (json!("+6b00b3a4"), "0000000000000000"),
        (json!(""), "0000000000000000"),
        (json!(null), "0000000000000000"),
        (json!(-1), "0000000000000000"),
        (json!([1]), "0000000000000000"),
    ] {
        let mut params = good();
        params[2] = time.clone();
        let share = parse(params).unwrap();
        let sent = written(|out| {
            dialect().tell_pool(
                PoolCall::Submit { id: 9, worker: "w", job: &job, prefix: &[], share: &share },
                out,
            );
        });
        assert_eq!(sent["params"][2], told, "{time}");
        let one = share.fingerprint();
        assert_eq!(one, parse(good()).unwrap().fingerprint());
    }
}

#[test]
fn a_share_is_judged_by_its_hash_first_and_by_its_solution_where_that_is_good() {
    let row = vector(BLOCK);
    let (job, share) = (notify(&real()).unwrap(), parse(good()).unwrap());
    let extranonce1 = const_hex::decode(&text(&row, "nonce")[..16]).unwrap();
    let mut scratch = Scratch::default();
    let mut judge = |job: &Job, share: &Share, target: &Target| {
        let judged = share::judge(job, &extranonce1, share, target, &mut scratch);
        judged.map(|judged| (judged.hash.to_string(), judged.meets_target, judged.block))
    };
    let hash = text(&row, "pow_hash").to_owned();
    let edge = Target::from_hex(&hash).unwrap();
    let with = |meets, block| Ok((hash.clone(), meets, block));
    assert_eq!(judge(&job, &share, &Target::MAX), with(true, Some(true)));
    assert_eq!(judge(&job, &share, &edge), with(false, None), "its solution was not looked at");
    let harder = Job { target: edge, ..job.clone() };
    assert_eq!(judge(&harder, &share, &Target::MAX), with(true, Some(false)));
    assert_eq!(judge(&harder, &share, &edge), with(false, Some(false)));
    assert_eq!(share::hash(&job, &extranonce1, &share).unwrap().to_string(), hash);
    let mut bad = share;
    bad.solution[7] ^= 1;
    let refused = judge(&job, &bad, &Target::MAX).unwrap_err();
    assert!(refused.reason.starts_with("invalid solution: "), "{refused}");
    assert!(judge(&job, &bad, &Target::ZERO).is_ok());
    assert!(share::hash(&job, &extranonce1[1..], &bad).is_err());
}

#[test]
fn the_head_of_a_submit() {
    let params = raw(good());
    let head = heard_submit(&dialect(), &params).unwrap();
    assert_eq!((&*head.worker, &*head.job.text), ("0xa0.rig1", "1"));
    for (wrong, expected) in [
        (json!([1, "j"]), "worker is 1"),
        (json!(["w", 2]), "job id is 2"),
        (json!(["w"]), "mining.submit has 1 parameters"),
        (json!("w"), "params is "),
    ] {
        let reject = heard_submit(&dialect(), &raw(wrong)).unwrap_err();
        assert!(reject.reason.starts_with(expected), "{reject}");
    }
}

#[test]
fn the_pools_target_is_what_it_announced_last() {
    let job = notify(&real()).unwrap();
    let target = |byte| Target::from_be_bytes([byte; 32]);
    let difficulty = |value| Some(ShareTarget::Difficulty(Difficulty::new(value).unwrap()));
    let price = |announced, known| dialect().price(&job, &announced, known);
    let of = |target, difficulty| {
        price(Announced { target, difficulty }, Habits::default()).wanted.surely(Habits::default())
    };
    assert_eq!(of(None, None), job.target);
    assert_eq!(of(Some(target(9)), difficulty(512.0)), target(9));
    // Beside a difficulty alone it depends on the pool.
    let judged = |difficulty, answer| {
        let known = Habits::default().with(Habit::NotifyTarget, answer);
        price(Announced { target: None, difficulty }, known).wanted.surely(known)
    };
    let network = |difficulty| judged(difficulty, Some(Answer::Usual));
    assert_eq!(network(Some(ShareTarget::Target(target(7)))), target(7));
    assert_eq!(network(difficulty(512.0)).to_string(), format!("0080{}", "0".repeat(60)));
    assert_eq!(network(difficulty(0.01)), Target::MAX);
    assert_eq!(judged(difficulty(512.0), Some(Answer::Other)), job.target);
    let seven = Announced { target: None, difficulty: Some(ShareTarget::Target(target(7))) };
    let wanted = price(seven, Habits::default()).wanted;
    let unknown = Habits::default();
    assert_eq!(wanted.surely(unknown), target(7).harder(job.target));
    assert_eq!(wanted.perhaps(unknown), target(7).easier(job.target));
    assert_eq!(wanted.doubt(unknown).map(|(habit, _)| habit), Some(Habit::NotifyTarget));
    for (option, surely) in [(NotifyTarget::Network, target(7)), (NotifyTarget::Share, job.target)]
    {
        let told = Aion::new(Options::default().with_notify_target(option));
        assert_eq!(told.price(&job, &seven, Habits::default()).wanted, Wanted::sure(surely));
    }
}

#[test]
fn blocks_are_told_where_the_notify_has_the_networks_target() {
    let job = notify(&real()).unwrap();
    let block = PowHash::from_be_bytes([0; 32]);
    let edge = PowHash::from_be_bytes(job.target.to_be_bytes());
    let is_block = |announced, known: Option<Answer>, hash| {
        let known = Habits::default().with(Habit::NotifyTarget, known);
        let block = dialect().price(&job, &announced, known).block;
        block.map(|block| dialect().rules().good.meets(hash, &block))
    };
    let nothing = Announced::default();
    assert_eq!(is_block(nothing, None, &block), Some(true));
    assert_eq!(is_block(nothing, None, &edge), Some(false));
    assert_eq!(is_block(nothing, Some(Answer::Other), &block), None, "behind a proxy");
    let announced = |target| Announced { target: Some(target), difficulty: None };
    assert_eq!(is_block(announced(Target::MAX), None, &block), Some(true));
    assert_eq!(is_block(announced(job.target), None, &block), None, "a proxy tells it twice");
    let by_difficulty = Announced {
        target: None,
        difficulty: Some(ShareTarget::Difficulty(Difficulty::new(1.0).unwrap())),
    };
    assert_eq!(is_block(by_difficulty, None, &block), None);
    assert_eq!(is_block(by_difficulty, Some(Answer::Usual), &block), Some(true));
}

#[test]
fn refusals_of_both_families() {
    let cases = [
        ("[21,\"job not found\"]", Refusal::Stale),
        ("{\"code\":-1,\"message\":\"stale share\",\"data\":null}", Refusal::Stale),
        ("[22,\"duplicate share\"]", Refusal::Duplicate),
        ("{\"code\":-1,\"message\":\"duplicate share\",\"data\":null}", Refusal::Duplicate),
        ("[20,\"Header hash larger than target\"]", Refusal::LowDifficulty),
        ("{\"code\":23,\"message\":\"low difficulty share (0.3)\"}", Refusal::LowDifficulty),
        ("[20,\"incorrect size of ntime\"]", Refusal::Form),
        ("[20,\"incorrect size of nonce\"]", Refusal::Form),
        ("[20,\"incorrect size of solution\",null]", Refusal::Form),
        ("[20,\"invalid hex in extraNonce2\"]", Refusal::Form),
        ("{\"code\":-1,\"message\":\"malformed PoW result\"}", Refusal::Form),
        ("[20,\"invalid solution\"]", Refusal::Other),
        ("{\"code\":20,\"message\":\"invalid solution\",\"data\":null}", Refusal::Other),
        ("[24,\"unauthorized worker\",null]", Refusal::Unauthorized),
        ("[25,\"not subscribed\",null]", Refusal::Unauthorized),
        ("{\"code\":-1,\"message\":\"invalid request\"}", Refusal::Other),
        ("\"nope\"", Refusal::Other),
    ];
    for (error, expected) in cases {
        assert_eq!(testing::refusal(&dialect(), &raw(error)), expected, "{error}");
    }
}

#[test]
fn solutions_of_one_nonce_are_different_shares() {
    let (one, mut other) = (parse(good()).unwrap(), parse(good()).unwrap());
    let print = |share: &Share| share.fingerprint();
    assert_eq!(print(&one), print(&other));
    other.time += 1;
    assert_eq!(print(&one), print(&other), "the time is not hashed");
    other.solution[1407] ^= 1;
    assert_ne!(print(&one).share, print(&other).share);
    assert_eq!(print(&one).nonce, print(&other).nonce);
    other.extranonce2 = Extranonce::from_slice(&[0; 24]).unwrap();
    assert_ne!(print(&one).nonce, print(&other).nonce);
}

/// Real shares as rigs would have sent them that get their nonces wrong.
#[test]
fn mistakes_are_named() {
    let row = vector("wire_submit_3");
    let job = notify(&notify_of(&row)).unwrap();
    let share = |extranonce2: &str| {
        let mut submit = submit_of(&row, 8);
        submit[3] = extranonce2.into();
        read_share(&dialect(), &job, extranonce2.len() / 2, &raw(submit)).unwrap()
    };
    let nonce = text(&row, "nonce");
    let diagnose = |told: &str, pool, share: &Share, target: &Target| {
        diagnose(&dialect(), &job, &en1(told), pool, share, target)
    };
    let pool = &nonce[..16];
    let told = format!("{pool}abcd");
    let reversed =
        const_hex::encode(const_hex::decode(nonce).unwrap().into_iter().rev().collect::<Vec<u8>>());
    let none = &Target::MAX;
    for (told, share, expected) in [
        // The pool's bytes, then its counter at once.
        (&*told, share(&nonce[16..60]), Some(Diagnosis::TRUNCATES_EXTRANONCE1)),
        (&*format!("{}ab", &nonce[..18]), share(&nonce[20..]), None),
        (&reversed[..20], share(&reversed[20..]), Some(Diagnosis::REVERSED_NONCE)),
        (&*told, share(&nonce[20..]), None),
    ] {
        assert_eq!(diagnose(told, 8, &share, none), expected, "{told}");
    }
    // Zeros where the prefix should be: the real nonce's bytes 9 and 10 are such.
    let told = format!("{}abcd", &nonce[..18]);
    let zeros = share(&nonce[22..]);
    assert_eq!(diagnose(&told, 9, &zeros, none), Some(Diagnosis::TRUNCATES_EXTRANONCE1));
    assert_eq!(diagnose(&told, 9, &zeros, &Target::ZERO), None, "nor does it meet the target");
    assert_eq!(diagnose(&told, 40, &zeros, none), None);
}
