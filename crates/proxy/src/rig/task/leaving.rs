//! How a rig is let go: with its last words, and the verdicts that it waits for.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use bytes::Buf;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::CloseReason;
use orepass_stratum::time::Instant;

use super::ServedRig;
use crate::clock::now;
use crate::route::DRAIN_FOR;

/// How long the last words to a rig may take, with the verdicts that it still waits for.
const FAREWELL_WITHIN: Duration = Duration::from_secs(2);
/// How long a rig that was told that this is the end may take to end its side as well.
const LINGER: Duration = Duration::from_millis(500);

/// A rig that is let go.
pub(super) struct LeavingRig {
    pub(super) reason: CloseReason,
    /// When its time is up.
    pub(super) until: Instant,
    /// It was told all, and that this is the end.
    is_told: bool,
}

impl<D: Dialect> ServedRig<D> {
    /// Lets a rig go whose turn has come, when all that was read of it has been taken and judged.
    pub(super) fn conclude(&mut self) {
        if self.stopping
            && self.session.in_flight() == 0
            && (self.lines.is_empty() || self.may_take())
        {
            self.session.handle_close(CloseReason::Shutdown);
        }
    }

    /// Whether the rig is let go, and gets its last words.
    pub(in crate::rig) const fn leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// The session is over: the rig gets its last words.
    pub(in crate::rig) fn leave(&mut self, reason: CloseReason) {
        let within = match reason {
            // It waits for nothing else.
            CloseReason::Gone => DRAIN_FOR,
            _ => FAREWELL_WITHIN,
        };
        self.leaving = Some(Box::new(LeavingRig { reason, until: now() + within, is_told: false }));
    }

    /// Gives the rig's places back.
    pub(super) fn step_out(&mut self) {
        if let Some(inside) = self.inside.take() {
            self.route.let_out(self.entry.rig().peer.ip(), &inside);
        }
    }

    /// Closes the connection of a rig that was told all that it is owed, or will be told no more.
    pub(super) fn take_leave(&mut self, context: &mut Context<'_>) -> Option<CloseReason> {
        let leaving = self.leaving.as_ref()?;
        if !leaving.is_told {
            let owed = self.session.in_flight() > 0 && !self.route.closing_now().is_cancelled();
            if owed || self.session.transmit().has_remaining() {
                return None;
            }
            self.wire.as_ref()?;
            // When it sees the end, there is room for it to come back.
            self.step_out();
            let wire = self.wire.as_mut()?;
            if Pin::new(&mut **wire).poll_shutdown(context).is_pending() {
                return None;
            }
            let leaving = self.leaving.as_mut()?;
            leaving.is_told = true;
            leaving.until = now() + LINGER;
        }
        let (leaving, wire) = (self.leaving.as_ref()?, self.wire.as_mut()?);
        // To close what was not read to its end is a reset, which takes the last words from the rig.
        if leaving.reason != CloseReason::Gone && !self.lines.poll_end(wire, context) {
            return None;
        }
        self.leaving.take().map(|leaving| leaving.reason)
    }
}
