//! Draws the consequences of the choice of pools: which channels there should be, and which rigs
//! should be where.

use std::collections::BTreeMap;
use std::time::Duration;

use super::channels::OpenChannel;
use super::seating::MAX_OPENING;
use super::{Act, Farm, Report, RigId};
use crate::assignment::Rebalance;
use crate::pools::{Gate, PoolIndex, PoolsEvent};
use orepass_stratum::time::Instant;

/// How often unused channels are looked for, and better places for rigs that make do with theirs.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long a channel without rigs stays, unless it is its pool's only one and kept warm.
const UNUSED_FOR: Duration = Duration::from_secs(60);
/// How long a channel to a pool that the route does not have any more stays for rigs that are on it.
const RETIRED_FOR: Duration = Duration::from_secs(30);

impl Farm {
    /// Draws the consequences of all that is known of the pools.
    pub(super) fn direct(&mut self) {
        let now = self.now;
        self.pools.handle_timeout(now);
        while let Some(event) = self.pools.poll_event() {
            // It may be a refuge, also where it has no part of the work.
            self.room |= matches!(event, PoolsEvent::Up(_));
            self.acts.push_back(Act::Report(Report::Pools(event)));
        }
        self.keep_warm();
        let (wanted, gate) = (self.pools.shares(), self.pools.gate());
        let moved = wanted != self.shares;
        if moved {
            self.shares = wanted;
            let work = self.rigs.iter().map(|(id, rig)| (id.0, rig.work.get()));
            self.assignment.set_shares(&self.shares, work, now);
        }
        // Rigs that are held have to hear of it too when they are let go.
        if moved || gate != self.gate {
            self.gate = gate;
            self.replan();
        }
        let urgent = gate != Gate::Open;
        if std::mem::replace(&mut self.urgent, urgent) != urgent {
            self.acts.push_back(Act::Urgent(urgent));
        }
        self.rebalance();
        for pool in
            (0..self.shares.len()).filter(|&pool| self.shares[pool] > 0.0).collect::<Vec<_>>()
        {
            let alone: usize = self.channels.of(pool, true).map(OpenChannel::lent).sum();
            // For those that make do elsewhere a channel is opened when they look for a better
            // place, of the kind that they need.
            let at_home = |rig: &&RigId| self.assignment.pool_of(rig.0) == Some(pool);
            let astray = self.astray.iter().filter(at_home).count();
            self.grow(pool, self.assignment.rigs_at(pool).saturating_sub(alone + astray));
        }
        if now >= self.look_at {
            self.look_at = now + LOOK_EVERY;
            self.close_unused();
            self.unsettled.append(&mut self.astray.clone());
            self.room = true;
        }
    }

    /// When there is something to direct, if nothing happens before.
    pub(super) fn directs_at(&self) -> Option<Instant> {
        let times = [self.pools.poll_timeout(), self.assignment.poll_timeout(), Some(self.look_at)];
        times.into_iter().flatten().min()
    }

    /// Opens a channel.
    pub(super) fn open(&mut self, pool: PoolIndex, dedicated: bool) {
        let channel = self.channels.open(pool, dedicated);
        self.acts.push_back(Act::Open { channel, pool, dedicated });
    }

    /// Opens a channel to each pool that should have one and has none.
    fn keep_warm(&mut self) {
        for pool in self.pools.warm() {
            if self.channels.of(pool, false).all(OpenChannel::is_closing) {
                self.open(pool, false);
            }
        }
    }

    /// Evens the work of the pools out if it is time for it.
    fn rebalance(&mut self) {
        if self.assignment.poll_timeout().is_none_or(|due| due > self.now) {
            return;
        }
        let work = self.rigs.iter().map(|(id, rig)| (id.0, rig.work.get()));
        if let Some(Rebalance { rigs, parts }) = self.assignment.handle_timeout(self.now, work) {
            let wanted = self.shares.clone();
            self.acts.push_back(Act::Report(Report::Rebalance { rigs, before: parts, wanted }));
            self.replan();
        }
    }

    /// Has all rigs look whether they belong elsewhere now, those too that wait for a pool.
    fn replan(&mut self) {
        self.unsettled.extend(self.rigs.keys());
        self.room = true;
    }

    /// Opens channels to a pool until they hold so many rigs, some at a time.
    fn grow(&mut self, pool: PoolIndex, rigs: usize) {
        let needed = rigs.div_ceil(self.channel_capacity(pool)).min(self.config.max_channels);
        loop {
            let shared = || self.channels.of(pool, false);
            let opening = shared().filter(|channel| !channel.is_live()).count();
            if shared().count() >= needed.max(1) || opening >= MAX_OPENING {
                return;
            }
            self.open(pool, false);
        }
    }

    fn close_unused(&mut self) {
        let (now, warm) = (self.now, self.pools.warm());
        let mut left: BTreeMap<PoolIndex, usize> = BTreeMap::new();
        for channel in self.channels.iter().filter(|c| !c.dedicated && !c.is_closing()) {
            *left.entry(channel.pool).or_default() += 1;
        }
        for channel in self.channels.iter_mut().filter(|channel| !channel.is_closing()) {
            if self.pools.is_retired(channel.pool) {
                // Whoever has not found a place elsewhere by then has to look for one.
                let since = *channel.retired_since.get_or_insert(now);
                if channel.lent() == 0 || now.saturating_duration_since(since) >= RETIRED_FOR {
                    channel.close();
                    self.acts.push_back(Act::Close(channel.id));
                }
                continue;
            }
            // A shared one that is away is to come back; the next rig that needs its own opens its
            // own.
            if channel.lent() > 0 || !channel.is_live() && !channel.dedicated {
                channel.unused_since = None;
                continue;
            }
            let since = *channel.unused_since.get_or_insert(now);
            let kept = usize::from(warm.contains(&channel.pool));
            let left = left.entry(channel.pool).or_default();
            let spare = channel.dedicated || *left > kept;
            if now.saturating_duration_since(since) >= UNUSED_FOR && spare {
                *left -= usize::from(!channel.dedicated);
                channel.close();
                let (pool, channel) = (channel.pool, channel.id);
                self.acts.push_back(Act::Close(channel));
                self.acts.push_back(Act::Report(Report::Unused { pool, channel }));
            }
        }
    }
}
