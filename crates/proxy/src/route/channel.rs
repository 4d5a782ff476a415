//! One upstream connection at a time, kept alive, and the space that it was given.

pub(super) mod log;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use orepass_stratum::backoff::Backoff;
use orepass_stratum::channel::{ChannelView, Submission};
use orepass_stratum::dialect::Dialect;
use orepass_stratum::error::Reject;
use orepass_stratum::pools::PoolIndex;
use orepass_stratum::upstream::{DownReason, Notice, Upstream, UpstreamConfig, UpstreamEvent};
use orepass_stratum::verdict::Verdict;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::Route;
use super::reconnect::Place;
use crate::clock::now;
use crate::drive::downstream::sleep_until;
use crate::drive::upstream::{End, Signals, pump};
use crate::limits::Pass;
use crate::net::connect::Connection;
use crate::ticket::Ticket;

use log::{Log, Lost};

/// The most shares that wait to be taken by a channel's task.
const MAX_INBOX: usize = 256;
/// A connection without a share has served when it was there for so long.
const SERVED: Duration = Duration::from_secs(10);
/// How much longer than others a connection that serves one rig waits after such a clash.
const GIVE_WAY_FOR: Duration = Duration::from_secs(2);
/// The name that the proxy gives itself.
pub(crate) const AGENT: &str = concat!("orepass/", env!("CARGO_PKG_VERSION"));

/// A channel as sessions see it.
pub struct Channel<D: Dialect> {
    /// Its number within the route, for logs.
    pub number: u64,
    /// Which of the route's pools it belongs to.
    pub pool: PoolIndex,
    /// Whether it serves one rig alone, with nothing split off.
    pub dedicated: bool,
    /// Ends its task.
    closing: CancellationToken,
    view: watch::Receiver<ChannelView<D>>,
    inbox: mpsc::Sender<(Submission<D>, Ticket)>,
    pub(super) signals: Arc<Signals>,
}

impl<D: Dialect> Channel<D> {
    pub(super) fn open(
        route: &Arc<Route<D>>,
        number: u64,
        pool: PoolIndex,
        dedicated: bool,
    ) -> Arc<Self> {
        let closing = route.ending().child_token();
        let (view_sender, view) = watch::channel(ChannelView::unborn());
        let (inbox, receiver) = mpsc::channel(MAX_INBOX);
        let signals = Arc::new(Signals::default());
        let task = Task {
            log: Log::new(route, pool, number),
            _file: route.config.door.claim(),
            route: Arc::clone(route),
            pool,
            dedicated,
            place: Place::new(route.pool(pool).url.clone()),
            closing: closing.clone(),
            view: view_sender,
            inbox: receiver,
            signals: Arc::clone(&signals),
        };
        route.tasks.spawn(task.run());
        Arc::new(Self { number, pool, dedicated, closing, view, inbox, signals })
    }

    /// What the channel shows at this moment.
    #[must_use]
    pub fn view(&self) -> ChannelView<D> {
        self.view.borrow().clone()
    }

    /// A receiver of all that it will show.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<ChannelView<D>> {
        self.view.clone()
    }

    /// Whether nobody shares it: nothing is split off.
    #[must_use]
    pub fn is_undivided(&self) -> bool {
        let view = self.view.borrow();
        view.ground.as_ref().map_or(self.dedicated, |ground| ground.split.prefix_bytes == 0)
    }

    /// Whether the pool takes shares.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.view.borrow().live
    }

    /// Whether its task has ended; it will never serve again.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.view.has_changed().is_err()
    }

    /// Ends it for good.
    pub(super) fn close(&self) {
        self.closing.cancel();
    }

    /// Hands a share over without waiting; gives its ticket back when the inbox is full.
    ///
    /// # Errors
    /// The ticket, to be resolved as overflow; `None` where the task has ended, which resolves it
    /// as lost.
    pub fn submit(&self, submission: Submission<D>, ticket: Ticket) -> Result<(), Option<Ticket>> {
        self.inbox.try_send((submission, ticket)).map_err(|error| match error {
            mpsc::error::TrySendError::Full((_, ticket)) => Some(ticket),
            mpsc::error::TrySendError::Closed(_) => None,
        })
    }
}

struct Task<D: Dialect> {
    route: Arc<Route<D>>,
    pool: PoolIndex,
    dedicated: bool,
    place: Place,
    closing: CancellationToken,
    log: Log,
    view: watch::Sender<ChannelView<D>>,
    inbox: mpsc::Receiver<(Submission<D>, Ticket)>,
    signals: Arc<Signals>,
    /// The place of its connection, also while there is none: it is to come back.
    _file: Pass,
}

impl<D: Dialect> Task<D> {
    async fn run(mut self) {
        self.connections().await;
        // It was closed since nobody needs it, and perhaps it was the pool's last.
        let other = |channel: &Arc<Channel<D>>| {
            channel.pool == self.pool
                && channel.number != self.log.channel
                && !channel.closing.is_cancelled()
        };
        if !self.route.channels().iter().any(other) {
            self.route.report(|choice, now| choice.released(self.pool, now));
        }
    }

    /// One connection after the other, until the channel is closed.
    async fn connections(&mut self) {
        let mut upstream = self.upstream();
        let mut backoff = Backoff::default();
        while !self.closing.is_cancelled() {
            let since = now();
            let end = self.connection(&mut upstream).await;
            // The session goes offline before its end is told, so the last view tells.
            let was_live = self.view.borrow().live;
            upstream.handle_disconnected(now());
            self.drain(&mut upstream);
            if self.closing.is_cancelled() {
                return;
            }
            self.report(&end, was_live);
            let long = now().saturating_duration_since(since) >= SERVED;
            let clashes = matches!(end, End::SameExtranonce);
            if was_live && (long || upstream.has_served()) {
                backoff = Backoff::default();
                if !clashes {
                    backoff.served();
                }
            }
            let mut wait = backoff.next_wait(fastrand::f64());
            if clashes && self.dedicated {
                // The one that many rigs share comes first.
                wait += GIVE_WAY_FOR;
            }
            if let End::Reconnect(asked) = end {
                wait = wait.max(asked);
            }
            self.log.lost(Lost { end: &end, was_live, others_live: self.others_live(), wait });
            let served = was_live || matches!(end, End::Reconnect(_) | End::SameExtranonce);
            if !served && let Some(left) = self.place.go_back() {
                self.log.went_back(&left, self.place.url());
            }
            self.idle(wait, &mut upstream).await;
        }
    }

    /// Tells the choice of pools what a connection's end means, if it was the pool's last. Those
    /// that are left are asked whether they live.
    fn report(&self, end: &End, was_live: bool) {
        let pool = self.pool;
        match end {
            // One that wants us to wait is as good as lost: rigs must not wait with us.
            End::Reconnect(wait) if !wait.is_zero() => {}
            End::Reconnect(_) | End::SameExtranonce => return,
            _ => {}
        }
        let mut left = self.route.channels().clone();
        left.retain(|channel| channel.pool == pool && channel.is_live());
        if !left.is_empty() {
            left.iter().for_each(|channel| channel.signals.doubt.notify_one());
            return;
        }
        let given_up = matches!(end, End::Down(_));
        self.route.report(|choice, now| {
            if was_live && !given_up {
                choice.lost(pool, now);
            } else {
                choice.down(pool, now);
            }
        });
    }

    /// Whether other connections to the same pool take shares.
    fn others_live(&self) -> bool {
        let channels = self.route.channels();
        let mut others = channels.iter().filter(|other| other.number != self.log.channel);
        others.any(|other| other.pool == self.pool && other.is_live())
    }

    fn upstream(&self) -> Upstream<D, Ticket> {
        let config = &self.route.config;
        let pool = self.route.pool(self.pool);
        let upstream = UpstreamConfig {
            number: self.log.channel,
            prefix_bytes: if self.dedicated { Some(0) } else { config.prefix_bytes },
            max_rigs: config.max_rigs_per_channel,
            resubmit: pool.resubmit,
            start_difficulty: pool.start_difficulty,
            max_shares_per_second: config.max_pool_shares_per_second,
            ..UpstreamConfig::new(pool.user.own(), pool.password.clone(), AGENT)
        };
        let dialect = Arc::clone(&self.route.dialects[self.pool]);
        Upstream::new(dialect, upstream, self.route.shared[self.pool].clone())
    }

    /// One connection, from its making to its end.
    async fn connection(&mut self, upstream: &mut Upstream<D, Ticket>) -> End {
        let (connector, url) = (Arc::clone(&self.route.connector), self.place.url().clone());
        let mut connecting = connector.connect(&url);
        let connection = loop {
            tokio::select! {
                connection = &mut connecting => break connection,
                () = sleep_until(upstream.poll_timeout()) => self.time_out(upstream),
                () = self.closing.cancelled() => return End::Stopped,
            }
        };
        let Connection { reader, writer, peer } = match connection {
            Ok(connection) => connection,
            Err(error) => return End::Connect(error),
        };
        self.log.address = Some(peer);
        self.route.refresh_habits(self.pool);
        upstream.handle_connected(now());
        let ending = self.closing.clone();
        let Self { inbox, signals, view, route, log, pool, place, dedicated, .. } = self;
        let (pool, dedicated) = (*pool, *dedicated);
        let on_event = |upstream: &Upstream<D, Ticket>, event| match event {
            UpstreamEvent::Reconnect { host, port, wait } => {
                redirected(route, place, log, host.as_deref(), port, wait)
            }
            event => take_event(route, (pool, dedicated), log, view, upstream, event),
        };
        pump(upstream, reader, writer, inbox, signals, &ending, on_event).await
    }

    /// Passes on what is left after a connection's end.
    fn drain(&self, upstream: &mut Upstream<D, Ticket>) {
        while let Some(event) = upstream.poll_event() {
            // Nothing of it can end the connection any more.
            let whose = (self.pool, self.dedicated);
            let _ = take_event(&self.route, whose, &self.log, &self.view, upstream, event);
        }
    }

    /// Gives up shares that were held for the next connection, and have been for too long.
    fn time_out(&self, upstream: &mut Upstream<D, Ticket>) {
        upstream.handle_timeout(now());
        self.drain(upstream);
    }

    /// Waits, and answers shares that come meanwhile: no connection can take them.
    async fn idle(&mut self, wait: Duration, upstream: &mut Upstream<D, Ticket>) {
        let over = tokio::time::sleep(wait);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return,
                () = sleep_until(upstream.poll_timeout()) => self.time_out(upstream),
                () = self.closing.cancelled() => return,
                Some((_, ticket)) = self.inbox.recv() => ticket.resolve(Err(Reject::lost())),
            }
        }
    }
}

/// The pool wants us to connect again, perhaps at another place.
fn redirected<D: Dialect>(
    route: &Route<D>,
    place: &mut Place,
    log: &Log,
    host: Option<&str>,
    port: Option<u16>,
    wait: Duration,
) -> ControlFlow<End> {
    let pools = route.config.pools.iter().map(|pool| &pool.url);
    match place.follow(host, port, pools, now()) {
        Ok(moves) => {
            if moves {
                log.redirected(place.url());
            }
            ControlFlow::Break(End::Reconnect(wait))
        }
        Err(refused) => {
            log.elsewhere(host, port, refused);
            ControlFlow::Continue(())
        }
    }
}

fn take_event<D: Dialect>(
    route: &Arc<Route<D>>,
    (pool, dedicated): (PoolIndex, bool),
    log: &Log,
    view: &watch::Sender<ChannelView<D>>,
    upstream: &Upstream<D, Ticket>,
    event: UpstreamEvent<Ticket>,
) -> ControlFlow<End> {
    match event {
        UpstreamEvent::View => {
            let shown = upstream.view();
            if let Some(work) = &shown.work
                && let Some(block) = work.dialect.block_key(&work.job)
            {
                route.mention(|choice, now| choice.block(pool, block, now));
            }
            let live = shown.live;
            view.send_replace(shown);
            if live {
                route.report(|choice, now| choice.up(pool, now));
            }
            route.bump();
        }
        UpstreamEvent::Verdict { ticket, verdict, after, weighs } => {
            let stale = verdict.as_ref().is_err_and(|reject| reject.verdict == Verdict::Stale);
            if after.is_some() && weighs && !stale {
                route.mention(|choice, now| choice.verdict(pool, verdict.is_ok(), now));
            }
            ticket.resolve(verdict);
        }
        UpstreamEvent::LateVerdict => route.book.late_verdict(),
        UpstreamEvent::Resent => route.book.resent(),
        UpstreamEvent::ResentDuplicate => route.book.resent_duplicate(),
        UpstreamEvent::Down(DownReason::SameExtranonce(clash)) => {
            route.clashes(clash.connection, !dedicated);
            return ControlFlow::Break(End::SameExtranonce);
        }
        UpstreamEvent::Down(reason) => return ControlFlow::Break(End::Down(reason)),
        // It comes too late to be followed.
        UpstreamEvent::Reconnect { .. } => {}
        UpstreamEvent::Notice(notice) => {
            if let Notice::Learnt { learnt, .. } = &notice {
                route.remember_habit(pool, *learnt);
            }
            log.notice(&notice);
        }
    }
    ControlFlow::Continue(())
}
