//! `orepass run`: serves the routes until told to stop.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tracing::{info, warn};

use super::bind::bind;
use super::{CommandError, Outcome};
use crate::config::{Config, RouteConfig};
use crate::process::Process;
use crate::registry::Registry;
use crate::running::RunningRoute;
use crate::shutdown;
use crate::store::Store;

/// Serves every route of a config until a signal stops it.
///
/// # Errors
/// A [`CommandError`] when an address cannot be listened on.
pub async fn run(
    config: Config,
    registry: &Registry,
    process: &Process,
) -> Result<Outcome, CommandError> {
    let mut signals = shutdown::Signals::install().map_err(CommandError::Start)?;
    process.admission.set_wishes(config.limits);
    // All addresses are bound before any pool is bothered.
    let bound = config
        .routes
        .iter()
        .map(|route| Ok((route, bind(route).collect::<Result<Vec<_>, _>>()?)))
        .collect::<Result<Vec<_>, CommandError>>()?;
    let memory = config.state.as_deref().map_or_else(Store::fleeting, Store::open);
    let mut routes = Vec::new();
    for (route, listeners) in bound {
        routes.push(start(&config, route, &memory, process, listeners, registry)?);
    }
    let signal = signals.next().await;
    info!(event = "stopping", signal, "stopping; a second signal stops at once");
    let hurried = tokio::select! {
        () = stop(&routes) => None,
        signal = signals.next() => Some(signal),
    };
    memory.close().await;
    match hurried {
        None => info!(event = "stopped", "stopped"),
        Some(signal) => warn!(event = "stopped", signal, "stopped at once"),
    }
    Ok(Outcome::Success)
}

/// Stops all routes at the same time.
pub(crate) async fn stop(routes: &[Arc<dyn RunningRoute>]) {
    let mut stopping = tokio::task::JoinSet::new();
    for route in routes {
        let route = Arc::clone(route);
        stopping.spawn(async move { route.stop().await });
    }
    stopping.join_all().await;
}

fn start(
    config: &Config,
    route: &RouteConfig,
    memory: &Store,
    process: &Process,
    listeners: Vec<(SocketAddr, TcpListener)>,
    registry: &Registry,
) -> Result<Arc<dyn RunningRoute>, CommandError> {
    let entry = registry
        .get(&route.dialect)
        .map_err(|unknown| CommandError::Failed(unknown.to_string()))?;
    for (address, _) in &listeners {
        let pool = &route.pools[0];
        info!(
            event = "route.up", route = %route.name, dialect = entry.name, listen = %address,
            pool = %pool.name, "rigs may connect"
        );
    }
    let listeners = listeners.into_iter().map(|(_, listener)| listener).collect();
    (entry.start)(route, memory.route(route.name.as_str()), process.clone(), listeners)
        .map_err(|error| config.source().error(error.into_problems()).into())
}
