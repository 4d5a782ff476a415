//! Jobs and shares of the project's test vectors.

use orepass_hstratum::job::Job;
use orepass_hstratum::share::Share;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc::Params;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Where a notify differs from the one before it, so that each is new work.
const DEPLOYED_MERKLE_ROOT: usize = 2;
const SEED_RESERVED_ROOT: usize = 8;
const SEED_LEAVES: usize = 4;
const SEED_BRANCHES: usize = 5;
const SEED_BITS: usize = 10;
/// A block target of mainnet. That of the recorded jobs of the seed generation is so easy that
/// every second share would be a block.
const BITS: &str = "1a06e782";

/// A job, one of its shares, and the notifies that may follow it on the same block.
#[derive(Debug, Clone)]
pub struct Case {
    params: Vec<Value>,
    varied: usize,
    told: u64,
    /// The pool's extranonce1 in hex.
    pub extranonce1: String,
    /// What the pool announces as the size of extranonce2.
    pub announced: usize,
    share: [String; 3],
}

impl Case {
    /// A job of mainnet and a share that a public pool took for it at difficulty 1. The pool
    /// announced the size of the whole header field.
    #[must_use]
    pub fn deployed() -> Self {
        let vector = vector("stratum", 0);
        Self::new(&vector, "notify_params", DEPLOYED_MERKLE_ROOT, 24)
    }

    /// A job of the seed generation with so many transactions beside the coinbase. The recorded
    /// ones are nearly empty, so the hashes of others are made up; nothing depends on what they
    /// are the hashes of.
    #[must_use]
    pub fn seed(transactions: usize) -> Self {
        let vector = vector("seed_generation", 3);
        let mut case = Self::new(&vector, "params", SEED_RESERVED_ROOT, 4);
        let hashes = |count: usize| (0..count).map(|n| format!("{:064x}", n + 1)).collect();
        let depth = (transactions + 1).next_power_of_two().trailing_zeros() as usize;
        let (leaves, branches): (Vec<String>, Vec<String>) = (hashes(transactions), hashes(depth));
        case.params[SEED_LEAVES] = json!(leaves);
        case.params[SEED_BRANCHES] = json!(branches);
        case.params[SEED_BITS] = json!(BITS);
        case
    }

    fn new(vector: &Value, params: &str, varied: usize, announced: usize) -> Self {
        let text = |key: &str| vector[key].as_str().expect("a string").to_owned();
        Self {
            params: vector[params].as_array().expect("an array").clone(),
            varied,
            told: 0,
            extranonce1: text("extranonce1"),
            announced,
            share: [text("extranonce2"), text("ntime"), text("nonce")],
        }
    }

    /// The job as it was recorded.
    #[must_use]
    pub fn job(&self) -> Job {
        Job::parse(&self.params()).expect("a job")
    }

    /// The parameters of its notify.
    #[must_use]
    pub fn params(&self) -> Box<RawValue> {
        serde_json::value::to_raw_value(&self.params).expect("JSON")
    }

    /// The recorded share and the extranonce1 that it was found under.
    #[must_use]
    pub fn share(&self) -> (Extranonce, Share) {
        let [extranonce2, time, nonce] = &self.share;
        let params = json!(["worker", self.params[0], extranonce2, time, nonce]);
        let params = serde_json::value::to_raw_value(&params).expect("JSON");
        let params = Params::read(&params).expect("an array");
        let share = Share::parse(&self.job(), extranonce2.len() / 2, &params).expect("a share");
        (self.extranonce1.parse().expect("hex"), share)
    }

    /// The share's time in hex.
    #[must_use]
    pub fn time(&self) -> &str {
        &self.share[1]
    }

    /// How many hex digits a nonce has.
    #[must_use]
    pub fn nonce_digits(&self) -> usize {
        self.share[2].len()
    }

    /// A notify of work that was not told before.
    pub fn next_notify(&mut self) -> String {
        self.told += 1;
        let mut params = self.params.clone();
        params[0] = json!(format!("{:x}", self.told));
        params[self.varied] = json!(format!("{:064x}", self.told));
        json!({"id": null, "method": "mining.notify", "params": params}).to_string()
    }
}

fn vector(section: &str, index: usize) -> Value {
    let all: Value = serde_json::from_str(include_str!("../../tests/vectors/handshake.json"))
        .expect("the vectors are JSON");
    all[section][index].clone()
}
