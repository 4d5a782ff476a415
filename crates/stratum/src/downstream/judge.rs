//! What a rig's shares have shown of it, and which of them wait for the pool.

use arrayvec::ArrayVec;

use super::in_flight::InFlight;
use super::out::{DownstreamOut, DownstreamTimer};
use super::{CloseReason, Event};
use crate::conduct::Conduct;
use crate::error::{Reject, RejectCode};
use crate::evidence::EvidenceGate;
use crate::firmware::Merit;
use crate::margin::Margin;
use crate::space::WorkNumber;
use crate::time::Instant;
use crate::verdict::Verdict;

/// The most blocks of places that the rig has left that are remembered.
const MAX_LATE_BLOCKS: usize = 8;

/// What is known of a rig by its shares.
pub(super) struct Judge {
    /// How many it has sent.
    pub(super) shares: u64,
    pub(super) in_flight: InFlight,
    pub(super) conduct: Conduct,
    pub(super) margin: Margin,
    pub(super) evidence: EvidenceGate,
    /// Blocks that were forwarded though their duplicate filter is gone, the newest last; seldom any.
    late_blocks: Option<Box<ArrayVec<(WorkNumber, u64), MAX_LATE_BLOCKS>>>,
    /// What its good shares have shown.
    merits: ArrayVec<Merit, 3>,
}

impl Judge {
    pub(super) fn new(may_quarantine: bool) -> Self {
        Self {
            shares: 0,
            in_flight: InFlight::default(),
            conduct: Conduct::new(may_quarantine),
            margin: Margin::default(),
            evidence: EvidenceGate::NONE,
            late_blocks: None,
            merits: ArrayVec::new(),
        }
    }

    /// A share has a verdict that tells about the rig.
    pub(super) fn note(&mut self, verdict: Verdict, out: &mut DownstreamOut) {
        if let Some(turn) = self.conduct.share(verdict) {
            out.event(Event::Conduct(turn, self.conduct.diagnosis()));
        }
        out.timers.set(DownstreamTimer::Suspicion, self.conduct.poll_timeout());
    }

    /// A share that was left to the pool has its verdict: it tells about the rig as ours would.
    pub(super) fn judged_by_pool(&mut self, verdict: &Result<(), Reject>, out: &mut DownstreamOut) {
        match verdict {
            Ok(()) => self.note(Verdict::AcceptedByPool, out),
            // That the account is refused is no fault of the rig's.
            Err(reject) if reject.code == RejectCode::Unauthorized => {}
            Err(reject) if reject.verdict == Verdict::RejectedByPool => {
                self.note(Verdict::Invalid, out);
            }
            Err(_) => {}
        }
    }

    /// Lets the rig go when it has shown long enough that it should be served otherwise.
    pub(super) fn conclude(&mut self, out: &mut DownstreamOut, now: Instant) {
        if let Some(diagnosis) = self.conduct.conclude(now) {
            out.timers.set(DownstreamTimer::Suspicion, None);
            out.event(Event::Misfit(diagnosis));
            out.close(CloseReason::Misfit(diagnosis));
        }
    }

    /// A good share has shown this.
    pub(super) fn proven(&mut self, merits: [Option<Merit>; 3], out: &mut DownstreamOut) {
        for merit in merits.into_iter().flatten() {
            if !self.merits.contains(&merit) {
                // There is room for each kind.
                let _ = self.merits.try_push(merit);
                out.event(Event::Proven(merit));
            }
        }
    }

    /// Whether such a block was forwarded.
    pub(super) fn knows_late(&self, block: (WorkNumber, u64)) -> bool {
        self.late_blocks.as_ref().is_some_and(|blocks| blocks.contains(&block))
    }

    /// A block is forwarded though its filter is gone.
    pub(super) fn remember_late(&mut self, block: (WorkNumber, u64)) {
        let blocks = self.late_blocks.get_or_insert_default();
        if blocks.is_full() {
            blocks.remove(0);
        }
        blocks.push(block);
    }
}
