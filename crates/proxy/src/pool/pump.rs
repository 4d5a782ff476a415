//! Pumps a session with a pool.

use std::future::{Future, poll_fn};
use std::io;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::error::{Fault, Reject};
use orepass_stratum::line::{LineError, LineReader, MAX_POOL_LINE};
use orepass_stratum::time::Instant;
use orepass_stratum::upstream::{DownReason, LoginCall, Upstream, UpstreamEvent};
use thiserror::Error;
use tokio_util::io::poll_read_buf;
use tokio_util::sync::CancellationToken;
use tracing::trace;

use crate::clock::{Alarm, now};
use crate::net::connect::{ConnectError, PoolReader, PoolWriter};
use crate::net::wire::poll_write_all;
use crate::route::channel::Forwarded;
use crate::route::ticket::Ticket;
use crate::route::traffic::ByteCounts;
use crate::route::window::{DOUBT, GIVE_WAY, ShareWindow};

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
    /// The pool closed it instead of an answer.
    #[error("the pool closed the connection instead of answering {0}")]
    Hangup(LoginCall),
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
pub(crate) async fn pump<D: Dialect>(
    upstream: &mut Upstream<D, Ticket>,
    reader: PoolReader,
    writer: PoolWriter,
    window: &ShareWindow<Forwarded<D>>,
    bytes: &ByteCounts,
    ending: &CancellationToken,
    on_event: impl FnMut(&Upstream<D, Ticket>, UpstreamEvent<Ticket>) -> ControlFlow<End>,
) -> End {
    let lines = LineReader::new(MAX_POOL_LINE);
    let (alarm, unwritten_since) = (Alarm::default(), None);
    let mut pump =
        Pump { upstream, reader, writer, window, bytes, on_event, lines, alarm, unwritten_since };
    let mut ending = pin!(ending.cancelled());
    poll_fn(|context| {
        if ending.as_mut().poll(context).is_ready() {
            return Poll::Ready(End::Stopped);
        }
        pump.turn(context)
    })
    .await
}

struct Pump<'a, D: Dialect, F> {
    upstream: &'a mut Upstream<D, Ticket>,
    reader: PoolReader,
    writer: PoolWriter,
    window: &'a ShareWindow<Forwarded<D>>,
    bytes: &'a ByteCounts,
    on_event: F,
    lines: LineReader,
    alarm: Alarm,
    unwritten_since: Option<Instant>,
}

impl<D, F> Pump<'_, D, F>
where
    D: Dialect,
    F: FnMut(&Upstream<D, Ticket>, UpstreamEvent<Ticket>) -> ControlFlow<End>,
{
    /// Does all that there is to do: takes the rigs' shares, reads what the pool says, and writes
    /// the shares of the turn at once.
    fn turn(&mut self, context: &mut Context<'_>) -> Poll<End> {
        loop {
            let calls = self.window.bell.answer(context.waker());
            if calls.has(GIVE_WAY) {
                return Poll::Ready(End::SameExtranonce);
            }
            if calls.has(DOUBT) {
                self.upstream.handle_doubt(now());
            }
            let went_on = match self.step(context) {
                ControlFlow::Break(end) => return Poll::Ready(end),
                ControlFlow::Continue(went_on) => went_on,
            };
            if self.alarm.poll(self.deadline(), context).is_ready() {
                let at = now();
                if self.stuck_at().is_some_and(|stuck| stuck <= at) {
                    return Poll::Ready(End::Stuck);
                }
                while let Some((_, ticket)) = self.window.take_overdue(at) {
                    ticket.resolve(Reject::saturated().into());
                }
                self.upstream.handle_timeout(at);
            } else if !went_on {
                return Poll::Pending;
            }
        }
    }

    /// One round; tells whether there may be more to do.
    fn step(&mut self, context: &mut Context<'_>) -> ControlFlow<End, bool> {
        let mut went_on = self.take_shares();
        self.lines.buffer().reserve(READ_SIZE);
        match poll_read_buf(Pin::new(&mut self.reader), context, self.lines.buffer()) {
            Poll::Ready(Ok(0)) => return ControlFlow::Break(self.closed()),
            Poll::Ready(Ok(bytes)) => {
                self.bytes.add_read(bytes);
                self.take_lines()?;
                went_on = true;
            }
            Poll::Ready(Err(error)) => return ControlFlow::Break(End::Broke(error)),
            Poll::Pending => {}
        }
        while let Some(event) = self.upstream.poll_event() {
            (self.on_event)(self.upstream, event)?;
            went_on = true;
        }
        match poll_write_all(&mut *self.writer, self.upstream.transmit(), context) {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::WriteZero => {
                return ControlFlow::Break(self.closed());
            }
            Poll::Ready(Err(error)) => return ControlFlow::Break(End::Broke(error)),
            Poll::Ready(Ok(0)) | Poll::Pending => {}
            // The pace of a pool may let more go once this has gone.
            Poll::Ready(Ok(bytes)) => {
                self.bytes.add_written(bytes);
                self.unwritten_since = None;
            }
        }
        if self.upstream.transmit().has_remaining() {
            self.unwritten_since.get_or_insert_with(now);
        }
        ControlFlow::Continue(went_on)
    }

    fn closed(&self) -> End {
        self.upstream.open_login().map_or(End::Closed, End::Hangup)
    }

    fn take_shares(&mut self) -> bool {
        let mut any = false;
        while let Some((submission, ticket)) =
            self.window.take(|is_block| self.upstream.has_room(is_block))
        {
            self.upstream.handle_submission(submission, ticket, now());
            any = true;
        }
        self.window.set_room(self.upstream.room());
        any
    }

    fn take_lines(&mut self) -> ControlFlow<End> {
        let at = now();
        while let Some(line) = self.lines.next_line() {
            match line {
                Ok(line) => {
                    trace!(line = %self.upstream.without_secrets(line), "a line from the pool");
                    self.upstream.handle_line(line, at);
                }
                Err(LineError::TooLong { cap }) => self.upstream.handle_overlong(cap, at),
                Err(error) => return ControlFlow::Break(End::NotStratum(error)),
            }
        }
        ControlFlow::Continue(())
    }

    fn stuck_at(&self) -> Option<Instant> {
        self.unwritten_since.map(|since| since + WRITE_WITHIN)
    }

    fn deadline(&self) -> Option<Instant> {
        let own = [self.stuck_at(), self.window.poll_timeout(), self.upstream.poll_timeout()];
        own.into_iter().flatten().min()
    }
}
