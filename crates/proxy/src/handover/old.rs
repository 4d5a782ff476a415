//! The old process' end.

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use orepass_stratum::time::Instant;

/// How long the new process may take to read its config and to bind what it wants.
pub(super) const START_WITHIN: Duration = Duration::from_secs(30);
/// How long until its pools serve: longer than it waits itself.
pub(super) const WARM_WITHIN: Duration = Duration::from_secs(20);
/// How long it may take to accept. Nobody does meanwhile: who connects waits in the system's queue.
pub(super) const ACCEPT_WITHIN: Duration = Duration::from_millis(1500);
/// How long a killed process may take to be gone.
pub(super) const GONE_WITHIN: Duration = Duration::from_millis(400);

/// What the old end hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The new process has its sockets.
    Bound,
    /// Its pools serve.
    Warm,
    /// It accepts.
    Serving,
    /// It will not, for a reason.
    Refused(String),
    /// It has ended, with this status, and holds nothing any more.
    Ended(String),
    /// The state is noted and the file closed, with this mark; or not.
    Saved(Result<u64, String>),
    /// All rigs have had their turn to leave.
    Drained,
    /// A signal asks to stop.
    Stop,
}

/// What the old process is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// Start the new one, and send it the sockets.
    Start,
    /// Have each rig's state noted and close the file; what came of it is to be [heard](Heard::Saved).
    Save,
    /// Send the state, with this mark.
    SendState(u64),
    /// Accept no more, with all sockets left open.
    StopAccepting,
    /// Say that the new one may accept.
    SendGo,
    /// End the new one.
    Kill,
    /// Open the file again.
    Reopen,
    /// Accept again.
    Accept,
    /// Answer whoever has asked for it.
    Answer(Result<(), String>),
    /// The rigs leave in turn.
    Drain,
    /// Those that have not left stay.
    Undrain,
    /// Stop, as a signal has asked for.
    Stop,
    /// End: the new one serves.
    Leave,
}

/// A handover, seen from the old process.
#[derive(Debug)]
pub(crate) struct Old {
    phase: Phase,
    deadline: Option<Instant>,
    /// The file is closed.
    closed: bool,
    /// Nobody accepts here.
    frozen: bool,
    /// A signal has asked to stop.
    stops: bool,
    acts: VecDeque<Act>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// The new process starts.
    Starting,
    /// The file is being closed; something may have gone wrong meanwhile.
    Saving(Option<String>),
    /// The new one connects to its pools.
    Warming,
    /// The new one is about to accept.
    Frozen,
    /// It was killed, for this reason.
    Killed(String),
    /// It serves.
    Draining,
    /// Nothing more happens.
    Over,
}

impl Old {
    /// Begins.
    pub(crate) fn begin(now: Instant) -> Self {
        Self {
            phase: Phase::Starting,
            deadline: Some(now + START_WITHIN),
            closed: false,
            frozen: false,
            stops: false,
            acts: VecDeque::from([Act::Start]),
        }
    }

    /// What is to be done next.
    pub(crate) fn poll(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether this is over, when everything is done that was [to be done](Self::poll).
    pub(crate) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Whether the new process serves and this one's rigs leave.
    #[cfg(test)]
    pub(super) fn is_draining(&self) -> bool {
        self.phase == Phase::Draining
    }

    /// The time has come.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        self.deadline = None;
        match self.phase {
            Phase::Starting => self.fail(format!("it was not ready within {START_WITHIN:?}"), now),
            Phase::Warming => self.fail(format!("it was not warm within {WARM_WITHIN:?}"), now),
            Phase::Frozen => self.fail(format!("it did not accept within {ACCEPT_WITHIN:?}"), now),
            // The system has not let go of it; it does nothing any more.
            Phase::Killed(_) => self.go_on(),
            Phase::Saving(_) | Phase::Draining | Phase::Over => {}
        }
    }

    /// Something has happened.
    pub(crate) fn handle(&mut self, heard: Heard, now: Instant) {
        self.stops |= heard == Heard::Stop;
        match (mem::replace(&mut self.phase, Phase::Over), heard) {
            (Phase::Over, _) => {}
            (Phase::Starting, Heard::Bound) => {
                self.enter(Phase::Saving(None), None);
                self.acts.push_back(Act::Save);
            }
            // The file is open or closed; which is known when that is done.
            (Phase::Saving(None), Heard::Saved(Ok(mark))) => {
                self.closed = true;
                self.enter(Phase::Warming, Some(now + WARM_WITHIN));
                self.acts.push_back(Act::SendState(mark));
            }
            (Phase::Saving(wrong), Heard::Saved(result)) => {
                self.closed = true;
                let why = wrong.or_else(|| result.err()).unwrap_or_default();
                self.fail(why, now);
            }
            (Phase::Saving(wrong), other) => {
                self.phase = Phase::Saving(Some(wrong.unwrap_or_else(|| why(other))));
            }
            (Phase::Warming, Heard::Warm) => {
                self.frozen = true;
                self.enter(Phase::Frozen, Some(now + ACCEPT_WITHIN));
                self.acts.extend([Act::StopAccepting, Act::SendGo]);
            }
            (Phase::Frozen, Heard::Serving) => {
                self.enter(Phase::Draining, None);
                self.acts.extend([Act::Answer(Ok(())), Act::Drain]);
            }
            // It takes a moment, and this process leaves in any case.
            (Phase::Frozen, Heard::Stop) => self.phase = Phase::Frozen,
            (Phase::Draining, Heard::Drained) => self.acts.push_back(Act::Leave),
            (Phase::Draining, Heard::Ended(_)) => {
                self.acts.push_back(Act::Undrain);
                self.resume();
            }
            // It is told to leave, and does; there is somebody who serves.
            (Phase::Draining, Heard::Stop) => self.acts.push_back(Act::Leave),
            (Phase::Draining, _) => self.phase = Phase::Draining,
            (Phase::Killed(why), Heard::Ended(_)) => {
                self.phase = Phase::Killed(why);
                self.go_on();
            }
            (Phase::Killed(why), _) => self.phase = Phase::Killed(why),
            (_, Heard::Ended(status)) => {
                // There is nobody left to be killed.
                self.phase = Phase::Killed(why(Heard::Ended(status)));
                self.go_on();
            }
            (_, other) => self.fail(why(other), now),
        }
    }

    fn enter(&mut self, phase: Phase, deadline: Option<Instant>) {
        (self.phase, self.deadline) = (phase, deadline);
    }

    /// The new one is ended before anything that it may have is taken back.
    fn fail(&mut self, why: String, now: Instant) {
        self.acts.push_back(Act::Kill);
        self.enter(Phase::Killed(why), Some(now + GONE_WITHIN));
    }

    /// It is gone: this process goes on as before.
    fn go_on(&mut self) {
        let Phase::Killed(why) = mem::replace(&mut self.phase, Phase::Over) else { return };
        self.resume();
        self.acts.push_back(Act::Answer(Err(why)));
        if self.stops {
            self.acts.push_back(Act::Stop);
        }
    }

    fn resume(&mut self) {
        self.enter(Phase::Over, None);
        if mem::take(&mut self.frozen) {
            self.acts.push_back(Act::Accept);
        }
        if mem::take(&mut self.closed) {
            self.acts.push_back(Act::Reopen);
        }
    }
}

/// Why it cannot go on after this.
fn why(heard: Heard) -> String {
    match heard {
        Heard::Refused(why) => why,
        Heard::Ended(status) => format!("it ended with {status}; its own lines in the log say why"),
        Heard::Stop => "a signal asked to stop".to_owned(),
        other => format!("it spoke out of turn: {other:?}"),
    }
}
