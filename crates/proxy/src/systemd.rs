//! What systemd and the program tell each other: sockets at the start, and how it goes.

use std::env;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use orepass_stratum::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::clock::{now, sleep_until};
use crate::running::RunningRoute;
use crate::worker_threads::WorkerThreads;

/// How often the status line is told where there is no watchdog that asks for more.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The sockets that were given to this process at its start.
static INHERITED: Mutex<Vec<TcpListener>> = Mutex::new(Vec::new());

/// Takes the sockets that `LISTEN_FDS` speaks of. To be called before there is a second thread: it
/// changes the environment, so that children do not take them for theirs.
pub(crate) fn take_sockets() {
    let mut given = listenfd::ListenFd::from_env();
    let sockets = (0..given.len()).filter_map(|at| given.take_tcp_listener(at).ok().flatten());
    *lock(&INHERITED) = sockets.collect();
}

/// The sockets that were taken, once.
pub(crate) fn sockets() -> Vec<TcpListener> {
    std::mem::take(&mut lock(&INHERITED))
}

/// The service manager, which may be none.
#[derive(Debug)]
pub(crate) struct ServiceManager {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants to hear that all is well.
    watchdog: Option<Duration>,
    routes: Arc<Mutex<Vec<Weak<dyn RunningRoute>>>>,
    /// Tells it, until this is dropped.
    telling: Option<AbortOnDropHandle<()>>,
}

impl ServiceManager {
    /// As the environment says.
    pub(crate) fn from_env() -> Self {
        let address = env::var_os("NOTIFY_SOCKET").and_then(|name| match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
            _ => SocketAddr::from_pathname(name).ok(),
        });
        let socket = address.and_then(|address| Some((UnixDatagram::unbound().ok()?, address)));
        let number = |name| env::var(name).ok()?.parse::<u64>().ok();
        let own = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|&micros| own && micros > 0);
        Self {
            socket,
            watchdog: watchdog.map(Duration::from_micros),
            routes: Arc::default(),
            telling: None,
        }
    }

    /// Tells it something, in lines.
    fn tell(&self, lines: &str) {
        if let Some((socket, address)) = &self.socket {
            let _ = socket.set_nonblocking(true);
            let _ = socket.send_to_addr(lines.as_bytes(), address);
        }
    }

    /// All listeners are bound and the routes at work.
    pub(crate) fn ready(&mut self, workers: Option<Arc<WorkerThreads>>) {
        self.tell("READY=1");
        let Some((socket, address)) = &self.socket else { return };
        let (Ok(socket), address) = (socket.try_clone(), address.clone()) else { return };
        let teller = Self {
            socket: Some((socket, address)),
            watchdog: self.watchdog,
            routes: Arc::clone(&self.routes),
            telling: None,
        };
        self.telling = Some(AbortOnDropHandle::new(tokio::spawn(teller.keep_telling(workers))));
    }

    /// A reload begins; [`reloaded`](Self::reloaded) is to follow.
    pub(crate) fn reloading(&self) {
        let micros = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = micros.tv_sec * 1_000_000 + micros.tv_nsec / 1_000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// A reload has ended, well or not.
    pub(crate) fn reloaded(&self) {
        self.tell("READY=1");
    }

    /// The process ends, within a time.
    pub(crate) fn stopping(&self, within: Duration) {
        let micros = within.as_micros();
        self.tell(&format!("STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC={micros}"));
    }

    /// Another process is the service from now on, and tells what there is to tell.
    pub(crate) fn hand_over(&mut self, process: u32) {
        self.telling = None;
        self.tell(&format!("MAINPID={process}"));
    }

    /// This process is the service again.
    pub(crate) fn take_back(&mut self, workers: Option<Arc<WorkerThreads>>) {
        self.tell(&format!("MAINPID={}", std::process::id()));
        self.ready(workers);
    }

    /// These routes have to work, or the watchdog is not fed.
    pub(crate) fn watch(&self, routes: &[Arc<dyn RunningRoute>]) {
        *lock(&self.routes) = routes.iter().map(Arc::downgrade).collect();
    }

    async fn keep_telling(self, workers: Option<Arc<WorkerThreads>>) {
        let every = self.watchdog.map_or(TELL_EVERY, |all| (all / 3).min(TELL_EVERY));
        loop {
            let routes: Vec<_> = lock(&self.routes).iter().filter_map(Weak::upgrade).collect();
            work(workers.as_deref(), &routes).await;
            let mut lines = status(&routes);
            if self.watchdog.is_some() {
                lines.push_str("\nWATCHDOG=1");
            }
            drop(routes);
            self.tell(&lines);
            let next: Instant = now() + every;
            sleep_until(Some(next)).await;
        }
    }
}

/// Ends when each worker thread has done something, and each route's farm.
async fn work(workers: Option<&WorkerThreads>, routes: &[Arc<dyn RunningRoute>]) {
    for runtime in workers.into_iter().flat_map(WorkerThreads::runtimes) {
        let _ = runtime.spawn(async {}).await;
    }
    for route in routes {
        let (route, runtime) =
            (Arc::clone(route), workers.and_then(|workers| workers.runtimes().next()));
        let touch = async move { route.touch() };
        let _ = match runtime {
            Some(runtime) => runtime.spawn(touch).await,
            None => tokio::spawn(touch).await,
        };
    }
}

fn status(routes: &[Arc<dyn RunningRoute>]) -> String {
    let rigs: usize = routes.iter().map(|route| route.roster().online()).sum();
    let pools: usize = routes.iter().map(|route| route.live_channels()).sum();
    format!("STATUS={rigs} rigs on {pools} pool connections, {} routes", routes.len())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_worker_in_an_endless_loop_is_waited_for() {
        let workers = WorkerThreads::start(2).unwrap();
        let soon = Duration::from_millis(200);
        tokio::time::timeout(Duration::from_secs(60), work(Some(&workers), &[])).await.unwrap();
        let (free, hang) = mpsc::sync_channel::<()>(1);
        let second = (workers.next(), workers.next()).1;
        workers.runtime(second).spawn(async move { _ = hang.recv() });
        assert!(tokio::time::timeout(soon, work(Some(&workers), &[])).await.is_err());
        drop(free);
        tokio::time::timeout(Duration::from_secs(60), work(Some(&workers), &[])).await.unwrap();
    }
}
