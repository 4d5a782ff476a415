//! What an operator may choose about this dialect.

use crate::address::PayAddress;
use crate::version::VersionMask;

/// The options of one pool.
///
/// ```
/// use orepass_bitcoin::{Options, VersionMask};
///
/// let options = Options::default().with_version_mask(VersionMask::NONE);
/// assert_eq!((options.version_mask, options.open_jobs), (VersionMask::NONE, 6));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The bits of the version that the pool is asked for, and that rigs may roll at most. With none the
    /// pool is not asked, and rigs are told so.
    pub version_mask: VersionMask,
    /// Whom the pool's blocks must pay, and nobody else; without any it may pay whom it likes.
    pub verify_payout: Box<[PayAddress]>,
    /// For how many jobs of one previous block, the latest included, the pool takes shares.
    pub open_jobs: usize,
}

impl Default for Options {
    fn default() -> Self {
        // Pools tell one in half a minute, and take shares of the last few minutes.
        const OPEN_JOBS: usize = 6;
        Self {
            version_mask: VersionMask::ROLLABLE,
            verify_payout: Box::default(),
            open_jobs: OPEN_JOBS,
        }
    }
}

impl Options {
    /// With other bits of the version.
    #[must_use]
    pub const fn with_version_mask(mut self, mask: VersionMask) -> Self {
        self.version_mask = mask;
        self
    }

    /// With those whom the pool's blocks must pay.
    #[must_use]
    pub fn with_verify_payout(mut self, wanted: impl Into<Box<[PayAddress]>>) -> Self {
        self.verify_payout = wanted.into();
        self
    }

    /// With another number of jobs that the pool takes shares for.
    #[must_use]
    pub const fn with_open_jobs(mut self, open_jobs: usize) -> Self {
        self.open_jobs = open_jobs;
        self
    }
}
