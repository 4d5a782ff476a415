//! Pumps a [`Session`](super::session::Session) over a byte stream.

use std::sync::Arc;
use std::time::Duration;

use orepass_stratum::line::LineReader;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until, timeout};

use super::Inner;
use super::session::{Next, Outbox, Session};

/// How long the other side may leave a write waiting.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// Serves a connection until one side ends it.
pub(super) async fn serve<S>(pool: Arc<Inner>, mut stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(open) = Open::new(&pool) else {
        return;
    };
    let mut events = pool.events.subscribe();
    let mut session = Session::new(Arc::clone(&pool), open.serial);
    let manners = pool.config.coin.manners();
    let mut lines = LineReader::new(manners.max_line);
    let mut out = Outbox::default();
    loop {
        let due = out.late.front().map(|(due, _)| *due);
        lines.buffer().reserve(manners.read);
        let next = tokio::select! {
            biased;
            () = pool.closed.cancelled() => Next::Close,
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                if let Some((_, answer)) = out.late.pop_front() {
                    out.now.extend_from_slice(&answer);
                }
                Next::Continue
            }
            event = events.recv() => match event {
                Ok(event) => session.handle_event(&event, &mut out),
                // Whoever cannot keep up with the events does not read either.
                Err(RecvError::Lagged(_) | RecvError::Closed) => open.end(),
            },
            read = stream.read_buf(lines.buffer()) => match read {
                Ok(0) | Err(_) => Next::Close,
                // Before anything is cut into lines, as those servers do it.
                Ok(_) if manners.flood.is_some_and(|most| lines.buffer().len() > most) => {
                    pool.ledger().stats.connections_flooded += 1;
                    open.end()
                }
                Ok(_) => take_lines(&open, &mut session, &mut lines, &mut out),
            },
        };
        if pool.ledger().faults.stall {
            // Answers whose time came during the stall are lost.
            out.now.clear();
        }
        if !out.now.is_empty() {
            match timeout(WRITE_PATIENCE, stream.write_all(&out.now)).await {
                Ok(Ok(())) => out.now.clear(),
                Ok(Err(_)) => break,
                Err(_) => {
                    open.end();
                    break;
                }
            }
        }
        if next != Next::Continue {
            break;
        }
    }
    // What a closing side owes the other is the end of its stream; an error changes nothing.
    let _ = timeout(WRITE_PATIENCE, stream.shutdown()).await;
}

fn take_lines(
    open: &Open<'_>,
    session: &mut Session,
    lines: &mut LineReader,
    out: &mut Outbox,
) -> Next {
    loop {
        let line = match lines.next_line() {
            None => return Next::Continue,
            Some(Ok(line)) => line,
            Some(Err(_)) => {
                open.pool.ledger().stats.malformed_lines += 1;
                return open.end();
            }
        };
        tracing::trace!(connection = open.serial, line = %String::from_utf8_lossy(line), "read");
        let mut ledger = open.pool.ledger();
        if ledger.faults.stall {
            ledger.stats.ignored_lines += 1;
            continue;
        }
        drop(ledger);
        match session.handle_line(line, Instant::now(), out) {
            Next::Continue => {}
            Next::Close => return Next::Close,
            Next::Expel => return open.end(),
        }
    }
}

/// A connection as long as it is counted as open.
struct Open<'a> {
    pool: &'a Inner,
    serial: u64,
}

impl<'a> Open<'a> {
    /// `None` when connections are refused.
    fn new(pool: &'a Inner) -> Option<Self> {
        let mut ledger = pool.ledger();
        let full = ledger.stats.connections_open >= pool.config.max_connections as u64;
        if full || ledger.faults.refuse_connections {
            return None;
        }
        let serial = ledger.stats.connections_total;
        ledger.stats.connections_total += 1;
        ledger.stats.connections_open += 1;
        Some(Self { pool, serial })
    }

    /// Notes that the pool ends the connection for what the other side did.
    fn end(&self) -> Next {
        self.pool.ledger().stats.connections_ended += 1;
        Next::Close
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.pool.ledger().stats.connections_open -= 1;
    }
}
