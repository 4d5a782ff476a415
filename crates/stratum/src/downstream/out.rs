//! What comes out of a session with a rig: bytes to write, events, and when it wants to be called.

use bytes::{Buf, Bytes};

use super::events::Events;
use super::keepalive::Keepalive;
use super::{CloseReason, Event};
use crate::dialect::{Dialect, RigSay};
use crate::timer::{self, TimerTable};
use crate::transmit::Transmit;

/// What the parts of a session put out.
pub(super) struct DownstreamOut {
    pub(super) transmit: Transmit,
    pub(super) timers: TimerTable<DownstreamTimer, 6>,
    pub(super) keepalive: Keepalive,
    /// Whether anything was written since that was asked last.
    said: bool,
    events: Events,
    closed: bool,
}

/// What a session with a rig waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DownstreamTimer {
    /// The next step of its login.
    Login,
    /// A look at its difficulty.
    Vardiff,
    /// It has been silent for too long.
    Silence,
    /// It has shown for long enough that it should be served otherwise.
    Suspicion,
    /// Shares of its former place are taken no longer.
    Former,
    /// It has heard nothing for long.
    Keepalive,
}

impl timer::Timer for DownstreamTimer {
    const ALL: &'static [Self] = &[
        Self::Login,
        Self::Vardiff,
        Self::Silence,
        Self::Suspicion,
        Self::Former,
        Self::Keepalive,
    ];

    fn index(self) -> usize {
        self as usize
    }
}

impl DownstreamOut {
    pub(super) fn new(keepalive: Keepalive) -> Self {
        Self {
            transmit: Transmit::thrifty(),
            timers: TimerTable::new(),
            keepalive,
            said: false,
            events: Events::default(),
            closed: false,
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        self.events.push(event);
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// Tells the rig something in the dialect's words.
    pub(super) fn say<D: Dialect>(
        &mut self,
        dialect: &D,
        rig: &D::Rig,
        say: RigSay<'_, D::Job, D::Terms>,
    ) {
        let before = self.transmit.remaining();
        self.transmit.write(|out| dialect.tell_rig(say, rig, out));
        self.said |= self.transmit.remaining() > before;
    }

    /// Tells the rig what others are told too.
    pub(super) fn share(&mut self, frame: Bytes) {
        self.transmit.share(frame);
        self.has_said();
    }

    /// As if something was written.
    pub(super) const fn has_said(&mut self) {
        self.said = true;
    }

    /// Whether anything was written since this was asked last.
    pub(super) const fn take_said(&mut self) -> bool {
        std::mem::replace(&mut self.said, false)
    }

    /// Ends the session; once.
    pub(super) fn close(&mut self, reason: CloseReason) {
        if !self.closed {
            self.closed = true;
            self.event(Event::Closed(reason));
        }
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }
}
