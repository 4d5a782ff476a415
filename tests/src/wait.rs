//! Waiting for something to come about.

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::Instant;

/// How long anything may take. Generous, since it is reached only when something is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);

const INTERVAL: Duration = Duration::from_millis(2);

/// Looks at `read` until it satisfies `wanted`, and gives that.
///
/// # Panics
/// When it does not within [`PATIENCE`], with the last state.
pub async fn until<T: Debug>(
    what: &str,
    mut read: impl FnMut() -> T,
    mut wanted: impl FnMut(&T) -> bool,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let state = read();
        if wanted(&state) {
            return state;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}; the last state was {state:?}");
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Awaits `future` within [`PATIENCE`].
///
/// # Panics
/// When it takes longer.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(PATIENCE, future).await;
    outcome.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}
