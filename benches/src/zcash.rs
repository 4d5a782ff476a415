//! Zcash: a block of mainnet as a share, and the proxy's two sessions between a rig and a pool.

use std::sync::Arc;
use std::time::Duration;

use orepass_equihash::Scratch;
use orepass_stratum::dialect::PoolEvent;
use orepass_stratum::downstream::{Downstream, DownstreamConfig, Verify};
use orepass_stratum::job::JobIds;
use orepass_stratum::target::Target;
use orepass_stratum::testing::{self, check, read_share, seated_rig};
use orepass_stratum::time::Instant;
use orepass_stratum::upstream::{Upstream, UpstreamConfig};
use orepass_zcash::Zcash;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::drain;

/// A block of mainnet, as a pool would have told it and a rig submitted it.
#[derive(Debug, Clone)]
pub struct ZcashBlock {
    notify: Value,
    submit: Value,
    nonce: String,
}

impl ZcashBlock {
    /// Block 415,000.
    ///
    /// # Panics
    /// When the vectors are not what they were.
    #[must_use]
    pub fn read() -> Self {
        let all: Value = serde_json::from_str(include_str!("../../tests/vectors/zcash.json"))
            .expect("the vectors are JSON");
        let block = &all["valid"][2];
        let text = |key: &str| block[key].as_str().expect("a text");
        let fields = ["version", "prev_hash", "merkle_root", "reserved", "time", "bits"];
        let [version, prev, root, reserved, time, bits] = fields.map(text);
        let (nonce, solution) = (text("nonce"), format!("fd4005{}", text("solution")));
        Self {
            notify: json!(["1", version, prev, root, reserved, time, bits, true]),
            submit: json!(["w", "1", time, nonce[8..], solution]),
            nonce: nonce.to_owned(),
        }
    }

    /// What checks it as a share, again and again.
    ///
    /// # Panics
    /// When it is none.
    pub fn check(&self) -> impl FnMut() -> bool + use<> {
        let raw = |value: &Value| RawValue::from_string(value.to_string()).expect("JSON");
        let heard = testing::hear(&Zcash, "mining.notify", &raw(&self.notify));
        let Ok(PoolEvent::Job(Ok(job))) = heard else { panic!("no job") };
        let extranonce1 = self.nonce[..8].parse().expect("hex");
        let share = read_share(&Zcash, &job, 28, &raw(&self.submit)).expect("a share");
        let mut scratch = Scratch::default();
        move || {
            let (age, target) = (Duration::ZERO, &Target::MAX);
            check(&Zcash, &job, &extranonce1, &share, target, age, &mut scratch).is_ok()
        }
    }
}

/// A pool that tells jobs, and a rig that is told them.
pub struct ZcashJobs {
    block: ZcashBlock,
    pool: Upstream<Zcash, u64>,
    rig: Downstream<Zcash>,
    now: Instant,
    told: u64,
}

impl ZcashJobs {
    /// Logged in, with the first job told.
    ///
    /// # Panics
    /// When a session does otherwise.
    #[must_use]
    pub fn set() -> Self {
        let (block, now) = (ZcashBlock::read(), orepass::clock::now());
        let dialect = Arc::new(Zcash);
        let config = UpstreamConfig::new("t1", "x", "bench");
        let ids = Arc::new(JobIds::new(0x6b00_0000));
        let mut pool = Upstream::new(Arc::clone(&dialect), config, ids);
        pool.handle_connected(now);
        pool.handle_line(br#"{"id":1,"result":[null,"c2fd607c"]}"#, now);
        pool.handle_line(br#"{"id":2,"result":true,"error":null}"#, now);
        let notify = json!({"method": "mining.notify", "params": block.notify});
        pool.handle_line(notify.to_string().as_bytes(), now);
        let config = Arc::new(DownstreamConfig::default().with_verify(Verify::Off));
        let (view, mut scratch) = (pool.view(), Scratch::default());
        let mut rig = seated_rig(&dialect, &config, "w", &view, now, &mut scratch);
        drain(rig.transmit());
        drain(pool.transmit());
        while rig.poll_event().is_some() {}
        while pool.poll_event().is_some() {}
        Self { block, pool, rig, now, told: 0 }
    }

    /// The next job's line.
    pub fn next_notify(&mut self) -> String {
        self.told += 1;
        let mut params = self.block.notify.clone();
        params[0] = json!(format!("{:x}", self.told));
        params[3] = json!(format!("{:064x}", self.told));
        json!({"id": null, "method": "mining.notify", "params": params}).to_string()
    }

    /// The pool's job, read, rendered and told; how many bytes the rig is told.
    pub fn job_line(&mut self, line: &str) -> usize {
        self.now += Duration::from_secs(10);
        self.pool.handle_line(line.as_bytes(), self.now);
        while self.pool.poll_event().is_some() {}
        self.rig.handle_view(&self.pool.view(), self.now);
        while self.rig.poll_event().is_some() {}
        drain(self.rig.transmit())
    }
}
