//! What comes out of a session with a pool: bytes to write, events, and when it wants to be called.

use std::collections::VecDeque;

use bytes::{Buf, BytesMut};

use super::{Notice, UpstreamEvent};
use crate::channel::ShareOutcome;
use crate::habits::Learnt;
use crate::spare::give_back_queue;
use crate::timer::{self, TimerTable};
use crate::transmit::Transmit;

/// What the parts of a session put out.
pub(super) struct UpstreamOut<T> {
    pub(super) transmit: Transmit,
    pub(super) timers: Timers,
    events: VecDeque<UpstreamEvent<T>>,
}

pub(super) type Timers = TimerTable<UpstreamTimer, 8>;

/// What a session with a pool waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UpstreamTimer {
    /// The target of a job that was told without one.
    Target,
    /// An answer of the pool.
    Answer,
    /// A place in the pool's window.
    Slot,
    /// A name, which shares wait for.
    Gate,
    /// The end of the brake.
    Brake,
    /// A question to a pool that says nothing.
    Silence,
    /// A job that can be mined.
    Job,
    /// A connection on which shares of the last one are sent again.
    Held,
}

impl timer::Timer for UpstreamTimer {
    const ALL: &'static [Self] = &[
        Self::Target,
        Self::Answer,
        Self::Slot,
        Self::Gate,
        Self::Brake,
        Self::Silence,
        Self::Job,
        Self::Held,
    ];

    fn index(self) -> usize {
        self as usize
    }
}

impl<T> UpstreamOut<T> {
    pub(super) fn new() -> Self {
        Self { transmit: Transmit::new(), timers: TimerTable::new(), events: VecDeque::new() }
    }

    /// Appends text for the pool; whether there was any.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut BytesMut)) -> bool {
        let before = self.transmit.remaining();
        self.transmit.write(write);
        self.transmit.remaining() > before
    }

    pub(super) fn event(&mut self, event: UpstreamEvent<T>) {
        self.events.push_back(event);
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        self.event(UpstreamEvent::Notice(notice));
    }

    /// Something was found out about the pool, by this.
    pub(super) fn learnt(&mut self, learnt: Option<Learnt>, why: impl Into<String>) {
        if let Some(learnt) = learnt {
            self.notice(Notice::Learnt { learnt, why: why.into() });
        }
    }

    /// A share has a verdict that the pool did not give; whether that counts against the pool.
    pub(super) fn verdict(&mut self, ticket: T, outcome: impl Into<ShareOutcome>, weighs: bool) {
        let (outcome, after) = (outcome.into(), None);
        self.event(UpstreamEvent::Verdict { ticket, outcome, after, weighs });
    }

    pub(super) fn poll_event(&mut self) -> Option<UpstreamEvent<T>> {
        let event = self.events.pop_front();
        give_back_queue(&mut self.events);
        event
    }

    /// The connection is lost: nothing is written to it, and nothing of it is waited for.
    pub(super) fn hang_up(&mut self) {
        self.transmit.clear();
        self.timers = TimerTable::new();
    }
}
