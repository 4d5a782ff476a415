//! The route's wishes change while a rig mines, or the operator has one for this rig alone.

use std::sync::Arc;

use super::{Downstream, DownstreamConfig};
use crate::dialect::Dialect;
use crate::ladder::Level;
use crate::target::Difficulty;
use crate::time::Instant;

impl<D: Dialect> Downstream<D> {
    /// The route's wishes for its rigs.
    #[must_use]
    pub fn config(&self) -> &DownstreamConfig {
        &self.config
    }

    /// The route has other wishes for its rigs. Shares that come from now on are judged and answered by
    /// them; a login that has begun keeps the time that it has. Another difficulty is told with the
    /// next work, and what was told before stays good until then.
    pub fn handle_config(&mut self, config: Arc<DownstreamConfig>, now: Instant) {
        if self.out.is_closed() {
            return;
        }
        let before = std::mem::replace(&mut self.config, config);
        self.judge.conduct.set_may_quarantine(self.config.quarantine);
        if before.keepalive != self.config.keepalive {
            self.change_keepalive(before.keepalive, now);
        }
        if before.vardiff != self.config.vardiff {
            let vardiff = &self.config.vardiff;
            let start = vardiff.start.map_or(Level::TOP, Level::nearest);
            self.bench.vardiff.reconfigure(&before.vardiff, vardiff, start, now);
            self.bench.await_vardiff(&self.config, &mut self.out);
        }
    }

    /// The operator sets the rig's difficulty, which then stays until it leaves; none has it follow the
    /// rig's hashrate again. It is told with the next work.
    pub fn handle_difficulty(&mut self, difficulty: Option<Difficulty>, now: Instant) {
        match difficulty {
            Some(difficulty) => self.bench.vardiff.fix(Level::nearest(difficulty), now),
            None => self.bench.vardiff.release(&self.config.vardiff, now),
        }
        self.bench.await_vardiff(&self.config, &mut self.out);
    }
}
