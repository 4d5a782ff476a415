//! What the rigs have been given and have made, for the pool to compare with.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

/// Of so many shares of a rig it is known when they were sent. More are never in flight.
pub const SLOTS: usize = 64;

/// A share's name: the rig that made it and its number there. It stands in the share itself, since
/// what is between rigs and pool gives it another id and another worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareName {
    /// The rig.
    pub rig: u16,
    /// From 0.
    pub number: u32,
}

impl ShareName {
    /// The nonce, most significant first: the rig, and the lower half of the number.
    #[must_use]
    pub fn nonce(self) -> u32 {
        u32::from(self.rig) << 16 | self.number & 0xffff
    }

    /// What the last two bytes of extranonce2 have: the upper half of the number.
    #[must_use]
    pub fn tail(self) -> u16 {
        (self.number >> 16) as u16
    }

    /// The name in these fields of a share.
    #[must_use]
    pub fn read(nonce: u32, tail: u16) -> Self {
        Self { rig: (nonce >> 16) as u16, number: u32::from(tail) << 16 | nonce & 0xffff }
    }
}

/// All rigs, and one clock for all threads.
#[derive(Debug)]
pub struct Roll {
    start: Instant,
    rigs: Box<[Entry]>,
}

#[derive(Debug)]
struct Entry {
    extranonce1: OnceLock<Box<[u8]>>,
    made: AtomicU32,
    sent: [AtomicU64; SLOTS],
}

impl Roll {
    /// For so many rigs.
    #[must_use]
    pub fn new(rigs: usize) -> Self {
        let entry = || Entry {
            extranonce1: OnceLock::new(),
            made: AtomicU32::new(0),
            sent: std::array::from_fn(|_| AtomicU64::new(0)),
        };
        Self { start: Instant::now(), rigs: (0..rigs).map(|_| entry()).collect() }
    }

    /// Nanoseconds since the roll was made.
    #[must_use]
    pub fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// A rig is given its extranonce1; a second one is not noted, since rigs log in once.
    pub fn seat(&self, rig: u16, extranonce1: &[u8]) {
        if let Some(entry) = self.rigs.get(usize::from(rig)) {
            entry.extranonce1.get_or_init(|| extranonce1.into());
        }
    }

    /// A share is sent at this time.
    pub fn send(&self, name: ShareName, now: u64) {
        if let Some(entry) = self.rigs.get(usize::from(name.rig)) {
            entry.sent[name.number as usize % SLOTS].store(now, Ordering::Relaxed);
            // Whoever sees the number sees the time.
            entry.made.store(name.number + 1, Ordering::Release);
        }
    }

    /// When a share was sent, if its rig made it.
    #[must_use]
    pub fn sent_at(&self, name: ShareName) -> Option<u64> {
        let entry = self.rigs.get(usize::from(name.rig))?;
        let made = name.number < entry.made.load(Ordering::Acquire);
        made.then(|| entry.sent[name.number as usize % SLOTS].load(Ordering::Relaxed))
    }

    /// What a rig was given.
    #[must_use]
    pub fn extranonce1(&self, rig: u16) -> Option<&[u8]> {
        self.rigs.get(usize::from(rig))?.extranonce1.get().map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_back_from_the_share() {
        let name = ShareName { rig: 0xabcd, number: 0x1234_5678 };
        assert_eq!((name.nonce(), name.tail()), (0xabcd_5678, 0x1234));
        assert_eq!(ShareName::read(name.nonce(), name.tail()), name);
    }

    #[test]
    fn only_shares_that_were_made_have_a_time() {
        let roll = Roll::new(2);
        let name = |rig, number| ShareName { rig, number };
        assert_eq!(roll.sent_at(name(1, 0)), None);
        roll.send(name(1, 0), 17);
        assert_eq!(roll.sent_at(name(1, 0)), Some(17));
        assert_eq!(roll.sent_at(name(1, 1)), None);
        assert_eq!(roll.sent_at(name(2, 0)), None);
    }
}
