//! What comes of the events of a pool connection.

use std::ops::ControlFlow;
use std::sync::Arc;

use orepass_farm::farm::{ChannelId, Ending, Farm, Shown};
use orepass_farm::pools::Cause;
use orepass_farm::stats::Book;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::time::Instant;
use orepass_stratum::upstream::{DownReason, Notice, Upstream, UpstreamEvent};
use orepass_stratum::verdict::Verdict;

use super::log::ChannelLog;
use super::pump::End;
use crate::evidence::RefusedShare;
use crate::route::Route;
use crate::route::channel::Channel;
use crate::route::ticket::Ticket;

/// Where a connection's events go: to its rigs, to the farm, to the books and the log.
pub(crate) struct Outlet<D: Dialect> {
    pub(crate) route: Arc<Route<D>>,
    pub(crate) channel: Arc<Channel<D>>,
    pub(crate) log: ChannelLog,
    /// How many shares the pool took on it.
    taken: u32,
}

impl<D: Dialect> Outlet<D> {
    pub(crate) fn new(route: Arc<Route<D>>, channel: Arc<Channel<D>>) -> Self {
        let log = ChannelLog::new(&route, &channel);
        Self { route, channel, log, taken: 0 }
    }

    pub(crate) fn take(
        &mut self,
        upstream: &Upstream<D, Ticket>,
        event: UpstreamEvent<Ticket>,
    ) -> ControlFlow<End> {
        match event {
            UpstreamEvent::View => self.show(upstream),
            UpstreamEvent::Verdict { ticket, outcome, weighs, after } => {
                if let Some(after) = after {
                    self.channel.to.latency.add(after);
                }
                if let Some(reason) = outcome.reason().filter(|_| after.is_some()) {
                    self.channel.to.rejections.note(outcome.booked, reason, ticket.hashes());
                }
                if weighs {
                    self.tell(|farm, id, now| farm.handle_verdicts(id, [&outcome.told], now));
                }
                self.taken =
                    self.taken.saturating_add(u32::from(outcome.booked == Verdict::AcceptedByPool));
                ticket.resolve(outcome);
            }
            UpstreamEvent::Evidence { worker, reason, evidence } => {
                let account = &self.channel.to.account;
                let share = RefusedShare {
                    kind: Verdict::RejectedByPool.name(),
                    rig: &worker,
                    pool: account.name.as_str(),
                    reason: &reason,
                    pool_options: &account.options,
                    evidence: &evidence,
                };
                self.route.evidence.write(&share, &self.route.now().config);
            }
            UpstreamEvent::LateVerdict => self.books().for_each(Book::late_verdict),
            UpstreamEvent::Resent => self.books().for_each(Book::resent),
            UpstreamEvent::ResentDuplicate => {
                self.books().for_each(Book::resent_duplicate);
            }
            UpstreamEvent::Down(DownReason::SameExtranonce(clash)) => {
                let with = clash.connection.map(ChannelId);
                self.tell(|farm, id, now| farm.handle_clash(id, with, now));
                return ControlFlow::Break(End::SameExtranonce);
            }
            UpstreamEvent::Down(reason) => return ControlFlow::Break(End::Down(reason)),
            // It comes too late to be followed.
            UpstreamEvent::Reconnect { .. } => {}
            UpstreamEvent::Notice(notice) => {
                if let Notice::Learnt { learnt, .. } = &notice {
                    let pool = self.channel.pool;
                    self.tell(|farm, _, now| farm.handle_learnt(pool, *learnt, now));
                }
                self.log.notice(&notice);
            }
        }
        ControlFlow::Continue(())
    }

    /// Its connection has been made.
    pub(crate) fn connected(&self) {
        self.tell(Farm::handle_connected);
    }

    /// Its connection has ended. Gives how many shares the pool took.
    pub(crate) fn ended(&mut self, end: &End, was_serving: bool) -> u32 {
        let how = match end {
            End::Down(reason) => Ending::GivenUp(cause(reason)),
            End::Reconnect(_) | End::SameExtranonce => Ending::SentAway,
            _ if was_serving => Ending::Lost,
            _ => Ending::Failed,
        };
        self.tell(|farm, id, now| farm.handle_ended(id, how, now));
        std::mem::take(&mut self.taken)
    }

    /// The rigs are shown it before the farm may find one of them a seat there.
    fn show(&self, upstream: &Upstream<D, Ticket>) {
        let view = self.channel.show(upstream.view());
        let shown = Shown::of(&view, upstream.serves());
        self.tell(|farm, id, now| farm.handle_view(id, &shown, now));
    }

    /// Where what happens on the connection is counted.
    fn books(&self) -> impl Iterator<Item = &Book> {
        [&self.route.book, &self.channel.to.book].into_iter().map(|book| book.book())
    }

    fn tell(&self, what: impl FnOnce(&mut Farm, ChannelId, Instant)) {
        self.route.tell(|farm, now| what(farm, self.channel.id, now));
    }

    /// Whether other connections to the same pool take shares.
    pub(crate) fn others_live(&self) -> bool {
        self.route.others_live(self.channel.id, self.channel.pool)
    }
}

impl<D: Dialect> Drop for Outlet<D> {
    /// The channel was closed since nobody needs it, or its task has panicked.
    fn drop(&mut self) {
        self.channel.end();
        self.route.channels().remove(&self.channel.id);
        self.route.mention(|farm, now| farm.handle_closed(self.channel.id, now));
    }
}

const fn cause(reason: &DownReason) -> Cause {
    match reason {
        DownReason::AuthorizeRefused { .. } | DownReason::NoRoom(_) => Cause::Account,
        DownReason::NoJob { .. } | DownReason::Barred(_) => Cause::Jobs,
        _ => Cause::Connection,
    }
}
