//! What a share comes to by the job that it was found for.

use std::time::Duration;

use super::{Read, Refused, Weight};
use crate::dialect::{Basis, Checked, Diagnosis, Dialect, FailedShare};
use crate::downstream::work::{SeatNonces, Told};
use crate::error::Reject;
use crate::firmware::{Firmware, Merit, USUAL_EXTRANONCE2};
use crate::job::JobFrames;
use crate::rpc::Params;
use crate::target::Target;
use crate::verdict::Verdict;

/// A share found under the former extranonce1 shows that a rig goes on with it only where the
/// target is one that a random hash meets so seldom.
const MIN_EVIDENCE: f64 = 128.0;

impl<D: Dialect> Told<D> {
    /// Reads a submit; with an extranonce2 of the `odd` length too.
    pub(super) fn read(
        &self,
        fields: &Params<'_>,
        odd: Option<usize>,
    ) -> Result<Read<D::Share>, Refused> {
        let (dialect, told) = (&self.frames.dialect, self.basis());
        match dialect.read_share(&told, fields) {
            Ok(share) => Ok(Read { share, is_odd: false }),
            Err(reject) => {
                let odd = odd.map(|extranonce2| Basis { extranonce2, ..told });
                match odd.map(|told| dialect.read_share(&told, fields)) {
                    Some(Ok(share)) => Ok(Read { share, is_odd: true }),
                    _ => Err(self.malformed(reject, fields)),
                }
            }
        }
    }

    /// The refusal of a share whose extranonce2 has the odd length.
    pub(super) fn odd(&self, fields: &Params<'_>) -> Refused {
        let reject = self.frames.dialect.read_share(&self.basis(), fields).err();
        let unreadable =
            || Reject::invalid("extranonce2 is of another length than the rig was told");
        self.malformed(reject.unwrap_or_else(unreadable), fields)
    }

    pub(super) fn malformed(&self, reject: Reject, fields: &Params<'_>) -> Refused {
        let diagnosis = self.frames.dialect.why(&self.basis(), FailedShare::Form(fields));
        Refused { diagnosis, curable: self.is_curable(diagnosis), ..reject.into() }
    }

    /// What a share comes to that must meet `limit`, or be a block.
    pub(super) fn prove(
        &self,
        share: &D::Share,
        limit: Target,
        age: Duration,
        scratch: &mut D::Scratch,
    ) -> Result<Weight, Reject> {
        let JobFrames { dialect, block, .. } = &*self.frames;
        let told = self.basis();
        let mut check = |limit| dialect.check(&told, share, &limit, age, scratch);
        let checked = check(limit).or_else(|reject| {
            // Where blocks are easier than shares, or a scale is set too hard.
            let missed = reject.verdict == Verdict::LowDifficulty;
            match block.filter(|block| missed && *block > limit).map(check) {
                Some(Ok(checked)) => Ok(checked),
                _ => Err(reject),
            }
        })?;
        let Checked::Proven(hash) = checked else { return Ok(Weight::default()) };
        let is_block = block.is_some_and(|block| dialect.rules().good.meets(&hash, &block));
        Ok(Weight { hash: Some(hash), is_block })
    }

    /// Whether a share is good enough for a target; one that nobody has checked may be.
    pub(super) fn is_met(&self, weight: Weight, target: Target) -> bool {
        let good = self.frames.dialect.rules().good;
        weight.hash.is_none_or(|hash| good.meets(&hash, &target))
    }

    /// What the rig may have done to send a share that fails.
    pub(super) fn diagnose(
        &self,
        share: &D::Share,
        job_age: Duration,
        scratch: &mut D::Scratch,
    ) -> Option<Diagnosis> {
        let (dialect, told, target) = (&self.frames.dialect, self.basis(), &self.asked.easiest);
        let before =
            self.asked.nonces.before.as_ref().filter(|_| target.hashes_lossy() >= MIN_EVIDENCE);
        let stubborn = before.is_some_and(|before| {
            let told = Basis { extranonce1: before, ..told };
            let checked = dialect.check(&told, share, target, job_age, scratch);
            matches!(checked, Ok(Checked::Proven(_)))
        });
        if stubborn {
            return Some(Diagnosis::IGNORES_SET_EXTRANONCE);
        }
        dialect.why(&told, FailedShare::Share { share, target })
    }

    /// What a good share of it shows of its rig; a target that any hash meets shows nothing.
    pub(super) fn merits(&self, is_odd: bool) -> [Option<Merit>; 3] {
        let tells = !is_odd && self.asked.easiest.hashes_lossy() >= MIN_EVIDENCE;
        let SeatNonces { prefix, extranonce2_size, before, .. } = &*self.asked.nonces;
        [
            (tells && !prefix.is_empty()).then_some(Merit::Shares),
            (tells && *extranonce2_size != USUAL_EXTRANONCE2).then_some(Merit::Sizes),
            (tells && before.is_some()).then_some(Merit::Follows),
        ]
    }

    /// Whether another kind of service helps: a connection of its own does not help a rig that
    /// has one.
    pub(super) fn is_curable(&self, diagnosis: Option<Diagnosis>) -> bool {
        let remedy = diagnosis.and_then(Firmware::remedy);
        remedy.is_some_and(|remedy| !remedy.is_particular() || !self.asked.nonces.prefix.is_empty())
    }
}
