//! The duplicate filter of one told job.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use crate::dialect::Fingerprint;

/// The most shares remembered per job and rig. At the cap a share is refused, never let through.
pub const MAX_SHARES_PER_JOB: usize = 16_384;

/// The good shares that a rig sent for one job. It dies with the job; its memory is used again.
#[derive(Debug, Default)]
pub struct Seen {
    shares: Set,
    nonces: Set,
}

/// What is known about a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    /// Nothing.
    New,
    /// It came before.
    Duplicate,
    /// Another solution of its nonce was forwarded before.
    SecondSolution,
    /// There is no room to remember it.
    Full,
}

impl Seen {
    /// Looks a share up.
    #[must_use]
    pub fn look_up(&self, fingerprint: Fingerprint) -> Sighting {
        if self.shares.contains(&fingerprint.share) {
            Sighting::Duplicate
        } else if fingerprint.nonce.is_some_and(|nonce| self.nonces.contains(&nonce)) {
            Sighting::SecondSolution
        } else if self.shares.len() >= MAX_SHARES_PER_JOB {
            Sighting::Full
        } else {
            Sighting::New
        }
    }

    /// Remembers a share.
    pub fn insert(&mut self, fingerprint: Fingerprint) {
        if self.shares.len() < MAX_SHARES_PER_JOB {
            self.shares.insert(fingerprint.share);
        }
    }

    /// Remembers that a share goes to the pool, which takes no other of its nonce.
    pub fn insert_forwarded(&mut self, fingerprint: Fingerprint) {
        if self.nonces.len() < MAX_SHARES_PER_JOB {
            self.nonces.extend(fingerprint.nonce);
        }
    }

    /// Forgets all shares and keeps the memory.
    pub fn clear(&mut self) {
        self.shares.clear();
        self.nonces.clear();
    }
}

type Set = HashSet<u64, BuildHasherDefault<AlreadyHashed>>;

/// Fingerprints are hashes already.
#[derive(Debug, Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(share: u64, nonce: u64) -> Fingerprint {
        Fingerprint { share, nonce: Some(nonce) }
    }

    #[test]
    fn duplicates_and_second_solutions_are_told_apart() {
        let mut seen = Seen::default();
        assert_eq!(seen.look_up(print(1, 1)), Sighting::New);
        seen.insert(print(1, 1));
        assert_eq!(seen.look_up(print(1, 1)), Sighting::Duplicate);
        assert_eq!(seen.look_up(print(2, 1)), Sighting::New, "the pool has none of this nonce");
        seen.insert_forwarded(print(1, 1));
        assert_eq!(seen.look_up(print(2, 1)), Sighting::SecondSolution);
        seen.insert(print(2, 1));
        assert_eq!(seen.look_up(print(2, 1)), Sighting::Duplicate);
        assert_eq!(seen.look_up(print(3, 3)), Sighting::New);
        seen.clear();
        assert_eq!(seen.look_up(print(1, 1)), Sighting::New);
    }

    #[test]
    fn at_the_cap_shares_are_refused() {
        let mut seen = Seen::default();
        for share in 0..MAX_SHARES_PER_JOB as u64 {
            seen.insert(Fingerprint { share, nonce: None });
        }
        assert_eq!(seen.look_up(Fingerprint { share: u64::MAX, nonce: None }), Sighting::Full);
        assert_eq!(seen.look_up(Fingerprint { share: 5, nonce: None }), Sighting::Duplicate);
    }
}
