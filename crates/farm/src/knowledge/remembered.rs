//! What a route remembers from one run to the next: what it is given at its start, and what it says
//! that has changed.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use orepass_stratum::dialect::Diagnosis;
use orepass_stratum::firmware::{Firmware, Merit, USUAL_EXTRANONCE2};
use orepass_stratum::habits::{Answer, Habit};
use orepass_stratum::target::Difficulty;

/// All that earlier runs knew of a route, each list with the last seen first.
#[derive(Debug, Clone, Default)]
pub struct Remembered {
    /// Workers by name.
    pub workers: Vec<(Arc<str>, WorkerRecord)>,
    /// What the rigs of workers showed of their firmware.
    pub firmware: Vec<(Arc<str>, FirmwareRecord)>,
    /// What was found out about pools.
    pub habits: Vec<HabitRecord>,
    /// Workers that the operator refuses, and how long still; in no order.
    pub banned: Vec<(Arc<str>, Duration)>,
}

/// What is remembered of a worker.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WorkerRecord {
    /// The last difficulty, on the scale that rigs are told.
    pub difficulty: Option<Difficulty>,
    /// The number of the lease that it had.
    pub slot: Option<u64>,
    /// The name of its software.
    pub agent: Option<Arc<str>>,
}

/// What a worker's rig has shown of its firmware.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FirmwareRecord {
    /// The name that the software gives itself.
    pub agent: Arc<str>,
    /// Where it connected from last.
    pub address: Option<IpAddr>,
    /// The [word](Diagnosis::name) for what it does wrong, where that keeps it from sharing a pool
    /// connection; empty where nothing does.
    pub alone: Arc<str>,
    /// Whether it takes `mining.set_extranonce`; none while that is not known.
    pub set_extranonce: Option<bool>,
    /// Whether it had a good share on a connection that it shared.
    pub shares: bool,
    /// Whether it had a good share with an extranonce2 of another length than the usual one.
    pub sizes: bool,
}

/// What was found out about a pool's server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HabitRecord {
    /// Its host and port.
    pub server: Arc<str>,
    /// The question.
    pub habit: Habit,
    /// The answer.
    pub answer: Answer,
    /// How long ago that was.
    pub age: Duration,
}

/// What is to be remembered. What it is about is seen now.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A worker's record; none where it is forgotten.
    Worker(Arc<str>, Option<WorkerRecord>),
    /// The record of a worker's firmware; none where it is forgotten.
    Firmware(Arc<str>, Option<FirmwareRecord>),
    /// A habit of a server, which was found out just now.
    Habit {
        /// Its host and port.
        server: Arc<str>,
        /// The question.
        habit: Habit,
        /// The answer.
        answer: Answer,
    },
    /// The operator refuses a worker for so long from now on; none where it may come back.
    Ban(Arc<str>, Option<Duration>),
}

impl FirmwareRecord {
    /// What the rig needs by what it showed.
    #[must_use]
    pub fn needs(&self) -> Firmware {
        let ignores_size = *self.alone == *Diagnosis::IGNORES_EXTRANONCE2_SIZE.name();
        Firmware {
            dedicated: !self.alone.is_empty() && !ignores_size,
            extranonce2: ignores_size.then_some(USUAL_EXTRANONCE2),
            set_extranonce: self.set_extranonce.filter(|takes| !takes),
            ..Firmware::default()
        }
    }

    /// What it has shown that it does as it should.
    pub(super) fn merits(&self) -> impl Iterator<Item = Merit> {
        let merits = [
            self.shares.then_some(Merit::Shares),
            self.sizes.then_some(Merit::Sizes),
            self.set_extranonce.filter(|takes| *takes).map(|_| Merit::Follows),
        ];
        merits.into_iter().flatten()
    }

    /// Its shares showed that it needs a remedy, against what a diagnosis says.
    pub(super) fn fail(&mut self, diagnosis: Diagnosis, remedy: &Firmware) {
        if remedy.is_particular() {
            self.alone = diagnosis.name().into();
            self.shares &= !remedy.dedicated;
            self.sizes &= remedy.extranonce2.is_none();
        }
        self.set_extranonce = remedy.set_extranonce.or(self.set_extranonce);
    }

    /// Its share showed that it does something as it should.
    pub(super) fn do_well(&mut self, merit: Merit) {
        let needs = self.needs();
        let refuted = match merit {
            Merit::Shares => {
                self.shares = true;
                needs.dedicated
            }
            Merit::Sizes => {
                self.sizes = true;
                needs.extranonce2.is_some()
            }
            Merit::Follows => {
                self.set_extranonce = Some(true);
                false
            }
        };
        if refuted {
            self.alone = Arc::default();
        }
    }
}
