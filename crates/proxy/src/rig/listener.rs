//! Rigs come in.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use orepass_farm::pools::Gate;
use orepass_stratum::dialect::Dialect;
use socket2::SockRef;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::arrival::Arrival;
use super::serving::serve;
use super::task::ServedRig;
use crate::clock::now;
use crate::config::RouteConfig;
use crate::limits::REMEDY;
use crate::net::connect::tune;
use crate::net::wire::Wire;
use crate::repeated_warnings::{Fold, nonzero};
use crate::route::Route;
use crate::worker_threads::WorkerThread;

/// The wait after an accept that failed, for want of files most of the time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How often it is said that no more connections are taken, or that none can be.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// Connections have the options of the socket that they came to, which spares five calls each.
const INHERITS: bool = cfg!(target_os = "linux");
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
pub(crate) const fn room(config: &RouteConfig) -> usize {
    config.capacity().saturating_add(SPARE_SESSIONS)
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
        self.admit_wire(Box::new(wire), peer, port)
    }

    pub(super) fn admit_wire(
        self: &Arc<Self>,
        wire: Box<dyn Wire>,
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
        if self.gate() != Gate::Closed {
            let worker = self.next_worker();
            let inside = [place, file];
            serve(ServedRig::new(Arc::clone(self), wire, peer, port, inside, worker));
        }
        Ok(())
    }
}

/// A socket that rigs connect to, at work until the route stops or it is taken back.
struct Listener<D: Dialect> {
    route: Arc<Route<D>>,
    socket: std::net::TcpListener,
    port: u16,
    tls: bool,
    closing: CancellationToken,
    full: Fold,
    failing: Fold,
}

/// Takes connections until it is told to close.
pub(crate) fn listen<D: Dialect>(
    route: &Arc<Route<D>>,
    socket: std::net::TcpListener,
    tls: bool,
    closing: CancellationToken,
) {
    tune(&SockRef::from(&socket));
    let port = socket.local_addr().map_or(0, |address| address.port());
    let (full, failing) = (Fold::new(SAY_EVERY), Fold::new(SAY_EVERY));
    Listener { route: Arc::clone(route), socket, port, tls, closing, full, failing }.go_on();
}

impl<D: Dialect> Listener<D> {
    /// Listens on the worker where the rigs that come will probably be served, so that they need
    /// not be carried there.
    fn go_on(mut self) {
        let (route, worker) = (Arc::clone(&self.route), self.route.next_worker());
        let task = async move {
            if self.accept(worker).await {
                self.go_on();
            }
        };
        route.tasks.spawn_on(task, route.workers().runtime(worker));
    }

    /// Takes connections; `true` when those that come next should be taken on another worker.
    async fn accept(&mut self, here: WorkerThread) -> bool {
        let route = Arc::clone(&self.route);
        let mut listening = None;
        while route.next_worker() == here {
            let accepted = tokio::select! {
                biased;
                () = self.closing.cancelled() => return false,
                accepted = self.next(&mut listening) => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let (front, port, tls) = (route.front(), self.port, self.tls);
                    if front.greets(tls, peer.ip()) {
                        let arrival = Arrival { stream, peer, port, tls };
                        arrival.receive(&route, front, &self.closing).await;
                    } else {
                        self.admit(stream, peer);
                    }
                }
                Err(error) if is_about_one(&error) => {}
                Err(error) => {
                    self.say_failing(&error);
                    tokio::select! {
                        biased;
                        () = self.closing.cancelled() => return false,
                        () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                    }
                }
            }
        }
        true
    }

    async fn next(
        &self,
        listening: &mut Option<TcpListener>,
    ) -> io::Result<(TcpStream, SocketAddr)> {
        let listening = match listening {
            Some(listening) => listening,
            None => listening.insert(TcpListener::from_std(self.socket.try_clone()?)?),
        };
        listening.accept().await
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        if !INHERITS {
            tune(&SockRef::from(&stream));
        }
        // A rig that came by IPv4 is shown so.
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        // A panic costs this connection, and no other that comes.
        let admitted = catch_unwind(AssertUnwindSafe(|| self.route.admit(stream, peer, self.port)));
        if let Ok(Err(reason)) = admitted
            && let Some(more) = self.full.say(now())
        {
            let (route, more_since_last) = (self.route.name(), nonzero(more));
            warn!(event = "rig.refused", route, %peer, more_since_last, "{reason}");
        }
    }

    fn say_failing(&mut self, error: &io::Error) {
        let Some(more) = self.failing.say(now()) else { return };
        warn!(
            event = "listen.failed", route = self.route.name(), %error,
            more_since_last = nonzero(more),
            "cannot take connections; tried again every {ACCEPT_PAUSE:?}"
        );
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_has_the_options_of_the_socket_that_it_came_to() {
        if !INHERITS {
            return;
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        tune(&SockRef::from(&listener));
        let rig = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let options = |stream: &TcpStream| {
            let socket = SockRef::from(stream);
            let times = (socket.tcp_keepalive_time(), socket.tcp_keepalive_interval());
            let times = (times.0.unwrap(), times.1.unwrap());
            let retries = socket.tcp_keepalive_retries().unwrap();
            (socket.keepalive().unwrap(), times, retries, stream.nodelay().unwrap())
        };
        let (accepted, _) = listener.accept().await.unwrap();
        assert_ne!(options(&accepted), options(&rig));
        tune(&SockRef::from(&rig));
        assert_eq!(options(&accepted), options(&rig));
    }
}
