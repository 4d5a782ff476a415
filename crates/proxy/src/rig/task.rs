//! Pumps a session with a rig.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;
use bytes::Buf;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::{CloseReason, Downstream, Event, Reply};
use orepass_stratum::error::Reject;
use orepass_stratum::job::Generation;
use orepass_stratum::line::{LineReader, MAX_RIG_LINE};
use orepass_stratum::verdict::Verdict;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tracing::trace;

use super::account::Accounts;
use super::log::RigLog;
use super::roster::{Entry, HeldBooks};
use super::seat::{Place, Wait, seats_changed, shown};
use crate::clock::{now, sleep_until};
use crate::route::channel::Channel;
use crate::route::ticket::{Mail, Ticket, mailbox};
use crate::route::{DRAIN_FOR, Needs, Route};
use crate::watch;

/// The most places that a rig has left whose channels are remembered, for blocks that it still finds.
const MAX_FORMER: usize = 4;
/// How much is read at once.
const READ_SIZE: usize = 1024;
/// With more than this unwritten, nothing more is read from the rig or told to it.
const MAX_UNWRITTEN: usize = 64 * 1024;
/// How long a rig may leave what is written to it unread.
const WRITE_WITHIN: Duration = Duration::from_secs(60);
/// How long the last words to a rig may take, with the verdicts that it still waits for.
const FAREWELL_WITHIN: Duration = Duration::from_secs(2);

/// Serves a rig that came to a local port to its end.
pub async fn serve<D, R, W>(
    route: Arc<Route<D>>,
    mut reader: R,
    mut writer: W,
    peer: SocketAddr,
    port: u16,
) where
    D: Dialect,
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let entry = route.roster().enter(peer);
    let session = format!("{:08x}", entry.rig().serial as u32);
    let (sender, mut mail) = mailbox();
    let mut served = Served {
        session: Downstream::new(
            Arc::clone(route.dialect()),
            Arc::clone(&route.downstream),
            session,
            now(),
        ),
        log: RigLog::new(route.name(), peer),
        accounts: Accounts::new(peer.ip(), port),
        books: HeldBooks::default(),
        place: None,
        former: ArrayVec::new(),
        waiting: None,
        held: false,
        leave_at: None,
        plan: route.plan(),
        needs: Needs::default(),
        slot: None,
        mailbox: sender,
        entry,
        route,
    };
    let reason = served.pump(&mut reader, &mut writer, &mut mail).await;
    served.remember();
    // A connection that is broken or stuck was left without closing the session.
    if served.session.is_closed() {
        served.farewell(&mut writer, &mut mail, &reason).await;
    }
    served.log.down(&served.route, &reason);
}

pub(super) struct Served<D: Dialect> {
    pub(super) session: Downstream<D>,
    pub(super) log: RigLog,
    pub(super) accounts: Accounts,
    /// The books of its workers.
    pub(super) books: HeldBooks,
    pub(super) place: Option<Place<D>>,
    /// The channels that the rig sat on before, for what it finds of the jobs that it was told there,
    /// the last one last.
    pub(super) former: ArrayVec<(Generation, Arc<Channel<D>>), MAX_FORMER>,
    pub(super) waiting: Option<Wait<D>>,
    /// Lines have come that are not taken in yet.
    pub(super) held: bool,
    /// When the rig is closed, since it belongs elsewhere and cannot be told so.
    pub(super) leave_at: Option<Instant>,
    pub(super) plan: watch::Receiver<u64>,
    /// What is known of the rig's firmware.
    pub(super) needs: Needs,
    /// The lease that it had when it was here before.
    pub(super) slot: Option<u64>,
    pub(super) mailbox: mpsc::Sender<Mail>,
    pub(super) entry: Entry,
    pub(super) route: Arc<Route<D>>,
}

impl<D: Dialect> Served<D> {
    async fn pump<R, W>(
        &mut self,
        reader: &mut R,
        writer: &mut W,
        mail: &mut mpsc::Receiver<Mail>,
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
                return reason;
            }
            let stopping = route.stopping().is_cancelled();
            if stopping && self.session.in_flight() == 0 {
                self.session.handle_close(CloseReason::Shutdown);
                continue;
            }
            let unwritten = self.session.transmit().remaining();
            let ready = unwritten < MAX_UNWRITTEN && !stopping;
            // Whoever sends nothing but rubbish is read slowly.
            let reads = ready && self.session.reads_at().is_none_or(|at| at <= now());
            if reads && std::mem::take(&mut self.held) {
                self.take_lines(&mut lines);
                continue;
            }
            unwritten_since = unwritten_since.filter(|_| unwritten > 0);
            let slow =
                (unwritten > 0).then(|| *unwritten_since.get_or_insert_with(now) + WRITE_WITHIN);
            let timeout = self.deadline();
            lines.buffer().reserve(READ_SIZE);
            // What is due comes first, and what the rig is owed before what it says next.
            tokio::select! {
                biased;
                () = route.closing_now().cancelled() => {
                    self.session.handle_close(CloseReason::Shutdown);
                }
                () = route.stopping().cancelled(), if !stopping => {}
                () = sleep_until(slow) => return CloseReason::SlowReader(WRITE_WITHIN),
                () = sleep_until(timeout) => self.on_time(),
                Some(Mail { number, verdict }) = mail.recv() => {
                    self.take_verdict(number, &verdict);
                    if verdict.is_err_and(|reject| reject.verdict == Verdict::Overflow) {
                        self.relieve();
                    }
                }
                () = shown(&mut self.place), if ready => self.look(),
                () = seats_changed(&mut self.waiting) => self.settle(),
                Ok(()) = self.plan.changed() => self.settle(),
                wrote = writer.write_buf(self.session.transmit()), if unwritten > 0 => match wrote {
                    Ok(1..) => unwritten_since = None,
                    Ok(0) | Err(_) => return CloseReason::Gone,
                },
                read = reader.read_buf(lines.buffer()), if reads => match read {
                    Ok(1..) => self.take_lines(&mut lines),
                    // It says no more, and may listen still.
                    Ok(0) => self.session.handle_close(CloseReason::Gone),
                    Err(_) => return CloseReason::Gone,
                },
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
            self.held = self.session.reads_at().is_some_and(|next| next > at);
            if self.held || self.session.is_closed() {
                return;
            }
        }
    }

    /// Hands a share to the channel, which never makes us wait.
    fn forward(&mut self) {
        let Some(mut submission) = self.session.poll_submission() else { return };
        let answered = self.route.downstream.reply == Reply::Local;
        let mailbox = (!answered).then(|| self.mailbox.clone());
        let worker = self.route.roster.worker(&submission.worker, &mut self.books);
        let books = [Arc::clone(&self.route.book), worker];
        if submission.hash.is_none() {
            books.iter().for_each(|book| book.unchecked());
        }
        let rig = Arc::clone(self.entry.rig());
        let open = self.route.open_share();
        let ticket = Ticket::new(submission.number, submission.hashes, books, rig, mailbox, open);
        let ticket = match submission.hash.filter(|_| submission.is_block) {
            Some(hash) => ticket.of_block(self.log.candidate(submission.frames.id, hash)),
            None => ticket,
        };
        // To the pool that told the job, and to no other.
        let generation = submission.frames.generation;
        let present = self.place.as_ref().map(|place| (place.generation, &place.channel));
        let former = self.former.iter().map(|(generation, channel)| (*generation, channel));
        let issuer = present.into_iter().chain(former).find(|(of, _)| *of == generation);
        let Some((_, channel)) = issuer else { return };
        let pool = (channel.pool, self.route.pool(channel.pool));
        submission.account =
            self.accounts.of(&submission.worker, pool, &self.session, &mut self.log);
        if let Err(Some(ticket)) = channel.submit(submission, ticket) {
            ticket.resolve(Err(Reject::saturated()));
            self.relieve();
        }
    }

    /// Books and logs what happened; the reason when the session is over.
    fn take_events(&mut self) -> Option<CloseReason> {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::WantsSeat => {
                    if self.session.wants_seat() {
                        self.recognise();
                    }
                    self.settle();
                }
                Event::Sent => self.route.book.sent(),
                Event::Ended { verdict, hashes, reason, diagnosis, worker } => {
                    self.route.book.ended(verdict, hashes);
                    if verdict.proves_work() && verdict != Verdict::Quarantined {
                        self.entry.rig().work.add(hashes);
                    }
                    if let Some(worker) = worker {
                        let book = self.route.roster.worker(&worker, &mut self.books);
                        book.ended(verdict, hashes);
                    }
                    let own = self.has_own_connection();
                    self.log.ended(verdict, reason.as_deref(), diagnosis, own);
                }
                Event::Subscribed => self.introduce(),
                Event::Authorized(worker) => {
                    self.welcome(&worker);
                    self.introduce();
                }
                Event::Conduct(turn, guess) => self.turn(turn, guess),
                Event::Misfit(diagnosis) => self.misfit(diagnosis),
                Event::Told(job) => trace!(%job, "told"),
                Event::Diagnosed(diagnosis) => self.log.diagnosed(diagnosis),
                Event::Proven(merit) => self.proven(merit),
                Event::BadLine(what) => self.log.bad_line(what),
                Event::Remark(remark) => self.log.remark(&remark),
                Event::Closed(reason) => {
                    if reason == CloseReason::Flood {
                        self.punish();
                    }
                    return Some(reason);
                }
            }
        }
        None
    }

    /// When [`on_time`](Self::on_time) wants to be called.
    fn deadline(&self) -> Option<Instant> {
        let stranded = self.place.as_ref().and_then(Place::stranded_at);
        let patience = self.waiting.as_ref().map(Wait::until);
        // What has passed has been acted on; only the session sets its own again.
        let ahead = |at: &Instant| *at > now();
        let own = [stranded, patience, self.session.reads_at()];
        let own = own.into_iter().flatten().filter(ahead);
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

    fn take_verdict(&mut self, number: u64, verdict: &Result<(), Reject>) {
        self.session.handle_verdict(number, verdict);
        self.log.verdict(verdict);
    }

    /// Tells the rig what it is still owed, as long as that may take, and closes. Nothing more is
    /// read.
    async fn farewell<W: AsyncWrite + Unpin>(
        &mut self,
        writer: &mut W,
        mail: &mut mpsc::Receiver<Mail>,
        reason: &CloseReason,
    ) {
        let within = match reason {
            // It waits for nothing else.
            CloseReason::Gone => DRAIN_FOR,
            _ => FAREWELL_WITHIN,
        };
        let closing_now = self.route.closing_now().clone();
        let words = async {
            loop {
                writer.write_all_buf(self.session.transmit()).await?;
                if self.session.in_flight() == 0 || closing_now.is_cancelled() {
                    return writer.shutdown().await;
                }
                tokio::select! {
                    biased;
                    Some(Mail { number, verdict }) = mail.recv() => {
                        self.take_verdict(number, &verdict);
                        self.take_events();
                    }
                    () = closing_now.cancelled() => {}
                }
            }
        };
        // A rig that does not listen to its last words is closed all the same.
        let _ = tokio::time::timeout(within, words).await;
    }
}

impl<D: Dialect> Drop for Served<D> {
    fn drop(&mut self) {
        self.route.forget(self.entry.rig());
    }
}
