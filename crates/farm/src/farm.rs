//! The farm of a route: its rigs, its channels, and who sits where.

mod acts;
mod channel_calls;
mod channels;
mod config;
mod directing;
mod exits;
mod operator_calls;
mod reconfigure;
mod rig_calls;
mod rigs;
mod saving;
mod seating;
mod strangers;
#[cfg(any(test, feature = "testing"))]
mod tests;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use orepass_stratum::habits::HabitBook;
use orepass_stratum::time::Instant;

use crate::assignment::Assignment;
use crate::knowledge::{Knowledge, PoolHabits, Remembered};
use crate::pools::{Gate, PoolIndex, Pools};
pub use acts::{Act, ChannelId, Ending, NoSeat, Order, Report, RigId, Shown};
use channels::Channels;
pub use config::{FarmConfig, PoolTerms};
use directing::LOOK_EVERY;
use exits::Exits;
use rigs::ConnectedRig;
use strangers::Strangers;
#[cfg(feature = "testing")]
pub use tests::night;
pub use waiting::Waiter;
use waiting::WaitingRigs;

/// What decides for one route; see the [crate] for how it is driven.
#[derive(Debug)]
pub struct Farm {
    config: FarmConfig,
    pools: Pools,
    assignment: Assignment,
    knowledge: Knowledge,
    habits: PoolHabits,
    /// In boxes, since a table that fills in order is half empty.
    rigs: BTreeMap<RigId, Box<ConnectedRig>>,
    /// Workers of rigs besides the first; few have any.
    other_workers: BTreeMap<RigId, Vec<Arc<str>>>,
    channels: Channels,
    /// Rigs that have shown no work yet.
    strangers: Strangers,
    /// Rigs that wait for a seat.
    queue: WaitingRigs,
    /// Rigs that are to be closed in turn.
    exits: Exits,
    /// Rigs whose place has to be looked at.
    unsettled: BTreeSet<RigId>,
    /// Rigs that make do with a place that is not the right one.
    astray: BTreeSet<RigId>,
    /// What the choice of pools said last: the parts of the work, and what happens with rigs.
    shares: Vec<f64>,
    gate: Gate,
    /// Whether connections were told that no pool serves.
    urgent: bool,
    /// Something has happened that has to be directed.
    directs: bool,
    /// There may be a seat for a rig that waits.
    room: bool,
    look_at: Instant,
    rng: fastrand::Rng,
    /// What is to be done, in order. Each call adds a few for each rig and channel that it concerns,
    /// and they are taken after it.
    acts: VecDeque<Act>,
    /// The time of the last call.
    now: Instant,
}

impl Farm {
    /// A farm without rigs and channels. `seed` is for the times at which rigs are closed.
    #[must_use]
    pub fn new(config: FarmConfig, remembered: Remembered, seed: u64, now: Instant) -> Self {
        let servers = config.pools.iter().map(|pool| (Arc::clone(&pool.server), pool.habits));
        Self {
            habits: PoolHabits::new(servers, &remembered.habits, now),
            knowledge: Knowledge::new(config.profiles.clone(), remembered, now),
            pools: Pools::new(config.choice(), now),
            assignment: Assignment::new(config.pools.len()),
            rigs: BTreeMap::new(),
            other_workers: BTreeMap::new(),
            channels: Channels::default(),
            strangers: Strangers::default(),
            queue: WaitingRigs::default(),
            exits: Exits::default(),
            unsettled: BTreeSet::new(),
            astray: BTreeSet::new(),
            shares: Vec::new(),
            gate: Gate::Hold,
            urgent: false,
            directs: true,
            room: false,
            look_at: now + LOOK_EVERY,
            rng: fastrand::Rng::with_seed(seed),
            acts: VecDeque::new(),
            now,
            config,
        }
    }

    /// The time has come that [`poll_timeout`](Self::poll_timeout) gave.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.directs |= self.directs_at().is_some_and(|at| at <= now);
        for channel in self.channels.iter_mut() {
            if channel.strand(now) {
                self.unsettled.extend(&channel.rigs);
            }
        }
        while let Some(rig) = self.queue.impatient(now) {
            self.unsettled.insert(rig);
        }
        while let Some((rig, reason)) = self.exits.due(now) {
            self.dismiss(rig, reason);
        }
        if let Some(rigs) = self.exits.barred_since(now) {
            self.acts.push_back(Act::Report(Report::Barred { rigs }));
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let rigs = [self.queue.poll_timeout(), self.exits.poll_timeout()];
        let others = [self.channels.poll_timeout(), self.directs_at()];
        rigs.into_iter().chain(others).flatten().min()
    }

    /// The next thing that is to be done. To be called after every other call, or after several,
    /// until there is nothing.
    pub fn poll(&mut self) -> Option<Act> {
        if self.acts.is_empty() {
            self.conclude();
        }
        self.acts.pop_front()
    }

    /// What happens with rigs now.
    #[must_use]
    pub const fn gate(&self) -> Gate {
        self.pools.gate()
    }

    /// The choice of pools.
    #[must_use]
    pub const fn pools(&self) -> &Pools {
        &self.pools
    }

    /// What is known of a pool's habits; a clone is another handle to it.
    #[must_use]
    pub fn habits(&self, pool: PoolIndex) -> Option<&HabitBook> {
        self.habits.book(pool)
    }

    /// The channel where a rig sits.
    #[must_use]
    pub fn channel_of(&self, rig: RigId) -> Option<ChannelId> {
        Some(self.rigs.get(&rig)?.place()?.channel)
    }

    /// The part of the work that each pool should have now, by their slots; all are zero while none
    /// serves.
    #[must_use]
    pub fn parts(&self) -> Vec<f64> {
        self.pools.shares()
    }

    /// How many channels take shares.
    #[must_use]
    pub fn live_channels(&self) -> usize {
        self.channels.iter().filter(|channel| channel.is_live()).count()
    }

    /// The rigs that wait for a seat, or for a better one, in the order of their coming.
    pub fn waiting(&self) -> impl Iterator<Item = &Waiter> {
        self.queue.iter()
    }

    fn order(&mut self, rig: RigId, order: Order) {
        self.acts.push_back(Act::Rig { rig, order });
    }

    /// Draws the consequences of all that was told since the last time. Those who wait go first, and
    /// of them those that are no strangers.
    fn conclude(&mut self) {
        if std::mem::take(&mut self.directs) {
            self.direct();
        }
        // Without any pool nobody finds a seat.
        if std::mem::take(&mut self.room) && !self.queue.is_empty() && self.gate == Gate::Open {
            let waiting = self.queue.iter().map(|waiter| waiter.rig);
            let (strangers, known): (Vec<_>, Vec<_>) =
                waiting.partition(|rig| self.strangers.contains(*rig));
            known.into_iter().chain(strangers).for_each(|rig| self.settle(rig));
        }
        while let Some(rig) = self.unsettled.pop_first() {
            self.settle(rig);
        }
        while let Some(change) = self.knowledge.poll_change() {
            self.acts.push_back(Act::Remember(change));
        }
    }
}
