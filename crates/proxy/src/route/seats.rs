//! Which rig sits on which channel.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use orepass_farm::pools::PoolIndex;
use orepass_stratum::channel::Seat;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::Wait;
use orepass_stratum::firmware::Firmware;
use orepass_stratum::space::{NoLease, Wish as LeaseWish};

use super::Route;
use super::channel::Channel;
use super::mailbox::{Mailbox, SEATS};
use crate::clock::now;
use crate::rig::roster::Rig;

/// The most connections that are being opened at once.
const MAX_OPENING: usize = 8;
/// The least time between two rigs that are closed because their extranonce changed: 500 a second.
const CLOSE_EVERY: Duration = Duration::from_millis(2);
/// Spread over this much more, so that they do not come back in step.
const CLOSE_JITTER: Duration = Duration::from_millis(250);

/// What seat a rig wants.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// At which pool.
    pub pool: PoolIndex,
    /// Whether it waits for leases that come free with the next work, before another connection
    /// is opened for it.
    pub patient: bool,
    /// The channel that is passed over.
    pub not: Option<u64>,
    /// The lease that it had before, and who it is.
    pub lease: LeaseWish<'a>,
    /// What is known of its firmware.
    pub firmware: Firmware,
}

/// What a rig that wants a seat is told.
pub enum Answer<D: Dialect> {
    /// Here is one.
    Seat(Box<Seat>, Arc<Channel<D>>),
    /// There may be one soon: ask again when the route changes. With what is waited for.
    Wait(Wait),
    /// There is none, and there will be none.
    Full(String),
}

/// A rig that waits for a seat; counted, so that as many connections are opened as are needed, and
/// called when asking again may help.
pub struct Waiting<D: Dialect> {
    route: Arc<Route<D>>,
    serial: u64,
    /// It may need a connection of its own.
    alone: bool,
}

impl<D: Dialect> Drop for Waiting<D> {
    fn drop(&mut self) {
        self.route.waiting_like(self.alone).fetch_sub(1, Ordering::Relaxed);
        self.route.expectant.leave(self.serial);
    }
}

impl<D: Dialect> Route<D> {
    /// Joins the rigs that wait for a seat.
    pub(crate) fn wait(
        self: &Arc<Self>,
        firmware: &Firmware,
        serial: u64,
        mailbox: &Arc<Mailbox>,
    ) -> Waiting<D> {
        let alone = firmware.is_particular();
        self.waiting_like(alone).fetch_add(1, Ordering::Relaxed);
        self.expectant.join(serial, mailbox);
        Waiting { route: Arc::clone(self), serial, alone }
    }

    const fn waiting_like(&self, alone: bool) -> &AtomicUsize {
        if alone { &self.waiting_alone } else { &self.waiting }
    }

    /// The pool that a rig should mine at now; none while no pool serves.
    pub(crate) fn pool_for(&self, rig: &Rig) -> Option<PoolIndex> {
        self.assignment().enter(rig.serial, rig.peer.ip(), now())
    }

    /// A rig has gone.
    pub(crate) fn forget(&self, rig: &Rig) {
        self.assignment().leave(rig.serial, rig.work.get(), now());
    }

    /// A seat on the first channel of a pool that has one: rigs are spread over as few channels as
    /// hold them, and those that cannot share one get one each.
    pub fn seat(self: &Arc<Self>, wish: &Wish<'_>) -> Answer<D> {
        let Wish { pool, patient, not, lease, firmware } = wish;
        let mut channels = self.channels();
        channels.retain(|channel| !channel.is_gone());
        let dedicated = self.config.prefix_bytes != Some(0) && {
            let shared = channels.iter().filter(|c| c.pool == *pool && !c.dedicated && c.is_live());
            let suits = shared.filter_map(|channel| channel.view().suits(firmware)).next();
            !suits.unwrap_or(!firmware.dedicated)
        };
        let mut open = 0;
        let mut opening = 0;
        let mut resting = false;
        let of_kind = |c: &&Arc<Channel<D>>| c.pool == *pool && c.dedicated == dedicated;
        for channel in channels.iter().filter(of_kind) {
            open += 1;
            let view = channel.view();
            // One on which no job has come may be of no use.
            if !view.live || view.work.is_none() {
                opening += 1;
                continue;
            }
            if *not == Some(channel.number) {
                continue;
            }
            match view.seat(lease) {
                Ok(seat) => {
                    self.fills(channel.worker);
                    return Answer::Seat(Box::new(seat), Arc::clone(channel));
                }
                Err(NoLease::Resting) => resting = true,
                Err(NoLease::Full) => {}
            }
        }
        drop(channels);
        if resting && *patient && !dedicated {
            return Answer::Wait(Wait::Lease);
        }
        let (capacity, most, waiting) = if dedicated {
            (1, self.config.max_dedicated, &self.waiting_alone)
        } else {
            (self.channel_capacity(*pool), self.config.max_channels, &self.waiting)
        };
        let waiting = waiting.load(Ordering::Relaxed).max(1);
        let wanted = waiting.div_ceil(capacity).min(MAX_OPENING);
        if opening < wanted && open < most {
            self.open_channel(*pool, dedicated);
            return Answer::Wait(Wait::Pool);
        }
        if resting {
            return Answer::Wait(Wait::Lease);
        }
        if opening > 0 {
            return Answer::Wait(Wait::Pool);
        }
        let pool = &self.pool(*pool).name;
        Answer::Full(if dedicated {
            format!(
                "this rig needs a connection to {pool} of its own, and all {most} of them are \
                 taken; raise `max_dedicated`"
            )
        } else {
            format!(
                "no room: {open} of {most} connections to {pool} are full with {capacity} rigs \
                 each; raise `max_channels` or `max_rigs_per_channel`"
            )
        })
    }

    /// A seat at another pool that serves, on a connection that is there already: for a rig that can
    /// do nothing where it is, and finds no place at its own pool.
    pub fn refuge(&self, wish: &Wish<'_>) -> Option<(Seat, Arc<Channel<D>>)> {
        let serving: Vec<bool> = {
            let choice = self.choice();
            (0..self.config.pools.len()).map(|pool| choice.serves(pool)).collect()
        };
        let channels = self.channels();
        let others = channels.iter().filter(|c| c.pool != wish.pool && serving[c.pool]);
        others.into_iter().find_map(|channel| {
            let view = channel.view();
            let fits = channel.dedicated || view.suits(&wish.firmware) == Some(true);
            let usable = view.live && view.work.is_some() && fits;
            let seat = usable.then(|| view.seat(&wish.lease).ok()).flatten()?;
            Some((seat, Arc::clone(channel)))
        })
    }

    /// How many rigs have a connection to a pool of their own.
    pub(super) fn alone(&self, pool: PoolIndex) -> usize {
        let dedicated = |channel: &&Arc<Channel<D>>| channel.pool == pool && channel.dedicated;
        let lent = |channel: &Arc<Channel<D>>| {
            channel.view().ground.as_ref().map(|ground| ground.space.lent())
        };
        self.channels().iter().filter(dedicated).filter_map(lent).sum::<u64>() as usize
    }

    /// Opens connections to a pool until they hold so many rigs, some at a time.
    pub(super) fn grow(self: &Arc<Self>, pool: PoolIndex, rigs: usize) {
        let needed = rigs.div_ceil(self.channel_capacity(pool)).min(self.config.max_channels);
        loop {
            let channels = self.channels();
            let shared = |c: &&Arc<Channel<D>>| c.pool == pool && !c.dedicated && !c.is_gone();
            let of_pool = || channels.iter().filter(shared);
            let opening = of_pool().filter(|channel| !channel.is_live()).count();
            let enough = of_pool().count() >= needed.max(1) || opening >= MAX_OPENING;
            drop(channels);
            if enough {
                return;
            }
            self.open_channel(pool, false);
        }
    }

    /// Opens another connection where the route may have one more, since one is overloaded.
    pub(crate) fn relieve(self: &Arc<Self>, overloaded: &Channel<D>) {
        let Channel { pool, dedicated, .. } = *overloaded;
        let channels = self.channels();
        let of_pool = || channels.iter().filter(|c| c.pool == pool && !c.dedicated);
        let opening = of_pool().any(|channel| !channel.is_live());
        let room = of_pool().count() < self.config.max_channels;
        drop(channels);
        if room && !opening && !dedicated {
            self.open_channel(pool, false);
        }
    }

    /// Tells waiting rigs to ask again.
    pub(crate) fn bump(&self) {
        self.expectant.ring(SEATS);
    }

    pub(super) fn open_channel(self: &Arc<Self>, pool: PoolIndex, dedicated: bool) {
        let number = self.next_channel.fetch_add(1, Ordering::Relaxed);
        let channel = Channel::open(self, number, pool, dedicated);
        self.channels().push(channel);
    }

    pub(crate) fn channels(&self) -> MutexGuard<'_, Vec<Arc<Channel<D>>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection was given the extranonce1 of another one. That is to give way where it serves a
    /// single rig, and this one many.
    pub(crate) fn clashes(&self, with: Option<u64>, serves_many: bool) {
        let channels = self.channels();
        let other = channels.iter().find(|channel| Some(channel.number) == with);
        if let Some(other) = other.filter(|other| other.dedicated && serves_many) {
            other.give_way();
        }
    }

    /// How many rigs a channel of a pool is known, or expected, to hold.
    fn channel_capacity(&self, pool: PoolIndex) -> usize {
        let shared = |channel: &&Arc<Channel<D>>| channel.pool == pool && !channel.dedicated;
        let known = self.channels().iter().filter(shared).find_map(|channel| {
            channel.view().ground.as_ref().map(|ground| ground.space.capacity() as usize)
        });
        let prefixes = match self.config.prefix_bytes {
            Some(bytes @ 0..4) => 1_usize << (8 * bytes),
            _ => usize::MAX,
        };
        known.unwrap_or_else(|| prefixes.min(self.config.max_rigs_per_channel)).max(1)
    }
}

/// Spreads the closing of many rigs over time.
#[derive(Debug, Default)]
pub(crate) struct Pacer(Mutex<Option<Instant>>);

impl Pacer {
    /// How long the next rig to be closed has to wait; `jitter` is from 0 to 1.
    pub(crate) fn delay(&self, now: Instant, jitter: f64) -> Duration {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = next.map_or(now, |next| next.max(now));
        *next = Some(slot + CLOSE_EVERY);
        slot.saturating_duration_since(now) + CLOSE_JITTER.mul_f64(jitter.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_500_rigs_a_second_are_closed() {
        let pacer = Pacer::default();
        let now = now();
        let delays: Vec<_> = (0..1000).map(|_| pacer.delay(now, 0.0)).collect();
        let first_second = delays.iter().filter(|delay| **delay < Duration::from_secs(1)).count();
        assert_eq!(first_second, 500);
        assert_eq!(pacer.delay(now + Duration::from_secs(9), 0.0), Duration::ZERO);
    }
}
