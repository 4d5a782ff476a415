//! Where a rig sits, and when it should sit elsewhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use orepass_farm::pools::{Gate, PoolIndex};
use orepass_stratum::channel::Seat;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::CloseReason;
use orepass_stratum::job::Generation;
use orepass_stratum::space::Wish as LeaseWish;

use super::task::Served;
use crate::clock::now;
use crate::route::channel::{Channel, Membership};
use crate::route::{SeatAnswer, Waiting, Wish};

/// How long a rig waits for a lease to come free before another connection is opened for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a rig stays on a channel without a connection before it looks for a sibling.
const STRANDED_AFTER: Duration = Duration::from_secs(3);

/// Where a rig sits.
pub(super) struct Place<D: Dialect> {
    membership: Membership<D>,
    /// The generation of its seat.
    pub(super) generation: Generation,
    /// The channel could not take a share of this rig in time.
    overloaded: bool,
    /// Since when the channel has had no connection.
    lost_since: Option<Instant>,
}

/// A rig that waits for a seat.
pub(super) struct Wait<D: Dialect> {
    _waiting: Waiting<D>,
    since: Instant,
}

impl<D: Dialect> Wait<D> {
    /// When its patience ends.
    pub(super) fn until(&self) -> Instant {
        self.since + PATIENCE
    }
}

impl<D: Dialect> Served<D> {
    /// The channel shows something new.
    pub(super) fn look(&mut self) {
        let Some(place) = &mut self.place else { return };
        if place.channel().is_gone() {
            return self.settle();
        }
        let (shown, at) = (place.channel().view(), now());
        place.lost_since = if shown.live { None } else { place.lost_since.or(Some(at)) };
        self.session.handle_view(&shown, at);
    }

    /// Finds the rig the place that it should have, if that is not the one it has.
    pub(super) fn settle(&mut self) {
        let at = now();
        if self.route.choice().gate() == Gate::Closed {
            return self.session.handle_close(CloseReason::Outage);
        }
        // A rig that does not mine yet takes no part in the split.
        let mines = self.place.is_some() || self.session.wants_seat();
        let pool = mines.then(|| self.route.pool_for(self.entry.rig())).flatten();
        let must_move = match &self.place {
            None => mines,
            Some(place) => place.must_leave(pool, at),
        };
        if !must_move {
            self.waiting = None;
            self.leave_at = None;
            return;
        }
        if self.waiting.is_none() {
            self.waiting = Some(Wait {
                _waiting: self.route.wait(
                    &self.needs.firmware,
                    self.entry.rig().serial,
                    &self.mailbox,
                ),
                since: at,
            });
        }
        let patient = self.waiting.as_ref().is_some_and(|wait| at < wait.until());
        let Some(pool) = pool else { return };
        let not = self.place.as_ref().filter(|place| place.must_not_stay(at));
        let not = not.map(|place| place.channel().number);
        let lease = LeaseWish {
            slot: self.slot,
            address: Some(self.address()),
            worker: self.session.worker().map(|worker| &**worker),
        };
        let mut wish = Wish { pool, patient, not, lease, firmware: self.needs.firmware };
        let mut answer = self.route.seat(&wish);
        let shut = match &answer {
            SeatAnswer::Full(_) => true,
            SeatAnswer::Wait(_) => !patient,
            SeatAnswer::Seat(..) => false,
        };
        if shut && self.needs.firmware != self.needs.sure {
            // What others of its kind did wrong is no reason to turn it away.
            wish.firmware = self.needs.sure;
            answer = self.route.seat(&wish);
        }
        // Better at a pool that is not the right one than nowhere.
        let nowhere = self.place.as_ref().is_none_or(|place| place.is_useless(at));
        if nowhere
            && !patient
            && !matches!(answer, SeatAnswer::Seat(..))
            && let Some((seat, channel)) = self.route.refuge(&wish)
        {
            answer = SeatAnswer::Seat(Box::new(seat), channel);
        }
        match answer {
            // The rig comes back to that seat, or another, by itself.
            SeatAnswer::Seat(seat, _) if self.place.is_some() && !self.session.can_move(&seat) => {
                self.leave_in_turn(at);
                self.waiting = None;
            }
            SeatAnswer::Seat(seat, channel) => self.sit(*seat, &channel, at),
            // Better where it is than nowhere.
            SeatAnswer::Wait(wait) => {
                self.session.handle_wait(wait);
                self.leave_at = None;
            }
            SeatAnswer::Full(reason) => match &self.place {
                None => self.session.handle_no_seat(reason),
                Some(place) if place.channel().is_gone() => {
                    self.session.handle_close(CloseReason::ExtranonceChanged);
                }
                // Nothing can be done here, nor anywhere: it may go to its own backup.
                Some(place) if place.is_useless(at) && !patient => {
                    self.leave_in_turn(at);
                }
                // Better a place that is not the right one than none.
                Some(_) => self.stay(),
            },
        }
    }

    /// The rig is closed soon, spread over time with all the others that are.
    fn leave_in_turn(&mut self, at: Instant) {
        let delay = || self.route.closing.delay(at, fastrand::f64());
        self.leave_at.get_or_insert_with(|| at + delay());
    }

    /// The channel could not take a share in time: another one is opened, and a rig that can be
    /// told so goes there.
    pub(super) fn relieve(&mut self) {
        if let Some(place) = &mut self.place {
            place.overloaded = self.session.takes_set_extranonce();
            self.route.relieve(place.channel());
        }
        self.settle();
    }

    /// There is no better place: the rig makes do with the one that it has.
    fn stay(&mut self) {
        self.waiting = None;
        if let Some(place) = &mut self.place {
            place.overloaded = false;
        }
    }

    fn sit(&mut self, mut seat: Seat, channel: &Arc<Channel<D>>, at: Instant) {
        seat.lease.belongs_to(self.address(), self.session.worker());
        if let Some(former) = self.place.take() {
            self.leave_behind(former.generation, Arc::clone(former.channel()));
        }
        let shown = channel.view();
        let membership = channel.join(self.entry.rig().serial, &self.mailbox);
        let generation = seat.generation;
        self.place = Some(Place { membership, generation, overloaded: false, lost_since: None });
        self.waiting = None;
        self.leave_at = None;
        self.session.handle_seat(seat, &shown, at);
        self.look();
    }
}

impl<D: Dialect> Place<D> {
    pub(super) const fn channel(&self) -> &Arc<Channel<D>> {
        self.membership.channel()
    }

    /// When a rig on a channel without a connection should look for another.
    pub(super) fn stranded_at(&self) -> Option<Instant> {
        self.lost_since.map(|since| since + STRANDED_AFTER)
    }

    /// Whether the rig should sit elsewhere: at another pool, on another channel, or on the same
    /// one in its new generation.
    fn must_leave(&self, pool: Option<PoolIndex>, at: Instant) -> bool {
        let view = self.channel().view();
        let generation = view.ground.as_ref().map(|_| view.generation);
        self.channel().is_gone()
            || generation.is_some_and(|generation| generation != self.generation)
            || pool.is_some_and(|pool| pool != self.channel().pool)
            || self.must_not_stay(at)
    }

    /// Whether no share of the rig can be taken here.
    fn is_useless(&self, at: Instant) -> bool {
        self.channel().is_gone() || self.stranded_at().is_some_and(|stranded| stranded <= at)
    }

    /// Whether the rig should sit on any channel but this one.
    fn must_not_stay(&self, at: Instant) -> bool {
        self.overloaded || self.is_useless(at)
    }
}
