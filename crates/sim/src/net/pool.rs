//! Drives a [`Pool`]: connections, listeners, and what is due.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orepass_stratum::line::LineReader;
use orepass_stratum::target::Difficulty;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::sync::Notify;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::now;
use super::wait::{self, WaitTimeout};
use crate::coin::Manners;
use crate::pool::{Pool, PoolConfig, PoolFault, PoolStats};

/// How many bytes a connection in memory holds in each direction.
const PIPE: usize = 64 * 1024;
/// How long to wait after a failed accept, which is mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long the other side may leave a write waiting.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// A pool that serves connections. Clones are handles to the same pool.
#[derive(Debug, Clone)]
pub struct PoolServer {
    shared: Arc<ServerShared>,
}

#[derive(Debug)]
struct ServerShared {
    state: Mutex<ServerState>,
    /// What is due next has changed.
    sooner: Notify,
    closed: CancellationToken,
    manners: Manners,
}

#[derive(Debug)]
struct ServerState {
    pool: Pool,
    /// Wakes the tasks of the connections.
    tasks: HashMap<u64, Arc<Notify>>,
}

impl PoolServer {
    /// A pool with its first job made.
    #[must_use]
    pub fn new(config: PoolConfig) -> Self {
        let pool = Pool::new(config, now());
        let manners = pool.manners();
        let shared = Arc::new(ServerShared {
            state: Mutex::new(ServerState { pool, tasks: HashMap::new() }),
            sooner: Notify::new(),
            closed: CancellationToken::new(),
            manners,
        });
        Self { shared }
    }

    /// Serves one connection, until one side ends it or the pool is closed.
    pub async fn serve<S>(&self, mut stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        while self.shared.state().pool.is_hung() {
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
        if let Some(connection) = CountedConnection::new(&self.shared) {
            connection.pump(&mut stream).await;
            // What a closing side owes the other is the end of its stream; an error changes nothing.
            let _ = timeout(WRITE_PATIENCE, stream.shutdown()).await;
        }
    }

    /// A connection in memory, served in the background.
    #[must_use]
    pub fn connect(&self) -> DuplexStream {
        let (near, far) = duplex(PIPE);
        let pool = self.clone();
        tokio::spawn(async move { pool.serve(far).await });
        near
    }

    /// Serves TCP connections at this address in the background, until the pool is closed.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn listen(&self, address: impl ToSocketAddrs) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let pool = self.clone();
        tokio::spawn(async move {
            let closed = pool.shared.closed.clone();
            // Ends the accepting; connections end by themselves.
            closed.run_until_cancelled(pool.accept(listener)).await;
        });
        Ok(address)
    }

    async fn accept(&self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    tracing::debug!(%peer, "connected");
                    // A failure makes answers slower, nothing else.
                    let _ = stream.set_nodelay(true);
                    let pool = self.clone();
                    tokio::spawn(async move { pool.serve(stream).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Makes jobs and blocks at the configured intervals, until the pool is closed.
    pub fn begin_schedule(&self) {
        self.shared.act(|pool| pool.begin_schedule(now()));
    }

    /// Makes a job on the present block and tells it to everybody.
    pub fn new_job(&self) {
        self.shared.act(|pool| pool.new_job(now()));
    }

    /// See [`Pool::new_block`].
    pub fn new_block(&self) {
        self.shared.act(|pool| pool.new_block(now()));
    }

    /// See [`Pool::hear_of_block`].
    pub fn hear_of_block(&self, tip: [u8; 32]) {
        self.shared.act(|pool| pool.hear_of_block(tip, now()));
    }

    /// Makes the pool misbehave.
    pub fn fault(&self, fault: PoolFault) {
        self.shared.act(|pool| pool.fault(fault, now()));
    }

    /// See [`Pool::heal`].
    pub fn heal(&self) {
        self.shared.act(|pool| pool.heal(now()));
    }

    /// Sets the difficulty from the next job on.
    pub fn set_difficulty(&self, difficulty: Difficulty) {
        self.fault(PoolFault::Difficulty(difficulty));
    }

    /// The counters as they are now.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.shared.state().pool.stats().clone()
    }

    /// Waits until the counters satisfy `wanted`, at most 30 s.
    ///
    /// # Errors
    /// [`WaitTimeout`] with the last counters.
    pub async fn wait_for(
        &self,
        wanted: impl FnMut(&PoolStats) -> bool,
    ) -> Result<PoolStats, WaitTimeout> {
        wait::until(wait::PATIENCE, || self.stats(), wanted).await
    }

    /// Ends all connections, the listeners and the schedule.
    pub fn close(&self) {
        self.shared.closed.cancel();
    }
}

impl ServerShared {
    /// A panic while the books were open leaves them readable; every entry is made at once.
    fn state(&self) -> MutexGuard<'_, ServerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the pool, and wakes whom that concerns.
    fn act<T>(self: &Arc<Self>, act: impl FnOnce(&mut Pool) -> T) -> T {
        let mut state = self.state();
        let ServerState { pool, tasks } = &mut *state;
        let before = pool.poll_timeout();
        let done = act(pool);
        while let Some(connection) = pool.poll_news() {
            if let Some(task) = tasks.get(&connection) {
                task.notify_one();
            }
        }
        let after = pool.poll_timeout();
        drop(state);
        if before.is_none() && after.is_some() {
            tokio::spawn(Arc::clone(self).keep_time());
        } else if after < before {
            self.sooner.notify_one();
        }
        done
    }

    /// Has the pool do what is due, until nothing is due any more or it is closed.
    async fn keep_time(self: Arc<Self>) {
        loop {
            let Some(due) = self.state().pool.poll_timeout() else { return };
            tokio::select! {
                biased;
                () = self.closed.cancelled() => return,
                () = sleep_until(due.into()) => {}
                () = self.sooner.notified() => {}
            }
            let mut state = self.state();
            let ServerState { pool, tasks } = &mut *state;
            pool.handle_timeout(now());
            while let Some(connection) = pool.poll_news() {
                if let Some(task) = tasks.get(&connection) {
                    task.notify_one();
                }
            }
            if pool.poll_timeout().is_none() {
                return;
            }
        }
    }
}

/// A connection as long as it is counted as open.
struct CountedConnection<'a> {
    shared: &'a Arc<ServerShared>,
    number: u64,
    news: Arc<Notify>,
}

impl<'a> CountedConnection<'a> {
    /// `None` when connections are refused.
    fn new(shared: &'a Arc<ServerShared>) -> Option<Self> {
        let mut state = shared.state();
        let number = state.pool.handle_connected()?;
        let news = Arc::new(Notify::new());
        state.tasks.insert(number, Arc::clone(&news));
        Some(Self { shared, number, news })
    }

    async fn pump<S>(&self, stream: &mut S)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let manners = &self.shared.manners;
        let mut lines = LineReader::new(manners.max_line);
        loop {
            let transmit = self.shared.state().pool.transmit(self.number);
            if !transmit.bytes.is_empty() {
                match timeout(WRITE_PATIENCE, stream.write_all(&transmit.bytes)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return,
                    Err(_) => return self.shared.act(|pool| pool.handle_stuck(self.number)),
                }
            }
            if transmit.ends {
                return;
            }
            lines.buffer().reserve(manners.read);
            tokio::select! {
                biased;
                () = self.shared.closed.cancelled() => return,
                () = self.news.notified() => {}
                read = stream.read_buf(lines.buffer()) => match read {
                    Ok(0) | Err(_) => return,
                    Ok(_) => self.shared.act(|pool| self.take_lines(pool, &mut lines)),
                },
            }
        }
    }

    fn take_lines(&self, pool: &mut Pool, lines: &mut LineReader) {
        // Before anything is cut into lines, as those servers do it.
        if self.shared.manners.flood.is_some_and(|most| lines.buffer().len() > most) {
            return pool.handle_flood(self.number);
        }
        while let Some(line) = lines.next_line() {
            match line {
                Ok(line) => pool.handle_line(self.number, line, now()),
                Err(_) => return pool.handle_malformed(self.number),
            }
        }
    }
}

impl Drop for CountedConnection<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.tasks.remove(&self.number);
        state.pool.handle_gone(self.number);
    }
}
