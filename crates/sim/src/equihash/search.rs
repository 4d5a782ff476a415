//! Going through the nonces of a job.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::Arc;
use std::task::{Context, Poll};

use orepass_stratum::target::{PowHash, Target};

use super::Bytes32;
use super::solvers::{SolverPlace, Solving};
use crate::coin::{Search, SearchStep, Solution};
use crate::rig::Rubbish;

/// What is solved, and how a coin hashes and tells what was found.
pub(crate) trait SolvedJob: Debug + Send {
    /// The header up to the nonce.
    fn header(&self) -> Arc<[u8]>;

    /// What is compared with the target.
    fn hash(&self, nonce: &Bytes32, solution: &[u8]) -> PowHash;

    /// Whether that is good enough.
    fn meets(&self, hash: &PowHash, target: &Target) -> bool;

    /// The fields of a submit: the time, extranonce2, the solution, each in hex.
    fn fields(&self, extranonce2: &[u8], solution: &[u8]) -> [String; 3];

    /// A time long before the job's, where a pool looks at it.
    fn old_time(&self) -> Option<String>;
}

/// The byte of the nonce that holds the thread's number.
const THREAD_BYTE: usize = 19;

/// The nonces of one thread of the reference miner, in its order: extranonce1, then a
/// little-endian counter that begins right behind it and ends before the thread's number in byte
/// 19. Where extranonce1 leaves the counter no byte there is one nonce, and where it covers byte
/// 19 the thread's number is mixed into it.
#[derive(Debug)]
struct ThreadNonces {
    next: Option<Bytes32>,
    /// The counter's bytes.
    counter: std::ops::Range<usize>,
}

impl ThreadNonces {
    fn new(extranonce1: &[u8], thread: u8) -> Self {
        let mut nonce = [0; 32];
        let at = extranonce1.len().min(32);
        nonce[..at].copy_from_slice(&extranonce1[..at]);
        nonce[THREAD_BYTE] |= thread;
        let end = if at <= THREAD_BYTE { THREAD_BYTE } else { 32 };
        Self { next: Some(nonce), counter: at..end }
    }
}

impl Iterator for ThreadNonces {
    type Item = Bytes32;

    fn next(&mut self) -> Option<Bytes32> {
        let nonce = self.next?;
        let mut following = nonce;
        let mut digits = following[self.counter.clone()].iter_mut();
        let carried_out = digits.all(|digit| {
            *digit = digit.wrapping_add(1);
            *digit == 0
        });
        self.next = (!carried_out).then_some(following);
        Some(nonce)
    }
}

/// A search of one job's space.
#[derive(Debug)]
pub(crate) struct SolverSearch<J> {
    seat: SolverPlace,
    job: J,
    /// Where extranonce2 begins.
    extranonce1_size: usize,
    threads: Vec<Thread>,
    /// Solved and not handed out.
    found: VecDeque<FoundSolution>,
    winding_down: bool,
    /// The last solution whose hash is so bad that it meets no target in use.
    hopeless: Option<FoundSolution>,
}

#[derive(Debug)]
struct Thread {
    nonces: ThreadNonces,
    /// The nonce that is to be solved or being solved.
    present: Option<Bytes32>,
    solving: Option<Solving>,
}

/// A solution and its nonce.
#[derive(Debug, Clone)]
struct FoundSolution {
    nonce: Bytes32,
    solution: Vec<u8>,
}

impl<J: SolvedJob> SolverSearch<J> {
    pub(crate) fn new(seat: SolverPlace, job: J, extranonce1: &[u8], threads: u8) -> Self {
        let thread = |number| {
            let mut nonces = ThreadNonces::new(extranonce1, number);
            Thread { present: nonces.next(), nonces, solving: None }
        };
        Self {
            seat,
            job,
            extranonce1_size: extranonce1.len().min(32),
            threads: (0..threads.max(1)).map(thread).collect(),
            found: VecDeque::new(),
            winding_down: false,
            hopeless: None,
        }
    }

    fn is_exhausted(&self) -> bool {
        self.found.is_empty() && self.threads.iter().all(|thread| thread.present.is_none())
    }

    fn solution(&self, found: &FoundSolution) -> Solution {
        let extranonce2 = &found.nonce[self.extranonce1_size..];
        Solution { fields: self.job.fields(extranonce2, &found.solution).into() }
    }
}

impl<J: SolvedJob> Search for SolverSearch<J> {
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        for thread in &mut self.threads {
            // Nonces without a solution are passed over here.
            while let Some(nonce) = thread.present {
                if thread.solving.is_none() && self.winding_down {
                    break;
                }
                let begin = || self.seat.request(self.job.header(), nonce);
                let solving = thread.solving.get_or_insert_with(begin);
                let Poll::Ready(solutions) = std::pin::Pin::new(solving).poll(context) else {
                    break;
                };
                let found = solutions
                    .iter()
                    .map(|solution| FoundSolution { nonce, solution: solution.clone() });
                self.found.extend(found);
                thread.solving = None;
                thread.present = thread.nonces.next();
                if !self.found.is_empty() {
                    return Poll::Ready(());
                }
            }
        }
        let ready = !self.found.is_empty() || self.is_exhausted();
        if ready { Poll::Ready(()) } else { Poll::Pending }
    }

    fn step(&mut self, budget: u32, target: &Target) -> SearchStep {
        let mut step = SearchStep::default();
        while step.found.is_none() && step.tried < budget {
            let Some(found) = self.found.pop_front() else {
                break;
            };
            step.tried += 1;
            let hash = self.job.hash(&found.nonce, &found.solution);
            if self.job.meets(&hash, target) {
                step.found = Some(self.solution(&found));
            } else if hash.as_be_bytes()[0] >= 0xc0 {
                self.hopeless = Some(found);
            }
        }
        step.exhausted = self.is_exhausted();
        step
    }

    fn is_busy(&self) -> bool {
        let begun = |thread: &Thread| thread.solving.as_ref().is_some_and(Solving::has_begun);
        !self.found.is_empty() || self.threads.iter().any(begun)
    }

    fn wind_down(&mut self) {
        self.winding_down = true;
        for thread in &mut self.threads {
            thread.solving.take_if(|solving| !solving.has_begun());
        }
    }

    fn pause(&mut self) {
        for thread in &mut self.threads {
            thread.solving = None;
        }
    }

    fn spoil(&self, share: &Solution, how: Rubbish) -> Option<Solution> {
        let mut spoiled = share.clone();
        match how {
            Rubbish::WrongExtranonce2 => spoiled.fields[1].push_str("00"),
            Rubbish::LowDifficulty => spoiled = self.solution(self.hopeless.as_ref()?),
            Rubbish::NotHex => spoiled.fields[2].replace_range(10..12, "zz"),
            Rubbish::BadProof => {
                let last = spoiled.fields[2].pop()?;
                spoiled.fields[2].push(if last == '0' { '1' } else { '0' });
            }
            Rubbish::OldTime => spoiled.fields[0] = self.job.old_time()?,
            Rubbish::MalformedLine
            | Rubbish::UnknownJob
            | Rubbish::Duplicate
            | Rubbish::WrongWorker => return None,
        }
        Some(spoiled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonces(extranonce1: &[u8], thread: u8) -> Vec<String> {
        ThreadNonces::new(extranonce1, thread).take(300).map(const_hex::encode).collect()
    }

    #[test]
    fn the_counter_begins_behind_extranonce1_and_counts_little_end_first() {
        let tails = |at: usize| nonces(&[0xee; 8], 0)[at][16..].to_owned();
        assert_eq!(tails(0), "00".repeat(24));
        assert_eq!(tails(1), format!("01{}", "00".repeat(23)));
        assert_eq!(tails(256), format!("0001{}", "00".repeat(22)));
        assert!(nonces(&[0xee; 4], 3)[299].starts_with("eeeeeeee2b01"));
        assert_eq!(nonces(&[0xee; 4], 3)[299][38..40], *"03");
    }

    /// As the reference miner does with an extranonce1 of 18 bytes and more.
    #[test]
    fn a_long_extranonce1_leaves_few_nonces() {
        assert_eq!(nonces(&[0xee; 16], 0).len(), 300);
        assert_eq!(ThreadNonces::new(&[0xee; 18], 1).count(), 256);
        assert_eq!(ThreadNonces::new(&[0xee; 19], 0).count(), 1);
        let covered = nonces(&[0; 20], 1);
        assert_eq!(covered[0][38..42], *"0100", "the thread's number is in extranonce1");
        assert_eq!(covered[1][38..42], *"0101");
        assert_eq!(ThreadNonces::new(&[0xee; 32], 0).count(), 1);
    }
}
