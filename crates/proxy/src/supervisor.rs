//! The process at work: the only one that starts, changes and stops routes.
//!
//! What is asked for by a signal or through the control socket is done one after the other.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::commands::CommandError;
use crate::config::{Config, RouteConfig};
use crate::listeners::Listeners;
use crate::process::Process;
use crate::registry::Registry;
use crate::running::RunningRoute;
use crate::signals::{Signal, Signals};
use crate::store::Store;

/// How many requests may wait; whoever comes then is told that it is busy.
const MAX_REQUESTS: usize = 4;

/// Something that is asked of the process from outside. Whoever asks may be gone before it is
/// answered, and it is done all the same.
#[derive(Debug)]
pub enum Request {
    /// To read the config again.
    Reload(oneshot::Sender<Result<Vec<String>, String>>),
    /// To hand over to a new process.
    Upgrade(oneshot::Sender<Result<u32, String>>),
}

/// The process at work.
pub struct Supervisor<'a> {
    /// What is at work.
    pub(crate) config: Config,
    /// Where that was read, unless it came with the command line.
    pub(crate) file: Option<PathBuf>,
    pub(crate) registry: &'a Registry,
    pub(crate) process: &'a Process,
    pub(crate) memory: Store,
    pub(crate) listeners: Listeners,
    pub(crate) routes: Vec<Arc<dyn RunningRoute>>,
}

impl<'a> Supervisor<'a> {
    /// Binds all addresses before any pool is bothered, and starts the routes.
    ///
    /// # Errors
    /// A [`CommandError`] when an address cannot be listened on.
    pub fn start(
        config: Config,
        file: Option<PathBuf>,
        registry: &'a Registry,
        process: &'a Process,
    ) -> Result<Self, CommandError> {
        let mut listeners = Listeners::default();
        for route in &config.routes {
            for &address in &route.listen {
                let bind = |error| CommandError::Bind { address: address.get(), error };
                listeners.open(route, address).map_err(bind)?;
            }
        }
        let memory = config.state.as_deref().map_or_else(Store::fleeting, Store::open);
        let mut supervisor =
            Self { config, file, registry, process, memory, listeners, routes: Vec::new() };
        for route in supervisor.config.routes.clone() {
            supervisor.start_route(&route)?;
        }
        Ok(supervisor)
    }

    /// Serves until it is told to stop.
    pub async fn run(mut self, mut signals: Signals) {
        let (_asks, mut requests) = mpsc::channel(MAX_REQUESTS);
        let signal = loop {
            tokio::select! {
                biased;
                signal = signals.next() => match signal {
                    Signal::Stop(name) => break name,
                    Signal::Reload => self.reload(),
                    Signal::ReopenLogs => reopen_logs(),
                    Signal::Upgrade => self.upgrade(),
                },
                Some(request) = requests.recv() => match request {
                    Request::Reload(_answer) => self.reload(),
                    Request::Upgrade(_answer) => self.upgrade(),
                },
            }
        };
        self.stop(signal, &mut signals).await;
    }

    /// Stops all routes; a second signal ends that.
    async fn stop(self, signal: &str, signals: &mut Signals) {
        info!(event = "stopping", signal, "stopping; a second signal stops at once");
        let hurried = tokio::select! {
            () = stop(&self.routes) => None,
            signal = signals.stop() => Some(signal),
        };
        self.memory.close().await;
        match hurried {
            None => info!(event = "stopped", "stopped"),
            Some(signal) => warn!(event = "stopped", signal, "stopped at once"),
        }
    }

    /// Reads the config again, and changes what is different.
    fn reload(&mut self) {
        let file = self.file.as_deref().map(|file| file.display().to_string());
        warn!(event = "reload", file, routes = self.config.routes.len(), "not built yet");
    }

    /// Hands over to a new process.
    fn upgrade(&mut self) {
        let sockets = self.listeners.iter().count();
        warn!(event = "upgrade", sockets, "not built yet");
    }

    fn start_route(&mut self, config: &RouteConfig) -> Result<(), CommandError> {
        let entry = self
            .registry
            .get(&config.dialect)
            .map_err(|unknown| CommandError::Failed(unknown.to_string()))?;
        let memory = self.memory.route(config.name.as_str());
        let route = (entry.start)(config, memory, self.process.clone(), Vec::new())
            .map_err(|error| self.config.source().error(error.into_problems()))?;
        for &address in &config.listen {
            let bind = |error| CommandError::Bind { address: address.get(), error };
            let socket = self.listeners.socket(config, address).map_err(bind)?;
            let bound = socket.local_addr().map_err(bind)?;
            info!(
                event = "route.up", route = %config.name, dialect = entry.name, listen = %bound,
                pool = %config.pools[0].name, "rigs may connect"
            );
            Arc::clone(&route).listen(address, socket);
        }
        self.routes.push(route);
        Ok(())
    }
}

fn reopen_logs() {
    warn!(event = "log.reopen", "not built yet");
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
