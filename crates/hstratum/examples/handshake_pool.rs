//! A Handshake pool: it makes jobs, finds each rig's difficulty and judges every share. What a node says of
//! the next block is made up here.
//!
//! `cargo run --example handshake_pool -- 127.0.0.1:3008`

mod rigs;

use std::env;
use std::error::Error;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use orepass_hstratum::job::{DeployedJob, DeployedParts, Job, PoolJobId};
use orepass_hstratum::{DifficultyScale, Hstratum, pow};
use orepass_stratum::dialect::{Price, Split, Wanted};
use orepass_stratum::own_jobs::OwnJobs;
use orepass_stratum::target::Difficulty;

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3008".to_owned());
    serve(TcpListener::bind(address)?, Duration::from_secs(30))
}

/// Serves rigs, and tells them a new block to work on this often.
pub(crate) fn serve(listener: TcpListener, every: Duration) -> Result<(), Box<dyn Error>> {
    let dialect = Arc::new(Hstratum::default());
    // Rigs are told 4 bytes that tell them apart as their extranonce1, and have 4 to count in.
    let split = Split { prefix_bytes: 4, rig_extranonce2: 4, ..Split::default() };
    let jobs = OwnJobs::new(Arc::clone(&dialect), split, 10_000, rigs::unix_seconds());
    rigs::serve(listener, dialect, jobs, every, next_block)
}

/// A job that nobody has had, and what its shares must meet: one in 4,096 hashes does. A pool that takes
/// blocks alone says its block's target instead, and has the work from what rigs prove below it.
fn next_block(height: u32) -> Result<(Job, Price), Box<dyn Error>> {
    let root = |name: &[u8]| pow::blake2b_256(&[name, &height.to_be_bytes()]);
    let job: Job = DeployedJob::new(DeployedParts {
        id: PoolJobId::new(),
        prev_block: root(b"previous block"),
        merkle_root: root(b"merkle root"),
        witness_root: root(b"witness root"),
        tree_root: root(b"tree root"),
        reserved_root: [0; 32],
        version: 0,
        bits: 0x1a06_e782,
        time: rigs::unix_seconds().into(),
        mask_hash: None,
    })?
    .into();
    let share = DifficultyScale::Bitcoin.scale().target(Difficulty::power_of_two(-20));
    let price = Price { wanted: Wanted::sure(share), block: job.block_target() };
    Ok((job, price))
}
