//! The route's farm decides; this tells it what happens, and does what it says.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use orepass_farm::farm::{Act, ChannelId, Farm, Order, RigId};
use orepass_farm::pools::{Gate, PoolIndex};
use orepass_stratum::dialect::Dialect;
use orepass_stratum::time::Instant;
use tokio::sync::Notify;
use tracing::error;

use super::channel::Channel;
use super::window::{DOUBT, GIVE_WAY, NEWS, URGENT};
use super::{Route, reports};
use crate::bell::Calls;
use crate::clock::{now, sleep_until, unix_seconds};
use crate::repeated_warnings::{Fold, nonzero};

/// How often a fault of the farm is said.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// How long its timer rests after the farm has panicked.
const REST: Duration = Duration::from_secs(1);

/// The farm, held by whoever tells it something until what follows is done.
#[derive(Debug)]
pub(super) struct Decisions {
    held: Mutex<HeldFarm>,
    /// Called when the farm wants to be called earlier than its timer is set to.
    timer: Notify,
    /// Whether no pool serves at all.
    urgent: AtomicBool,
}

#[derive(Debug)]
struct HeldFarm {
    farm: Farm,
    /// What its timer is set to.
    rings_at: Option<Instant>,
    /// That it has panicked.
    fault: Fold,
}

/// A channel that is to be opened.
struct Opening {
    channel: ChannelId,
    pool: PoolIndex,
    dedicated: bool,
}

impl Decisions {
    pub(super) fn new(farm: Farm) -> Self {
        let held = Mutex::new(HeldFarm { farm, rings_at: None, fault: Fold::new(SAY_EVERY) });
        Self { held, timer: Notify::new(), urgent: AtomicBool::new(false) }
    }

    fn held(&self) -> MutexGuard<'_, HeldFarm> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the farm. Where that panics, whoever did it ends, as with every panic: a rig
    /// or a pool connection. One that ends already, and tells the farm so, ends the usual way: a second
    /// panic on the way out would end the process. `None` then.
    fn with<T>(&self, route: &str, what: impl FnOnce(&mut HeldFarm) -> T) -> Option<T> {
        let mut held = self.held();
        let done = catch_unwind(AssertUnwindSafe(|| what(&mut held)));
        let said = if done.is_err() { held.fault.say(now()) } else { None };
        drop(held);
        if let Some(more) = said {
            error!(
                event = "route.fault",
                route,
                more_since_last = nonzero(more),
                "a fault in what the route decides: rigs and pool connections may not be where they \
                 should; `orepass ctl upgrade` or a restart makes all of it anew"
            );
        }
        match done {
            Ok(done) => Some(done),
            Err(_) if thread::panicking() => None,
            Err(panic) => resume_unwind(panic),
        }
    }
}

impl<D: Dialect> Route<D> {
    /// The part of the work that each pool should have now, by their slots.
    pub(super) fn parts(&self) -> Vec<f64> {
        self.decisions.with(self.name(), |held| held.farm.parts()).unwrap_or_default()
    }

    /// Tells the farm something, and does what it decides upon that.
    pub(crate) fn tell(self: &Arc<Self>, what: impl FnOnce(&mut Farm, Instant)) {
        let opening = self.decisions.with(self.name(), |held| {
            what(&mut held.farm, now());
            let opening = self.act(&mut held.farm);
            let wanted = held.farm.poll_timeout();
            if wanted.is_some_and(|at| held.rings_at.is_none_or(|rings| at < rings)) {
                held.rings_at = wanted;
                self.decisions.timer.notify_one();
            }
            opening
        });
        opening.into_iter().flatten().for_each(|opening| self.open(opening));
    }

    /// Asks the farm something, which changes nothing.
    pub(crate) fn ask<T>(&self, what: impl FnOnce(&Farm) -> T) -> T {
        what(&self.decisions.held().farm)
    }

    /// Tells the farm something upon which its timer acts, if that still runs: whoever tells it may be
    /// dropped since the runtime ends, and nothing more can be begun then.
    pub(crate) fn mention(&self, what: impl FnOnce(&mut Farm, Instant)) {
        self.decisions.with(self.name(), |held| what(&mut held.farm, now()));
        self.decisions.timer.notify_one();
    }

    /// Has the next route of its name know what it knows of rigs and pools.
    pub(crate) fn hand_on(&self) {
        self.around.memory.give_back(self.decisions.held().farm.export(now()));
    }

    /// Keeps the farm's time until the route ends.
    pub(super) async fn keep_time(self: Arc<Self>) {
        while !self.ending().is_cancelled() {
            // Once in a few seconds at least, which is often: a rig that comes takes one or two ids.
            self.around.memory.reserve(self.ids.peek().get());
            let turn = || {
                self.decisions.with(self.name(), |held| {
                    if held.farm.poll_timeout().is_some_and(|at| at <= now()) {
                        held.farm.handle_timeout(now());
                    }
                    let opening = self.act(&mut held.farm);
                    held.rings_at = held.farm.poll_timeout();
                    (held.rings_at, opening)
                })
            };
            // Nobody else keeps the time.
            let turned = catch_unwind(AssertUnwindSafe(turn)).ok().flatten();
            let (rings_at, opening) = turned.unwrap_or_else(|| (Some(now() + REST), Vec::new()));
            opening.into_iter().for_each(|opening| self.open(opening));
            tokio::select! {
                biased;
                () = self.ending().cancelled() => {}
                () = self.decisions.timer.notified() => {}
                () = sleep_until(rings_at) => {}
            }
        }
    }

    /// What happens with rigs now.
    pub(crate) fn gate(&self) -> Gate {
        self.decisions.held().farm.gate()
    }

    /// Whether no pool serves at all, which is no time to wait.
    pub(crate) fn is_urgent(&self) -> bool {
        self.decisions.urgent.load(Ordering::Relaxed)
    }

    /// Does what the farm says, but for the channels that are to be opened: a task that the runtime
    /// does not take any more is dropped at once, and tells the farm that it has ended.
    fn act(&self, farm: &mut Farm) -> Vec<Opening> {
        let mut opening = Vec::new();
        // That connections are closed at the end is no outage; but what was learnt is kept.
        let ends = self.ending().is_cancelled();
        while let Some(act) = farm.poll() {
            match act {
                Act::Remember(change) => self.around.memory.note(change, unix_seconds()),
                _ if ends => {}
                Act::Open { channel, pool, dedicated } => {
                    opening.push(Opening { channel, pool, dedicated });
                }
                Act::Close(channel) => {
                    if let Some(channel) = self.channel(channel) {
                        channel.close();
                    }
                }
                Act::Doubt(channel) => self.call_one(channel, DOUBT),
                Act::GiveWay(channel) => self.call_one(channel, GIVE_WAY),
                Act::News(pool) => self.call(NEWS, |other| other.pool == pool),
                Act::Urgent(urgent) => {
                    self.decisions.urgent.store(urgent, Ordering::Relaxed);
                    self.call(URGENT, |_| urgent);
                }
                Act::Rig { rig, order } => self.order(rig, order),
                Act::Report(report) => reports::log(self, report),
            }
        }
        opening
    }

    fn open(self: &Arc<Self>, Opening { channel: id, pool, dedicated }: Opening) {
        let channel = Arc::new(Channel::new(self, id, pool, dedicated));
        if !dedicated {
            // Whoever comes next has probably to wait for it.
            self.fills(channel.worker);
        }
        self.channels().insert(id, Arc::clone(&channel));
        channel.start(self);
    }

    fn call_one(&self, id: ChannelId, calls: Calls) {
        if let Some(channel) = self.channel(id) {
            channel.window.bell.ring(calls);
        }
    }

    fn call(&self, calls: Calls, whom: impl Fn(&Channel<D>) -> bool) {
        let channels = self.channels();
        let called = channels.values().filter(|channel| whom(channel));
        called.for_each(|channel| channel.window.bell.ring(calls));
    }

    /// Where a rig sits down, the next one that comes will probably sit too.
    fn order(&self, RigId(rig): RigId, order: Order) {
        if let Order::Seat { channel, .. } = &order
            && let Some(channel) = self.channel(*channel).filter(|channel| !channel.dedicated)
        {
            self.fills(channel.worker);
        }
        self.rigs.give(rig, order);
    }

    /// A channel that has not ended.
    pub(crate) fn channel(&self, id: ChannelId) -> Option<Arc<Channel<D>>> {
        self.channels().get(&id).cloned()
    }

    /// Whether other connections to a channel's pool take shares.
    pub(crate) fn others_live(&self, id: ChannelId, pool: PoolIndex) -> bool {
        let channels = self.channels();
        let mut others = channels.values().filter(|other| other.id != id && other.pool == pool);
        others.any(|other| other.is_live())
    }
}
