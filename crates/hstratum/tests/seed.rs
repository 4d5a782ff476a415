//! What only jobs of the seed generation have: the coinbase, its transactions, the long nonce.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use orepass_hstratum::job::{Job, SeedJob, SeedParts, Uncheckable, WrongTransactions};
use orepass_hstratum::merkle;
use orepass_hstratum::share::{self, Nonce, Share};
use orepass_stratum::dialect::{Checked, Dialect, PoolCall, RigSay, Work};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc::Id;
use orepass_stratum::target::Target;
use orepass_stratum::testing::{self, read_share};
use serde_json::{Value, json};
use support::{dialect, notify, raw, vectors, written};

fn seed(index: usize) -> Value {
    vectors("seed_generation")[index]["params"].clone()
}

/// Whether a rig that asks for a job's transactions is answered.
fn answers(job: &Job, out: &mut bytes::BytesMut) -> bool {
    let before = out.len();
    let say = RigSay::Answered { id: &Id::null(), job, kind: 0 };
    dialect().tell_rig(say, &Default::default(), out);
    out.len() > before
}

fn en1(text: &str) -> Extranonce {
    text.parse().unwrap()
}

#[test]
fn a_seed_share_has_a_long_nonce() {
    let job = notify(&seed(0)).unwrap();
    let parse = |params: Value| read_share(&dialect(), &job, 4, &raw(params));
    let nonce = "0A".repeat(32);
    let share = parse(json!(["r", "1", "11223300", "6b00b63e", nonce])).unwrap();
    assert_eq!(share.nonce, Nonce::Seed([10; 32]));
    let line = written(|out| {
        dialect().tell_pool(
            PoolCall::Submit { id: 1, worker: "w", job: &job, prefix: &[], share: &share },
            out,
        );
    });
    assert_eq!(line["params"][4], nonce.to_lowercase());
    assert!(parse(json!(["r", "1", "11223300", "6b00b63e", "01000000"])).is_err());
    let check = |one: &str| {
        testing::check(&dialect(), &job, &en1(one), &share, &Target::MAX, Duration::ZERO, &mut ())
    };
    assert!(matches!(check("00000000"), Ok(Checked::Proven(_))));
    let reject = check("0000000000").unwrap_err();
    assert!(reject.reason.contains("extranonce1 of 5 and extranonce2 of 4"), "{reject}");
    let deployed = notify(&vectors("stratum")[0]["notify_params"]).unwrap();
    let other = testing::check(
        &dialect(),
        &deployed,
        &en1("00"),
        &share,
        &Target::MAX,
        Duration::MAX,
        &mut (),
    );
    assert!(other.is_err(), "{other:?}");
}

#[test]
fn transactions_are_asked_for_learnt_and_passed_on() {
    let row = &vectors("seed_generation")[1];
    let job = notify(&row["params"]).unwrap();
    let mut out = bytes::BytesMut::new();
    assert!(!answers(&job, &mut out) && out.is_empty());
    let line = written(|out| assert!(testing::ask(&dialect(), 5, &job, out)));
    let expected =
        json!({"id": 5, "method": "mining.get_transactions", "params": [row["params"][0]]});
    assert_eq!(line, expected);

    let one = "00".repeat(32);
    for wrong in
        [json!(null), json!([]), json!([one]), json!([one, one, one, one]), json!(["00", one])]
    {
        let error = testing::learn(&dialect(), &job, &raw(&wrong)).unwrap_err().to_string();
        assert!(error.starts_with("transactions is "), "{wrong}: {error}");
        assert!(!job.is_complete());
    }
    let many = json!(vec![one; 20_001]);
    let error = testing::learn(&dialect(), &job, &raw(many)).unwrap_err().to_string();
    assert!(error.contains("20000"), "{error}");

    testing::learn(&dialect(), &job, &raw(&row["transactions"])).unwrap();
    assert!(job.is_complete());
    assert!(!testing::ask(&dialect(), 6, &job, &mut out) && out.is_empty());
    let line = written(|out| assert!(answers(&job, out)));
    assert_eq!(line["result"], row["transactions"]);

    for (index, known) in [(0, true), (2, true)] {
        let alone = notify(&seed(index)).unwrap();
        assert!(!testing::ask(&dialect(), 1, &alone, &mut out), "nothing to ask");
        let line = written(|out| assert_eq!(answers(&alone, out), known));
        assert_eq!(line["result"], json!([]));
    }
    assert!(!answers(&notify(&vectors("stratum")[0]["notify_params"]).unwrap(), &mut out));
}

#[test]
fn thirteen_fields_prove_the_transactions() {
    let row = &vectors("seed_generation")[1];
    let txids: Vec<[u8; 32]> = row["transactions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|txid| const_hex::decode_to_array(txid.as_str().unwrap()).unwrap())
        .collect();
    let leaves: Vec<_> = txids.iter().map(|id| const_hex::encode(merkle::leaf(id))).collect();
    let mut params = row["params"].clone();
    params.as_array_mut().unwrap().insert(4, json!(leaves));
    let job = notify(&params).unwrap();
    let Job::Seed(known) = &job else { panic!("{job:?}") };
    let root = const_hex::encode(known.merkle_root().unwrap());
    assert_eq!(json!(root), row["merkleRoot"], "checkable without a question");
    let mut out = bytes::BytesMut::new();
    assert!(!testing::ask(&dialect(), 1, &job, &mut out));
    assert!(!answers(&job, &mut out), "leaves are no txids");
    let swapped = json!([row["transactions"][1], row["transactions"][0]]);
    assert!(testing::learn(&dialect(), &job, &raw(swapped)).is_err());
    testing::learn(&dialect(), &job, &raw(&row["transactions"])).unwrap();
    assert!(answers(&job, &mut out));
}

#[test]
fn a_coinbase_that_is_no_transaction_is_forwarded_unchecked() {
    let mut params = seed(0);
    params[2] = "01000000".into();
    let job = notify(&params).unwrap();
    assert!(!job.is_complete());
    let mut out = bytes::BytesMut::new();
    assert!(!testing::ask(&dialect(), 1, &job, &mut out), "it has no other transactions");
    let share = Share::new(&[0; 4], job.time() as u32, Nonce::Seed([0; 32])).unwrap();
    let check = |share: &Share| {
        testing::check(
            &dialect(),
            &job,
            &en1("00000000"),
            share,
            &Target::ZERO,
            Duration::ZERO,
            &mut (),
        )
    };
    assert_eq!(check(&share), Ok(Checked::Unchecked));
    let early = Share::new(&[0; 4], job.time() as u32 - 1, Nonce::Seed([0; 32])).unwrap();
    assert!(check(&early).is_err(), "form and time are still looked at");
    let long = Share::new(&[0; 5], job.time() as u32, Nonce::Seed([0; 32])).unwrap();
    assert!(check(&long).is_err());
    assert_eq!(share::header(&job, en1("00000000").as_bytes(), &share), None);
}

#[test]
fn a_seed_job_of_other_parts_has_other_roots() {
    for row in &vectors("seed_generation") {
        let Job::Seed(read) = notify(&row["params"]).unwrap() else { panic!("{row}") };
        let made = SeedJob::new(read.parts().clone()).unwrap();
        assert_eq!((made.parts(), made.merkle_root()), (read.parts(), read.merkle_root()));
        assert_eq!(made.transactions(), read.transactions());
        assert_eq!(made.notify("7", true).to_string(), read.notify("7", true).to_string());
        let txid = *made.coinbase().unwrap().txid();
        let parts = SeedParts { leaves: Some(Box::new([[7; 32]])), ..made.into_parts() };
        let other = SeedJob::new(parts).unwrap();
        let root = merkle::node(&merkle::leaf(&txid), &[7; 32]);
        assert_eq!(other.merkle_root(), Some(&root));
        let parts = SeedParts { coinbase2: Box::new([1]), ..other.into_parts() };
        let broken = SeedJob::new(parts).unwrap();
        assert!(matches!(broken.checkable(), Err(Uncheckable::Coinbase(_))));
        assert_eq!((broken.merkle_root(), broken.transactions()), (None, None));
    }
}

#[test]
fn a_pool_tells_its_own_job_the_transactions_without_json() {
    let row = &vectors("seed_generation")[1];
    let Job::Seed(job) = notify(&row["params"]).unwrap() else { panic!("{row}") };
    assert_eq!(job.checkable(), Err(Uncheckable::Transactions));
    let txids: Box<[[u8; 32]]> = row["transactions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|txid| const_hex::decode_to_array(txid.as_str().unwrap()).unwrap())
        .collect();
    let branches = job.parts().branches.len();
    let few = job.set_transactions(Box::default()).unwrap_err();
    assert_eq!(few, WrongTransactions::Count { found: 0, branches });
    job.set_transactions(txids.clone()).unwrap();
    assert_eq!((job.checkable(), job.transactions()), (Ok(()), Some(&*txids)));
    let leaves: Box<[[u8; 32]]> = txids.iter().rev().map(merkle::leaf).collect();
    let parts = SeedParts { leaves: Some(leaves), ..job.into_parts() };
    let swapped = SeedJob::new(parts).unwrap().set_transactions(txids).unwrap_err();
    assert_eq!(swapped, WrongTransactions::Leaves);
}
