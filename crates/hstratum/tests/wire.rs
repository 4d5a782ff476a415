//! What the dialect writes and reads, line by line.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use orepass_hstratum::job::Job;
use orepass_hstratum::share::{Nonce, Share};
use orepass_hstratum::{DifficultyScale, Hstratum, Options};
use orepass_stratum::dialect::{
    Announced, Diagnosis, Dialect, Fingerprinted, PoolCall, Refusal, RigSay, RigSpace, ShareTarget,
    Work,
};
use orepass_stratum::error::{Reject, RejectCode, WrongSize};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::habits::Habits;
use orepass_stratum::job::JobId;
use orepass_stratum::rpc::Id;
use orepass_stratum::target::{Difficulty, Target};
use orepass_stratum::testing::{self, check, diagnose, form, heard_submit, read_share};
use serde_json::{Value, json};
use support::{dialect, notify, raw, vectors, written};

const NUMBER: JobId = JobId::new(0x5e49_aa25);

fn real() -> Value {
    vectors("stratum")[0]["notify_params"].clone()
}

fn masked() -> Value {
    let rows = vectors("stratum");
    rows.iter().find(|row| row["name"].as_str().unwrap().contains("non-zero mask")).unwrap()
        ["notify_params"]
        .clone()
}

fn seed(index: usize) -> Value {
    vectors("seed_generation")[index]["params"].clone()
}

fn parse(params: Value) -> Result<Share, Reject> {
    read_share(&dialect(), &notify(&real()).unwrap(), 4, &raw(params))
}

fn en1(text: &str) -> Extranonce {
    text.parse().unwrap()
}

#[test]
fn jobs_come_out_as_the_same_work() {
    let rows = vectors("stratum").into_iter().map(|row| row["notify_params"].clone());
    for params in rows.chain((0..4).map(seed)) {
        let job = notify(&params).unwrap();
        let line = written(|out| dialect().notify(NUMBER, &job, &Target::MAX, form(false), out));
        assert_eq!((&line["method"], &line["id"]), (&json!("mining.notify"), &Value::Null));
        let mut expected = params.clone();
        expected[0] = "5e49aa25".into();
        assert_eq!(line["params"], expected, "all fields as the pool sent them but the id");
        let again = notify(&line["params"]).unwrap();
        assert!(job.key() == again.key() && !again.supersedes(&job));
        assert_eq!((again.id(), again.time()), ("5e49aa25", job.time()));
    }
    let line = written(|out| {
        dialect().notify(NUMBER, &notify(&seed(0)).unwrap(), &Target::MAX, form(true), out);
    });
    assert_eq!(line["params"][11], true, "clean as given");
}

#[test]
fn a_trailing_boolean_is_let_pass_and_not_repeated() {
    for params in [real(), masked()] {
        let mut longer = params.clone();
        longer.as_array_mut().unwrap().push(true.into());
        let (job, with) = (notify(&params).unwrap(), notify(&longer).unwrap());
        assert_eq!(job.key(), with.key());
        let line = written(|out| dialect().notify(NUMBER, &with, &Target::MAX, form(true), out));
        assert_eq!(line["params"].as_array().unwrap().len(), params.as_array().unwrap().len());
    }
}

#[test]
fn an_empty_mask_hash_is_a_mask_of_zeros() {
    let plain = notify(&real()).unwrap();
    for empty in [json!(null), json!("")] {
        for clean in [&[][..], &[json!(true)]] {
            let mut params = real();
            params.as_array_mut().unwrap().push(empty.clone());
            params.as_array_mut().unwrap().extend(clean.iter().cloned());
            let job = notify(&params).unwrap();
            assert_eq!(job.key(), plain.key(), "{params}");
            assert!(job.block_target().is_some(), "{params}");
            let line = written(|out| dialect().notify(NUMBER, &job, &Target::MAX, form(true), out));
            assert_eq!(line["params"].as_array().unwrap().len(), 9, "{params}");
        }
    }
}

#[test]
fn a_clean_flag_may_be_quoted() {
    for (flag, clean) in [(json!("true"), true), (json!("False"), false)] {
        let mut params = seed(0);
        params[11] = flag.clone();
        let Job::Seed(job) = notify(&params).unwrap() else { panic!("{params}") };
        assert_eq!(job.parts().clean, clean);
        let mut params = real();
        params.as_array_mut().unwrap().push(flag);
        assert_eq!(notify(&params).unwrap().key(), notify(&real()).unwrap().key());
    }
}

#[test]
fn work_differs_by_every_field_but_id_and_time() {
    for (params, outside) in
        [(real(), vec![0, 8]), (masked(), vec![0, 8]), (seed(0), vec![0, 10, 11])]
    {
        let job = notify(&params).unwrap();
        for index in 0..params.as_array().unwrap().len() {
            let mut other = params.clone();
            let field = &mut other[index];
            *field = match field.clone() {
                Value::String(text) if text.is_empty() => "00".into(),
                Value::String(text) => {
                    let last = if text.ends_with('0') { "1" } else { "0" };
                    format!("{}{last}", &text[..text.len() - 1]).into()
                }
                Value::Array(_) => json!(["00".repeat(32)]),
                Value::Bool(clean) => (!clean).into(),
                other => panic!("{other}"),
            };
            let other = notify(&other).unwrap();
            assert_eq!(job.key() == other.key(), outside.contains(&index), "{index}");
            let clean = matches!(&other, Job::Seed(seed) if seed.parts().clean);
            assert_eq!(other.supersedes(&job), index == 1 || clean, "{index}");
        }
    }
    assert!(notify(&real()).unwrap().supersedes(&notify(&seed(0)).unwrap()));
}

#[test]
fn a_bad_notify_names_its_field() {
    let names = [
        "job id",
        "prevBlock",
        "merkleRoot",
        "witnessRoot",
        "treeRoot",
        "reservedRoot",
        "version",
        "bits",
        "time",
        "maskHash",
    ];
    let seed_names = [
        "job id",
        "prevBlock",
        "coinb1",
        "coinb2",
        "branches",
        "treeRoot",
        "filterRoot",
        "reservedRoot",
        "version",
        "bits",
        "time",
        "clean",
    ];
    for (params, names) in [(masked(), &names[..]), (seed(0), &seed_names)] {
        for (index, name) in names.iter().enumerate() {
            for wrong in [json!(7), json!(null), json!("xyz".repeat(30)), json!([1]), json!({})] {
                let mut params = params.clone();
                params[index] = wrong.clone();
                if *name == "maskHash" && wrong.is_null() {
                    continue;
                }
                let error = notify(&params).unwrap_err().to_string();
                assert!(error.starts_with(&format!("{name} is ")), "{name} {wrong}: {error}");
            }
        }
    }
    let mut params = real();
    params[7] = "1d80ffff".into();
    let error = notify(&params).unwrap_err().to_string();
    assert_eq!(error, "bits is \"1d80ffff\", expected a compact target");
    for count in [0, 1, 5, 8, 11, 14, 40] {
        let error = notify(&json!(vec!["00"; count])).unwrap_err().to_string();
        assert!(error.contains(&format!("mining.notify has {count} parameters")), "{error}");
    }
    assert!(notify(&json!({})).unwrap_err().to_string().starts_with("params is {}"));
}

#[test]
fn subscribed_rigs_get_extranonce1_as_their_id() {
    let line = written(|out| {
        let id = Id::new(Some(&raw("\"x1\""))).unwrap();
        let given = RigSpace { extranonce1: &en1("02c05bfd2f"), extranonce2: 3 };
        let say = RigSay::Subscribed { id: &id, session: "5e55", given };
        dialect().tell_rig(say, &Default::default(), out);
    });
    let id = "02c05bfd2f";
    let expected = json!([[["mining.notify", id], ["mining.set_difficulty", id]], id, 3]);
    assert_eq!(line, json!({"id": "x1", "result": expected, "error": null}));
}

#[test]
fn requests_to_the_pool() {
    let line = written(|out| {
        dialect().tell_pool(
            PoolCall::Subscribe { id: 1, agent: "orepass/0.1", former: None, server: None },
            out,
        );
    });
    assert_eq!(line["params"], json!(["orepass/0.1"]));
    let line = written(|out| {
        dialect().tell_pool(
            PoolCall::Subscribe {
                id: 1,
                agent: "orepass/0.1",
                former: Some("02c05bfd"),
                server: None,
            },
            out,
        );
    });
    assert_eq!(line["params"], json!(["orepass/0.1", "02c05bfd"]));

    let job = notify(&real()).unwrap();
    let zeros = "0".repeat(64);
    let cases = [
        (json!(["r", "1", "00AB01", "5e49aa25", "73A37DDB"]), json!("73a37ddb"), None),
        (json!(["r", "1", "00ab01", "5e49aa25", "0000000073a37ddb"]), json!("73a37ddb"), None),
        (
            json!(["r", "1", "00ab01", "5e49aa25", "73a37ddb", zeros]),
            json!("73a37ddb"),
            Some(zeros.as_str()),
        ),
        (json!(["r", "1", "00ab01", "000000005e49aa25", "73a37ddb", ""]), json!("73a37ddb"), None),
    ];
    for (params, nonce, mask) in cases {
        let share = read_share(&dialect(), &job, 3, &raw(params)).unwrap();
        let line = written(|out| {
            dialect().tell_pool(
                PoolCall::Submit {
                    id: 9,
                    worker: "acct.\"rig\"",
                    job: &job,
                    prefix: &[0x2f],
                    share: &share,
                },
                out,
            );
        });
        let mut expected = json!(["acct.\"rig\"", "gTvmBBIuLW", "2f00ab01", "5e49aa25", nonce]);
        expected.as_array_mut().unwrap().extend(mask.map(Value::from));
        assert_eq!(line, json!({"id": 9, "method": "mining.submit", "params": expected}));
    }
}

#[test]
fn a_bad_submit_names_its_field() {
    let good = ["r", "1", "aa923a8b", "5e49aa25", "73a37ddb"];
    assert!(parse(json!(good)).is_ok());
    let cases: [(usize, &[&str], &str); 3] = [
        (2, &["aa923a8", "xx923a8b", "0x923a8b", " a923a8b"], "extranonce2 is "),
        (3, &["", "+e49aa25", "0x5e49aa", "15e49aa25", "0000000000005e49aa25"], "ntime is "),
        (4, &["", "73a37dd", "73a37ddb0", "0000000173a37ddb", "+3a37ddb", "é3a37dd"], "nonce is "),
    ];
    for (index, values, expected) in cases {
        let wrong_types = [json!(5), json!(null), json!(["aa923a8b"])];
        for value in values.iter().map(|text| json!(text)).chain(wrong_types) {
            let mut params = json!(good);
            params[index] = value.clone();
            let reject = parse(params).unwrap_err();
            assert!(reject.reason.starts_with(expected), "{value}: {reject}");
            assert_eq!(reject.code, RejectCode::Other);
        }
    }
    for count in [0, 1, 2, 4, 7] {
        let reject = parse(json!(vec!["00000000"; count])).unwrap_err();
        assert!(reject.reason.contains(&format!("has {count} parameters")), "{reject}");
    }
    assert!(parse(json!({})).unwrap_err().reason.starts_with("params is {}"));
}

#[test]
fn a_sixth_parameter_never_costs_a_share() {
    let five = ["r", "1", "aa923a8b", "5e49aa25", "73a37ddb"];
    let plain = parse(json!(five)).unwrap();
    for sixth in [json!("00"), json!(""), json!("x".repeat(64)), json!(null), json!(7), json!([1])]
    {
        let mut params = json!(five);
        params.as_array_mut().unwrap().push(sixth);
        assert_eq!(parse(params.clone()).unwrap(), plain, "{params}");
    }
    let job = notify(&seed(0)).unwrap();
    let nonce = "00".repeat(32);
    let params = raw(json!(["r", "1", "00000001", "5e49aa25", nonce, nonce]));
    assert_eq!(read_share(&dialect(), &job, 4, &params).unwrap().mask, None);
}

#[test]
fn an_extranonce2_of_another_length_is_told_with_both() {
    let job = notify(&real()).unwrap();
    let params = raw(json!(["r", "1", "00000001", "5e49aa25", "73a37ddb"]));
    let reject = read_share(&dialect(), &job, 3, &params).unwrap_err();
    assert_eq!(reject.reason, "extranonce2 is 4 bytes (\"00000001\"), this rig was told 3");
    assert_eq!(reject.wrong_size, Some(WrongSize { found: 4, told: 3 }));
    assert_eq!(reject.code, RejectCode::Other);
    let long = raw(json!(["r", "1", "00".repeat(500), "5e49aa25", "73a37ddb"]));
    let reject = read_share(&dialect(), &job, 500, &long).unwrap_err();
    assert!(reject.reason.contains("expected no longer than the header's 24 bytes"), "{reject}");
    assert_eq!(reject.wrong_size, None, "no other length was told");
}

#[test]
fn the_head_of_a_submit() {
    let params = raw(r#"["w\u00e9","5e49aa25"]"#);
    let head = heard_submit(&dialect(), &params).unwrap();
    assert_eq!((&*head.worker, &*head.job.text), ("wé", "5e49aa25"));
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
fn times_are_bounded_by_the_job_alone() {
    let job = notify(&real()).unwrap();
    let check = |time: u64, age: u64| {
        let share = Share::new(&[0; 4], time as u32, Nonce::Deployed(0)).unwrap();
        let age = Duration::from_secs(age);
        check(&dialect(), &job, &en1("02c05bfd"), &share, &Target::MAX, age, &mut ())
    };
    let time = job.time();
    for (good, age) in [(time, 0), (time + 7_000, 0), (time + 7_060, 60)] {
        assert!(check(good, age).is_ok(), "{good} {age}");
    }
    let old = check(time - 1, 60).unwrap_err();
    assert_eq!(old.reason, "time too old: ntime is 5e49aa24, the job's time is 5e49aa25");
    let new = check(time + 7_061, 60).unwrap_err();
    assert_eq!(new.reason, "time too new: ntime is 5e49c5ba, the latest for this job is 5e49c5b9");
    assert_eq!((old.code, new.code), (RejectCode::Other, RejectCode::Other));
    let share = Share::new(&[0; 4], time as u32, Nonce::Deployed(0)).unwrap();
    assert!(job.serves(&share));
    let mut later = real();
    later[8] = format!("{:08x}", time + 1).into();
    assert!(!notify(&later).unwrap().serves(&share));
}

fn wanted(dialect: &Hstratum, job: &Job, announced: &Announced) -> Target {
    dialect.price(job, announced, Habits::default()).wanted.surely(Habits::default())
}

#[test]
fn the_pools_target_depends_on_scale_and_generation() {
    let (deployed, masked, seed) =
        (notify(&real()).unwrap(), notify(&masked()).unwrap(), notify(&seed(0)).unwrap());
    let hstratum =
        Hstratum::new(Options::default().with_difficulty_scale(DifficultyScale::Hstratum));
    let none = Announced::default();
    let regtest = Target::from_compact(0x207f_ffff).unwrap();
    let target = |bits| Target::from_compact(bits).unwrap();
    assert_eq!(wanted(&dialect(), &deployed, &none), target(0x1d00_ffff));
    assert_eq!(wanted(&dialect(), &masked, &none), target(0x1d00_ffff));
    assert_eq!(wanted(&hstratum, &deployed, &none), target(0x1e00_ffff));
    assert_eq!(wanted(&hstratum, &masked, &none), target(0x1e00_ffff), "blocks are not known");
    assert_eq!(wanted(&dialect(), &seed, &none), regtest, "easier blocks count as shares");
    let three = ShareTarget::Difficulty(Difficulty::new(3.0).unwrap());
    let announced = Announced { target: None, difficulty: Some(three) };
    assert_eq!(wanted(&hstratum, &deployed, &announced), target(0x1d55_5555));
    let announced = Announced { target: Some(Target::ZERO), ..announced };
    assert_eq!(wanted(&hstratum, &seed, &announced), Target::ZERO);
}

#[test]
fn difficulties_are_told_on_the_rigs_scale() {
    let job = notify(&real()).unwrap();
    let told = |rig: Option<DifficultyScale>, bits: u32| {
        let dialect = Hstratum::new(Options::default().with_rig_difficulty_scale(rig));
        let mut out = bytes::BytesMut::new();
        let target = Target::from_compact(bits).unwrap();
        let difficulty = dialect.scale(&job).difficulty_lossy(target);
        let say = RigSay::Target { target: &target, difficulty };
        dialect.tell_rig(say, &Default::default(), &mut out);
        assert_eq!(dialect.scale(&job).target(difficulty), target);
        let line = String::from_utf8(out.to_vec()).unwrap();
        let params = line.split("\"params\":").nth(1).unwrap();
        params.trim_end_matches("}\n").to_owned()
    };
    assert_eq!(told(None, 0x1d00_ffff), "[1]");
    assert_eq!(told(None, 0x1c00_ffff), "[256]");
    assert_eq!(told(None, 0x1e00_ffff), "[0.00390625]");
    assert_eq!(told(None, 0x1d01_fffe), "[0.5]");
    assert_eq!(told(Some(DifficultyScale::Hstratum), 0x1d00_ffff), "[256]");
    assert_eq!(told(Some(DifficultyScale::Powlimit), 0x1d00_ffff), "[0.00390625]");
}

#[test]
fn fingerprints_tell_shares_apart() {
    let share = |extranonce2: &[u8], time, nonce| {
        let share = Share::new(extranonce2, time, Nonce::Deployed(nonce)).unwrap();
        share.fingerprint()
    };
    let one = share(&[0, 1], 2, 3);
    assert_eq!(one, share(&[0, 1], 2, 3));
    for other in
        [share(&[1, 1], 2, 3), share(&[0, 0, 1], 2, 3), share(&[0, 1], 3, 3), share(&[0, 1], 2, 4)]
    {
        assert_ne!(one, other);
    }
    assert_eq!(one, share(&[0, 1, 0], 2, 3), "the header is filled up with zeros");
    assert_eq!(one.nonce, None);
}

#[test]
fn refusals_of_the_hstratum_family() {
    let read = |text: &str| testing::refusal(&dialect(), &raw(text));
    assert_eq!(read("[0,\"invalid params\",false]"), Refusal::Form);
    assert_eq!(read("[0,\"not up to date\",false]"), Refusal::Stale);
    assert_eq!(read("[23,\"high-hash\",false]"), Refusal::LowDifficulty);
    assert_eq!(read("[21,\"stale-prevblk\",false]"), Refusal::Stale);
    assert_eq!(read("[20,\"time too new\",false]"), Refusal::Other);
}

/// The real share, as rigs of several kinds would have sent it wrongly.
#[test]
fn mistakes_are_named() {
    let row = &vectors("stratum")[0];
    let job = notify(&row["notify_params"]).unwrap();
    let rig = en1("02c05bfd");
    let target = Target::from_compact(0x1d00_ffff).unwrap();
    let good = parse(json!(["r", "1", "aa923a8b", "5e49aa25", "73a37ddb"])).unwrap();
    let diagnose = |one: &Extranonce, share: &Share, target: &Target| {
        diagnose(&dialect(), &job, one, 4, share, target)
    };
    let mut reversed = good;
    reversed.nonce = Nonce::Deployed(0xdb7d_a373);
    assert_eq!(diagnose(&rig, &reversed, &target), Some(Diagnosis::REVERSED_NONCE));
    let mut reversed = good;
    reversed.time = 0x25aa_495e;
    assert_eq!(diagnose(&rig, &reversed, &target), Some(Diagnosis::REVERSED_TIME));
    let longer = rig.join(&[0x2f]).unwrap();
    assert_eq!(diagnose(&longer, &good, &target), Some(Diagnosis::TRUNCATES_EXTRANONCE1));
    let harder = DifficultyScale::Bitcoin.scale().target(Difficulty::new(200.0).unwrap());
    assert_eq!(diagnose(&rig, &good, &harder), Some(Diagnosis::OTHER_DIFFICULTY_SCALE));
    let mut other = good;
    other.nonce = Nonce::Deployed(1);
    assert_eq!(diagnose(&rig, &other, &target), None);
    assert_eq!(diagnose(&longer, &good, &Target::MAX), None, "luck explains as much");
}
