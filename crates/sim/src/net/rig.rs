//! Drives a [`Rig`]: its connections, one after the other, and its hashing.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, timeout};

use super::now;
use super::wait::{self, WaitTimeout};
use crate::lines::LineCutter;
use crate::rig::{Rig, RigConfig, RigStats};

/// How long an attempt at a connection may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// How much is read at a time.
const READ: usize = 8 * 1024;
/// How long the pool may leave a write waiting.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// What drives a rig that has not been started. It lives until its [`RigHandle`] closes it, and
/// connects again whenever its connection ends.
#[derive(Debug)]
pub struct RigDriver {
    rig: SharedRig,
    control: watch::Receiver<Control>,
    from: Option<IpAddr>,
}

/// What a driver is told from outside: a state, so nothing is lost between two looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Control {
    /// How often mining was begun or stopped.
    turns: u64,
    /// How often the connection was to be dropped.
    drops: u64,
    closed: bool,
}

/// A running rig's strings. Clones hold the same ones; when the last is gone, the rig ends.
#[derive(Debug, Clone)]
pub struct RigHandle {
    rig: SharedRig,
    control: Arc<watch::Sender<Control>>,
}

/// A rig that its driver and its handles hold.
#[derive(Debug, Clone)]
struct SharedRig(Arc<Mutex<Rig>>);

impl SharedRig {
    /// Counters stay readable after a panic.
    fn lock(&self) -> MutexGuard<'_, Rig> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connects from an address of this machine.
async fn connect_from(from: IpAddr, address: &str) -> io::Result<TcpStream> {
    let mut found = lookup_host(address).await?;
    let to = found.find(|to| to.is_ipv4() == from.is_ipv4()).ok_or(io::ErrorKind::NotFound)?;
    let socket = if from.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.bind(SocketAddr::new(from, 0))?;
    socket.connect(to).await
}

impl RigDriver {
    /// A rig that is to be driven, and its handle.
    #[must_use]
    pub fn new(config: RigConfig) -> (Self, RigHandle) {
        let from = config.from;
        let rig = SharedRig(Arc::new(Mutex::new(Rig::new(config))));
        let (sender, control) = watch::channel(Control { turns: 0, drops: 0, closed: false });
        let handle = RigHandle { rig: rig.clone(), control: Arc::new(sender) };
        (Self { rig, control, from }, handle)
    }

    /// Mines over the connections that `connect` makes, until the handle closes the rig.
    pub async fn run<S, F, C>(self, mut connect: F) -> RigStats
    where
        S: AsyncRead + AsyncWrite + Unpin,
        F: FnMut() -> C,
        C: Future<Output = io::Result<S>>,
    {
        self.mine(|_| connect()).await
    }

    /// Mines at a TCP address (`host:port`), until the handle closes the rig. Firmware that
    /// follows `client.reconnect` may end up at another.
    pub async fn run_tcp(self, address: String) -> RigStats {
        self.rig.lock().set_address(address);
        let from = self.from;
        self.mine(|address| async move {
            let stream = match from {
                Some(from) => connect_from(from, &address).await?,
                None => TcpStream::connect(&address).await?,
            };
            // A failure makes shares slower, nothing else.
            let _ = stream.set_nodelay(true);
            Ok(stream)
        })
        .await
    }

    async fn mine<S, F, C>(mut self, mut connect: F) -> RigStats
    where
        S: AsyncRead + AsyncWrite + Unpin,
        F: FnMut(String) -> C,
        C: Future<Output = io::Result<S>>,
    {
        while !self.control.borrow().closed {
            let address = self.rig.lock().address().to_owned();
            let attempt = timeout(CONNECT_PATIENCE, connect(address));
            let attempt = tokio::select! {
                attempt = attempt => attempt,
                () = closed(self.control.clone()) => break,
            };
            match attempt {
                Ok(Ok(stream)) => self.converse(stream).await,
                Ok(Err(error)) => self.rig.lock().handle_unconnected(error.to_string()),
                Err(_) => {
                    let why = "the connection took too long".to_owned();
                    self.rig.lock().handle_unconnected(why);
                }
            }
            let pause = {
                let mut rig = self.rig.lock();
                if rig.has_given_up() {
                    break;
                }
                rig.pause()
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = closed(self.control.clone()) => break,
            }
        }
        self.rig.lock().stats().clone()
    }

    /// Logs in and mines until one side ends the connection.
    async fn converse<S>(&mut self, mut stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let rig = self.rig.clone();
        let told = *self.control.borrow_and_update();
        let mut lines = {
            let mut rig = rig.lock();
            rig.handle_connected();
            LineCutter::new(rig.habits().strict_lines)
        };
        let ended_here = loop {
            let bytes = rig.lock().transmit();
            let written = timeout(WRITE_PATIENCE, stream.write_all(&bytes));
            if !bytes.is_empty() && !matches!(written.await, Ok(Ok(()))) {
                break false;
            }
            let (mining, due) = {
                let mut rig = rig.lock();
                (rig.poll_mining(at()), rig.poll_timeout())
            };
            lines.buffer().reserve(READ);
            tokio::select! {
                biased;
                changed = self.control.changed() => {
                    let now_told = *self.control.borrow_and_update();
                    if changed.is_err() || now_told.closed || now_told.drops != told.drops {
                        break true;
                    }
                }
                read = stream.read_buf(lines.buffer()) => {
                    let ended = matches!(read, Ok(0) | Err(_));
                    if ended || !take_lines(&mut rig.lock(), &mut lines) {
                        break false;
                    }
                }
                () = sleep_until(due.unwrap_or_else(at).into()), if due.is_some() => {
                    rig.lock().handle_timeout(at());
                }
                () = ready(&rig, mining.unwrap_or_else(at)), if mining.is_some() => {
                    rig.lock().mine(at());
                }
            }
        };
        if ended_here {
            rig.lock().disconnect();
        } else {
            rig.lock().handle_disconnected();
        }
        // What a closing side owes the other is the end of its stream; an error changes nothing.
        let _ = timeout(WRITE_PATIENCE, stream.shutdown()).await;
    }
}

fn at() -> Instant {
    now().at
}

/// Ends when it is time to hash and there is something to; always lets other tasks run first.
async fn ready(rig: &SharedRig, due: Instant) {
    if due > at() {
        sleep_until(due.into()).await;
    } else {
        tokio::task::yield_now().await;
    }
    poll_fn(|context| rig.lock().poll_search(context)).await;
}

/// Whether the connection goes on.
fn take_lines(rig: &mut Rig, lines: &mut LineCutter) -> bool {
    let now = at();
    while let Some(line) = lines.next_line() {
        match line {
            Ok(line) => rig.handle_line(line, now),
            Err(error) => rig.handle_line_error(&error),
        }
        if rig.wants_to_end() {
            return false;
        }
    }
    rig.handle_ignored(lines.take_ignored());
    true
}

/// Ends when the rig is closed, or its handles are gone.
async fn closed(mut control: watch::Receiver<Control>) {
    // An error means that nobody is left to close the rig.
    let _ = control.wait_for(|control| control.closed).await;
}

impl RigHandle {
    /// Stops hashing; the connection stays, so that open answers come in.
    pub fn stop_mining(&self) {
        self.set_mining(false);
    }

    /// Starts hashing again.
    pub fn start_mining(&self) {
        self.set_mining(true);
    }

    fn set_mining(&self, mining: bool) {
        self.rig.lock().set_mining(mining);
        self.control.send_modify(|control| control.turns += 1);
    }

    /// Drops the connection; the rig comes back after its usual pause.
    pub fn drop_connection(&self) {
        self.control.send_modify(|control| control.drops += 1);
    }

    /// Ends the rig.
    pub fn close(&self) {
        self.control.send_modify(|control| control.closed = true);
    }

    /// The counters as they are now.
    #[must_use]
    pub fn stats(&self) -> RigStats {
        self.rig.lock().stats().clone()
    }

    /// Waits until the counters satisfy `wanted`, at most 30 s.
    ///
    /// # Errors
    /// [`WaitTimeout`] with the last counters.
    pub async fn wait_for(
        &self,
        wanted: impl FnMut(&RigStats) -> bool,
    ) -> Result<RigStats, WaitTimeout> {
        wait::until(wait::PATIENCE, || self.stats(), wanted).await
    }

    /// Waits until the rig does not hash and no share waits for its answer, at most 30 s. Meant for
    /// after [`stop_mining`](Self::stop_mining).
    ///
    /// # Errors
    /// [`WaitTimeout`] with the last counters.
    pub async fn drained(&self) -> Result<RigStats, WaitTimeout> {
        self.wait_for(RigStats::is_idle).await
    }
}
