//! Jobs as rigs are told them: their ids, their order, and the frames that all rigs share.

use std::fmt;
use std::iter;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};

use crate::dialect::{Dialect, NotifyForm, Wanted};
use crate::space::WorkNumber;
use crate::target::Target;
use crate::time::Instant;

/// New whenever a channel's extranonce1 or its split changes; jobs, leases and shares belong to
/// one generation. No two channels of a route have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Generation(pub u64);

/// Grows by one at every work that makes older ones worthless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

/// Grows by one at every new work of a channel; a pool's notify that repeats the work is not a
/// new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Serial(pub u64);

/// The id under which rigs are told a work: 8 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JobId(u32);

impl JobId {
    /// Wraps a number.
    #[must_use]
    pub const fn new(id: u32) -> Self {
        Self(id)
    }

    /// Reads exactly what [`Display`](fmt::Display) writes, upper case tolerated.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        hex.then(|| u32::from_str_radix(text, 16).ok().map(Self)).flatten()
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// The source of a route's job ids. No rig is told one twice, since a rig that sees its former
/// job id again, even on another connection, takes the job for the one it has and idles.
///
/// Generations are counted here too, since a rig may move between channels of its route, and what
/// belongs to one must not be taken for the other's.
#[derive(Debug)]
pub struct JobIds {
    next: AtomicU32,
    generations: AtomicU64,
}

impl JobIds {
    /// Counts from `start`: the greater of the last id of an earlier run and Unix seconds.
    #[must_use]
    pub const fn new(start: u32) -> Self {
        Self { next: AtomicU32::new(start), generations: AtomicU64::new(1) }
    }

    /// The next id.
    pub fn next(&self) -> JobId {
        JobId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// The id that [`next`](Self::next) would give.
    #[must_use]
    pub fn peek(&self) -> JobId {
        JobId(self.next.load(Ordering::Relaxed))
    }

    /// A generation that no channel of the route has had.
    pub fn next_generation(&self) -> Generation {
        Generation(self.generations.fetch_add(1, Ordering::Relaxed))
    }
}

/// The most distinct frames kept of one job; a rig past them gets a frame of its own.
const MAX_FRAMES: usize = 64;
/// So many of them take memory in each work.
const USUAL_FRAMES: usize = 4;

/// One work, and what all rigs that are told it share.
pub struct JobFrames<D: Dialect> {
    /// The dialect with the options of the pool that gave the job.
    pub dialect: Arc<D>,
    /// The id that rigs are told.
    pub id: JobId,
    /// Its place in the order in which the channel told its works; a work that comes back is told
    /// once more.
    pub serial: Serial,
    /// Which work of its extranonce space it is, by its content.
    pub work: WorkNumber,
    /// The epoch it belongs to.
    pub epoch: Epoch,
    /// The generation it belongs to.
    pub generation: Generation,
    /// The pool's job.
    pub job: Arc<D::Job>,
    /// What the pool granted when it told it.
    pub terms: D::Terms,
    /// The pool's share target for it.
    pub wanted: Wanted,
    /// What makes a share of it a block, where that can be told.
    pub block: Option<Target>,
    /// When the pool's notify came.
    pub arrived: Instant,
    /// Its lines for rigs.
    pub frames: Frames,
}

/// The lines of one work, each rendered at its first use.
#[derive(Default)]
pub struct Frames {
    /// As many as most works have: told clean or not, or at a few levels.
    usual: Slots<USUAL_FRAMES>,
    others: OnceLock<Box<Slots<{ MAX_FRAMES - USUAL_FRAMES }>>>,
}

impl Frames {
    /// The places of all frames, in the order of their use.
    fn slots(&self) -> impl Iterator<Item = &OnceLock<Frame>> {
        let others = iter::once_with(|| &self.others.get_or_init(Box::default).0);
        self.usual.0.iter().chain(others.flatten())
    }
}

struct Slots<const N: usize>([OnceLock<Frame>; N]);

impl<const N: usize> Default for Slots<N> {
    fn default() -> Self {
        Self([const { OnceLock::new() }; N])
    }
}

struct Frame {
    target: Target,
    form: NotifyForm,
    bytes: Bytes,
}

impl<D: Dialect> JobFrames<D> {
    /// The notify line for rigs of this target and form, rendered at its first use.
    #[must_use]
    pub fn frame(&self, target: Target, form: NotifyForm) -> Bytes {
        // Without the target in it, one frame serves every level.
        let target = if self.dialect.rules().target_in_notify { target } else { Target::MAX };
        for slot in self.frames.slots() {
            let frame = slot.get_or_init(|| Frame {
                target,
                form,
                bytes: self.frame_under(self.id, target, form),
            });
            if (frame.target, frame.form) == (target, form) {
                return frame.bytes.clone();
            }
        }
        self.frame_under(self.id, target, form)
    }

    /// The notify line under another id, for a rig that may know this work's own.
    #[must_use]
    pub fn frame_under(&self, id: JobId, target: Target, form: NotifyForm) -> Bytes {
        let mut out = BytesMut::new();
        self.dialect.notify(id, &self.job, &target, form, &mut out);
        out.freeze()
    }
}

impl<D: Dialect> fmt::Debug for JobFrames<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobFrames")
            .field("id", &self.id)
            .field("serial", &self.serial)
            .field("epoch", &self.epoch)
            .field("generation", &self.generation)
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_eight_digits_and_never_repeat() {
        let ids = JobIds::new(0x0000_00ff);
        assert_eq!(ids.next().to_string(), "000000ff");
        assert_eq!(ids.next().to_string(), "00000100");
        assert_eq!(JobId::parse("000000ff"), Some(JobId(255)));
        for wrong in ["ff", "0000000g", "+00000ff", "000000fff", ""] {
            assert_eq!(JobId::parse(wrong), None, "{wrong:?}");
        }
    }
}
