//! One upstream connection at a time, kept alive.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use orepass_farm::backoff::{Backoff, Ended};
use orepass_stratum::dialect::Dialect;
use orepass_stratum::upstream::{DownReason, Upstream, UpstreamConfig, UpstreamEvent};

use super::AGENT;
use super::address::{PoolAddress, PoolPlace};
use super::log::Lost;
use super::outlet::Outlet;
use super::pump::{End, pump};
use crate::bell::Calls;
use crate::clock::{now, sleep_until};
use crate::limits::Pass;
use crate::net::connect::PoolConnection;
use crate::route::Route;
use crate::route::channel::Channel;
use crate::route::ticket::Ticket;
use crate::route::window::{NEWS, URGENT};

/// A connection has served well when it was there for so long, or took so many shares.
const SERVED: Duration = Duration::from_secs(10);
const MANY_SHARES: u32 = 20;
/// How much longer than others a connection that serves one rig waits after such a clash.
const GIVE_WAY_FOR: Duration = Duration::from_secs(2);

/// The task of a channel.
pub(crate) struct ChannelTask<D: Dialect> {
    outlet: Outlet<D>,
    address: PoolAddress,
    /// The place of its connection, also while there is none: it is to come back.
    _file: Pass,
}

impl<D: Dialect> ChannelTask<D> {
    pub(crate) fn new(route: Arc<Route<D>>, channel: Arc<Channel<D>>) -> Self {
        Self {
            address: PoolAddress::new(PoolPlace::of(&channel.to.account)),
            _file: route.around.process.door.claim(),
            outlet: Outlet::new(route, channel),
        }
    }

    /// One connection after the other, until the channel is closed.
    pub(crate) async fn run(mut self) {
        let mut upstream = self.upstream();
        let mut backoff = Backoff::default();
        let closing = self.outlet.channel.closing.clone();
        while !closing.is_cancelled() {
            let since = now();
            let most = self.outlet.route.now().config.max_pool_shares_per_second;
            upstream.set_max_shares_per_second(most);
            let end = self.connection(&mut upstream).await;
            upstream.handle_disconnected(now());
            self.drain(&mut upstream);
            if closing.is_cancelled() {
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
    fn plan(&self, end: &End, how: Ended, backoff: &mut Backoff) -> Duration {
        // What it was called for before this end is old.
        self.outlet.channel.window.bell.answer(Waker::noop());
        let urgent = self.outlet.route.is_urgent();
        // Of two that clash the one that many rigs share comes first.
        let gives_way = matches!(end, End::SameExtranonce) && self.outlet.channel.dedicated;
        let from = now() + if gives_way { GIVE_WAY_FOR } else { Duration::ZERO };
        let mut due = backoff.ended(how, urgent, from, fastrand::f64());
        if let End::Reconnect(asked) = end {
            due = backoff.not_before(now() + *asked);
        }
        due.saturating_duration_since(now())
    }

    fn upstream(&self) -> Upstream<D, Ticket> {
        let Outlet { route, channel, .. } = &self.outlet;
        let (now, pool) = (route.now(), &channel.to.account);
        let config = &now.config;
        let upstream = UpstreamConfig::new(pool.user.own(), pool.password.reveal(), AGENT)
            .with_number(channel.id.0)
            .with_server(self.address.url().host(), self.address.url().port())
            .with_prefix_bytes(if channel.dedicated { Some(0) } else { config.prefix_bytes })
            .with_max_rigs(config.max_rigs_per_channel)
            .with_resubmit(pool.resubmit)
            .with_evidence(config.downstream.evidence)
            .with_start_difficulty(pool.start_difficulty)
            .with_max_shares_per_second(config.max_pool_shares_per_second);
        Upstream::new(Arc::clone(&channel.to.dialect), upstream, channel.to.shared.clone())
    }

    /// One connection, from its making to its end.
    async fn connection(&mut self, upstream: &mut Upstream<D, Ticket>) -> End {
        let connector = Arc::clone(&self.outlet.route.around.connector);
        let PoolPlace { url, reach } = self.address.place().clone();
        let channel = Arc::clone(&self.outlet.channel);
        let mut connecting = connector.connect(&url, &reach);
        let connection = loop {
            tokio::select! {
                biased;
                () = channel.closing.cancelled() => return End::Stopped,
                connection = &mut connecting => break connection,
                () = sleep_until(upstream.poll_timeout()) => self.time_out(upstream),
                _ = called(&channel) => {}
            }
        };
        let PoolConnection { reader, writer, peer, .. } = match connection {
            Ok(connection) => connection,
            Err(error) => return End::Connect(error),
        };
        self.outlet.log.address = Some(peer);
        self.outlet.connected();
        upstream.handle_connected(now());
        let route = Arc::clone(&self.outlet.route);
        let Self { outlet, address, .. } = self;
        let on_event = |upstream: &Upstream<D, Ticket>, event| match event {
            UpstreamEvent::Reconnect { host, port, wait } => {
                redirected(outlet, address, host.as_deref(), port, wait)
            }
            event => outlet.take(upstream, event),
        };
        let (window, bytes) = (&channel.window, &route.traffic.pools);
        pump(upstream, reader, writer, window, bytes, &channel.closing, on_event).await
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
        let channel = Arc::clone(&self.outlet.channel);
        loop {
            tokio::select! {
                biased;
                () = channel.closing.cancelled() => return,
                () = sleep_until(backoff.due()) => return backoff.begun(),
                calls = called(&channel) => {
                    if calls.has(NEWS) {
                        backoff.follow(now(), fastrand::f64());
                    }
                    if calls.has(URGENT) {
                        backoff.urge(now(), fastrand::f64());
                    }
                }
                () = sleep_until(upstream.poll_timeout()) => self.time_out(upstream),
            }
        }
    }
}

/// What the task is called for while there is no connection. Shares that come are answered as lost.
async fn called<D: Dialect>(channel: &Channel<D>) -> Calls {
    poll_fn(|context| {
        let calls = channel.window.bell.answer(context.waker());
        channel.window.lose();
        if calls == Calls::NONE { Poll::Pending } else { Poll::Ready(calls) }
    })
    .await
}

/// How a connection ended on which the pool took so many shares.
const fn how(end: &End, was_long: bool, taken: u32) -> Ended {
    match end {
        End::Down(
            DownReason::AuthorizeRefused { .. } | DownReason::NoRoom(_) | DownReason::Barred(_),
        ) => Ended::Refused,
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
    let route = outlet.route.now();
    let pools = route.config.pools.iter().map(PoolPlace::of);
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
