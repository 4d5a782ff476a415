//! The options of its routes, and its demo.

use std::time::Duration;

use orepass::commands::demo::{Scene, Story};
use orepass::config::{OptionError, OptionTable};
use orepass::registry::FromConfig;
use orepass_sim::rig::RigConfig;

use crate::{Mask, Toy, ToyRig, sim};

impl FromConfig for Toy {
    const ROUTE_OPTIONS: &'static [&'static str] = &["open_jobs"];
    const POOL_OPTIONS: &'static [&'static str] = &[];
    const SCENE: Option<fn() -> Scene> = Some(scene);

    fn from_config(route: &OptionTable, _pool: &OptionTable) -> Result<Self, OptionError> {
        let mut errors = OptionError::default();
        let open_jobs = route.whole("open_jobs", 1..=64, &mut errors).unwrap_or(4);
        errors.or(Self { open_jobs })
    }

    fn negotiated(&self, version_mask: Option<u32>) -> Option<(Mask, ToyRig)> {
        let rolls = version_mask.unwrap_or_default();
        Some((Mask(rolls), ToyRig { rolls }))
    }
}

/// Every third rig does not roll versions, and every third rolls few bits of it.
fn scene() -> Scene {
    Scene {
        pool: sim::pool(),
        rig: |number| RigConfig {
            worker: format!("demo.rig{:02}", number + 1),
            seed: number as u64 + 1,
            ..sim::rig_that_rolls([sim::WISH, 0x0001_e000, 0][number % 3])
        },
        route: "max_pool_shares_per_second = 10000\n[route.vardiff]\nmax = 500\n",
        rigs: 12,
        story: Story {
            blocks: 3,
            shares_between: 0,
            jobs_between: true,
            patience: |_| Duration::from_secs(40),
        },
    }
}
