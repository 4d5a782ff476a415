//! Where all comes together that sinks may want but minutes: it makes records and puts them into queues.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::Sinks;
use super::alerts::Alerts;
use super::record::RecordBody;
use super::sink::{WantedAlerts, Wants};
use super::tap::ToldShare;
use crate::clock::{now, unix_millis};
use crate::telemetry::events::{self, EventFilter, KeptEvent};
use crate::watch::Diagnostics;

/// How often it is looked what needs somebody, and said what was dropped.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// So many shares are moved at a time.
const MOST_SHARES: usize = 256;

pub(super) struct Hub {
    pub(super) sinks: Sinks,
    pub(super) diagnostics: Diagnostics,
    pub(super) shares: Receiver<ToldShare>,
    alerts: Alerts,
    /// The number of the last event that was heard.
    heard: u64,
}

impl Hub {
    pub(super) fn new(sinks: Sinks, diagnostics: Diagnostics, shares: Receiver<ToldShare>) -> Self {
        Self { sinks, diagnostics, shares, alerts: Alerts::default(), heard: 0 }
    }

    /// Works until it is told to end, and moves on what has come by then.
    pub(super) async fn run(mut self, ending: CancellationToken) {
        let mut live = events::subscribe();
        // What was logged before this began.
        for event in events::recent(&EventFilter::default(), usize::MAX) {
            self.hear(event);
        }
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut shares = Vec::with_capacity(MOST_SHARES);
        loop {
            tokio::select! {
                () = ending.cancelled() => break,
                _ = self.shares.recv_many(&mut shares, MOST_SHARES) => self.move_on(&mut shares),
                event = live.recv() => match event {
                    Ok(event) => self.hear(event),
                    Err(RecvError::Lagged(missed)) => self.missed(missed, |wants| wants.events),
                    // It lives as long as the process.
                    Err(RecvError::Closed) => break,
                },
                _ = ticks.tick() => self.look(),
            }
        }
        while let Ok(share) = self.shares.try_recv() {
            shares.push(share);
        }
        self.move_on(&mut shares);
        while let Ok(event) = live.try_recv() {
            self.hear(event);
        }
        self.count_missed_shares();
    }

    fn move_on(&self, shares: &mut Vec<ToldShare>) {
        for (at_ms, share) in shares.drain(..) {
            self.sinks.offer(at_ms, RecordBody::Share(share));
        }
    }

    fn hear(&mut self, event: Arc<KeptEvent>) {
        if event.sequence <= self.heard {
            return;
        }
        self.heard = event.sequence;
        if let Some(alert) = self.alerts.hear(&event, now()) {
            self.sinks.offer(event.at_ms, RecordBody::Alert(alert.into()));
        }
        self.sinks.offer(event.at_ms, RecordBody::Event(event));
    }

    fn look(&mut self) {
        let feeds = self.sinks.feeds();
        if self.sinks.0.is_leaving.load(Ordering::Relaxed) {
            // Nobody is told, and what was told before is not over.
        } else if feeds.iter().any(|feed| feed.wants.alerts != WantedAlerts::None) {
            for alert in self.alerts.see(self.diagnostics.all(), now()) {
                self.sinks.offer(unix_millis(), RecordBody::Alert(alert.into()));
            }
        } else {
            // Whoever wants them later is told what needs somebody then.
            self.alerts = Alerts::default();
        }
        self.count_missed_shares();
        feeds.iter().for_each(|feed| feed.queue.say_dropped(now()));
    }

    fn count_missed_shares(&self) {
        self.missed(self.sinks.tap().take_dropped(), |wants| wants.shares);
    }

    /// So many never came here.
    fn missed(&self, count: u64, whose: fn(&Wants) -> bool) {
        let feeds = self.sinks.feeds();
        for feed in feeds.iter().filter(|feed| count > 0 && whose(&feed.wants)) {
            feed.queue.drop_more(count);
        }
    }
}
