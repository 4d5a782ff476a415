//! `orepass run`: serves the routes until told to stop.

use std::path::PathBuf;

use super::{CommandError, Outcome};
use crate::config::Config;
use crate::process::Process;
use crate::registry::Registry;
use crate::signals::Signals;
use crate::supervisor::Supervisor;

/// Serves every route of a config until a signal stops it. `file` is where the config was read.
///
/// # Errors
/// A [`CommandError`] when an address cannot be listened on.
pub async fn run(
    config: Config,
    file: Option<PathBuf>,
    registry: &Registry,
    process: &Process,
) -> Result<Outcome, CommandError> {
    let signals = Signals::install().map_err(CommandError::Start)?;
    Supervisor::start(config, file, registry, process)?.run(signals).await;
    Ok(Outcome::Success)
}
