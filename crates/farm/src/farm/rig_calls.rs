//! What a farm is told of rigs.

use std::net::IpAddr;
use std::sync::Arc;

use orepass_stratum::dialect::Diagnosis;
use orepass_stratum::downstream::{CloseReason, MAX_WORKERS};
use orepass_stratum::firmware::{Firmware, Merit};
use orepass_stratum::target::Difficulty;
use orepass_stratum::time::Instant;

use super::rigs::{ConnectedRig, RigPlace, Stand};
use super::{Farm, Order, RigId};
use crate::knowledge::Needs;
use crate::stats::WorkSum;

impl Farm {
    /// A rig has connected. Its session adds to `work` what its shares prove. While the
    /// [gate](Self::gate) is closed, rigs are better not let in at all.
    pub fn handle_rig(&mut self, id: RigId, address: IpAddr, work: Arc<WorkSum>, now: Instant) {
        self.now = now;
        self.rigs.entry(id).or_insert_with(|| Box::new(ConnectedRig::new(address, work)));
        self.unsettled.insert(id);
    }

    /// The operator trusts a rig's address: whatever it sends, it is not refused when it comes back.
    pub fn handle_trust(&mut self, id: RigId, now: Instant) {
        self.now = now;
        if let Some(rig) = self.rigs.get_mut(&id) {
            rig.trusted = true;
        }
    }

    /// A rig has subscribed and waits for its first seat, with the name of its software, and what is
    /// known of such a login.
    pub fn handle_subscribe(&mut self, id: RigId, agent: &str, by_login: Firmware, now: Instant) {
        self.now = now;
        let Some(rig) = self.rigs.get_mut(&id).filter(|rig| !rig.goes()) else { return };
        if rig.place().is_some() {
            return;
        }
        rig.agent = self.knowledge.shared(agent);
        let worker = rig.worker.as_deref();
        let needs = self.knowledge.needs(agent, worker, by_login, now);
        let expects = match worker {
            None => self.knowledge.expected(agent, rig.address, now).unwrap_or_default(),
            Some(_) => Needs::default(),
        };
        let needs = Needs {
            firmware: needs.firmware.or(expects.firmware),
            sure: needs.sure.or(expects.sure),
        };
        // Firmware that authorizes first can have its former lease again.
        rig.slot = worker.and_then(|worker| self.knowledge.slot(worker));
        rig.set_needs(needs);
        rig.stand = Stand::Waits;
        self.order(id, Order::Know(needs.firmware));
        self.unsettled.insert(id);
    }

    /// A rig has authorized a worker, with what is known of such a login. The first one decides, but
    /// for whom the operator refuses.
    pub fn handle_worker(
        &mut self,
        id: RigId,
        worker: &Arc<str>,
        by_login: Firmware,
        now: Instant,
    ) {
        self.now = now;
        let Some(rig) = self.rigs.get_mut(&id).filter(|rig| !rig.goes()) else { return };
        let is_first = rig.worker.is_none();
        if is_first {
            rig.worker = Some(Arc::clone(worker));
        }
        // Trusted or not.
        if let Some(left) = self.knowledge.banned(worker, now) {
            return self.dismiss(id, CloseReason::Banned(left));
        }
        if !is_first {
            if rig.worker.as_ref() != Some(worker) {
                let others = self.other_workers.entry(id).or_default();
                if others.len() < MAX_WORKERS && !others.contains(worker) {
                    others.push(Arc::clone(worker));
                }
            }
            return;
        }
        let Some(known) = rig.known() else { return };
        if let Some(left) = self.knowledge.refused(known, now).filter(|_| !rig.trusted) {
            return self.dismiss(id, CloseReason::Penalty(left));
        }
        let needs = self.knowledge.needs(known.agent, Some(worker), by_login, now);
        if !rig.suits(&needs.sure) {
            self.knowledge.expect(known, needs, now);
            return self.dismiss(id, CloseReason::OwnConnection);
        }
        let difficulty = self.knowledge.difficulty(worker);
        let slot = rig.place().map(RigPlace::slot);
        self.knowledge.remember(known, None, slot, now);
        rig.set_needs(needs);
        if matches!(rig.stand, Stand::Waits) {
            self.unsettled.insert(id);
        }
        self.order(id, Order::Welcome { firmware: needs.firmware, difficulty });
    }

    /// Whether a rig can be told another extranonce, as its session
    /// [says](orepass_stratum::downstream::Downstream::takes_set_extranonce); whenever that changes.
    pub fn handle_follows(&mut self, id: RigId, follows: bool, now: Instant) {
        self.now = now;
        if let Some(rig) = self.rigs.get_mut(&id)
            && std::mem::replace(&mut rig.follows, follows) != follows
            && rig.place().is_some()
        {
            self.unsettled.insert(id);
        }
    }

    /// A rig's share found no room on its channel in time.
    pub fn handle_overflow(&mut self, id: RigId, now: Instant) {
        self.now = now;
        self.relieve(id);
    }

    /// A rig's shares showed what is wrong with its firmware, and its session has ended for it: it
    /// is to be served otherwise when it comes back.
    pub fn handle_misfit(&mut self, id: RigId, diagnosis: Diagnosis, now: Instant) {
        self.now = now;
        if let Some(known) = self.rigs.get(&id).and_then(|rig| rig.known()) {
            self.knowledge.learn(known, diagnosis, now);
            let (agent, worker) = (known.agent, Some(&**known.worker));
            let needs = self.knowledge.needs(agent, worker, Firmware::default(), now);
            self.knowledge.expect(known, needs, now);
        }
        self.goes(id);
    }

    /// A rig's first good share that shows what its firmware can do.
    pub fn handle_merit(&mut self, id: RigId, merit: Merit, now: Instant) {
        self.now = now;
        if let Some(known) = self.rigs.get(&id).and_then(|rig| rig.known()) {
            self.knowledge.proven(known, merit, now);
        }
    }

    /// A rig enters quarantine.
    pub fn handle_quarantine(&mut self, id: RigId, now: Instant) {
        self.now = now;
        let rig = self.rigs.get(&id).filter(|rig| !rig.trusted);
        let Some(known) = rig.and_then(|rig| rig.known()) else { return };
        if let Some(refused_for) = self.knowledge.quarantined(known, now) {
            self.dismiss(id, CloseReason::Penalty(refused_for));
        }
    }

    /// A rig sent nothing but refused shares, and its session has ended for it.
    pub fn handle_flood(&mut self, id: RigId, now: Instant) {
        self.now = now;
        let rig = self.rigs.get(&id).filter(|rig| !rig.trusted);
        if let Some(known) = rig.and_then(|rig| rig.known()) {
            self.knowledge.refuse(known, now);
        }
        self.goes(id);
    }

    /// The operator lets a rig in no more: it is closed soon, wherever it sits, spread over time with
    /// all the others that are.
    pub fn handle_barred(&mut self, id: RigId, now: Instant) {
        self.now = now;
        if self.rigs.get(&id).is_some_and(|rig| !rig.goes()) {
            self.exits.bar(id, now, self.rng.f64());
        }
    }

    /// A rig has gone, and its seat was dropped; with the difficulty that it has proven and the
    /// number of its lease, as far as it had them.
    pub fn handle_gone(
        &mut self,
        id: RigId,
        difficulty: Option<Difficulty>,
        slot: Option<u64>,
        now: Instant,
    ) {
        self.now = now;
        let Some(rig) = self.rigs.remove(&id) else { return };
        self.strangers.leave(id);
        if let Some(known) = rig.known() {
            self.knowledge.remember(known, difficulty, slot, now);
        }
        self.assignment.leave(id.0, rig.address, rig.work.get(), now);
        if let Some(channel) = rig.channel().and_then(|channel| self.channels.get_mut(channel)) {
            channel.rigs.remove(&id);
            self.room |= !channel.is_full();
        }
        self.unsettled.remove(&id);
        self.exits.leave(id);
        self.other_workers.remove(&id);
        self.rest(id);
    }
}
