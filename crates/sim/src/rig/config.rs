//! What a rig is like.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;

use crate::aion::AionRig;
use crate::bitcoin::BitcoinRig;
use crate::coin::RigCoin;
use crate::handshake::HandshakeRig;
use crate::zcash::ZcashRig;

/// A simulated rig's habits.
#[derive(Debug, Clone)]
pub struct RigConfig {
    /// The coin and the firmware's way with it.
    pub coin: Arc<dyn RigCoin>,
    /// The name it authorizes with.
    pub worker: String,
    /// The password it authorizes with.
    pub password: String,
    /// What it calls itself at subscribe.
    pub agent: String,
    /// Hashes per second; infinite for as many as the processor gives. With Aion and Zcash each
    /// solution is one.
    pub hashrate: f64,
    /// The order of its login.
    pub login: LoginOrder,
    /// Whether the ids of its calls are strings.
    pub string_ids: bool,
    /// Whether it asks for `mining.set_extranonce` with `mining.extranonce.subscribe`. It takes
    /// one in any case.
    pub extranonce_subscribe: bool,
    /// Whether it goes on with its former extranonce1 when it is told another.
    pub ignores_set_extranonce: bool,
    /// Whether a new difficulty applies to the present job at once, or from the next job on.
    pub difficulty_at_once: bool,
    /// How long it waits at least before it connects again.
    pub reconnect_min: Duration,
    /// How long it waits at most.
    pub reconnect_max: Duration,
    /// How many shares it sends before it stops mining; no limit where it is `None`.
    pub share_limit: Option<u64>,
    /// How many shares may wait for their answers.
    pub max_pending: usize,
    /// What it sends in between to annoy the pool, in turn.
    pub rubbish: Vec<Rubbish>,
    /// After how many good shares each a piece of rubbish follows.
    pub rubbish_every: u64,
    /// Of its random numbers.
    pub seed: u64,
    /// The address it connects from, where it is driven over TCP; the system's choice without.
    pub from: Option<IpAddr>,
}

impl Default for RigConfig {
    fn default() -> Self {
        Self {
            coin: Arc::new(HandshakeRig::default()),
            worker: "sim".to_owned(),
            password: "x".to_owned(),
            agent: concat!("orepass-sim/", env!("CARGO_PKG_VERSION")).to_owned(),
            hashrate: f64::INFINITY,
            login: LoginOrder::SubscribeFirst,
            string_ids: false,
            extranonce_subscribe: false,
            ignores_set_extranonce: false,
            difficulty_at_once: false,
            reconnect_min: Duration::ZERO,
            reconnect_max: Duration::from_secs(3),
            share_limit: None,
            max_pending: 1024,
            rubbish: Vec::new(),
            rubbish_every: 1,
            seed: 0,
            from: None,
        }
    }
}

impl RigConfig {
    /// The habits of Aion's reference miner, which really solves.
    #[must_use]
    pub fn aion() -> Self {
        const PAUSE: Duration = Duration::from_secs(3);
        Self {
            coin: Arc::new(AionRig::default()),
            agent: "nheqminer/0.2.1".to_owned(),
            extranonce_subscribe: true,
            reconnect_min: PAUSE,
            reconnect_max: PAUSE,
            ..Self::default()
        }
    }

    /// A Bitcoin rig, which begins its login with `mining.configure`.
    #[must_use]
    pub fn bitcoin() -> Self {
        Self { coin: Arc::new(BitcoinRig::default()), ..Self::default() }
    }

    /// The habits of nheqminer, which really solves, at a Zcash pool.
    #[must_use]
    pub fn zcash() -> Self {
        Self { coin: Arc::new(ZcashRig::default()), ..Self::aion() }
    }

    /// The habits of HandyMiner and the hardware that descends from it: string ids, calls that
    /// no public pool knows, then authorize, then subscribe, and a mask with each submit.
    #[must_use]
    pub fn handyminer() -> Self {
        Self {
            coin: Arc::new(HandshakeRig { six_params: true, ..HandshakeRig::default() }),
            login: LoginOrder::HandyMiner,
            string_ids: true,
            difficulty_at_once: true,
            ..Self::default()
        }
    }
}

/// The calls of a login, one after the other's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LoginOrder {
    /// Subscribe, authorize.
    #[default]
    SubscribeFirst,
    /// Authorize, subscribe.
    AuthorizeFirst,
    /// `mining.authorize_admin`, `mining.add_user`, authorize, subscribe.
    #[value(name = "handyminer")]
    HandyMiner,
}

/// What no pool should accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Rubbish {
    /// A line that is no JSON. It has no id, so no answer to it is counted.
    MalformedLine,
    /// A submit for a job that never was.
    UnknownJob,
    /// A submit whose extranonce2 is a byte too long.
    WrongExtranonce2,
    /// A submit whose hash misses every target in use.
    LowDifficulty,
    /// The last good share again.
    Duplicate,
    /// A submit whose proof is wrong, where a coin has proofs beside the hash.
    BadProof,
    /// A submit whose nonce is not hex.
    NotHex,
    /// A submit with a time long before the job's.
    OldTime,
    /// A submit of a worker that never authorized.
    WrongWorker,
}
