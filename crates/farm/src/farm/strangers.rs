//! Rigs that have shown no work yet. They share what others leave, cost at most one pool connection
//! more than the others need, and are the first to go when seats are short.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use orepass_stratum::downstream::CloseReason;
use orepass_stratum::time::Instant;

use super::channels::OpenChannel;
use super::{Farm, RigId};
use crate::pools::PoolIndex;

/// How long a stranger that has a seat may take to show work before its seat goes to another that
/// waits.
pub(super) const PROVES_WITHIN: Duration = Duration::from_secs(120);

/// The strangers of a route.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    /// All of them, with what is known of where they are.
    rigs: BTreeMap<RigId, Whereabouts>,
    /// Those that have a seat, that sat down longest ago first.
    seated: BTreeSet<(Instant, RigId)>,
    /// How many belong to each pool.
    at: BTreeMap<PoolIndex, usize>,
    /// Those of them that have a connection of their own.
    alone: BTreeSet<RigId>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Whereabouts {
    pool: Option<PoolIndex>,
    seated: Option<Instant>,
}

impl Strangers {
    pub(super) fn join(&mut self, rig: RigId) {
        self.rigs.entry(rig).or_default();
    }

    /// A rig has shown work, or has gone; tells whether it was one.
    pub(super) fn leave(&mut self, rig: RigId) -> bool {
        self.is_at(rig, None);
        self.stands_up(rig);
        self.rigs.remove(&rig).is_some()
    }

    pub(super) fn contains(&self, rig: RigId) -> bool {
        self.rigs.contains_key(&rig)
    }

    /// The pool that it belongs to.
    pub(super) fn is_at(&mut self, rig: RigId, pool: Option<PoolIndex>) {
        let Some(known) = self.rigs.get_mut(&rig) else { return };
        let former = std::mem::replace(&mut known.pool, pool);
        if let Some(count) = former.and_then(|former| self.at.get_mut(&former)) {
            *count -= 1;
        }
        if let Some(pool) = pool {
            *self.at.entry(pool).or_default() += 1;
        }
    }

    pub(super) fn sits(&mut self, rig: RigId, alone: bool, now: Instant) {
        let Some(known) = self.rigs.get_mut(&rig) else { return };
        let since = *known.seated.get_or_insert(now);
        self.seated.insert((since, rig));
        if alone {
            self.alone.insert(rig);
        } else {
            self.alone.remove(&rig);
        }
    }

    /// It goes, and counts until it has gone.
    pub(super) fn stands_up(&mut self, rig: RigId) {
        let since = self.rigs.get_mut(&rig).and_then(|known| known.seated.take());
        if let Some(since) = since {
            self.seated.remove(&(since, rig));
        }
        self.alone.remove(&rig);
    }

    /// How many have no seat.
    pub(super) fn unseated(&self) -> usize {
        self.rigs.len() - self.seated.len()
    }

    /// How many belong to a pool.
    fn at(&self, pool: PoolIndex) -> usize {
        self.at.get(&pool).copied().unwrap_or(0)
    }
}

impl Farm {
    /// A rig comes of which nothing is known, nor of its address: until its
    /// [first good share](Self::handle_proven) it is served with what others leave. To be told right
    /// after [`handle_rig`](Self::handle_rig).
    pub fn handle_stranger(&mut self, id: RigId, now: Instant) {
        self.now = now;
        if self.rigs.contains_key(&id) {
            self.strangers.join(id);
        }
    }

    /// A rig's first good share: it is no stranger from now on.
    pub fn handle_proven(&mut self, id: RigId, now: Instant) {
        self.now = now;
        // What it needs counts now, and another stranger may be let in.
        if self.strangers.leave(id) {
            self.directs = true;
            self.room = true;
        }
    }

    /// Somebody who is no stranger finds no place at all: the stranger that has been here for longest
    /// goes, if there is one.
    pub fn handle_crowd(&mut self, now: Instant) {
        self.now = now;
        let mut seated = self.strangers.seated.iter().map(|(_, rig)| *rig);
        let mut others = self.strangers.rigs.keys().copied();
        let stays = |rig: &RigId| self.rigs.get(rig).is_some_and(|rig| !rig.goes());
        if let Some(rig) = seated.next().or_else(|| others.find(stays)) {
            self.dismiss(rig, CloseReason::MakesRoom);
        }
    }

    /// How many rigs that are no strangers belong to a pool.
    pub(super) fn known_at(&self, pool: PoolIndex) -> usize {
        self.assignment.rigs_at(pool).saturating_sub(self.strangers.at(pool))
    }

    /// How many rigs a pool's connections are opened for beforehand: as many strangers as one of them
    /// holds.
    pub(super) fn expected_at(&self, pool: PoolIndex) -> usize {
        let strangers = self.strangers.at(pool).min(self.channel_capacity(pool));
        self.known_at(pool) + strangers
    }

    /// Whether a stranger may have a connection opened: there is none yet that the others do not need.
    pub(super) fn may_open_for_stranger(&self) -> bool {
        let active = (0..self.shares.len()).filter(|&pool| self.shares[pool] > 0.0);
        let spare = active.map(|pool| self.open_at(pool).saturating_sub(self.needed_at(pool)));
        let mut alone = self.channels.iter().filter(|channel| channel.dedicated);
        let claimed = alone.all(|channel| channel.is_closing() || !channel.rigs.is_empty());
        spare.sum::<usize>() == 0 && self.strangers.alone.is_empty() && claimed
    }

    /// Whether a seat of a stranger is for a rig that finds none at a pool. One that is no stranger
    /// takes it before a connection is opened that the others do not need; a stranger takes that of
    /// one that has had its time.
    pub(super) fn may_displace(&self, pool: PoolIndex, alone: bool, stranger: bool) -> bool {
        let short = if alone {
            self.channels.of(pool, true).count() >= self.config.max_dedicated
        } else {
            self.open_at(pool) >= self.needed_at(pool)
        };
        (short || stranger) && self.displaced(pool, alone, stranger).is_some()
    }

    /// The stranger whose seat that is: the one that has had it for longest.
    pub(super) fn displaced(
        &self,
        pool: PoolIndex,
        alone: bool,
        by_stranger: bool,
    ) -> Option<RigId> {
        let suits = |rig: &RigId| {
            let place = self.rigs.get(rig).and_then(|rig| rig.place());
            place.is_some_and(|place| place.pool == pool)
                && self.strangers.alone.contains(rig) == alone
        };
        let (since, rig) = self.strangers.seated.iter().find(|(_, rig)| suits(rig))?;
        let had = self.now.saturating_duration_since(*since);
        (!by_stranger || had >= PROVES_WITHIN).then_some(*rig)
    }

    fn open_at(&self, pool: PoolIndex) -> usize {
        self.channels.of(pool, false).filter(|channel| !OpenChannel::is_closing(channel)).count()
    }

    /// How many shared connections the rigs of a pool need that are no strangers, at least one.
    fn needed_at(&self, pool: PoolIndex) -> usize {
        self.known_at(pool).div_ceil(self.channel_capacity(pool)).max(1)
    }
}
