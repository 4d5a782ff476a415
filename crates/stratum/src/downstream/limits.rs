//! What a route bears of one rig.

use crate::line::MAX_RIG_LINE;
use crate::secret::Secret;

/// What a route bears of one rig. Times are in [`DownstreamConfig`](super::DownstreamConfig) itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLimits {
    /// How many calls a second that bring nothing: all but good shares. Faster ones are read more
    /// slowly, and for too long end the session.
    pub requests_per_second: u32,
    /// How many lines without sense; the last of them ends the session. A hundred good lines forgive
    /// one, and so does a minute.
    pub bad_lines: u16,
    /// The longest line that is read, in bytes. For whoever drives the session.
    pub line_bytes: usize,
    /// With more than so much unwritten, nothing is read from the rig, and it is given up after a
    /// while. For whoever drives the session.
    pub unwritten_bytes: usize,
    /// What must stand among the options of a rig's password, where anything must.
    pub access_password: Option<Secret>,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            requests_per_second: 50,
            bad_lines: 5,
            line_bytes: MAX_RIG_LINE,
            unwritten_bytes: 64 * 1024,
            access_password: None,
        }
    }
}
