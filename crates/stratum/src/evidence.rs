//! Refused shares with all that they were made from, so that somebody else can judge them again.

use crate::dialect::{Dialect, NotifyForm};
use crate::extranonce::Extranonce;
use crate::job::{JobFrames, JobId};
use crate::named::Named;
use crate::rpc::{Message, Params};
use crate::target::Target;

/// A refused share with all that it was made from: what `orepass verify` is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareEvidence {
    /// The parameters of the job's `mining.notify`, as a JSON array.
    pub notify: Box<str>,
    /// The extranonce1 of whoever sent the submit.
    pub extranonce1: Extranonce,
    /// How many bytes of extranonce2 it was told; none where the submit's are right.
    pub extranonce2_size: Option<usize>,
    /// The parameters of the `mining.submit`, as a JSON array.
    pub submit: Box<str>,
    /// How the submit names the job, where the notify has another id.
    pub submit_job: Option<String>,
    /// What its hash should have met.
    pub target: Target,
    /// The bits of the version that whoever sent the submit may roll; none where versions do not roll.
    pub version_mask: Option<u32>,
}

/// Of which refused shares there is [`ShareEvidence`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EvidenceWish {
    /// Of none.
    Off,
    /// Of the first of each kind on a connection.
    #[default]
    First,
    /// Of all.
    All,
}

impl Named for EvidenceWish {
    const KIND: &'static str = "evidence";
    const WORDS: &'static [(&'static str, Self)] =
        &[("off", Self::Off), ("first", Self::First), ("all", Self::All)];
}

crate::named!(EvidenceWish);

/// The kinds of refusals of which a connection had evidence, a bit for each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EvidenceGate(u16);

impl EvidenceGate {
    /// Of none so far.
    pub(crate) const NONE: Self = Self(0);

    /// Whether there should be evidence of a refusal of this kind, which is below 16.
    pub(crate) const fn lets(&mut self, kind: u8, wish: EvidenceWish) -> bool {
        let bit = 1 << (kind & 15);
        let is_first = self.0 & bit == 0;
        match wish {
            EvidenceWish::Off => return false,
            EvidenceWish::First => self.0 |= bit,
            EvidenceWish::All => return true,
        }
        is_first
    }
}

impl ShareEvidence {
    /// The parameters of a job's notify as a rig is told it.
    pub(crate) fn notify<D: Dialect>(
        frames: &JobFrames<D>,
        id: JobId,
        target: Target,
    ) -> Option<Box<str>> {
        let form = NotifyForm { clean: true, flavour: 0 };
        params_of(&frames.frame_under(id, target, form))
    }

    /// The parameters of a submit that was taken apart.
    pub(crate) fn submit(fields: &Params<'_>) -> Box<str> {
        let fields: Vec<&str> = fields.elements().iter().map(|field| field.get()).collect();
        format!("[{}]", fields.join(",")).into()
    }
}

/// The parameters of a call in one line.
pub(crate) fn params_of(line: &[u8]) -> Option<Box<str>> {
    Some(Message::parse(line).ok()?.params?.get().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_kind_is_shown_or_all_or_none() {
        let lets = |wish| {
            let mut gate = EvidenceGate::NONE;
            [1, 2, 1, 1, 2].map(|kind| gate.lets(kind, wish))
        };
        assert_eq!(lets(EvidenceWish::First), [true, true, false, false, false]);
        assert_eq!(lets(EvidenceWish::All), [true; 5]);
        assert_eq!(lets(EvidenceWish::Off), [false; 5]);
    }
}
