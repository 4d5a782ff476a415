//! Any JSON as the parameters of a rig's submit. A share that is read is submitted to the pool as
//! the same share.
//!
//! Input: which job and how long the rig's extranonce2 is, then the parameters.

#![no_main]

use std::time::Duration;

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use orepass_fuzz::{NOTIFIES, job};
use orepass_hstratum::Hstratum;
use orepass_stratum::dialect::{Checked, Dialect};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc::{Message, Params};
use orepass_stratum::target::Target;
use serde_json::value::RawValue;

const PREFIX: &[u8] = &[0x2f];

fuzz_target!(|data: &[u8]| {
    let [options, params @ ..] = data else { return };
    let Ok(params) = std::str::from_utf8(params) else { return };
    let Ok(params) = RawValue::from_string(params.into()) else { return };
    let Ok(params) = Params::read(&params) else { return };
    let dialect = Hstratum::default();
    let job = job(NOTIFIES[usize::from(options & 3).min(NOTIFIES.len() - 1)]);
    let size = usize::from(options >> 2) % 26;
    if let Err(reject) = dialect.submit_head(&params) {
        assert!(reject.reason.len() <= 1024, "a reason quotes too much");
    }
    let share = match dialect.parse_share(&job, size, &params) {
        Ok(share) => share,
        Err(reject) => return assert!(reject.reason.len() <= 1024, "a reason quotes too much"),
    };
    assert_eq!(share.extranonce2().len(), size);
    assert!(dialect.submit_head(&params).is_ok(), "a share without a worker and a job");

    let extranonce1 = Extranonce::from_slice(&[0x02, 0xc0, 0x5b, 0xfd, 0x2f]).expect("short");
    let check = |easiest| {
        dialect.check(&job, &extranonce1, &share, &easiest, Duration::from_secs(60), &mut ())
    };
    if let Ok(Checked::Proven(hash)) = check(Target::MAX) {
        assert!(dialect.meets(&hash, &Target::MAX));
        assert!(check(hash.as_target()).is_ok(), "a hash meets itself");
        assert!(dialect.header(&job, &extranonce1, &share).is_some());
    }
    let _ = dialect.diagnose(&job, &extranonce1, 4, &share, &Target::ZERO);

    let mut line = BytesMut::new();
    dialect.put_submit(3, "account.\"farm\"", &job, PREFIX, &share, &mut line);
    let message = Message::parse(&line).expect("a line of our own");
    let params = &Params::read(message.params.expect("parameters")).expect("an array");
    let head = dialect.submit_head(params).expect("a worker and a job");
    assert_eq!((&*head.worker, &*head.job), ("account.\"farm\"", job.id()));
    if size + PREFIX.len() <= 24 {
        let again = dialect.parse_share(&job, size + PREFIX.len(), params).expect("a share");
        assert_eq!(&again.extranonce2()[PREFIX.len()..], share.extranonce2());
        assert_eq!((again.time, again.nonce, again.mask), (share.time, share.nonce, share.mask));
    }
});
