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
pub(crate) enum Heard {
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
pub(crate) enum Act {
    /// Take the sockets that the config wants and bind those that there are not; what came of it is to
    /// be [heard](Heard::Bound).
    Bind,
    /// Say that they are bound.
    SendBound,
    /// Open the state file and start the routes, without accepting; what came of it is to be
    /// [heard](Heard::Started).
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
    phase: Phase,
    deadline: Option<Instant>,
    /// The old process has ended: nobody is to be asked.
    orphaned: bool,
    acts: VecDeque<Act>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
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
        Self { phase: Phase::Waiting, deadline, orphaned: false, acts: VecDeque::new() }
    }

    /// What is to be done next.
    pub(crate) fn poll(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether it waits for its pools.
    pub(crate) fn is_warming(&self) -> bool {
        self.phase == Phase::Warming
    }

    /// Whether this process serves.
    pub(crate) fn is_serving(&self) -> bool {
        self.phase == Phase::Serving
    }

    /// The time has come.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        match self.phase {
            Phase::Warming => self.refuse(format!(
                "not every route that is served now had a pool within {WARM_WITHIN:?}; is it that \
                 the pool takes no second connection?"
            )),
            _ => self.refuse(format!("the old process said nothing for {ANSWER_WITHIN:?}")),
        }
    }

    /// Something has happened.
    pub(crate) fn handle(&mut self, heard: Heard, now: Instant) {
        match (self.phase, heard) {
            (Phase::Serving | Phase::Refused, _) => {}
            (_, Heard::Bound(Err(why)) | Heard::Started(Err(why)) | Heard::Nonsense(why)) => {
                self.refuse(why);
            }
            (Phase::Waiting, Heard::Sockets) => {
                self.enter(Phase::Binding, None);
                self.acts.push_back(Act::Bind);
            }
            (Phase::Binding, Heard::Bound(Ok(()))) => {
                self.enter(Phase::Bound, Some(now + ANSWER_WITHIN));
                self.acts.push_back(Act::SendBound);
                if self.orphaned {
                    self.start(State::default());
                }
            }
            (Phase::Bound, Heard::State(state)) => self.start(state),
            (Phase::Starting, Heard::Started(Ok(()))) => {
                self.enter(Phase::Warming, Some(now + WARM_WITHIN));
                if self.orphaned {
                    self.serve();
                }
            }
            (Phase::Warming, Heard::Warm) => {
                self.enter(Phase::Warm, Some(now + ANSWER_WITHIN));
                self.acts.push_back(Act::SendWarm);
            }
            (Phase::Warm, Heard::Go) => self.serve(),
            // It has the sockets, and the file is free now.
            (Phase::Bound, Heard::Ended) => {
                self.orphaned = true;
                self.start(State::default());
            }
            (Phase::Warming | Phase::Warm, Heard::Ended) => self.serve(),
            (Phase::Binding | Phase::Starting, Heard::Ended) => self.orphaned = true,
            (Phase::Waiting, Heard::Ended) => self.refuse("the old process has ended".to_owned()),
            (_, other) => self.refuse(format!("the old process spoke out of turn: {other:?}")),
        }
    }

    fn enter(&mut self, phase: Phase, deadline: Option<Instant>) {
        (self.phase, self.deadline) = (phase, deadline);
    }

    fn start(&mut self, state: State) {
        self.enter(Phase::Starting, None);
        self.acts.push_back(Act::Start(state));
    }

    fn serve(&mut self) {
        self.enter(Phase::Serving, None);
        self.acts.extend([Act::Accept, Act::SendServing]);
    }

    fn refuse(&mut self, why: String) {
        self.enter(Phase::Refused, None);
        self.acts.push_back(Act::Refuse(why));
    }
}
