//! The process at work: the only one that starts, changes and stops routes.
//!
//! What is asked for by a signal or through the control socket is done one after the other.

mod reload;

use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::commands::CommandError;
use crate::config::{Config, Name, RouteConfig};
use crate::control::{Asks, Changed, ControlSocket, RouteStatus, Status};
use crate::listeners::Listeners;
use crate::process::Process;
use crate::registry::Registry;
use crate::running::{PreparedRoute, RunningRoute};
use crate::signals::{Signal, Signals};
use crate::store::Store;
use crate::telemetry;
pub use reload::Refusal;
use reload::{Asker, Loading};

/// How many requests may wait; whoever comes then is told that it is busy.
const MAX_REQUESTS: usize = 4;

/// Something that is asked of the process from outside. Whoever asks may be gone before it is
/// answered, and it is done all the same.
#[derive(Debug)]
pub enum Request {
    /// To read the config again.
    Reload(oneshot::Sender<Result<Changed, Refusal>>),
    /// To hand over to a new process, whose id is the answer.
    Upgrade(oneshot::Sender<Result<u32, String>>),
    /// To say what is at work.
    Status(oneshot::Sender<Status>),
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
    /// In the config's order.
    pub(crate) routes: Vec<Arc<dyn RunningRoute>>,
    /// Routes that the config has no more, each until its rigs have gone.
    pub(crate) draining: Vec<Arc<dyn RunningRoute>>,
    drains: JoinSet<Arc<dyn RunningRoute>>,
    /// A config that is being read, and for whom.
    loading: Option<Loading>,
    reloads: u64,
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
        let mut supervisor = Self {
            config,
            file,
            registry,
            process,
            memory,
            listeners,
            routes: Vec::new(),
            draining: Vec::new(),
            drains: JoinSet::new(),
            loading: None,
            reloads: 0,
        };
        for route in supervisor.config.routes.clone() {
            let prepared = supervisor.prepare(&route)?;
            let started = supervisor.start_route(&route, prepared);
            supervisor.routes.push(started);
        }
        Ok(supervisor)
    }

    /// Serves until it is told to stop.
    pub async fn run(mut self, mut signals: Signals) {
        let (asks, mut requests) = mpsc::channel(MAX_REQUESTS);
        let control = self.open_control(&asks);
        let signal = loop {
            tokio::select! {
                biased;
                signal = signals.next() => match signal {
                    Signal::Stop(name) => break name,
                    Signal::Reload => self.load(Asker::Signal),
                    Signal::ReopenLogs => telemetry::reopen(),
                    Signal::Upgrade => match self.upgrade() {
                        Ok(pid) => info!(event = "upgraded", pid, "process {pid} serves now"),
                        Err(why) => warn!(event = "upgrade.refused", "{why}"),
                    },
                },
                config = loaded(&mut self.loading) => self.reload(config),
                Some(drained) = self.drains.join_next() => if let Ok(drained) = drained {
                    self.draining.retain(|route| !Arc::ptr_eq(route, &drained));
                },
                Some(request) = requests.recv() => match request {
                    Request::Reload(answer) => self.load(Asker::Request(answer)),
                    Request::Upgrade(answer) => {
                        let _ = answer.send(self.upgrade());
                    }
                    Request::Status(answer) => {
                        let _ = answer.send(self.status());
                    }
                },
            }
        };
        drop((control, requests));
        self.stop(signal, &mut signals).await;
    }

    /// Stops all routes; a second signal ends that.
    async fn stop(mut self, signal: &str, signals: &mut Signals) {
        info!(event = "stopping", signal, "stopping; a second signal stops at once");
        let stopped = async {
            stop(&self.routes).await;
            while self.drains.join_next().await.is_some() {}
        };
        let hurried = tokio::select! {
            () = stopped => None,
            signal = signals.stop() => Some(signal),
        };
        self.memory.close().await;
        match hurried {
            None => info!(event = "stopped", "stopped"),
            Some(signal) => warn!(event = "stopped", signal, "stopped at once"),
        }
    }

    /// Answers at the socket that the config names. Without it rigs are served all the same.
    fn open_control(&self, asks: &Asks) -> Option<ControlSocket> {
        let path = self.config.control.as_deref()?;
        match ControlSocket::open(path, asks.clone()) {
            Ok(socket) => {
                info!(event = "control.up", socket = %path.display(), "`orepass ctl` may ask");
                Some(socket)
            }
            Err(error) => {
                warn!(
                    event = "control.failed", socket = %path.display(), %error,
                    "`orepass ctl` cannot ask; signals can"
                );
                None
            }
        }
    }

    /// Hands over to a new process.
    fn upgrade(&mut self) -> Result<u32, String> {
        let sockets = self.listeners.iter().count();
        Err(format!("this version cannot hand its {sockets} sockets over; start it anew"))
    }

    fn status(&self) -> Status {
        let of = |route: &Arc<dyn RunningRoute>| RouteStatus {
            name: route.name().to_owned(),
            dialect: route.dialect().to_owned(),
            rigs: route.roster().online(),
            channels: route.live_channels(),
            shares: route.totals().sent,
        };
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            config: self.file.as_ref().map(|file| file.display().to_string()),
            reloads: self.reloads,
            routes: self.routes.iter().map(of).collect(),
            draining: self.draining.iter().map(of).collect(),
        }
    }

    /// Makes all of a route that can fail.
    fn prepare(&self, config: &RouteConfig) -> Result<Box<dyn PreparedRoute>, CommandError> {
        let entry = self
            .registry
            .get(&config.dialect)
            .map_err(|unknown| CommandError::Failed(unknown.to_string()))?;
        let prepared = (entry.prepare)(config);
        Ok(prepared.map_err(|error| self.config.source().error(error.into_problems()))?)
    }

    /// Starts a route on its sockets, which are bound.
    fn start_route(
        &self,
        config: &RouteConfig,
        prepared: Box<dyn PreparedRoute>,
    ) -> Arc<dyn RunningRoute> {
        let memory = self.memory.route(config.name.as_str());
        let route = prepared.start(memory, self.process.clone(), Vec::new());
        self.listen(&route, config, &config.listen);
        route
    }

    /// Has a route accept on sockets, which are bound.
    fn listen(
        &self,
        route: &Arc<dyn RunningRoute>,
        config: &RouteConfig,
        listen: &[crate::config::ListenAddr],
    ) {
        for &address in listen {
            let socket = match self.listeners.socket(config, address) {
                Ok(socket) => socket,
                // For want of files: a socket that is bound can be shared otherwise.
                Err(error) => {
                    let (route, listen) = (route.name(), address.to_string());
                    warn!(event = "listen.failed", route, listen, %error, "cannot take connections");
                    continue;
                }
            };
            let bound = socket.local_addr().unwrap_or(address.get());
            info!(
                event = "route.up", route = %config.name, dialect = route.dialect(),
                listen = %bound, pool = %config.pools[0].name, "rigs may connect"
            );
            Arc::clone(route).listen(address, socket);
        }
    }

    /// A route ends: its rigs get their verdicts, and go.
    fn drain(&mut self, route: Arc<dyn RunningRoute>) {
        self.draining.push(Arc::clone(&route));
        self.drains.spawn(async move {
            route.stop().await;
            route
        });
    }

    fn route(&self, name: &Name) -> Option<&Arc<dyn RunningRoute>> {
        self.routes.iter().find(|route| route.name() == name.as_str())
    }
}

/// The config that is being read, once it is; never where none is.
async fn loaded(loading: &mut Option<Loading>) -> reload::Loaded {
    match loading {
        Some(loading) => loading.finished().await,
        None => pending().await,
    }
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
