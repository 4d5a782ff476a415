//! Any JSON as the parameters of a pool's call. A job that is read is told to rigs as the same job.
//!
//! Input: which call, then the parameters.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use orepass_fuzz::{DEPLOYED, job};
use orepass_hstratum::Hstratum;
use orepass_hstratum::job::Job;
use orepass_stratum::dialect::{Announced, Dialect, PoolEvent};
use orepass_stratum::habits::Habits;
use orepass_stratum::job::JobId;
use orepass_stratum::rpc::Message;
use orepass_stratum::target::Target;
use serde_json::value::RawValue;

const METHODS: [&str; 6] = [
    "mining.notify",
    "mining.set_difficulty",
    "mining.set_target",
    "mining.set_extranonce",
    "client.reconnect",
    "client.show_message",
];

fuzz_target!(|data: &[u8]| {
    let [method, params @ ..] = data else { return };
    let Ok(params) = std::str::from_utf8(params) else { return };
    let Ok(params) = RawValue::from_string(params.into()) else { return };
    let method = METHODS[usize::from(*method) % METHODS.len()];
    let dialect = Hstratum::default();
    match dialect.parse_event(method, &params) {
        Ok(PoolEvent::Notify(job)) => told(&dialect, &job),
        Ok(PoolEvent::Difficulty(difficulty)) => {
            let announced = Announced { difficulty: Some(difficulty), target: None };
            priced(&dialect, &job(DEPLOYED), &announced);
        }
        Ok(PoolEvent::Message(text)) => assert!(text.len() <= 1024),
        Ok(_) => {}
        Err(error) => assert!(error.to_string().len() <= 1024, "an error quotes too much"),
    }
});

fn told(dialect: &Hstratum, job: &Job) {
    let id = JobId::new(0x6b00_0001);
    let mut line = BytesMut::new();
    dialect.put_job(id, job, &Target::MAX, true, &mut line);
    let message = Message::parse(&line).expect("a line of our own");
    let event = dialect.parse_event("mining.notify", message.params.expect("parameters"));
    let Ok(PoolEvent::Notify(again)) = event else { panic!("{event:?}") };
    assert_eq!(again.id(), id.to_string());
    assert!(dialect.same_work(job, &again) && dialect.same_work(&again, job));
    assert_eq!((again.time(), again.bits()), (job.time(), job.bits()));
    assert_eq!(dialect.checkable(&again), dialect.checkable(job));
    assert_eq!(again.block_target(), job.block_target());
    priced(dialect, job, &Announced::default());
}

/// A job's target and the difficulty that rigs are told mean about the same.
fn priced(dialect: &Hstratum, job: &Job, announced: &Announced) {
    let target = dialect.pool_target(job, announced).surely(Habits::default());
    let difficulty = dialect.rig_difficulty(job, &target).get();
    assert!(difficulty.is_finite() && difficulty > 0.0, "{difficulty}");
    let mut line = BytesMut::new();
    dialect.put_target(job, &target, &mut line);
    let message = Message::parse(&line).expect("a line of our own");
    let params = message.params.expect("parameters");
    let event = dialect.parse_event("mining.set_difficulty", params);
    let Ok(PoolEvent::Difficulty(again)) = event else { panic!("{event:?} for {target}") };
    let announced = Announced { difficulty: Some(again), target: None };
    let heard = dialect.pool_target(job, &announced).surely(Habits::default());
    let ratio = heard.hashes_lossy() / target.hashes_lossy();
    // Tiny targets have few digits, and compact ones have 23 bits.
    assert!((0.99..1.01).contains(&ratio) || target.value().bit_len() < 32, "{target} {heard}");
}
