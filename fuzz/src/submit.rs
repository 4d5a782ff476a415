//! Any JSON as the parameters of a rig's submit. A share that is read is submitted to the pool as
//! the same share.
//!
//! Input: which job and how long the rig's extranonce2 is, then the parameters.

use std::time::Duration;

use bytes::BytesMut;
use orepass_stratum::dialect::{Checked, PoolCall, Work};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc::Message;
use orepass_stratum::target::Target;
use orepass_stratum::testing::{check, diagnose, heard_submit, read_share};
use serde_json::value::RawValue;

use crate::coin::{Coin, job};

/// Takes an input as the head of this file says, and gives 1 for a share that is proven, else 0.
///
/// # Panics
/// When what is submitted is not what was read, or a hash does not meet itself.
pub fn submit<D: Coin>(data: &[u8]) -> usize {
    let [options, params @ ..] = data else { return 0 };
    let Ok(params) = std::str::from_utf8(params) else { return 0 };
    let Ok(params) = RawValue::from_string(params.into()) else { return 0 };
    let dialect = D::default();
    let job = job::<D>(D::NOTIFIES[usize::from(options & 3).min(D::NOTIFIES.len() - 1)]);
    let size = usize::from(options >> 2) % (D::MAX_EXTRANONCE2 + 2);
    if let Err(reject) = heard_submit(&dialect, &params) {
        assert!(reject.reason.len() <= 1024, "a reason quotes too much");
    }
    let share = match read_share(&dialect, &job, size, &params) {
        Ok(share) => share,
        Err(reject) => {
            assert!(reject.reason.len() <= 1024, "a reason quotes too much");
            return 0;
        }
    };
    assert_eq!(D::extranonce2(&share).len(), size);

    let extranonce1 = Extranonce::from_slice(D::EXTRANONCE1).expect("short");
    let mut scratch = D::Scratch::default();
    let mut checked = |easiest| {
        let age = Duration::from_secs(60);
        check(&dialect, &job, &extranonce1, &share, easiest, age, &mut scratch)
    };
    let mut good = 0;
    if let Ok(Checked::Proven(hash)) = checked(&Target::MAX) {
        good = 1;
        assert!(dialect.rules().good.meets(&hash, &Target::MAX));
        assert_eq!(checked(&hash.as_target()).is_ok(), D::HASH_MEETS_ITSELF);
        assert!(D::header(&job, &extranonce1, &share).is_some());
    }
    let _ = diagnose(&dialect, &job, &extranonce1, 4, &share, &Target::ZERO);

    let (_, prefix) = D::EXTRANONCE1.split_at(D::EXTRANONCE1.len() - 1);
    let mut line = BytesMut::new();
    dialect.tell_pool(
        PoolCall::Submit { id: 3, worker: "account.\"farm\"", job: &job, prefix, share: &share },
        &mut line,
    );
    let message = Message::parse(&line).expect("a line of our own");
    let params = message.params.expect("parameters");
    let head = heard_submit(&dialect, params).expect("a worker and a job");
    assert_eq!((&*head.worker, &*head.job.text), ("account.\"farm\"", job.id()));
    if size + prefix.len() <= D::MAX_EXTRANONCE2 {
        let again = read_share(&dialect, &job, size + prefix.len(), params).expect("a share");
        assert_eq!(&D::extranonce2(&again)[prefix.len()..], D::extranonce2(&share));
        assert_eq!(D::found(&again), D::found(&share));
    }
    good
}
