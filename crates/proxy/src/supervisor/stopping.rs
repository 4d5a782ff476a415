//! The end: rigs leave in turn, then everything else stops.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tracing::{info, warn};

use super::Supervisor;
use crate::route::DRAIN_FOR;
use crate::running::RunningRoute;
use crate::signals::Signals;
use crate::watch::chronicle;

/// How much longer than all that is waited for the end may take.
const SPARE: Duration = Duration::from_secs(10);

impl Supervisor<'_> {
    /// Takes no more rigs, lets those that are there leave in turn, and stops all routes; a second
    /// signal ends that.
    pub(super) async fn stop(mut self, signal: &str, signals: &mut Signals) {
        let over = self.config.drain_for;
        self.manager.stopping(over + DRAIN_FOR + SPARE);
        info!(
            event = "stopping",
            signal, "stopping: rigs leave in turn within {over:?}; a second signal stops at once"
        );
        self.process.sinks.set_leaving(true);
        self.stop_accepting();
        // Rigs are refused, and go elsewhere; unless somebody else has the socket too.
        self.listeners = Default::default();
        let ending = async {
            // What comes later is lost if the end is cut short, and no more.
            self.save().await;
            self.memory.flush().await;
            empty(&self.routes, over).await;
            stop(&self.routes).await;
            while self.drains.join_next().await.is_some() {}
        };
        let hurried = tokio::select! {
            () = ending => None,
            signal = signals.stop() => Some(signal),
        };
        chronicle::note(&self.at_work, &self.history, &self.process.sinks).await;
        if let Some(sinks) = self.sinks.take() {
            sinks.finish().await;
        }
        self.history.close().await;
        self.memory.close().await;
        said(hurried);
    }

    /// Stops all routes, whose rigs have left: another process serves.
    pub(super) async fn leave(mut self, signals: &mut Signals) {
        let stopped = async {
            stop(&self.routes).await;
            while self.drains.join_next().await.is_some() {}
        };
        let hurried = tokio::select! {
            () = stopped => None,
            signal = signals.stop() => Some(signal),
        };
        // What came since the new one serves; the history is that one's.
        chronicle::note(&self.at_work, &self.history, &self.process.sinks).await;
        if let Some(sinks) = self.sinks.take() {
            sinks.finish().await;
        }
        said(hurried);
    }

    /// Has the state of all rigs noted.
    pub(super) async fn save(&self) {
        let mut saving = JoinSet::new();
        for route in self.routes.clone() {
            saving.spawn(async move { route.save().await });
        }
        if saving.join_all().await.contains(&false) {
            warn!(event = "state.unwritten", "some rigs' state could not be noted in time");
        }
    }
}

fn said(hurried: Option<&str>) {
    match hurried {
        None => info!(event = "stopped", "stopped"),
        Some(signal) => warn!(event = "stopped", signal, "stopped at once"),
    }
}

/// Lets the rigs of all routes leave in turn; those whose turn has not come when this is dropped stay.
pub(super) async fn empty(routes: &[Arc<dyn RunningRoute>], over: Duration) {
    let mut emptying = JoinSet::new();
    for route in routes {
        let route = Arc::clone(route);
        emptying.spawn(async move { route.empty(over).await });
    }
    emptying.join_all().await;
}

/// Stops all routes at the same time.
pub(crate) async fn stop(routes: &[Arc<dyn RunningRoute>]) {
    let mut stopping = JoinSet::new();
    for route in routes {
        let route = Arc::clone(route);
        stopping.spawn(async move { route.stop().await });
    }
    stopping.join_all().await;
}
