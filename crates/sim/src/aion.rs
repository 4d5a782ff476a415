//! Aion: both families of its pools, and the reference miner.

mod pool;
mod rig;
mod submit;

use clap::ValueEnum;

pub use pool::AionPool;
pub use rig::AionRig;

use crate::pool::ExtranonceSource;

/// The two kinds of servers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Family {
    /// The solo pool and the public pool that descends from it, both written for Node.
    Node,
    /// The forks of Miningcore.
    #[default]
    Miningcore,
}

impl Family {
    /// The bytes of its extranonce1.
    #[must_use]
    pub const fn extranonce1_size(self) -> usize {
        match self {
            Self::Node => 8,
            Self::Miningcore => 2,
        }
    }

    /// Where its extranonce1 comes from.
    #[must_use]
    pub const fn extranonce1_source(self) -> ExtranonceSource {
        match self {
            Self::Node => ExtranonceSource::Instance,
            Self::Miningcore => ExtranonceSource::Counter,
        }
    }
}

/// The bytes of a header hash, of a nonce, of a target.
type Bytes32 = [u8; 32];

/// What stands before a solution on the wire: its length as a compact size, in hex.
const SOLUTION_PREFIX: &str = "fd8005";
/// The bytes of a solution.
const SOLUTION_SIZE: usize = 1408;
