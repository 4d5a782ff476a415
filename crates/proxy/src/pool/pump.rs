//! Pumps a session with a pool.

use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use bytes::Buf;
use orepass_stratum::channel::Submission;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::error::Fault;
use orepass_stratum::line::{LineError, LineReader, MAX_POOL_LINE};
use orepass_stratum::upstream::{DownReason, Upstream, UpstreamEvent};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::trace;

use crate::clock::{now, sleep_until};
use crate::net::connect::ConnectError;
use crate::route::channel::Signals;
use crate::route::ticket::Ticket;

/// How much is read at once.
const READ_SIZE: usize = 16 * 1024;
/// How long the pool may take to read what is written to it.
const WRITE_WITHIN: Duration = Duration::from_secs(30);

/// Why a connection to a pool ended.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum End {
    /// It was never made.
    #[error("{0}")]
    Connect(ConnectError),
    /// The pool closed it.
    #[error("the pool closed the connection")]
    Closed,
    /// It broke.
    #[error("{0}")]
    Broke(io::Error),
    /// What came was no stratum.
    #[error("this is no stratum server: {0}")]
    NotStratum(LineError),
    /// The pool reads nothing.
    #[error("the pool read nothing for {WRITE_WITHIN:?}")]
    Stuck,
    /// It was given up.
    #[error("{0}")]
    Down(DownReason),
    /// The pool asked for it, and to wait for so long before.
    #[error("the pool asked us to reconnect")]
    Reconnect(Duration),
    /// The pool gave an extranonce1 that another of our connections has: it would be the same work.
    #[error("the pool gave the extranonce1 of another of our connections again")]
    SameExtranonce,
    /// The proxy stops, or the connection is not needed any more.
    #[error("closed")]
    Stopped,
}

impl End {
    /// Who has to act on it.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Down(reason) => reason.fault(),
            Self::NotStratum(_) => Fault::Operator,
            Self::Stopped => Fault::Us,
            _ => Fault::Pool,
        }
    }
}

/// Runs one connection to its end. `on_event` is given each event with the session it comes from.
pub async fn pump<D, R, W>(
    upstream: &mut Upstream<D, Ticket>,
    mut reader: R,
    mut writer: W,
    inbox: &mut mpsc::Receiver<(Submission<D>, Ticket)>,
    signals: &Signals,
    ending: &CancellationToken,
    mut on_event: impl FnMut(&Upstream<D, Ticket>, UpstreamEvent<Ticket>) -> ControlFlow<End>,
) -> End
where
    D: Dialect,
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut lines = LineReader::new(MAX_POOL_LINE);
    let mut unwritten_since: Option<Instant> = None;
    loop {
        while let Some(event) = upstream.poll_event() {
            if let ControlFlow::Break(end) = on_event(upstream, event) {
                return end;
            }
        }
        let writing = upstream.transmit().has_remaining();
        unwritten_since = unwritten_since.filter(|_| writing);
        let stuck = writing.then(|| *unwritten_since.get_or_insert_with(now) + WRITE_WITHIN);
        let timeout = upstream.poll_timeout();
        lines.buffer().reserve(READ_SIZE);
        // What is due comes first, then verdicts, which make room for the shares behind them.
        tokio::select! {
            biased;
            () = ending.cancelled() => return End::Stopped,
            () = signals.give_way.notified() => return End::SameExtranonce,
            () = sleep_until(stuck) => return End::Stuck,
            () = sleep_until(timeout) => upstream.handle_timeout(now()),
            () = signals.doubt.notified() => upstream.handle_doubt(now()),
            read = reader.read_buf(lines.buffer()) => match read {
                Ok(0) => return End::Closed,
                Ok(_) => if let Err(end) = take_lines(upstream, &mut lines) {
                    return end;
                },
                Err(error) => return End::Broke(error),
            },
            wrote = writer.write_buf(upstream.transmit()), if writing => match wrote {
                Ok(0) => return End::Closed,
                Ok(_) => unwritten_since = None,
                Err(error) => return End::Broke(error),
            },
            Some((submission, ticket)) = inbox.recv() => {
                upstream.handle_submission(submission, ticket, now());
            }
        }
    }
}

fn take_lines<D: Dialect>(
    upstream: &mut Upstream<D, Ticket>,
    lines: &mut LineReader,
) -> Result<(), End> {
    let at = now();
    while let Some(line) = lines.next_line() {
        match line {
            Ok(line) => {
                trace!(line = %String::from_utf8_lossy(line), "a line from the pool");
                upstream.handle_line(line, at);
            }
            Err(LineError::TooLong { cap }) => upstream.handle_overlong(cap, at),
            Err(error) => return Err(End::NotStratum(error)),
        }
    }
    Ok(())
}
