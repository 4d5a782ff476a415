//! What a channel and its sessions pass each other.

use std::borrow::Cow;
use std::sync::Arc;

use crate::dialect::{Dialect, Split, Wanted};
use crate::error::Reject;
use crate::extranonce::{Extranonce, ExtranonceError};
use crate::firmware::Firmware;
use crate::grounds::Grounds;
use crate::habits::{HabitBook, Probe};
use crate::job::{Generation, JobFrames, JobIds};
use crate::secret::Secret;
use crate::space::{Lease, NoLease, Prefix, Space, Wish, WorkNumber};
use crate::target::{PowHash, Target};
use crate::verdict::Verdict;

/// What a channel shows its sessions: state, never events. Sessions compare it with what they last
/// told their rig, so a view that is overtaken by the next loses nothing.
pub struct ChannelView<D: Dialect> {
    /// Whether the pool's connection takes shares.
    pub live: bool,
    /// Grows with every new extranonce1 or split.
    pub generation: Generation,
    /// How the space is divided; none before the first subscribe.
    pub ground: Option<Ground>,
    /// The present work; none before the generation's first.
    pub work: Option<Arc<JobFrames<D>>>,
    /// The pool's share target that is in force.
    pub wanted: Arc<Wanted>,
    /// A harder target that rigs should meet with the next work, while more shares come than the
    /// pool should get.
    pub floor: Option<Target>,
}

impl<D: Dialect> ChannelView<D> {
    /// A channel that has never been connected.
    #[must_use]
    pub fn unborn() -> Self {
        Self {
            live: false,
            generation: Generation(0),
            ground: None,
            work: None,
            wanted: Arc::new(Wanted::sure(Target::MAX)),
            floor: None,
        }
    }

    /// Whether a rig of this firmware can share it; `None` before the first subscribe.
    #[must_use]
    pub fn suits(&self, firmware: &Firmware) -> Option<bool> {
        Some(self.ground.as_ref()?.suits(firmware))
    }

    /// Lends a part of the present generation's space for the present work.
    ///
    /// # Errors
    /// [`NoLease`]; [`NoLease::Resting`] also before the first subscribe.
    pub fn seat(&self, wish: &Wish<'_>) -> Result<Seat, NoLease> {
        let ground = self.ground.as_ref().ok_or(NoLease::Resting)?;
        ground.seat(wish, self.generation, self.work.as_ref().map(|work| work.work))
    }
}

impl<D: Dialect> Clone for ChannelView<D> {
    fn clone(&self) -> Self {
        Self {
            live: self.live,
            generation: self.generation,
            ground: self.ground.clone(),
            work: self.work.clone(),
            wanted: Arc::clone(&self.wanted),
            floor: self.floor,
        }
    }
}

/// A generation's space and its division.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The division.
    pub split: Arc<Split>,
    /// The leases.
    pub space: Space,
    /// The route's job ids.
    pub ids: Arc<JobIds>,
    /// What is known of the pool's habits.
    pub habits: HabitBook,
}

impl Ground {
    /// A new space for at most so many rigs, of a pool of which nothing is known.
    #[must_use]
    pub fn new(split: Split, max_rigs: usize, ids: Arc<JobIds>) -> Self {
        let space = Space::new(split.prefix_bytes, max_rigs);
        Self { split: Arc::new(split), space, ids, habits: HabitBook::default() }
    }

    /// Whether a rig of this firmware can share it.
    #[must_use]
    pub fn suits(&self, firmware: &Firmware) -> bool {
        let extranonce1 = self.split.extranonce1.len() + self.split.prefix_bytes;
        firmware.shares_with(extranonce1, self.split.rig_extranonce2)
    }

    /// Lends a part of the space, which is of this generation, for the present work, if there is one.
    ///
    /// # Errors
    /// [`NoLease`].
    pub fn seat(
        &self,
        wish: &Wish<'_>,
        generation: Generation,
        work: Option<WorkNumber>,
    ) -> Result<Seat, NoLease> {
        Ok(Seat {
            lease: self.space.lease(wish, work)?,
            generation,
            split: Arc::clone(&self.split),
            ids: Arc::clone(&self.ids),
            habits: self.habits.clone(),
        })
    }
}

/// A rig's place on a channel.
#[derive(Debug)]
pub struct Seat {
    /// The rig's part of the space.
    pub lease: Lease,
    /// The generation that it belongs to.
    pub generation: Generation,
    /// How that generation's space is divided.
    pub split: Arc<Split>,
    /// The route's job ids, for a work that the rig may know under its usual one.
    pub ids: Arc<JobIds>,
    /// What is known of the pool's habits.
    pub habits: HabitBook,
}

impl Seat {
    /// What the rig is told: the pool's extranonce1 and the prefix.
    ///
    /// # Errors
    /// [`ExtranonceError::TooLong`] where a split was made without regard to the limit.
    pub fn extranonce1(&self) -> Result<Extranonce, ExtranonceError> {
        self.split.extranonce1.join(self.lease.prefix())
    }
}

/// What all connections to one pool share.
#[derive(Debug, Clone)]
pub struct PoolShared {
    /// The route's job ids and generations, which are those of all its pools.
    pub ids: Arc<JobIds>,
    /// What is known of the pool's habits.
    pub habits: HabitBook,
    /// The extranonces that the pool has given.
    pub grounds: Grounds,
}

/// A pool of which nothing is known.
impl From<Arc<JobIds>> for PoolShared {
    fn from(ids: Arc<JobIds>) -> Self {
        Self { ids, habits: HabitBook::default(), grounds: Grounds::default() }
    }
}

/// Under whose name a pool should see a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name.
    pub name: Box<str>,
    /// The password that it authorizes with; the route's own for that pool when absent.
    pub password: Option<Secret>,
}

/// A share on its way to the pool.
pub struct Submission<D: Dialect> {
    /// The rig's own count of its shares, by which it knows the verdict.
    pub number: u64,
    /// The job that the rig was told.
    pub frames: Arc<JobFrames<D>>,
    /// The rig's prefix.
    pub prefix: Prefix,
    /// The share.
    pub share: D::Share,
    /// Its hash, where it was checked.
    pub hash: Option<PowHash>,
    /// Whether it is a block, as far as its hash tells: it is forwarded whatever else is thought of
    /// it.
    pub is_block: bool,
    /// What the pool is asked by it; the share need not be one that it surely credits.
    pub probe: Option<Probe>,
    /// The worker that sent it.
    pub worker: Arc<str>,
    /// Under whose name the pool should see it; the route's own user when absent.
    pub account: Option<Arc<Account>>,
    /// The work that it stands for, in hashes: that of the target that the rig was told.
    pub hashes: f64,
    /// The work that the pool asks for by it, in hashes, as far as is known: what it credits.
    pub credit: f64,
}

/// What became of a share that was forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareOutcome {
    /// Where it is counted.
    pub booked: Verdict,
    /// What its rig is told.
    pub told: Result<(), Reject>,
    /// Why the pool does not credit what its rig is told is good.
    uncredited: Option<Cow<'static, str>>,
}

impl ShareOutcome {
    /// The pool credited it.
    #[must_use]
    pub const fn accepted() -> Self {
        Self { booked: Verdict::AcceptedByPool, told: Ok(()), uncredited: None }
    }

    /// Good work that its rig was asked for, and that the pool does not credit.
    pub fn below_pool_target(why: impl Into<Cow<'static, str>>) -> Self {
        let uncredited = Some(why.into());
        Self { booked: Verdict::BelowPoolTarget, told: Ok(()), uncredited }
    }

    /// Why it is not credited.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        let refused = || Some(&*self.told.as_ref().err()?.reason);
        self.uncredited.as_deref().or_else(refused)
    }
}

/// It was refused, or lost, and is counted as the refusal says.
impl From<Reject> for ShareOutcome {
    fn from(reject: Reject) -> Self {
        Self { booked: reject.verdict, told: Err(reject), uncredited: None }
    }
}
