//! What rigs of one kind need, as an operator says.

use orepass_stratum::firmware::Firmware;
use wildmatch::WildMatch;

/// What rigs of one kind need, as the operator says.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Their software, `*` for any text and `?` for any character; all when absent.
    pub agent: Option<WildMatch>,
    /// Their worker's name, in the same way.
    pub worker: Option<WildMatch>,
    /// What they need.
    pub firmware: Firmware,
    /// How fast each of them should be, in hashes per second.
    pub hashrate: Option<f64>,
}

impl Profile {
    /// Whether it is about this rig. A profile by worker is not, before the worker is known.
    #[must_use]
    pub fn covers(&self, agent: &str, worker: Option<&str>) -> bool {
        let by_agent = self.agent.as_ref().is_none_or(|pattern| pattern.matches(agent));
        let by_worker = self.worker.as_ref();
        by_agent && by_worker.is_none_or(|pattern| worker.is_some_and(|name| pattern.matches(name)))
    }
}
