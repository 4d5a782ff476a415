//! `orepass verify`, as a program: public blocks and shares of Bitcoin.

use serde_json::{Value, json};

use crate::verify_one;

fn requests() -> Vec<(Value, Value)> {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/bitcoin.json")).unwrap();
    let shares = vectors["shares"].as_array().unwrap().iter().cloned();
    let request = |share: Value| {
        let request = json!({
            "dialect": "bitcoin",
            "notify": share["notify"],
            "extranonce1": share["extranonce1"],
            "submit": share["submit"],
            // The rolled one is made up, and easier.
            "difficulty": if share["name"] == "rolled" { 1e-5 } else { 1.0 },
        });
        (request, share)
    };
    shares.map(request).collect()
}

#[test]
fn public_shares_are_good_and_blocks_are_known() {
    for (request, share) in requests() {
        let (answer, _) = verify_one(&request);
        let name = &share["name"];
        assert_eq!(answer["ok"], true, "{name}: {answer}");
        for field in ["hash", "header", "block"] {
            assert_eq!(answer[field], share[field], "{name}: {field}");
        }
    }
}

#[test]
fn a_share_may_roll_the_bits_that_were_granted() {
    let is_rolled = |(_, share): &(Value, Value)| share["name"] == "rolled";
    let (request, _) = requests().into_iter().find(is_rolled).unwrap();
    let with = |key: &str, value: Value| {
        let mut request = request.clone();
        request[key] = value;
        verify_one(&request).0
    };
    let bits = request["submit"][5].clone();
    assert_eq!(with("version_mask", bits.clone())["ok"], true);
    assert_eq!(with("options", json!({ "version_mask": bits }))["ok"], true);
    for narrow in [
        with("version_mask", json!("00ffe000")),
        with("options", json!({"version_mask": "00000000"})),
    ] {
        let reason = narrow["reason"].as_str().unwrap();
        assert!(reason.contains("outside of the mask"), "{reason}");
    }
    let reason = "version_mask: expected 8 hex digits, found \"1fffe00\"";
    assert_eq!(with("version_mask", json!("1fffe00"))["reason"], reason);
}

#[test]
fn what_is_wrong_is_said() {
    let (request, _) = &requests()[3];
    let with = |place: &str, value: Value| {
        let mut request = request.clone();
        *request.pointer_mut(place).unwrap() = value;
        verify_one(&request).0
    };
    assert_eq!(with("/difficulty", json!(8))["code"], 23);
    let answer = with("/submit/4", json!("b2957c03"));
    assert_eq!((&answer["ok"], &answer["code"]), (&json!(false), &json!(23)));
    let answer = with("/submit/3", json!("504e86b8"));
    assert!(answer["reason"].as_str().unwrap().contains("before the job's"), "{answer}");
    let mut sized = request.clone();
    sized["extranonce2_size"] = json!(8);
    let reason = "extranonce2 is 4 bytes (\"00000001\"), this rig was told 8";
    assert_eq!(verify_one(&sized).0["reason"], reason);
    let mut options = request.clone();
    options["options"] = json!({ "version_mask": "x" });
    let (answer, _) = verify_one(&options);
    assert!(answer["reason"].as_str().unwrap().contains("8 hex digits"), "{answer}");
}
