//! Rigs come in.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use orepass_farm::pools::Gate;
use orepass_stratum::dialect::Dialect;
use thiserror::Error;
use tokio::net::TcpListener;
use tracing::warn;

use super::task::Served;
use crate::clock::now;
use crate::config::RouteConfig;
use crate::fold::{Fold, nonzero};
use crate::limits::{Door, REMEDY};
use crate::net::connect::tune;
use crate::net::wire::Wire;
use crate::route::Route;

/// The wait after an accept that failed, for want of files most of the time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How often it is said that no more connections are taken, or that none can be.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// Rigs past the route's seats that may be connected all the same, to be told so or to wait.
const SPARE_SESSIONS: usize = 1000;

/// Why a connection is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Full {
    /// The route has as many as it may.
    #[error("more than {most} connections to this route; raise `max_channels`")]
    Route {
        /// How many that are.
        most: usize,
    },
    /// All routes together have as many as the process may, with what is kept for pools.
    #[error(
        "no more than {most} connections, those to pools included, fit into the open-file limit; \
         {REMEDY}"
    )]
    Process {
        /// How many that are.
        most: usize,
    },
}

/// How many rigs a route with this config takes.
pub(crate) const fn door(config: &RouteConfig) -> Door {
    Door::new(config.capacity().saturating_add(SPARE_SESSIONS))
}

impl<D: Dialect> Route<D> {
    /// Serves a rig on a connection that came to a local port, or in some other way. Without any
    /// pool for so long that rigs are refused, it is dropped at once.
    ///
    /// # Errors
    /// When there is no room for it. It is dropped then.
    pub fn admit(
        self: &Arc<Self>,
        wire: impl Wire,
        peer: SocketAddr,
        port: u16,
    ) -> Result<(), Full> {
        let Some(place) = self.door.enter() else {
            return Err(Full::Route { most: self.door.room() });
        };
        let Some(file) = self.around.process.door.enter() else {
            return Err(Full::Process { most: self.around.process.door.room() });
        };
        // Rigs that are refused at once go to their own backup.
        if self.choice().gate() != Gate::Closed {
            let worker = self.next_worker();
            let inside = [place, file];
            let served = Served::new(Arc::clone(self), Box::new(wire), peer, port, inside, worker);
            serve(served);
        }
        Ok(())
    }
}

/// Serves a rig on a worker, and on the next one where it belongs to that.
fn serve<D: Dialect>(served: Served<D>) {
    let route = Arc::clone(&served.route);
    let runtime = route.workers().runtime(served.worker()).clone();
    let task = async move {
        if let Some(served) = served.serve().await {
            serve(served);
        }
    };
    route.sessions.spawn_on(task, &runtime);
}

/// Takes connections until the route stops.
pub(crate) async fn accept<D: Dialect>(route: Arc<Route<D>>, listener: TcpListener) {
    let port = listener.local_addr().map_or(0, |address| address.port());
    let (mut full, mut failing) = (Fold::new(SAY_EVERY), Fold::new(SAY_EVERY));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = route.stopping().cancelled() => return,
        };
        let name = route.name();
        match accepted {
            Ok((stream, peer)) => {
                tune(&stream);
                // A rig that came by IPv4 is shown so.
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                if let Err(reason) = route.admit(stream, peer, port)
                    && let Some(more) = full.say(now())
                {
                    let more_since_last = nonzero(more);
                    warn!(event = "rig.refused", route = name, %peer, more_since_last, "{reason}");
                }
            }
            Err(error) if is_about_one(&error) => {}
            Err(error) => {
                if let Some(more) = failing.say(now()) {
                    warn!(
                        event = "listen.failed", route = name, %error,
                        more_since_last = nonzero(more),
                        "cannot take connections; tried again every {ACCEPT_PAUSE:?}"
                    );
                }
                tokio::select! {
                    () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                    () = route.stopping().cancelled() => return,
                }
            }
        }
    }
}

/// Whether it is about this connection alone: it ended before it was taken. The next may be well.
fn is_about_one(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionReset, Interrupted, NetworkUnreachable, TimedOut,
    };
    let kinds = [ConnectionAborted, ConnectionReset, Interrupted, NetworkUnreachable, TimedOut];
    kinds.contains(&error.kind())
}
