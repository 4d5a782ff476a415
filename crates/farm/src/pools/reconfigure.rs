//! Other wishes while rigs mine: pools come, leave, and change their ranks and weights.

use std::time::Duration;

use super::course::{Course, Trial};
use super::interface::Leaving;
use super::member::{Health, Member};
use super::{PoolIndex, Pools, PoolsConfig, PoolsEvent};
use orepass_stratum::time::Instant;

/// How long a pool that is to leave is used, as long as nothing serves in its place.
const LEAVES_WITHIN: Duration = Duration::from_secs(30);

/// The rank of a pool that is to leave, and in whose place none comes.
const LAST: usize = usize::MAX - 1;

impl Pools {
    /// The route has other wishes. Slots stay what they are: `config` has all there were, and may
    /// have more at its end; `leaving` names those that the route is to have no more.
    ///
    /// Rigs stay where they are as far as they can: a rank is known by the pools that served in it.
    /// A pool that is better than theirs by the new order, or comes as one, has to prove itself as
    /// one that was away.
    pub fn reconfigure(
        &mut self,
        mut config: PoolsConfig,
        leaving: impl Fn(PoolIndex) -> Option<Leaving>,
        now: Instant,
    ) {
        for _ in self.pools.len()..config.pools.len() {
            self.pools.push(Member::new(config.healthy_for));
        }
        for pool in 0..config.pools.len() {
            let Some(Leaving { successor }) = leaving(pool) else { continue };
            let rank = successor.and_then(|to| Some(config.pools.get(to)?.rank));
            config.pools[pool].rank = rank.unwrap_or(LAST);
        }
        self.course = self.carried(&config);
        self.config = config;
        for (index, pool) in self.pools.iter_mut().enumerate() {
            pool.proving.set_first(self.config.healthy_for);
            if pool.is_retired() {
                continue;
            }
            let until = pool.leaving.map_or(now + LEAVES_WITHIN, |(_, until)| until);
            // One that was to leave does not come back: whoever has it again has it anew.
            let leaves = leaving(index).or_else(|| pool.leaving.map(|(leaving, _)| leaving));
            pool.leaving = leaves.map(|leaving| (leaving, until));
        }
        self.decide(now);
    }

    /// Where the rigs are, in terms of the new ranks.
    fn carried(&self, config: &PoolsConfig) -> Course {
        let carried = |rank: usize| {
            let same = (0..config.pools.len()).filter(|&pool| self.rank(pool) == rank);
            same.filter(|&pool| self.serves(pool)).map(|pool| config.pools[pool].rank).min()
        };
        match self.course {
            Course::Mining { rank, trial } => {
                // Nothing serves in a rank that there is not, so another one is looked for.
                let rank = carried(rank).unwrap_or(usize::MAX);
                let trial = trial.and_then(|Trial { rank: tried, until }| {
                    let tried = carried(tried).filter(|tried| *tried < rank)?;
                    Some(Trial { rank: tried, until })
                });
                Course::Mining { rank, trial }
            }
            other => other,
        }
    }

    /// Lets pools go that are to leave, and for which there is something else, or that are of no use
    /// anyway.
    pub(super) fn retire(&mut self, now: Instant) {
        for pool in 0..self.pools.len() {
            let Some((Leaving { successor }, until)) = self.pools[pool].leaving else { continue };
            let successor = successor.filter(|to| self.pools.get(*to).is_some_and(Member::stays));
            let replaced = match successor {
                Some(to) => self.serves(to),
                None => self.pools.iter().any(|other| other.stays() && other.serves()),
            };
            if replaced || now >= until || !self.serves(pool) {
                self.pools[pool].retire();
                self.push(PoolsEvent::Left(pool));
            }
        }
    }

    /// Whether the route does not have a pool any more.
    #[must_use]
    pub fn is_retired(&self, pool: PoolIndex) -> bool {
        self.pools.get(pool).is_some_and(|pool| pool.health == Health::Retired)
    }
}
