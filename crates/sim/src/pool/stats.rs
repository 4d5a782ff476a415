//! What a pool counts.

use std::collections::BTreeMap;

use serde::Serialize;

/// How many workers are counted by name; shares of others count in the totals only.
const MAX_WORKERS: usize = 10_000;
/// How many methods that the pool does not know are counted by name.
const MAX_METHODS: usize = 32;
/// How many duplicates are kept in full.
const MAX_DUPLICATES: usize = 64;

/// A pool's counters. Each submit is counted in exactly one of `accepted` to `refused`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PoolStats {
    /// Connections that are open.
    pub connections_open: u64,
    /// Connections that ever were.
    pub connections_total: u64,
    /// Connections that the pool closed because the other side misbehaved or did not read.
    pub connections_ended: u64,
    /// Those of `connections_ended` on which too much came at a time.
    pub connections_flooded: u64,
    /// Subscribes that were answered.
    pub subscribes: u64,
    /// Workers that authorized, counted per connection.
    pub authorized: u64,
    /// Authorizes that were answered with false.
    pub authorize_refused: u64,
    /// Submits that came.
    pub submits: u64,
    /// Shares that count.
    pub accepted: u64,
    /// Shares of jobs that had been replaced.
    pub stale: u64,
    /// Shares that had been handed in before, on whatever connection.
    pub duplicates: u64,
    /// Shares whose nonce had been handed in with another solution, which such a server takes
    /// for duplicates.
    pub second_solutions: u64,
    /// Shares whose solution is none.
    pub invalid_solutions: u64,
    /// Shares whose hash misses the target.
    pub low_difficulty: u64,
    /// Submits whose parameters are not those of a submit.
    pub invalid_params: u64,
    /// Submits of jobs that never were.
    pub unknown_job: u64,
    /// Submits with a time before the job's or too far ahead.
    pub bad_time: u64,
    /// Submits of workers that did not authorize.
    pub unauthorized: u64,
    /// Submits on connections that did not subscribe.
    pub not_subscribed: u64,
    /// Submits refused by a fault or for want of room.
    pub refused: u64,
    /// Those of `duplicates` that had come on another connection first.
    pub duplicates_across_connections: u64,
    /// The last duplicates, at most 64.
    pub last_duplicates: Vec<Duplicate>,
    /// Lines that are no stratum.
    pub malformed_lines: u64,
    /// Lines that a stalled pool threw away.
    pub ignored_lines: u64,
    /// Verdicts that a fault kept back.
    pub withheld_verdicts: u64,
    /// Calls of methods that the pool does not know, by name.
    pub unknown_methods: BTreeMap<String, u64>,
    /// Jobs that were made.
    pub jobs: u64,
    /// Blocks that shares met the target of.
    pub blocks_found: u64,
    /// Hashes that the accepted shares stand for.
    pub work: f64,
    /// Shares by worker.
    pub workers: BTreeMap<String, WorkerStats>,
}

/// One worker's shares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct WorkerStats {
    /// Shares that count.
    pub accepted: u64,
    /// All others.
    pub rejected: u64,
}

/// A share that came twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Duplicate {
    /// The worker that sent it the second time.
    pub worker: String,
    /// The job.
    pub job: String,
    /// What makes the two the same work, in hex.
    pub key: String,
    /// The connection that it came on first, counted from 0.
    pub first: u64,
    /// The connection that it came on again.
    pub again: u64,
}

impl PoolStats {
    /// All submits that were not accepted.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.submits - self.accepted
    }

    pub(super) fn count_worker(&mut self, name: &str, accepted: bool) {
        if !self.workers.contains_key(name) {
            if self.workers.len() >= MAX_WORKERS {
                return;
            }
            self.workers.insert(name.to_owned(), WorkerStats::default());
        }
        if let Some(worker) = self.workers.get_mut(name) {
            let counter = if accepted { &mut worker.accepted } else { &mut worker.rejected };
            *counter += 1;
        }
    }

    pub(super) fn count_method(&mut self, name: &str) {
        if let Some(count) = self.unknown_methods.get_mut(name) {
            *count += 1;
        } else if self.unknown_methods.len() < MAX_METHODS {
            self.unknown_methods.insert(name.chars().take(64).collect(), 1);
        }
    }

    pub(super) fn count_duplicate(&mut self, duplicate: Duplicate) {
        if duplicate.first != duplicate.again {
            self.duplicates_across_connections += 1;
        }
        if self.last_duplicates.len() == MAX_DUPLICATES {
            self.last_duplicates.remove(0);
        }
        self.last_duplicates.push(duplicate);
    }
}
