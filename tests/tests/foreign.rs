//! A coin that is none of the workspace's, in the program.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]
#![allow(unreachable_pub, reason = "the coin is written as for a program of its own")]

#[path = "../../docs/my_coin.rs"]
mod my_coin;

use my_coin::MyCoin;
use orepass::commands::verify::VerifyRequest;
use orepass::config::{OptionError, OptionTable};
use orepass::registry::{FromConfig, Registry};
use serde_json::{Value, json};

impl FromConfig for MyCoin {
    const ROUTE_OPTIONS: &'static [&'static str] = &["open_jobs"];
    const POOL_OPTIONS: &'static [&'static str] = &[];

    fn from_config(route: &OptionTable, _pool: &OptionTable) -> Result<Self, OptionError> {
        let mut errors = OptionError::default();
        let open_jobs = route.whole("open_jobs", 1..=64, &mut errors).unwrap_or(4);
        errors.or(Self { open_jobs })
    }
}

fn verify(request: &Value) -> Value {
    let registry = Registry::default().with::<MyCoin>();
    let line = request.to_string();
    let request: VerifyRequest<'_> = serde_json::from_str(&line).unwrap();
    serde_json::to_value((registry.get("my-coin").unwrap().verify)(&request)).unwrap()
}

/// Its notify does not begin with the job's id, its complaints have words of their own, and its
/// pools set no targets.
#[test]
fn verify_leaves_to_the_dialect_what_only_the_dialect_knows() {
    let good = json!({
        "dialect": "my-coin",
        "notify": ["work", "7", "0".repeat(64)],
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
    assert_eq!(with("/submit/1", json!("work"))["reason"], "job not found: work");
    assert_eq!(with("/submit/3", json!("x"))["reason"], "the nonce is no number in hex");
    assert_eq!(with("/difficulty", json!(1e30))["code"], 23);
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
