//! What is to be remembered of rigs that stay, since the process may not be there to see them go.

use orepass_stratum::target::Difficulty;
use orepass_stratum::time::Instant;

use super::{Farm, RigId};

impl Farm {
    /// What a rig would be remembered by if it went now: the difficulty that it has proven and the
    /// number of its lease, as far as it has them.
    pub fn handle_state(
        &mut self,
        id: RigId,
        difficulty: Option<Difficulty>,
        slot: Option<u64>,
        now: Instant,
    ) {
        self.now = now;
        if let Some(known) = self.rigs.get(&id).and_then(|rig| rig.known()) {
            self.knowledge.remember(known, difficulty, slot, now);
        }
    }
}
