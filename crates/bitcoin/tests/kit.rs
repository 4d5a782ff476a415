//! What every dialect must do.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use allocation_counter::measure;
use orepass_bitcoin::terms::PoolGrant;
use orepass_bitcoin::{Bitcoin, VersionMask};
use orepass_stratum::testing::kit::Kit;
use serde_json::{Value, json};

fn call(method: &str, params: &Value) -> String {
    json!({ "id": 1, "method": method, "params": params }).to_string()
}

/// A share of the vectors, and another one that differs in its last field.
fn kit(name: &str, login: &[(&str, Value)], mask: VersionMask, last: &str) -> Kit<Bitcoin> {
    let vectors: Value = serde_json::from_str(include_str!("vectors/bitcoin.json")).unwrap();
    let shares = vectors["shares"].as_array().unwrap();
    let share = shares.iter().find(|share| share["name"] == name).unwrap();
    let mut other = share["notify"].clone();
    other[1] = "11".repeat(32).into();
    let mut another = share["submit"].clone();
    *another.as_array_mut().unwrap().last_mut().unwrap() = last.into();
    let of = |method: &'static str| move |params: &Value| call(method, params);
    Kit {
        dialect: Bitcoin::default(),
        jobs: [share["notify"].clone(), other].iter().map(of("mining.notify")).collect(),
        login: login.iter().map(|(method, params)| call(method, params)).collect(),
        submits: [share["submit"].clone(), another].iter().map(of("mining.submit")).collect(),
        terms: PoolGrant { mask, room: None },
        extranonce1: share["extranonce1"].as_str().unwrap().parse().unwrap(),
        extranonce2: share["submit"][2].as_str().unwrap().len() / 2,
        allocations: Some(|run| measure(run).count_total),
    }
}

#[test]
fn it_keeps_to_the_kit_where_versions_roll() {
    let wish = json!([["version-rolling"], {"version-rolling.mask": "1fffe000"}]);
    let login = [("mining.configure", wish), ("mining.subscribe", json!(["rig/1"]))];
    kit("rolled", &login, VersionMask::ROLLABLE, "00002000").run();
}

#[test]
fn it_keeps_to_the_kit_where_they_do_not() {
    let login = [("mining.subscribe", json!(["cgminer/4.10.0"]))];
    kit("slush 2012", &login, VersionMask::NONE, "b2957c03").run();
    kit("bitaxe 2023", &login, VersionMask::NONE, "0a029ed2").run();
}
