//! Hands over to a new process of the program, and does what [`Old`] says.

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use super::stopping::empty;
use super::{ControlRequest, ReloadRefusal, Supervisor};
use crate::clock::{now, sleep_until};
use crate::handover::old::{HeardByOld, Old, OldAct};
use crate::handover::{HandoverMessage, State, Successor, SuccessorNews};
use crate::signals::{Signal, Signals};
use crate::store::Store;
use crate::watch::chronicle;

/// How often it is tried to open the state file again.
const REOPEN_EVERY: Duration = Duration::from_secs(60);

/// What came of it.
pub(super) enum UpgradeEnd {
    /// This process serves on.
    No,
    /// It serves again: the new one served for a while, and is no more.
    Back,
    /// It has to stop, by the signal of this name.
    Stop(&'static str),
    /// The new one serves, and the rigs of this one have had their turn to leave.
    Yes,
}

/// What is known of the new process, and what is on its way.
struct Handover {
    old: Old,
    new: Option<Successor>,
    draining: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    answer: Option<oneshot::Sender<Result<u32, String>>>,
    stop: Option<&'static str>,
    is_back: bool,
}

impl Supervisor<'_> {
    /// Hands over to a new process. As long as that does not serve, this one goes on as ever.
    pub(super) async fn upgrade(
        &mut self,
        answer: Option<oneshot::Sender<Result<u32, String>>>,
        signals: &mut Signals,
        requests: &mut mpsc::Receiver<ControlRequest>,
    ) -> UpgradeEnd {
        if self.loading.is_some() {
            let why = "the config is being read again; ask when that is done";
            warn!(event = "upgrade.failed", "{why}");
            if let Some(asker) = answer {
                let _ = asker.send(Err(why.to_owned()));
            }
            return UpgradeEnd::No;
        }
        info!(event = "upgrade", "starting a new process, to which this one hands over");
        let mut handover = Handover::begin(answer);
        loop {
            while let Some(act) = handover.old.poll() {
                if let Some(upgraded) = self.act(act, &mut handover).await {
                    return upgraded;
                }
            }
            if handover.old.is_over() {
                return if handover.is_back { UpgradeEnd::Back } else { UpgradeEnd::No };
            }
            let Handover { old, new, draining, stop, .. } = &mut handover;
            tokio::select! {
                biased;
                signal = signals.next() => match signal {
                    Signal::Stop(name) => {
                        *stop = Some(name);
                        old.handle(HeardByOld::Stop, now());
                    }
                    Signal::ReopenLogs => crate::telemetry::reopen(),
                    Signal::Reload | Signal::Upgrade => {
                        warn!(event = "upgrade", "{BUSY}");
                    }
                },
                Some(request) = requests.recv() => match request {
                    ControlRequest::Reload(answer) => _ = answer.send(Err(ReloadRefusal::HandingOver)),
                    ControlRequest::Upgrade(answer) => _ = answer.send(Err(BUSY.to_owned())),
                    ControlRequest::Status(answer) => _ = answer.send(self.status()),
                    ControlRequest::Config(answer) => _ = answer.send(self.config.shown()),
                },
                news = heard(new) => old.handle(news, now()),
                () = drained(draining) => {
                    *draining = None;
                    old.handle(HeardByOld::Drained, now());
                }
                () = sleep_until(old.poll_timeout()), if old.poll_timeout().is_some() => {
                    old.handle_timeout(now());
                }
            }
        }
    }

    async fn act(&mut self, act: OldAct, handover: &mut Handover) -> Option<UpgradeEnd> {
        match act {
            OldAct::Start => match Successor::start(&self.listeners).await {
                Ok(new) => handover.new = Some(new),
                Err(why) => handover.old.handle(HeardByOld::Refused(why), now()),
            },
            OldAct::Save => {
                self.save().await;
                chronicle::note(&self.at_work, &self.history, &self.process.sinks).await;
                if let Some(sinks) = &mut self.sinks {
                    sinks.hand_over(true).await;
                }
                if let Err(error) = self.history.hand_over().await {
                    warn!(event = "history.unwritten", "{error}; the last minutes are lost");
                }
                let saved = self.memory.hand_over().await.map_err(|error| error.to_string());
                handover.old.handle(HeardByOld::Saved(saved), now());
            }
            OldAct::SendState(mark) => {
                handover.send(&HandoverMessage::State(self.state(mark))).await;
            }
            OldAct::StopAccepting => self.stop_accepting(),
            OldAct::SendGo => handover.send(&HandoverMessage::Go).await,
            OldAct::Kill => match &mut handover.new {
                Some(new) => new.kill(),
                None => handover.old.handle(HeardByOld::Ended("nothing begun".to_owned()), now()),
            },
            OldAct::Reopen => {
                reopen(&self.memory).await;
                self.reopen_history().await;
                if let Some(sinks) = &mut self.sinks {
                    sinks.hand_over(false).await;
                }
            }
            OldAct::Accept => self.accept(),
            OldAct::Answer(answer) => handover.answer(answer),
            OldAct::Drain => {
                if let Some(process) = handover.process() {
                    self.manager.hand_over(process);
                }
                let (routes, over) = (self.routes.clone(), self.config.drain_for);
                handover.draining = Some(Box::pin(async move { empty(&routes, over).await }));
            }
            OldAct::Undrain => {
                handover.draining = None;
                handover.is_back = true;
                self.manager.take_back(self.process.workers.clone());
                warn!(
                    event = "upgrade.failed",
                    "the new process has ended: this one, whose rigs were leaving, serves again"
                );
            }
            OldAct::Stop => return handover.stop.map(UpgradeEnd::Stop),
            OldAct::Leave => return Some(UpgradeEnd::Yes),
        }
        None
    }

    fn state(&self, mark: u64) -> State {
        let serving = self.routes.iter().filter(|route| route.live_channels() > 0);
        let held = self.routes.iter().flat_map(|route| route.extranonces());
        State {
            mark,
            serving: serving.map(|route| route.name().to_owned()).collect(),
            held: held.map(|(server, extranonce1)| (server, extranonce1.to_string())).collect(),
        }
    }
}

/// What is said while one handover is under way.
const BUSY: &str = "this process is handing over to a new one; ask that one, when it serves";

impl Handover {
    fn begin(answer: Option<oneshot::Sender<Result<u32, String>>>) -> Self {
        let old = Old::begin(now());
        Self { old, new: None, draining: None, answer, stop: None, is_back: false }
    }

    async fn send(&self, message: &HandoverMessage) {
        if let Some(new) = &self.new {
            new.send(message).await;
        }
    }

    fn process(&self) -> Option<u32> {
        self.new.as_ref().and_then(Successor::id)
    }

    fn answer(&mut self, answer: Result<(), String>) {
        let process = self.process().unwrap_or_default();
        match &answer {
            Ok(()) => info!(
                event = "upgraded",
                process, "process {process} serves; the rigs of this one leave in turn"
            ),
            Err(why) => warn!(
                event = "upgrade.failed",
                "no handover, this process serves on: the new one failed: {why}"
            ),
        }
        if let Some(asker) = self.answer.take() {
            // It may have gone.
            let _ = asker.send(answer.map(|()| process));
        }
    }
}

/// The next that is heard of the new process.
async fn heard(new: &mut Option<Successor>) -> HeardByOld {
    let Some(successor) = new else { return std::future::pending().await };
    match successor.news().await {
        SuccessorNews::Said(HandoverMessage::Bound) => HeardByOld::Bound,
        SuccessorNews::Said(HandoverMessage::Warm) => HeardByOld::Warm,
        SuccessorNews::Said(HandoverMessage::Serving) => HeardByOld::Serving,
        SuccessorNews::Said(HandoverMessage::Refused(why)) => HeardByOld::Refused(why),
        SuccessorNews::Said(other) => {
            HeardByOld::Refused(format!("it spoke out of turn: {other:?}"))
        }
        SuccessorNews::Nonsense(error) => {
            HeardByOld::Refused(format!("it makes no sense: {error}"))
        }
        SuccessorNews::Ended(status) => {
            *new = None;
            HeardByOld::Ended(status.to_string())
        }
    }
}

async fn drained(draining: &mut Option<Pin<Box<dyn Future<Output = ()> + Send>>>) {
    match draining {
        Some(draining) => draining.await,
        None => std::future::pending().await,
    }
}

impl Supervisor<'_> {
    /// Without it rigs are served all the same, and what is noted waits for the next start.
    async fn reopen_history(&self) {
        let history = self.history.clone();
        let opened = tokio::task::spawn_blocking(move || history.reopen()).await;
        if let Err(why) = opened.unwrap_or_else(|error| Err(error.to_string())) {
            warn!(event = "history.unusable", "cannot open the history file again: {why}");
        }
    }
}

/// Opens the state file again; where that does not go, it is tried in the background.
async fn reopen(memory: &Store) {
    let Some(why) = try_reopen(memory).await else { return };
    warn!(
        event = "state.unusable",
        "cannot open the state file again: {why}; tried again every {REOPEN_EVERY:?}"
    );
    let memory = memory.clone();
    tokio::spawn(async move {
        loop {
            sleep_until(Some(now() + REOPEN_EVERY)).await;
            if try_reopen(&memory).await.is_none() {
                return info!(event = "state.written", "the state file is open again");
            }
        }
    });
}

async fn try_reopen(memory: &Store) -> Option<String> {
    let memory = memory.clone();
    let opened = tokio::task::spawn_blocking(move || memory.reopen()).await;
    opened.unwrap_or_else(|error| Err(error.to_string())).err()
}
