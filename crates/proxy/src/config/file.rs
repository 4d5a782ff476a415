//! The config file as it is written: plain structs, so that every error keeps its place.
//!
//! No `flatten` and no tagged enums: serde buffers those, and the place is lost.

use serde::Deserialize;
use toml::Spanned;

use super::number::{Bounded, Positive};
use super::options::RawOptions;
use super::secret::SecretRef;
use super::value::{Name, PoolUrl, UserTemplate};
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
    pub(super) prefix_bytes: Option<PrefixBytes>,
    #[serde(default)]
    pub(super) on_outage: OnOutage,
    #[serde(default)]
    pub(super) hold_seconds: Option<Bounded<1, 604_800>>,
    #[serde(default)]
    pub(super) max_channels: Option<Bounded<1, 1024>>,
    #[serde(default)]
    pub(super) max_rigs_per_channel: Option<Spanned<Bounded<1, 65_536>>>,
    #[serde(default)]
    pub(super) options: RawOptions,
    #[serde(default)]
    pub(super) vardiff: VardiffTable,
    #[serde(default)]
    pub(super) pool: Vec<PoolTable>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub(super) struct VardiffTable {
    pub(super) enabled: Option<bool>,
    pub(super) shares_per_minute: Option<Positive>,
    pub(super) min: Option<Positive>,
    pub(super) max: Option<Spanned<Positive>>,
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
    pub(super) weight: Option<Positive>,
    #[serde(default)]
    pub(super) resubmit: bool,
    #[serde(default)]
    pub(super) options: RawOptions,
}
