//! Why a connection is not taken, and how rigs and the log are told so.

use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use orepass_farm::limits::{Limit, LimitRefusal};
use orepass_stratum::dialect::Dialect;
use socket2::SockRef;
use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tracing::warn;

use crate::limits::REMEDY;
use crate::net::wire::Wire;
use crate::repeated_warnings::nonzero;
use crate::route::Route;

/// How long a rig that has been greeted may take to hear that it is refused.
const REFUSED_WITHIN: Duration = Duration::from_secs(1);

/// Why a connection is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Full {
    /// The route has as many as it may.
    #[error("more than {most} connections to this route; raise `max_channels`")]
    Route {
        /// How many that are.
        most: usize,
    },
    /// All routes together have as many as the process may, with what is kept for pools.
    #[error(
        "no more than {most} connections, those to pools included, fit into the open-file limit; \
         {REMEDY}"
    )]
    Process {
        /// How many that are.
        most: usize,
    },
    /// There are as many connections of rigs as the operator wants.
    #[error("more than {most} connections of rigs")]
    Connections {
        /// How many that are.
        most: usize,
    },
    /// The address has as many connections without a good share as it may.
    #[error("more than {most} connections of this address that have shown no good share")]
    Address {
        /// How many that are.
        most: usize,
    },
    /// The operator does not want it.
    #[error("this address may not connect")]
    Denied {
        /// By which list.
        by: Limit,
    },
}

impl Full {
    /// The limit that was met.
    #[must_use]
    pub const fn limit(&self) -> Limit {
        match self {
            Self::Route { .. } => Limit::Route,
            Self::Process { .. } => Limit::OpenFiles,
            Self::Connections { .. } => Limit::Connections,
            Self::Address { .. } => Limit::UnprovenPerAddress,
            Self::Denied { by } => *by,
        }
    }

    /// What the rig is told.
    pub(super) const fn to_rig(self) -> &'static str {
        match self {
            Self::Route { .. } | Self::Process { .. } | Self::Connections { .. } => NO_PLACE,
            Self::Address { .. } => {
                "too many connections of this address have shown no good share; try again later"
            }
            Self::Denied { .. } => "this address may not connect",
        }
    }
}

/// What a rig is told for which there is no place.
pub(super) const NO_PLACE: &str = "too many connections; try again later";

impl From<LimitRefusal> for Full {
    fn from(LimitRefusal { limit, most, .. }: LimitRefusal) -> Self {
        match limit {
            Limit::Connections => Self::Connections { most },
            Limit::UnprovenPerAddress => Self::Address { most },
            by => Self::Denied { by },
        }
    }
}

/// Says in the log that there is no place for a rig, and what to change.
pub(super) fn say_refused<D: Dialect>(route: &Route<D>, peer: SocketAddr, reason: Full, more: u64) {
    let (route, more_since_last, limit) = (route.name(), nonzero(more), reason.limit());
    // Those that have always been said name their remedy themselves.
    let remedy = match reason {
        Full::Route { .. } | Full::Process { .. } => String::new(),
        _ => format!("; {}", limit.remedy()),
    };
    let limit = limit.name();
    warn!(event = "rig.refused", route, %peer, limit, more_since_last, "{reason}{remedy}");
}

/// The line by which a rig is told why it is not served.
fn refusal(reason: &str) -> String {
    format!("{{\"id\":null,\"result\":null,\"error\":[20,\"{reason}\",null]}}\n")
}

/// Tells a rig so that has been greeted.
pub(super) async fn say_no_on(mut wire: Box<dyn Wire>, reason: Full) {
    let told = async {
        let _ = wire.write_all(refusal(reason.to_rig()).as_bytes()).await;
        let _ = wire.shutdown().await;
    };
    // A rig that does not take it is closed all the same.
    let _ = tokio::time::timeout(REFUSED_WITHIN, told).await;
}

/// Tells a rig why it is not served, if that finds room at once, and that nothing will follow.
pub(super) fn say_no(socket: &SockRef<'_>, reason: &str) {
    let _ = socket.send(refusal(reason).as_bytes());
    let _ = socket.shutdown(Shutdown::Write);
}
