//! The config file as it is written: plain structs, so that every error keeps its place.
//!
//! No `flatten` and no tagged enums: serde buffers those, and the place is lost.

use serde::Deserialize;
use toml::Spanned;

use super::number::{Bounded, Positive};
use super::options::RawOptions;
use super::secret::SecretRef;
use super::user::UserTemplate;
use super::value::{Name, PoolUrl};
use super::{Log, OnOutage, Reply, Verify};

/// How many bytes of an extranonce tell rigs apart.
pub(super) type PrefixBytes = Bounded<0, 4>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct ConfigFile {
    #[serde(default)]
    pub(super) route: Vec<Spanned<RouteTable>>,
    #[serde(default)]
    pub(super) log: Log,
    #[serde(default)]
    pub(super) state: StateTable,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct StateTable {
    pub(super) file: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RouteTable {
    pub(super) name: Spanned<Name>,
    pub(super) dialect: Spanned<String>,
    /// Parsed later: serde would show the whole list for a wrong one in it.
    pub(super) listen: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    pub(super) verify: Verify,
    #[serde(default)]
    pub(super) reply: Reply,
    #[serde(default)]
    pub(super) quarantine: Option<bool>,
    #[serde(default)]
    pub(super) prefix_bytes: Option<PrefixBytes>,
    #[serde(default)]
    pub(super) on_outage: OnOutage,
    #[serde(default)]
    pub(super) hold_seconds: Option<Bounded<1, 604_800>>,
    #[serde(default)]
    pub(super) failover: FailoverTable,
    #[serde(default)]
    pub(super) max_channels: Option<Bounded<1, 1024>>,
    #[serde(default)]
    pub(super) max_rigs_per_channel: Option<Spanned<Bounded<1, 65_536>>>,
    #[serde(default)]
    pub(super) max_dedicated: Option<Bounded<0, 1024>>,
    #[serde(default)]
    pub(super) profile: Vec<Spanned<ProfileTable>>,
    #[serde(default)]
    pub(super) max_pool_shares_per_second: Option<Bounded<1, 10_000>>,
    #[serde(default)]
    pub(super) options: RawOptions,
    #[serde(default)]
    pub(super) vardiff: VardiffTable,
    #[serde(default)]
    pub(super) pool: Vec<PoolTable>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct FailoverTable {
    pub(super) healthy_seconds: Option<Bounded<1, 3600>>,
    pub(super) trial_percent: Option<Bounded<1, 100>>,
    pub(super) trial_seconds: Option<Bounded<0, 3600>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct VardiffTable {
    pub(super) enabled: Option<bool>,
    pub(super) shares_per_minute: Option<Positive>,
    pub(super) start: Option<Positive>,
    pub(super) min: Option<Positive>,
    pub(super) max: Option<Spanned<Positive>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct ProfileTable {
    #[serde(default)]
    pub(super) agent: Option<String>,
    #[serde(default)]
    pub(super) worker: Option<String>,
    #[serde(default)]
    pub(super) dedicated: bool,
    #[serde(default)]
    pub(super) max_extranonce1: Option<Bounded<1, 32>>,
    #[serde(default)]
    pub(super) extranonce2: Option<Bounded<1, 32>>,
    #[serde(default)]
    pub(super) set_extranonce: Option<bool>,
    #[serde(default)]
    pub(super) difficulty: Option<Positive>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct PoolTable {
    #[serde(default)]
    pub(super) name: Option<Spanned<Name>>,
    pub(super) url: Spanned<PoolUrl>,
    pub(super) user: UserTemplate,
    #[serde(default)]
    pub(super) password: Option<Spanned<SecretRef>>,
    #[serde(default)]
    pub(super) pass_password: bool,
    #[serde(default)]
    pub(super) start_difficulty: Option<Positive>,
    #[serde(default)]
    pub(super) weight: Option<Positive>,
    #[serde(default)]
    pub(super) resubmit: bool,
    #[serde(default)]
    pub(super) options: RawOptions,
}
