//! A channel as its rigs see it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use orepass_farm::farm::ChannelId;
use orepass_farm::pools::PoolIndex;
use orepass_stratum::channel::{ChannelView, Submission};
use orepass_stratum::dialect::Dialect;
use orepass_stratum::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Route;
use super::mailbox::{Mailbox, Mailboxes, VIEW};
use super::now::PoolNow;
use super::ticket::Ticket;
use super::window::ShareWindow;
use crate::pool::task::ChannelTask;
use crate::worker_threads::WorkerThread;

/// A share on its way to the pool, and the promise that it gets its verdict.
pub(crate) type Forwarded<D> = (Submission<D>, Ticket);

/// A pool connection, kept alive by its task, with what it shows its rigs and what they have for
/// it.
pub struct Channel<D: Dialect> {
    /// Its number within the route.
    pub id: ChannelId,
    /// Which of the route's pools it belongs to.
    pub pool: PoolIndex,
    /// That pool as it was when the channel was opened: it stays in its slot, and another one is in
    /// another.
    pub(crate) to: Arc<PoolNow<D>>,
    /// Whether it serves one rig alone, with nothing split off.
    pub dedicated: bool,
    /// Where its task runs, and its rigs' should.
    pub(crate) worker: WorkerThread,
    /// Ends its task.
    pub(crate) closing: CancellationToken,
    pub(crate) window: ShareWindow<Forwarded<D>>,
    view: Mutex<Arc<ChannelView<D>>>,
    /// Its task has ended; it will never serve again.
    gone: AtomicBool,
    /// The rigs that sit on it, by their serials.
    rigs: Mailboxes,
}

impl<D: Dialect> Channel<D> {
    pub(super) fn new(route: &Route<D>, id: ChannelId, pool: PoolIndex, dedicated: bool) -> Self {
        Self {
            id,
            pool,
            to: Arc::clone(&route.now().pools[pool]),
            dedicated,
            worker: route.workers().next(),
            closing: route.ending().child_token(),
            window: ShareWindow::default(),
            view: Mutex::new(Arc::new(ChannelView::unborn())),
            gone: AtomicBool::new(false),
            rigs: Mailboxes::default(),
        }
    }

    /// Starts its task.
    pub(super) fn start(self: &Arc<Self>, route: &Arc<Route<D>>) {
        let task = ChannelTask::new(Arc::clone(route), Arc::clone(self));
        route.tasks.spawn_on(task.run(), route.workers().runtime(self.worker));
    }

    /// What the channel shows at this moment.
    #[must_use]
    pub fn view(&self) -> Arc<ChannelView<D>> {
        Arc::clone(&self.view.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// When the job came that it shows; none before the first.
    pub(crate) fn job_came(&self) -> Option<Instant> {
        let view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        view.work.as_ref().map(|work| work.arrived)
    }

    /// Shows something new to its rigs.
    pub(crate) fn show(&self, view: ChannelView<D>) -> Arc<ChannelView<D>> {
        let view = Arc::new(view);
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&view);
        self.rigs.ring(VIEW);
        view
    }

    /// Its task has ended.
    pub(crate) fn end(&self) {
        self.gone.store(true, Ordering::Release);
        self.window.close();
        self.rigs.ring(VIEW);
    }

    /// A rig sits down. It is called for each new view as long as it keeps what it gets.
    pub(crate) fn join(self: &Arc<Self>, rig: u64, mailbox: &Arc<Mailbox>) -> Membership<D> {
        self.rigs.join(rig, mailbox);
        Membership { channel: Arc::clone(self), rig }
    }

    /// Whether nobody shares it: nothing is split off.
    #[must_use]
    pub fn is_undivided(&self) -> bool {
        let view = self.view();
        view.ground.as_ref().map_or(self.dedicated, |ground| ground.split.prefix_bytes == 0)
    }

    /// Whether the pool takes shares.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.view().live && !self.is_gone()
    }

    /// Whether its task has ended; it will never serve again.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Ends it for good.
    pub(super) fn close(&self) {
        self.closing.cancel();
    }
}

/// A rig's place among those that a channel calls.
pub(crate) struct Membership<D: Dialect> {
    channel: Arc<Channel<D>>,
    rig: u64,
}

impl<D: Dialect> Membership<D> {
    pub(crate) const fn channel(&self) -> &Arc<Channel<D>> {
        &self.channel
    }
}

impl<D: Dialect> Drop for Membership<D> {
    fn drop(&mut self) {
        self.channel.rigs.leave(self.rig);
    }
}
