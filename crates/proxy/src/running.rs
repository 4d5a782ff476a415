//! A route at work, whatever its dialect.

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
use crate::route::{Route, Surroundings};
use crate::store::RouteStore;

/// What can be asked of a route without knowing its dialect.
#[async_trait]
pub trait RunningRoute: Send + Sync {
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

/// Starts a configured route on listeners that are bound already.
///
/// # Errors
/// What is wrong with the dialect's options.
pub fn start<D: FromConfig>(
    route: &RouteConfig,
    memory: RouteStore,
    process: Process,
    listeners: Vec<TcpListener>,
) -> Result<Arc<dyn RunningRoute>, OptionError> {
    let dialect = |pool: &PoolAccount| {
        let configured = configured::<D>(&route.options, &pool.options)?;
        Ok(Arc::new(configured.dialect))
    };
    let dialects = route.pools.iter().map(dialect).collect::<Result<_, OptionError>>()?;
    let surroundings = Surroundings { connector: Arc::new(Tcp), memory, process };
    Ok(Route::start(route.clone(), dialects, surroundings, listeners))
}
