//! Real servers' sessions, told again: what they accepted is accepted here, and what they refused
//! is refused for the same reason.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashMap;
use std::time::Duration;

use orepass_hstratum::{DifficultyScale, Hstratum, Options};
use orepass_stratum::dialect::{Announced, Dialect, PoolEvent, Refusal, Subscribed, Work};
use orepass_stratum::habits::Habits;
use orepass_stratum::testing::{self, check, read_share};
use orepass_stratum::verdict::Verdict;
use serde_json::Value;
use support::{file, raw};

#[derive(Default)]
struct Seen {
    accepted: usize,
    high_hash: usize,
    malformed: usize,
}

fn replay(name: &str) -> Seen {
    let options = Options::default().with_difficulty_scale(DifficultyScale::Hstratum);
    let dialect = Hstratum::new(options);
    let mut given: Option<Subscribed> = None;
    let mut announced = Announced::default();
    let mut jobs = HashMap::new();
    let mut asked: HashMap<u64, (String, Value)> = HashMap::new();
    let mut seen = Seen::default();
    for line in file(name).lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        // One line of the first session is broken on purpose.
        let Ok(message) = serde_json::from_str::<Value>(row["line"].as_str().unwrap()) else {
            continue;
        };
        let id = message["id"].as_u64().unwrap_or_default();
        if row["dir"] == "C>S" {
            let method = message["method"].as_str().unwrap().to_owned();
            asked.insert(id, (method, message["params"].clone()));
            continue;
        }
        if let Some(method) = message["method"].as_str() {
            match testing::hear(&dialect, method, &raw(&message["params"])).unwrap() {
                PoolEvent::Job(Ok(job)) => drop(jobs.insert(job.id().to_owned(), job)),
                PoolEvent::Difficulty(difficulty) => announced.difficulty = Some(difficulty),
                other => panic!("{other:?}"),
            }
            continue;
        }
        let (method, params) = asked.remove(&id).unwrap();
        let job = params[if method == "mining.submit" { 1 } else { 0 }].as_str();
        let job = job.and_then(|job| jobs.get(job));
        match (&*method, job) {
            ("mining.subscribe", _) => {
                given = Some(testing::given(&dialect, &raw(&message["result"])).unwrap());
            }
            ("mining.get_transactions", Some(job)) => {
                testing::learn(&dialect, job, &raw(&message["result"])).unwrap();
            }
            ("mining.submit", Some(job)) => {
                let error = &message["error"];
                let refusal = (!error.is_null()).then(|| testing::refusal(&dialect, &raw(error)));
                if matches!(refusal, Some(Refusal::Unauthorized | Refusal::Stale)) {
                    continue;
                }
                let target = dialect
                    .price(job, &announced, Habits::default())
                    .wanted
                    .surely(Habits::default());
                let extranonce1 = &given.as_ref().unwrap().extranonce1;
                let checked = read_share(&dialect, job, 4, &raw(&params)).and_then(|share| {
                    check(&dialect, job, extranonce1, &share, &target, Duration::ZERO, &mut ())
                });
                let verdict = checked.as_ref().map_err(|reject| reject.verdict);
                match refusal {
                    None => {
                        assert!(job.is_complete() && checked.is_ok(), "{params}: {checked:?}");
                        seen.accepted += 1;
                    }
                    Some(Refusal::LowDifficulty) => {
                        assert_eq!(verdict, Err(Verdict::LowDifficulty), "{params}");
                        seen.high_hash += 1;
                    }
                    Some(Refusal::Form) => {
                        assert_eq!(verdict, Err(Verdict::Invalid), "{params}");
                        seen.malformed += 1;
                    }
                    Some(other) => panic!("{other:?} for {params}"),
                }
            }
            _ => {}
        }
    }
    seen
}

#[test]
fn a_server_of_the_deployed_generation() {
    let seen = replay("handshake.jsonl");
    assert_eq!((seen.accepted, seen.high_hash, seen.malformed), (3, 1, 1));
}

#[test]
fn a_server_of_the_seed_generation() {
    let seen = replay("handshake-seed-12field.jsonl");
    assert_eq!((seen.accepted, seen.high_hash, seen.malformed), (6, 0, 0));
}
