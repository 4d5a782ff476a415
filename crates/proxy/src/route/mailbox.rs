//! What a rig's task is told by others.

use std::collections::{BTreeMap, VecDeque};
use std::mem::{self, discriminant};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orepass_farm::farm::Order;
use orepass_stratum::error::Reject;

use crate::bell::{Bell, Calls};

/// A rig's task is called since there are verdicts…
pub(crate) const MAIL: Calls = Calls::of_kind(0);
/// …its channel shows something new, or is gone…
pub(crate) const VIEW: Calls = Calls::of_kind(1);
/// …the farm has decided something for it…
pub(crate) const ORDERS: Calls = Calls::of_kind(2);
/// …the share that found no room is taken…
pub(crate) const ROOM: Calls = Calls::of_kind(3);
/// …the route has other wishes for its rigs…
pub(crate) const CONFIG: Calls = Calls::of_kind(5);
/// …or the route stops.
pub(crate) const STOP: Calls = Calls::of_kind(4);

/// So many rigs are called at once where all are to be called, and nothing hurries.
const SLICE: usize = 256;
/// The time between two slices.
const SLICE_EVERY: Duration = Duration::from_millis(20);

/// A verdict on its way to the session whose share it judges.
#[derive(Debug)]
pub struct Mail {
    /// The session's own count of its shares.
    pub number: u64,
    /// Credited, or why not.
    pub verdict: Result<(), Reject>,
}

/// What a rig's task finds when it is called, and its bell.
#[derive(Debug)]
pub struct Mailbox {
    pub(crate) bell: Bell,
    /// None once nobody reads it.
    letters: Mutex<Option<Letters>>,
}

#[derive(Debug, Default)]
struct Letters {
    /// A session has at most [`MAX_IN_FLIGHT`](orepass_stratum::downstream::MAX_IN_FLIGHT) shares
    /// in flight, so that there are never more.
    verdicts: VecDeque<Mail>,
    /// One of each kind at most.
    orders: Vec<Order>,
}

impl Mailbox {
    /// Posts a verdict; `false` when the rig has left.
    #[must_use]
    pub fn post(&self, mail: Mail) -> bool {
        self.leave(MAIL, |letters| letters.verdicts.push_back(mail))
    }

    /// The next verdict.
    pub fn take(&self) -> Option<Mail> {
        self.letters().as_mut()?.verdicts.pop_front()
    }

    /// What the farm has decided, in order.
    pub(crate) fn take_orders(&self) -> Vec<Order> {
        self.letters().as_mut().map(|letters| mem::take(&mut letters.orders)).unwrap_or_default()
    }

    /// The rig has left.
    pub fn close(&self) {
        // Seats that it had not taken go back when they are dropped: not under the lock.
        let left = self.letters().take();
        drop(left);
    }

    fn give(&self, order: Order) {
        self.leave(ORDERS, |letters| {
            letters.orders.retain(|other| discriminant(other) != discriminant(&order));
            letters.orders.push(order);
        });
    }

    fn leave(&self, calls: Calls, what: impl FnOnce(&mut Letters)) -> bool {
        let mut letters = self.letters();
        let Some(letters_left) = &mut *letters else { return false };
        what(letters_left);
        drop(letters);
        self.bell.ring(calls);
        true
    }

    fn letters(&self) -> MutexGuard<'_, Option<Letters>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self { bell: Bell::default(), letters: Mutex::new(Some(Letters::default())) }
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

    /// Leaves an order for a rig; one that has left takes none.
    pub(crate) fn give(&self, rig: u64, order: Order) {
        let mailbox = self.all().get(&rig).cloned();
        if let Some(mailbox) = mailbox {
            mailbox.give(order);
        }
    }

    /// Calls them all, some at a time. Those who join meanwhile are not called.
    pub(crate) async fn ring_in_turn(&self, calls: Calls) {
        let all: Vec<Arc<Mailbox>> = self.all().values().cloned().collect();
        for slice in all.chunks(SLICE) {
            slice.iter().for_each(|mailbox| mailbox.bell.ring(calls));
            tokio::time::sleep(SLICE_EVERY).await;
        }
    }

    /// Calls them all.
    pub(crate) fn ring(&self, calls: Calls) {
        self.all().values().for_each(|mailbox| mailbox.bell.ring(calls));
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Mailbox>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
