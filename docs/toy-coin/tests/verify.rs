//! Its shares, judged by `orepass verify`.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use orepass::commands::verify::VerifyRequest;
use orepass::registry::Registry;
use orepass_stratum::serde_json::{self, Value, json};
use toy_coin::Toy;

fn verify(request: &Value) -> Value {
    let registry = Registry::default().with::<Toy>();
    let line = request.to_string();
    let request: VerifyRequest<'_> = serde_json::from_str(&line).unwrap();
    serde_json::to_value((registry.get("toy").unwrap().verify)(&request)).unwrap()
}

/// Its notify does not begin with the job's id, its complaints have words of their own, and its pools set no targets.
#[test]
fn verify_leaves_to_the_dialect_what_only_the_dialect_knows() {
    let good = json!({
        "dialect": "toy",
        "notify": ["0a", "7", "0b", "20000000", "0".repeat(64), true],
        "extranonce1": "aabb",
        "submit": ["rig", "7", "0102030405", "00000001"],
        "difficulty": 1,
    });
    let answer = verify(&good);
    assert_eq!((&answer["ok"], &answer["block"]), (&json!(true), &json!(false)), "{answer}");
    let with = |place: &str, value: Value| {
        let mut request = good.clone();
        *request.pointer_mut(place).unwrap() = value;
        verify(&request)
    };
    assert_eq!(with("/submit/1", json!("0a"))["reason"], "job not found: 0a");
    assert_eq!(with("/submit/3", json!("x"))["reason"], "the nonce is no number in hex");
    assert_eq!(with("/difficulty", json!(1e30))["code"], 23);
    let mut request = good.clone();
    request["submit"].as_array_mut().unwrap().push(json!("00006000"));
    assert_eq!(
        verify(&request)["reason"],
        "version bits 00006000 are outside of the mask 00000000"
    );
    request["version_mask"] = json!("1fffe000");
    assert_eq!(verify(&request)["ok"], true);
    let mut request = good.clone();
    request["extranonce2_size"] = json!(4);
    let reason = "extranonce2 is 5 bytes (\"0102030405\"), this rig was told 4";
    assert_eq!(verify(&request)["reason"], reason);
    let mut request = good.clone();
    request["target"] = request["difficulty"].take();
    assert_eq!(verify(&request)["reason"], "pools of this dialect do not set that");
    request["options"] = json!({"open_job": 3});
    let reason = verify(&request)["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("did you mean `open_jobs`?"), "{reason}");
}
