//! Which sinks there are to be, by a config and by the program.

use std::fmt;
use std::sync::Arc;

use super::file::FileSink;
use super::sink::{Sink, Wants};
use super::webhook::Webhook;
use crate::config::{FileSinkConfig, NatsConfig, SinksConfig, WebhookConfig};

/// The most memory of records that wait for a program's own sink.
const MAX_WAITING: usize = 32 << 20;
/// The most memory of alerts that wait for a webhook.
const MAX_ALERTS_WAITING: usize = 1 << 20;

/// How many records are delivered at a time at most.
const BATCH: usize = 256;

/// Makes a sink.
type MakeSink = Arc<dyn Fn() -> Box<dyn Sink> + Send + Sync>;

/// A sink of a program's own: what it is called, what it wants, and how it is made.
#[derive(Clone)]
pub struct SinkEntry {
    /// What metrics and the log call it.
    pub name: &'static str,
    /// What it is given.
    pub wants: Wants,
    make: MakeSink,
}

impl SinkEntry {
    /// The sink of this name.
    pub fn new<S: Sink + 'static>(
        name: &'static str,
        wants: Wants,
        make: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self {
        Self { name, wants, make: Arc::new(move || Box::new(make())) }
    }
}

impl fmt::Debug for SinkEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, wants, .. } = self;
        f.debug_struct("SinkEntry")
            .field("name", name)
            .field("wants", wants)
            .finish_non_exhaustive()
    }
}

/// A sink that there is to be.
#[derive(Debug, Clone)]
pub(super) struct SinkSpec {
    pub(super) name: Arc<str>,
    pub(super) wants: Wants,
    /// The most bytes that may wait for it.
    pub(super) most: usize,
    /// How many records it is given at a time at most.
    pub(super) batch: usize,
    kind: SinkKind,
}

#[derive(Debug, Clone)]
enum SinkKind {
    File(FileSinkConfig),
    Webhook(WebhookConfig),
    Nats(NatsConfig),
    Own(SinkEntry),
}

impl SinkSpec {
    /// All of them.
    pub(super) fn all(config: &SinksConfig, own: &[SinkEntry]) -> Vec<Self> {
        let SinksConfig { files, webhooks, nats } = config;
        let spec = |name: &str, wants: &Wants, most, kind| Self {
            name: name.into(),
            wants: wants.clone(),
            most,
            // Each is a call, of which it is to be known whether it went well.
            batch: if matches!(kind, SinkKind::Webhook(_)) { 1 } else { BATCH },
            kind,
        };
        let files = files.iter().map(|file| {
            spec(file.name.as_str(), &file.wants, file.queue_bytes, SinkKind::File(file.clone()))
        });
        let webhooks = webhooks.iter().map(|webhook| {
            let (name, kind) = (webhook.name.as_str(), SinkKind::Webhook(webhook.clone()));
            spec(name, &webhook.wants, MAX_ALERTS_WAITING, kind)
        });
        let nats = nats.iter().map(|nats| {
            spec(nats.name.as_str(), &nats.wants, nats.queue_bytes, SinkKind::Nats(nats.clone()))
        });
        let own = own
            .iter()
            .map(|entry| spec(entry.name, &entry.wants, MAX_WAITING, SinkKind::Own(entry.clone())));
        files.chain(webhooks).chain(nats).chain(own).collect()
    }

    /// Whether one that is at work is as this one is to be.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (SinkKind::File(one), SinkKind::File(other)) => one == other,
            (SinkKind::Webhook(one), SinkKind::Webhook(other)) => one == other,
            (SinkKind::Nats(one), SinkKind::Nats(other)) => one == other,
            (SinkKind::Own(one), SinkKind::Own(other)) => Arc::ptr_eq(&one.make, &other.make),
            _ => false,
        }
    }

    /// Whether it holds what two processes cannot share.
    pub(super) const fn is_exclusive(&self) -> bool {
        match &self.kind {
            SinkKind::File(_) | SinkKind::Own(_) => true,
            SinkKind::Webhook(_) | SinkKind::Nats(_) => false,
        }
    }

    /// Makes it.
    pub(super) fn make(&self) -> Box<dyn Sink> {
        match &self.kind {
            SinkKind::File(config) => Box::new(FileSink::new(config.clone())),
            SinkKind::Webhook(config) => Box::new(Webhook::new(config.clone())),
            #[cfg(feature = "nats")]
            SinkKind::Nats(config) => Box::new(super::nats::NatsSink::new(config.clone())),
            // Such a config is refused when it is read.
            #[cfg(not(feature = "nats"))]
            SinkKind::Nats(_) => Box::new(NoSink),
            SinkKind::Own(entry) => (entry.make)(),
        }
    }
}

/// Delivers to nobody.
#[cfg(not(feature = "nats"))]
struct NoSink;

#[cfg(not(feature = "nats"))]
#[async_trait::async_trait]
impl Sink for NoSink {
    async fn deliver(
        &mut self,
        _: &[Arc<super::record::SinkRecord>],
    ) -> Result<(), super::sink::SinkError> {
        Err(super::sink::SinkError::refused("this build has no NATS"))
    }
}
