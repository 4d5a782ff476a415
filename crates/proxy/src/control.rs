//! The socket through which a process at work is asked for things: its [API](crate::api) over a Unix
//! socket, for `orepass ctl` and whatever else speaks HTTP. Whoever may connect may do everything.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use tokio::net::UnixListener;
use tokio::sync::Semaphore;

use crate::api::{Api, Caller, answer};

/// The most connections at a time; more are closed at once.
const MAX_CONNECTIONS: usize = 16;
/// How long the longest answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(180);
/// What the log calls whoever asks here.
const WHO: &str = "the control socket";

/// The socket, at work until this is dropped.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    path: PathBuf,
    /// Device and inode: another process may have taken the path since.
    made: (u64, u64),
    serving: tokio::task::JoinHandle<()>,
}

impl ControlSocket {
    /// Takes the path over from whoever had it, and answers there. The socket is complete before it
    /// has its name, so that nobody finds it half made.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn open(path: &Path, api: &Api) -> io::Result<Self> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}", std::process::id()));
        let beside = PathBuf::from(beside);
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&beside)?;
        let named = fs::set_permissions(&beside, Permissions::from_mode(0o660))
            .and_then(|()| fs::metadata(&beside))
            .and_then(|made| fs::rename(&beside, path).map(|()| (made.dev(), made.ino())));
        let made = named.inspect_err(|_| {
            let _ = fs::remove_file(&beside);
        })?;
        let serving =
            tokio::spawn(serve(listener, api.router().layer(Extension(Caller::owner(WHO)))));
        Ok(Self { path: path.to_owned(), made, serving })
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        self.serving.abort();
        let ours =
            fs::metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.made);
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

async fn serve(listener: UnixListener, router: Router) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // For want of files, mostly.
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let router = router.clone();
        tokio::spawn(async move {
            answer(stream, router, None, ANSWER_WITHIN).await;
            drop(place);
        });
    }
}
