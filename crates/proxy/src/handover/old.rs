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
pub(crate) enum HeardByOld {
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
pub(crate) enum OldAct {
    /// Start the new one, and send it the sockets.
    Start,
    /// Have each rig's state noted and close the file; what came of it is to be [heard](HeardByOld::Saved).
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
    phase: OldPhase,
    deadline: Option<Instant>,
    /// The file is closed.
    closed: bool,
    /// Nobody accepts here.
    frozen: bool,
    /// A signal has asked to stop.
    stops: bool,
    acts: VecDeque<OldAct>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum OldPhase {
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
            phase: OldPhase::Starting,
            deadline: Some(now + START_WITHIN),
            closed: false,
            frozen: false,
            stops: false,
            acts: VecDeque::from([OldAct::Start]),
        }
    }

    /// What is to be done next.
    pub(crate) fn poll(&mut self) -> Option<OldAct> {
        self.acts.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether this is over, when everything is done that was [to be done](Self::poll).
    pub(crate) fn is_over(&self) -> bool {
        self.phase == OldPhase::Over
    }

    /// Whether the new process serves and this one's rigs leave.
    #[cfg(test)]
    pub(super) fn is_draining(&self) -> bool {
        self.phase == OldPhase::Draining
    }

    /// The time has come.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        self.deadline = None;
        match self.phase {
            OldPhase::Starting => {
                self.fail(format!("it was not ready within {START_WITHIN:?}"), now);
            }
            OldPhase::Warming => self.fail(format!("it was not warm within {WARM_WITHIN:?}"), now),
            OldPhase::Frozen => {
                self.fail(format!("it did not accept within {ACCEPT_WITHIN:?}"), now);
            }
            // The system has not let go of it; it does nothing any more.
            OldPhase::Killed(_) => self.go_on(),
            OldPhase::Saving(_) | OldPhase::Draining | OldPhase::Over => {}
        }
    }

    /// Something has happened.
    pub(crate) fn handle(&mut self, heard: HeardByOld, now: Instant) {
        self.stops |= heard == HeardByOld::Stop;
        match (mem::replace(&mut self.phase, OldPhase::Over), heard) {
            (OldPhase::Over, _) => {}
            (OldPhase::Starting, HeardByOld::Bound) => {
                self.enter(OldPhase::Saving(None), None);
                self.acts.push_back(OldAct::Save);
            }
            // The file is open or closed; which is known when that is done.
            (OldPhase::Saving(None), HeardByOld::Saved(Ok(mark))) => {
                self.closed = true;
                self.enter(OldPhase::Warming, Some(now + WARM_WITHIN));
                self.acts.push_back(OldAct::SendState(mark));
            }
            (OldPhase::Saving(wrong), HeardByOld::Saved(result)) => {
                self.closed = true;
                let why = wrong.or_else(|| result.err()).unwrap_or_default();
                self.fail(why, now);
            }
            (OldPhase::Saving(wrong), other) => {
                self.phase = OldPhase::Saving(Some(wrong.unwrap_or_else(|| why(other))));
            }
            (OldPhase::Warming, HeardByOld::Warm) => {
                self.frozen = true;
                self.enter(OldPhase::Frozen, Some(now + ACCEPT_WITHIN));
                self.acts.extend([OldAct::StopAccepting, OldAct::SendGo]);
            }
            (OldPhase::Frozen, HeardByOld::Serving) => {
                self.enter(OldPhase::Draining, None);
                self.acts.extend([OldAct::Answer(Ok(())), OldAct::Drain]);
            }
            // It takes a moment, and this process leaves in any case.
            (OldPhase::Frozen, HeardByOld::Stop) => self.phase = OldPhase::Frozen,
            (OldPhase::Draining, HeardByOld::Drained) => self.acts.push_back(OldAct::Leave),
            (OldPhase::Draining, HeardByOld::Ended(_)) => {
                self.acts.push_back(OldAct::Undrain);
                self.resume();
            }
            // It is told to leave, and does; there is somebody who serves.
            (OldPhase::Draining, HeardByOld::Stop) => self.acts.push_back(OldAct::Leave),
            (OldPhase::Draining, _) => self.phase = OldPhase::Draining,
            (OldPhase::Killed(why), HeardByOld::Ended(_)) => {
                self.phase = OldPhase::Killed(why);
                self.go_on();
            }
            (OldPhase::Killed(why), _) => self.phase = OldPhase::Killed(why),
            (_, HeardByOld::Ended(status)) => {
                // There is nobody left to be killed.
                self.phase = OldPhase::Killed(why(HeardByOld::Ended(status)));
                self.go_on();
            }
            (_, other) => self.fail(why(other), now),
        }
    }

    fn enter(&mut self, phase: OldPhase, deadline: Option<Instant>) {
        (self.phase, self.deadline) = (phase, deadline);
    }

    /// The new one is ended before anything that it may have is taken back.
    fn fail(&mut self, why: String, now: Instant) {
        self.acts.push_back(OldAct::Kill);
        self.enter(OldPhase::Killed(why), Some(now + GONE_WITHIN));
    }

    /// It is gone: this process goes on as before.
    fn go_on(&mut self) {
        let OldPhase::Killed(why) = mem::replace(&mut self.phase, OldPhase::Over) else { return };
        self.resume();
        self.acts.push_back(OldAct::Answer(Err(why)));
        if self.stops {
            self.acts.push_back(OldAct::Stop);
        }
    }

    fn resume(&mut self) {
        self.enter(OldPhase::Over, None);
        if mem::take(&mut self.frozen) {
            self.acts.push_back(OldAct::Accept);
        }
        if mem::take(&mut self.closed) {
            self.acts.push_back(OldAct::Reopen);
        }
    }
}

/// Why it cannot go on after this.
fn why(heard: HeardByOld) -> String {
    match heard {
        HeardByOld::Refused(why) => why,
        HeardByOld::Ended(status) => {
            format!("it ended with {status}; its own lines in the log say why")
        }
        HeardByOld::Stop => "a signal asked to stop".to_owned(),
        other => format!("it spoke out of turn: {other:?}"),
    }
}
