//! Bitcoin's options, and its demo.

use std::sync::Arc;
use std::time::Duration;

use orepass_bitcoin::address::PayAddress;
use orepass_bitcoin::job::Job;
use orepass_bitcoin::rig::RigWishes;
use orepass_bitcoin::share::{self, Share};
use orepass_bitcoin::terms::PoolGrant;
use orepass_bitcoin::version::VersionMask;
use orepass_bitcoin::{Bitcoin, Options, payout};
use orepass_sim::bitcoin::{BitcoinPool, BitcoinRig, ROLLABLE};
use orepass_sim::pool::PoolConfig;
use orepass_sim::rig::RigConfig;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::space::MAX_WORKS;

use super::FromConfig;
use crate::commands::demo::{Scene, Story};
use crate::config::{OptionError, OptionTable};

impl FromConfig for Bitcoin {
    const ROUTE_OPTIONS: &'static [&'static str] = &["version_mask", "verify_payout", "open_jobs"];
    const POOL_OPTIONS: &'static [&'static str] = &["version_mask", "verify_payout"];
    const SCENE: Option<fn() -> Scene> = Some(scene);
    const OTHER_NAMES: &'static [&'static str] = &["btc", "sha256", "sha256d"];

    fn from_config(route: &OptionTable, pool: &OptionTable) -> Result<Self, OptionError> {
        let mut errors = OptionError::default();
        let mut options = Options::default();
        let mask = route.parsed("version_mask", &mut errors);
        if let Some(mask) = pool.parsed("version_mask", &mut errors).or(mask) {
            options.version_mask = mask;
        }
        let wanted = route.list::<PayAddress>("verify_payout", &mut errors);
        if let Some(wanted) = pool.list("verify_payout", &mut errors).or(wanted) {
            options.verify_payout = wanted.into();
        }
        if let Some(open_jobs) = route.whole("open_jobs", 1..=MAX_WORKS, &mut errors) {
            options.open_jobs = open_jobs;
        }
        errors.or(Self::new(options))
    }

    fn negotiated(&self, version_mask: Option<u32>) -> Option<(PoolGrant, RigWishes)> {
        let mask = version_mask.map_or_else(|| self.options().version_mask, VersionMask);
        Some((PoolGrant { mask, room: None }, RigWishes { mask, ..RigWishes::default() }))
    }

    fn about(&self, job: &Job) -> Vec<(&'static str, String)> {
        let wanted = &self.options().verify_payout;
        match job.coinbase() {
            Some(Ok(coinbase)) => {
                let shown = |payout| payout::shown(payout, payout::network(wanted)).to_string();
                coinbase.payouts.iter().map(|payout| ("pays", shown(payout))).collect()
            }
            Some(Err(error)) => {
                vec![(
                    "pays",
                    format!("nobody knows whom: the coinbase cannot be decoded: {error}"),
                )]
            }
            None => Vec::new(),
        }
    }

    fn header(job: &Job, extranonce1: &Extranonce, share: &Share) -> Option<Vec<u8>> {
        Some(share::header(job, extranonce1.as_bytes(), share).into())
    }
}

/// A pool that grants fewer bits of the version than rigs wish for. Every third rig can roll just some of
/// them, and every third none.
fn scene() -> Scene {
    let pool = BitcoinPool { narrows_to: Some(0x00ff_e000), ..BitcoinPool::default() };
    Scene {
        pool: PoolConfig {
            job_interval: None,
            block_interval: None,
            ..PoolConfig::bitcoin(pool, 1e-6)
        },
        rig: |number| RigConfig {
            coin: Arc::new(BitcoinRig {
                version_mask: [ROLLABLE, 0x0001_e000, 0][number % 3],
                ..BitcoinRig::default()
            }),
            worker: format!("demo.rig{:02}", number + 1),
            hashrate: 5_000.0,
            seed: number as u64 + 1,
            ..RigConfig::bitcoin()
        },
        route: "max_pool_shares_per_second = 10000\n[route.vardiff]\nmax = 5e-7\n",
        rigs: 12,
        story: Story {
            blocks: 3,
            shares_between: 0,
            jobs_between: true,
            patience: |_| Duration::from_secs(40),
        },
    }
}

#[cfg(test)]
mod tests {
    use orepass_bitcoin::terms::CoinbaseRoom;
    use serde_json::json;
    use serde_json::value::RawValue;

    use super::*;

    fn read(route: serde_json::Value, pool: serde_json::Value) -> Result<Options, String> {
        let [route, pool] = [route, pool].map(|table| serde_json::from_value(table).unwrap());
        let bitcoin = Bitcoin::from_config(&route, &pool).map_err(|error| error.to_string())?;
        Ok(bitcoin.options().clone())
    }

    #[test]
    fn a_pools_options_go_before_its_routes() {
        let [one, other] =
            ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"];
        let route = json!({"version_mask": "0000e000", "verify_payout": [one], "open_jobs": 3});
        let options = read(route.clone(), json!({})).unwrap();
        assert_eq!((options.version_mask.0, options.open_jobs), (0xe000, 3));
        assert_eq!(options.verify_payout[0].to_string(), one);
        let options = read(route, json!({"version_mask": "00000000", "verify_payout": [other]}));
        let options = options.unwrap();
        assert!(options.version_mask.is_none());
        assert_eq!(options.verify_payout[0].to_string(), other);

        let error = read(json!({"verify_payout": [&one[1..]], "version_mask": "7g"}), json!({}));
        let error = error.unwrap_err();
        assert!(error.contains("8 hex digits") && error.contains(&one[1..]), "{error}");
    }

    #[test]
    fn whom_a_job_pays_is_shown() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/bitcoin.json")).unwrap();
        let share = &vectors["shares"][3];
        let notify = RawValue::from_string(share["notify"].to_string()).unwrap();
        let about = |room| Bitcoin::default().about(&Job::parse(&notify, room).unwrap());
        let room = |extranonce2| Some(CoinbaseRoom { extranonce1: 4, extranonce2 });
        let payout = share["payouts"][0].as_str().unwrap().to_owned();
        assert_eq!(about(room(4)), [("pays", payout)]);
        assert!(about(room(5))[0].1.contains("cannot be decoded"));
        assert_eq!(about(None), []);
    }
}
