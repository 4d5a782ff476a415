//! One upstream connection at a time, kept alive, and the space that it was given.

use std::ops::ControlFlow;
use std::sync::Arc;

use orepass_stratum::backoff::Backoff;
use orepass_stratum::channel::{ChannelView, Submission};
use orepass_stratum::dialect::Dialect;
use orepass_stratum::error::{Fault, Reject};
use orepass_stratum::pools::PoolIndex;
use orepass_stratum::upstream::{Notice, Upstream, UpstreamConfig, UpstreamEvent};
use orepass_stratum::verdict::Verdict;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{PoolConfig, Route};
use crate::clock::now;
use crate::drive::upstream::{End, pump};
use crate::ticket::Ticket;

/// The most shares that wait to be taken by a channel's task.
const MAX_INBOX: usize = 256;
/// The name that the proxy gives itself.
pub(crate) const AGENT: &str = concat!("orepass/", env!("CARGO_PKG_VERSION"));

/// A channel as sessions see it.
pub struct Channel<D: Dialect> {
    /// Its number within the route, for logs.
    pub number: u64,
    /// Which of the route's pools it belongs to.
    pub pool: PoolIndex,
    /// Ends its task.
    closing: CancellationToken,
    view: watch::Receiver<ChannelView<D>>,
    inbox: mpsc::Sender<(Submission<D>, Ticket)>,
}

impl<D: Dialect> Channel<D> {
    pub(super) fn open(route: &Arc<Route<D>>, number: u64, pool: PoolIndex) -> Arc<Self> {
        let closing = route.ending().child_token();
        let (view_sender, view) = watch::channel(ChannelView::unborn());
        let (inbox, receiver) = mpsc::channel(MAX_INBOX);
        let task = Task {
            log: Log {
                route: route.config.name.clone(),
                channel: number,
                pool: route.pool(pool).name.clone(),
            },
            route: Arc::clone(route),
            pool,
            closing: closing.clone(),
            view: view_sender,
            inbox: receiver,
        };
        route.tasks.spawn(task.run());
        Arc::new(Self { number, pool, closing, view, inbox })
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
    closing: CancellationToken,
    log: Log,
    view: watch::Sender<ChannelView<D>>,
    inbox: mpsc::Receiver<(Submission<D>, Ticket)>,
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
            let end = self.connection(&mut upstream).await;
            // The session goes offline before its end is told, so the last view tells.
            let was_live = self.view.borrow().live;
            upstream.handle_disconnected();
            self.drain(&mut upstream);
            if self.closing.is_cancelled() {
                return;
            }
            self.report(&end, was_live);
            if was_live {
                backoff.reset();
            }
            let wait = backoff.next_wait(fastrand::f64());
            self.log.lost(&end, was_live, wait);
            self.idle(wait).await;
        }
    }

    /// Tells the choice of pools what a connection's end means, if it was the pool's last.
    fn report(&self, end: &End, was_live: bool) {
        let pool = self.pool;
        let sibling =
            self.route.channels().iter().any(|channel| channel.pool == pool && channel.is_live());
        let harmless = matches!(end, End::Reconnect | End::SameExtranonce);
        if sibling || harmless {
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

    fn upstream(&self) -> Upstream<D, Ticket> {
        let config = &self.route.config;
        let pool = self.route.pool(self.pool);
        let upstream = UpstreamConfig {
            user: pool.user.clone(),
            password: pool.password.clone(),
            agent: AGENT.into(),
            prefix_bytes: config.prefix_bytes,
            max_rigs: config.max_rigs_per_channel,
            fallback: self.route.needs_fallback(self.pool),
        };
        let dialect = Arc::clone(&self.route.dialects[self.pool]);
        Upstream::new(dialect, upstream, Arc::clone(&self.route.ids))
    }

    /// One connection, from its making to its end.
    async fn connection(&mut self, upstream: &mut Upstream<D, Ticket>) -> End {
        let connecting = self.route.connector.connect(&self.route.pool(self.pool).url);
        let connection = tokio::select! {
            connection = connecting => connection,
            () = self.closing.cancelled() => return End::Stopped,
        };
        let (reader, writer) = match connection {
            Ok(connection) => connection,
            Err(error) => return End::Connect(error),
        };
        upstream.handle_connected(now());
        let ending = self.closing.clone();
        let Self { inbox, view, route, log, pool, .. } = self;
        let pool = *pool;
        let on_event = |upstream: &Upstream<D, Ticket>, event| {
            take_event(route, pool, log, view, upstream, event)
        };
        pump(upstream, reader, writer, inbox, &ending, on_event).await
    }

    /// Passes on what is left after a connection's end.
    fn drain(&mut self, upstream: &mut Upstream<D, Ticket>) {
        while let Some(event) = upstream.poll_event() {
            // Nothing of it can end the connection any more.
            let _ = take_event(&self.route, self.pool, &self.log, &self.view, upstream, event);
        }
    }

    /// Waits, and answers shares that come meanwhile: no connection can take them.
    async fn idle(&mut self, wait: std::time::Duration) {
        let over = tokio::time::sleep(wait);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return,
                () = self.closing.cancelled() => return,
                Some((_, ticket)) = self.inbox.recv() => ticket.resolve(Err(Reject::lost())),
            }
        }
    }
}

fn take_event<D: Dialect>(
    route: &Arc<Route<D>>,
    pool: PoolIndex,
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
        UpstreamEvent::Verdict { ticket, verdict, after } => {
            let stale = verdict.as_ref().is_err_and(|reject| reject.verdict == Verdict::Stale);
            if after.is_some() && !stale {
                route.mention(|choice, now| choice.verdict(pool, verdict.is_ok(), now));
            }
            ticket.resolve(verdict);
        }
        UpstreamEvent::LateVerdict => route.book.late_verdict(),
        UpstreamEvent::Down(reason) => return ControlFlow::Break(End::Down(reason)),
        UpstreamEvent::Reconnect { host, port } => {
            let configured = |pool: &PoolConfig| {
                host.as_deref().is_none_or(|host| host == pool.url.host())
                    && port.is_none_or(|port| port == pool.url.port())
            };
            let stays = configured(route.pool(pool));
            if stays {
                return ControlFlow::Break(End::Reconnect);
            }
            log.elsewhere(host.as_deref(), port);
        }
        UpstreamEvent::Notice(notice) => {
            match &notice {
                Notice::Fallback { .. } => route.note_fallback(pool),
                // Also one that the pool changes to later.
                Notice::Live | Notice::Ground { .. } if upstream.is_live() => {
                    let ground = upstream.view().ground;
                    let split = ground.map(|ground| ground.split);
                    if let Some(split) = split
                        && route.has_extranonce(log.channel, pool, &split.extranonce1)
                    {
                        return ControlFlow::Break(End::SameExtranonce);
                    }
                }
                _ => {}
            }
            log.notice(&notice);
        }
    }
    ControlFlow::Continue(())
}

/// The operator's view of a channel.
struct Log {
    route: String,
    pool: String,
    channel: u64,
}

impl Log {
    fn lost(&self, end: &End, was_live: bool, wait: std::time::Duration) {
        let Self { route, pool, channel } = self;
        let wait = format!("{:.1} s", wait.as_secs_f64());
        let fault = end.fault();
        if matches!(end, End::Reconnect) {
            info!(
                event = "pool.reconnect",
                route, pool, channel, "the pool asks us to reconnect; again in {wait}"
            );
        } else if fault == Fault::Operator {
            error!(event = "pool.down", route, pool, channel, %fault, "{end}; again in {wait}");
        } else if matches!(end, End::Closed) && !was_live {
            warn!(
                event = "pool.down", route, pool, channel, %fault,
                "the pool closed the connection before the login was done: it may refuse our \
                 version of the protocol or our address, or want TLS; again in {wait}"
            );
        } else if was_live {
            warn!(event = "pool.down", route, pool, channel, %fault, "connection lost: {end}; the rigs stay, again in {wait}");
        } else {
            warn!(event = "pool.down", route, pool, channel, %fault, "cannot connect: {end}; again in {wait}");
        }
    }

    fn elsewhere(&self, host: Option<&str>, port: Option<u16>) {
        let Self { route, pool, channel } = self;
        warn!(
            event = "pool.reconnect_refused",
            route,
            pool,
            channel,
            host,
            port,
            "the pool wants us on another server; not followed, since anyone between us and the pool could ask for that. Configure that server if it is right"
        );
    }

    fn notice(&self, notice: &Notice) {
        let Self { route, pool, channel } = self;
        match notice {
            Notice::Ground { split, capacity } => {
                info!(
                    event = "pool.extranonce", route, pool, channel,
                    extranonce1 = %split.extranonce1, prefix_bytes = split.prefix_bytes,
                    rig_extranonce2 = split.rig_extranonce2, rigs = capacity,
                    "the pool's extranonce space holds {capacity} rigs"
                );
                if let Some(remark) = &split.remark {
                    info!(event = "pool.split", route, pool, channel, "{remark}");
                }
            }
            Notice::Live => {
                info!(event = "pool.up", route, pool, channel, "connected and authorized");
            }
            Notice::Fallback { error } => warn!(
                event = "pool.split",
                route,
                pool,
                channel,
                "the pool takes no longer extranonce2 ({error}); the narrow split from now on, with new leases"
            ),
            Notice::Unusable { method, error } => warn!(
                event = "pool.unusable",
                route, pool, channel, method, "skipped a line that cannot be used: {error}"
            ),
            Notice::UnusableAnswer(error) => {
                warn!(event = "pool.unusable", route, pool, channel, "skipped an answer: {error}");
            }
            Notice::BadLine(start) => {
                warn!(
                    event = "pool.bad_line",
                    route, pool, channel, start, "a line makes no sense"
                );
            }
            Notice::Overlong { cap } => warn!(
                event = "pool.overlong",
                route, pool, channel, "skipped a line of more than {cap} bytes"
            ),
            Notice::Target(target) => {
                info!(event = "pool.target", route, pool, channel, %target, "share target changed");
            }
            Notice::Message(text) => {
                info!(event = "pool.message", route, pool, channel, "the pool says: {text}");
            }
        }
    }
}
