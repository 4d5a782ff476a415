//! Rigs that send what no pool should see.

use orepass_hstratum::SplitMode;
use orepass_sim::handshake::HandshakeRig;
use orepass_sim::rig::{RigConfig, RigStats, Rubbish};
use orepass_stratum::verdict::Verdict;
use orepass_tests::check::{bad_submits, books};
use orepass_tests::client::{Client, poor_share};
use orepass_tests::site::Plan;
use orepass_tests::wait::until;
use serde_json::{Value, json};

const KINDS: [Rubbish; 7] = [
    Rubbish::UnknownJob,
    Rubbish::WrongExtranonce2,
    Rubbish::LowDifficulty,
    Rubbish::Duplicate,
    Rubbish::NotHex,
    Rubbish::OldTime,
    Rubbish::WrongWorker,
];

/// A route that quarantines nobody.
fn forbearing() -> Plan {
    let mut plan = Plan::deployed();
    plan.route.downstream.quarantine = false;
    // Otherwise the first submit of another length asks the pool something.
    plan.options.split = SplitMode::Narrow;
    plan
}

#[tokio::test]
async fn rubbish_is_refused_and_counted_and_its_neighbours_mine_on() {
    let site = forbearing().start().await;
    let neighbours = site.farm(2, |number| site.rig(number));
    let offender = site.farm(1, |_| RigConfig { rubbish: KINDS.into(), ..site.rig(9) });
    site.all_in(&neighbours).await;
    until("rubbish", || offender.stats(), |stats| stats.rubbish_rejected >= 70).await;
    site.all_earn(&neighbours, 10).await;
    site.all_earn(&offender, 10).await;

    offender.stop_mining();
    let answered =
        |stats: &RigStats| stats.pending == 0 && stats.rubbish_sent == stats.rubbish_rejected;
    let rubbish = until("answers", || offender.stats(), answered).await.rubbish_sent;
    let offender = offender.close().await;
    assert_eq!((offender.disconnects, offender.rejected), (0, 0), "{offender:?}");

    let mut accounts = site.finish(neighbours).await;
    assert_eq!((accounts.rigs.connects, accounts.rigs.disconnects), (2, 0));
    accounts.rigs.add(&offender);
    accounts.faults().assert_none();
    let kinds =
        [Verdict::Duplicate, Verdict::LowDifficulty, Verdict::Unauthorized, Verdict::Invalid];
    let counts = kinds.map(|kind| accounts.count(kind));
    assert!(counts.iter().all(|count| *count >= 9), "{counts:?}");
    assert_eq!(counts.iter().sum::<u64>(), rubbish);
}

#[tokio::test]
async fn the_fifth_line_without_sense_ends_a_rig_and_only_that() {
    let site = Plan::deployed().start().await;
    let neighbours = site.farm(2, |number| site.rig(number));
    let offender =
        site.farm(1, |_| RigConfig { rubbish: vec![Rubbish::MalformedLine], ..site.rig(9) });
    let closed = until("closings", || offender.stats(), |stats| stats.disconnects >= 3).await;
    assert!(closed.rubbish_sent >= 15, "{closed:?}");
    site.all_earn(&neighbours, 10).await;
    assert_eq!(neighbours.stats().disconnects, 0);
    offender.close().await;
    let accounts = site.finish(neighbours).await;
    books(&accounts.route).assert_none();
    bad_submits(&accounts.pool).assert_none();
}

/// Submits with one thing wrong each, the code of the answer and what its reason names.
fn wrong_submits(good: &[Value]) -> Vec<(Value, u64, String)> {
    let with = |at: usize, value: Value| {
        let mut params = good.to_vec();
        params[at] = value;
        Value::from(params)
    };
    let (worker, job, extranonce2, time, nonce) = (0, 1, 2, 3, 4);
    let long = "00".repeat(200);
    let mut cases = vec![
        (json!([]), 20, "has 0 parameters"),
        (json!(good[..1]), 20, "has 1 parameters"),
        (json!(good[..4]), 20, "has 4 parameters"),
        (json!({"worker": "rig"}), 20, "params is {\"worker\":\"rig\"}, expected an array"),
        (json!("rig"), 20, "params is \"rig\""),
        (with(worker, json!(5)), 20, "worker is 5, expected a string"),
        (with(worker, json!("nobody")), 24, "unauthorized worker nobody"),
        (with(worker, json!("")), 24, "unauthorized worker"),
        (with(job, json!(7)), 20, "job id is 7, expected a string"),
        (with(job, json!("nojob")), 21, "job not found: nojob"),
        (with(job, json!("ffffffff")), 21, "job not found: ffffffff"),
        (with(job, json!("00000001")), 21, "job 00000001 has been replaced"),
        (with(extranonce2, json!(0)), 20, "extranonce2 is 0, expected a string"),
        (with(extranonce2, json!("")), 20, "extranonce2 is 0 bytes"),
        (with(extranonce2, json!("00000")), 20, "extranonce2 is \"00000\", expected an even"),
        (with(extranonce2, json!("zz0000")), 20, "extranonce2 is \"zz0000\""),
        (with(extranonce2, json!("0x0000")), 20, "extranonce2 is \"0x0000\""),
        (
            with(extranonce2, json!("00000000")),
            20,
            "is 4 bytes (\"00000000\"), this rig was told 3",
        ),
        (with(extranonce2, json!(long)), 20, "extranonce2 is 200 bytes"),
        (with(time, json!(1_700_000_000)), 20, "ntime is 1700000000"),
        (with(time, json!("")), 20, "ntime is \"\""),
        (with(time, json!("123456789")), 20, "ntime is \"123456789\""),
        (with(time, json!("+6553f10")), 20, "ntime is \"+6553f10\""),
        (with(time, json!("00000001")), 20, "time too old: ntime is 00000001"),
        (with(time, json!("ffffffff")), 20, "time too new: ntime is ffffffff"),
        (with(nonce, json!(null)), 20, "nonce is null"),
        (with(nonce, json!("0")), 20, "nonce is \"0\""),
        (with(nonce, json!("000000000")), 20, "nonce is \"000000000\""),
        (with(nonce, json!("not hex!")), 20, "nonce is \"not hex!\""),
        (with(nonce, json!("0000000100000001")), 20, "nonce is \"0000000100000001\""),
        (with(nonce, json!(long)), 20, "nonce is \"000"),
    ]
    .into_iter()
    .map(|(params, code, reason)| (params, code, reason.to_owned()))
    .collect::<Vec<_>>();
    let more = |extra: &[Value]| Value::from([good, extra].concat());
    cases.push((more(&[json!(0), json!(0)]), 20, "has 7 parameters".into()));
    cases
}

#[tokio::test]
async fn each_wrong_submit_is_answered_once_with_its_code_and_a_reason_that_names_the_value() {
    let site = forbearing().start().await;
    let (mut client, login) = Client::login(&site.address, "rig").await;
    let shares = login.shares(2);
    let mut good = vec![json!("rig"), json!(login.job())];
    good.extend(shares[0].fields.iter().map(|field| json!(field)));
    let cases = wrong_submits(&good);
    for (at, (params, code, reason)) in cases.iter().enumerate() {
        let id = format!("case {at}");
        let call = json!({"id": id, "method": "mining.submit", "params": params});
        client.send(&call.to_string()).await;
        let answer = client.line().await.unwrap();
        assert_eq!(answer["id"], id.as_str(), "{params}: {answer}");
        assert_eq!(answer["result"], Value::Null, "{params}: {answer}");
        assert_eq!(answer["error"][0], *code, "{params}: {answer}");
        let said = answer["error"][1].as_str().unwrap();
        assert!(said.contains(reason.as_str()), "{params}: {said}");
    }
    let nothing = client.ask(r#"{"id":"x","method":"mining.submit"}"#).await;
    assert_eq!(nothing["error"][1], "submit without parameters");

    // After all that the rig is still served.
    assert_eq!(client.submit("rig", login.job(), &shares[0]).await["result"], true);
    let again = client.submit("rig", login.job(), &shares[0]).await;
    assert_eq!(again["error"], json!([22, "duplicate", false]));
    let poor = poor_share(&HandshakeRig::default(), &login, None);
    let refused = client.submit("rig", login.job(), &poor).await;
    assert_eq!(refused["error"][0], 23, "{refused}");
    assert!(refused["error"][1].as_str().unwrap().starts_with("high-hash: "), "{refused}");
    assert_eq!(client.submit("rig", login.job(), &shares[1]).await["result"], true);

    let totals = site.totals();
    books(&totals).assert_none();
    assert_eq!(totals.sent, cases.len() as u64 + 5);
    assert_eq!(totals.count(Verdict::AcceptedByPool), 2);
    assert_eq!(totals.count(Verdict::Unauthorized), 2);
    assert_eq!(totals.count(Verdict::Stale), 1);
    assert_eq!(totals.count(Verdict::Duplicate), 1);
    assert_eq!(totals.count(Verdict::LowDifficulty), 1);
    bad_submits(&site.pool.stats()).assert_none();
    assert_eq!(site.pool.stats().submits, 2);
    site.close().await;
}

#[tokio::test]
async fn submits_out_of_order_and_strange_calls_are_answered_politely() {
    let site = Plan::deployed().start().await;
    let mut client = Client::connect(&site.address).await;
    let submit = r#"{"id":"s","method":"mining.submit","params":["rig","1","00","00","00"]}"#;
    let answer = client.ask(submit).await;
    assert_eq!(answer["error"], json!([25, "not subscribed", false]));
    client.subscribe().await;
    assert_eq!(client.ask(submit).await["error"][0], 24);
    // Who has subscribed is told again what it has.
    let again = client.subscribe().await;
    assert_eq!(again["result"][2], 3, "{again}");

    let long = "x".repeat(300);
    let nameless = json!({"id": 7, "method": "mining.authorize", "params": [long]});
    let calls = [
        (r#"{"id":3,"method":"mining.add_user","params":["a","b"]}"#, "unknown method"),
        (r#"{"id":4,"method":"mining.authorize","params":[]}"#, "worker name"),
        (r#"{"id":5,"method":"mining.authorize","params":[7]}"#, "worker name"),
        (r#"{"id":6,"method":"mining.authorize","params":{}}"#, "worker name"),
        (&nameless.to_string(), "worker name"),
        (r#"{"id":8,"method":"mining.suggest_difficulty","params":[-1]}"#, "found [-1]"),
        (r#"{"id":9,"method":"mining.get_transactions","params":["x"]}"#, "job not found: x"),
        (r#"{"id":10,"method":"mining.get_transactions"}"#, "job not found"),
    ];
    for (call, reason) in calls {
        let answer = client.ask(call).await;
        assert!(answer["error"][1].as_str().unwrap().contains(reason), "{answer}");
    }
    let configure = r#"{"id":11,"method":"mining.configure","params":[["version-rolling"],{}]}"#;
    assert_eq!(client.ask(configure).await["result"], json!({"version-rolling": false}));
    assert_eq!(client.ask(r#"{"id":12,"method":"mining.ping"}"#).await["result"], "pong");

    books(&site.totals()).assert_none();
    assert_eq!(site.totals().count(Verdict::Unauthorized), 2);
    assert_eq!(site.pool.stats().submits, 0);
    site.close().await;
}
