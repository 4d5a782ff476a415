//! What a session with a pool has been given.

use std::sync::Arc;

use super::UpstreamConfig;
use crate::dialect::Dialect;
use crate::habits::{HabitBook, Habits};

/// What the parts of a session look up, and none of them changes.
pub(super) struct Setup<D> {
    pub(super) dialect: Arc<D>,
    pub(super) config: UpstreamConfig,
    /// What is known of the pool, shared by all connections to it.
    pub(super) habits: HabitBook,
}

impl<D: Dialect> Setup<D> {
    pub(super) fn known(&self) -> Habits {
        self.habits.known()
    }
}
