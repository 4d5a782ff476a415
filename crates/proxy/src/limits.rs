//! How many files, and so connections, this process may have open.

use std::io;

/// What is kept for pool connections, listeners, logs and the like: a tenth.
const KEPT_PERCENT: u64 = 10;
/// With room for so many rigs nobody is warned, whatever the config would allow.
const PLENTY: u64 = 4096;

/// The open-file limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFiles(u64);

impl OpenFiles {
    /// Raises the soft limit to the hard one, as every process may.
    ///
    /// # Errors
    /// When the system refuses to tell or to raise it.
    pub fn raise() -> io::Result<Self> {
        rlimit::increase_nofile_limit(u64::MAX).map(Self)
    }

    /// How many files.
    #[must_use]
    pub const fn limit(self) -> u64 {
        self.0
    }

    /// How many rigs may be connected.
    #[must_use]
    pub const fn room(self) -> u64 {
        self.0 - self.0.div_ceil(100 / KEPT_PERCENT)
    }

    /// Whether it is too little for `capacity` rigs, or for a sizeable farm where the config
    /// allows more than that.
    #[must_use]
    pub fn is_short_for(self, capacity: usize) -> bool {
        self.room() < PLENTY.min(capacity as u64)
    }
}

/// Raises the limit and logs it, as a warning with its remedy where it is too low for `capacity`
/// rigs.
pub fn raise_and_report(capacity: usize) {
    let files = match OpenFiles::raise() {
        Ok(files) => files,
        Err(error) => {
            tracing::warn!(
                event = "limits.unknown",
                "limits: the open-file limit cannot be raised: {error}"
            );
            return;
        }
    };
    let (limit, room) = (files.limit(), files.room());
    if files.is_short_for(capacity) {
        tracing::warn!(
            event = "limits.low",
            "limits: open files {limit}, room for {room} rigs only, while the config allows \
             {capacity}; raise the hard limit: `LimitNOFILE=1048576` in the [Service] section of \
             the systemd unit, `--ulimit nofile=1048576` for docker run, or `ulimit -Hn 1048576` \
             as root in the shell that starts orepass"
        );
    } else {
        tracing::info!(
            event = "limits",
            "limits: open files {limit}, room for {room} rigs ({} %)",
            100 - KEPT_PERCENT
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_is_kept() {
        assert_eq!(OpenFiles(1_048_576).room(), 943_718);
        assert_eq!(OpenFiles(0).room(), 0);
        assert_eq!(OpenFiles(1).room(), 0);
    }

    #[test]
    fn short_is_what_the_config_or_a_farm_does_not_fit_in() {
        assert!(OpenFiles(1024).is_short_for(1000));
        assert!(!OpenFiles(1024).is_short_for(250));
        assert!(OpenFiles(4096).is_short_for(100_000));
        assert!(!OpenFiles(8192).is_short_for(100_000));
    }

    #[test]
    fn the_limit_is_raised() {
        let files = OpenFiles::raise().unwrap();
        assert_eq!(OpenFiles::raise().unwrap(), files);
        assert!(files.limit() > 0);
    }
}
