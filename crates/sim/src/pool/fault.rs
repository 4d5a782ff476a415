//! What a pool can be told to do wrong.

use std::str::FromStr;
use std::time::Duration;

use orepass_stratum::target::Difficulty;
use thiserror::Error;

/// A misbehaviour. Those that happen once are over when [`Pool::fault`](super::Pool::fault)
/// returns; the others last until [`Pool::heal`](super::Pool::heal).
///
/// As text: `NAME` or `NAME:VALUE`, with the names given below.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum PoolFault {
    /// `drop`: closes every connection, once.
    DropConnections,
    /// `refuse-connections`: closes every connection, and new ones as they come.
    RefuseConnections,
    /// `hang`: neither takes connections nor refuses them; those that it has go on.
    Hang,
    /// `stall`: neither answers nor notifies, with connections open. What comes meanwhile is lost.
    Stall,
    /// `freeze`: hears and says nothing, with connections open, and goes on afterwards where it
    /// stopped, as a process does that was halted.
    Freeze,
    /// `black-hole`: closes every connection; on those that come nothing is ever said, also when
    /// this is over.
    BlackHole,
    /// `new-extranonce1`: closes every connection, once; those that come back are given values
    /// that nobody had before.
    NewExtranonce1,
    /// `restart`: closes every connection, once, and gives out extranonces from the first again.
    Restart,
    /// `same-extranonce1`: gives every connection the same extranonce1.
    SameExtranonce1,
    /// `set-extranonce`: gives every connection another extranonce1 by `mining.set_extranonce`,
    /// once, and a new job.
    SetExtranonce,
    /// `difficulty:D`: another difficulty, from the next job on.
    Difficulty(Difficulty),
    /// `difficulty-now:D`: another difficulty, told at once and with the present job again.
    DifficultyNow(Difficulty),
    /// `difficulty-alone:D`: another difficulty, announced at once and without a job.
    DifficultyAlone(Difficulty),
    /// `refuse-worker:NAME`: answers this worker's authorize with false; `*` for every worker.
    RefuseWorker(String),
    /// `refuse-shares`: refuses every share, good or bad.
    RefuseShares,
    /// `no-verdicts`: judges submits and never answers them.
    NoVerdicts,
    /// `late-verdicts:SECONDS`: answers submits so much later.
    LateVerdicts(Duration),
    /// `unusable-notify`: sends a notify that nobody can read, once.
    UnusableNotify,
    /// `overlong-notify`: sends a notify of more than 512 KiB, once.
    OverlongNotify,
    /// `repeat-notify`: sends the present job's notify again, once.
    RepeatNotify,
    /// `error-objects`: writes errors as objects.
    ErrorObjects,
    /// `jobless`: logs everybody in and tells no job.
    Jobless,
    /// `unusable-jobs`: tells jobs that nobody can read.
    UnusableJobs,
    /// `stale-verdicts`: refuses every share as stale, good or bad.
    StaleVerdicts,
    /// `close-after-share`: closes a connection when it has answered a share on it.
    CloseAfterShare,
    /// `lag`: does not learn of new blocks.
    Lag,
    /// `trail:SECONDS`: learns of new blocks so much later.
    Trail(Duration),
    /// `reconnect-at-login`: answers an authorize with `client.reconnect` as well, and tells no job.
    ReconnectAtLogin,
}

impl PoolFault {
    /// All names, with what they take after a colon.
    pub const NAMES: &str = "drop, refuse-connections, hang, stall, freeze, black-hole, lag, \
        trail:SECONDS, new-extranonce1, restart, \
        same-extranonce1, set-extranonce, difficulty:D, difficulty-now:D, \
        difficulty-alone:D, refuse-worker:NAME, refuse-shares, no-verdicts, late-verdicts:SECONDS, unusable-notify, overlong-notify, \
        repeat-notify, error-objects, jobless, unusable-jobs, stale-verdicts, close-after-share, \
        reconnect-at-login";
}

impl FromStr for PoolFault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (name, value) = match text.split_once(':') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let wanted = |what| FaultError::Value { name: name.to_owned(), what };
        let needed = |what| value.ok_or_else(|| wanted(what));
        let difficulty = || {
            let what = "a difficulty";
            let number = needed(what)?.parse().ok();
            number.and_then(Difficulty::new).ok_or_else(|| wanted(what))
        };
        let time = || {
            let what = "a number of seconds";
            let seconds = needed(what)?.parse().map_err(|_| wanted(what))?;
            Duration::try_from_secs_f64(seconds).map_err(|_| wanted(what))
        };
        let fault = match name {
            "difficulty" => Self::Difficulty(difficulty()?),
            "difficulty-now" => Self::DifficultyNow(difficulty()?),
            "difficulty-alone" => Self::DifficultyAlone(difficulty()?),
            "refuse-worker" => Self::RefuseWorker(needed("a worker's name")?.to_owned()),
            "late-verdicts" => Self::LateVerdicts(time()?),
            "trail" => Self::Trail(time()?),
            _ if value.is_some() => return Err(wanted("nothing")),
            "drop" => Self::DropConnections,
            "refuse-connections" => Self::RefuseConnections,
            "hang" => Self::Hang,
            "stall" => Self::Stall,
            "freeze" => Self::Freeze,
            "black-hole" => Self::BlackHole,
            "lag" => Self::Lag,
            "new-extranonce1" => Self::NewExtranonce1,
            "restart" => Self::Restart,
            "same-extranonce1" => Self::SameExtranonce1,
            "set-extranonce" => Self::SetExtranonce,
            "refuse-shares" => Self::RefuseShares,
            "no-verdicts" => Self::NoVerdicts,
            "unusable-notify" => Self::UnusableNotify,
            "overlong-notify" => Self::OverlongNotify,
            "repeat-notify" => Self::RepeatNotify,
            "error-objects" => Self::ErrorObjects,
            "jobless" => Self::Jobless,
            "unusable-jobs" => Self::UnusableJobs,
            "stale-verdicts" => Self::StaleVerdicts,
            "close-after-share" => Self::CloseAfterShare,
            "reconnect-at-login" => Self::ReconnectAtLogin,
            _ => return Err(FaultError::Unknown(name.to_owned())),
        };
        Ok(fault)
    }
}

/// Why a text names no fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FaultError {
    /// No such name.
    #[error("there is no fault {0:?}; there are: {names}", names = PoolFault::NAMES)]
    Unknown(String),
    /// The value is missing, wrong or too much.
    #[error("fault {name:?} takes {what} after a colon")]
    Value {
        /// The fault.
        name: String,
        /// What it takes.
        what: &'static str,
    },
}

/// The faults that last.
#[derive(Debug, Clone, Default)]
pub(super) struct LastingFaults {
    pub(super) refuse_connections: bool,
    pub(super) hang: bool,
    pub(super) stall: bool,
    pub(super) freeze: bool,
    pub(super) black_hole: bool,
    pub(super) lag: bool,
    pub(super) trail: Option<Duration>,
    pub(super) same_extranonce1: bool,
    /// At most [`MAX_REFUSED`].
    pub(super) refused_workers: Vec<String>,
    pub(super) refuse_shares: bool,
    pub(super) no_verdicts: bool,
    pub(super) late_verdicts: Option<Duration>,
    pub(super) error_objects: bool,
    pub(super) jobless: bool,
    pub(super) unusable_jobs: bool,
    pub(super) stale_verdicts: bool,
    pub(super) close_after_share: bool,
    pub(super) reconnect_at_login: bool,
}

/// How many names can be refused at the same time; the oldest makes way.
const MAX_REFUSED: usize = 256;

impl LastingFaults {
    /// Refuses a worker from now on.
    pub(super) fn refuse_worker(&mut self, name: String) {
        if self.refused_workers.len() == MAX_REFUSED {
            self.refused_workers.remove(0);
        }
        self.refused_workers.push(name);
    }

    /// Whether a worker is refused.
    pub(super) fn refuses(&self, worker: &str) -> bool {
        self.refused_workers.iter().any(|name| name == "*" || name == worker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_from_text() {
        let half = Difficulty::new(0.5).unwrap();
        let cases = [
            ("drop", PoolFault::DropConnections),
            ("reconnect-at-login", PoolFault::ReconnectAtLogin),
            ("difficulty:0.5", PoolFault::Difficulty(half)),
            ("difficulty-now:0.5", PoolFault::DifficultyNow(half)),
            ("difficulty-alone:0.5", PoolFault::DifficultyAlone(half)),
            ("refuse-worker:a:b", PoolFault::RefuseWorker("a:b".into())),
            ("late-verdicts:1.5", PoolFault::LateVerdicts(Duration::from_millis(1500))),
        ];
        for (text, fault) in cases {
            assert_eq!(text.parse(), Ok(fault));
        }
        for name in PoolFault::NAMES.split(", ") {
            let text = name.replace(":D", ":1").replace(":NAME", ":a").replace(":SECONDS", ":1");
            assert!(text.parse::<PoolFault>().is_ok(), "{text}");
        }
        for text in ["", "drops", "drop:1", "difficulty", "difficulty:0", "late-verdicts:-1"] {
            let parsed = text.parse::<PoolFault>();
            assert!(parsed.is_err(), "{text:?} gave {parsed:?}");
        }
    }
}
