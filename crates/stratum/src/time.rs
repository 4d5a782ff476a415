//! Time, as sessions are given it.

use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::Duration;

/// A moment, as the time since an origin that whoever drives the sessions chooses: the start of a
/// process, a page's own clock, zero in a test. Only differences count.
///
/// The standard library's own cannot be made where there is no clock of a system, as in a browser.
///
/// ```
/// use std::time::Duration;
///
/// use orepass_stratum::time::Instant;
///
/// let start = Instant::after_origin(Duration::from_secs(5));
/// let later = start + Duration::from_millis(300);
/// assert_eq!(later - start, Duration::from_millis(300));
/// assert_eq!(start.saturating_duration_since(later), Duration::ZERO);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Duration);

impl Instant {
    /// So long after the origin.
    #[must_use]
    pub const fn after_origin(time: Duration) -> Self {
        Self(time)
    }

    /// How long after the origin.
    #[must_use]
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// How long after an earlier moment; zero where that is the later one.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// So much later, at the latest at the end of time.
impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, time: Duration) {
        *self = *self + time;
    }
}

/// So much earlier, at the earliest at the origin.
impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(time))
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, time: Duration) {
        *self = *self - time;
    }
}

/// How long after an earlier moment; zero where that is the later one.
impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}
