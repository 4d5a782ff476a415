//! The process at work: the only one that starts, changes and stops routes.
//!
//! What is asked for by a signal or through the control socket is done one after the other.

mod stopping;
mod taking_over;
mod upgrading;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use crate::commands::CommandError;
use crate::config::{Config, RouteConfig};
use crate::listeners::Listeners;
use crate::process::Process;
use crate::registry::Registry;
use crate::running::RunningRoute;
use crate::signals::{Signal, Signals};
use crate::store::Store;
use crate::systemd::{self, ServiceManager};

pub(crate) use self::stopping::stop;
use self::upgrading::Upgraded;

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
    pub(crate) manager: ServiceManager,
    /// While this is there, extranonces of the process before this one are held.
    held: Option<Arc<()>>,
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
        let mut supervisor = Self::bind(config, file, registry, process, systemd::sockets())?;
        let state = supervisor.config.state.as_deref();
        let memory = state.map_or_else(Store::fleeting, Store::open);
        supervisor.begin(memory)?;
        supervisor.accept();
        Ok(supervisor)
    }

    /// Binds all addresses but those of these sockets, which are bound.
    fn bind(
        config: Config,
        file: Option<PathBuf>,
        registry: &'a Registry,
        process: &'a Process,
        bound: Vec<TcpListener>,
    ) -> Result<Self, CommandError> {
        let mut listeners = Listeners::default();
        for socket in bound {
            if let Err(socket) = listeners.adopt(&config.routes, socket)
                && let Ok(address) = socket.local_addr()
            {
                warn!(event = "listen.unwanted", %address, "no route listens on {address}: closed");
            }
        }
        for route in &config.routes {
            for &address in &route.listen {
                let bind = |error| CommandError::Bind { address: address.get(), error };
                listeners.open(route, address).map_err(bind)?;
            }
        }
        let (memory, routes) = (Store::fleeting(), Vec::new());
        let manager = ServiceManager::from_env();
        Ok(Self { config, file, registry, process, memory, listeners, routes, manager, held: None })
    }

    /// Starts the routes, which accept nothing yet.
    fn begin(&mut self, memory: Store) -> Result<(), CommandError> {
        self.memory = memory;
        for route in self.config.routes.clone() {
            self.start_route(&route)?;
        }
        Ok(())
    }

    /// All routes accept.
    fn accept(&self) {
        for config in &self.config.routes {
            if let Some(route) =
                self.routes.iter().find(|route| route.name() == config.name.as_str())
            {
                self.accept_at(config, route);
            }
        }
    }

    fn accept_at(&self, config: &RouteConfig, route: &Arc<dyn RunningRoute>) {
        for &address in &config.listen {
            let socket = self.listeners.socket(config, address);
            let bound = socket.and_then(|socket| Ok((socket.local_addr()?, socket)));
            match bound {
                Ok((bound, socket)) => {
                    info!(
                        event = "route.up", route = %config.name, dialect = route.dialect(),
                        listen = %bound, pool = %config.pools[0].name, "rigs may connect"
                    );
                    Arc::clone(route).listen(address, socket);
                }
                Err(error) => {
                    let route = route.name();
                    warn!(event = "listen.failed", route, %error, "cannot take connections");
                }
            }
        }
    }

    /// No route accepts; the sockets stay open.
    fn stop_accepting(&self) {
        for (config, route) in self.config.routes.iter().flat_map(|config| {
            let route = self.routes.iter().find(|route| route.name() == config.name.as_str());
            route.map(|route| (config, route))
        }) {
            config.listen.iter().for_each(|address| route.unlisten(address));
        }
    }

    /// Serves until it is told to stop.
    pub async fn run(mut self, mut signals: Signals) {
        let (_asks, mut requests) = mpsc::channel(MAX_REQUESTS);
        self.manager.ready(self.process.workers.clone());
        let signal = loop {
            self.manager.watch(&self.routes);
            tokio::select! {
                biased;
                signal = signals.next() => match signal {
                    Signal::Stop(name) => break name,
                    Signal::Reload => self.notified_reload(),
                    Signal::ReopenLogs => reopen_logs(),
                    Signal::Upgrade => match self.upgrade(None, &mut signals, &mut requests).await {
                        Upgraded::No => {}
                        Upgraded::Stop(name) => break name,
                        Upgraded::Yes => return self.leave(&mut signals).await,
                    },
                },
                Some(request) = requests.recv() => match request {
                    Request::Reload(_answer) => self.notified_reload(),
                    Request::Upgrade(answer) => {
                        match self.upgrade(Some(answer), &mut signals, &mut requests).await {
                            Upgraded::No => {}
                            Upgraded::Stop(name) => break name,
                            Upgraded::Yes => return self.leave(&mut signals).await,
                        }
                    }
                },
            }
        };
        self.stop(signal, &mut signals).await;
    }

    /// Has the service manager wait for it too.
    fn notified_reload(&mut self) {
        self.manager.reloading();
        self.reload();
        self.manager.reloaded();
    }

    /// Reads the config again, and changes what is different.
    fn reload(&mut self) {
        let file = self.file.as_deref().map(|file| file.display().to_string());
        warn!(event = "reload", file, routes = self.config.routes.len(), "not built yet");
    }

    fn start_route(&mut self, config: &RouteConfig) -> Result<(), CommandError> {
        let entry = self
            .registry
            .get(&config.dialect)
            .map_err(|unknown| CommandError::Failed(unknown.to_string()))?;
        let memory = self.memory.route(config.name.as_str());
        let route = (entry.start)(config, memory, self.process.clone(), Vec::new())
            .map_err(|error| self.config.source().error(error.into_problems()))?;
        self.routes.push(route);
        Ok(())
    }
}

fn reopen_logs() {
    warn!(event = "log.reopen", "not built yet");
}
