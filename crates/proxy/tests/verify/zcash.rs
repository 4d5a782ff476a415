//! `orepass verify`, as a program: blocks of Zcash's mainnet, whole and damaged.

use serde_json::{Value, json};

use crate::{verify_all, verify_one};

fn blocks() -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../vectors/zcash.json")).unwrap();
    all["valid"].as_array().unwrap().clone()
}

/// The request for a block as a share, with an extranonce1 of so many bytes.
fn request(block: &Value, extranonce1: usize) -> Value {
    let text = |name: &str| block[name].as_str().unwrap();
    let (head, tail) = text("nonce").split_at(2 * extranonce1);
    let fields = ["version", "prev_hash", "merkle_root", "reserved", "time", "bits"];
    let [version, prev, root, reserved, time, bits] = fields.map(text);
    json!({
        "dialect": "zcash",
        "notify": ["1", version, prev, root, reserved, time, bits, true],
        "extranonce1": head,
        "submit": ["w", "1", time, tail, format!("fd4005{}", text("solution"))],
    })
}

#[test]
fn blocks_are_good_wherever_extranonce1_ends() {
    let blocks = blocks();
    for extranonce1 in [0, 4, 12] {
        let requests: Vec<_> = blocks.iter().map(|block| request(block, extranonce1)).collect();
        let (answers, code) = verify_all(&requests);
        assert_eq!((answers.len(), code), (blocks.len(), 0));
        for (block, answer) in blocks.iter().zip(answers) {
            let name = &block["name"];
            assert_eq!((&answer["ok"], &answer["block"]), (&json!(true), &json!(true)), "{answer}");
            assert_eq!(answer["hash"], block["hash"], "{name}");
            let header = answer["header"].as_str().unwrap();
            let solution = block["solution"].as_str().unwrap();
            assert_eq!(header.len(), 2 * (140 + 3 + 1344), "{name}");
            assert!(header.ends_with(&format!("fd4005{solution}")), "{name}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_share_is_named() {
    let block = &blocks()[2];
    let (good, solution) = (request(block, 4), block["solution"].as_str().unwrap());
    let hash = block["hash"].as_str().unwrap();
    let below = format!("{}{}", &hash[..63], "7");
    assert!(*below < *hash, "{hash}");
    let mut flipped = format!("fd4005{solution}");
    flipped.replace_range(2693..2694, if solution.ends_with('0') { "1" } else { "0" });
    let cases = [
        ("/submit/1", json!("2"), 21, "job not found: 2"),
        ("/submit/2", json!("01000000"), 20, "time too old: the job's is 1540144808"),
        ("/submit/2", json!("ffffffff"), 20, "time too new: the latest for this job is"),
        ("/submit/4", json!(solution), 20, "solution is 2688 digits"),
        ("/submit/4", json!(flipped), 20, "invalid solution: "),
        ("/notify/1", json!("05000000"), 20, "notify: version is \"05000000\""),
        ("/notify/3", json!("5a".repeat(32)), 20, "invalid solution: "),
        ("/extranonce2_size", json!(26), 20, "extranonce2 is 28 bytes"),
        ("/target", json!(below), 23, "misses the target"),
        ("/target", json!(7), 20, "target is 7, expected a string"),
        ("/options", json!({"soft_jobs": true}), 20, "options: "),
        ("/dialect", json!("zec"), 20, "unknown dialect `zec`, did you mean `zcash`?"),
    ];
    let mut requests = Vec::new();
    for (place, value, ..) in &cases {
        let mut request = good.clone();
        match request.pointer_mut(place) {
            Some(found) => *found = value.clone(),
            None => request[&place[1..]] = value.clone(),
        }
        requests.push(request);
    }
    let (answers, code) = verify_all(&requests);
    assert_eq!(code, 1);
    for ((place, _, code, words), answer) in cases.iter().zip(answers) {
        let reason = answer["reason"].as_str().unwrap();
        assert!(reason.contains(words), "{place}: {reason}");
        assert_eq!((&answer["ok"], &answer["code"]), (&json!(false), &json!(code)), "{reason}");
    }
    // At its own hash a share is good.
    let mut even = good;
    even["target"] = block["hash"].clone();
    assert_eq!(verify_one(&even).0["ok"], true);
}
