//! What a job and a share are, whatever wire they come by.

use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A pool's job, immutable but for what is learnt late (which sits in a `OnceLock`). `S` is a share
/// of it.
pub trait Work<S>: Debug + Send + Sync + 'static {
    /// The pool's name for it, as it came.
    fn id(&self) -> &str;

    /// What stands for all that is hashed of it: the same for two jobs exactly when they are the
    /// same work, whatever their ids. A pool that tells the same work again repeats itself.
    fn key(&self) -> WorkKey;

    /// What stands for the block that it builds on, to see which of several pools is behind; `None`
    /// where jobs do not tell it.
    fn parent(&self) -> Option<u64>;

    /// The time with which a rig begins, in Unix seconds, to see whose clock is off; `None` where jobs do
    /// not tell it.
    fn time(&self) -> Option<u64>;

    /// Whether it makes shares of `old` worthless: a new epoch.
    fn supersedes(&self, old: &Self) -> bool;

    /// Whether the pool would take this share under this job's id: the job is the same work as the
    /// share's own, told again later.
    fn serves(&self, share: &S) -> bool;

    /// Whether all is known by now that it takes to compute the hash of a share.
    fn is_complete(&self) -> bool;

    /// What the operator should know of it, said once for each connection; nothing of most jobs.
    fn remark(&self) -> Option<String> {
        None
    }
}

/// A share that can be told from others.
pub trait Fingerprinted: Debug + Send + 'static {
    /// What makes it the same as another of its job and extranonce1.
    fn fingerprint(&self) -> Fingerprint;
}

/// What stands for all that is hashed of a job: a hash of it (the same for different jobs by one
/// chance in 2⁶⁴).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WorkKey(u64);

impl WorkKey {
    /// The key of what is hashed.
    #[must_use]
    pub fn of(work: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        work.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// What makes a share the same as another: hashes of its parts, equal only for equal parts (but
/// for one chance in 2⁶⁴).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// Of all parts.
    pub share: u64,
    /// Of the nonce alone, where one nonce may have several solutions.
    pub nonce: Option<u64>,
}
