//! `orepass verify`, as a program: public blocks and shares of Bitcoin.

use serde_json::{Value, json};

use crate::verify_one;

/// Those that roll no version, since nothing is negotiated here.
fn requests() -> Vec<(Value, Value)> {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/bitcoin.json")).unwrap();
    let plain = |share: &&Value| share["submit"].as_array().unwrap().len() == 5;
    let shares = vectors["shares"].as_array().unwrap().iter().filter(plain).cloned();
    let request = |share: Value| {
        let request = json!({
            "dialect": "bitcoin",
            "notify": share["notify"],
            "extranonce1": share["extranonce1"],
            "submit": share["submit"],
            "difficulty": 1,
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
