//! What a pool grants a connection, and gives it.

use orepass_stratum::dialect::{Diagnosis, GrantedTerms, Symptom};

use crate::rig::RigWishes;
use crate::version::VersionMask;

/// The longest extranonce2, in bytes, that rigs are left with: WhatsMiners and whatever descends from
/// cgminer fail past it. Of a longer one the rest is zeros.
pub const MAX_USED: usize = 8;

/// It wishes to roll versions, and its pool lets it roll none, or too few bits.
pub const NO_VERSION_ROLLING: Diagnosis = Diagnosis::own(&Symptom {
    name: "no_version_rolling",
    text: "it asked to roll versions, and its pool grants it none or too few bits: it hashes slower, \
           or not at all",
    advice: "use a pool that grants version rolling, look whether `version_mask` in the options is too \
             narrow, or switch version rolling (AsicBoost) off in the rig's settings",
});

/// What a pool has granted a connection by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolGrant {
    /// The bits of the version that it lets its miners roll.
    pub mask: VersionMask,
    /// The room for the extranonce in its coinbases, once it is known.
    pub room: Option<CoinbaseRoom>,
}

/// The room for the extranonce in a pool's coinbases, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoinbaseRoom {
    /// Of extranonce1.
    pub extranonce1: usize,
    /// Of extranonce2.
    pub extranonce2: usize,
}

impl CoinbaseRoom {
    /// How many of extranonce2's bytes are always zeros, at its end.
    #[must_use]
    pub const fn padding(self) -> usize {
        self.extranonce2.saturating_sub(MAX_USED)
    }
}

impl PoolGrant {
    /// The bits of the version that a rig may roll.
    #[must_use]
    pub const fn mask_of(&self, rig: &RigWishes) -> VersionMask {
        self.mask.and(rig.mask)
    }
}

impl GrantedTerms<RigWishes> for PoolGrant {
    fn misses(&self, rig: &RigWishes) -> Option<Diagnosis> {
        let granted = self.mask_of(rig).0.count_ones();
        let too_few = rig.asks_to_roll && granted < rig.least_bits.max(1).into();
        too_few.then_some(NO_VERSION_ROLLING)
    }

    fn version_mask(&self, rig: Option<&RigWishes>) -> Option<u32> {
        Some(rig.map_or(self.mask, |rig| self.mask_of(rig)).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rig_misses_what_it_asked_for_and_did_not_get() {
        let rig = |asks_to_roll, mask, least_bits| RigWishes {
            asks_to_roll,
            mask: VersionMask(mask),
            least_bits,
            ..RigWishes::default()
        };
        let missed = |mask, rig: &RigWishes| {
            PoolGrant { mask: VersionMask(mask), room: None }.misses(rig).is_some()
        };
        let usual = rig(true, 0x1fff_e000, 2);
        assert!(missed(0, &usual) && missed(0x2000, &usual));
        assert!(!missed(0x6000, &usual) && !missed(0x1fff_e000, &usual));
        assert!(missed(0x6000, &rig(true, 0x8000, 0)), "they have no bit in common");
        assert!(missed(0x6000, &rig(true, 0, 0)), "the operator lets it roll nothing");
        assert!(!missed(0, &rig(false, 0, 0)), "it did not ask");
    }
}
