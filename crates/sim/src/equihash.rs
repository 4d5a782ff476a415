//! What rigs of Equihash's coins share: threads that solve, going through the nonces of a job, and how
//! their miners log in.

pub(crate) mod nheqminer;
mod search;
mod solvers;

pub(crate) use search::{SolvedJob, SolverSearch};
pub use solvers::{SolverPlace, Solvers};

/// The bytes of a nonce, and of much else.
type Bytes32 = [u8; 32];
