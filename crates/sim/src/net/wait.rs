//! Waiting for a counter to get somewhere.

use std::time::Duration;

use thiserror::Error;

/// How long the `wait_for` methods wait before they give up. Generous: it is only ever reached
/// when something is broken.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How often they look.
const INTERVAL: Duration = Duration::from_millis(2);

/// What was waited for did not come about; holds the last state seen.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("waited in vain; the last state was {0}")]
pub struct WaitTimeout(pub String);

/// Looks at `read` until it satisfies `wanted`.
pub(super) async fn until<T: std::fmt::Debug>(
    patience: Duration,
    mut read: impl FnMut() -> T,
    mut wanted: impl FnMut(&T) -> bool,
) -> Result<T, WaitTimeout> {
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        let state = read();
        if wanted(&state) {
            return Ok(state);
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(WaitTimeout(format!("{state:?}")));
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
