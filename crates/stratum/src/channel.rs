//! What a channel and its sessions pass each other.

use std::sync::Arc;

use crate::dialect::{Dialect, Split};
use crate::extranonce::{Extranonce, ExtranonceError};
use crate::habits::HabitBook;
use crate::job::{Generation, JobFrames, JobIds, Serial};
use crate::secret::Secret;
use crate::space::{Lease, NoLease, Prefix, Space};
use crate::target::{PowHash, Target};

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
    /// The pool's present share target.
    pub pool_target: Target,
    /// A harder target that rigs should meet with the next work, while more shares come than the
    /// pool should get.
    pub floor: Option<Target>,
}

impl<D: Dialect> ChannelView<D> {
    /// A channel that has never been connected.
    #[must_use]
    pub const fn unborn() -> Self {
        Self {
            live: false,
            generation: Generation(0),
            ground: None,
            work: None,
            pool_target: Target::MAX,
            floor: None,
        }
    }

    /// How many bytes of extranonce1 its rigs are told; none before the first subscribe.
    #[must_use]
    pub fn told_extranonce1(&self) -> Option<usize> {
        let split = &self.ground.as_ref()?.split;
        Some(split.extranonce1.len() + split.prefix_bytes)
    }

    /// Lends a part of the present generation's space; the lease of the number that a rig wishes
    /// to have again, if that is free.
    ///
    /// # Errors
    /// [`NoLease`]; [`NoLease::Resting`] also before the first subscribe.
    pub fn seat(&self, wish: Option<u64>) -> Result<Seat, NoLease> {
        let ground = self.ground.as_ref().ok_or(NoLease::Resting)?;
        let serial: Option<Serial> = self.work.as_ref().map(|work| work.serial);
        let lease = ground.space.lease(wish, serial)?;
        Ok(Seat {
            lease,
            generation: self.generation,
            split: Arc::clone(&ground.split),
            ids: Arc::clone(&ground.ids),
        })
    }
}

impl<D: Dialect> Clone for ChannelView<D> {
    fn clone(&self) -> Self {
        Self {
            live: self.live,
            generation: self.generation,
            ground: self.ground.clone(),
            work: self.work.clone(),
            pool_target: self.pool_target,
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
}

/// A pool of which nothing is known.
impl From<Arc<JobIds>> for PoolShared {
    fn from(ids: Arc<JobIds>) -> Self {
        Self { ids, habits: HabitBook::default() }
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
    /// The worker that sent it.
    pub worker: Arc<str>,
    /// Under whose name the pool should see it; the route's own user when absent.
    pub account: Option<Arc<Account>>,
    /// The work that it stands for, in hashes: that of the target that the rig was told.
    pub hashes: f64,
}
