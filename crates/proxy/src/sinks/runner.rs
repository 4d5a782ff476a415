//! Starts, changes and ends sinks. Their queues outlive a change, so that nothing is lost by it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::hub::Hub;
use super::queue::SinkQueue;
use super::spec::{SinkEntry, SinkSpec};
use super::task::{SinkOrder, SinkTask};
use super::{Feed, Sinks};
use crate::clock::now;
use crate::config::SinksConfig;
use crate::watch::{self, Concern, Diagnostics};

/// How long the end may take for what is not delivered yet.
const FINISH_WITHIN: Duration = Duration::from_secs(3);
/// How much longer it may take to notice that.
const SPARE: Duration = Duration::from_millis(500);
/// How long it is waited for a sink that another one replaces…
const GIVE_UP_WITHIN: Duration = Duration::from_secs(15);
/// …and for one that lets go of what another process takes over.
const LET_GO_WITHIN: Duration = Duration::from_secs(2);
/// How many orders may wait for a sink.
const MAX_ORDERS: usize = 4;

/// The sinks at work. When it is dropped they end at once.
#[derive(Debug)]
pub(crate) struct SinkRunner {
    sinks: Sinks,
    own: Vec<SinkEntry>,
    running: Vec<RunningSink>,
    ending: CancellationToken,
    hub: Option<AbortOnDropHandle<()>>,
    /// Another process has what cannot be shared.
    is_handed_over: bool,
}

#[derive(Debug)]
struct RunningSink {
    spec: SinkSpec,
    queue: Arc<SinkQueue>,
    orders: mpsc::Sender<SinkOrder>,
    task: AbortOnDropHandle<()>,
}

impl SinkRunner {
    /// Starts those of a config, and a program's own.
    pub(crate) fn start(
        sinks: &Sinks,
        diagnostics: &Diagnostics,
        config: &SinksConfig,
        own: &[SinkEntry],
    ) -> Self {
        let ending = CancellationToken::new();
        let mut runner = Self {
            sinks: sinks.clone(),
            own: own.to_vec(),
            running: Vec::new(),
            ending: ending.clone(),
            hub: None,
            is_handed_over: false,
        };
        runner.change(config);
        runner.hub = sinks.tap().take_end().map(|shares| {
            let hub = Hub::new(sinks.clone(), diagnostics.clone(), shares);
            AbortOnDropHandle::new(tokio::spawn(hub.run(ending)))
        });
        runner
    }

    /// Those of another config from now on. One that is as it was goes on; one that is changed takes over
    /// the queue of the former one, when that has ended.
    pub(crate) fn change(&mut self, config: &SinksConfig) {
        let mut before = std::mem::take(&mut self.running);
        for spec in SinkSpec::all(config, &self.own) {
            let at = before.iter().position(|running| running.spec.name == spec.name);
            let former = at.map(|at| before.remove(at));
            self.running.push(match former {
                Some(former) if former.spec.is_same(&spec) => former,
                former => self.start_sink(spec, former),
            });
        }
        let feed = |RunningSink { spec, queue, .. }: &RunningSink| Feed {
            wants: spec.wants.clone(),
            queue: Arc::clone(queue),
        };
        self.sinks.set_feeds(self.running.iter().map(feed).collect());
        for former in before {
            tokio::spawn(former.finish());
        }
    }

    fn start_sink(&self, spec: SinkSpec, former: Option<RunningSink>) -> RunningSink {
        let (orders, given) = mpsc::channel(MAX_ORDERS);
        let queue = match &former {
            Some(former) => Arc::clone(&former.queue),
            None => Arc::new(SinkQueue::new(Arc::clone(&spec.name), spec.most)),
        };
        queue.set_most(spec.most);
        let (own, batch, handed_over) = (Arc::clone(&queue), spec.batch, self.is_handed_over);
        let mut sink = spec.make();
        let task = tokio::spawn(async move {
            if let Some(former) = former {
                former.give_up().await;
            }
            if handed_over {
                sink.hand_over(true).await;
            }
            let task = SinkTask::new(Arc::clone(&own), sink, given, batch);
            let ended = AbortOnDropHandle::new(tokio::spawn(task.run())).await;
            if ended.is_err_and(|error| error.is_panic()) {
                // The log has told of the panic.
                let why = "it has panicked, and is not called again before it is changed";
                watch::raise(Concern::SinkFailing, &**own.name(), why);
                own.abandon();
            }
        });
        RunningSink { spec, queue, orders, task: AbortOnDropHandle::new(task) }
    }

    /// Has sinks let go of what two processes cannot share, or take it back, and waits for it for a while.
    pub(crate) async fn hand_over(&mut self, to_another: bool) {
        self.is_handed_over = to_another;
        self.sinks.set_leaving(to_another);
        let mut waiting = Vec::new();
        // The others do not know, and may just be waiting for somebody.
        for running in self.running.iter().filter(|running| running.spec.is_exclusive()) {
            let (done, is_done) = oneshot::channel();
            if running.orders.try_send(SinkOrder::HandOver(to_another, done)).is_ok() {
                waiting.push(is_done);
            }
        }
        let all = async {
            for done in waiting {
                // One that has ended holds nothing.
                let _ = done.await;
            }
        };
        let _ = tokio::time::timeout(LET_GO_WITHIN, all).await;
    }

    /// Ends them. What is there by now is delivered as far as that goes within some seconds, and what is
    /// not is counted and said.
    pub(crate) async fn finish(mut self) {
        self.ending.cancel();
        if let Some(hub) = self.hub.take() {
            let _ = tokio::time::timeout(SPARE, hub).await;
        }
        let ending: Vec<_> =
            self.running.drain(..).map(|running| tokio::spawn(running.finish())).collect();
        for ended in ending {
            let _ = ended.await;
        }
        self.sinks.tap().set_wanted(false);
    }
}

impl RunningSink {
    async fn finish(self) {
        let Self { queue, orders, task, .. } = self;
        let until = now() + FINISH_WITHIN;
        let told = orders.try_send(SinkOrder::Finish(until)).is_ok();
        if !told || !ended_within(task, FINISH_WITHIN + SPARE).await {
            watch::settle(Concern::SinkFailing, queue.name());
            queue.abandon();
            queue.clear();
            queue.say_last(now());
        }
    }

    async fn give_up(self) {
        let Self { queue, orders, task, .. } = self;
        let told = orders.try_send(SinkOrder::GiveUp).is_ok();
        if !told || !ended_within(task, GIVE_UP_WITHIN).await {
            watch::settle(Concern::SinkFailing, queue.name());
            queue.abandon();
        }
    }
}

/// Whether a task ended by itself in time; it has ended in any case.
async fn ended_within(task: AbortOnDropHandle<()>, within: Duration) -> bool {
    let mut task: JoinHandle<()> = task.detach();
    match tokio::time::timeout(within, &mut task).await {
        Ok(ended) => ended.is_ok(),
        Err(_) => {
            task.abort();
            let _ = task.await;
            false
        }
    }
}
