//! A pool that is played by hand.

use std::sync::Arc;

use orepass_hstratum::Hstratum;
use orepass_stratum::downstream::{Downstream, DownstreamConfig};
use orepass_stratum::job::JobIds;
use orepass_stratum::testing::{seated_rig, written};
use orepass_stratum::time::Instant;
use orepass_stratum::upstream::{Upstream, UpstreamConfig};
use serde_json::{Value, json};

use crate::drain;
use crate::vectors::Case;

/// So easy that every hash is good, or every second one where targets are rounded to compact
/// form.
pub const ANY_HASH: f64 = 1e-12;

/// A session with a pool that has told its first job.
pub struct Played {
    /// The session. Tickets are the numbers of the rigs' shares.
    pub pool: Upstream<Hstratum, u64>,
    /// The present time.
    pub now: Instant,
    /// What the pool tells.
    pub case: Case,
    dialect: Arc<Hstratum>,
}

impl Played {
    /// Logs in at a pool of this difficulty; `prefix_bytes` tell rigs apart.
    #[must_use]
    pub fn new(case: Case, difficulty: f64, prefix_bytes: usize) -> Self {
        let dialect = Arc::new(Hstratum::default());
        let config = UpstreamConfig::new("account.farm", "x", "orepass/1")
            .with_prefix_bytes(prefix_bytes)
            .with_max_rigs(1 << (8 * prefix_bytes));
        let ids = Arc::new(JobIds::new(0x6b00_0000));
        let pool = Upstream::new(Arc::clone(&dialect), config, ids);
        let mut played = Self { pool, now: orepass::clock::now(), case, dialect };
        played.log_in(difficulty);
        played
    }

    fn log_in(&mut self, difficulty: f64) {
        self.pool.handle_connected(self.now);
        let id = self.last_id();
        let Case { extranonce1, announced, .. } = &self.case;
        let given = json!([[["mining.notify", extranonce1]], extranonce1, announced]);
        self.says(&json!({"id": id, "result": given, "error": null}));
        let id = self.last_id();
        self.says(&json!({"id": id, "result": true, "error": null}));
        let call = json!({"id": null, "method": "mining.set_difficulty", "params": [difficulty]});
        self.says(&call);
        self.new_job();
        assert!(self.pool.is_live() && self.pool.view().work.is_some());
    }

    /// Tells a new job.
    pub fn new_job(&mut self) {
        let notify = self.case.next_notify();
        self.hears(notify.as_bytes());
    }

    /// A line comes from the pool.
    pub fn hears(&mut self, line: &[u8]) {
        self.pool.handle_line(line, self.now);
        while self.pool.poll_event().is_some() {}
    }

    /// The id of the last line that the session wrote; everything it wrote is taken.
    pub fn last_id(&mut self) -> u64 {
        let text = written(self.pool.transmit());
        let line: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
        line["id"].as_u64().expect("a number")
    }

    /// A rig that is logged in as `worker` and has the present job.
    #[must_use]
    pub fn rig(&self, worker: &str, config: &Arc<DownstreamConfig>) -> Downstream<Hstratum> {
        let view = self.pool.view();
        let mut rig = seated_rig(&self.dialect, config, worker, &view, self.now, &mut ());
        while rig.poll_event().is_some() {}
        drain(rig.transmit());
        rig
    }

    fn says(&mut self, line: &Value) {
        self.hears(line.to_string().as_bytes());
    }
}
