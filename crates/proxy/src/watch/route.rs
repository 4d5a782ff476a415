//! A route as it is seen.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use orepass_farm::farm::Farm;
use orepass_farm::pools::{Gate, PoolHealth, PoolIndex};
use orepass_farm::stats::AgainstNorm;
use orepass_stratum::channel::ChannelView;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::target::Difficulty;
use orepass_stratum::time::Instant;

use super::chronicle::workers_of;
use super::diagnostics::Finding;
use super::state::WorkerState;
use super::views::{
    ChannelHealth, ChannelState, GateView, PoolHealthView, PoolView, RateView, RigView, RouteView,
    ShareCounts, WorkerView,
};
use super::worker::age;
use super::{Watched, WatchedWorker};
use crate::books::{BookReading, MeteredBook};
use crate::clock::rfc3339;
use crate::histogram::Counts;
use crate::history::{HistoryPart, SeriesKey, WorkerSeen};
use crate::rig::roster::OnlineRig;
use crate::route::Route;
use crate::route::channel::Channel;
use crate::route::now::PoolNow;

/// How many kinds of software of one worker are shown.
const MAX_AGENTS: usize = 3;

impl<D: Dialect> Watched for Route<D> {
    fn look(&self, since: Duration, now: Instant) {
        self.book.look(true, since, now);
        for pool in &self.now().pools {
            pool.book.look(pool.leaving.is_none(), since, now);
        }
        let rigs = self.roster.rigs();
        for book in rigs.iter().filter_map(|rig| rig.book_if_any()) {
            book.look(true, since, now);
        }
        let there = workers_of(&rigs);
        for (name, book) in self.roster.books() {
            let is_there = there.contains(&name);
            book.look(is_there, since, now);
            if is_there {
                book.is_seen();
            }
        }
        self.roster.other_workers().look(false, since, now);
    }

    fn view(&self) -> RouteView {
        let channels: Vec<_> = self.channels().values().map(Arc::clone).collect();
        let (gate, rigs_waiting) = self.ask(|farm| (farm.gate(), farm.waiting().count()));
        let (came, went) = self.roster.traffic();
        let totals = self.book.totals();
        RouteView {
            name: self.name().to_owned(),
            dialect: D::NAME.to_owned(),
            listen: self.now().config.listen.iter().map(ToString::to_string).collect(),
            gate: match gate {
                Gate::Open => GateView::Open,
                Gate::Hold => GateView::Hold,
                Gate::Closed => GateView::Closed,
            },
            rigs: self.roster.online(),
            rigs_waiting,
            rigs_came: came,
            rigs_went: went,
            pools: self.pool_views(&channels),
            job_age_s: job_age(&channels),
            channels: channels.iter().map(|channel| channel_state(channel)).collect(),
            shares: ShareCounts::from(&totals),
            hashrate: rates(&self.book.reading()),
            preferred_pool: self.now().preferred.as_ref().map(ToString::to_string),
            traffic: self.traffic.view(),
        }
    }

    fn workers(&self) -> Vec<WatchedWorker> {
        let mut rigs: HashMap<Arc<str>, Vec<Arc<OnlineRig>>> = HashMap::new();
        for rig in self.roster.rigs() {
            if let Some(worker) = rig.shown().worker {
                rigs.entry(worker).or_default().push(rig);
            }
        }
        let mut workers = Vec::new();
        for (name, book) in self.roster.books() {
            let rigs = rigs.remove(&name).unwrap_or_default();
            workers.push(WatchedWorker { name, rigs, book: Some(book) });
        }
        // Those that have sent nothing yet.
        let silent = rigs.into_iter();
        workers.extend(silent.map(|(name, rigs)| WatchedWorker { name, rigs, book: None }));
        workers
    }

    fn worker(&self, name: &str) -> Option<WatchedWorker> {
        let is_its = |rig: &Arc<OnlineRig>| rig.shown().worker.as_deref() == Some(name);
        let rigs: Vec<_> = self.roster.rigs().into_iter().filter(is_its).collect();
        let book = self.roster.book_of(name);
        let is_known = book.is_some() || !rigs.is_empty();
        is_known.then(|| WatchedWorker { name: name.into(), rigs, book })
    }

    fn worker_view(&self, worker: &WatchedWorker) -> WorkerView {
        let WatchedWorker { name, rigs, .. } = worker;
        let facts = worker.facts();
        let mut agents: Vec<String> = Vec::new();
        for agent in rigs.iter().filter_map(|rig| rig.shown().agent) {
            if agents.len() < MAX_AGENTS && !agents.iter().any(|known| **known == *agent) {
                agents.push(agent.as_ref().to_owned());
            }
        }
        let expected = self.expected_hashrate(name, &agents, rigs.len());
        let reading = facts.reading.as_ref();
        let (norm_hs, against) = against(reading, expected);
        let seen = worker.book.as_ref().and_then(|book| book.seen());
        WorkerView {
            route: self.name().to_owned(),
            name: name.as_ref().to_owned(),
            state: facts.state,
            rigs: rigs.len(),
            agents,
            first_seen_at: seen.map(|seen| rfc3339(1000 * seen.first_seen)),
            last_seen_at: seen.map(|seen| rfc3339(1000 * seen.last_seen)),
            last_share_at: seen.and_then(|seen| seen.last_share).map(|at| rfc3339(1000 * at)),
            last_share_age_s: facts.last_share_age_s(),
            best_share_hashes: seen.map_or(0.0, |seen| seen.best_share),
            blocks: seen.map_or(0, |seen| seen.blocks),
            shares: ShareCounts::from(&facts.totals),
            hashrate: reading.map(rates).unwrap_or_default(),
            norm_hs,
            against_norm: against.into(),
        }
    }

    fn rig_view(&self, rig: &OnlineRig) -> RigView {
        let shown = rig.shown();
        let book = rig.book_if_any();
        let reading = book.map(|book| book.reading());
        let totals = book.map(|book| book.totals()).unwrap_or_default();
        let pools = self.now();
        let pool = shown.seat.and_then(|seat| pools.pools.get(seat.pool));
        let seat = shown.seat;
        let agent = shown.agent.as_deref().map(str::to_owned);
        let expected = shown
            .worker
            .as_deref()
            .and_then(|worker| self.expected_hashrate(worker, agent.as_slice(), 1));
        let (norm_hs, against) = against(reading.as_ref(), expected);
        RigView {
            id: format!("{}-{}", self.name(), rig.serial),
            route: self.name().to_owned(),
            address: rig.peer.to_string(),
            worker: shown.worker.as_deref().map(str::to_owned),
            agent,
            state: WorkerState::now_of(rig),
            connected_s: age(rig.since),
            pool: pool.map(|pool| pool.account.name.to_string()),
            channel: seat.map(|seat| seat.channel.0),
            slot: seat.and_then(|seat| seat.slot),
            alone: seat.is_some_and(|seat| seat.alone),
            difficulty: shown.difficulty.map(Difficulty::get),
            last_share_age_s: reading.as_ref().and_then(BookReading::last_share).map(age),
            shares: ShareCounts::from(&totals),
            hashrate: reading.as_ref().map(rates).unwrap_or_default(),
            norm_hs,
            against_norm: against.into(),
            diagnosis: shown.diagnosis.map(|diagnosis| diagnosis.to_string()),
            advice: shown.diagnosis.map(|diagnosis| diagnosis.advice().to_owned()),
        }
    }

    fn pool_books(&self) -> Vec<(String, Arc<MeteredBook>)> {
        let pools = self.now();
        let named =
            |pool: &Arc<PoolNow<D>>| (pool.account.name.to_string(), Arc::clone(&pool.book));
        pools.pools.iter().map(named).collect()
    }

    fn book(&self) -> &Arc<MeteredBook> {
        &self.book
    }

    fn minutes(&self) -> Vec<(SeriesKey, HistoryPart)> {
        self.all_minutes()
    }

    fn seen(&self) -> Vec<(Arc<str>, WorkerSeen)> {
        self.all_seen()
    }

    fn recall(&self, worker: &Arc<str>, seen: WorkerSeen) {
        if let Some(book) = self.roster.expect(worker) {
            book.recall(seen);
        }
    }

    fn findings(&self) -> Vec<Finding> {
        self.all_findings()
    }

    fn worker_states(&self) -> [(WorkerState, usize); 4] {
        let states: Vec<_> = Watched::workers(self).iter().map(WatchedWorker::state).collect();
        WorkerState::ALL.map(|of| (of, states.iter().filter(|state| **state == of).count()))
    }

    fn share_check(&self) -> Counts {
        self.times.check.counts()
    }

    fn job_fanout(&self) -> Counts {
        self.times.fanout.counts()
    }

    fn share_latency(&self) -> Vec<(String, Counts)> {
        let at_work = self.now();
        let pools = at_work.in_order().iter().map(|slot| &at_work.pools[*slot]);
        pools.map(|pool| (pool.account.name.to_string(), pool.latency.counts())).collect()
    }

    fn switches(&self) -> Vec<(String, String, u64)> {
        self.times.switches()
    }
}

impl<D: Dialect> Route<D> {
    fn pool_views(&self, channels: &[Arc<Channel<D>>]) -> Vec<PoolView> {
        let now_at_work = self.now();
        let pools = &now_at_work.pools;
        let mut rigs = vec![0; pools.len()];
        for seat in self.roster.rigs().iter().filter_map(|rig| rig.shown().seat) {
            if let Some(count) = rigs.get_mut(seat.pool) {
                *count += 1;
            }
        }
        let FarmSays { health, shares, .. } = self.ask(|farm| FarmSays::of(farm, pools.len()));
        let view = |slot: &PoolIndex| {
            let pool = &pools[*slot];
            let own: Vec<_> = channels.iter().filter(|c| c.pool == *slot).cloned().collect();
            let (health, cause, age) = shown_health(health[*slot]);
            let account = &pool.account;
            PoolView {
                route: self.name().to_owned(),
                name: account.name.to_string(),
                server: account.url.authority(),
                tls: account.url.is_tls(),
                rank: account.standing.rank,
                weight: account.standing.weight,
                health,
                cause: cause.map(str::to_owned),
                health_s: age,
                share_wanted: shares.get(*slot).copied().unwrap_or_default(),
                rigs: rigs[*slot],
                channels_live: own.iter().filter(|channel| channel.is_live()).count(),
                job_age_s: job_age(&own),
                shares: ShareCounts::from(&pool.book.totals()),
                rejections: pool.rejections.view(),
                hashrate: rates(&pool.book.reading()),
            }
        };
        now_at_work.in_order().iter().map(view).collect()
    }

    /// What the config says that a worker should do, in hashes per second.
    pub(super) fn expected_hashrate(
        &self,
        worker: &str,
        agents: &[String],
        rigs: usize,
    ) -> Option<f64> {
        let agent = agents.first().map_or("", |agent| agent);
        let now_at_work = self.now();
        let mut fitting =
            now_at_work.config.profiles.iter().filter(|of| of.covers(agent, Some(worker)));
        Some(fitting.find_map(|profile| profile.hashrate)? * rigs.max(1) as f64)
    }
}

/// What the farm thinks of the pools at one moment.
pub(super) struct FarmSays {
    /// What happens with rigs.
    pub(super) gate: Gate,
    /// Whether each pool is of use, by its slot.
    pub(super) health: Vec<PoolHealth>,
    /// The part of the work that each should have.
    pub(super) shares: Vec<f64>,
}

impl FarmSays {
    /// Of so many pools.
    pub(super) fn of(farm: &Farm, pools: usize) -> Self {
        let health = |pool| farm.pools().health(pool).unwrap_or(PoolHealth::Unknown);
        let health = (0..pools).map(health).collect();
        Self { gate: farm.gate(), health, shares: farm.pools().shares() }
    }
}

/// The norm that a worker is held against, in hashes per second, and how it does.
pub(super) fn against_norm(
    reading: &BookReading,
    expected: Option<f64>,
) -> (Option<f64>, AgainstNorm) {
    let norm = expected.or_else(|| reading.norm().per_second());
    let of = |norm| AgainstNorm::of(reading.present(), norm);
    (norm, norm.map_or(AgainstNorm::Unknown, of))
}

/// The same where it may have sent no share yet.
fn against(reading: Option<&BookReading>, expected: Option<f64>) -> (Option<f64>, AgainstNorm) {
    match reading {
        Some(reading) => against_norm(reading, expected),
        None => (expected, AgainstNorm::Unknown),
    }
}

fn rates(reading: &BookReading) -> Vec<RateView> {
    reading.rates().iter().map(RateView::from).collect()
}

fn channel_state<D: Dialect>(channel: &Channel<D>) -> ChannelState {
    let view = channel.view();
    let ground = view.ground.as_ref();
    ChannelState {
        id: channel.id.0,
        pool: channel.to.account.name.to_string(),
        state: match (channel.is_gone(), view.live) {
            (true, _) => ChannelHealth::Closing,
            (false, true) => ChannelHealth::Live,
            (false, false) => ChannelHealth::Connecting,
        },
        extranonce1: ground.map(|ground| ground.split.extranonce1.to_string()),
        prefix_bytes: ground.map(|ground| ground.split.prefix_bytes),
        leases_used: ground.map_or(0, |ground| ground.space.lent()),
        leases_total: ground.map_or(0, |ground| ground.space.capacity()),
        dedicated: channel.dedicated,
        job_age_s: job_age_of(&view),
    }
}

fn job_age<D: Dialect>(channels: &[Arc<Channel<D>>]) -> Option<f64> {
    let ages = channels.iter().filter(|channel| channel.is_live());
    ages.filter_map(|channel| job_age_of(&channel.view())).min_by(f64::total_cmp)
}

fn job_age_of<D: Dialect>(view: &ChannelView<D>) -> Option<f64> {
    view.work.as_ref().map(|work| age(work.arrived))
}

fn shown_health(health: PoolHealth) -> (PoolHealthView, Option<&'static str>, Option<f64>) {
    match health {
        PoolHealth::Unknown => (PoolHealthView::Unknown, None, None),
        PoolHealth::Serves(since) => (PoolHealthView::Serves, None, Some(age(since))),
        PoolHealth::Lost(since) => (PoolHealthView::Lost, None, Some(age(since))),
        PoolHealth::Down(cause) => (PoolHealthView::Down, Some(cause.name()), None),
        PoolHealth::Benched(_, cause) => (PoolHealthView::Benched, Some(cause.name()), None),
        PoolHealth::Retired => (PoolHealthView::Retired, None, None),
    }
}
