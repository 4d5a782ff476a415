//! A route at work, whatever its dialect.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orepass_farm::stats::Totals;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::extranonce::Extranonce;
use tokio::net::TcpListener;

use crate::config::{ListenAddr, OptionError, PoolAccount, RouteConfig};
use crate::net::connect::Tcp;
use crate::process::Process;
use crate::registry::{FromConfig, configured};
use crate::rig::roster::Roster;
use crate::route::{Operated, Route, Surroundings};
use crate::store::RouteStore;
use crate::watch::Watched;

/// What can be asked of a route without knowing its dialect.
#[async_trait]
pub trait RunningRoute: Watched + Operated {
    /// Its name.
    fn name(&self) -> &str;
    /// Its dialect's name.
    fn dialect(&self) -> &'static str;
    /// The figures of all shares so far.
    fn totals(&self) -> Totals;
    /// How many pool connections take shares.
    fn live_channels(&self) -> usize;
    /// The rigs that are connected.
    fn roster(&self) -> &Arc<Roster>;
    /// Takes connections from a socket, which the config calls by this address, until the route
    /// stops or that is [taken back](Self::unlisten).
    fn listen(self: Arc<Self>, address: ListenAddr, socket: std::net::TcpListener);
    /// Takes no more connections from a socket. It stays open as long as somebody else has it.
    fn unlisten(&self, address: &ListenAddr);
    /// Whether it can have another config of the same dialect, options and prefix without being
    /// started anew.
    fn can_change_to(&self, config: &RouteConfig) -> bool;
    /// The route itself.
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
    /// Has the next route of its name know what it knows.
    fn hand_on(&self);
    /// Has each rig's state noted for the state file.
    async fn save(&self) -> bool;
    /// Lets the rigs leave one after the other; see [`Route::empty`].
    async fn empty(&self, over: Duration);
    /// Under which extranonces rigs work, each with its pool's host and port.
    fn extranonces(&self) -> Vec<(String, Extranonce)>;
    /// Has the farm draw its conclusions, which takes as long as its lock is held.
    fn touch(self: Arc<Self>);
    /// Stops accepting, lets shares in flight get their verdicts, closes everything.
    async fn stop(&self);
}

#[async_trait]
impl<D: Dialect> RunningRoute for Route<D> {
    fn name(&self) -> &str {
        Self::name(self)
    }

    fn dialect(&self) -> &'static str {
        D::NAME
    }

    fn totals(&self) -> Totals {
        Self::totals(self)
    }

    fn live_channels(&self) -> usize {
        Self::live_channels(self)
    }

    fn roster(&self) -> &Arc<Roster> {
        Self::roster(self)
    }

    fn listen(self: Arc<Self>, address: ListenAddr, socket: std::net::TcpListener) {
        Self::listen(&self, address, socket);
    }

    fn unlisten(&self, address: &ListenAddr) {
        Self::unlisten(self, address);
    }

    fn can_change_to(&self, config: &RouteConfig) -> bool {
        Self::can_change_to(self, config)
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn hand_on(&self) {
        Self::hand_on(self);
    }

    async fn save(&self) -> bool {
        Self::save(self).await
    }

    async fn empty(&self, over: Duration) {
        Self::empty(self, over).await;
    }

    fn extranonces(&self) -> Vec<(String, Extranonce)> {
        Self::extranonces(self)
    }

    fn touch(self: Arc<Self>) {
        self.tell(|_, _| {});
    }

    async fn stop(&self) {
        Self::stop(self).await;
    }
}

/// A route that a config asks for, with everything made that can fail.
pub trait PreparedRoute: Send {
    /// Starts it. Beside the listeners that are given here it can be
    /// [told of others](RunningRoute::listen).
    fn start(
        self: Box<Self>,
        memory: RouteStore,
        process: Process,
        listeners: Vec<TcpListener>,
    ) -> Arc<dyn RunningRoute>;
    /// Changes one that is at work, and [can be](RunningRoute::can_change_to), to this.
    fn change(self: Box<Self>, route: Arc<dyn RunningRoute>);
}

struct Prepared<D> {
    config: RouteConfig,
    dialects: Vec<Arc<D>>,
}

impl<D: Dialect> PreparedRoute for Prepared<D> {
    fn start(
        self: Box<Self>,
        memory: RouteStore,
        process: Process,
        listeners: Vec<TcpListener>,
    ) -> Arc<dyn RunningRoute> {
        let around = Surroundings { connector: Arc::new(Tcp), memory, process };
        Route::start(self.config, self.dialects, around, listeners)
    }

    fn change(self: Box<Self>, route: Arc<dyn RunningRoute>) {
        // Of another dialect it is no change, but another route.
        if let Ok(route) = route.as_any().downcast::<Route<D>>() {
            route.change(self.config, self.dialects);
        }
    }
}

/// Prepares a configured route.
///
/// # Errors
/// What is wrong with the dialect's options.
pub fn prepare<D: FromConfig>(route: &RouteConfig) -> Result<Box<dyn PreparedRoute>, OptionError> {
    let dialect = |pool: &PoolAccount| {
        let configured = configured::<D>(&route.options, &pool.options)?;
        Ok(Arc::new(configured.dialect))
    };
    let dialects = route.pools.iter().map(dialect).collect::<Result<_, OptionError>>()?;
    Ok(Box::new(Prepared { config: route.clone(), dialects }))
}
