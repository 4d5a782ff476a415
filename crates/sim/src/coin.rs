//! What a coin must say to be simulated: the pool's half and the rig's half.
//!
//! Both halves are pure: no socket, no state but their options and the job itself. Only where a
//! proof takes seconds does a coin work in the background: see [`Search::poll_ready`].

mod pool;
mod rig;

pub use pool::{
    AnnouncementPlace, CheckedShare, JobOrder, Manners, PoolCoin, PoolJob, Reason, ShareIdentity,
    TargetTerms,
};
pub use rig::{Allotment, FirmwareHabits, RigCoin, RigError, RigJob, Search, SearchStep, Solution};
