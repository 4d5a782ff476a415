//! How masks, shares and the extranonce are said and heard, and what is done about a job's payouts.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use bytes::BytesMut;
use orepass_bitcoin::address::PayAddress;
use orepass_bitcoin::diagnose::{ROLLS_TOO_MUCH, SENDS_VERSION_CHANGES};
use orepass_bitcoin::job::Job;
use orepass_bitcoin::rig::RigWishes;
use orepass_bitcoin::share::{self, Share};
use orepass_bitcoin::terms::{CoinbaseRoom, PoolGrant};
use orepass_bitcoin::{Bitcoin, Options, VersionMask};
use orepass_stratum::dialect::{
    BasisOf, Diagnosis, Dialect, FailedShare, PoolAnswer, PoolCall, PoolEvent, PoolQuestion,
    RigCall, RigNeeds, RigSay, Work,
};
use orepass_stratum::error::{Reject, RejectCode};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc::{Id, Message, RpcCall};
use orepass_stratum::target::{Difficulty, Target};
use orepass_stratum::testing;
use serde_json::value::RawValue;
use serde_json::{Value, json};

const PAID: &str = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
const OTHER: &str = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa";

/// What is written.
fn line(write: impl FnOnce(&mut BytesMut)) -> String {
    let mut out = BytesMut::new();
    write(&mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

fn raw(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).unwrap()
}

fn call<'a>(message: &'a Message<'a>) -> RpcCall<'a> {
    RpcCall { method: message.method.as_deref().unwrap(), params: message.params }
}

fn hear(dialect: &Bitcoin, line: &str, grant: &mut PoolGrant) -> PoolEvent<Job> {
    let message = Message::parse(line.trim_end().as_bytes()).unwrap();
    dialect.hear_pool(call(&message), grant)
}

fn answer(to: PoolQuestion<'_, Job>, line: &str, grant: &mut PoolGrant) -> PoolAnswer {
    let line = line.trim_end().as_bytes();
    Bitcoin::default().hear_answer(to, &Message::parse(line).unwrap().reply(line), grant)
}

fn id() -> Id {
    Id::new(Some(&raw(&json!(7)))).unwrap()
}

/// A coinbase's two parts around an extranonce of so many bytes, which pays these addresses.
fn coinbase(gap: usize, pays: &[(&str, u64)]) -> [String; 2] {
    let (mut before, mut after) = (vec![1, 0, 0, 0, 1], vec![0xff; 4]);
    before.extend([0; 32]);
    before.extend([0xff; 4]);
    before.extend([4 + gap as u8, 3, 1, 2, 3]);
    after.push(pays.len() as u8);
    for (address, satoshis) in pays {
        let address: PayAddress = address.parse().unwrap();
        after.extend(satoshis.to_le_bytes());
        after.push(address.script().len() as u8);
        after.extend(address.script());
    }
    after.extend([0; 4]);
    [const_hex::encode(before), const_hex::encode(after)]
}

fn notify(coinbase: &[String; 2]) -> String {
    let [before, after] = coinbase;
    let (zeros, branch) = ("00".repeat(32), "ab".repeat(32));
    let params =
        json!(["j", zeros, before, after, [branch], "20000000", "1900ffff", "504e86b9", true]);
    json!({ "id": null, "method": "mining.notify", "params": params }).to_string()
}

fn subscribed(extranonce1: &str, size: usize) -> PoolGrant {
    let line = json!({ "id": 1, "result": [[], extranonce1, size], "error": null }).to_string();
    let mut grant = PoolGrant::default();
    let heard = answer(PoolQuestion::Subscribe { former: None }, &line, &mut grant);
    assert!(matches!(heard, PoolAnswer::Subscribed { given: Some(_), .. }), "{heard:?}");
    grant
}

fn job(dialect: &Bitcoin, line: &str, grant: &mut PoolGrant) -> Job {
    match hear(dialect, line, grant) {
        PoolEvent::Job(Ok(job)) => job,
        other => panic!("{other:?}"),
    }
}

#[test]
fn masks_are_heard_as_they_are_said() {
    let dialect = Bitcoin::default();
    let wish = line(|out| dialect.tell_pool(PoolCall::Configure { id: 1 }, out));
    let message = Message::parse(wish.trim_end().as_bytes()).unwrap();
    let mut rig = RigWishes::default();
    assert!(matches!(dialect.hear_rig(call(&message), &mut rig), RigCall::Configure));
    assert_eq!((rig.mask, rig.least_bits), (VersionMask::ROLLABLE, 1));

    let asked = message.params;
    let say = RigSay::Configured { id: &id(), asked };
    let granted = line(|out| dialect.tell_rig(say, &rig, out));
    let mut grant = PoolGrant::default();
    answer(PoolQuestion::Configure, &granted, &mut grant);
    assert_eq!(grant.mask, VersionMask::ROLLABLE);
    answer(
        PoolQuestion::Configure,
        "{\"id\":1,\"result\":null,\"error\":[20,\"no\",null]}",
        &mut grant,
    );
    assert_eq!(grant.mask, VersionMask::NONE, "a pool that knows no such call");

    let narrow = RigWishes { mask: VersionMask(0x6000), ..RigWishes::default() };
    let pools = PoolGrant { mask: VersionMask(0xc000), room: None };
    let said = line(|out| dialect.tell_rig(RigSay::Terms(&pools), &narrow, out));
    assert!(said.contains("\"mining.set_version_mask\",\"params\":[\"00004000\"]"), "{said}");
    assert!(matches!(hear(&dialect, &said, &mut grant), PoolEvent::Noted));
    assert_eq!(grant.mask, VersionMask(0x4000));
    assert!(matches!(
        hear(&dialect, &said.replace("00004000", "x"), &mut grant),
        PoolEvent::Unusable(_)
    ));
    let silent = line(|out| dialect.tell_rig(RigSay::Terms(&pools), &RigWishes::default(), out));
    assert_eq!(silent, "", "it did not ask");
}

#[test]
fn an_operator_may_allow_no_version_rolling() {
    let options = Options::default().with_version_mask(VersionMask::NONE);
    let dialect = Bitcoin::new(options);
    assert_eq!(line(|out| dialect.tell_pool(PoolCall::Configure { id: 1 }, out)), "");
    let params = raw(&json!([["version-rolling"], {"version-rolling.mask": "ffffffff"}]));
    let mut rig = RigWishes::default();
    dialect.hear_rig(RpcCall { method: "mining.configure", params: Some(&params) }, &mut rig);
    let say = RigSay::Configured { id: &id(), asked: Some(&params) };
    let said = line(|out| dialect.tell_rig(say, &rig, out));
    assert!(said.contains("{\"version-rolling\":false}"), "{said}");
    let mut grant = PoolGrant::default();
    let set = "{\"id\":null,\"method\":\"mining.set_version_mask\",\"params\":[\"1fffe000\"]}";
    assert!(matches!(hear(&dialect, set, &mut grant), PoolEvent::Noted));
    assert_eq!(grant.mask, VersionMask::NONE);
}

/// Reads a submit as one of a rig that was told a job with this mask and may roll these bits.
fn read(params: &Value, pool: u32, own: u32) -> Result<Share, (Reject, Option<Diagnosis>)> {
    let dialect = Bitcoin::default();
    let job = job(&dialect, &notify(&coinbase(8, &[(PAID, 1)])), &mut PoolGrant::default());
    let (terms, rig) = (
        PoolGrant { mask: VersionMask(pool), room: None },
        RigWishes { mask: VersionMask(own), ..RigWishes::default() },
    );
    let extranonce1 = Extranonce::from_slice(&[1, 2, 3, 4]).unwrap();
    let told = BasisOf::<Bitcoin> {
        job: &job,
        terms: &terms,
        rig: &rig,
        extranonce1: &extranonce1,
        pool_extranonce1: 2,
        extranonce2: 4,
    };
    let params = raw(params);
    let submit = testing::heard_submit(&dialect, &params).map_err(|reject| (reject, None))?;
    let why = || dialect.why(&told, FailedShare::Form(&submit.fields));
    dialect.read_share(&told, &submit.fields).map_err(|reject| (reject, why()))
}

#[test]
fn a_submit_is_read_whole_or_refused_with_what_is_wrong() {
    let good = json!(["w", "j", "0102030a", "504e86ed", "b2957c02", "00004000"]);
    let share = read(&good, 0x6000, 0x4000).unwrap();
    assert_eq!(share.extranonce2.as_bytes(), [1, 2, 3, 10]);
    let Share { time, nonce, version, mask, .. } = share;
    assert_eq!((time, nonce, version, mask), (0x504e_86ed, 0xb295_7c02, 0x2000_4000, 0x6000));
    let silent = read(&json!(["w", "j", "0102030A", "504e86ed", "b2957c02"]), 0x6000, 0x4000);
    assert_eq!(silent.unwrap().version, 0x2000_0000, "it says nothing of the version");

    let wrong = |at: usize, value: Value| {
        let mut params = good.clone();
        params[at] = value;
        read(&params, 0x6000, 0x4000).unwrap_err()
    };
    let (reject, why) = wrong(5, json!("00006000"));
    assert_eq!((reject.code, why), (RejectCode::Other, Some(ROLLS_TOO_MUCH)));
    let reason = "version bits 00006000 are outside of the mask 00004000 that this rig may roll";
    assert_eq!(reject.reason, reason);
    let (reject, why) = wrong(2, json!("01020304ff"));
    assert_eq!(reject.reason, "extranonce2 is 5 bytes (\"01020304ff\"), this rig was told 4");
    assert_eq!(why, Some(Diagnosis::IGNORES_EXTRANONCE2_SIZE));
    assert_eq!(wrong(4, json!("00000000b2957c02")).1, Some(Diagnosis::OTHER_COIN));
    for (at, value, expected) in [
        (2, json!("0102030"), "extranonce2 is \"0102030\""),
        (3, json!("later"), "ntime is \"later\""),
        (4, json!(7), "nonce is 7"),
        (5, json!("0x4000"), "version bits is \"0x4000\""),
    ] {
        let (reject, _) = wrong(at, value);
        assert!(reject.reason.starts_with(expected), "{reject}");
    }
    for params in [json!(["w", "j", "0102030a", "504e86ed"]), json!(["w", "j", "", "", "", "", ""])]
    {
        let (reject, _) = read(&params, 0, 0).unwrap_err();
        assert!(reject.reason.contains("parameters, expected worker, job id"), "{reject}");
    }
}

#[test]
fn a_pool_gets_all_bits_that_it_takes_from_a_submit() {
    let dialect = Bitcoin::default();
    let job = job(&dialect, &notify(&coinbase(8, &[(PAID, 1)])), &mut PoolGrant::default());
    let submit = |version, mask| {
        let extranonce2 = "060708".parse().unwrap();
        let share = Share { extranonce2, time: 0x504e_86ed, nonce: 5, version, mask };
        let call = PoolCall::Submit { id: 1, worker: "w", job: &job, prefix: &[9], share: &share };
        let line = line(|out| dialect.tell_pool(call, out));
        serde_json::from_str::<Value>(&line).unwrap()["params"].clone()
    };
    let plain = json!(["w", "j", "09060708", "504e86ed", "00000005"]);
    assert_eq!(submit(0x2000_0000, 0), plain);
    let mut rolled = plain;
    rolled.as_array_mut().unwrap().push("0000a000".into());
    assert_eq!(submit(0x2000_a000, 0xe000), rolled);
}

/// Of a long extranonce2 rigs are told eight bytes; what the pool gets is the same coinbase.
#[test]
fn an_extranonce2_that_rigs_cannot_bear_ends_in_zeros() {
    let dialect = Bitcoin::default();
    let mut grant = subscribed("aabbccdd", 12);
    assert_eq!(grant.room, Some(CoinbaseRoom { extranonce1: 4, extranonce2: 12 }));
    let line = notify(&coinbase(16, &[(PAID, 5)]));
    let told = job(&dialect, &line, &mut grant);
    assert_eq!(told.padding(), 4);
    assert_eq!(told.coinbase().unwrap().unwrap().payouts[0].satoshis, 5);
    let whole = job(&dialect, &line, &mut PoolGrant::default());

    let share = |extranonce2: &str| Share {
        extranonce2: extranonce2.parse().unwrap(),
        time: 0x504e_86ed,
        nonce: 5,
        version: 0x2000_0000,
        mask: 0,
    };
    let found = share("060708090a0b0c");
    let call = PoolCall::Submit { id: 1, worker: "w", job: &told, prefix: &[0x2f], share: &found };
    let submitted = self::line(|out| dialect.tell_pool(call, out));
    assert!(submitted.contains("\"2f060708090a0b0c00000000\""), "{submitted}");
    let (rigs, pools) = ([0xaa, 0xbb, 0xcc, 0xdd, 0x2f], [0xaa, 0xbb, 0xcc, 0xdd]);
    let as_pool = share::header(&whole, &pools, &share("2f060708090a0b0c00000000"));
    assert_eq!(share::header(&told, &rigs, &found), as_pool);

    // A proxy below is told what rigs are.
    let again = self::line(|out| {
        dialect.notify(
            orepass_stratum::job::JobId::new(1),
            &told,
            &Target::MAX,
            testing::form(true),
            out,
        );
    });
    let below = job(&dialect, &again, &mut subscribed("aabbccdd2f", 7));
    assert_eq!(share::header(&below, &rigs, &found), as_pool);
    assert_eq!(below.key(), told.key());

    // Another extranonce has another room.
    let set = "{\"id\":null,\"method\":\"mining.set_extranonce\",\"params\":[\"aabb\",8]}";
    assert!(matches!(hear(&dialect, set, &mut grant), PoolEvent::Extranonce { .. }));
    assert_eq!(grant.room, Some(CoinbaseRoom { extranonce1: 2, extranonce2: 8 }));
}

#[test]
fn a_pool_that_pays_elsewhere_is_barred_with_what_was_expected_and_what_came() {
    let wanted: Vec<PayAddress> = vec![PAID.parse().unwrap()];
    let dialect = Bitcoin::new(Options::default().with_verify_payout(wanted));
    let mut grant = subscribed("aabbccdd", 8);
    let mut heard =
        |pays: &[(&str, u64)], gap| hear(&dialect, &notify(&coinbase(gap, pays)), &mut grant);
    assert!(matches!(heard(&[(PAID, 312_500_000)], 12), PoolEvent::Job(Ok(_))));
    assert!(matches!(heard(&[(PAID, 1), (PAID, 2), (OTHER, 0)], 12), PoolEvent::Job(Ok(_))));
    for (pays, gap, came) in [
        (&[(OTHER, 312_500_000)][..], 12, format!("3.125 BTC to {OTHER}")),
        (&[(PAID, 300_000_000), (OTHER, 12_500_000)], 12, format!("0.125 BTC to {OTHER}")),
        (&[], 12, "no payment at all".into()),
        (&[(PAID, 1)], 11, "cannot be read".into()),
    ] {
        let PoolEvent::Barred(why) = heard(pays, gap) else { panic!("{pays:?}") };
        assert!(why.contains(&came) && why.contains(PAID), "{why}");
    }
    let line = notify(&coinbase(12, &[(PAID, 1)]));
    let early = hear(&dialect, &line, &mut PoolGrant::default());
    assert!(matches!(early, PoolEvent::Barred(_)), "nobody knows whom it pays: {early:?}");
    let nonsense = hear(&dialect, &line.replace("1900ffff", "x"), &mut grant);
    assert!(matches!(nonsense, PoolEvent::Job(Err(_))), "{nonsense:?}");
}

#[test]
fn a_coinbase_that_cannot_be_decoded_is_remarked_on_and_mined() {
    let dialect = Bitcoin::default();
    let line = notify(&coinbase(12, &[(PAID, 1)]));
    assert_eq!(job(&dialect, &line, &mut subscribed("aabbccdd", 8)).remark(), None);
    let broken = job(&dialect, &line, &mut subscribed("aabbccdd", 7));
    assert!(broken.remark().unwrap().contains("cannot be decoded"), "{:?}", broken.remark());
    assert!(broken.is_complete());
    assert_eq!(job(&dialect, &line, &mut PoolGrant::default()).remark(), None, "it is not known");
}

#[test]
fn rigs_wish_for_difficulties_in_three_ways() {
    let dialect = Bitcoin::default();
    let suggested = |method, params: Value| {
        let params = raw(&params);
        match dialect.hear_rig(RpcCall { method, params: Some(&params) }, &mut RigWishes::default())
        {
            RigCall::Suggest(difficulty) => difficulty.map(Difficulty::get),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(suggested("mining.suggest_difficulty", json!([512])), Some(512.0));
    let target = format!("00000000{:0<56}", "00ffff");
    assert_eq!(suggested("mining.suggest_target", json!([target])), Some(256.0));
    for wrong in [json!(["00".repeat(32)]), json!(["x"]), json!([]), json!(7)] {
        assert_eq!(suggested("mining.suggest_target", wrong), None);
    }

    let params = raw(&json!([
        ["minimum-difficulty", "subscribe-extranonce"],
        {"minimum-difficulty.value": 8192}
    ]));
    let mut rig = RigWishes::default();
    dialect.hear_rig(RpcCall { method: "mining.configure", params: Some(&params) }, &mut rig);
    let firmware = rig.firmware();
    assert_eq!(firmware.least_difficulty.map(Difficulty::get), Some(8192.0));
    assert_eq!(
        (firmware.difficulty, firmware.set_extranonce),
        (firmware.least_difficulty, Some(true))
    );
}

#[test]
fn what_firmware_does_wrong_is_told_by_its_shares() {
    let vectors: Value = serde_json::from_str(include_str!("vectors/bitcoin.json")).unwrap();
    let vector = &vectors["shares"][4];
    let job = Job::parse(&raw(&vector["notify"]), None).unwrap();
    let extranonce1: Extranonce = vector["extranonce1"].as_str().unwrap().parse().unwrap();
    let target = Target::from_hex(vector["hash"].as_str().unwrap()).unwrap();
    let dialect = Bitcoin::default();
    let good = testing::read_share(&dialect, &job, 8, &raw(&vector["submit"])).unwrap();
    let why = |job: &Job, extranonce1: &Extranonce, share: &Share, target: &Target| {
        testing::diagnose(&dialect, job, extranonce1, 7, share, target)
    };
    let of = |change: fn(&mut Share)| {
        let mut share = good.clone();
        change(&mut share);
        why(&job, &extranonce1, &share, &target)
    };
    assert_eq!(of(|share| share.nonce = share.nonce.swap_bytes()), Some(Diagnosis::REVERSED_NONCE));
    assert_eq!(of(|share| share.time = share.time.swap_bytes()), Some(Diagnosis::REVERSED_TIME));
    assert_eq!(of(|share| share.nonce += 1), None);
    let longer: Extranonce = format!("{extranonce1}2f").parse().unwrap();
    assert_eq!(why(&job, &longer, &good, &target), Some(Diagnosis::TRUNCATES_EXTRANONCE1));
    assert_eq!(why(&job, &extranonce1, &good, &Target::MAX), None, "any hash meets it");

    // The job has a bit of the mask; the rig's bits say that it left it as it is.
    let mut parts = job.parts().clone();
    parts.version |= 0x2000;
    let job = Job::new(parts, None).unwrap();
    let target = Target::new(Target::MAX.value() >> 8_u32);
    let found = (0..u32::MAX)
        .map(|nonce| Share { version: job.parts().version, mask: 0x2000, nonce, ..good.clone() })
        .find(|share| share::hash(&job, extranonce1.as_bytes(), share).at_or_below(&target));
    // Bits of 0, which by BIP 310 clear the job's.
    let read = Share { version: 0x2000_0004, ..found.unwrap() };
    assert_eq!(why(&job, &extranonce1, &read, &target), Some(SENDS_VERSION_CHANGES));
}
