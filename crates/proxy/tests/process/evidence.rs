//! Refused shares in the log, and what `orepass verify` says of that log.

use std::sync::Arc;
use std::time::Duration;

use orepass_sim::bitcoin::{BitcoinPool, BitcoinRig};
use orepass_sim::net::RigFarm;
use orepass_sim::pool::{PoolConfig, PoolFault};
use orepass_sim::rig::{RigConfig, Rubbish};
use serde_json::Value;

use crate::run::verify;
use crate::support::{Orepass, Plan, easy_pool, free_address, pool_of, until};

const RUBBISH: [Rubbish; 3] =
    [Rubbish::LowDifficulty, Rubbish::WrongExtranonce2, Rubbish::Duplicate];

fn rubbish_rigs(address: &str, rubbish: &[Rubbish]) -> RigFarm {
    RigFarm::start(1, address, Duration::ZERO, |_| RigConfig {
        worker: "rig".into(),
        rubbish: rubbish.into(),
        hashrate: 2000.0,
        ..RigConfig::default()
    })
}

async fn evidence(orepass: &Orepass, kind: &str) -> String {
    orepass.says(&["share.evidence", kind]).await
}

#[tokio::test]
async fn the_log_shows_the_first_refused_share_of_each_kind_and_verify_takes_the_log_as_it_is() {
    for format in [&[][..], &["--log-format", "json"]] {
        let (pool, at_pool) = easy_pool().await;
        let route = "quarantine = false\n[route.vardiff]\nenabled = false";
        let plan = Plan { route, arguments: format, ..Plan::new(&at_pool).await };
        let orepass = plan.start();
        let rigs = rubbish_rigs(&orepass.address, &RUBBISH);
        let low = evidence(&orepass, "low_difficulty").await;
        let invalid = evidence(&orepass, "invalid").await;
        let duplicate = evidence(&orepass, "duplicate").await;
        until("more rubbish", || rigs.stats(), |stats| stats.rubbish_rejected >= 12).await;
        rigs.close().await;
        pool.fault(PoolFault::RefuseShares);
        let rigs = rubbish_rigs(&orepass.address, &[]);
        let refused = evidence(&orepass, "rejected_by_pool").await;
        rigs.close().await;
        assert_eq!(orepass.lines(&["share.evidence"]).len(), 4, "one of each kind");

        let log = orepass.lines(&[]);
        let (answers, code) = verify(log.join("\n"));
        assert_eq!((answers.len(), code), (4, 1));
        let answer = |line: &str| {
            let (mut answers, _) = verify(line);
            let answer = answers.remove(0);
            (answer["ok"].as_bool().unwrap(), answer["code"].clone(), answer["reason"].to_string())
        };
        let (ok, code, reason) = answer(&low);
        assert_eq!((ok, code), (false, 23.into()), "{reason}");
        let (ok, code, reason) = answer(&invalid);
        assert!(!ok && code == 20 && reason.contains("this rig was told"), "{reason}");
        for good in [duplicate, refused] {
            assert_eq!(answer(&good), (true, Value::Null, "null".into()), "{good}");
        }
    }
}

#[tokio::test]
async fn all_refused_shares_are_shown_or_none_where_the_config_says_so() {
    for (word, least, most) in [("all", 8, usize::MAX), ("off", 0, 0)] {
        let (_pool, at_pool) = easy_pool().await;
        let route: &str = match word {
            "all" => "evidence = \"all\"\nquarantine = false",
            _ => "evidence = \"off\"\nquarantine = false",
        };
        let orepass = Plan { route, ..Plan::new(&at_pool).await }.start();
        let rigs = rubbish_rigs(&orepass.address, &[Rubbish::LowDifficulty]);
        until("rubbish", || rigs.stats(), |stats| stats.rubbish_rejected >= 10).await;
        rigs.close().await;
        let shown = orepass.lines(&["share.evidence"]).len();
        assert!((least..=most).contains(&shown), "{word}: {shown}");
    }
}

#[tokio::test]
async fn a_refused_share_whose_version_rolls_is_judged_by_the_mask_that_was_granted() {
    let narrow = BitcoinPool { narrows_to: Some(0x00ff_e000), ..BitcoinPool::default() };
    let (pool, at_pool) = pool_of(PoolConfig::bitcoin(narrow, 1e-8)).await;
    let (_other, at_other) = easy_pool().await;
    let mut plan = Plan::new(&at_other).await;
    let listen = free_address().await;
    plan.more = format!(
        "[[route]]\nname = \"btc\"\ndialect = \"bitcoin\"\nlisten = [\"{listen}\"]\n\
         vardiff.max = 5e-9\n[[route.pool]]\nurl = \"stratum+tcp://{at_pool}\"\nuser = \"account\"\n"
    );
    let orepass = plan.start();
    let rig = |rolls_too_much| {
        RigFarm::start(1, &listen, Duration::ZERO, move |_| RigConfig {
            coin: Arc::new(BitcoinRig {
                nonces: 4,
                versions: 64,
                rolls_too_much,
                ..BitcoinRig::default()
            }),
            worker: "rig".into(),
            hashrate: 2000.0,
            ..RigConfig::bitcoin()
        })
    };
    let mining = rig(false);
    until("shares", || mining.stats(), |stats| stats.accepted > 0).await;
    pool.fault(PoolFault::RefuseShares);
    let refused = evidence(&orepass, "rejected_by_pool").await;
    mining.close().await;
    let mining = rig(true);
    let too_much = evidence(&orepass, "outside of the mask").await;
    mining.close().await;

    let (answers, _) = verify(format!("{refused}\n{too_much}"));
    assert_eq!(answers[0]["ok"], true, "{refused}: {}", answers[0]);
    assert!(refused.contains(r#""version_mask":"00ffe000""#), "{refused}");
    let reason = answers[1]["reason"].as_str().unwrap();
    assert!(reason.contains("outside of the mask 00ffe000"), "{too_much}: {reason}");
}
