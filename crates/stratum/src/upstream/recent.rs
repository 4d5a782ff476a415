//! The shares that were written last, for the evidence of those that the pool refuses.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;

use super::setup::Setup;
use crate::channel::Submission;
use crate::dialect::{Dialect, GrantedTerms, PoolCall, Refusal, Work};
use crate::evidence::{EvidenceGate, EvidenceWish, ShareEvidence, params_of};
use crate::extranonce::Extranonce;
use crate::job::Generation;

/// So many are kept: pools answer within this many, or there is no evidence.
const MAX_RECENT: usize = 32;

/// Shares by the ids of their requests, the newest last.
pub(super) struct RecentShares<D: Dialect> {
    shares: VecDeque<(u64, Submission<D>)>,
    gate: EvidenceGate,
}

impl<D: Dialect> RecentShares<D> {
    pub(super) const fn new() -> Self {
        Self { shares: VecDeque::new(), gate: EvidenceGate::NONE }
    }

    /// A share was written.
    pub(super) fn note(&mut self, id: u64, submission: Submission<D>, wish: EvidenceWish) {
        if wish == EvidenceWish::Off {
            return;
        }
        if self.shares.len() >= MAX_RECENT {
            self.shares.pop_front();
        }
        self.shares.push_back((id, submission));
    }

    /// What a share was made from that the pool has refused, and whose it was; none where that was not
    /// to be helped, is not wished for, or is not known any more. `kept` is the share where somebody
    /// else has it.
    pub(super) fn refused(
        &mut self,
        id: u64,
        kept: Option<&Submission<D>>,
        refusal: Refusal,
        ground: (Generation, &Extranonce),
        setup: &Setup<D>,
    ) -> Option<(Arc<str>, Box<ShareEvidence>)> {
        let wish = setup.config.evidence;
        if matches!(refusal, Refusal::Stale | Refusal::Unauthorized) {
            return None;
        }
        let noted = || self.shares.iter().find(|(noted, _)| *noted == id).map(|(_, share)| share);
        let Submission { frames, prefix, share, worker, .. } = kept.or_else(noted)?;
        let (generation, extranonce1) = ground;
        if frames.generation != generation || !self.gate.lets(refusal as u8, wish) {
            return None;
        }
        let mut line = BytesMut::new();
        let call = PoolCall::Submit { id, worker, job: &*frames.job, prefix, share };
        frames.dialect.tell_pool(call, &mut line);
        let target = frames.wanted.surely(setup.known());
        let evidence = ShareEvidence {
            notify: ShareEvidence::notify(frames, frames.id, target)?,
            extranonce1: extranonce1.clone(),
            extranonce2_size: None,
            submit: params_of(&line)?,
            submit_job: Some(frames.job.id().to_owned()),
            target,
            version_mask: frames.terms.version_mask(None),
        };
        Some((Arc::clone(worker), Box::new(evidence)))
    }
}
