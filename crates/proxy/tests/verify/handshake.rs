//! `orepass verify`, as a program: real shares of Handshake, whole and damaged.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::run::verify;
use crate::verify_one;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/handshake.json")).unwrap()
}

/// The request for a share of the vectors.
fn request(vector: &Value) -> Value {
    json!({
        "dialect": "hstratum",
        "notify": vector["notify_params"],
        "extranonce1": vector["extranonce1"],
        "submit": [
            "account.rig",
            vector["notify_params"][0],
            vector["extranonce2"],
            vector["ntime"],
            vector["nonce"],
        ],
    })
}

/// A share that a mainnet pool accepted at difficulty 1.
fn mainnet() -> (Value, Value) {
    let vector = vectors()["stratum"][0].clone();
    (request(&vector), vector)
}

#[test]
fn a_share_that_a_pool_accepted_is_good() {
    let (mut request, vector) = mainnet();
    for difficulty in [Value::Null, json!(1), json!(1.24)] {
        request["difficulty"] = difficulty;
        let (answer, code) = verify_one(&request);
        assert_eq!((&answer["ok"], code), (&json!(true), 0), "{answer}");
        assert_eq!(answer["line"], 1);
        assert_eq!(answer["hash"], vector["shareHash"]);
        assert_eq!(answer["header"], vector["header236"]);
        assert_eq!((&answer["meets_target"], &answer["block"]), (&json!(true), &json!(false)));
        let difficulty = answer["difficulty"].as_f64().unwrap();
        assert!((difficulty - 1.2495).abs() < 1e-3, "{difficulty}");
    }
}

#[test]
fn a_share_below_its_target_is_refused_with_hash_and_target() {
    let (mut request, vector) = mainnet();
    request["difficulty"] = json!(2);
    let (answer, code) = verify_one(&request);
    assert_eq!((&answer["ok"], &answer["code"], code), (&json!(false), &json!(23), 1));
    assert_eq!(
        answer["reason"].as_str().unwrap(),
        "the hash 00000000cce0362e64a7c40b39967d0b42a71f3984a68e8636ae4bd8ac86801e misses the \
         target 000000007fff8000000000000000000000000000000000000000000000000000"
    );
    assert_eq!((&answer["hash"], &answer["header"]), (&vector["shareHash"], &vector["header236"]));
    assert_eq!(answer["meets_target"], false);

    request["options"] = json!({ "difficulty_scale": "hstratum" });
    assert_eq!(verify_one(&request).0["ok"], true, "256 times easier");
}

/// A power of two whose decimal a reader that rounds badly takes for its neighbour.
#[test]
fn a_difficulty_is_read_to_the_last_bit_as_in_a_live_session() {
    let (mut request, _) = mainnet();
    request["options"] = json!({ "difficulty_scale": "powlimit" });
    damage(&mut request["submit"][4]);
    for (difficulty, target) in [
        ("1.1641532182693481e-10", format!("01fffe{}", "0".repeat(58))),
        ("\"1.1641532182693481e-10\"", format!("01fffe{}", "0".repeat(58))),
        ("0.1", "0000000009fff5ffffffffd800280000".to_owned()),
    ] {
        request["difficulty"] = Value::Null;
        let line = format!("{request}\n");
        let line = line.replace("\"difficulty\":null", &format!("\"difficulty\":{difficulty}"));
        let (answers, _) = verify(&line);
        let reason = answers[0]["reason"].as_str().unwrap();
        let told = reason.rsplit(' ').next().unwrap();
        assert_eq!(told[..32], target[..32], "{difficulty}: {reason}");
    }
    for (wrong, expected) in [
        (json!(0), "difficulty is 0, expected a number above zero"),
        (json!("x"), "difficulty is \"x\", expected a number above zero"),
        (json!([1]), "difficulty is [1], expected a number above zero"),
    ] {
        request["difficulty"] = wrong;
        assert_eq!(verify_one(&request).0["reason"], expected);
    }
    request["difficulty"] = json!(1);
    request["target"] = json!("f".repeat(64));
    let (answer, _) = verify_one(&request);
    assert_eq!(answer["reason"], "give the difficulty or the target, not both");
}

#[test]
fn the_target_may_be_given_itself() {
    let (mut request, vector) = mainnet();
    request["target"] = vector["shareHash"].clone();
    assert_eq!(verify_one(&request).0["ok"], true, "a hash meets itself");
    request["target"] = json!("00000000cce0362e64a7c40b39967d0b42a71f3984a68e8636ae4bd8ac86801d");
    assert_eq!(verify_one(&request).0["code"], 23);
    request["target"] = json!("00");
    let (answer, _) = verify_one(&request);
    assert_eq!(answer["code"], 20);
    assert_eq!(answer["reason"], "target is \"00\", expected 64 hex digits");
    request["target"] = json!("0".repeat(64));
    assert_eq!(verify_one(&request).0["code"], 23, "no hash is that low");
}

/// Another digit in the place of a hex string's last.
fn damage(value: &mut Value) {
    let text = value.as_str().unwrap();
    let (head, last) = text.split_at(text.len() - 1);
    let digit = u32::from_str_radix(last, 16).unwrap();
    *value = format!("{head}{:x}", (digit + 1) % 16).into();
}

#[test]
fn one_changed_digit_anywhere_is_found() {
    let (good, _) = mainnet();
    let places = [
        ("previous block", "/notify/1"),
        ("merkle root", "/notify/2"),
        ("witness root", "/notify/3"),
        ("tree root", "/notify/4"),
        ("reserved root", "/notify/5"),
        ("version", "/notify/6"),
        ("bits", "/notify/7"),
        ("extranonce1", "/extranonce1"),
        ("extranonce2", "/submit/2"),
        ("time", "/submit/3"),
        ("nonce", "/submit/4"),
    ];
    let mut lines = String::new();
    for (_, place) in places {
        let mut request = good.clone();
        damage(request.pointer_mut(place).unwrap());
        lines += &format!("{request}\n");
    }
    let (answers, code) = verify(&lines);
    assert_eq!((answers.len(), code), (places.len(), 1));
    for ((field, _), answer) in places.into_iter().zip(answers) {
        assert_eq!((&answer["ok"], &answer["code"]), (&json!(false), &json!(23)), "{field}");
        assert!(answer["reason"].as_str().unwrap().contains("misses the target"), "{field}");
    }
}

#[test]
fn every_share_of_the_vectors_hashes_as_recorded() {
    for vector in vectors()["stratum"].as_array().unwrap() {
        let mut request = request(vector);
        // The easiest target of all: what counts here is the hash.
        request["target"] = json!("f".repeat(64));
        let (answer, code) = verify_one(&request);
        assert_eq!((&answer["hash"], code), (&vector["shareHash"], 0), "{}", vector["name"]);
    }
}

#[test]
fn what_the_submit_lacks_is_named() {
    let (good, _) = mainnet();
    let cases: [(&str, Value, u8, &str); 8] = [
        ("/submit/1", json!("other"), 21, "job not found: other"),
        ("/submit/3", json!("5e49aa24"), 20, "time"),
        ("/submit/4", json!("73a37ddg"), 20, "nonce"),
        ("/submit/2", json!("aa923a8"), 20, "extranonce2"),
        ("/submit", json!(["account.rig"]), 20, ""),
        ("/extranonce1", json!("02c05bf"), 20, "extranonce1"),
        ("/notify/1", json!("00"), 20, "notify: "),
        ("/dialect", json!("hstratm"), 20, "unknown dialect `hstratm`, did you mean `hstratum`?"),
    ];
    for (place, value, code, reason) in cases {
        let mut request = good.clone();
        *request.pointer_mut(place).unwrap() = value;
        let (answer, exit) = verify_one(&request);
        assert_eq!((&answer["ok"], &answer["code"], exit), (&json!(false), &json!(code), 1));
        assert!(answer["reason"].as_str().unwrap().contains(reason), "{place}: {answer}");
        assert!(answer.get("hash").is_none(), "{place}: {answer}");
    }
    let mut request = good;
    request["extranonce2_size"] = json!(3);
    assert_eq!(verify_one(&request).0["ok"], false, "four bytes came");
    request["extranonce2_size"] = json!(4);
    assert_eq!(verify_one(&request).0["ok"], true);
    request["options"] = json!({ "splitt": "wide" });
    let (answer, _) = verify_one(&request);
    assert_eq!(answer["reason"], "options: unknown option `splitt`, did you mean `split`?");
}

#[test]
fn jobs_that_need_transaction_ids_say_so() {
    let vectors = vectors();
    let cases = vectors["seed_generation"].as_array().unwrap();
    let mut needed = 0;
    for vector in cases {
        let mut request = json!({
            "dialect": "hstratum",
            "notify": vector["params"],
            "extranonce1": vector["extranonce1"],
            "submit": [
                "account.rig",
                vector["params"][0],
                vector["extranonce2"],
                vector["ntime"],
                vector["nonce"],
            ],
            "target": "f".repeat(64),
        });
        let (answer, _) = verify_one(&request);
        if answer["ok"] == false {
            assert_eq!(answer["code"], 20, "{answer}");
            assert!(answer["reason"].as_str().unwrap().contains("add \"transactions\""));
            request["transactions"] = vector["transactions"].clone();
            needed += 1;
        }
        let (answer, code) = verify_one(&request);
        assert_eq!((&answer["hash"], code), (&vector["powHash"], 0), "{answer}");
        assert_eq!(answer["header"], vector["header240"]);
    }
    assert!(needed > 0);
}

#[test]
fn a_coinbase_that_cannot_be_read_is_named_and_no_transactions_are_asked_for() {
    let vectors = vectors();
    for vector in vectors["seed_generation"].as_array().unwrap() {
        let mut notify = vector["params"].clone();
        let whole = notify[2].as_str().unwrap().to_owned();
        notify[2] = json!(whole[..whole.len() - 2]);
        let mut request = json!({
            "dialect": "hstratum",
            "notify": notify,
            "extranonce1": vector["extranonce1"],
            "submit": [
                "account.rig",
                vector["params"][0],
                vector["extranonce2"],
                vector["ntime"],
                vector["nonce"],
            ],
        });
        let expected = "the job's coinbase transaction cannot be read: ";
        for _ in 0..2 {
            let (answer, code) = verify_one(&request);
            assert_eq!((&answer["ok"], code), (&json!(false), 1), "{answer}");
            assert!(answer["reason"].as_str().unwrap().starts_with(expected), "{answer}");
            if vector["transactions"].is_array() {
                request["transactions"] = vector["transactions"].clone();
            }
        }
    }
}

#[test]
fn an_extranonce2_of_any_length_is_found_out_and_what_else_is_wrong_is_named() {
    let (good, _) = mainnet();
    let refused = |extranonce2: &str, time: &str| {
        let mut request = good.clone();
        request["submit"][2] = json!(extranonce2);
        request["submit"][3] = json!(time);
        verify_one(&request).0["reason"].as_str().unwrap().to_owned()
    };
    for size in [0, 1, 4, 20] {
        let extranonce2 = "ab".repeat(size);
        assert!(refused(&extranonce2, "5e49aa25").contains("misses the target"), "{size}");
        assert!(refused(&extranonce2, "now").starts_with("ntime is \"now\""), "{size}");
    }
    assert!(refused(&"ab".repeat(21), "5e49aa25").contains("exceed the header's 24"));
    assert!(refused(&"ab".repeat(25), "5e49aa25").contains("no longer than the header's 24"));
}

#[test]
fn lines_that_are_no_shares_do_not_stop_the_rest() {
    let (good, _) = mainnet();
    let long = "x".repeat(1024 * 1024 + 1);
    let most = format!("{}{good}", " ".repeat(1024 * 1024 - good.to_string().len()));
    let lines = format!("{{\n\n{long}\n\u{fffd}\n[1]\n{most}\n{good}");
    let (answers, code) = verify(&lines);
    assert_eq!(code, 1);
    let numbers: Vec<_> = answers.iter().map(|answer| answer["line"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 3, 4, 5, 6, 7]);
    assert_eq!(answers[1]["reason"], "the line is longer than 1048576 bytes");
    let ok: Vec<_> = answers.iter().map(|answer| answer["ok"].as_bool().unwrap()).collect();
    assert_eq!(ok, [false, false, false, false, true, true]);

    let (answers, code) = verify(b"\xff\n");
    assert_eq!((answers.len(), code), (1, 1));
}

#[test]
fn an_empty_input_is_said_to_be_empty_and_fails() {
    for empty in [&b""[..], b"\n", b" \n\n"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_orepass"))
            .arg("verify")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(empty).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
        assert!(said.contains("there is no share to judge: the input has none"), "{said}");
    }
}

#[test]
fn files_are_read_too() {
    let (good, _) = mainnet();
    let path = std::env::temp_dir().join(format!("orepass-verify-{}", std::process::id()));
    std::fs::write(&path, format!("{good}\n")).unwrap();
    let run = |path: &std::path::Path| {
        Command::new(env!("CARGO_BIN_EXE_orepass")).arg("verify").arg(path).output().unwrap()
    };
    let output = run(&path);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 1);

    let output = run(&path);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("orepass: cannot open "));
}
