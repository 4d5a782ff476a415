//! Rigs that come to a listener where something stands before stratum.

use std::net::SocketAddr;
use std::sync::Arc;

use orepass_stratum::dialect::Dialect;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::refusal::{self, Full, say_no_on};
use crate::clock::now;
use crate::net::front::{Front, GreetError, Greeted};
use crate::repeated_warnings::nonzero;
use crate::route::Route;

/// A connection that is to be greeted.
pub(super) struct Arrival {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    /// The local port.
    pub(super) port: u16,
    /// Whether the listener speaks TLS.
    pub(super) tls: bool,
}

impl Arrival {
    /// Has it greeted beside the listener, and served if it is a rig's. Waits for a place to be
    /// greeted in; it is dropped if it is told to close meanwhile.
    pub(super) async fn receive<D: Dialect>(
        self,
        route: &Arc<Route<D>>,
        front: Arc<Front>,
        closing: &CancellationToken,
    ) {
        let place = tokio::select! {
            biased;
            () = closing.cancelled() => return,
            place = front.place() => place,
        };
        // A greeting takes a file as a rig does, and gives it back when that is let in.
        let Some(file) = route.around.process.door.enter() else {
            let most = route.around.process.door.room();
            return say_full(route, self.peer, Full::Process { most });
        };
        // It goes to another runtime.
        let Self { stream, peer, port, tls } = self;
        let Ok(stream) = stream.into_std() else { return };
        let (own, runtime) = (Arc::clone(route), front.runtime().clone());
        let greeting = async move {
            let Ok(stream) = TcpStream::from_std(stream) else { return };
            let greeted = tokio::select! {
                biased;
                () = own.stopping().cancelled() => return,
                greeted = front.greet(stream, peer, tls) => greeted,
            };
            drop((place, file));
            match greeted {
                Ok(Greeted { wire, peer }) => match own.let_in(peer.ip()) {
                    Ok(inside) => own.serve(wire, inside, peer, port),
                    Err(full) => {
                        say_full(&own, peer, full);
                        say_no_on(wire, full).await;
                    }
                },
                Err(error @ (GreetError::Left | GreetError::HealthCheck)) => {
                    debug!(event = "rig.none", route = own.name(), %peer, "{error}");
                }
                Err(error) => say_refused(&own, peer, &error),
            }
        };
        route.tasks.spawn_on(greeting, &runtime);
    }
}

fn say_full<D: Dialect>(route: &Route<D>, peer: SocketAddr, reason: Full) {
    if let Some(more) = route.junk.may_log(peer.ip(), now()) {
        refusal::say_refused(route, peer, reason, more);
    }
}

fn say_refused<D: Dialect>(route: &Route<D>, peer: SocketAddr, why: &dyn std::error::Error) {
    if let Some(more) = route.junk.may_log(peer.ip(), now()) {
        let more_since_last = nonzero(more);
        warn!(event = "rig.refused", route = route.name(), %peer, more_since_last, "{why}");
    }
}
