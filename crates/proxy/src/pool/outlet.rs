//! What comes of the events of a pool connection.

use std::ops::ControlFlow;
use std::sync::Arc;

use orepass_farm::pools::{Cause, Link};
use orepass_stratum::dialect::Dialect;
use orepass_stratum::upstream::{DownReason, Notice, Upstream, UpstreamEvent};
use orepass_stratum::verdict::Verdict;

use super::log::Log;
use super::pump::End;
use crate::route::Route;
use crate::route::channel::Channel;
use crate::route::ticket::Ticket;

/// Where a connection's events go: to its rigs, to the choice of pools, to the books and the log.
pub(crate) struct Outlet<D: Dialect> {
    pub(crate) route: Arc<Route<D>>,
    pub(crate) channel: Arc<Channel<D>>,
    pub(crate) log: Log,
    /// The present connection has been reported as one that serves.
    serves: bool,
    /// How many shares the pool took on it.
    taken: u32,
}

impl<D: Dialect> Outlet<D> {
    pub(crate) fn new(route: Arc<Route<D>>, channel: Arc<Channel<D>>) -> Self {
        let log = Log::new(&route, channel.pool, channel.number);
        Self { route, channel, log, serves: false, taken: 0 }
    }

    fn link(&self) -> Link {
        self.channel.link()
    }

    pub(crate) fn take(
        &mut self,
        upstream: &Upstream<D, Ticket>,
        event: UpstreamEvent<Ticket>,
    ) -> ControlFlow<End> {
        match event {
            UpstreamEvent::View => self.show(upstream),
            UpstreamEvent::Verdict { ticket, outcome, weighs, .. } => {
                if weighs {
                    let link = self.link();
                    self.route.mention(|choice, now| choice.verdict(link, &outcome.told, now));
                }
                self.taken =
                    self.taken.saturating_add(u32::from(outcome.booked == Verdict::AcceptedByPool));
                ticket.resolve(outcome);
            }
            UpstreamEvent::LateVerdict => self.route.book.late_verdict(),
            UpstreamEvent::Resent => self.route.book.resent(),
            UpstreamEvent::ResentDuplicate => self.route.book.resent_duplicate(),
            UpstreamEvent::Down(DownReason::SameExtranonce(clash)) => {
                self.route.clashes(clash.connection, !self.channel.dedicated);
                return ControlFlow::Break(End::SameExtranonce);
            }
            UpstreamEvent::Down(reason) => return ControlFlow::Break(End::Down(reason)),
            // It comes too late to be followed.
            UpstreamEvent::Reconnect { .. } => {}
            UpstreamEvent::Notice(notice) => {
                if let Notice::Learnt { learnt, .. } = &notice {
                    self.route.remember_habit(self.channel.pool, *learnt);
                }
                self.log.notice(&notice);
            }
        }
        ControlFlow::Continue(())
    }

    /// Tells the choice of pools what a connection's end means, and has those that are left asked
    /// whether they live. Gives how many shares the pool took.
    pub(crate) fn ended(&mut self, end: &End, was_serving: bool) -> u32 {
        self.serves = false;
        let link = self.link();
        let sent_away = matches!(end, End::Reconnect(_) | End::SameExtranonce);
        self.route.report(|choice, now| match end {
            End::Down(reason) => choice.down(link, cause(reason), now),
            _ if was_serving || sent_away => choice.lost(link, now),
            _ => choice.down(link, Cause::Connection, now),
        });
        if !sent_away {
            let channels = self.route.channels();
            let left = channels.iter().filter(|c| c.pool == link.pool && c.number != link.number);
            left.filter(|channel| channel.is_live()).for_each(|channel| channel.doubt());
        }
        std::mem::take(&mut self.taken)
    }

    fn show(&mut self, upstream: &Upstream<D, Ticket>) {
        let (link, shown) = (self.link(), upstream.view());
        let Self { route, channel, .. } = self;
        if let Some(work) = &shown.work
            && let Some(block) = work.dialect.block_key(&work.job)
        {
            route.mention(|choice, now| choice.block(link.pool, block, now));
        }
        channel.show(shown);
        if upstream.serves() && !self.serves {
            self.serves = true;
            route.report(|choice, now| choice.up(link, now));
            route.good_news(link.pool);
        }
        route.bump();
    }

    /// Whether other connections to the same pool take shares.
    pub(crate) fn others_live(&self) -> bool {
        let channels = self.route.channels();
        let mut others = channels.iter().filter(|other| other.number != self.channel.number);
        others.any(|other| other.pool == self.channel.pool && other.is_live())
    }
}

impl<D: Dialect> Drop for Outlet<D> {
    /// The channel was closed since nobody needs it, or its task has panicked.
    fn drop(&mut self) {
        let link = self.link();
        self.channel.end();
        self.route.report(|choice, now| choice.released(link, now));
        self.route.bump();
    }
}

const fn cause(reason: &DownReason) -> Cause {
    match reason {
        DownReason::AuthorizeRefused { .. } | DownReason::NoRoom(_) => Cause::Account,
        DownReason::NoJob { .. } => Cause::Jobs,
        _ => Cause::Connection,
    }
}
