//! How masks of the version and the bits of a share are said and heard, which are this coin's own.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use orepass_stratum::bytes::BytesMut;
use orepass_stratum::dialect::{
    BasisOf, Diagnosis, Dialect, FailedShare, PoolAnswer, PoolCall, PoolEvent, PoolQuestion,
    RigCall, RigSay,
};
use orepass_stratum::error::Reject;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc::{Id, Message, RpcCall};
use orepass_stratum::serde_json::value::RawValue;
use orepass_stratum::target::Target;
use toy_coin::job::{Job, ROLLABLE, Share};
use toy_coin::{Mask, ROLLS_TOO_MUCH, Toy, ToyRig};

const TOY: Toy = Toy { open_jobs: 4 };
const NOTHING: ToyRig = ToyRig { rolls: 0 };

/// What is written.
fn line(write: impl FnOnce(&mut BytesMut)) -> String {
    let mut out = BytesMut::new();
    write(&mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

fn said(say: RigSay<'_, Job, Mask>, rig: ToyRig) -> String {
    line(|out| TOY.tell_rig(say, &rig, out))
}

fn call<'a>(message: &'a Message<'a>) -> RpcCall<'a> {
    RpcCall { method: message.method.as_deref().unwrap(), params: message.params }
}

fn heard_by_pool<T>(line: &str, rig: &mut ToyRig, read: impl FnOnce(RigCall<'_>) -> T) -> T {
    let message = Message::parse(line.trim_end().as_bytes()).unwrap();
    read(TOY.hear_rig(call(&message), rig))
}

fn heard_by_miner(line: &str, terms: &mut Mask) -> PoolEvent<Job> {
    let message = Message::parse(line.trim_end().as_bytes()).unwrap();
    TOY.hear_pool(call(&message), terms)
}

fn answer(to: PoolQuestion<'_, Job>, line: &str, terms: &mut Mask) -> PoolAnswer {
    let line = line.trim_end().as_bytes();
    TOY.hear_answer(to, &Message::parse(line).unwrap().reply(line), terms)
}

fn id() -> Id {
    let id = RawValue::from_string("7".into()).unwrap();
    Id::new(Some(&id)).unwrap()
}

fn a_job() -> Job {
    let block = Target::from_be_bytes([7; 32]);
    Job { id: "a".into(), parent: 1, root: u64::MAX, version: 0x2000_a000, block }
}

#[test]
fn masks_are_heard_as_they_are_said() {
    let wish = line(|out| TOY.tell_pool(PoolCall::Configure { id: 1 }, out));
    let mut rig = NOTHING;
    heard_by_pool(&wish, &mut rig, |call| assert!(matches!(call, RigCall::Configure), "{call:?}"));
    assert_eq!(rig, ToyRig { rolls: ROLLABLE });

    let granted = said(RigSay::Configured { id: &id(), asked: None }, rig);
    let mut terms = Mask(0);
    answer(PoolQuestion::Configure, &granted, &mut terms);
    assert_eq!(terms, Mask(ROLLABLE));
    let declined = said(RigSay::Configured { id: &id(), asked: None }, NOTHING);
    answer(PoolQuestion::Configure, &declined, &mut terms);
    assert_eq!(terms, Mask(0));

    let narrower = ToyRig { rolls: 0x0000_6000 };
    let mask = said(RigSay::Terms(&Mask(0x0000_c000)), narrower);
    assert!(matches!(heard_by_miner(&mask, &mut terms), PoolEvent::Noted), "{mask}");
    assert_eq!(terms, Mask(0x0000_4000));
    assert_eq!(said(RigSay::Terms(&Mask(ROLLABLE)), NOTHING), "");
    let unread = mask.replace("00004000", "4 bits");
    assert!(matches!(heard_by_miner(&unread, &mut terms), PoolEvent::Unusable(_)));
    assert_eq!(terms, Mask(0x0000_4000));
}

/// Reads a submit as one of a rig that was told the job with this mask.
fn read(line: &str, terms: Mask, mut rig: ToyRig) -> Result<Share, (Reject, Option<Diagnosis>)> {
    let (job, extranonce1) = (a_job(), Extranonce::from_slice(&[1, 2]).unwrap());
    let now = rig;
    heard_by_pool(line, &mut rig, |call| {
        let RigCall::Submit(Ok(submit)) = call else { panic!("{call:?}") };
        assert_eq!(submit.worker, "rig");
        let told = BasisOf::<Toy> {
            job: &job,
            terms: &terms,
            rig: &now,
            extranonce1: &extranonce1,
            pool_extranonce1: 2,
            extranonce2: 4,
        };
        let why = || TOY.why(&told, FailedShare::Form(&submit.fields));
        TOY.read_share(&told, &submit.fields).map_err(|reject| (reject, why()))
    })
}

#[test]
fn a_share_is_heard_as_it_is_said() {
    let terms = Mask(0x0000_e000);
    let submit = |share: &Share| {
        let (id, worker, prefix) = (1, "rig", &[9][..]);
        let job = &a_job();
        line(|out| TOY.tell_pool(PoolCall::Submit { id, worker, job, prefix, share }, out))
    };
    let own = Extranonce::from_slice(&[6, 7, 8]).unwrap();
    let extranonce2 = Extranonce::from_slice(&[9, 6, 7, 8]).unwrap();
    let share = Share { extranonce2: own, nonce: 5, version: 0x2000_4000, mask: terms.0 };
    let whole = |share: &Share| Share { extranonce2: extranonce2.clone(), ..share.clone() };
    let said = submit(&share);
    assert_eq!(read(&said, terms, ToyRig { rolls: ROLLABLE }).unwrap(), whole(&share), "{said}");

    // Without a mask there is no such field, and the version is the job's.
    let plain = Share { version: a_job().version, mask: 0, ..share };
    let said = submit(&plain);
    assert_eq!(read(&said, Mask(0), NOTHING).unwrap(), whole(&plain), "{said}");

    // What a rig must leave alone the pool hears as the job has it.
    let few = ToyRig { rolls: 0x0000_4000 };
    let said = said.replace("\"00000005\"", "\"00000005\",\"00004000\"");
    let share = read(&said, terms, few).unwrap();
    assert_eq!((share.version, share.mask), (0x2000_e000, terms.0));
    assert!(submit(&share).contains("\"0000e000\""), "{}", submit(&share));
    let outside = said.replace("\"00004000\"", "\"00002000\"");
    let (reject, why) = read(&outside, terms, few).unwrap_err();
    assert_eq!(why, Some(ROLLS_TOO_MUCH));
    assert!(reject.to_string().contains("outside of the mask 00004000"), "{reject}");
}
