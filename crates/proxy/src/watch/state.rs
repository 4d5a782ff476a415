//! How a worker is, in one word.

use std::time::Duration;

use orepass_stratum::time::Instant;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A rig may be silent for so long whatever its rate is…
const SILENT_AFTER: Duration = Duration::from_secs(300);
/// …and for so many times as long as its shares usually take.
const SILENT_SHARES: u32 = 10;

/// How a worker is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum WorkerState {
    /// A rig of it is connected and sends shares.
    Online,
    /// It is connected, and has sent no share for long.
    Silent,
    /// Its shares are held back, since most are bad.
    Quarantined,
    /// No rig of it is connected.
    Offline,
}

impl WorkerState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Online, Self::Silent, Self::Quarantined, Self::Offline];

    /// That of a rig which came so long ago, by the number of its shares and when the last one came.
    #[must_use]
    pub fn of_rig(
        quarantined: bool,
        came: Instant,
        shares: u64,
        last: Option<Instant>,
        now: Instant,
    ) -> Self {
        if quarantined {
            return Self::Quarantined;
        }
        let last = last.unwrap_or(came).max(came);
        let usual = match u32::try_from(shares) {
            Ok(0) => Duration::ZERO,
            shares => last.saturating_duration_since(came) / shares.unwrap_or(u32::MAX),
        };
        let patience = SILENT_AFTER.max(usual.saturating_mul(SILENT_SHARES));
        if now.saturating_duration_since(last) > patience { Self::Silent } else { Self::Online }
    }

    /// That of a worker with these rigs: the best of theirs.
    #[must_use]
    pub fn of_worker(rigs: impl IntoIterator<Item = Self>) -> Self {
        rigs.into_iter().min().unwrap_or(Self::Offline)
    }

    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Silent => "silent",
            Self::Quarantined => "quarantined",
            Self::Offline => "offline",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now;

    #[test]
    fn a_slow_rig_is_not_silent_as_long_as_ten_of_its_shares_could_have_come() {
        let came = now();
        let at = |seconds| came + Duration::from_secs(seconds);
        let state = |shares, last: Option<u64>, now| {
            WorkerState::of_rig(false, came, shares, last.map(at), at(now))
        };
        assert_eq!(state(0, None, 299), WorkerState::Online);
        assert_eq!(state(0, None, 301), WorkerState::Silent);
        assert_eq!(state(1000, Some(5000), 5299), WorkerState::Online);
        assert_eq!(state(1000, Some(5000), 5301), WorkerState::Silent);
        // A share in ten minutes.
        assert_eq!(state(10, Some(6000), 11_999), WorkerState::Online);
        assert_eq!(state(10, Some(6000), 12_001), WorkerState::Silent);
    }

    #[test]
    fn a_worker_is_as_its_best_rig() {
        let of = |rigs: &[WorkerState]| WorkerState::of_worker(rigs.iter().copied());
        assert_eq!(of(&[WorkerState::Silent, WorkerState::Online]), WorkerState::Online);
        assert_eq!(of(&[WorkerState::Quarantined]), WorkerState::Quarantined);
        assert_eq!(of(&[]), WorkerState::Offline);
    }
}
