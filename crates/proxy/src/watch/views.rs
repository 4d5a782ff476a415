//! What is shown of the farm: plain data, with the units in the names. `_hs` is hashes per second, `_s`
//! seconds.

use orepass_farm::stats::{AgainstNorm, Measured, Totals, WindowRates};
use orepass_stratum::verdict::Verdict;
use serde::Serialize;
use utoipa::ToSchema;

use super::state::WorkerState;
use crate::pool::rejections::RejectionView;
use crate::route::traffic::TrafficView;

/// Something for each kind in which a share ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub struct ByVerdict<T> {
    /// The pool credited it.
    pub accepted_by_pool: T,
    /// It met the rig's target but not the pool's, and was not forwarded.
    pub below_pool_target: T,
    /// The pool refused it.
    pub rejected_by_pool: T,
    /// Its job had been replaced.
    pub stale: T,
    /// The rig sent it before.
    pub duplicate: T,
    /// A further solution of a nonce of which the pool counts only one.
    pub second_solution: T,
    /// Its hash misses the target that the rig was told.
    pub low_difficulty: T,
    /// Malformed, impossible or with a bad proof.
    pub invalid: T,
    /// Its worker did not authorize on this connection.
    pub unauthorized: T,
    /// Held back unchecked, since its rig sends too much rubbish.
    pub quarantined: T,
    /// A queue was full.
    pub overflow: T,
    /// The pool never answered it.
    pub unanswered: T,
    /// The pool's connection was lost with it.
    pub lost_on_failover: T,
}

impl<T> ByVerdict<T> {
    /// Each of a function.
    pub fn of(of: impl Fn(Verdict) -> T) -> Self {
        Self {
            accepted_by_pool: of(Verdict::AcceptedByPool),
            below_pool_target: of(Verdict::BelowPoolTarget),
            rejected_by_pool: of(Verdict::RejectedByPool),
            stale: of(Verdict::Stale),
            duplicate: of(Verdict::Duplicate),
            second_solution: of(Verdict::SecondSolution),
            low_difficulty: of(Verdict::LowDifficulty),
            invalid: of(Verdict::Invalid),
            unauthorized: of(Verdict::Unauthorized),
            quarantined: of(Verdict::Quarantined),
            overflow: of(Verdict::Overflow),
            unanswered: of(Verdict::Unanswered),
            lost_on_failover: of(Verdict::LostOnFailover),
        }
    }
}

impl<T: Copy> ByVerdict<T> {
    /// That of one kind.
    pub const fn get(&self, verdict: Verdict) -> T {
        match verdict {
            Verdict::AcceptedByPool => self.accepted_by_pool,
            Verdict::BelowPoolTarget => self.below_pool_target,
            Verdict::RejectedByPool => self.rejected_by_pool,
            Verdict::Stale => self.stale,
            Verdict::Duplicate => self.duplicate,
            Verdict::SecondSolution => self.second_solution,
            Verdict::LowDifficulty => self.low_difficulty,
            Verdict::Invalid => self.invalid,
            Verdict::Unauthorized => self.unauthorized,
            Verdict::Quarantined => self.quarantined,
            Verdict::Overflow => self.overflow,
            Verdict::Unanswered => self.unanswered,
            Verdict::LostOnFailover => self.lost_on_failover,
        }
    }
}

/// Shares since the start of the process. The kinds and those in flight add up to those sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub struct ShareCounts {
    /// Those that came from rigs.
    pub sent: u64,
    /// Those on their way to a pool or back.
    pub in_flight: u64,
    /// By what became of them.
    #[serde(flatten)]
    pub kinds: ByVerdict<u64>,
    /// Those forwarded without a full check; they are counted among the kinds too.
    pub unchecked: u64,
    /// Answers that came after their share had been given up.
    pub late_verdicts: u64,
    /// Those sent to their pool once more, after a lost connection.
    pub resent: u64,
    /// Verdicts whose rig had left.
    pub undeliverable: u64,
    /// Blocks that pools took.
    pub blocks: u64,
    /// What the best share's hash stands for, in hashes.
    pub best_share_hashes: f64,
    /// The work that pools credited, in hashes.
    pub credited_hashes: f64,
}

impl From<&Totals> for ShareCounts {
    fn from(totals: &Totals) -> Self {
        Self {
            // What ended was counted before it was sent, where one is read between the two.
            sent: totals.ended() + totals.in_flight,
            in_flight: totals.in_flight,
            kinds: ByVerdict::of(|verdict| totals.count(verdict)),
            unchecked: totals.unchecked,
            late_verdicts: totals.late_verdicts,
            resent: totals.resent,
            undeliverable: totals.undeliverable,
            blocks: totals.blocks,
            best_share_hashes: totals.best,
            credited_hashes: totals.credited,
        }
    }
}

/// Rates over one window, as averages that decay over it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct RateView {
    /// The window: a minute, ten minutes, an hour or a day.
    pub window_s: u64,
    /// The work of all shares that rigs sent, at the targets that they were told. It is the sum of
    /// `kinds_hs`.
    pub claimed_hs: f64,
    /// That of the shares that passed all checks here, whatever the pool then did with them.
    pub accepted_hs: f64,
    /// The standard error of `accepted_hs`: shares come at random, and a rate of few is known badly.
    pub accepted_error_hs: f64,
    /// The work that pools credited, at the pools' own targets.
    pub credited_hs: f64,
    /// The standard error of `credited_hs`.
    pub credited_error_hs: f64,
    /// Where the work went that rigs claimed.
    pub kinds_hs: ByVerdict<f64>,
}

impl From<&WindowRates> for RateView {
    fn from(rates: &WindowRates) -> Self {
        let WindowRates { window, claimed, accepted, credited, kinds } = rates;
        let Measured { per_second: accepted_hs, error: accepted_error_hs } = *accepted;
        let Measured { per_second: credited_hs, error: credited_error_hs } = *credited;
        Self {
            window_s: window.as_secs(),
            claimed_hs: *claimed,
            accepted_hs,
            accepted_error_hs,
            credited_hs,
            credited_error_hs,
            kinds_hs: ByVerdict::of(|verdict| kinds[verdict as usize]),
        }
    }
}

/// A route.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RouteView {
    /// Its name.
    pub name: String,
    /// Its dialect's name.
    pub dialect: String,
    /// Where it takes connections.
    pub listen: Vec<String>,
    /// What happens with its rigs.
    pub gate: GateView,
    /// Rigs that are connected.
    pub rigs: usize,
    /// Those of them that wait for a place at a pool.
    pub rigs_waiting: usize,
    /// Rigs that came and went since the start.
    pub rigs_came: u64,
    /// Likewise.
    pub rigs_went: u64,
    /// Its pools, in the config's order.
    pub pools: Vec<PoolView>,
    /// Its connections to pools.
    pub channels: Vec<ChannelState>,
    /// What became of its shares.
    pub shares: ShareCounts,
    /// Over a minute, ten minutes, an hour and a day.
    pub hashrate: Vec<RateView>,
    /// How old the newest job is that its rigs have; none before the first.
    pub job_age_s: Option<f64>,
    /// The pool that the operator wants before all others, whatever the config's order is.
    pub preferred_pool: Option<String>,
    /// What has gone over its connections.
    pub traffic: TrafficView,
}

/// What happens with a route's rigs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateView {
    /// They mine.
    Open,
    /// No pool serves: they are held.
    Hold,
    /// No pool has served for too long: they are let go to their own backup.
    Closed,
}

/// A pool of a route.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PoolView {
    /// The route's name.
    pub route: String,
    /// Its name.
    pub name: String,
    /// Its host and port.
    pub server: String,
    /// Whether that is spoken to by TLS.
    pub tls: bool,
    /// 0 is preferred.
    pub rank: usize,
    /// Its weight among those of its rank.
    pub weight: f64,
    /// Whether it is of use.
    pub health: PoolHealthView,
    /// Why not, where it is not.
    pub cause: Option<String>,
    /// For how long it has been so, where that is known.
    pub health_s: Option<f64>,
    /// The part of the work that it should have now.
    pub share_wanted: f64,
    /// Rigs that mine at it.
    pub rigs: usize,
    /// Connections to it that take shares.
    pub channels_live: usize,
    /// How old its newest job is.
    pub job_age_s: Option<f64>,
    /// What became of the shares for its jobs.
    pub shares: ShareCounts,
    /// Why it did not credit those that it had; the most frequent reasons first, 17 at most.
    pub rejections: Vec<RejectionView>,
    /// Over a minute, ten minutes, an hour and a day.
    pub hashrate: Vec<RateView>,
}

/// Whether a pool is of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PoolHealthView {
    /// It has not been needed, or not been heard of yet.
    Unknown,
    /// It serves.
    Serves,
    /// It served, and has no connection at the moment.
    Lost,
    /// It is of no use.
    Down,
    /// It is left alone for a while, since it did badly.
    Benched,
    /// The route has it no more.
    Retired,
}

/// A connection to a pool.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChannelState {
    /// Its number within the route.
    pub id: u64,
    /// The pool's name.
    pub pool: String,
    /// Whether it takes shares.
    pub state: ChannelHealth,
    /// What the pool gave it, in hex; none before the first subscribe.
    pub extranonce1: Option<String>,
    /// How many bytes of the pool's extranonce2 tell its rigs apart.
    pub prefix_bytes: Option<usize>,
    /// How many rigs have a part of it.
    pub leases_used: u64,
    /// How many fit.
    pub leases_total: u64,
    /// It serves one rig alone.
    pub dedicated: bool,
    /// How old its newest job is.
    pub job_age_s: Option<f64>,
}

/// Whether a connection to a pool takes shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelHealth {
    /// It takes them.
    Live,
    /// It is being made, or made anew.
    Connecting,
    /// It ends.
    Closing,
}

/// A worker: all rigs of one name.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WorkerView {
    /// The route's name.
    pub route: String,
    /// Its name, as its rigs say it: text from outside.
    pub name: String,
    /// How it is.
    pub state: WorkerState,
    /// How many rigs of it are connected.
    pub rigs: usize,
    /// The software of its rigs, as they say it: text from outside, at most three.
    pub agents: Vec<String>,
    /// When it first came, as far as is known, also from earlier runs.
    pub first_seen_at: Option<String>,
    /// When a rig of it was last connected.
    pub last_seen_at: Option<String>,
    /// When its last share came, also in an earlier run.
    pub last_share_at: Option<String>,
    /// The age of its last share; none where none came since the start.
    pub last_share_age_s: Option<f64>,
    /// What its best share's hash stands for, in hashes, also of earlier runs.
    pub best_share_hashes: f64,
    /// Blocks of it that pools took, also in earlier runs.
    pub blocks: u64,
    /// What became of its shares.
    pub shares: ShareCounts,
    /// Over a minute, ten minutes, an hour and a day.
    pub hashrate: Vec<RateView>,
    /// What it usually does, or should by the config; none where that is not known.
    pub norm_hs: Option<f64>,
    /// Whether it does that.
    pub against_norm: NormView,
}

/// A rate held against its norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NormView {
    /// There is no norm yet, or the rate is known too badly.
    Unknown,
    /// About as it should.
    Good,
    /// Below 70 % of it, by more than chance.
    Low,
}

impl From<AgainstNorm> for NormView {
    fn from(against: AgainstNorm) -> Self {
        match against {
            AgainstNorm::Unknown => Self::Unknown,
            AgainstNorm::Good => Self::Good,
            AgainstNorm::Low => Self::Low,
        }
    }
}

/// A connected rig.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RigView {
    /// By which it is named here: the route's name and its own number.
    pub id: String,
    /// The route's name.
    pub route: String,
    /// Where it connects from.
    pub address: String,
    /// Its first worker; text from outside.
    pub worker: Option<String>,
    /// Its software, as it says it; text from outside.
    pub agent: Option<String>,
    /// How it is.
    pub state: WorkerState,
    /// How long it has been connected.
    pub connected_s: f64,
    /// The pool at which it mines; none while it waits.
    pub pool: Option<String>,
    /// The connection to it.
    pub channel: Option<u64>,
    /// Its part of the pool's extranonce, as a number.
    pub slot: Option<u64>,
    /// Nobody shares its connection to the pool.
    pub alone: bool,
    /// What it was told, on its dialect's scale.
    pub difficulty: Option<f64>,
    /// When its last share came, by the age of that.
    pub last_share_age_s: Option<f64>,
    /// What became of its shares.
    pub shares: ShareCounts,
    /// Over a minute, ten minutes, an hour and a day.
    pub hashrate: Vec<RateView>,
    /// What it usually does since it connected, or should by the config; none where that is not known.
    pub norm_hs: Option<f64>,
    /// Whether it does that.
    pub against_norm: NormView,
    /// What may be wrong with it.
    pub diagnosis: Option<String>,
    /// What can be done about that.
    pub advice: Option<String>,
}
