//! What a route has of its config at the moment.
//!
//! Whoever works by it holds what it had when it began: a channel the pool that it was opened to, a
//! session the wishes that it was last given. Nobody asks for each share.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use orepass_farm::farm::{Farm, FarmConfig, PoolTerms};
use orepass_farm::pools::{Leaving, PoolIndex};
use orepass_stratum::channel::PoolShared;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::DownstreamConfig;
use orepass_stratum::habits::HabitBook;
use orepass_stratum::job::JobIds;

use super::Route;
use crate::admission::Admission;
use crate::books::MeteredBook;
use crate::config::{Failover, Name, PoolAccount, RouteConfig};
use crate::histogram::{Histogram, SHARE_LATENCY};
use crate::net::front::Front;
use crate::pool::log::Said;
use crate::pool::rejections::Rejections;
use crate::rig::listener;
use crate::route::mailbox::CONFIG;

/// The most pools that a route may have had in a run. Past it, it is started anew.
pub(crate) const MAX_SLOTS: usize = 1024;

/// How long a pool must have been healthy that the operator prefers.
const PREFERRED_AFTER: Duration = Duration::from_secs(10);

/// A pool, in its slot for as long as the route is there.
pub(crate) struct PoolNow<D> {
    pub(crate) account: PoolAccount,
    /// The dialect with the pool's options.
    pub(crate) dialect: Arc<D>,
    /// What all connections to it share.
    pub(crate) shared: PoolShared,
    /// What the log says of it.
    pub(crate) said: Arc<Said>,
    /// What became of the shares for its jobs.
    pub(crate) book: Arc<MeteredBook>,
    /// How long it takes for its verdicts.
    pub(crate) latency: Arc<Histogram>,
    /// Why it does not credit shares.
    pub(crate) rejections: Arc<Rejections>,
    /// The route is to have it no more.
    pub(crate) leaving: Option<Leaving>,
}

/// What a route has of its config at a moment.
pub(crate) struct RouteNow<D> {
    pub(crate) config: RouteConfig,
    /// The pool that the operator wants before all others, whatever the config's order is.
    pub(crate) preferred: Option<Name>,
    /// The wishes for rigs.
    pub(crate) downstream: Arc<DownstreamConfig>,
    /// By their slots, with those that have left.
    pub(crate) pools: Vec<Arc<PoolNow<D>>>,
    /// The slots of the config's pools, in its order.
    order: Vec<PoolIndex>,
}

/// What a route is to have of a config.
struct RouteChange<D> {
    config: RouteConfig,
    /// In the order of its pools.
    dialects: Vec<Arc<D>>,
    preferred: Option<Name>,
}

/// In which slots the pools of another config are: known by what they are, wherever they stand.
struct PoolSlots {
    order: Vec<PoolIndex>,
    /// Those that leave with this change, or have left before, and what comes in their place.
    leaving: Vec<Option<Leaving>>,
}

impl PoolSlots {
    fn of<D>(now: &RouteNow<D>, config: &RouteConfig) -> Self {
        let mut next = now.pools.len();
        let mut order = Vec::new();
        for account in &config.pools {
            let same = |slot: &PoolIndex| {
                !order.contains(slot) && now.pools[*slot].account.is_same(account)
            };
            order.push(now.order.iter().copied().find(same).unwrap_or_else(|| {
                next += 1;
                next - 1
            }));
        }
        let is_new = |slot: &PoolIndex| *slot >= now.pools.len();
        let successor = |slot: PoolIndex| {
            let name = &now.pools[slot].account.name;
            let named = config.pools.iter().position(|account| account.name == *name);
            let place = now.order.iter().position(|other| *other == slot);
            let beside = place.and_then(|place| order.get(place)).filter(|slot| is_new(slot));
            named.map(|named| order[named]).or_else(|| beside.copied())
        };
        let leaves =
            |slot| (!order.contains(&slot)).then(|| Leaving { successor: successor(slot) });
        let leaving = (0..next).map(leaves).collect();
        Self { order, leaving }
    }
}

impl<D> RouteNow<D> {
    /// At the start of a route. `dialects` are in the order of the pools.
    pub(super) fn first(
        config: RouteConfig,
        dialects: Vec<Arc<D>>,
        ids: &Arc<JobIds>,
        habits: impl Fn(PoolIndex) -> HabitBook,
    ) -> Self {
        let accounts = config.pools.iter().cloned().zip(dialects).enumerate();
        let pool = |(slot, (account, dialect))| {
            Arc::new(PoolNow {
                account,
                dialect,
                shared: PoolShared { habits: habits(slot), ..PoolShared::from(Arc::clone(ids)) },
                said: Arc::default(),
                book: Arc::default(),
                latency: Arc::new(Histogram::new(SHARE_LATENCY)),
                rejections: Arc::default(),
                leaving: None,
            })
        };
        Self {
            pools: accounts.map(pool).collect(),
            downstream: downstream(&config),
            order: (0..config.pools.len()).collect(),
            preferred: None,
            config,
        }
    }

    /// Whether another config would need more slots than there are.
    pub(super) fn has_slots_for(&self, config: &RouteConfig) -> bool {
        PoolSlots::of(self, config).leaving.len() <= MAX_SLOTS
    }

    /// The slots of the config's pools, in its order.
    pub(crate) fn in_order(&self) -> &[PoolIndex] {
        &self.order
    }

    /// The pool that stands for all, where one is enough.
    pub(crate) fn any_pool(&self) -> &Arc<PoolNow<D>> {
        &self.pools[self.order[0]]
    }

    /// A pool's name.
    pub(crate) fn name_of(&self, pool: PoolIndex) -> &str {
        self.pools[pool].account.name.as_str()
    }

    /// The names of the pools of a rank, or of those that leave where it has no others.
    pub(super) fn names_of_rank(&self, rank: usize) -> String {
        let of_rank = |slot: &&PoolIndex| self.pools[**slot].account.standing.rank == rank;
        let mut names: Vec<_> =
            self.order.iter().filter(of_rank).map(|slot| self.name_of(*slot)).collect();
        if names.is_empty() {
            let leaving = self.pools.iter().filter(|pool| pool.leaving.is_some());
            names.extend(leaving.map(|pool| pool.account.name.as_str()).next_back());
        }
        names.join(" + ")
    }
}

impl<D: Dialect> Route<D> {
    /// What it has of its config at the moment.
    pub(crate) fn now(&self) -> Arc<RouteNow<D>> {
        Arc::clone(&self.now.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether it can have another config without being started anew.
    pub(crate) fn can_change_to(&self, config: &RouteConfig) -> bool {
        self.now().has_slots_for(config)
    }

    /// Has another config from now on, of the same name, dialect, options and prefix. `dialects` are in
    /// the order of its pools. Nothing of it can fail.
    ///
    /// Listeners are [told](Self::listen) apart.
    pub fn change(self: &Arc<Self>, config: RouteConfig, dialects: Vec<Arc<D>>) {
        self.door.set_room(listener::room(&config));
        if self.now().config.front != config.front {
            self.set_front(Front::new(&config.front, config.has_tls()));
        } else {
            // The same file may have another certificate in it.
            self.front().read_again();
        }
        self.apply(|_| Some(RouteChange { config, dialects, preferred: None }));
        let route = Arc::clone(self);
        self.tasks.spawn(async move { route.rigs().ring_in_turn(CONFIG).await });
    }

    /// Has rigs mine at a pool as long as that serves, until another config comes or another pool is
    /// preferred; without one the config's order holds again. Whether the config has such a pool.
    pub(crate) fn prefer(self: &Arc<Self>, pool: Option<&str>) -> bool {
        self.apply(|now| {
            let mut named = now.config.pools.iter().map(|account| &account.name);
            let preferred = match pool {
                Some(pool) => Some(named.find(|name| name.as_str() == pool)?.clone()),
                None => None,
            };
            let dialect = |slot: &PoolIndex| Arc::clone(&now.pools[*slot].dialect);
            let dialects = now.order.iter().map(dialect).collect();
            Some(RouteChange { config: now.config.clone(), dialects, preferred })
        })
    }

    /// Has from now on what is wanted in place of what there is; whether anything is.
    fn apply(
        self: &Arc<Self>,
        wanted: impl FnOnce(&RouteNow<D>) -> Option<RouteChange<D>>,
    ) -> bool {
        let mut applied = false;
        // Whoever else applies something waits until this is done.
        self.tell(|farm, at| {
            let before = self.now();
            let Some(RouteChange { config, dialects, preferred }) = wanted(&before) else { return };
            applied = true;
            let PoolSlots { order, leaving } = PoolSlots::of(&before, &config);
            let accounts = accounts(&config, preferred.as_ref());
            let mut terms: Vec<PoolTerms> =
                before.pools.iter().map(|pool| terms(&pool.account)).collect();
            for (account, &slot) in accounts.iter().zip(&order) {
                match terms.get_mut(slot) {
                    Some(known) => *known = self::terms(account),
                    // New ones have the next slots in their order.
                    None => terms.push(self::terms(account)),
                }
            }
            for (terms, leaving) in terms.iter_mut().zip(&leaving) {
                terms.leaving = *leaving;
            }
            farm.handle_wishes(wishes(&config, preferred.as_ref(), terms), at);

            let mut pools: Vec<Option<Arc<PoolNow<D>>>> =
                before.pools.iter().map(|pool| Some(Arc::clone(pool))).collect();
            pools.resize_with(leaving.len(), || None);
            for ((account, dialect), &slot) in accounts.iter().zip(dialects).zip(&order) {
                pools[slot] = Some(Arc::new(match &pools[slot] {
                    Some(pool) => {
                        PoolNow { account: account.clone(), leaving: None, ..pool.kept() }
                    }
                    None => PoolNow {
                        account: account.clone(),
                        dialect,
                        shared: PoolShared {
                            habits: farm.habits(slot).cloned().unwrap_or_default(),
                            ..PoolShared::from(Arc::clone(&self.ids))
                        },
                        said: Arc::default(),
                        book: Arc::default(),
                        latency: Arc::new(Histogram::new(SHARE_LATENCY)),
                        rejections: Arc::default(),
                        leaving: None,
                    },
                }));
            }
            for (pool, leaving) in pools.iter_mut().zip(&leaving) {
                if let (Some(left), Some(_)) = (&pool, leaving) {
                    *pool = Some(Arc::new(PoolNow { leaving: *leaving, ..left.kept() }));
                }
            }
            let downstream = downstream(&config);
            let pools = pools.into_iter().flatten().collect();
            let next = Arc::new(RouteNow { config, preferred, downstream, pools, order });
            // Before the farm's acts are done: a channel that they open finds its pool.
            *self.now.lock().unwrap_or_else(PoisonError::into_inner) = next;
        });
        applied
    }
}

impl<D> PoolNow<D> {
    fn kept(&self) -> Self {
        Self {
            account: self.account.clone(),
            dialect: Arc::clone(&self.dialect),
            shared: self.shared.clone(),
            said: Arc::clone(&self.said),
            book: Arc::clone(&self.book),
            latency: Arc::clone(&self.latency),
            rejections: Arc::clone(&self.rejections),
            leaving: self.leaving,
        }
    }
}

/// The wishes for rigs, who are known by the farm.
fn downstream(config: &RouteConfig) -> Arc<DownstreamConfig> {
    Arc::new(config.downstream.clone().with_await_welcome(true))
}

fn terms(account: &PoolAccount) -> PoolTerms {
    PoolTerms {
        habits: account.habits,
        standing: account.standing,
        ..PoolTerms::new(account.name.as_str(), account.url.authority())
    }
}

/// The pools as they stand with one of them before all others.
fn accounts(config: &RouteConfig, preferred: Option<&Name>) -> Vec<PoolAccount> {
    let mut accounts = config.pools.clone();
    if let Some(preferred) = preferred {
        for account in &mut accounts {
            let is_it = account.name == *preferred;
            account.standing.rank = if is_it { 0 } else { account.standing.rank + 1 };
        }
    }
    accounts
}

/// The route's wishes for its farm. A preferred pool need not prove itself for long: that is the
/// operator's word. One that fails all the same is damped as ever.
fn wishes(config: &RouteConfig, preferred: Option<&Name>, pools: Vec<PoolTerms>) -> FarmConfig {
    let mut failover = config.failover;
    if preferred.is_some() {
        failover.healthy_for = failover.healthy_for.min(PREFERRED_AFTER);
        failover.trial_for = Duration::ZERO;
    }
    let Failover { healthy_for, trial_share, trial_for } = failover;
    FarmConfig {
        pools,
        healthy_for,
        trial_share,
        trial_for,
        hold_for: config.hold_for,
        prefix_bytes: config.prefix_bytes,
        max_channels: config.max_channels,
        max_rigs_per_channel: config.max_rigs_per_channel,
        max_dedicated: config.max_dedicated,
        profiles: config.profiles.clone(),
    }
}

/// The farm of a route at its start, with what earlier runs knew.
pub(super) fn farm(
    config: &RouteConfig,
    memory: &crate::store::RouteStore,
    admission: &Admission,
) -> Farm {
    let pools = config.pools.iter().map(terms).collect();
    let remembered = memory.take();
    // Where rigs mined before, they are no strangers.
    let addresses = remembered.firmware.iter().filter_map(|(_, record)| record.address);
    addresses.for_each(|address| admission.remember(address));
    Farm::new(wishes(config, None, pools), remembered, fastrand::u64(..), crate::clock::now())
}

#[cfg(test)]
mod tests {
    use orepass_farm::pools::Standing;

    use super::*;

    fn pool(name: &str, password: &str) -> PoolAccount {
        let url = "stratum+tcp://pool.example:3008".parse().unwrap();
        let pool = PoolAccount::new(name.parse().unwrap(), url, "account".parse().unwrap());
        PoolAccount { password: crate::config::Secret::new(password), ..pool }
    }

    fn config(pools: &[(&str, &str)]) -> RouteConfig {
        let pools = pools.iter().map(|(name, password)| pool(name, password)).collect();
        RouteConfig::new("hns".parse().unwrap(), "hstratum", pools)
    }

    fn first(pools: &[(&str, &str)]) -> RouteNow<()> {
        let dialects = pools.iter().map(|_| Arc::new(())).collect();
        RouteNow::first(config(pools), dialects, &Arc::new(JobIds::new(1)), |_| {
            HabitBook::default()
        })
    }

    /// The slots of the new config's pools, and of each slot that leaves, its successor.
    fn slots(
        now: &RouteNow<()>,
        pools: &[(&str, &str)],
    ) -> (Vec<usize>, Vec<(usize, Option<usize>)>) {
        let PoolSlots { order, leaving } = PoolSlots::of(now, &config(pools));
        let leaving = leaving.iter().enumerate();
        (order, leaving.filter_map(|(slot, leaving)| Some((slot, (*leaving)?.successor))).collect())
    }

    #[test]
    fn a_pool_keeps_its_slot_wherever_it_stands_and_another_one_never_gets_it() {
        let now = first(&[("a", "x"), ("b", "x")]);
        assert_eq!(slots(&now, &[("a", "x"), ("b", "x")]), (vec![0, 1], vec![]));
        assert_eq!(slots(&now, &[("b", "x"), ("c", "x"), ("a", "x")]), (vec![1, 2, 0], vec![]));
        assert_eq!(slots(&now, &[("b", "x")]), (vec![1], vec![(0, None)]));
        assert_eq!(slots(&now, &[("a", "y"), ("b", "x")]), (vec![2, 1], vec![(0, Some(2))]));
        // Another server in the first one's place, under its own name.
        assert_eq!(slots(&now, &[("c", "x"), ("b", "x")]), (vec![2, 1], vec![(0, Some(2))]));
        let mut weighted = config(&[("a", "x"), ("b", "x")]);
        weighted.pools[1].standing = Standing { rank: 0, weight: 3.0 };
        assert_eq!(PoolSlots::of(&now, &weighted).order, [0, 1]);
    }

    #[test]
    fn to_and_fro_takes_a_slot_each_time_until_there_are_none() {
        let mut now = first(&[("a", "x")]);
        now.order = vec![3];
        let known = |now: &RouteNow<()>, password| {
            let account = pool("a", password);
            Arc::new(PoolNow { account, ..now.pools[0].kept() })
        };
        let pools = ["x", "y", "x", "y"].map(|password| known(&now, password));
        now.pools = pools.to_vec();
        let leaving = |to| vec![(0, Some(to)), (1, Some(to)), (2, Some(to))];
        assert_eq!(slots(&now, &[("a", "y")]), (vec![3], leaving(3)));
        let mut all = leaving(4);
        all.push((3, Some(4)));
        assert_eq!(slots(&now, &[("a", "x")]), (vec![4], all), "not one that leaves");
        assert!(now.has_slots_for(&config(&[("a", "x")])));
        now.pools.resize_with(MAX_SLOTS, || known(&first(&[("a", "x")]), "z"));
        assert!(now.has_slots_for(&config(&[("a", "y")])));
        assert!(!now.has_slots_for(&config(&[("a", "x")])));
    }
}
