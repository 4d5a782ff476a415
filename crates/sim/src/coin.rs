//! What a coin must say to be simulated: the pool's half and the rig's half.
//!
//! Both halves are pure: no socket, no state but their options and the job itself. Only where a
//! proof takes seconds does a coin work in the background: see [`Search::poll_ready`].

mod pool;
mod rig;

pub use pool::{CheckedShare, Claim, JobOrder, Manners, Place, PoolCoin, PoolJob, Reason, Terms};
pub use rig::{Allotment, Habits, RigCoin, RigError, RigJob, Search, Solution, Step};
