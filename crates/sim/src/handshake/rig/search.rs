//! The search itself, the same for both generations.

use std::fmt::Debug;

use orepass_stratum::target::{PowHash, Target};

use super::HandshakeRig;
use crate::coin::{Search, SearchStep, Solution};
use crate::rig::Rubbish;

/// How a generation hashes.
pub(super) trait HeaderLayout: Debug + Send {
    /// What can be computed once per extranonce2 and time.
    type Midstate: Debug + Send;

    fn midstate(&self, counter: &Counter) -> Self::Midstate;

    fn hash(midstate: &Self::Midstate, counter: &Counter) -> PowHash;

    /// The nonce as a submit carries it.
    fn nonce(&self, nonce: u32) -> String;
}

/// The order in which a rig goes through its space: nonces, then extranonce2 as a big-endian
/// counter, then later times.
#[derive(Debug, Clone)]
pub(super) struct Counter {
    pub(super) nonce: u32,
    /// How many nonces are tried under one extranonce2.
    pub(super) nonces: u32,
    pub(super) extranonce2: Vec<u8>,
    pub(super) time: u32,
}

impl Counter {
    pub(super) fn new(extranonce2_size: usize, time: u32, nonces: u32) -> Self {
        Self { nonce: 0, nonces: nonces.max(1), extranonce2: vec![0; extranonce2_size], time }
    }

    /// Goes on by one nonce; `true` when more than the nonce has changed.
    fn advance(&mut self) -> bool {
        self.nonce = self.nonce.wrapping_add(1);
        if self.nonce != 0 && self.nonce < self.nonces {
            return false;
        }
        self.nonce = 0;
        for byte in self.extranonce2.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                return true;
            }
        }
        self.time = self.time.wrapping_add(1);
        true
    }
}

/// A search of one job's space.
#[derive(Debug)]
pub(super) struct HandshakeSearch<L: HeaderLayout> {
    layout: L,
    six_params: bool,
    counter: Counter,
    midstate: L::Midstate,
    /// The last nonce whose hash is so bad that it meets no target in use.
    hopeless: Option<Counter>,
}

impl<L: HeaderLayout> HandshakeSearch<L> {
    pub(super) fn new(rig: &HandshakeRig, layout: L, counter: Counter) -> Self {
        let midstate = layout.midstate(&counter);
        Self { layout, six_params: rig.six_params, counter, midstate, hopeless: None }
    }

    fn solution(&self, counter: &Counter) -> Solution {
        let mut fields = vec![
            const_hex::encode(&counter.extranonce2),
            format!("{:08x}", counter.time),
            self.layout.nonce(counter.nonce),
        ];
        if self.six_params {
            fields.push("0".repeat(64));
        }
        Solution { fields }
    }
}

impl<L: HeaderLayout> Search for HandshakeSearch<L> {
    fn step(&mut self, budget: u32, target: &Target) -> SearchStep {
        let mut step = SearchStep::default();
        while step.found.is_none() && step.tried < budget {
            let hash = L::hash(&self.midstate, &self.counter);
            step.tried += 1;
            if hash.at_or_below(target) {
                step.found = Some(self.solution(&self.counter));
            } else if hash.as_be_bytes()[0] >= 0xc0 {
                self.hopeless = Some(self.counter.clone());
            }
            if self.counter.advance() {
                self.midstate = self.layout.midstate(&self.counter);
            }
        }
        step
    }

    fn spoil(&self, share: &Solution, how: Rubbish) -> Option<Solution> {
        let mut spoiled = share.clone();
        match how {
            Rubbish::WrongExtranonce2 => spoiled.fields[0].push_str("00"),
            Rubbish::LowDifficulty => spoiled = self.solution(self.hopeless.as_ref()?),
            Rubbish::NotHex => spoiled.fields[2] = "not hex!".into(),
            Rubbish::OldTime => spoiled.fields[1] = "00000001".into(),
            Rubbish::MalformedLine
            | Rubbish::UnknownJob
            | Rubbish::Duplicate
            | Rubbish::BadProof
            | Rubbish::WrongWorker => return None,
        }
        Some(spoiled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_goes_through_nonce_extranonce2_and_time() {
        let mut counter = Counter::new(1, 100, 2);
        let mut seen = Vec::new();
        for _ in 0..513 {
            seen.push((counter.time, counter.extranonce2[0], counter.nonce));
            counter.advance();
        }
        assert_eq!(seen[..3], [(100, 0, 0), (100, 0, 1), (100, 1, 0)]);
        assert_eq!(seen[511..], [(100, 255, 1), (101, 0, 0)]);
    }

    #[test]
    fn without_an_extranonce2_the_time_goes_on() {
        let mut counter = Counter::new(0, 100, 1);
        counter.advance();
        assert_eq!((counter.time, counter.nonce), (101, 0));
    }
}
