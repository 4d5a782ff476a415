//! What there is to see of the farm while it works, for whoever looks: rates, pools, workers, rigs.
//!
//! Those who do the work count what they do and wait for nobody. A task of each route looks at its books
//! every few seconds and works out rates and norms; everybody else reads what that has left.

pub mod chronicle;
mod concern;
mod diagnostics;
mod findings;
mod route;
mod state;
pub mod views;
mod worker;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orepass_stratum::time::Instant;

use crate::books::MeteredBook;
use crate::histogram::Counts;
use crate::history::{HistoryPart, SeriesKey, WorkerSeen};
use crate::rig::roster::OnlineRig;
use crate::running::RunningRoute;
pub use concern::{Concern, Severity};
pub use diagnostics::{DiagnosticView, Diagnostics, Finding, is_raised, raise, settle};
pub use state::WorkerState;
use views::{RigView, RouteView, WorkerView};
pub use worker::{WatchedWorker, WorkerFacts};

/// How often books are looked at.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What can be seen of a route, whatever its dialect.
pub trait Watched: Send + Sync {
    /// Looks at its books, some time after the last look.
    fn look(&self, since: Duration, now: Instant);
    /// What it is like as a whole.
    fn view(&self) -> RouteView;
    /// Its workers, in no order: those with rigs, and those that had some as far as they are known.
    fn workers(&self) -> Vec<WatchedWorker>;
    /// The worker of this name.
    fn worker(&self, name: &str) -> Option<WatchedWorker>;
    /// What is shown of a worker of it.
    fn worker_view(&self, worker: &WatchedWorker) -> WorkerView;
    /// What is shown of a rig of it.
    fn rig_view(&self, rig: &OnlineRig) -> RigView;
    /// The books of its pools, by name, with those of pools that have left it.
    fn pool_books(&self) -> Vec<(String, Arc<MeteredBook>)>;
    /// Its own book.
    fn book(&self) -> &Arc<MeteredBook>;
    /// What was added to its books and those of its pools and workers since this was last asked.
    fn minutes(&self) -> Vec<(SeriesKey, HistoryPart)>;
    /// What is known of its workers, as far as they have mined.
    fn seen(&self) -> Vec<(Arc<str>, WorkerSeen)>;
    /// A worker mined in an earlier run.
    fn recall(&self, worker: &Arc<str>, seen: WorkerSeen);
    /// What of it needs somebody now.
    fn findings(&self) -> Vec<Finding>;
    /// How many of its workers are in which state.
    fn worker_states(&self) -> [(WorkerState, usize); 4];
    /// How long reading and checking a share takes.
    fn share_check(&self) -> Counts;
    /// How long a job takes from the pool's notify to a rig's.
    fn job_fanout(&self) -> Counts;
    /// How long each pool takes for its verdicts, by its name.
    fn share_latency(&self) -> Vec<(String, Counts)>;
    /// How often rigs were moved: from, to, count.
    fn switches(&self) -> Vec<(String, String, u64)>;
}

/// The routes at work, for those who look.
#[derive(Clone, Default)]
pub struct AtWork(Arc<Mutex<RoutesAtWork>>);

/// Routes at one moment.
type RoutesAtWork = Arc<[Arc<dyn RunningRoute>]>;

impl AtWork {
    /// These are at work from now on.
    pub fn set(&self, routes: impl IntoIterator<Item = Arc<dyn RunningRoute>>) {
        let routes = routes.into_iter().collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = routes;
    }

    /// The routes, in the config's order, then those that end.
    #[must_use]
    pub fn routes(&self) -> Arc<[Arc<dyn RunningRoute>]> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The route of this name. One that ends has given its name away.
    #[must_use]
    pub fn route(&self, name: &str) -> Option<Arc<dyn RunningRoute>> {
        self.routes().iter().find(|route| route.name() == name).cloned()
    }
}

impl std::fmt::Debug for AtWork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.routes().iter().map(|route| route.name().to_owned())).finish()
    }
}
