//! One upstream connection at a time, kept alive, and the space that it was given.

use std::pin::pin;
use std::sync::Arc;

use orepass_stratum::channel::{ChannelView, Submission};
use orepass_stratum::dialect::Dialect;
use orepass_stratum::pools::{Link, PoolIndex};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::Route;
use super::ticket::Ticket;
use crate::pool::address::PoolAddress;
use crate::pool::log::Log;
use crate::pool::outlet::Outlet;
use crate::pool::task::ChannelTask;
use crate::watch;

/// The most shares that wait to be taken by a channel's task, and how many more where blocks are
/// among them.
const MAX_INBOX: usize = 256;
const MAX_BLOCKS: usize = 16;
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
    pub(crate) signals: Arc<Signals>,
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
        let (inbox, receiver) = mpsc::channel(MAX_INBOX + MAX_BLOCKS);
        let signals = Arc::new(Signals::default());
        let log = Log::new(route, pool, number);
        let link = Link { pool, number, dedicated };
        let task = ChannelTask {
            outlet: Outlet::new(Arc::clone(route), link, log, view_sender),
            _file: route.config.door.claim(),
            address: PoolAddress::new(route.pool(pool).url.clone()),
            closing: closing.clone(),
            inbox: receiver,
            signals: Arc::clone(&signals),
            news: route.news(pool),
            urgent: route.urgent(),
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
    pub(crate) fn watch(&self) -> watch::Receiver<ChannelView<D>> {
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
        if !submission.is_block && self.inbox.capacity() <= MAX_BLOCKS {
            return Err(Some(ticket));
        }
        self.inbox.try_send((submission, ticket)).map_err(|error| match error {
            mpsc::error::TrySendError::Full((_, ticket)) => Some(ticket),
            mpsc::error::TrySendError::Closed(_) => None,
        })
    }
}

/// What other connections to the same pool tell one.
#[derive(Debug, Default)]
pub struct Signals {
    /// One has failed: the pool is to be asked whether it lives.
    pub doubt: Notify,
    /// One that many rigs share was given this one's extranonce1, and is to have it.
    pub give_way: Notify,
}

impl Signals {
    /// Forgets what was meant for a connection that has ended.
    pub fn forget(&self) {
        for signal in [&self.doubt, &self.give_way] {
            pin!(signal.notified()).enable();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_signal_for_a_connection_that_has_ended_is_not_for_the_next() {
        let signals = Signals::default();
        signals.doubt.notify_one();
        signals.forget();
        assert!(!pin!(signals.doubt.notified()).enable());
        signals.doubt.notify_one();
        signals.doubt.notified().await;
    }
}
