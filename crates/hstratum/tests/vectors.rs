//! The crate against real mainnet blocks, live regtest shares and values of other implementations.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use orepass_hstratum::DifficultyScale;
use orepass_hstratum::header::Header;
use orepass_hstratum::job::Job;
use orepass_hstratum::pow::{self, blake2b_256};
use orepass_hstratum::share::{self, Share};
use orepass_stratum::dialect::{Announced, Checked, Dialect, Work};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::habits::Habits;
use orepass_stratum::target::{Difficulty, Target};
use orepass_stratum::testing::{self, check, read_share};
use orepass_stratum::verdict::Verdict;
use serde_json::{Value, json};
use support::{dialect, hash, hex, notify, raw, text, vectors};

/// The share that a vector tells of: job, rig's extranonce1, share.
fn told(params: &Value, row: &Value) -> (Job, Extranonce, Share) {
    let job = notify(params).unwrap();
    let submit = json!(["w", "1", row["extranonce2"], row["ntime"], row["nonce"]]);
    let size = text(row, "extranonce2").len() / 2;
    let share = read_share(&dialect(), &job, size, &raw(submit)).unwrap();
    (job, text(row, "extranonce1").parse().unwrap(), share)
}

#[test]
fn headers_of_real_blocks() {
    let rows = vectors("mainnet_headers");
    assert_eq!(rows.len(), 10);
    for row in &rows {
        let bytes: [u8; 236] = hex(row, "header236").try_into().unwrap();
        let header = Header::from_bytes(&bytes);
        assert_eq!(header.to_bytes(), bytes);
        let fields = &row["fields"];
        assert_eq!(u64::from(header.nonce), fields["nonce"].as_u64().unwrap());
        assert_eq!(header.time, fields["time"].as_u64().unwrap());
        assert_eq!(header.prev_block, hash(fields, "prevBlock"));
        assert_eq!(header.tree_root, hash(fields, "treeRoot"));
        assert_eq!(header.extra_nonce[..], hex(fields, "extraNonce"));
        assert_eq!(header.reserved_root, hash(fields, "reservedRoot"));
        assert_eq!(header.witness_root, hash(fields, "witnessRoot"));
        assert_eq!(header.merkle_root, hash(fields, "merkleRoot"));
        assert_eq!(format!("{:08x}", header.bits), text(fields, "bits"));
        assert_eq!(header.mask, hash(fields, "mask"));

        let mask_hash = pow::mask_hash(&header.prev_block, &header.mask);
        let sub_hash = blake2b_256(&[&hex(row, "subHeader128")]);
        assert_eq!(bytes[76..204], hex(row, "subHeader128"));
        assert_eq!(sub_hash, hash(row, "subHash"));
        assert_eq!(mask_hash, hash(row, "maskHash"));
        assert_eq!(blake2b_256(&[&sub_hash, &mask_hash]), hash(row, "commitHash"));
        let share_hash = pow::share_hash(&bytes, &mask_hash);
        assert_eq!(*share_hash.as_be_bytes(), hash(row, "shareHash"), "{}", row["name"]);
        assert_eq!(header.mask, [0; 32], "so the block's hash is the same");
        assert_eq!(*share_hash.as_be_bytes(), hash(row, "blockHash"));
        let target = Target::from_compact(header.bits).unwrap();
        assert_eq!(target.to_string(), text(row, "target"));
        assert_eq!(share_hash.at_or_below(&target), row["powValid"].as_bool().unwrap());
    }
}

#[test]
fn shares_of_the_deployed_generation() {
    let rows = vectors("stratum");
    assert_eq!(rows.len(), 9);
    for row in &rows {
        let name = text(row, "name");
        let (job, extranonce1, share) = told(&row["notify_params"], row);
        let bytes = share::header(&job, extranonce1.as_bytes(), &share).unwrap();
        let mut header = Header::from_bytes(&bytes.try_into().unwrap());
        assert_eq!(header.extra_nonce[..], hex(row, "extraNonce24"), "{name}");
        header.mask = hash(row, "mask");
        assert_eq!(header.to_bytes()[..], hex(row, "header236"), "{name}");
        let Job::Deployed(deployed) = &job else { panic!("{name} is {job:?}") };
        assert_eq!(*deployed.mask_hash(), hash(row, "maskHash"), "{name}");
        assert_eq!(deployed.mask_is_zero(), header.mask == [0; 32], "{name}");

        let judged = share::judge(&job, extranonce1.as_bytes(), &share, &Target::MAX).unwrap();
        assert_eq!(*judged.hash.as_be_bytes(), hash(row, "shareHash"), "{name}");
        let mut pow_hash = *judged.hash.as_be_bytes();
        pow_hash.iter_mut().zip(header.mask).for_each(|(byte, mask)| *byte ^= mask);
        assert_eq!(pow_hash, hash(row, "powHash"), "{name}");
        match judged.block {
            Some(block) => {
                assert!(deployed.mask_is_zero());
                let target = Target::from_compact(header.bits).unwrap();
                assert_eq!(block, judged.hash.at_or_below(&target), "{name}");
            }
            None => assert!(!deployed.mask_is_zero(), "{name}"),
        }
        let checked = check(
            &dialect(),
            &job,
            &extranonce1,
            &share,
            &judged.hash.as_target(),
            Duration::ZERO,
            &mut (),
        );
        assert_eq!(checked, Ok(Checked::Proven(judged.hash)), "a hash at the target meets it");
    }
}

#[test]
fn difficulties_of_every_scale() {
    let rows = vectors("difficulty");
    assert_eq!(rows.len(), 15);
    for row in &rows {
        let number = row["difficulty"].as_f64().unwrap();
        let difficulty = Difficulty::new(number).unwrap();
        let times_256 = Difficulty::new(number * 256.0).unwrap();
        let target =
            |name: DifficultyScale, difficulty| name.scale().target(difficulty).to_string();
        let bitcoin = target(DifficultyScale::Bitcoin, difficulty);
        assert_eq!(bitcoin, text(row, "target_diff1_00000000ffff0000"));
        let hstratum = DifficultyScale::Hstratum.scale().target(difficulty);
        assert_eq!(hstratum.to_string(), text(row, "handystratum_target"));
        assert_eq!(format!("{:08x}", hstratum.to_compact_lossy()), text(row, "handystratum_bits"));
        // HandyMiner multiplies by 256 before it calculates as hstratum does.
        if let Some(handyminer) = row["handyminer_target"].as_str() {
            assert_eq!(target(DifficultyScale::Hstratum, times_256), handyminer);
        }
        assert_eq!(
            target(DifficultyScale::Powlimit, difficulty),
            target(DifficultyScale::Bitcoin, times_256)
        );
    }
}

#[test]
fn shares_of_the_seed_generation() {
    let rows = vectors("seed_generation");
    assert_eq!(rows.len(), 4);
    for row in &rows {
        let name = text(row, "name");
        let (job, extranonce1, share) = told(&row["params"], row);
        let Job::Seed(seed) = &job else { panic!("{name} is {job:?}") };
        let check = || {
            let age = Duration::ZERO;
            check(&dialect(), &job, &extranonce1, &share, &Target::MAX, age, &mut ())
        };
        if seed.needs_transactions() {
            assert!(!job.is_complete());
            assert_eq!(check(), Ok(Checked::Unchecked));
            testing::learn(&dialect(), &job, &raw(&row["transactions"])).unwrap();
        }
        assert!(job.is_complete(), "{name}");

        let (one, two) = (extranonce1.as_bytes(), share.extranonce2());
        let coinbase = seed.coinbase().unwrap();
        let whole = [&seed.parts().coinbase1, one, two, &seed.parts().coinbase2].concat();
        assert_eq!(whole, hex(row, "coinbase_hex"));
        assert_eq!(*coinbase.txid(), hash(row, "coinbase_txid"));
        assert_eq!(coinbase.witness_hash(one, two), hash(row, "coinbase_witness_data_hash"));
        assert_eq!(coinbase.wtxid(one, two), hash(row, "coinbase_wtxid"));
        assert_eq!(*seed.merkle_root().unwrap(), hash(row, "merkleRoot"), "{name}");

        let header = seed.header(one, two, share.time.into()).unwrap();
        assert_eq!(header.witness_root, hash(row, "witnessRoot"), "{name}");
        let prehead = header.prehead();
        assert_eq!(prehead[..], hex(row, "prehead208"));
        let bytes = share::header(&job, extranonce1.as_bytes(), &share).unwrap();
        assert_eq!(bytes, hex(row, "header240"));
        assert_eq!(blake2b_256(&[&bytes]), hash(row, "blockHash"));
        let nonce = hash(row, "nonce");
        assert_eq!(pow::kmac256(&nonce, &prehead), hash(row, "kmac"));
        let pow_hash = pow::seed_hash(&prehead, &nonce);
        assert_eq!(*pow_hash.as_be_bytes(), hash(row, "powHash"));
        assert_eq!(check(), Ok(Checked::Proven(pow_hash)));
        let price = dialect().price(&job, &Announced::default(), Habits::default());
        assert_eq!(
            price.block.map(|block| dialect().rules().good.meets(&pow_hash, &block)),
            Some(true),
            "each was one, on regtest"
        );
    }
}

/// Every digit of everything that the hash of the one real mainnet share commits to.
#[test]
fn a_changed_digit_is_refused() {
    let row = &vectors("stratum")[0];
    let target = DifficultyScale::Bitcoin.scale().target(Difficulty::ONE);
    let check = |params: &Value, row: &Value| {
        let (job, extranonce1, share) = told(params, row);
        check(&dialect(), &job, &extranonce1, &share, &target, Duration::ZERO, &mut ())
    };
    assert!(check(&row["notify_params"], row).is_ok());
    let changed = |text: &str, at: usize| {
        let digit = text[at..=at].chars().next().unwrap().to_digit(16).unwrap() ^ 1;
        format!("{}{digit:x}{}", &text[..at], &text[at + 1..])
    };
    // The job's id is not hashed, and its time is only the least that a share may have.
    for index in 1..8 {
        let field = row["notify_params"][index].as_str().unwrap();
        for at in 0..field.len() {
            let mut params = row["notify_params"].clone();
            params[index] = changed(field, at).into();
            // An impossible compact target is refused with its notify.
            if notify(&params).is_ok() {
                let verdict = check(&params, row).map_err(|reject| reject.verdict);
                assert_eq!(verdict, Err(Verdict::LowDifficulty), "field {index}, digit {at}");
            }
        }
    }
    for key in ["extranonce1", "extranonce2", "ntime", "nonce"] {
        for at in 0..text(row, key).len() {
            let mut other = row.clone();
            other[key] = changed(text(row, key), at).into();
            let reject = check(&row["notify_params"], &other).unwrap_err();
            let expected = if reject.reason.starts_with("time too") {
                assert_eq!(key, "ntime");
                Verdict::Invalid
            } else {
                Verdict::LowDifficulty
            };
            assert_eq!(reject.verdict, expected, "{key}, digit {at}: {reject}");
        }
    }
}

#[test]
fn the_real_share_is_worth_what_is_recorded() {
    let row = &vectors("stratum")[0];
    let (job, extranonce1, share) = told(&row["notify_params"], row);
    let hash = share::hash(&job, extranonce1.as_bytes(), &share).unwrap();
    let worth = DifficultyScale::Bitcoin.scale().difficulty_lossy(hash.as_target()).get();
    assert!((worth - row["share_difficulty_btc_scale"].as_f64().unwrap()).abs() < 1e-4, "{worth}");
}
