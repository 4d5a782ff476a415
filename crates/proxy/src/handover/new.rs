//! The new process' end.

use std::collections::VecDeque;
use std::time::Duration;

use orepass_stratum::time::Instant;

use super::State;

/// How long the old process may take with what it does next.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long until a pool of each route serves that has one in the old process.
pub(super) const WARM_WITHIN: Duration = Duration::from_secs(15);

/// What the new end hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HeardByNew {
    /// The old process' sockets have come.
    Sockets,
    /// It has closed the state file.
    State(State),
    /// It accepts no more.
    Go,
    /// It has ended, and holds nothing any more.
    Ended,
    /// Something that it does not say at this end.
    Nonsense(String),
    /// The sockets that the config wants are bound; or not.
    Bound(Result<(), String>),
    /// The state file is open and the routes have started; or not.
    Started(Result<(), String>),
    /// A pool of each route serves that has one in the old process.
    Warm,
}

/// What the new process is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NewAct {
    /// Take the sockets that the config wants and bind those that there are not; what came of it is to
    /// be [heard](HeardByNew::Bound).
    Bind,
    /// Say that they are bound.
    SendBound,
    /// Open the state file and start the routes, without accepting; what came of it is to be
    /// [heard](HeardByNew::Started).
    Start(State),
    /// Say that the pools serve.
    SendWarm,
    /// Accept.
    Accept,
    /// Say so.
    SendServing,
    /// Say that nothing comes of it, and end.
    Refuse(String),
}

/// A handover, seen from the new process.
#[derive(Debug)]
pub(crate) struct New {
    phase: NewPhase,
    deadline: Option<Instant>,
    /// The old process has ended: nobody is to be asked.
    orphaned: bool,
    acts: VecDeque<NewAct>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NewPhase {
    /// Nothing has come yet.
    Waiting,
    Binding,
    /// The file is not free yet.
    Bound,
    Starting,
    Warming,
    /// The old one accepts still.
    Warm,
    Serving,
    Refused,
}

impl New {
    /// Begins.
    pub(crate) fn begin(now: Instant) -> Self {
        let deadline = Some(now + ANSWER_WITHIN);
        Self { phase: NewPhase::Waiting, deadline, orphaned: false, acts: VecDeque::new() }
    }

    /// What is to be done next.
    pub(crate) fn poll(&mut self) -> Option<NewAct> {
        self.acts.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether it waits for its pools.
    pub(crate) fn is_warming(&self) -> bool {
        self.phase == NewPhase::Warming
    }

    /// Whether this process serves.
    pub(crate) fn is_serving(&self) -> bool {
        self.phase == NewPhase::Serving
    }

    /// The time has come.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        match self.phase {
            NewPhase::Warming => self.refuse(format!(
                "not every route that is served now had a pool within {WARM_WITHIN:?}; is it that \
                 the pool takes no second connection?"
            )),
            _ => self.refuse(format!("the old process said nothing for {ANSWER_WITHIN:?}")),
        }
    }

    /// Something has happened.
    pub(crate) fn handle(&mut self, heard: HeardByNew, now: Instant) {
        match (self.phase, heard) {
            (NewPhase::Serving | NewPhase::Refused, _) => {}
            (
                _,
                HeardByNew::Bound(Err(why))
                | HeardByNew::Started(Err(why))
                | HeardByNew::Nonsense(why),
            ) => {
                self.refuse(why);
            }
            (NewPhase::Waiting, HeardByNew::Sockets) => {
                self.enter(NewPhase::Binding, None);
                self.acts.push_back(NewAct::Bind);
            }
            (NewPhase::Binding, HeardByNew::Bound(Ok(()))) => {
                self.enter(NewPhase::Bound, Some(now + ANSWER_WITHIN));
                self.acts.push_back(NewAct::SendBound);
                if self.orphaned {
                    self.start(State::default());
                }
            }
            (NewPhase::Bound, HeardByNew::State(state)) => self.start(state),
            (NewPhase::Starting, HeardByNew::Started(Ok(()))) => {
                self.enter(NewPhase::Warming, Some(now + WARM_WITHIN));
                if self.orphaned {
                    self.serve();
                }
            }
            (NewPhase::Warming, HeardByNew::Warm) => {
                self.enter(NewPhase::Warm, Some(now + ANSWER_WITHIN));
                self.acts.push_back(NewAct::SendWarm);
            }
            (NewPhase::Warm, HeardByNew::Go) => self.serve(),
            // It has the sockets, and the file is free now.
            (NewPhase::Bound, HeardByNew::Ended) => {
                self.orphaned = true;
                self.start(State::default());
            }
            (NewPhase::Warming | NewPhase::Warm, HeardByNew::Ended) => self.serve(),
            (NewPhase::Binding | NewPhase::Starting, HeardByNew::Ended) => self.orphaned = true,
            (NewPhase::Waiting, HeardByNew::Ended) => {
                self.refuse("the old process has ended".to_owned());
            }
            (_, other) => self.refuse(format!("the old process spoke out of turn: {other:?}")),
        }
    }

    fn enter(&mut self, phase: NewPhase, deadline: Option<Instant>) {
        (self.phase, self.deadline) = (phase, deadline);
    }

    fn start(&mut self, state: State) {
        self.enter(NewPhase::Starting, None);
        self.acts.push_back(NewAct::Start(state));
    }

    fn serve(&mut self) {
        self.enter(NewPhase::Serving, None);
        self.acts.extend([NewAct::Accept, NewAct::SendServing]);
    }

    fn refuse(&mut self, why: String) {
        self.enter(NewPhase::Refused, None);
        self.acts.push_back(NewAct::Refuse(why));
    }
}
