//! `[[route.profile]]`: what rigs of one kind need.

use orepass_stratum::firmware::Firmware;
use wildmatch::WildMatch;

use super::table::TableReader;

/// What rigs of one kind need.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Their software, `*` for any text and `?` for any character; all when absent.
    pub agent: Option<WildMatch>,
    /// Their worker's name, in the same way.
    pub worker: Option<WildMatch>,
    /// What they need.
    pub firmware: Firmware,
}

impl Profile {
    /// Whether it is about this rig. A profile by worker is not, before the worker is known.
    #[must_use]
    pub fn covers(&self, agent: &str, worker: Option<&str>) -> bool {
        let by_agent = self.agent.as_ref().is_none_or(|pattern| pattern.matches(agent));
        let by_worker = self.worker.as_ref();
        by_agent && by_worker.is_none_or(|pattern| worker.is_some_and(|name| pattern.matches(name)))
    }

    pub(super) fn read(table: &mut TableReader<'_, '_>) -> Self {
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
        };
        if firmware == Firmware::default() && table.is_clean() {
            let needs =
                "`dedicated`, `max_extranonce1`, `extranonce2`, `set_extranonce` or `difficulty`";
            table.lacks("dedicated", format!("this profile changes nothing: set {needs}"));
        }
        Self { agent, worker, firmware }
    }
}
