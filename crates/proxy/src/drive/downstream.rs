//! Pumps a session with a rig.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Buf;
use orepass_stratum::channel::ChannelView;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::{CloseReason, Downstream, Event, Reply};
use orepass_stratum::error::Reject;
use orepass_stratum::line::{LineReader, MAX_RIG_LINE};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tracing::trace;

use crate::rig_log::RigLog;
use crate::roster::{Entry, Identity};
use crate::route::channel::Channel;
use crate::route::{Route, SeatAnswer, Waiting};
use crate::ticket::{Mail, Ticket, mailbox};

/// How much is read at once.
const READ_SIZE: usize = 1024;
/// With more than this unwritten, nothing more is read from the rig or told to it.
const MAX_UNWRITTEN: usize = 64 * 1024;
/// How long a rig may leave what is written to it unread.
const WRITE_WITHIN: Duration = Duration::from_secs(60);
/// How long the last words to a rig may take.
const FAREWELL_WITHIN: Duration = Duration::from_secs(2);
/// How long a rig waits for a lease to come free before another connection is opened for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves a rig to its end.
pub async fn serve<D, R, W>(route: Arc<Route<D>>, reader: R, writer: W, peer: SocketAddr)
where
    D: Dialect,
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let entry = route.roster().enter(peer);
    let session = format!("{:08x}", entry.rig().serial as u32);
    let (sender, mail) = mailbox();
    let mut served = Served {
        session: Downstream::new(
            Arc::clone(&route.dialect),
            Arc::clone(&route.downstream),
            session,
            Instant::now(),
        ),
        log: RigLog::new(route.name(), peer),
        place: Place::Nowhere,
        mailbox: sender,
        entry,
        route,
    };
    let reason = served.pump(reader, writer, mail).await;
    served.log.down(&served.route, &reason);
}

/// Where a session stands.
enum Place<D: Dialect> {
    Nowhere,
    Waiting(Waiting<D>, Instant),
    Seated(Arc<Channel<D>>, watch::Receiver<ChannelView<D>>),
}

struct Served<D: Dialect> {
    session: Downstream<D>,
    log: RigLog,
    place: Place<D>,
    mailbox: mpsc::Sender<Mail>,
    entry: Entry,
    route: Arc<Route<D>>,
}

impl<D: Dialect> Served<D> {
    async fn pump<R, W>(
        &mut self,
        mut reader: R,
        mut writer: W,
        mut mail: mpsc::Receiver<Mail>,
    ) -> CloseReason
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut lines = LineReader::new(MAX_RIG_LINE);
        let mut unwritten_since: Option<Instant> = None;
        let route = Arc::clone(&self.route);
        loop {
            if let Some(reason) = self.take_events() {
                return self.farewell(writer, reason).await;
            }
            let stopping = route.stopping().is_cancelled();
            if stopping && self.session.in_flight() == 0 {
                self.session.handle_close(CloseReason::Shutdown);
                continue;
            }
            let unwritten = self.session.transmit().remaining();
            let ready = unwritten < MAX_UNWRITTEN && !stopping;
            unwritten_since = unwritten_since.filter(|_| unwritten > 0);
            let slow = (unwritten > 0)
                .then(|| *unwritten_since.get_or_insert_with(Instant::now) + WRITE_WITHIN);
            let timeout = self.session.poll_timeout();
            lines.buffer().reserve(READ_SIZE);
            tokio::select! {
                read = reader.read_buf(lines.buffer()), if ready => match read {
                    Ok(1..) => self.take_lines(&mut lines),
                    Ok(0) | Err(_) => return CloseReason::Gone,
                },
                wrote = writer.write_buf(self.session.transmit()), if unwritten > 0 => match wrote {
                    Ok(1..) => unwritten_since = None,
                    Ok(0) | Err(_) => return CloseReason::Gone,
                },
                Some(Mail { number, verdict }) = mail.recv() => {
                    self.session.handle_verdict(number, &verdict);
                    self.log.verdict(&verdict);
                }
                () = self.place.changed(), if ready => self.look(),
                () = sleep_until(timeout) => self.session.handle_timeout(Instant::now()),
                () = sleep_until(slow) => return CloseReason::SlowReader(WRITE_WITHIN),
                () = route.stopping().cancelled(), if !stopping => {}
                () = route.ending().cancelled() => {
                    self.session.handle_close(CloseReason::Shutdown);
                }
            }
        }
    }

    fn take_lines(&mut self, lines: &mut LineReader) {
        let now = Instant::now();
        while let Some(line) = lines.next_line() {
            match line {
                Ok(line) => {
                    trace!(line = %String::from_utf8_lossy(line), "from the rig");
                    self.session.handle_line(line, now);
                }
                Err(error) => self.session.handle_line_error(error),
            }
            self.forward();
            if self.session.is_closed() {
                return;
            }
        }
    }

    /// Hands a share to the channel, which never makes us wait.
    fn forward(&mut self) {
        let Some(submission) = self.session.poll_submission() else { return };
        let answered = self.route.downstream.reply == Reply::Local;
        let mailbox = (!answered).then(|| self.mailbox.clone());
        let worker = self.route.roster.worker(&submission.worker);
        let books = [Arc::clone(&self.route.book), worker];
        if submission.hash.is_none() {
            books.iter().for_each(|book| book.unchecked());
        }
        let ticket = Ticket::new(submission.number, submission.hashes, books, mailbox);
        let Place::Seated(channel, _) = &self.place else { return };
        if let Err(Some(ticket)) = channel.submit(submission, ticket) {
            ticket.resolve(Err(Reject::overflow("pool connection saturated")));
            self.route.relieve();
        }
    }

    /// Books and logs what happened; the reason when the session is over.
    fn take_events(&mut self) -> Option<CloseReason> {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::WantsSeat => self.find_seat(),
                Event::Sent => self.route.book.sent(),
                Event::Ended { verdict, hashes, reason, diagnosis, worker } => {
                    self.route.book.ended(verdict, hashes);
                    if let Some(worker) = worker {
                        self.route.roster.worker(&worker).ended(verdict, hashes);
                    }
                    self.log.ended(verdict, reason.as_deref(), diagnosis);
                }
                Event::Subscribed | Event::Authorized(_) => {
                    self.entry.rig().identify(Identity {
                        worker: self.session.worker().cloned(),
                        agent: self.session.agent().map(str::to_owned),
                    });
                    let channel = match &self.place {
                        Place::Seated(channel, _) => Some(channel.number),
                        _ => None,
                    };
                    self.log.up(&self.session, channel);
                }
                Event::Told(job) => trace!(%job, "told"),
                Event::Block { job, hash } => self.log.block(job, &hash),
                Event::BadLine(what) => self.log.bad_line(what),
                Event::Remark(remark) => self.log.remark(&remark),
                Event::Closed(reason) => return Some(reason),
            }
        }
        None
    }

    /// The channel shows something new, or a seat may have come free.
    fn look(&mut self) {
        match &mut self.place {
            Place::Seated(channel, view) if view.has_changed().is_err() => {
                // Its task is gone for good, and with it the space of this rig's lease.
                trace!(channel = channel.number, "gone");
                self.session.handle_close(CloseReason::ExtranonceChanged);
            }
            Place::Seated(_, view) => {
                let shown = view.borrow_and_update().clone();
                self.session.handle_view(&shown, Instant::now());
            }
            Place::Waiting(..) | Place::Nowhere => self.find_seat(),
        }
    }

    fn find_seat(&mut self) {
        let now = Instant::now();
        if let Place::Seated(channel, _) = &self.place {
            // The channel has a new space. Without room in it, the rig comes back to another.
            match channel.view().seat() {
                Ok(seat) => self.session.handle_seat(seat, now),
                Err(_) => self.session.handle_close(CloseReason::ExtranonceChanged),
            }
            return self.look();
        }
        if matches!(self.place, Place::Nowhere) {
            self.place = Place::Waiting(self.route.wait(), now);
        }
        let patient = match &self.place {
            Place::Waiting(_, since) => now.duration_since(*since) < PATIENCE,
            _ => true,
        };
        match self.route.seat(patient) {
            SeatAnswer::Seat(seat, channel) => {
                let view = channel.watch();
                self.place = Place::Seated(channel, view);
                self.session.handle_seat(seat, now);
                self.look();
            }
            SeatAnswer::Wait => {}
            SeatAnswer::Full(reason) => self.session.handle_no_seat(reason),
        }
    }

    /// Writes what is left to say and closes.
    async fn farewell<W: AsyncWrite + Unpin>(
        &mut self,
        mut writer: W,
        reason: CloseReason,
    ) -> CloseReason {
        if reason == CloseReason::ExtranonceChanged {
            let delay = self.route.closing.delay(Instant::now(), fastrand::f64());
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.route.ending().cancelled() => {}
            }
        }
        let words = async {
            writer.write_all_buf(self.session.transmit()).await?;
            writer.shutdown().await
        };
        // A rig that does not listen to its last words is closed all the same.
        let _ = tokio::time::timeout(FAREWELL_WITHIN, words).await;
        reason
    }
}

impl<D: Dialect> Place<D> {
    /// Resolves when there is something to look at.
    async fn changed(&mut self) {
        match self {
            Self::Nowhere => std::future::pending().await,
            Self::Waiting(waiting, since) => {
                let patience_ends = *since + PATIENCE;
                let impatient = (Instant::now() < patience_ends).then_some(patience_ends);
                tokio::select! {
                    () = waiting.changed() => {}
                    () = sleep_until(impatient) => {}
                }
            }
            Self::Seated(_, view) => {
                // An error means that the channel is gone, which `look` finds out.
                let _ = view.changed().await;
            }
        }
    }
}

/// Sleeps until an instant, or for ever without one.
pub(super) async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
