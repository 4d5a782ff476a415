//! The rules that hold at every moment, looked at by an account of their own.

use std::collections::BTreeMap;
use std::time::Duration;

use orepass_sim::pool::PoolFault;
use orepass_stratum::extranonce::Extranonce;

use super::pool::Pool;
use super::rig::{Conn, Kind, RECONNECT_WITHIN, Rig};
use super::setting::{Setting, violation};
use super::weather::refuses;

/// The works of a pool that are remembered.
const MAX_WORKS: u64 = 512;

/// How long the proxy waits for a lost pool to come back, before rigs go to the next. Each pool of
/// the list can cost it once.
const GRACE: Duration = Duration::from_secs(6);
/// How long rigs may take to another pool when that is decided.
const SWITCH: Duration = Duration::from_secs(2);
/// How long a rig that cannot be told of its new place waits until it is closed.
const CLOSE: Duration = Duration::from_millis(300);
/// From a rig's login to its job, when all is well.
pub(super) const FIRST_JOB: Duration = Duration::from_millis(300);
/// How long a pool may have told its newest job before a rig must have it.
const JOB_WITHIN: Duration = Duration::from_secs(2);
/// How long a pool may be behind another one before rigs leave it: the minute after which it is left,
/// how much later the proxy may look, and the five minutes for which it leaves a leader alone that it
/// took for a straggler, since it knows blocks by their hashes alone.
const BEHIND: Duration = Duration::from_secs(60 + 10 + 300);
/// How many shares may be refused for no reason while there is a better pool. The proxy leaves after
/// 20, or as many stale ones for a work that was told seconds ago, for five minutes, ten, and so on
/// while the longest weather lasts.
const MAX_WASTED: u64 = 100;
/// How long rigs stay wherever they are when two pools have refused alike, and how long before that
/// the first of them may have.
const SPARED: Duration = Duration::from_secs(1800 + 3600);
/// How often everything is looked at, and so how much later than it is so it is seen.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Which work was told under which extranonce1.
#[derive(Debug, Default)]
pub(super) struct ToldWorks {
    works: BTreeMap<(usize, u64), BTreeMap<Extranonce, usize>>,
    first_id: Option<u32>,
    /// A pool's connection holds fewer rigs than there are.
    pub(super) scarce: bool,
    /// Since when all pools are well.
    pub(super) calm_since: Option<Duration>,
}

impl ToldWorks {
    /// Nothing has been told.
    #[must_use]
    pub(super) fn new(scarce: bool) -> Self {
        Self { scarce, ..Self::default() }
    }

    /// Notes that a work was told to a rig; whether it was told so before, so that the rig may repeat
    /// what was sent then.
    ///
    /// # Errors
    /// Another rig that it was told before, where there were leases enough.
    pub(super) fn note(
        &mut self,
        pool: usize,
        serial: u64,
        extranonce1: &Extranonce,
        rig: usize,
    ) -> Result<bool, usize> {
        let oldest = serial.saturating_sub(MAX_WORKS);
        while let Some((&key, _)) = self.works.range((pool, 0)..(pool, oldest)).next() {
            self.works.remove(&key);
        }
        let told = self.works.entry((pool, serial)).or_default();
        match told.insert(extranonce1.clone(), rig) {
            None => Ok(false),
            Some(before) if before == rig => Ok(true),
            // Where leases are scarce, the one that a rig has may have been another's when a work that
            // comes back was told under it; it has that one's filter, and the pool sees nothing twice.
            Some(_) if self.scarce => Ok(true),
            Some(other) => Err(other),
        }
    }

    /// The first job id that any rig was told.
    pub(super) fn first_id(&mut self, id: u32) -> u32 {
        *self.first_id.get_or_insert(id)
    }
}

/// What is known of a rig's time without a job.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Idle {
    since: Option<Duration>,
    /// All of it, whatever the reason.
    pub(super) total: Duration,
    /// The longest that had no excuse.
    pub(super) longest: Duration,
}

/// Whether a pool is well, and has been so long that the proxy must use it.
#[must_use]
pub(super) fn is_trusted(pool: &Pool, now: Duration) -> bool {
    pool.fault.is_none() && pool.trusted <= now
}

/// Whether the proxy is connected to a pool and surely trusts it.
fn is_surely_used(pool: &Pool, now: Duration) -> bool {
    let in_use = pool.conns.values().any(|conn| conn.live && conn.wire.is_open());
    is_trusted(pool, now) && pool.sure_from <= now && in_use
}

/// Looks at everything that must hold at any moment.
pub(super) fn look(
    setting: &mut Setting,
    pools: &mut [Pool],
    rigs: &[Rig],
    idle: &mut [Idle],
    told: &mut ToldWorks,
) {
    note_who_is_behind(pools, setting.now());
    nobody_stays_where_shares_are_wasted(setting, pools);
    let pools = &*pools;
    for pool in pools {
        pool.look(setting);
    }
    for rig in rigs {
        rig.look(setting);
    }
    extranonces_are_apart(setting, pools, rigs);
    let now = setting.now();
    let calm = pools.iter().all(|pool| is_trusted(pool, now));
    told.calm_since = calm.then(|| told.calm_since.unwrap_or(now));
    // Rigs that find no room on the connections that a pool has wait for another one to it, rather
    // than go to another pool.
    let crowded = told.scarce && pools.iter().any(|pool| pool.crowded > now);
    if crowded {
        idle.iter_mut().for_each(|idle| idle.since = None);
        return;
    }
    nobody_mines_behind(setting, pools, rigs);
    rigs_have_jobs(setting, pools, rigs, idle, told);
}

/// No two rigs have one extranonce1, as long as each still mines for an open connection. One whose
/// connection is lost keeps its own for a moment, while a server that counts from zero again may
/// give it to another; [`ToldWorks`] sees to it that they do not get the same work.
fn extranonces_are_apart(setting: &mut Setting, pools: &[Pool], rigs: &[Rig]) {
    let mut held: BTreeMap<&Extranonce, usize> = BTreeMap::new();
    for rig in rigs {
        let awake = |conn: &&Conn| conn.wire.is_open() && !conn.wire.is_deaf();
        let Some(conn) = rig.conn().filter(awake) else { continue };
        let (Some(extranonce1), Some(job)) = (&conn.extranonce1, conn.jobs.back()) else {
            continue;
        };
        let mines = |pool: &Pool| {
            pool.conns
                .values()
                .any(|upstream| upstream.wire.is_open() && upstream.has_told(&job.work))
        };
        if !pools.get(job.pool).is_some_and(mines) {
            continue;
        }
        if let Some(other) = held.insert(extranonce1, rig.index) {
            violation!(setting, "rigs {other} and {} both have {extranonce1}", rig.index);
        }
    }
}

fn note_who_is_behind(pools: &mut [Pool], now: Duration) {
    let leads = |pool: &Pool| is_surely_used(pool, now).then_some(pool.work.height);
    let newest = pools.iter().filter_map(leads).max().unwrap_or_default();
    for pool in pools {
        let own = pool.work.height;
        let before = pool.behind_since.filter(|(_, height)| *height == own);
        // Blocks are known by their hashes alone: one that a pool comes with may be an old one, and
        // shows that others are behind only when that pool goes on to the next.
        pool.behind_since = (own + 1 < newest).then(|| before.unwrap_or((now, own)));
    }
}

/// A pool that refuses what it should take gets few shares, while another one is good.
fn nobody_stays_where_shares_are_wasted(setting: &mut Setting, pools: &mut [Pool]) {
    let now = setting.now();
    for pool in pools.iter_mut().filter(|pool| pool.fault.as_ref().is_some_and(refuses)) {
        pool.refused = Some(now);
    }
    for at in 0..pools.len() {
        let others = || pools.iter().enumerate().filter(move |(other, _)| *other != at);
        // The proxy may take the cause for its own.
        let alone = others().all(|(_, other)| other.refused.is_none_or(|at| now - at > SPARED));
        let better = others().any(|(_, other)| is_surely_used(other, now));
        if !alone || !better || pools[at].fault.is_none() {
            pools[at].wasted = 0;
        } else if pools[at].wasted > MAX_WASTED {
            violation!(
                setting,
                "pool {at} has refused {} shares and is still used",
                pools[at].wasted
            );
        }
    }
}

fn nobody_mines_behind(setting: &mut Setting, pools: &[Pool], rigs: &[Rig]) {
    let now = setting.now();
    for rig in rigs.iter().filter(|rig| rig.kind == Kind::Good) {
        let Some(job) = rig.conn().and_then(|conn| conn.jobs.back()) else { continue };
        let behind = pools.get(job.pool).and_then(|pool| pool.behind_since);
        let behind = behind.map(|(since, _)| since);
        let overdue = |since: &Duration| now - *since > BEHIND + SWITCH + LOOK_EVERY;
        if let Some(since) = behind.filter(overdue)
            && is_served(rig, pools, now)
        {
            violation!(
                setting,
                "rig {} mines at pool {}, which is behind since {since:?}",
                rig.index,
                job.pool
            );
        }
    }
}

fn rigs_have_jobs(
    setting: &mut Setting,
    pools: &[Pool],
    rigs: &[Rig],
    idle: &mut [Idle],
    told: &ToldWorks,
) {
    let now = setting.now();
    // A pool that closes its connections all the time is kept as long as the others are left alone.
    let hasty = pools.iter().any(|pool| pool.fault == Some(PoolFault::CloseAfterShare));
    let good = |pool: &Pool| is_trusted(pool, now) && (!hasty || pool.sure_from <= now);
    let excused = setting.over || !pools.iter().any(good);
    for (rig, idle) in rigs.iter().zip(idle) {
        let patient = GRACE * pools.len() as u32 + SWITCH + LOOK_EVERY;
        let allowed = match rig.kind {
            Kind::Good => patient,
            Kind::Plain => patient + CLOSE + RECONNECT_WITHIN + FIRST_JOB,
            _ => continue,
        };
        if let (Some(calm), Some(conn)) = (told.calm_since, rig.conn())
            && let Some(subscribed) = conn.subscribed
            && conn.jobs.is_empty()
            && conn.wire.is_open()
            && now - subscribed.max(calm) > FIRST_JOB
        {
            violation!(
                setting,
                "rig {} has no job {:?} after its login",
                rig.index,
                now - subscribed
            );
        }
        if rig.has_never_come() || is_served(rig, pools, now) {
            idle.since = None;
            continue;
        }
        idle.total += LOOK_EVERY;
        if excused {
            idle.since = None;
            continue;
        }
        let since = *idle.since.get_or_insert(now);
        idle.longest = idle.longest.max(now - since);
        if now - since > allowed {
            violation!(
                setting,
                "rig {} has had no job for {:?}, and a pool serves",
                rig.index,
                now - since
            );
        }
    }
}

/// Whether a rig has the newest job of a pool that it is connected to.
fn is_served(rig: &Rig, pools: &[Pool], now: Duration) -> bool {
    let Some(conn) = rig.conn().filter(|conn| conn.wire.is_open()) else { return false };
    let Some(job) = conn.jobs.back() else { return false };
    let Some(pool) = pools.get(job.pool) else { return false };
    pool.conns.values().any(|upstream| {
        let own = job.extranonce1.as_bytes().starts_with(upstream.extranonce1.as_bytes());
        let newest = upstream
            .newest()
            .any(|(work, at)| *work == job.work || now.saturating_sub(at) <= JOB_WITHIN);
        upstream.live && upstream.wire.is_open() && own && newest
    })
}
