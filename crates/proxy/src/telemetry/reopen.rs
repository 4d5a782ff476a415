//! The log's file, opened anew: whoever rotates logs has renamed the one that stderr leads to.

use std::path::PathBuf;
use std::sync::OnceLock;

use tracing::{debug, info, warn};

/// The file that stderr led to at the start, if it was one.
static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();

/// Remembers where stderr leads to. The system follows a file that is renamed, so it is asked at the
/// start.
pub(super) fn remember() {
    let _ = FILE.set(system::stderr_file());
}

/// Has stderr, and with it the log, lead to a new file of the name that its file had at the start, in
/// append mode: for `logrotate` and its like, which rename the file and send USR1. The log goes on in
/// the former file where that cannot be, and says so there. Where stderr is no file there is nothing to
/// do, and nothing is done.
pub fn reopen() {
    let Some(path) = FILE.get().and_then(Option::as_ref) else {
        return debug!("stderr is no file: there is nothing to open anew");
    };
    let file = path.display();
    match system::lead_stderr_to(path) {
        Ok(()) => info!(event = "log.reopened", %file, "goes on in a new file"),
        Err(error) => {
            warn!(
                event = "log.reopen_failed", %file, %error,
                "cannot open the log's file anew: goes on in the former one"
            );
        }
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs::{self, File};
    use std::io;
    use std::path::{Path, PathBuf};

    pub(super) fn stderr_file() -> Option<PathBuf> {
        let path = fs::read_link("/proc/self/fd/2").ok()?;
        // A pipe has no path, a terminal's is no file, and neither has one that was deleted.
        fs::metadata(&path).ok()?.is_file().then_some(path)
    }

    pub(super) fn lead_stderr_to(path: &Path) -> io::Result<()> {
        let file = File::options().append(true).create(true).open(path)?;
        rustix::stdio::dup2_stderr(file)?;
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;
    use std::path::{Path, PathBuf};

    pub(super) const fn stderr_file() -> Option<PathBuf> {
        None
    }

    pub(super) fn lead_stderr_to(_: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
