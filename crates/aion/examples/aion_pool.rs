//! An Aion pool: it makes jobs, finds each rig's difficulty and judges every share. What a node says of the
//! next block is made up here.
//!
//! `cargo run --example aion_pool -- 127.0.0.1:3333`

mod rigs;

use std::env;
use std::error::Error;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use orepass_aion::job::{Job, PoolJobId};
use orepass_aion::{Aion, DifficultyScale, Options};
use orepass_stratum::dialect::{Price, Split, Wanted};
use orepass_stratum::own_jobs::OwnJobs;
use orepass_stratum::target::{Difficulty, Target};

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3333".to_owned());
    serve(TcpListener::bind(address)?, Duration::from_secs(10))
}

/// Serves rigs, and tells them a new block to work on this often.
pub(crate) fn serve(listener: TcpListener, every: Duration) -> Result<(), Box<dyn Error>> {
    // A nonce has two solutions on average, and each is work: this pool counts them all.
    let dialect = Arc::new(Aion::new(Options::default().with_second_solutions(true)));
    // A nonce has 32 bytes, of which the first 4 tell rigs apart.
    let split = Split { prefix_bytes: 4, rig_extranonce2: 28, ..Split::default() };
    let jobs = OwnJobs::new(Arc::clone(&dialect), split, 10_000, rigs::unix_seconds());
    rigs::serve(listener, dialect, jobs, every, next_block)
}

/// A job that nobody has had, and what its shares must meet: every solution does. A pool that takes blocks
/// alone says its block's target instead, and has the work from what rigs prove below it.
fn next_block(height: u32) -> Result<(Job, Price), Box<dyn Error>> {
    let mut header_hash = [0; 32];
    header_hash[28..].copy_from_slice(&height.to_be_bytes());
    let difficulty = Difficulty::new(1e6).ok_or("a difficulty is above zero")?;
    let target = DifficultyScale::Kernel.scale().target(difficulty);
    let job = Job { id: PoolJobId::new(), clean: true, target, header_hash };
    let price = Price { wanted: Wanted::sure(Target::MAX), block: Some(target) };
    Ok((job, price))
}
