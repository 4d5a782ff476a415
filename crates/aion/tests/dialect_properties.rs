//! No text from outside makes the dialect panic, and what is written can be read.

#![allow(clippy::unwrap_used)]

mod dialect_support;

use std::time::Duration;

use dialect_support::{dialect, notify, notify_of, raw, submit_of, vector, written};
use orepass_aion::{Aion, Options, share};
use orepass_equihash::Scratch;
use orepass_stratum::dialect::{Dialect, PoolCall, RigCall, SubscribeVerdict, Work};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::habits::Answer;
use orepass_stratum::job::JobId;
use orepass_stratum::rpc::RpcCall;
use orepass_stratum::sv1;
use orepass_stratum::target::Target;
use orepass_stratum::testing::{self, check, diagnose, form, heard_submit, read_share};
use proptest::prelude::*;
use serde_json::{Value, json};

/// JSON of about the shape that is expected somewhere, and often not.
fn value() -> impl Strategy<Value = Value> {
    let hex = prop_oneof![
        "[0-9a-fA-F]{0,10}",
        "[0-9a-f]{16}",
        "(0x)?[0-9a-f]{64}",
        "[0-9a-f]{0,200}",
        "(fd8005)?[0-9a-f]{2814,2817}",
        "[é0-9a-f]{2810,2822}",
    ];
    let leaf = prop_oneof![
        4 => hex.prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
        1 => any::<f64>().prop_map(|number| json!(number)),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(3, 20, 6, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            1 => prop::collection::vec(inner, 0..3).prop_map(|items| json!({ "a": items })),
        ]
    })
}

/// A good list of parameters with some of it replaced, cut off or added.
fn damaged(good: Value) -> impl Strategy<Value = Value> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), value()), 0..2);
    (changes, 0..2_usize, prop::option::weighted(0.2, value())).prop_map(
        move |(changes, cut, more)| {
            let mut items = good.as_array().cloned().unwrap_or_default();
            for (index, value) in changes {
                let at = index.index(items.len());
                items[at] = value;
            }
            items.truncate(items.len() - cut);
            items.extend(more);
            items.into()
        },
    )
}

fn notifies() -> impl Strategy<Value = Value> {
    let good = notify_of(&vector("mainnet_block_99995"));
    prop_oneof![4 => damaged(good), 1 => value()]
}

fn submits() -> impl Strategy<Value = Value> {
    let row = vector("mainnet_block_99995");
    let good = vec![submit_of(&row, 8), submit_of(&row, 0), submit_of(&row, 31)];
    prop_oneof![4 => prop::sample::select(good).prop_flat_map(damaged), 1 => value()]
}

proptest! {
    #[test]
    fn calls_and_submits(
        params in notifies(),
        submit in submits(),
        extranonce1 in prop::collection::vec(any::<u8>(), 0..=32),
        size in prop_oneof![0..40_usize, Just(24_usize)],
        method in "[a-z._]{0,20}",
    ) {
        let dialect = dialect();
        let (raw_params, submit) = (raw(&params), raw(submit));
        for method in ["mining.set_difficulty", "mining.set_target", "mining.set_extranonce",
            "client.reconnect", "client.show_message", &method]
        {
            let _ = testing::hear(&dialect, method, &raw_params);
            let _ = testing::hear(&dialect, method, &submit);
        }
        let _ = heard_submit(&dialect, &submit);
        let Ok(job) = notify(&params) else { return Ok(()) };
        let extranonce1 = Extranonce::from_slice(&extranonce1).unwrap();
        let Ok(share) = read_share(&dialect, &job, size, &submit) else { return Ok(()) };
        prop_assert_eq!(share.extranonce2.len(), size);
        let (age, scratch) = (Duration::from_secs(u64::MAX), &mut Scratch::default());
        for target in [Target::MAX, Target::ZERO] {
            let checked = check(&dialect, &job, &extranonce1, &share, &target, age, scratch);
            let fits = extranonce1.len() + size == 32;
            prop_assert!(fits || checked.is_err());
            for pool_part in [0, 4, extranonce1.len(), 40] {
                let _ = diagnose(&dialect, &job, &extranonce1, pool_part, &share, &target);
            }
        }
        let _ = share::header(&job, extranonce1.as_bytes(), &share);
    }

    #[test]
    fn jobs_round_trip(
        id in "[^\\x00]{0,16}",
        clean: bool,
        target: [u8; 32],
        header_hash: [u8; 32],
        number: u32,
    ) {
        let hex = |bytes: [u8; 32]| const_hex::encode(bytes);
        let params = json!([id, clean, hex(target), hex(header_hash)]);
        let job = notify(&params).unwrap();
        prop_assert_eq!((&*job.id, job.clean, job.header_hash), (&*id, clean, header_hash));
        let line = written(|out| dialect().notify(JobId::new(number), &job, &job.target, form(clean), out));
        let again = notify(&line["params"]).unwrap();
        prop_assert_eq!(job.key(), again.key());
        prop_assert_eq!((again.target, again.clean), (job.target, clean));
        prop_assert_eq!(&*again.id, format!("{number:08x}"));
    }

    #[test]
    fn submits_round_trip(
        worker: String,
        time: u64,
        prefix in prop::collection::vec(any::<u8>(), 0..=4),
        own in prop::collection::vec(any::<u8>(), 0..=28),
        seed: u8,
        solution_prefix: bool,
    ) {
        let job = notify(&notify_of(&vector("mainnet_block_99995"))).unwrap();
        let solution: Vec<u8> = (0..1408_u32).map(|at| (at * 31) as u8 ^ seed).collect();
        let submit = json!([
            worker, "5e49aa25", format!("{time:016X}"), const_hex::encode(&own),
            const_hex::encode_upper(&solution),
        ]);
        let share = read_share(&dialect(), &job, own.len(), &raw(submit)).unwrap();
        prop_assert_eq!(share.time, time);
        let pool = Aion::new(Options::default().with_solution_prefix(solution_prefix));
        let line = written(|out| pool.tell_pool(PoolCall::Submit { id: 7, worker: &worker, job: &job, prefix: &prefix, share: &share }, out));
        prop_assert_eq!(&line["id"], 7);
        let params = &line["params"];
        prop_assert_eq!(params[4].as_str().unwrap().len(), if solution_prefix { 2822 } else { 2816 });
        let (size, params) = (prefix.len() + own.len(), raw(params));
        let head = heard_submit(&dialect(), &params).unwrap();
        prop_assert_eq!((&*head.worker, &*head.job.text), (&*worker, &*job.id));
        let back = read_share(&dialect(), &job, size, &params).unwrap();
        prop_assert_eq!(back.extranonce2.as_bytes(), [prefix, own].concat());
        prop_assert_eq!((back.time, back.solution), (time, share.solution));
    }

    /// A result that can be used leaves room for what is split, and the nonce's 32 bytes are given out.
    #[test]
    fn subscribe_results_that_are_read_can_be_divided_or_have_no_room(result in value(), prefix in prop::option::of(0..40_usize)) {
        let dialect = dialect();
        let pair = json!([null, result]);
        for result in [result, pair] {
            let result = raw(result);
            let call = RpcCall { method: sv1::SUBSCRIBE, params: Some(&result) };
            let RigCall::Subscribe { verdict, .. } = dialect.hear_rig(call, &mut ()) else {
                panic!("a subscribe")
            };
            match verdict {
                SubscribeVerdict::Serve => {}
                SubscribeVerdict::ServeAndLog(line) => prop_assert!(line.len() <= 1024),
                other => prop_assert!(false, "refused, and no operator asked for that: {:?}", other),
            }
            if let Ok(given) = testing::given(&dialect, &result) {
                for known in [None, Some(Answer::Usual)] {
                    let Ok(split) = dialect.splits(&given, prefix).choose(known) else { continue };
                    prop_assert_eq!(&split.extranonce1, &given.extranonce1);
                    prop_assert!(prefix.is_none_or(|prefix| prefix == split.prefix_bytes));
                    let told = split.extranonce1.len() + split.prefix_bytes;
                    prop_assert_eq!(told + split.rig_extranonce2, 32);
                }
            }
        }
    }
}
