//! Pumps a session with a rig.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Buf;
use orepass_stratum::channel::{ChannelView, Seat};
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::{CloseReason, Downstream, Event, Reply};
use orepass_stratum::error::Reject;
use orepass_stratum::job::Generation;
use orepass_stratum::line::{LineReader, MAX_RIG_LINE};
use orepass_stratum::pools::{Gate, PoolIndex};
use orepass_stratum::verdict::Verdict;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tracing::trace;

use crate::clock::now;
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

/// How long a rig stays on a channel without a connection before it looks for a sibling.
const STRANDED_AFTER: Duration = Duration::from_secs(3);

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
            Arc::clone(route.dialect()),
            Arc::clone(&route.downstream),
            session,
            now(),
        ),
        log: RigLog::new(route.name(), peer),
        place: None,
        former: None,
        waiting: None,
        leave_at: None,
        plan: route.plan(),
        mailbox: sender,
        entry,
        route,
    };
    let reason = served.pump(reader, writer, mail).await;
    served.log.down(&served.route, &reason);
}

struct Served<D: Dialect> {
    session: Downstream<D>,
    log: RigLog,
    place: Option<Place<D>>,
    /// The channel that the rig sat on before, for shares of the jobs that it was told there.
    former: Option<(Generation, Arc<Channel<D>>)>,
    waiting: Option<Wait<D>>,
    /// When the rig is closed, since it belongs elsewhere and cannot be told so.
    leave_at: Option<Instant>,
    plan: watch::Receiver<u64>,
    mailbox: mpsc::Sender<Mail>,
    entry: Entry,
    route: Arc<Route<D>>,
}

/// Where a rig sits.
struct Place<D: Dialect> {
    channel: Arc<Channel<D>>,
    view: watch::Receiver<ChannelView<D>>,
    /// The generation of its seat.
    generation: Generation,
    /// The channel could not take a share of this rig in time.
    overloaded: bool,
    /// Since when the channel has had no connection.
    lost_since: Option<Instant>,
    /// The channel has ended, and will show nothing more.
    gone: bool,
}

/// A rig that waits for a seat.
struct Wait<D: Dialect> {
    waiting: Waiting<D>,
    since: Instant,
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
            let slow =
                (unwritten > 0).then(|| *unwritten_since.get_or_insert_with(now) + WRITE_WITHIN);
            let timeout = self.deadline();
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
                    if verdict.is_err_and(|reject| reject.verdict == Verdict::Overflow) {
                        self.relieve();
                    }
                }
                () = shown(&mut self.place), if ready => self.look(),
                () = seats_changed(&mut self.waiting) => self.settle(),
                Ok(()) = self.plan.changed() => self.settle(),
                () = sleep_until(timeout) => self.on_time(),
                () = sleep_until(slow) => return CloseReason::SlowReader(WRITE_WITHIN),
                () = route.stopping().cancelled(), if !stopping => {}
                () = route.closing_now().cancelled() => {
                    self.session.handle_close(CloseReason::Shutdown);
                }
            }
        }
    }

    fn take_lines(&mut self, lines: &mut LineReader) {
        let at = now();
        while let Some(line) = lines.next_line() {
            match line {
                Ok(line) => {
                    // Not the line itself: an authorize has the rig's password in it.
                    trace!(bytes = line.len(), "a line from the rig");
                    self.session.handle_line(line, at);
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
        // To the pool that told the job, and to no other.
        let generation = submission.frames.generation;
        let present = self.place.as_ref().map(|place| (place.generation, &place.channel));
        let former = self.former.as_ref().map(|(generation, channel)| (*generation, channel));
        let issuer = [present, former].into_iter().flatten().find(|(of, _)| *of == generation);
        let Some((_, channel)) = issuer else { return };
        if let Err(Some(ticket)) = channel.submit(submission, ticket) {
            ticket.resolve(Err(Reject::overflow("pool connection saturated")));
            self.relieve();
        }
    }

    /// Books and logs what happened; the reason when the session is over.
    fn take_events(&mut self) -> Option<CloseReason> {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::WantsSeat => self.settle(),
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
                    let channel = self.place.as_ref().map(|place| place.channel.number);
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

    /// The channel shows something new.
    fn look(&mut self) {
        let Some(place) = &mut self.place else { return };
        if place.view.has_changed().is_ok() {
            let shown = place.view.borrow_and_update().clone();
            place.lost_since =
                if shown.live { None } else { place.lost_since.or_else(|| Some(now())) };
            self.session.handle_view(&shown, now());
        } else {
            place.gone = true;
            self.settle();
        }
    }

    /// Finds the rig the place that it should have, if that is not the one it has.
    fn settle(&mut self) {
        let at = now();
        if self.route.choice().gate() == Gate::Closed {
            return self.session.handle_close(CloseReason::Outage);
        }
        let pool = self.route.pool_for(self.entry.rig().serial);
        let must_move = match &self.place {
            None => self.session.wants_seat(),
            Some(place) => place.must_leave(pool, at),
        };
        if !must_move {
            self.waiting = None;
            self.leave_at = None;
            return;
        }
        if self.waiting.is_none() {
            self.waiting = Some(Wait { waiting: self.route.wait(), since: at });
        }
        let patient =
            self.waiting.as_ref().is_some_and(|wait| at.duration_since(wait.since) < PATIENCE);
        let Some(pool) = pool else { return };
        let not = self.place.as_ref().filter(|place| place.must_not_stay(at));
        let not = not.map(|place| place.channel.number);
        match self.route.seat(pool, patient, not) {
            // The rig comes back to that seat, or another, by itself.
            SeatAnswer::Seat(..)
                if self.place.is_some() && !self.session.takes_set_extranonce() =>
            {
                let delay = || self.route.closing.delay(at, fastrand::f64());
                self.leave_at.get_or_insert_with(|| at + delay());
                self.waiting = None;
            }
            SeatAnswer::Seat(seat, channel) => self.sit(seat, channel, at),
            SeatAnswer::Wait => {}
            SeatAnswer::Full(reason) => match &self.place {
                None => self.session.handle_no_seat(reason),
                Some(place) if place.channel.is_gone() => {
                    self.session.handle_close(CloseReason::ExtranonceChanged);
                }
                // Better a place that is not the right one than none.
                Some(_) => self.stay(),
            },
        }
    }

    /// The channel could not take a share in time: another one is opened, and a rig that can be
    /// told so goes there.
    fn relieve(&mut self) {
        if let Some(place) = &mut self.place {
            place.overloaded = self.session.takes_set_extranonce();
            self.route.relieve(place.channel.pool);
        }
        self.settle();
    }

    /// There is no better place: the rig makes do with the one that it has.
    fn stay(&mut self) {
        self.waiting = None;
        if let Some(place) = &mut self.place {
            place.overloaded = false;
        }
    }

    fn sit(&mut self, seat: Seat, channel: Arc<Channel<D>>, at: Instant) {
        let view = channel.watch();
        let place = Place {
            channel,
            view,
            generation: seat.generation,
            overloaded: false,
            lost_since: None,
            gone: false,
        };
        if let Some(former) = self.place.replace(place) {
            self.former = Some((former.generation, former.channel));
        }
        self.waiting = None;
        self.leave_at = None;
        self.session.handle_seat(seat, at);
        self.look();
    }

    /// When [`on_time`](Self::on_time) wants to be called.
    fn deadline(&self) -> Option<Instant> {
        let stranded = self.place.as_ref().and_then(Place::stranded_at);
        let patience = self.waiting.as_ref().map(|wait| wait.since + PATIENCE);
        // What has passed has been acted on; only the session sets its own again.
        let ahead = |at: &Instant| *at > now();
        let own = [stranded, patience].into_iter().flatten().filter(ahead);
        own.chain(self.leave_at).chain(self.session.poll_timeout()).min()
    }

    fn on_time(&mut self) {
        let at = now();
        self.session.handle_timeout(at);
        if self.leave_at.is_some_and(|leave| leave <= at) {
            self.session.handle_close(CloseReason::ExtranonceChanged);
        }
        self.settle();
    }

    /// Writes what is left to say and closes.
    async fn farewell<W: AsyncWrite + Unpin>(
        &mut self,
        mut writer: W,
        reason: CloseReason,
    ) -> CloseReason {
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
    /// When a rig on a channel without a connection should look for another.
    fn stranded_at(&self) -> Option<Instant> {
        self.lost_since.map(|since| since + STRANDED_AFTER)
    }

    /// Whether the rig should sit elsewhere: at another pool, on another channel, or on the same
    /// one in its new generation.
    fn must_leave(&self, pool: Option<PoolIndex>, at: Instant) -> bool {
        let generation = {
            let view = self.view.borrow();
            view.ground.as_ref().map(|_| view.generation)
        };
        self.channel.is_gone()
            || generation.is_some_and(|generation| generation != self.generation)
            || pool.is_some_and(|pool| pool != self.channel.pool)
            || self.must_not_stay(at)
    }

    /// Whether the rig should sit on any channel but this one.
    fn must_not_stay(&self, at: Instant) -> bool {
        self.overloaded || self.stranded_at().is_some_and(|stranded| stranded <= at)
    }
}

/// Resolves when the rig's channel shows something new, or is gone; that only once, since a rig may
/// have to wait for another place.
async fn shown<D: Dialect>(place: &mut Option<Place<D>>) {
    match place {
        // An error means that the channel is gone, which a look finds out.
        Some(place) if !place.gone => drop(place.view.changed().await),
        _ => std::future::pending().await,
    }
}

/// Resolves when a waiting rig may find a seat.
async fn seats_changed<D: Dialect>(waiting: &mut Option<Wait<D>>) {
    match waiting {
        Some(wait) => wait.waiting.changed().await,
        None => std::future::pending().await,
    }
}

/// Sleeps until an instant, or for ever without one.
pub(crate) async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
