//! The duplicate filter of one work under one lease.

use std::collections::{HashSet, hash_set};
use std::hash::{BuildHasherDefault, Hasher};

use crate::dialect::Fingerprint;

/// The good shares that were sent for one work under one lease.
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
}

impl Seen {
    /// Looks a share up.
    #[must_use]
    pub fn look_up(&self, fingerprint: Fingerprint) -> Sighting {
        if self.shares.contains(&fingerprint.share) {
            Sighting::Duplicate
        } else if fingerprint.nonce.is_some_and(|nonce| self.nonces.contains(&nonce)) {
            Sighting::SecondSolution
        } else {
            Sighting::New
        }
    }

    /// Remembers a share.
    pub fn insert(&mut self, fingerprint: Fingerprint) {
        self.shares.insert(fingerprint.share);
    }

    /// Remembers that a share goes to the pool, which takes no other of its nonce.
    pub fn insert_forwarded(&mut self, fingerprint: Fingerprint) {
        self.nonces.extend(fingerprint.nonce);
    }

    /// How many fingerprints it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shares.len() + self.nonces.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all shares and keeps the memory, if it is not much.
    pub(crate) fn clear(&mut self) {
        for set in [&mut self.shares, &mut self.nonces] {
            set.clear();
            if set.capacity() > MAX_SPARE {
                *set = Set::default();
            }
        }
    }

    /// Its shares, and then its nonces.
    pub(crate) fn sets(&self) -> [hash_set::Iter<'_, u64>; 2] {
        [self.shares.iter(), self.nonces.iter()]
    }

    /// Remembers what another one's [`sets`](Self::sets) had.
    pub(crate) fn extend(&mut self, [shares, nonces]: [&[u64]; 2]) {
        self.shares.extend(shares);
        self.nonces.extend(nonces);
    }
}

/// The largest set whose memory is used again for another work.
const MAX_SPARE: usize = 512;

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
    fn much_memory_is_not_kept() {
        let mut seen = Seen::default();
        (0..MAX_SPARE as u64 * 4).for_each(|share| seen.insert(print(share, 0)));
        seen.clear();
        assert_eq!(seen.shares.capacity(), 0);
    }
}
