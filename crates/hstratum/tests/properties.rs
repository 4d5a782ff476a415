//! No text from outside makes the dialect panic.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use orepass_hstratum::share;
use orepass_stratum::dialect::{Dialect, Fingerprinted, PoolCall, Work};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::firmware::USUAL_EXTRANONCE2;
use orepass_stratum::habits::Answer;
use orepass_stratum::target::Target;
use orepass_stratum::testing::{self, check, diagnose, form, heard_submit, read_share};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{dialect, notify, raw, vectors};

/// JSON of about the shape that is expected somewhere, and often not.
fn value() -> impl Strategy<Value = Value> {
    let hex = prop_oneof!["[0-9a-fA-F]{0,10}", "[0-9a-f]{64}", "[0-9a-f]{0,200}", "0x[0-9a-f]{8}"];
    let leaf = prop_oneof![
        4 => hex.prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
        1 => any::<f64>().prop_map(|number| json!(number)),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(3, 40, 14, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 0..14).prop_map(Value::from),
            1 => prop::collection::vec(inner, 0..3).prop_map(|items| json!({ "a": items })),
        ]
    })
}

/// A good list of parameters with some of it replaced, cut off or added.
fn damaged(good: Value) -> impl Strategy<Value = Value> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), value()), 0..3);
    (changes, 0..3_usize, prop::option::of(value())).prop_map(move |(changes, cut, more)| {
        let mut items = good.as_array().cloned().unwrap_or_default();
        for (index, value) in changes {
            let at = index.index(items.len());
            items[at] = value;
        }
        items.truncate(items.len() - cut);
        items.extend(more);
        items.into()
    })
}

fn notifies() -> impl Strategy<Value = Value> {
    let mut good: Vec<_> =
        vectors("stratum").iter().map(|row| row["notify_params"].clone()).collect();
    good.extend(vectors("seed_generation").iter().map(|row| row["params"].clone()));
    prop_oneof![prop::sample::select(good).prop_flat_map(damaged), value()]
}

fn submits() -> impl Strategy<Value = Value> {
    let zeros = "0".repeat(64);
    let good = vec![
        json!(["w", "5e49aa25", "aa923a8b", "5e49aa25", "73a37ddb"]),
        json!(["w", "5e49aa25", "aa923a8b", "5e49aa25", "0000000073a37ddb", zeros]),
        json!(["w", "5e49aa25", "11223300", "6b00b63e", zeros]),
    ];
    prop_oneof![prop::sample::select(good).prop_flat_map(damaged), value()]
}

proptest! {
    #[test]
    fn calls_and_submits(
        params in notifies(),
        submit in submits(),
        answer in value(),
        extranonce1 in prop::collection::vec(any::<u8>(), 0..=32),
        size in 0..40_usize,
        method in "[a-z._]{0,20}",
    ) {
        let dialect = dialect();
        let submit = raw(submit);
        for method in ["mining.set_difficulty", "mining.set_target", "mining.set_extranonce",
            "client.reconnect", "client.show_message", &method]
        {
            let _ = testing::hear(&dialect, method, &raw(&params));
            let _ = testing::hear(&dialect, method, &submit);
        }
        let _ = heard_submit(&dialect, &submit);
        let Ok(job) = notify(&params) else { return Ok(()) };
        let _ = testing::learn(&dialect, &job, &raw(answer));
        let mut out = bytes::BytesMut::new();
        dialect.notify(orepass_stratum::job::JobId::new(1), &job, &Target::MAX, form(true), &mut out);
        let line: Value = serde_json::from_slice(&out).unwrap();
        let again = notify(&line["params"]).unwrap();
        prop_assert_eq!(job.key(), again.key(), "{}", params);

        let extranonce1 = Extranonce::from_slice(&extranonce1).unwrap();
        let Ok(share) = read_share(&dialect, &job, size, &submit) else { return Ok(()) };
        prop_assert_eq!(share.extranonce2().len(), size);
        let age = Duration::from_secs(u64::MAX);
        for target in [Target::MAX, Target::ZERO] {
            let _ = check(&dialect, &job, &extranonce1, &share, &target, age, &mut ());
            let _ = diagnose(&dialect, &job, &extranonce1, 4, &share, &target);
        }
        let _ = share::header(&job, extranonce1.as_bytes(), &share);
        out.clear();
        dialect.tell_pool(PoolCall::Submit { id: 1, worker: "w", job: &job, prefix: &[0x2f], share: &share }, &mut out);
        let line: Value = serde_json::from_slice(&out).unwrap();
        let back = read_share(&dialect, &again, size + 1, &raw(&line["params"]));
        if size < 24 {
            let mut back = back.unwrap();
            prop_assert_eq!(&back.extranonce2()[1..], share.extranonce2());
            back = share::Share::new(share.extranonce2(), back.time, back.nonce).unwrap();
            prop_assert_eq!(back.fingerprint(), share.fingerprint());
        }
    }

    /// A result that can be used leaves room for what is split, and gives no byte twice.
    #[test]
    fn subscribe_results_that_are_read_can_be_divided_or_have_no_room(result in value(), prefix in prop::option::of(0..40_usize)) {
        let dialect = dialect();
        let pairs = json!([[["mining.notify", "a"]], result, 24]);
        for result in [result, pairs] {
            if let Ok(given) = testing::given(&dialect, &raw(result)) {
                for known in [None, Some(Answer::Usual), Some(Answer::Other)] {
                    let Ok(split) = dialect.splits(&given, prefix).choose(known) else { continue };
                    prop_assert_eq!(&split.extranonce1, &given.extranonce1);
                    prop_assert!(prefix.is_none_or(|prefix| prefix == split.prefix_bytes));
                    let upstream = split.prefix_bytes + split.rig_extranonce2;
                    prop_assert!(split.extranonce1.len() + upstream <= 32, "{:?}", split);
                    // Without a size it is the usual one.
                    let size = given.announced_size.unwrap_or(USUAL_EXTRANONCE2);
                    prop_assert!(split.needs == Some(Answer::Other) || upstream <= size, "{:?}", split);
                }
            }
        }
    }
}
