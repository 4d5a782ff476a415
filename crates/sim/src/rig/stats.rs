//! What a rig counts.

use std::collections::BTreeMap;

use serde::Serialize;

/// How many error codes are counted apart.
const MAX_CODES: usize = 64;

/// A rig's counters, or the sum of many rigs'.
///
/// Of each share sent, exactly one comes of: `accepted`, `rejected`, `unanswered` (its connection
/// ended first) and, as long as the connection lasts, `pending`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RigStats {
    /// 1 while connected.
    pub connected: u64,
    /// 1 while logged in.
    pub logged_in: u64,
    /// 1 while hashing.
    pub mining: u64,
    /// Connections that were made.
    pub connects: u64,
    /// Connections that the rig dropped over a call that it could not read.
    pub drops_over_nonsense: u64,
    /// Attempts at a connection that failed.
    pub connect_failures: u64,
    /// Connections that the other side ended.
    pub disconnects: u64,
    /// Authorizes that were answered with true.
    pub authorized: u64,
    /// Authorizes that were refused.
    pub authorize_refused: u64,
    /// Hashes computed.
    pub hashes: u64,
    /// Good shares that were sent.
    pub shares_sent: u64,
    /// Good shares that were answered with true.
    pub accepted: u64,
    /// Good shares that were refused.
    pub rejected: u64,
    /// Good shares that were refused, by error code; -1 for errors without one.
    pub rejected_by_code: BTreeMap<i64, u64>,
    /// Good shares whose connection ended before their answer.
    pub unanswered: u64,
    /// Good shares that wait for their answer.
    pub pending: u64,
    /// Shares that were found and not sent, since too many were waiting for their answers.
    pub withheld: u64,
    /// Hashes that the accepted shares stand for.
    pub work: f64,
    /// Bad submits that were sent on purpose.
    pub rubbish_sent: u64,
    /// Those that were answered with true, which is always a mistake.
    pub rubbish_accepted: u64,
    /// Those that were refused.
    pub rubbish_rejected: u64,
    /// Second answers to a call.
    pub double_answers: u64,
    /// Answers to calls that were never made, or with an id of another type.
    pub unknown_answers: u64,
    /// Errors without an id.
    pub anonymous_errors: u64,
    /// Lines that cannot be read.
    pub malformed_lines: u64,
    /// Lines that the firmware passed over because of their first or last byte.
    pub lines_ignored: u64,
    /// Jobs that came.
    pub jobs: u64,
    /// Jobs under an id that an earlier job had.
    pub job_ids_repeated: u64,
    /// Jobs that are the same work, under the same extranonce1, as an earlier job.
    pub works_repeated: u64,
    /// Jobs that could not be mined.
    pub jobs_unusable: u64,
    /// Jobs that the firmware passed over: not clean, or under the id of the job before.
    pub jobs_ignored: u64,
    /// Difficulties and targets that came.
    pub difficulties: u64,
    /// Extranonces that came by `mining.set_extranonce`.
    pub set_extranonces: u64,
    /// The text of the last error, whatever it was about.
    pub last_error: Option<String>,
    /// The present extranonce1 in hex.
    pub extranonce1: Option<String>,
    /// The present difficulty.
    pub difficulty: Option<f64>,
}

impl RigStats {
    /// Adds another rig's counters; of what is no counter, the latest known stays.
    pub fn add(&mut self, other: &Self) {
        macro_rules! add {
            ($($counter:ident)*; $($more:ident)*) => {
                // All by name, so that none is forgotten.
                let Self { $($counter,)* $($more,)* } = other;
                $(self.$counter += $counter;)*
            };
        }
        add! {
            connected logged_in mining connects drops_over_nonsense connect_failures disconnects
            authorized authorize_refused hashes shares_sent accepted rejected unanswered pending
            withheld work rubbish_sent rubbish_accepted rubbish_rejected double_answers
            unknown_answers anonymous_errors malformed_lines lines_ignored jobs job_ids_repeated
            works_repeated jobs_unusable jobs_ignored difficulties set_extranonces;
            rejected_by_code last_error extranonce1 difficulty
        }
        for (code, count) in rejected_by_code {
            *self.rejected_by_code.entry(*code).or_insert(0) += count;
        }
        if last_error.is_some() {
            self.last_error.clone_from(last_error);
        }
        if extranonce1.is_some() {
            self.extranonce1.clone_from(extranonce1);
        }
        self.difficulty = difficulty.or(self.difficulty);
    }

    /// Whether nothing is hashed and no share waits for its answer.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.mining == 0 && self.pending == 0
    }

    pub(super) fn count_rejected(&mut self, code: Option<i64>) {
        self.rejected += 1;
        let code = code.unwrap_or(-1);
        if self.rejected_by_code.len() < MAX_CODES || self.rejected_by_code.contains_key(&code) {
            *self.rejected_by_code.entry(code).or_insert(0) += 1;
        }
    }
}
