//! Waiting for something to come about.

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::Instant;

/// How long anything may take while nothing goes on. Generous, since it is reached only when something
/// is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long it may take although something goes on, as on a machine that is busy with other things.
const PATIENCE_WITH_PROGRESS: Duration = Duration::from_secs(600);

const INTERVAL: Duration = Duration::from_millis(2);

/// Looks at `read` until it satisfies `wanted`, and gives that.
///
/// # Panics
/// With the last state, when that stays the same for as long as [`PATIENCE`], or changes for ten times
/// as long without being what is wanted.
pub async fn until<T: Debug + PartialEq>(
    what: &str,
    mut read: impl FnMut() -> T,
    mut wanted: impl FnMut(&T) -> bool,
) -> T {
    let last = Instant::now() + PATIENCE_WITH_PROGRESS;
    let mut deadline = Instant::now() + PATIENCE;
    let mut state = read();
    while !wanted(&state) {
        assert!(Instant::now() < deadline, "waited in vain: {what}; the last state was {state:?}");
        tokio::time::sleep(INTERVAL).await;
        let next = read();
        if next != state {
            deadline = last.min(Instant::now() + PATIENCE);
        }
        state = next;
    }
    state
}

/// Awaits `future` within [`PATIENCE`].
///
/// # Panics
/// When it takes longer.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(PATIENCE, future).await;
    outcome.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}
