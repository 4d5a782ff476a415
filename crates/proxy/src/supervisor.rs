//! The process at work: the only one that starts, changes and stops routes.
//!
//! What is asked for by a signal or through the control socket is done one after the other.

mod reload;
mod served;
mod serving_api;
mod stopping;
mod taking_over;
mod upgrading;

use std::collections::BTreeSet;
use std::future::pending;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::api::{Api, ApiServer, ReloadChanges, RouteStatus, Status};
use crate::commands::CommandError;
use crate::config::{Config, ListenAddr, Name, RouteConfig, Source};
use crate::control::ControlSocket;
use crate::history::History;
use crate::limits::OpenFiles;
use crate::listeners::Listeners;
use crate::process::Process;
use crate::registry::Registry;
use crate::running::{PreparedRoute, RunningRoute};
use crate::signals::{Signal, Signals};
use crate::sinks::SinkRunner;
use crate::store::Store;
use crate::systemd::{self, ServiceManager};
use crate::telemetry;
use crate::watch::{AtWork, Diagnostics, chronicle};
pub use reload::ReloadRefusal;
use reload::{Asker, Loading};
pub(crate) use stopping::stop;
use upgrading::UpgradeEnd;

/// How many requests may wait; whoever comes then is told that it is busy.
const MAX_REQUESTS: usize = 4;

/// Something that is asked of the process from outside. Whoever asks may be gone before it is
/// answered, and it is done all the same.
#[derive(Debug)]
pub enum ControlRequest {
    /// To read the config again.
    Reload(oneshot::Sender<Result<ReloadChanges, ReloadRefusal>>),
    /// To hand over to a new process, whose id is the answer.
    Upgrade(oneshot::Sender<Result<u32, String>>),
    /// To say what is at work.
    Status(oneshot::Sender<Status>),
    /// To show the config in force, without its secrets.
    Config(oneshot::Sender<serde_json::Value>),
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
    pub(crate) history: History,
    pub(crate) listeners: Listeners,
    /// In the config's order.
    pub(crate) routes: Vec<Arc<dyn RunningRoute>>,
    /// Routes that the config has no more, each until its rigs have gone.
    pub(crate) draining: Vec<Arc<dyn RunningRoute>>,
    /// Both, for those who look.
    pub(crate) at_work: AtWork,
    pub(crate) diagnostics: Diagnostics,
    /// From when it serves until it ends.
    sinks: Option<SinkRunner>,
    /// The API at its TCP address, while it answers there.
    api: Option<ApiServer>,
    drains: JoinSet<Arc<dyn RunningRoute>>,
    /// A config that is being read, and for whom.
    loading: Option<Loading>,
    /// Routes at work that a fault kept from taking all of their config.
    broken: BTreeSet<Name>,
    manager: ServiceManager,
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
            let adopted = listeners.adopt(&config.routes, socket);
            let adopted = adopted.or_else(|socket| match config.api.listen.address() {
                Some(address) => listeners.adopt_api(address, socket),
                None => Err(socket),
            });
            if let Err(socket) = adopted
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
        serving_api::bind(&mut listeners, config.api.listen)?;
        process.admission.set_wishes(config.limits);
        Ok(Self {
            config,
            file,
            registry,
            process,
            memory: Store::fleeting(),
            history: History::off(),
            listeners,
            routes: Vec::new(),
            draining: Vec::new(),
            at_work: AtWork::default(),
            diagnostics: Diagnostics::default(),
            sinks: None,
            api: None,
            drains: JoinSet::new(),
            loading: None,
            broken: BTreeSet::new(),
            manager: ServiceManager::from_env(),
            held: None,
        })
    }

    /// Starts the routes, which accept nothing yet.
    fn begin(&mut self, memory: Store) -> Result<(), CommandError> {
        self.memory = memory;
        for route in &self.config.routes {
            let prepared = self.prepare(route, self.config.source())?;
            self.routes.push(self.start_deaf(route, prepared));
        }
        self.memory.all_started();
        self.history = match self.config.history.kept() {
            Some((file, max_mib)) => History::open(file, max_mib),
            None => History::off(),
        };
        self.at_work.set(self.routes.iter().cloned());
        chronicle::recall(&self.at_work, &self.history);
        Ok(())
    }

    /// All routes accept.
    fn accept(&self) {
        for (route, config) in self.routes.iter().zip(&self.config.routes) {
            self.listen(route, config, &config.listen);
        }
    }

    /// No route accepts, nor does the API; the sockets stay open.
    fn stop_accepting(&mut self) {
        self.api = None;
        for (route, config) in self.routes.iter().zip(&self.config.routes) {
            config.listen.iter().for_each(|address| route.unlisten(address));
        }
    }

    /// Serves until it is told to stop.
    pub async fn run(mut self, mut signals: Signals) {
        let (asks, mut requests) = mpsc::channel(MAX_REQUESTS);
        let api = Api::new(
            self.at_work.clone(),
            asks,
            self.process.clone(),
            self.diagnostics.clone(),
            self.history.clone(),
        );
        let sinks = self.process.sinks.clone();
        let own = self.registry.sinks();
        self.sinks = Some(SinkRunner::start(&sinks, &self.diagnostics, &self.config.sinks, own));
        let mut control = self.open_control(&api);
        self.say_served(control.is_some());
        // What it is told first is of these routes already.
        self.manager.watch(&self.routes);
        self.manager.ready(self.process.workers.clone());
        let diagnostics =
            self.diagnostics.clone().watch(self.at_work.clone(), self.process.clone());
        let _diagnosing = AbortOnDropHandle::new(tokio::spawn(diagnostics));
        let kept = chronicle::keep(self.at_work.clone(), self.history.clone(), sinks);
        let _keeping = AbortOnDropHandle::new(tokio::spawn(kept));
        let signal = loop {
            self.manager.watch(&self.routes);
            self.at_work.set(self.routes.iter().chain(&self.draining).cloned());
            self.serve_api(&api);
            let upgraded = tokio::select! {
                biased;
                signal = signals.next() => match signal {
                    Signal::Stop(name) => break name,
                    Signal::Reload => {
                        self.load_as_told(Asker::Signal);
                        UpgradeEnd::No
                    }
                    Signal::ReopenLogs => {
                        telemetry::reopen();
                        UpgradeEnd::No
                    }
                    Signal::Upgrade => self.upgrade(None, &mut signals, &mut requests).await,
                },
                config = loaded(&mut self.loading) => {
                        self.reload_as_told(config);
                        UpgradeEnd::No
                    }
                Some(drained) = self.drains.join_next() => {
                    if let Ok(drained) = drained {
                        self.draining.retain(|route| !Arc::ptr_eq(route, &drained));
                        // The config may have it again one day.
                        if !self.routes.iter().any(|route| route.name() == drained.name()) {
                            drained.hand_on();
                        }
                    }
                    UpgradeEnd::No
                }
                Some(request) = requests.recv() => match request {
                    ControlRequest::Reload(answer) => {
                        self.load_as_told(Asker::Request(answer));
                        UpgradeEnd::No
                    }
                    ControlRequest::Upgrade(answer) => {
                        self.upgrade(Some(answer), &mut signals, &mut requests).await
                    }
                    ControlRequest::Status(answer) => {
                        let _ = answer.send(self.status());
                        UpgradeEnd::No
                    }
                    ControlRequest::Config(answer) => {
                        let _ = answer.send(self.config.shown());
                        UpgradeEnd::No
                    }
                },
            };
            match upgraded {
                UpgradeEnd::No => {}
                // The new process had taken it.
                UpgradeEnd::Back => control = self.open_control(&api),
                UpgradeEnd::Stop(name) => break name,
                UpgradeEnd::Yes => {
                    drop((control, api, requests));
                    return self.leave(&mut signals).await;
                }
            }
        };
        drop((control, api, requests));
        self.stop(signal, &mut signals).await;
    }

    /// Reads the config again; the service manager waits for that too.
    fn load_as_told(&mut self, asker: Asker) {
        self.manager.reloading();
        self.load(asker);
        self.tell_reloaded();
    }

    fn reload_as_told(&mut self, config: reload::Loaded) {
        self.reload(config);
        self.tell_reloaded();
    }

    fn tell_reloaded(&self) {
        if self.loading.is_none() {
            self.manager.reloaded();
        }
    }

    /// Answers at the socket that the config names. Without it rigs are served all the same.
    fn open_control(&self, api: &Api) -> Option<ControlSocket> {
        let path = self.config.control.as_deref()?;
        match ControlSocket::open(path, api) {
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

    /// Says what is served where.
    fn say_served(&self, has_control: bool) {
        let bound = |route: &RouteConfig, address: ListenAddr| {
            let socket = self.listeners.socket(route, address);
            socket.and_then(|socket| socket.local_addr()).unwrap_or_else(|_| address.get())
        };
        let control = self.config.control.as_deref().filter(|_| has_control);
        let block = served::block(&self.config, bound, control, OpenFiles::raise().ok());
        let (version, routes) = (env!("CARGO_PKG_VERSION"), self.routes.len());
        let what = if routes == 1 { "route" } else { "routes" };
        info!(event = "serving", block, "orepass {version} serves {routes} {what}");
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
            reloads: self.process.reloads.load(Ordering::Relaxed),
            routes: self.routes.iter().map(of).collect(),
            draining: self.draining.iter().map(of).collect(),
        }
    }

    /// Makes all of a route that can fail, of a config with this text.
    fn prepare(
        &self,
        config: &RouteConfig,
        source: &Source,
    ) -> Result<Box<dyn PreparedRoute>, CommandError> {
        let entry = self
            .registry
            .get(&config.dialect)
            .map_err(|unknown| CommandError::Failed(unknown.to_string()))?;
        let prepared = (entry.prepare)(config);
        Ok(prepared.map_err(|error| source.error(error.into_problems()))?)
    }

    /// Starts a route on its sockets, which are bound.
    fn start_route(
        &self,
        config: &RouteConfig,
        prepared: Box<dyn PreparedRoute>,
    ) -> Arc<dyn RunningRoute> {
        let route = self.start_deaf(config, prepared);
        self.listen(&route, config, &config.listen);
        route
    }

    /// Starts a route that accepts nothing yet.
    fn start_deaf(
        &self,
        config: &RouteConfig,
        prepared: Box<dyn PreparedRoute>,
    ) -> Arc<dyn RunningRoute> {
        let memory = self.memory.route(config.name.as_str());
        prepared.start(memory, self.process.clone(), Vec::new())
    }

    /// Has a route accept on sockets, which are bound.
    fn listen(&self, route: &Arc<dyn RunningRoute>, config: &RouteConfig, listen: &[ListenAddr]) {
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
            let bound = address.at(socket.local_addr().unwrap_or_else(|_| address.get()));
            info!(
                event = "route.up", route = %config.name, dialect = route.dialect(),
                listen = %bound, pool = %config.pools[0].name, "rigs may connect"
            );
            Arc::clone(route).listen(address, socket);
        }
    }

    /// A route ends: its rigs leave in turn, each with its verdicts.
    fn drain(&mut self, route: Arc<dyn RunningRoute>) {
        self.draining.push(Arc::clone(&route));
        let over = self.config.drain_for;
        self.drains.spawn(async move {
            route.empty(over).await;
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
