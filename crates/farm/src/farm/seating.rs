//! Where a rig sits, and when it should sit elsewhere.

use std::net::IpAddr;
use std::sync::Arc;

use orepass_stratum::channel::Seat;
use orepass_stratum::downstream::{CloseReason, Wait};
use orepass_stratum::firmware::Firmware;
use orepass_stratum::space::{NoLease, Wish};

use super::channels::OpenChannel;
use super::rigs::{RigPlace, Stand};
use super::waiting::PATIENCE;
use super::{ChannelId, Farm, NoSeat, Order, RigId};
use crate::pools::{Gate, PoolIndex};

/// The most connections that are being opened at once.
pub(super) const MAX_OPENING: usize = 8;

/// What seat a rig wants.
struct WantedSeat {
    /// At which pool.
    pool: PoolIndex,
    /// It waits for leases that come free with the next work, before another connection is opened
    /// for it.
    patient: bool,
    /// The channel that is passed over.
    not: Option<ChannelId>,
    firmware: Firmware,
    slot: Option<u64>,
    address: IpAddr,
    worker: Option<Arc<str>>,
    /// It has shown no work yet.
    stranger: bool,
}

/// What a rig that wants a seat gets.
enum SeatAnswer {
    /// Here is one.
    Seat(Box<Seat>, ChannelId),
    /// There may be one soon.
    Wait(Wait),
    /// There is one when this stranger has left it.
    After(RigId),
    /// There is none, and there will be none.
    Full(NoSeat),
}

impl Farm {
    /// Finds a rig the place that it should have, if that is not the one it has.
    pub(super) fn settle(&mut self, id: RigId) {
        self.unsettled.remove(&id);
        let now = self.now;
        let Some(rig) = self.rigs.get(&id).filter(|rig| !rig.goes()) else { return };
        if self.pools.gate() == Gate::Closed {
            return self.dismiss(id, CloseReason::Outage);
        }
        // A rig that does not mine yet takes no part in the split.
        let address = rig.address;
        let pool = rig.mines().then(|| self.assignment.enter(id.0, address, now)).flatten();
        self.strangers.is_at(id, pool);
        let must_move = match &rig.stand {
            Stand::Door | Stand::Goes(_) => false,
            Stand::Waits => true,
            Stand::Sits(place) => self.must_leave(place, pool),
        };
        if !must_move {
            return self.rest(id);
        }
        let since = self.queue.join(id, rig.needs().firmware.is_particular(), now);
        let Some(pool) = pool else { return };
        let patient = now < since + PATIENCE;
        let place = rig.place().copied();
        let not = place.filter(|place| self.must_not_stay(place)).map(|place| place.channel);
        let (needs, slot, worker) = (rig.needs(), rig.slot, rig.worker.clone());
        let stranger = self.strangers.contains(id);
        let firmware = needs.firmware;
        let mut wanted =
            WantedSeat { pool, patient, not, firmware, slot, address, worker, stranger };
        let mut answer = self.find(&wanted);
        let shut = match &answer {
            SeatAnswer::Full(_) => true,
            SeatAnswer::Wait(_) | SeatAnswer::After(_) => !patient,
            SeatAnswer::Seat(..) => false,
        };
        if shut && needs.firmware != needs.sure {
            // What others of its kind did wrong is no reason to turn it away.
            wanted.firmware = needs.sure;
            answer = self.find(&wanted);
        }
        // Better at a pool that is not the right one than nowhere.
        let nowhere = place.is_none_or(|place| self.is_useless(&place));
        if nowhere
            && !patient
            && !matches!(answer, SeatAnswer::Seat(..))
            && let Some((seat, channel)) = self.refuge(&wanted)
        {
            answer = SeatAnswer::Seat(seat, channel);
        }
        match answer {
            SeatAnswer::Seat(seat, channel) => self.offer(id, pool, seat, channel),
            SeatAnswer::Wait(what) => self.wait(id, what),
            SeatAnswer::After(stranger) => self.displace(id, stranger),
            SeatAnswer::Full(reason) => match place {
                None => self.turn_away(id, reason),
                Some(place) if self.channels.get(place.channel).is_none() => {
                    self.dismiss(id, CloseReason::ExtranonceChanged);
                }
                // Nothing can be done here, nor anywhere: it may go to its own backup.
                Some(place) if self.is_useless(&place) && !patient => self.leave_in_turn(id),
                // Better a place that is not the right one than none.
                Some(_) => self.make_do(id, pool),
            },
        }
    }

    /// A channel could not take a share of a rig in time: another one is opened, and a rig that can
    /// be told so goes there.
    pub(super) fn relieve(&mut self, id: RigId) {
        let Some(rig) = self.rigs.get_mut(&id) else { return };
        let follows = rig.follows;
        let Some(place) = rig.place_mut() else { return };
        place.overloaded = follows;
        let (pool, channel) = (place.pool, place.channel);
        self.unsettled.insert(id);
        if self.channels.get(channel).is_none_or(|channel| channel.dedicated) {
            return;
        }
        let opening = self.channels.of(pool, false).any(|channel| !channel.is_live());
        if !opening && self.channels.of(pool, false).count() < self.config.max_channels {
            self.open(pool, false);
        }
    }

    /// Closes a rig's session now.
    pub(super) fn dismiss(&mut self, id: RigId, reason: CloseReason) {
        self.goes(id);
        self.order(id, Order::Leave(reason));
    }

    /// Nothing more is done for a rig.
    pub(super) fn goes(&mut self, id: RigId) {
        self.exits.leave(id);
        self.rest(id);
        self.strangers.stands_up(id);
        if let Some(rig) = self.rigs.get_mut(&id) {
            rig.stand = Stand::Goes(rig.channel());
        }
    }

    /// A rig has what it should have, or goes.
    pub(super) fn rest(&mut self, id: RigId) {
        self.queue.leave(id);
        self.exits.cancel(id);
        self.astray.remove(&id);
    }

    /// How many rigs a channel of a pool is known, or expected, to hold.
    pub(super) fn channel_capacity(&self, pool: PoolIndex) -> usize {
        let known = self.channels.of(pool, false).find_map(OpenChannel::capacity);
        let prefixes = match self.config.prefix_bytes {
            Some(bytes @ 0..4) => 1_usize << (8 * bytes),
            _ => usize::MAX,
        };
        known.unwrap_or_else(|| prefixes.min(self.config.max_rigs_per_channel)).max(1)
    }

    /// A seat on the first channel of a pool that has one: rigs are spread over as few channels as
    /// hold them, and those that cannot share one get one each.
    fn find(&mut self, wanted: &WantedSeat) -> SeatAnswer {
        let WantedSeat { pool, firmware, .. } = *wanted;
        let dedicated = self.config.prefix_bytes != Some(0) && {
            let shared = self.channels.of(pool, false).filter(|channel| channel.is_live());
            let suits = shared.filter_map(|channel| channel.suits(&firmware)).next();
            !suits.unwrap_or(!firmware.dedicated)
        };
        let (mut open, mut opening, mut resting) = (0, 0, false);
        for channel in self.channels.of(pool, dedicated) {
            open += 1;
            if !channel.is_usable() {
                opening += usize::from(!channel.is_closing());
                continue;
            }
            if wanted.not == Some(channel.id) {
                continue;
            }
            match channel.seat(&wanted.wish()) {
                Ok(seat) => return SeatAnswer::Seat(Box::new(seat), channel.id),
                Err(NoLease::Resting) => resting = true,
                Err(NoLease::Full) => {}
            }
        }
        if resting && wanted.patient && !dedicated {
            return SeatAnswer::Wait(Wait::Lease);
        }
        if wanted.patient && self.may_displace(pool, dedicated, wanted.stranger) {
            // Of seats that come free with the next work none is to be waited for instead.
            if let Some(stranger) = self.displaced(pool, dedicated, wanted.stranger) {
                return SeatAnswer::After(stranger);
            }
        }
        let (capacity, most) = if dedicated {
            (1, self.config.max_dedicated)
        } else {
            (self.channel_capacity(pool), self.config.max_channels)
        };
        // What strangers wait for is not opened for others.
        let strangers = if wanted.stranger { 0 } else { self.strangers.unseated() };
        let waiting = self.queue.like(dedicated).saturating_sub(strangers).max(1);
        let may_open = !wanted.stranger || self.may_open_for_stranger();
        if opening < waiting.div_ceil(capacity).min(MAX_OPENING) && open < most && may_open {
            self.open(pool, dedicated);
            return SeatAnswer::Wait(Wait::Pool);
        }
        if resting {
            return SeatAnswer::Wait(Wait::Lease);
        }
        if opening > 0 {
            return SeatAnswer::Wait(Wait::Pool);
        }
        let pool = self.config.pools.get(pool).map(|pool| pool.name.clone()).unwrap_or_default();
        SeatAnswer::Full(if wanted.stranger && open < most {
            NoSeat::Stranger { pool }
        } else if dedicated {
            NoSeat::Dedicated { pool, most }
        } else {
            NoSeat::Shared { pool, open, most, capacity }
        })
    }

    /// A seat at another pool that serves, on a connection that is there already: for a rig that can
    /// do nothing where it is, and finds no place at its own pool.
    fn refuge(&self, wanted: &WantedSeat) -> Option<(Box<Seat>, ChannelId)> {
        let serving = |pool| pool != wanted.pool && self.pools.serves(pool);
        let mut others = self.channels.iter().filter(|channel| serving(channel.pool));
        others.find_map(|channel| {
            let fits = channel.dedicated || channel.suits(&wanted.firmware) == Some(true);
            let usable = channel.is_usable() && fits;
            let seat = usable.then(|| channel.seat(&wanted.wish()).ok()).flatten()?;
            Some((Box::new(seat), channel.id))
        })
    }

    /// There is a seat for a rig. One that cannot be told so comes back to it, or to another, by
    /// itself.
    fn offer(&mut self, id: RigId, home: PoolIndex, mut seat: Box<Seat>, channel: ChannelId) {
        let Some(rig) = self.rigs.get_mut(&id) else { return };
        if let Some(place) = rig.place().copied()
            && !rig.can_move_to(&seat)
        {
            // Too many shares on its channel are no reason to close it.
            if place.overloaded {
                return self.make_do(id, home);
            }
            self.leave_in_turn(id);
            return self.queue.leave(id);
        }
        seat.lease.belongs_to(rig.address, rig.worker.as_ref());
        rig.displaces = false;
        let Some(at) = self.channels.get_mut(channel) else { return };
        at.rigs.insert(id);
        let pool = at.pool;
        self.strangers.sits(id, at.dedicated, self.now);
        let former =
            std::mem::replace(&mut rig.stand, Stand::Sits(RigPlace::new(channel, pool, &seat)));
        if let Stand::Sits(former) = former
            && former.channel != channel
            && let Some(left) = self.channels.get_mut(former.channel)
        {
            left.rigs.remove(&id);
        }
        self.rest(id);
        if pool != home {
            self.astray.insert(id);
        }
        self.order(id, Order::Seat { channel, seat });
    }

    /// There may be a seat soon; where a rig sits it is better off than nowhere.
    fn wait(&mut self, id: RigId, what: Wait) {
        self.exits.cancel(id);
        let Some(rig) = self.rigs.get_mut(&id) else { return };
        if matches!(rig.stand, Stand::Waits) && rig.told != what {
            rig.told = what;
            self.order(id, Order::Wait(what));
        }
    }

    /// A rig waits for the seat of a stranger, which makes way for it; once.
    fn displace(&mut self, id: RigId, stranger: RigId) {
        let Some(rig) = self.rigs.get_mut(&id) else { return };
        if !std::mem::replace(&mut rig.displaces, true) {
            self.dismiss(stranger, CloseReason::MakesRoom);
        }
        self.wait(id, Wait::Lease);
    }

    fn turn_away(&mut self, id: RigId, reason: NoSeat) {
        self.goes(id);
        self.order(id, Order::Refuse(reason));
    }

    /// A rig is closed soon, spread over time with all the others that are.
    fn leave_in_turn(&mut self, id: RigId) {
        self.exits.join(id, self.now, self.rng.f64());
    }

    /// There is no better place: a rig makes do with the one that it has.
    fn make_do(&mut self, id: RigId, home: PoolIndex) {
        self.queue.leave(id);
        let Some(place) = self.rigs.get_mut(&id).and_then(|rig| rig.place_mut()) else { return };
        place.overloaded = false;
        let place = *place;
        if self.must_leave(&place, Some(home)) {
            self.astray.insert(id);
        } else {
            self.rest(id);
        }
    }

    /// Whether a rig should sit elsewhere: at another pool, on another channel, or on the same one
    /// in its new generation.
    fn must_leave(&self, place: &RigPlace, pool: Option<PoolIndex>) -> bool {
        let channel = self.channels.get(place.channel);
        channel.is_some_and(|channel| channel.has_moved_from(place.generation))
            || pool.is_some_and(|pool| pool != place.pool)
            || self.must_not_stay(place)
    }

    /// Whether no share of a rig can be taken where it is.
    fn is_useless(&self, place: &RigPlace) -> bool {
        self.channels.get(place.channel).is_none_or(|channel| channel.is_stranded(self.now))
    }

    /// Whether a rig should sit on any channel but its own.
    fn must_not_stay(&self, place: &RigPlace) -> bool {
        place.overloaded || self.is_useless(place)
    }
}

impl WantedSeat {
    fn wish(&self) -> Wish<'_> {
        Wish { slot: self.slot, address: Some(self.address), worker: self.worker.as_deref() }
    }
}
