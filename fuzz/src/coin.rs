//! What the targets must know of a coin.

mod aion;
mod bitcoin;
mod hstratum;
mod zcash;

use orepass_stratum::dialect::{Dialect, PoolEvent};
use orepass_stratum::downstream::Verify;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::job::JobId;
use orepass_stratum::testing;
use serde_json::value::RawValue;

/// A coin that is fuzzed: its jobs, what its pools and rigs say, and what is in its types.
pub trait Coin: Dialect + Default {
    /// The parameters of notifies, one of each kind. Any hash is good for the first.
    const NOTIFIES: &'static [&'static str];
    /// How a pool answers what a login asks, by the requests' numbers from 1 on, and takes every hash.
    const GREETING: &'static [&'static str];
    /// How the shares that [`submit`](Self::submit) makes are checked.
    const PLAYED: Verify;
    /// The extranonce1 of a rig, its last byte the prefix.
    const EXTRANONCE1: &'static [u8];
    /// Whether a hash that equals its target is good.
    const HASH_MEETS_ITSELF: bool;
    /// The most bytes of an extranonce2.
    const MAX_EXTRANONCE2: usize;

    /// The parameters of a submit behind the worker, another one with every `nonce`.
    fn submit(id: JobId, job: &Self::Job, extranonce2_size: usize, nonce: u64) -> String;

    /// What of a job a rig must be told, beside what is hashed.
    fn content(job: &Self::Job) -> String;

    /// The header of a share that was proven.
    fn header(job: &Self::Job, extranonce1: &Extranonce, share: &Self::Share) -> Option<Vec<u8>>;

    /// The rig's part of the extranonce.
    fn extranonce2(share: &Self::Share) -> &[u8];

    /// What the rig found, beside that.
    fn found(share: &Self::Share) -> String;
}

/// A job of a coin's [`Coin::NOTIFIES`].
///
/// # Panics
/// When the parameters are no job.
#[must_use]
pub fn job<D: Coin>(notify: &str) -> D::Job {
    let params = RawValue::from_string(notify.into()).expect("JSON");
    match testing::hear(&D::default(), "mining.notify", &params) {
        Ok(PoolEvent::Job(Ok(job))) => job,
        other => panic!("{other:?}"),
    }
}
