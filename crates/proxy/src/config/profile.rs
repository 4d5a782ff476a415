//! `[[route.profile]]`: what rigs of one kind need.

pub use orepass_farm::knowledge::Profile;
use orepass_stratum::firmware::Firmware;
use wildmatch::WildMatch;

use super::route::KEEPALIVE;
use super::table::TableReader;
use crate::hash_rate::HashRate;

pub(super) fn read(table: &mut TableReader<'_, '_>) -> Profile {
    let mut pattern = |key| table.text(key).map(WildMatch::new);
    let (agent, worker) = (pattern("agent"), pattern("worker"));
    if table.is_absent("agent") && table.is_absent("worker") {
        table.lacks("agent", "a profile needs an `agent` or a `worker` pattern");
    }
    let firmware = Firmware {
        dedicated: table.flag("dedicated").unwrap_or(false),
        max_extranonce1: table.whole("max_extranonce1", 1..=32),
        extranonce2: table.whole("extranonce2", 1..=32),
        set_extranonce: table.flag("set_extranonce"),
        difficulty: table.difficulty("difficulty"),
        least_difficulty: None,
        keepalive: table.seconds("keepalive_seconds", KEEPALIVE),
    };
    let hashrate = table.parsed::<HashRate>("hashrate").map(HashRate::per_second);
    if firmware == Firmware::default() && hashrate.is_none() && table.is_clean() {
        let needs = "`dedicated`, `max_extranonce1`, `extranonce2`, `set_extranonce`, `difficulty`, \
             `keepalive_seconds` or `hashrate`";
        table.lacks("dedicated", format!("this profile changes nothing: set {needs}"));
    }
    Profile { agent, worker, firmware, hashrate }
}
