//! A Bitcoin pool: it makes jobs, finds each rig's difficulty, lets rigs roll versions and judges every
//! share. What a node says of the next block is made up here; it has no transactions.
//!
//! `cargo run --example bitcoin_pool -- 127.0.0.1:3333`

mod rigs;

use std::env;
use std::error::Error;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use orepass_bitcoin::job::{Job, JobParts, PoolJobId};
use orepass_bitcoin::terms::{CoinbaseRoom, PoolGrant};
use orepass_bitcoin::{Bitcoin, VersionMask, scale, sha256d};
use orepass_stratum::dialect::{Price, Split, Wanted};
use orepass_stratum::own_jobs::OwnJobs;
use orepass_stratum::target::Difficulty;

/// In a coinbase: 4 bytes that tell rigs apart, and 4 for each rig to count in.
const ROOM: CoinbaseRoom = CoinbaseRoom { extranonce1: 4, extranonce2: 4 };

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3333".to_owned());
    serve(TcpListener::bind(address)?, Duration::from_secs(30))
}

/// Serves rigs, and tells them a new block to work on this often.
pub(crate) fn serve(listener: TcpListener, every: Duration) -> Result<(), Box<dyn Error>> {
    let dialect = Arc::new(Bitcoin::default());
    let (prefix_bytes, rig_extranonce2) = (ROOM.extranonce1, ROOM.extranonce2);
    let split = Split { prefix_bytes, rig_extranonce2, ..Split::default() };
    let grant = PoolGrant { mask: VersionMask::ROLLABLE, room: Some(ROOM) };
    let jobs = OwnJobs::new(Arc::clone(&dialect), split, 10_000, rigs::unix_seconds());
    rigs::serve(listener, dialect, jobs.with_terms(grant), every, next_block)
}

/// A job that nobody has had, and what its shares must meet: one in 4,096 hashes does. A pool that takes
/// blocks alone says its block's target instead, and has the work from what rigs prove below it.
pub(crate) fn next_block(height: u32) -> Result<(Job, Price), Box<dyn Error>> {
    let [coinbase1, coinbase2] = coinbase(height);
    let parts = JobParts {
        id: PoolJobId::new(),
        prev_block: sha256d::sha256d(&height.to_le_bytes()),
        coinbase1,
        coinbase2,
        branches: Box::default(),
        version: 0x2000_0000,
        bits: 0x1703_4219,
        time: rigs::unix_seconds(),
        clean: true,
    };
    let job = Job::new(parts, Some(ROOM))?;
    let share = scale::bitcoin().target(Difficulty::power_of_two(-20));
    let price = Price { wanted: Wanted::sure(share), block: job.block_target() };
    Ok((job, price))
}

/// What of a coinbase stands before the extranonce, and what behind it.
fn coinbase(height: u32) -> [Box<[u8]>; 2] {
    // One input, which spends nothing; its script is a height of 4 bytes (BIP 34) and the extranonce.
    let input: [&[u8]; 5] = [&[1], &[0; 32], &[0xff; 4], &[14, 4], &height.to_le_bytes()];
    let before = [&[2, 0, 0, 0], &*input.concat(), &[8]];
    // One output, of 3.125 bitcoin, to the hash of a key that nobody has.
    let output: [&[u8]; 4] = [&[1], &312_500_000_u64.to_le_bytes(), &[22, 0, 20], &[0x51; 20]];
    let after = [&[0xff; 4], &*output.concat(), &[0; 4]];
    [before, after].map(|parts| parts.concat().into())
}
