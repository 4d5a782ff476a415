//! How much goes over a route's connections, and how many rigs it has refused for what they are or did.

use std::sync::atomic::{AtomicU64, Ordering};

use orepass_stratum::downstream::CloseReason;
use serde::Serialize;
use utoipa::ToSchema;

/// Counts from the start of the process. Nobody waits for anybody to count.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) rigs: ByteCounts,
    pub(crate) pools: ByteCounts,
    banned: AtomicU64,
    penalised: AtomicU64,
}

/// The bytes of stratum that came from one side and went to it, inside of TLS where that is spoken.
#[derive(Debug, Default)]
pub(crate) struct ByteCounts {
    read: AtomicU64,
    written: AtomicU64,
}

/// What has gone over a route's connections since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct TrafficView {
    /// Bytes that came from rigs.
    pub from_rigs_bytes: u64,
    /// Bytes that were written to rigs.
    pub to_rigs_bytes: u64,
    /// Bytes that came from pools.
    pub from_pools_bytes: u64,
    /// Bytes that were written to pools.
    pub to_pools_bytes: u64,
    /// How often a rig was closed whose worker the operator refuses.
    pub rigs_banned: u64,
    /// How often a rig was closed that is refused for a while for what it sent.
    pub rigs_penalised: u64,
}

impl ByteCounts {
    pub(crate) fn add_read(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_written(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Traffic {
    /// A rig was closed.
    pub(crate) fn closed(&self, reason: &CloseReason) {
        let count = match reason {
            CloseReason::Banned(_) => &self.banned,
            CloseReason::Penalty(_) => &self.penalised,
            _ => return,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn view(&self) -> TrafficView {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        TrafficView {
            from_rigs_bytes: of(&self.rigs.read),
            to_rigs_bytes: of(&self.rigs.written),
            from_pools_bytes: of(&self.pools.read),
            to_pools_bytes: of(&self.pools.written),
            rigs_banned: of(&self.banned),
            rigs_penalised: of(&self.penalised),
        }
    }
}
