//! What a config must ask of the dialects that it names.

use orepass_stratum::habits::Habits;
use thiserror::Error;

use super::options::{OptionError, OptionTable};

/// The dialects, by name.
pub trait Dialects {
    /// Their names.
    fn names(&self) -> Vec<&'static str>;

    /// Looks one up.
    ///
    /// # Errors
    /// A message with the nearest known name.
    fn find(&self, name: &str) -> Result<ReadOptions, UnknownDialect>;

    /// The options that any of them knows in `[route.options]`, and in `[route.pool.options]`.
    fn option_names(&self) -> [Vec<&'static str>; 2];
}

/// Reads a dialect's options of a route and of one of its pools, and gives what they say of the
/// pool's habits, or all that is wrong with them.
pub type ReadOptions = fn(&OptionTable, &OptionTable) -> Result<Habits, OptionError>;

/// A dialect that nobody registered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct UnknownDialect(pub(crate) String);
