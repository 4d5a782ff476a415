//! `orepass demo`: a farm, a proxy and a pool in one process.

use super::{CommandError, Outcome};
use crate::cli::Demo;
use crate::registry::Registry;

/// Runs the demo.
///
/// # Errors
/// A [`CommandError`] when it cannot run to its end.
pub async fn demo(demo: Demo, _registry: &Registry) -> Result<Outcome, CommandError> {
    let rigs = demo.rigs;
    Err(CommandError::Failed(format!("this build has no sessions to serve {rigs} rigs with")))
}
