//! Where a rig sits, and what else its route's farm decides for it.

use std::sync::Arc;

use orepass_farm::farm::Order;
use orepass_stratum::channel::Seat;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::CloseReason;
use orepass_stratum::job::Generation;

use super::roster::ShownSeat;
use super::task::ServedRig;
use crate::clock::now;
use crate::route::channel::{Channel, Membership};

/// Where a rig sits.
pub(super) struct TakenSeat<D: Dialect> {
    membership: Membership<D>,
    /// The generation of its seat.
    pub(super) generation: Generation,
}

impl<D: Dialect> TakenSeat<D> {
    pub(super) const fn channel(&self) -> &Arc<Channel<D>> {
        self.membership.channel()
    }
}

impl<D: Dialect> ServedRig<D> {
    /// Does what the farm has decided. A rig that leaves is not asked any more, and a seat for it
    /// goes back.
    pub(super) fn take_orders(&mut self) {
        let orders = self.mailbox.take_orders();
        if self.leaving() {
            return;
        }
        for order in orders {
            match order {
                Order::Know(firmware) => self.session.handle_firmware(&firmware, now()),
                Order::Seat { channel, seat } => {
                    // Where that has ended meanwhile, the farm finds another.
                    if let Some(channel) = self.route.channel(channel) {
                        self.sit(*seat, &channel);
                    }
                }
                Order::Welcome { firmware, difficulty } => {
                    self.session.handle_welcome(&firmware, difficulty, now());
                }
                Order::Wait(wait) => self.session.handle_wait(wait),
                Order::Refuse(reason) => self.session.handle_no_seat(reason.to_string()),
                Order::Difficulty(difficulty) => self.session.handle_difficulty(difficulty, now()),
                Order::Leave(CloseReason::Shutdown) => self.stopping = true,
                Order::Leave(reason) => self.session.handle_close(reason),
            }
        }
    }

    fn sit(&mut self, seat: Seat, channel: &Arc<Channel<D>>) {
        if let Some(former) = self.place.take() {
            self.leave_behind(former.generation, Arc::clone(former.channel()));
        }
        let shown = channel.view();
        let membership = channel.join(self.entry.rig().serial, &self.mailbox);
        let generation = seat.generation;
        let (pool, id) = (channel.pool, channel.id);
        let (slot, alone) = (Some(seat.lease.number()), channel.is_undivided());
        let seen = ShownSeat { pool, channel: id, slot, alone };
        self.entry.rig().show(|rig| rig.seat = Some(seen));
        self.place = Some(TakenSeat { membership, generation });
        self.session.handle_seat(seat, &shown, now());
        // What it has shown between the two calls.
        self.look();
    }

    /// The channel shows something new.
    pub(super) fn look(&mut self) {
        if let Some(place) = &self.place
            && !place.channel().is_gone()
        {
            self.session.handle_view(&place.channel().view(), now());
        }
    }

    /// Whether nobody shares the rig's pool connection.
    pub(super) fn has_own_connection(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.channel().is_undivided())
    }
}
