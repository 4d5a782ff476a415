//! `orepass verify`, as a program: real shares of Aion, whole and damaged.

use serde_json::{Value, json};

use crate::verify_all;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/aion.json")).unwrap()
}

/// The request for a share of the vectors, with an extranonce1 of so many bytes.
fn request(vector: &Value, extranonce1: usize) -> Value {
    let text = |name: &str| vector[name].as_str().unwrap();
    let (head, tail) = text("nonce").split_at(2 * extranonce1);
    let target = vector["target"].as_str().map_or_else(|| "f".repeat(64), str::to_owned);
    json!({
        "dialect": "aion",
        "notify": ["1", true, target, text("header_hash")],
        "extranonce1": head,
        "submit": ["w", "1", "000000006b00b3a4", tail, format!("fd8005{}", text("solution"))],
    })
}

/// Mainnet blocks, solutions of the kernel's tests and of recorded miners.
#[test]
fn good_solutions_are_good_wherever_extranonce1_ends() {
    let vectors = vectors();
    // One of the kernel's own has a header that no job has.
    let is_job = |vector: &&Value| vector["header_hash"].as_str().unwrap().len() == 64;
    let valid: Vec<_> = vectors["valid"].as_array().unwrap().iter().filter(is_job).collect();
    assert_eq!(valid.len(), 14);
    for extranonce1 in [0, 2, 8, 10, 16] {
        let requests: Vec<_> = valid.iter().map(|vector| request(vector, extranonce1)).collect();
        let (answers, code) = verify_all(&requests);
        assert_eq!(code, 0);
        for (vector, answer) in valid.iter().zip(answers) {
            let name = &vector["name"];
            assert_eq!(answer["ok"], true, "{name}: {answer}");
            assert_eq!(answer["hash"], vector["pow_hash"], "{name}");
            let header =
                [&vector["header_hash"], &vector["nonce"]].map(|hex| hex.as_str().unwrap());
            assert_eq!(answer["header"], header.concat(), "{name}");
            assert_eq!((&answer["meets_target"], &answer["block"]), (&json!(true), &json!(true)));
        }
    }
}

#[test]
fn bad_solutions_are_refused_with_the_rule_that_they_break() {
    let vectors = vectors();
    let invalid = vectors["invalid"].as_array().unwrap();
    let mut requests: Vec<_> = invalid.iter().map(|vector| request(vector, 8)).collect();
    for request in &mut requests {
        // Most of them hash high, which is found out first.
        request["target"] = json!("f".repeat(64));
        request["extranonce2_size"] = json!(24);
    }
    let (answers, code) = verify_all(&requests);
    assert_eq!(code, 1);
    for (vector, answer) in invalid.iter().zip(answers) {
        let name = &vector["name"];
        let words = match vector["expect"].as_str().unwrap() {
            "bad_length" => "solution is ",
            "duplicate" => "occurs more than once",
            "out_of_order" => "out of order",
            "nonzero_xor" => "no collision",
            other => panic!("{name} expects {other}"),
        };
        assert_eq!((&answer["ok"], &answer["code"]), (&json!(false), &json!(20)), "{name}");
        let reason = answer["reason"].as_str().unwrap();
        assert!(reason.contains(words), "{name}: {reason}");
    }
}

/// A hash that equals the target is not below it.
#[test]
fn targets_are_compared_strictly() {
    let vectors = vectors();
    let named = |name: &Value| {
        let valid = vectors["valid"].as_array().unwrap();
        valid.iter().find(|vector| vector["name"] == *name).unwrap().clone()
    };
    for edge in vectors["target_edges"].as_array().unwrap() {
        let vector = named(&edge["vector"]);
        let mut request = request(&vector, 8);
        request["target"] = edge["target"].clone();
        let (answers, _) = verify_all(&[request]);
        assert_eq!(answers[0]["meets_target"], edge["meets_target"], "{}", edge["name"]);
        assert_eq!(answers[0]["ok"], edge["meets_target"], "{}", edge["name"]);
        if edge["meets_target"] == false {
            assert_eq!(answers[0]["code"], 23);
        }
    }
}

/// Miningcore's forks send zeros for difficulty 1, and the node-based servers a target in the place
/// of a difficulty; a live session understands both.
#[test]
fn targets_mean_what_they_mean_in_a_live_session() {
    let vectors = vectors();
    let good = request(&vectors["valid"][13], 8);
    let zeros = "0".repeat(64);
    let with = |place: &str, value: Value| {
        let mut request = good.clone();
        request["notify"][2] = json!(format!("{}1", &zeros[1..]));
        request[place] = value;
        request
    };
    let (answers, _) = verify_all(&[
        with("target", json!(zeros)),
        with("difficulty", json!(1)),
        with("difficulty", json!(zeros)),
        with("difficulty", json!("f".repeat(64))),
        with("difficulty", json!(format!("{}2", &zeros[1..]))),
        with("target", json!(1)),
    ]);
    let ok: Vec<_> = answers.iter().map(|answer| answer["ok"] == true).collect();
    assert_eq!(ok, [true, true, true, true, false, false]);
    assert_eq!(answers[5]["reason"], "target is 1, expected a string");
}

#[test]
fn what_the_submit_lacks_is_named() {
    let vectors = vectors();
    let mut good = request(&vectors["valid"][13], 8);
    good["extranonce2_size"] = json!(24);
    let solution = vectors["valid"][13]["solution"].as_str().unwrap();
    let cases = [
        ("/submit/1", json!("2"), 21, "job not found: 2"),
        ("/submit/3", json!("0100"), 20, "extranonce"),
        ("/submit/4", json!(&solution[2..]), 20, "solution"),
        ("/submit/4", json!(format!("fd8006{solution}")), 20, "solution"),
        ("/notify/3", json!("00"), 20, "notify: "),
        ("/dialect", json!("aionn"), 20, "unknown dialect `aionn`, did you mean `aion`?"),
    ];
    let mut requests = Vec::new();
    for (place, value, ..) in &cases {
        let mut request = good.clone();
        *request.pointer_mut(place).unwrap() = value.clone();
        requests.push(request);
    }
    let (answers, _) = verify_all(&requests);
    for ((place, _, code, reason), answer) in cases.iter().zip(answers) {
        assert_eq!((&answer["ok"], &answer["code"]), (&json!(false), &json!(code)), "{answer}");
        assert!(answer["reason"].as_str().unwrap().contains(reason), "{place}: {answer}");
    }
    // Both forms of a solution are taken, and the pool's own scale of difficulty.
    let mut bare = good.clone();
    bare["submit"][4] = json!(solution);
    let mut node = good.clone();
    node["difficulty"] = json!(1);
    node["options"] = json!({"difficulty_scale": "node"});
    let mut typo = good;
    typo["options"] = json!({"soft_job": true});
    let (answers, _) = verify_all(&[bare, node, typo]);
    assert_eq!(answers[0]["ok"], true);
    assert_eq!(answers[1]["code"], 23, "one in 8,192 solutions is that good");
    let reason = answers[2]["reason"].as_str().unwrap();
    assert!(reason.contains("did you mean `soft_jobs`?"), "{reason}");
}
