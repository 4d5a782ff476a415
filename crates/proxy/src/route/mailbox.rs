//! What a rig's task is told by others.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orepass_stratum::error::Reject;

use crate::bell::{Bell, Calls};

/// A rig's task is called since there are verdicts…
pub(crate) const MAIL: Calls = Calls::of_kind(0);
/// …its channel shows something new, or is gone…
pub(crate) const VIEW: Calls = Calls::of_kind(1);
/// …it may belong elsewhere, or find a seat now…
pub(crate) const SEATS: Calls = Calls::of_kind(2);
/// …the share that found no room is taken…
pub(crate) const ROOM: Calls = Calls::of_kind(3);
/// …or the route stops.
pub(crate) const STOP: Calls = Calls::of_kind(4);

/// A verdict on its way to the session whose share it judges.
#[derive(Debug)]
pub struct Mail {
    /// The session's own count of its shares.
    pub number: u64,
    /// Credited, or why not.
    pub verdict: Result<(), Reject>,
}

/// A session's queue of verdicts and the bell of its task. A session has at most
/// [`MAX_IN_FLIGHT`](orepass_stratum::downstream::MAX_IN_FLIGHT) shares in flight, so that there
/// are never more verdicts.
#[derive(Debug)]
pub struct Mailbox {
    pub(crate) bell: Bell,
    /// None once nobody reads them.
    mail: Mutex<Option<VecDeque<Mail>>>,
}

impl Mailbox {
    /// Posts a verdict; `false` when the rig has left.
    #[must_use]
    pub fn post(&self, mail: Mail) -> bool {
        let mut queue = self.mail();
        let Some(waiting) = &mut *queue else { return false };
        waiting.push_back(mail);
        drop(queue);
        self.bell.ring(MAIL);
        true
    }

    /// The next verdict.
    pub fn take(&self) -> Option<Mail> {
        self.mail().as_mut()?.pop_front()
    }

    /// The rig has left.
    pub fn close(&self) {
        *self.mail() = None;
    }

    fn mail(&self) -> MutexGuard<'_, Option<VecDeque<Mail>>> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self { bell: Bell::default(), mail: Mutex::new(Some(VecDeque::new())) }
    }
}

/// The mailboxes of several rigs, by their serials: they are called in the order in which the rigs
/// came.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes(Mutex<BTreeMap<u64, Arc<Mailbox>>>);

impl Mailboxes {
    pub(crate) fn join(&self, rig: u64, mailbox: &Arc<Mailbox>) {
        self.all().insert(rig, Arc::clone(mailbox));
    }

    pub(crate) fn leave(&self, rig: u64) {
        self.all().remove(&rig);
    }

    /// Calls them all.
    pub(crate) fn ring(&self, calls: Calls) {
        self.all().values().for_each(|mailbox| mailbox.bell.ring(calls));
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Mailbox>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
