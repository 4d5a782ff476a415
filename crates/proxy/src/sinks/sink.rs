//! What a sink is: the trait, what it wants, and how it fails.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use thiserror::Error;

use super::record::{RecordBody, SinkRecord};

/// Where records go. Implement it for a receiver of your own, and add it by
/// [`Registry::with_sink`](crate::registry::Registry::with_sink).
///
/// A sink has a task of its own and a bounded queue in front of it. It may take as long as it likes:
/// that costs what finds no room in its queue, which is counted and said, and nothing else.
#[async_trait]
pub trait Sink: Send {
    /// Delivers records, in their order: at least one. What is not delivered is given again, after a
    /// while that grows from a second to a minute.
    ///
    /// It is not called again before it has returned. At the end of the program it may be dropped where it
    /// waits.
    ///
    /// # Errors
    /// A [`SinkError`], which says how many of them were delivered before.
    async fn deliver(&mut self, records: &[Arc<SinkRecord>]) -> Result<(), SinkError>;

    /// Another process of the program takes over what this one has, which goes on for a while and has more
    /// to deliver: until it returns, the other one waits. False when it is this one's again.
    ///
    /// Only who holds something that two processes cannot share needs to know.
    async fn hand_over(&mut self, _to_another: bool) {}
}

/// Why records were not delivered.
#[derive(Debug, Error)]
#[error("{reason}")]
pub struct SinkError {
    /// How many of them were delivered all the same: those up to the one that was not.
    pub delivered: usize,
    /// Whether that one should be tried again.
    pub failure: SinkFailure,
    /// Why, in words for the operator.
    pub reason: String,
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinkFailure {
    /// The receiver's, or that of the way to it: it is tried again.
    Unavailable,
    /// The receiver will never take this record, as the operator has set things up: it is dropped.
    Refused,
}

impl SinkError {
    /// The receiver, or the way to it, does not work at present.
    #[must_use]
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self { delivered: 0, failure: SinkFailure::Unavailable, reason: reason.into() }
    }

    /// The receiver does not take the record.
    #[must_use]
    pub fn refused(reason: impl Into<String>) -> Self {
        Self { delivered: 0, failure: SinkFailure::Refused, reason: reason.into() }
    }

    /// The same after so many that were delivered.
    #[must_use]
    pub fn after(self, delivered: usize) -> Self {
        Self { delivered, ..self }
    }
}

/// Which records a sink wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wants {
    /// Events of the log.
    pub events: bool,
    /// What became of each worker's shares, minute by minute.
    pub minutes: bool,
    /// Each share. No share is told to anybody while no sink wants them.
    pub shares: bool,
    /// Alerts.
    pub alerts: WantedAlerts,
}

/// Which alerts a sink wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WantedAlerts {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// Those with these codes.
    Of(BTreeSet<&'static str>),
}

impl Wants {
    /// Whether it wants a record.
    #[must_use]
    pub fn has(&self, record: &SinkRecord) -> bool {
        match &record.body {
            RecordBody::Event(_) => self.events,
            RecordBody::WorkerMinute(_) => self.minutes,
            RecordBody::Share(_) => self.shares,
            RecordBody::Alert(alert) => match &self.alerts {
                WantedAlerts::None => false,
                WantedAlerts::All => true,
                WantedAlerts::Of(codes) => codes.contains(alert.code),
            },
        }
    }
}
