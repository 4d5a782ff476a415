//! One upstream connection at a time, kept alive.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use orepass_stratum::backoff::{Backoff, Ended};
use orepass_stratum::channel::Submission;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::error::Reject;
use orepass_stratum::upstream::{DownReason, Upstream, UpstreamConfig, UpstreamEvent};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::AGENT;
use super::address::PoolAddress;
use super::log::Lost;
use super::outlet::Outlet;
use super::pump::{End, pump};
use crate::clock::{now, sleep_until};
use crate::limits::Pass;
use crate::net::connect::Connection;
use crate::route::channel::Signals;
use crate::route::ticket::Ticket;
use crate::watch;

/// A connection has served well when it was there for so long, or took so many shares.
const SERVED: Duration = Duration::from_secs(10);
const MANY_SHARES: u32 = 20;
/// How much longer than others a connection that serves one rig waits after such a clash.
const GIVE_WAY_FOR: Duration = Duration::from_secs(2);

pub(crate) struct ChannelTask<D: Dialect> {
    pub(crate) outlet: Outlet<D>,
    pub(crate) address: PoolAddress,
    pub(crate) closing: CancellationToken,
    pub(crate) inbox: mpsc::Receiver<(Submission<D>, Ticket)>,
    pub(crate) signals: Arc<Signals>,
    /// Counts how often a connection to this pool has come to serve.
    pub(crate) news: watch::Receiver<u64>,
    /// Whether no pool serves at all.
    pub(crate) urgent: watch::Receiver<bool>,
    /// The place of its connection, also while there is none: it is to come back.
    pub(crate) _file: Pass,
}

impl<D: Dialect> ChannelTask<D> {
    /// One connection after the other, until the channel is closed.
    pub(crate) async fn run(mut self) {
        let mut upstream = self.upstream();
        let mut backoff = Backoff::default();
        while !self.closing.is_cancelled() {
            let since = now();
            let end = self.connection(&mut upstream).await;
            upstream.handle_disconnected(now());
            self.drain(&mut upstream);
            if self.closing.is_cancelled() {
                return;
            }
            // Without a connection the session speaks of the one before. What was shown of one may
            // be behind.
            let made = !matches!(end, End::Connect(_));
            let (was_live, serving) = (made && upstream.was_live(), made && upstream.was_serving());
            let taken = self.outlet.ended(&end, serving);
            let long = now().saturating_duration_since(since) >= SERVED;
            let how = how(&end, serving && long, taken);
            let wait = self.plan(&end, how, &mut backoff);
            let others_live = self.outlet.others_live();
            self.outlet.log.lost(Lost { end: &end, was_live, others_live, wait });
            if !serving
                && !matches!(end, End::Reconnect(_) | End::SameExtranonce)
                && let Some(left) = self.address.go_back()
            {
                self.outlet.log.went_back(&left, self.address.url());
            }
            self.idle(&mut backoff, &mut upstream).await;
        }
    }

    /// Decides when the next connection is made; gives how long that is.
    fn plan(&mut self, end: &End, how: Ended, backoff: &mut Backoff) -> Duration {
        // What was told before this end is old.
        self.news.mark_unchanged();
        let urgent = *self.urgent.borrow_and_update();
        // Of two that clash the one that many rigs share comes first.
        let gives_way = matches!(end, End::SameExtranonce) && self.outlet.link.dedicated;
        let from = now() + if gives_way { GIVE_WAY_FOR } else { Duration::ZERO };
        let mut due = backoff.ended(how, urgent, from, fastrand::f64());
        if let End::Reconnect(asked) = end {
            due = backoff.not_before(now() + *asked);
        }
        due.saturating_duration_since(now())
    }

    fn upstream(&self) -> Upstream<D, Ticket> {
        let Outlet { route, link, .. } = &self.outlet;
        let (config, pool) = (&route.config, route.pool(link.pool));
        let upstream = UpstreamConfig::new(pool.user.own(), pool.password.clone(), AGENT)
            .with_number(link.number)
            .with_prefix_bytes(if link.dedicated { Some(0) } else { config.prefix_bytes })
            .with_max_rigs(config.max_rigs_per_channel)
            .with_resubmit(pool.resubmit)
            .with_start_difficulty(pool.start_difficulty)
            .with_max_shares_per_second(config.max_pool_shares_per_second);
        let dialect = Arc::clone(&route.dialects[link.pool]);
        Upstream::new(dialect, upstream, route.shared[link.pool].clone())
    }

    /// One connection, from its making to its end.
    async fn connection(&mut self, upstream: &mut Upstream<D, Ticket>) -> End {
        let connector = Arc::clone(&self.outlet.route.connector);
        let url = self.address.url().clone();
        let mut connecting = connector.connect(&url);
        let connection = loop {
            tokio::select! {
                biased;
                () = self.closing.cancelled() => return End::Stopped,
                () = sleep_until(upstream.poll_timeout()) => self.time_out(upstream),
                connection = &mut connecting => break connection,
                Some((_, ticket)) = self.inbox.recv() => ticket.resolve(Err(Reject::lost())),
            }
        };
        let Connection { reader, writer, peer } = match connection {
            Ok(connection) => connection,
            Err(error) => return End::Connect(error),
        };
        self.signals.forget();
        self.outlet.log.address = Some(peer);
        self.outlet.route.refresh_habits(self.outlet.link.pool);
        upstream.handle_connected(now());
        let Self { outlet, address, closing, inbox, signals, .. } = self;
        let on_event = |upstream: &Upstream<D, Ticket>, event| match event {
            UpstreamEvent::Reconnect { host, port, wait } => {
                redirected(outlet, address, host.as_deref(), port, wait)
            }
            event => outlet.take(upstream, event),
        };
        pump(upstream, reader, writer, inbox, signals, closing, on_event).await
    }

    /// Passes on what is left after a connection's end.
    fn drain(&mut self, upstream: &mut Upstream<D, Ticket>) {
        while let Some(event) = upstream.poll_event() {
            // Nothing of it can end the connection any more.
            let _ = self.outlet.take(upstream, event);
        }
    }

    /// Gives up shares that were held for the next connection, and have been for too long.
    fn time_out(&mut self, upstream: &mut Upstream<D, Ticket>) {
        upstream.handle_timeout(now());
        self.drain(upstream);
    }

    /// Waits for the next attempt, and answers shares that come meanwhile: no connection can take
    /// them. What the pool's other connections and the other pools do may shorten the wait.
    async fn idle(&mut self, backoff: &mut Backoff, upstream: &mut Upstream<D, Ticket>) {
        loop {
            tokio::select! {
                biased;
                () = self.closing.cancelled() => return,
                () = sleep_until(backoff.due()) => return backoff.begun(),
                Ok(()) = self.news.changed() => backoff.follow(now(), fastrand::f64()),
                Ok(()) = self.urgent.changed() => {
                    if *self.urgent.borrow_and_update() {
                        backoff.urge(now(), fastrand::f64());
                    }
                }
                () = sleep_until(upstream.poll_timeout()) => self.time_out(upstream),
                Some((_, ticket)) = self.inbox.recv() => ticket.resolve(Err(Reject::lost())),
            }
        }
    }
}

/// How a connection ended on which the pool took so many shares.
const fn how(end: &End, was_long: bool, taken: u32) -> Ended {
    match end {
        End::Down(DownReason::AuthorizeRefused { .. } | DownReason::NoRoom(_)) => Ended::Refused,
        // It may be given the same again.
        End::SameExtranonce if !was_long => Ended::Failed,
        _ if was_long || taken >= MANY_SHARES => Ended::Served,
        _ if taken > 0 => Ended::Brief,
        _ => Ended::Failed,
    }
}

/// The pool wants us to connect again, perhaps at another place.
fn redirected<D: Dialect>(
    outlet: &Outlet<D>,
    address: &mut PoolAddress,
    host: Option<&str>,
    port: Option<u16>,
    wait: Duration,
) -> ControlFlow<End> {
    let pools = outlet.route.config.pools.iter().map(|pool| &pool.url);
    match address.follow(host, port, pools, now()) {
        Ok(moves) => {
            if moves {
                outlet.log.redirected(address.url());
            }
            ControlFlow::Break(End::Reconnect(wait))
        }
        Err(refused) => {
            outlet.log.elsewhere(host, port, refused);
            ControlFlow::Continue(())
        }
    }
}
