//! What the world of a seed is like.

use std::time::Duration;

use orepass::config::{PoolAccount, RouteConfig};
use orepass_farm::pools::Standing;
use orepass_sim::pool::JudgedBy;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::DownstreamConfig;
use orepass_stratum::target::Difficulty;
use orepass_stratum::testing::TestCoin;
use orepass_stratum::vardiff::VardiffConfig;

use super::pool::NameRule;
use super::rig::Kind;
use super::setting::Setting;

/// How many pools there are.
const POOLS: usize = 3;
/// The most rigs.
const MAX_RIGS: usize = 20;

/// A world before it begins.
#[derive(Debug)]
pub(super) struct Plan {
    /// The route.
    pub(super) route: RouteConfig,
    /// How long a pool takes shares of replaced jobs.
    pub(super) linger: Option<Duration>,
    /// What the rigs are like, how fast they are in difficulties a second, and whether they take
    /// up a difficulty at once.
    pub(super) rigs: Vec<(Kind, f64, bool)>,
    /// How long a pool is well, in the mean.
    pub(super) calm: Duration,
    /// The pools' difficulty, as a power of two.
    pub(super) difficulty: i32,
    /// By which difficulty each pool judges, and what it thinks of workers' names.
    pub(super) rules: Vec<(JudgedBy, NameRule)>,
}

impl Plan {
    /// The world that a seed decides.
    #[must_use]
    pub(super) fn new(setting: &mut Setting) -> Self {
        let equal = setting.chance(0.3);
        let rank = |pool: usize| if equal { pool.saturating_sub(1) } else { pool };
        let weight = if equal { setting.pick(&[1.0, 3.0]) } else { 1.0 };
        let account = setting.pick(&["account", "account.{worker}"]);
        let rules = (0..POOLS).map(|_| {
            let rule = setting.pick(&[JudgedBy::AtJob, JudgedBy::Present, JudgedBy::AtOnce]);
            (rule, setting.pick(&[NameRule::All, NameRule::Some, NameRule::OneFlag]))
        });
        let rules: Vec<_> = rules.collect();
        let pools = (0..POOLS).map(|pool| {
            let url = format!("stratum+tcp://127.0.0.1:{}", pool + 1).parse().unwrap();
            let weight = if pool == 0 { weight } else { 1.0 };
            let standing = Standing { rank: rank(pool), weight };
            let name = format!("pool{pool}").parse().unwrap();
            PoolAccount { standing, ..PoolAccount::new(name, url, account.parse().unwrap()) }
        });
        let vardiff = VardiffConfig {
            enabled: setting.chance(0.6),
            shares_per_minute: 0.5,
            min: Difficulty::new(4096.0),
            ..VardiffConfig::default()
        };
        let route = RouteConfig {
            downstream: DownstreamConfig::default().with_vardiff(vardiff),
            max_rigs_per_channel: setting.pick(&[250, 250, 6, 3]),
            ..RouteConfig::new("storm".parse().unwrap(), TestCoin::NAME, pools.collect())
        };
        let difficulty = 14;
        let rigs = setting.rng.usize(4..=MAX_RIGS);
        let bad = [
            Kind::Ignores,
            Kind::Late,
            Kind::Repeats,
            Kind::Weak,
            Kind::Rubbish,
            Kind::Hangs,
            Kind::Silent,
            Kind::Restless,
            Kind::Restless,
        ];
        let rig = |setting: &mut Setting, rig: usize| {
            let kind = match rig {
                0 | 2 => Kind::Good,
                1 | 3 => Kind::Plain,
                _ if setting.chance(0.35) => setting.pick(&[Kind::Good, Kind::Plain]),
                _ => setting.pick(&bad),
            };
            let seconds = 60.0 + 240.0 * setting.rng.f64();
            (kind, 2_f64.powi(difficulty) / seconds, setting.chance(0.5))
        };
        Self {
            route,
            linger: setting.chance(0.3).then_some(Duration::from_secs(30)),
            rigs: (0..rigs).map(|number| rig(setting, number)).collect(),
            calm: Duration::from_secs(setting.pick(&[240, 600, 1800])),
            difficulty,
            rules,
        }
    }
}
