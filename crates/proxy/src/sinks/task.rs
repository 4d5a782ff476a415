//! The task of one sink: takes from its queue, delivers, and tries again what failed.

use std::sync::Arc;
use std::time::Duration;

use orepass_stratum::time::Instant;
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use super::queue::SinkQueue;
use super::record::SinkRecord;
use super::retry::SinkRetry;
use super::sink::{Sink, SinkError, SinkFailure};
use crate::clock::{now, sleep_until};
use crate::repeated_warnings::{Fold, nonzero};
use crate::watch::{self, Concern};

/// How often it is said of one sink that it fails.
const SAY_EVERY: Duration = Duration::from_secs(600);
/// At the end it is not waited for long before another try.
const LAST_TRIES_EVERY: Duration = Duration::from_millis(200);

/// What a sink's task is told.
#[derive(Debug)]
pub(super) enum SinkOrder {
    /// Another process takes over, or this one is the one again.
    HandOver(bool, oneshot::Sender<()>),
    /// To deliver what is there, until this instant at the latest, and end; what is left is lost.
    Finish(Instant),
    /// To end as soon as nothing is being delivered: another task takes over its queue.
    GiveUp,
}

/// A sink at work.
pub(super) struct SinkTask {
    queue: Arc<SinkQueue>,
    sink: Box<dyn Sink>,
    orders: mpsc::Receiver<SinkOrder>,
    retry: SinkRetry,
    said: Fold,
    said_refused: Fold,
    /// Being delivered.
    batch: Vec<Arc<SinkRecord>>,
    /// So many at most.
    most: usize,
    /// When it ends.
    until: Option<Instant>,
    gives_up: bool,
}

impl SinkTask {
    /// Delivers so many records at a time at most.
    pub(super) fn new(
        queue: Arc<SinkQueue>,
        sink: Box<dyn Sink>,
        orders: mpsc::Receiver<SinkOrder>,
        most: usize,
    ) -> Self {
        let (said, said_refused) = (Fold::new(SAY_EVERY), Fold::new(SAY_EVERY));
        let (retry, batch) = (SinkRetry::default(), Vec::new());
        let (until, gives_up) = (None, false);
        Self { queue, sink, orders, retry, said, said_refused, batch, most, until, gives_up }
    }

    /// Works until it is told to end.
    pub(super) async fn run(mut self) {
        while !self.gives_up {
            if self.batch.is_empty() && !self.fill().await {
                break;
            }
            if !self.batch.is_empty() && !self.deliver().await {
                break;
            }
        }
        watch::settle(Concern::SinkFailing, self.queue.name());
        if self.gives_up {
            self.queue.put_back(std::mem::take(&mut self.batch));
        } else {
            self.queue.settle(&self.batch, false);
            self.queue.clear();
            self.queue.say_last(now());
        }
    }

    /// Waits for records; false at the end.
    async fn fill(&mut self) -> bool {
        if self.until.is_some() {
            self.batch = self.queue.take_now(self.most);
            return !self.batch.is_empty();
        }
        tokio::select! {
            biased;
            order = self.orders.recv() => self.obey(order).await,
            batch = self.queue.take(self.most) => self.batch = batch,
        }
        true
    }

    async fn obey(&mut self, order: Option<SinkOrder>) {
        match order {
            Some(SinkOrder::HandOver(to_another, done)) => {
                self.sink.hand_over(to_another).await;
                // It may have waited long enough.
                let _ = done.send(());
            }
            Some(SinkOrder::Finish(until)) => self.until = Some(until),
            Some(SinkOrder::GiveUp) | None => self.gives_up = true,
        }
    }

    /// Delivers what it has taken, or waits until it may be tried again; false at the end.
    async fn deliver(&mut self) -> bool {
        let mut order = None;
        let mut until = self.until;
        let delivered = {
            let delivering = self.sink.deliver(&self.batch);
            tokio::pin!(delivering);
            loop {
                tokio::select! {
                    biased;
                    delivered = &mut delivering => break Some(delivered),
                    // It is told that its time is up also while it delivers.
                    given = self.orders.recv(), if order.is_none() => {
                        if let Some(SinkOrder::Finish(at)) = given {
                            until = Some(at);
                        }
                        order = Some(given);
                    }
                    () = sleep_until(until), if until.is_some() => break None,
                }
            }
        };
        let Some(delivered) = delivered else { return false };
        let again_at = self.settle(delivered);
        if let Some(order) = order {
            self.obey(order).await;
        }
        match again_at {
            Some(at) if !self.gives_up => self.wait(at).await,
            _ => true,
        }
    }

    /// What became of it; gives when the rest is to be tried again.
    fn settle(&mut self, delivered: Result<(), SinkError>) -> Option<Instant> {
        let Err(SinkError { delivered, failure, reason }) = delivered else {
            let all = std::mem::take(&mut self.batch);
            self.queue.settle(&all, true);
            self.went_well();
            return None;
        };
        let good: Vec<_> = self.batch.drain(..delivered.min(self.batch.len())).collect();
        self.queue.settle(&good, true);
        if !good.is_empty() {
            self.went_well();
        }
        let sink = &**self.queue.name();
        match failure {
            SinkFailure::Refused => {
                let refused: Vec<_> = self.batch.drain(..1.min(self.batch.len())).collect();
                self.queue.settle(&refused, false);
                if let Some(more) = self.said_refused.say(now()) {
                    let more_since_last = nonzero(more);
                    warn!(
                        event = "sink.refused",
                        sink,
                        more_since_last,
                        "the receiver of the sink {sink} does not take a record, which is lost: {reason}"
                    );
                }
                None
            }
            SinkFailure::Unavailable => {
                watch::raise(Concern::SinkFailing, sink, &*reason);
                if let Some(more) = self.said.say(now()) {
                    let more_since_last = nonzero(more);
                    warn!(
                        event = "sink.failed",
                        sink,
                        more_since_last,
                        "the sink {sink} cannot deliver: {reason}; it is tried again, and records wait \
                         as far as there is room"
                    );
                }
                Some(self.retry.failed(now(), fastrand::f64()))
            }
        }
    }

    fn went_well(&mut self) {
        if self.retry.went_well() {
            let sink = &**self.queue.name();
            watch::settle(Concern::SinkFailing, sink);
            info!(event = "sink.works", sink, "the sink {sink} delivers again");
        }
    }

    /// Waits until it may be tried again; false where there is no time for that any more.
    async fn wait(&mut self, at: Instant) -> bool {
        while !self.gives_up {
            let at = match self.until {
                Some(until) if now() >= until => return false,
                Some(until) => at.min(now() + LAST_TRIES_EVERY).min(until),
                None => at,
            };
            tokio::select! {
                biased;
                order = self.orders.recv(), if self.until.is_none() => self.obey(order).await,
                () = sleep_until(Some(at)) => return true,
            }
        }
        true
    }
}
