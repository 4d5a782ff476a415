//! Rigs come in.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use orepass_stratum::dialect::Dialect;
use orepass_stratum::pools::Gate;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tracing::warn;

use super::Route;
use crate::clock::now;
use crate::drive::downstream::serve;
use crate::fold::nonzero;
use crate::net::connect::tune;

/// The wait after an accept that failed, for want of files most of the time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Rigs past the route's seats that may be connected all the same, to be told so or to wait.
const SPARE_SESSIONS: usize = 1000;

impl<D: Dialect> Route<D> {
    /// Serves a rig on a connection that came to a local port, or in some other way. Without any
    /// pool for so long that rigs are refused, it is dropped at once.
    pub fn admit<R, W>(self: &Arc<Self>, reader: R, writer: W, peer: SocketAddr, port: u16)
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        // Rigs that are refused at once go to their own backup.
        if self.choice().gate() != Gate::Closed {
            self.sessions.spawn(serve(Arc::clone(self), reader, writer, peer, port));
        }
    }
}

/// Takes connections until the route stops.
pub(super) async fn accept<D: Dialect>(route: Arc<Route<D>>, listener: TcpListener) {
    let port = listener.local_addr().map_or(0, |address| address.port());
    let channels = route.config.max_channels;
    let seats = channels.saturating_mul(route.config.max_rigs_per_channel);
    let most = seats.saturating_add(SPARE_SESSIONS);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = route.stopping().cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) if route.roster.online() < most => {
                tune(&stream);
                // A rig that came by IPv4 is shown so.
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                let (reader, writer) = stream.into_split();
                route.admit(reader, writer, peer, port);
            }
            Ok((_, peer)) => {
                if let Some(more) = route.junk.may_log(peer.ip(), now()) {
                    warn!(
                        event = "rig.refused", route = route.config.name, %peer,
                        more_since_last = nonzero(more),
                        "more than {most} connections; raise `max_channels`"
                    );
                }
            }
            Err(error) => {
                warn!(
                    event = "listen.failed", route = route.config.name, %error,
                    "cannot take a connection; again in {ACCEPT_PAUSE:?}"
                );
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
