//! What a farm is told by the operator of one rig or worker.

use std::sync::Arc;
use std::time::Duration;

use orepass_stratum::downstream::CloseReason;
use orepass_stratum::target::Difficulty;
use orepass_stratum::time::Instant;

use super::rigs::ConnectedRig;
use super::{Farm, Order, RigId};

impl Farm {
    /// A rig is to be closed; it may come back. Whether it is there.
    pub fn handle_kick(&mut self, id: RigId, now: Instant) -> bool {
        self.now = now;
        let is_here = self.rigs.get(&id).is_some_and(|rig| !rig.goes());
        if is_here {
            self.dismiss(id, CloseReason::Kicked);
        }
        is_here
    }

    /// A rig is to have this difficulty until it leaves; none gives it back to its vardiff. Whether it
    /// is there.
    pub fn handle_difficulty(
        &mut self,
        id: RigId,
        difficulty: Option<Difficulty>,
        now: Instant,
    ) -> bool {
        self.now = now;
        let is_here = self.rigs.get(&id).is_some_and(|rig| !rig.goes());
        if is_here {
            self.order(id, Order::Difficulty(difficulty));
        }
        is_here
    }

    /// A worker is refused from now on, wherever it comes from, and its rigs are closed. How many that
    /// are.
    pub fn handle_ban(&mut self, worker: &Arc<str>, lasts: Duration, now: Instant) -> usize {
        self.now = now;
        self.knowledge.ban(worker, lasts, now);
        let is_its = |id: &RigId, rig: &ConnectedRig| {
            let others = self.other_workers.get(id);
            rig.worker.as_ref() == Some(worker)
                || others.is_some_and(|others| others.contains(worker))
        };
        let rigs = self.rigs.iter().filter(|(id, rig)| !rig.goes() && is_its(id, rig));
        let its: Vec<RigId> = rigs.map(|(id, _)| *id).collect();
        for id in &its {
            self.dismiss(*id, CloseReason::Banned(lasts));
        }
        its.len()
    }

    /// Nothing is held against a worker any more; whether it was refused.
    pub fn handle_pardon(&mut self, worker: &str, now: Instant) -> bool {
        self.now = now;
        self.knowledge.pardon(worker, now)
    }

    /// What is known of a worker is forgotten; whether anything was.
    pub fn handle_forget(&mut self, worker: &str, now: Instant) -> bool {
        self.now = now;
        self.knowledge.forget(worker)
    }
}
