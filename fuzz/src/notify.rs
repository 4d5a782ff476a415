//! Any JSON as the parameters of a pool's call. A job that is read is told to rigs as the same job.
//!
//! Input: which call, then the parameters.

use bytes::BytesMut;
use orepass_stratum::dialect::{Announced, PoolEvent, RigSay, Work};
use orepass_stratum::habits::Habits;
use orepass_stratum::job::JobId;
use orepass_stratum::rpc::Message;
use orepass_stratum::target::Target;
use orepass_stratum::testing::{self, form};
use serde_json::value::RawValue;

use crate::coin::{Coin, job};

/// The calls, by their numbers.
pub(crate) const METHODS: [&str; 6] = [
    "mining.notify",
    "mining.set_difficulty",
    "mining.set_target",
    "mining.set_extranonce",
    "client.reconnect",
    "client.show_message",
];

/// Takes an input as the head of this file says, and gives 1 for a job, else 0.
///
/// # Panics
/// When what is told is not what was heard.
pub fn notify<D: Coin>(data: &[u8]) -> usize {
    let [method, params @ ..] = data else { return 0 };
    let Ok(params) = std::str::from_utf8(params) else { return 0 };
    let Ok(params) = RawValue::from_string(params.into()) else { return 0 };
    let method = METHODS[usize::from(*method) % METHODS.len()];
    let dialect = D::default();
    let mut announced = Announced::default();
    match testing::hear(&dialect, method, &params) {
        Ok(PoolEvent::Job(Ok(job))) => {
            told(&dialect, &job);
            return 1;
        }
        Ok(PoolEvent::Difficulty(difficulty)) => announced.difficulty = Some(difficulty),
        Ok(PoolEvent::Target(target)) => announced.target = Some(target),
        Ok(PoolEvent::Message(text)) => assert!(text.len() <= 1024),
        Ok(_) => {}
        Err(error) => assert!(error.to_string().len() <= 1024, "an error quotes too much"),
    }
    if announced != Announced::default() {
        priced(&dialect, &job::<D>(D::NOTIFIES[0]), &announced);
    }
    0
}

fn told<D: Coin>(dialect: &D, job: &D::Job) {
    let id = JobId::new(0x6b00_0001);
    let mut line = BytesMut::new();
    dialect.notify(id, job, &Target::MAX, form(true), &mut line);
    let message = Message::parse(&line).expect("a line of our own");
    let event = testing::hear(dialect, "mining.notify", message.params.expect("parameters"));
    let Ok(PoolEvent::Job(Ok(again))) = event else { panic!("{event:?}") };
    assert_eq!(again.id(), id.to_string());
    assert!(again.key() == job.key());
    assert_eq!(again.is_complete(), job.is_complete());
    assert_eq!(D::content(&again), D::content(job));
    priced(dialect, job, &Announced::default());
}

/// A job's target and what rigs are told of it mean about the same.
fn priced<D: Coin>(dialect: &D, job: &D::Job, announced: &Announced) {
    let target = dialect.price(job, announced, Habits::default()).wanted.surely(Habits::default());
    let difficulty = dialect.scale(job).difficulty_lossy(target);
    assert!(difficulty.get().is_finite() && difficulty.get() > 0.0, "{difficulty}");
    let mut line = BytesMut::new();
    let say = RigSay::Target { target: &target, difficulty };
    dialect.tell_rig(say, &D::Rig::default(), &mut line);
    let message = Message::parse(&line).expect("a line of our own");
    let (method, params) = (message.method.expect("a call"), message.params.expect("parameters"));
    let announced = match testing::hear(dialect, &method, params) {
        Ok(PoolEvent::Difficulty(told)) => Announced { difficulty: Some(told), target: None },
        Ok(PoolEvent::Target(told)) => Announced { difficulty: None, target: Some(told) },
        other => panic!("{other:?} for {target}"),
    };
    let heard = dialect.price(job, &announced, Habits::default()).wanted.surely(Habits::default());
    let ratio = heard.hashes_lossy() / target.hashes_lossy();
    // Tiny targets have few digits, and compact ones have 23 bits.
    assert!((0.99..1.01).contains(&ratio) || target.value().bit_len() < 32, "{target} {heard}");
}
