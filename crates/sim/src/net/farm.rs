//! Many rigs at once.

use std::time::Duration;

use tokio::task::JoinSet;

use super::rig::{RigDriver, RigHandle};
use super::wait::{self, WaitTimeout};
use crate::rig::{RigConfig, RigStats};

/// Rigs that mine at one address.
#[derive(Debug)]
pub struct RigFarm {
    rigs: Vec<RigHandle>,
    tasks: JoinSet<RigStats>,
}

impl RigFarm {
    /// Starts `count` rigs at a TCP address (`host:port`), each with the habits that `config`
    /// makes for its number, beginning with 0. They connect one after the other within
    /// `ramp_up`.
    pub fn start(
        count: usize,
        address: &str,
        ramp_up: Duration,
        mut config: impl FnMut(usize) -> RigConfig,
    ) -> Self {
        let mut tasks = JoinSet::new();
        let rigs = (0..count)
            .map(|number| {
                let (rig, handle) = RigDriver::new(config(number));
                let address = address.to_owned();
                let delay = ramp_up.mul_f64(number as f64 / count.max(1) as f64);
                tasks.spawn(async move {
                    tokio::time::sleep(delay).await;
                    rig.run_tcp(address).await
                });
                handle
            })
            .collect();
        Self { rigs, tasks }
    }

    /// The rigs' handles, by number.
    #[must_use]
    pub fn rigs(&self) -> &[RigHandle] {
        &self.rigs
    }

    /// The sum of all rigs' counters.
    #[must_use]
    pub fn stats(&self) -> RigStats {
        let mut sum = RigStats::default();
        for rig in &self.rigs {
            sum.add(&rig.stats());
        }
        sum
    }

    /// Stops all hashing; connections stay, so that open answers come in.
    pub fn stop_mining(&self) {
        for rig in &self.rigs {
            rig.stop_mining();
        }
    }

    /// Waits until the sum of the counters satisfies `wanted`, at most 30 s.
    ///
    /// # Errors
    /// [`WaitTimeout`] with the last counters.
    pub async fn wait_for(
        &self,
        wanted: impl FnMut(&RigStats) -> bool,
    ) -> Result<RigStats, WaitTimeout> {
        wait::until(wait::PATIENCE, || self.stats(), wanted).await
    }

    /// Stops hashing and waits until all shares are answered, at most `patience`.
    ///
    /// # Errors
    /// [`WaitTimeout`] with the last counters, some shares still pending.
    pub async fn drain(&self, patience: Duration) -> Result<RigStats, WaitTimeout> {
        self.stop_mining();
        wait::until(patience, || self.stats(), RigStats::is_idle).await
    }

    /// Ends all rigs and gives the sum of their counters.
    pub async fn close(mut self) -> RigStats {
        for rig in &self.rigs {
            rig.close();
        }
        // A rig that panicked is told apart by its counters, which end where it did.
        while self.tasks.join_next().await.is_some() {}
        self.stats()
    }
}
