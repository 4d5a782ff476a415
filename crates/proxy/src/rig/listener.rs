//! Rigs come in.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use orepass_farm::farm::Farm;
use orepass_farm::limits::{Knock, Limit, Stay, Trust};
use orepass_farm::pools::Gate;
use orepass_stratum::dialect::Dialect;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::arrival::Arrival;
use super::refusal::{Full, NO_PLACE, say_no, say_refused};
use super::serving::serve;
use super::task::ServedRig;
use crate::clock::now;
use crate::config::RouteConfig;
use crate::limits::{Reserve, is_want_of_files};
use crate::net::connect::tune;
use crate::net::wire::Wire;
use crate::repeated_warnings::{Fold, nonzero};
use crate::route::Route;
use crate::worker_threads::WorkerThread;

/// The wait after an accept that failed, for want of files most of the time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How many are refused at a time for want of files.
const REFUSED_AT_ONCE: usize = 64;
/// Of a hundred places so many are not for strangers.
const SPARED_PERCENT: usize = 10;
/// What is on its way to a rig that takes none of it, or of its acknowledgements, is given up then.
const UNHEARD_FOR: Duration = Duration::from_secs(60);
/// How much the system keeps for a rig that does not read.
const SEND_BUFFER: usize = 128 * 1024;
/// How often it is said that no more connections are taken, or that none can be.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// Connections have the options of the socket that they came to, which spares five calls each.
const INHERITS: bool = cfg!(target_os = "linux");
/// Rigs past the route's seats that may be connected all the same, to be told so or to wait.
const SPARE_SESSIONS: usize = 1000;

/// A rig's places, at the doors of the route and of the process and of its address: to be
/// [given back](Route::let_out). It has no handle of them, since each rig has one of these.
pub(crate) struct Inside {
    pub(super) stay: Stay,
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
        let inside = self.let_in(peer.ip())?;
        self.serve(Box::new(wire), inside, peer, port);
        Ok(())
    }

    /// Gives a rig its places. Whoever gets them has it [served](Self::serve).
    ///
    /// # Errors
    /// When there is no room for it.
    pub(crate) fn let_in(self: &Arc<Self>, address: IpAddr) -> Result<Inside, Full> {
        let process = &self.around.process;
        let entered = process.admission.enter(address, &self.now().config.access);
        let stay = entered.map_err(|refusal| self.is_full(refusal.into(), refusal.trust))?;
        let spared = if stay.trust == Trust::Stranger { SPARED_PERCENT } else { 0 };
        let refused = |reason: Full| {
            process.admission.leave(address, stay);
            process.admission.count(reason.limit());
            self.is_full(reason, stay.trust)
        };
        let most = self.door.room();
        if !self.door.take_place(spared) {
            return Err(refused(Full::Route { most }));
        }
        let most = process.door.room();
        if !process.door.take_place(spared) {
            self.door.give_back();
            return Err(refused(Full::Process { most }));
        }
        Ok(Inside { stay })
    }

    /// Takes a rig's places back.
    pub(super) fn let_out(&self, address: IpAddr, inside: &Inside) {
        self.door.give_back();
        self.around.process.door.give_back();
        self.around.process.admission.leave(address, inside.stay);
    }

    /// Serves a rig that was let in, wherever its bytes come from.
    pub(crate) fn serve(
        self: &Arc<Self>,
        wire: Box<dyn Wire>,
        inside: Inside,
        peer: SocketAddr,
        port: u16,
    ) {
        // Rigs that are refused at once go to their own backup.
        if self.gate() == Gate::Closed {
            return self.let_out(peer.ip(), &inside);
        }
        let worker = self.next_worker();
        serve(ServedRig::new(Arc::clone(self), wire, peer, port, inside, worker));
    }

    /// There is no place. For one that is no stranger, a stranger makes way, so that there will be.
    fn is_full(self: &Arc<Self>, reason: Full, trust: Trust) -> Full {
        let places = matches!(reason.limit(), Limit::Route | Limit::OpenFiles | Limit::Connections);
        if places && trust != Trust::Stranger {
            self.tell(Farm::handle_crowd);
        }
        reason
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
    hurried: Fold,
    /// To refuse somebody with when there are no files.
    reserve: Reserve,
}

/// Takes connections until it is told to close.
pub(crate) fn listen<D: Dialect>(
    route: &Arc<Route<D>>,
    socket: std::net::TcpListener,
    tls: bool,
    closing: CancellationToken,
) {
    tune_for_rigs(&SockRef::from(&socket));
    let port = socket.local_addr().map_or(0, |address| address.port());
    let [full, failing, hurried] = [Fold::new(SAY_EVERY); 3];
    let (route, reserve) = (Arc::clone(route), Reserve::keep());
    Listener { route, socket, port, tls, closing, full, failing, hurried, reserve }.go_on();
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
            let (pause, came) = match accepted {
                Ok((stream, peer)) => match self.knock(&stream, peer) {
                    Knock::Enter => (None, Some((stream, peer))),
                    Knock::Later(wait) => (Some(wait), Some((stream, peer))),
                    Knock::Denied => continue,
                },
                Err(error) if is_about_one(&error) => continue,
                Err(error) => {
                    self.say_failing(&error);
                    if is_want_of_files(&error) {
                        self.refuse_some();
                    }
                    (Some(ACCEPT_PAUSE), None)
                }
            };
            if let Some(pause) = pause {
                tokio::select! {
                    biased;
                    () = self.closing.cancelled() => return false,
                    () = tokio::time::sleep(pause) => {}
                }
            }
            let Some((stream, peer)) = came else { continue };
            let (front, port, tls) = (route.front(), self.port, self.tls);
            if front.greets(tls, peer.ip()) {
                let arrival = Arrival { stream, peer, port, tls };
                arrival.receive(&route, front, &self.closing).await;
            } else {
                self.admit(stream, peer);
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

    /// What becomes of a connection before anything is known of it but who made it.
    fn knock(&mut self, stream: &TcpStream, peer: SocketAddr) -> Knock {
        let (route, address) = (&self.route, peer.ip().to_canonical());
        let knock = route.around.process.admission.knock(address, &route.now().config.access);
        match knock {
            Knock::Enter => {}
            Knock::Later(_) => {
                if let Some(more) = self.hurried.say(now()) {
                    let limit = Limit::AcceptsPerSecond;
                    warn!(
                        event = "listen.slowed", route = route.name(), peer = %address,
                        limit = limit.name(), more_since_last = nonzero(more),
                        "connections come faster than they are taken: they wait; {}", limit.remedy()
                    );
                }
            }
            Knock::Denied => self.refuse(stream, peer, Full::Denied { by: Limit::Deny }),
        }
        knock
    }

    /// The rig at the other end wants in.
    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        if !INHERITS {
            tune_for_rigs(&SockRef::from(&stream));
        }
        // A rig that came by IPv4 is shown so.
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        match self.route.let_in(peer.ip()) {
            Ok(inside) => {
                // A panic costs this connection, and no other that comes.
                let serve = || self.route.serve(Box::new(stream), inside, peer, self.port);
                let _ = catch_unwind(AssertUnwindSafe(serve));
            }
            Err(reason) => self.refuse(&stream, peer, reason),
        }
    }

    /// Tells a rig that there is no place for it, and the log what to change.
    fn refuse(&mut self, stream: &TcpStream, peer: SocketAddr, reason: Full) {
        say_no(&SockRef::from(stream), reason.to_rig());
        let at = now();
        let more = match reason {
            Full::Address { .. } | Full::Denied { .. } => self.route.junk.may_log(peer.ip(), at),
            Full::Route { .. } | Full::Process { .. } | Full::Connections { .. } => {
                self.full.say(at)
            }
        };
        if let Some(more) = more {
            say_refused(&self.route, peer, reason, more);
        }
    }

    /// Without files for them, takes some that wait to be taken, and tells them so.
    fn refuse_some(&mut self) {
        for _ in 0..REFUSED_AT_ONCE {
            let socket = &self.socket;
            let refused = self.reserve.lend(|| match socket.accept() {
                Ok((stream, _)) => {
                    say_no(&SockRef::from(&stream), NO_PLACE);
                    true
                }
                Err(_) => false,
            });
            if !refused {
                return;
            }
            self.route.around.process.admission.count(Limit::OpenFiles);
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

/// Sets what connections of rigs have besides what all have.
fn tune_for_rigs(socket: &SockRef<'_>) {
    tune(socket);
    // A socket that refuses these still works.
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(UNHEARD_FOR));
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
        tune_for_rigs(&SockRef::from(&listener));
        let rig = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let options = |stream: &TcpStream| {
            let socket = SockRef::from(stream);
            let times = (socket.tcp_keepalive_time(), socket.tcp_keepalive_interval());
            let times = (times.0.unwrap(), times.1.unwrap());
            let retries = socket.tcp_keepalive_retries().unwrap();
            let (unheard, buffer) = (socket.tcp_user_timeout().unwrap(), socket.send_buffer_size());
            let nodelay = stream.nodelay().unwrap();
            (socket.keepalive().unwrap(), times, retries, nodelay, unheard, buffer.unwrap())
        };
        let (accepted, _) = listener.accept().await.unwrap();
        assert_ne!(options(&accepted), options(&rig));
        tune_for_rigs(&SockRef::from(&rig));
        assert_eq!(options(&accepted), options(&rig));
    }
}
