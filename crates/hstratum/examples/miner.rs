//! A Handshake miner of one thread, for pools of the deployed generation.
//!
//! `cargo run --release --example miner -- 127.0.0.1:3008 ACCOUNT`

mod pool_link;

use std::env;
use std::error::Error;
use std::net::TcpStream;
use std::time::Duration;

use orepass_hstratum::Hstratum;
use orepass_hstratum::job::Job;
use orepass_hstratum::pow::ShareHasher;
use orepass_hstratum::share::{Nonce, Share};
use orepass_stratum::target::PowHash;
use orepass_stratum::upstream::UpstreamEvent;
use pool_link::{PoolLink, Task};

/// How many nonces are tried between two looks at the pool.
const BATCH: u32 = 5_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3008".to_owned());
    let account = arguments.next().unwrap_or_else(|| "miner".to_owned());
    mine(TcpStream::connect(address)?, &account)
}

/// Mines until the pool closes the connection.
pub(crate) fn mine(stream: TcpStream, account: &str) -> Result<(), Box<dyn Error>> {
    let mut pool = PoolLink::<Hstratum>::new(stream, account, "miner/0.1");
    let mut search: Option<Search> = None;
    // It goes on from job to job: four thousand million are hours of work for a processor.
    let mut nonce = 0_u32;
    while pool.exchange(Duration::from_millis(1))? {
        while let Some(event) = pool.session.poll_event() {
            match event {
                UpstreamEvent::View => search = pool.task().and_then(Search::new),
                UpstreamEvent::Verdict { outcome, .. } => println!("{}", outcome.booked),
                UpstreamEvent::Down(reason) => return Err(reason.into()),
                UpstreamEvent::Notice(notice) => println!("{notice:?}"),
                _ => {}
            }
        }
        let Some(search) = &search else { continue };
        for _ in 0..BATCH {
            nonce = nonce.wrapping_add(1);
            if let Some((share, hash)) = search.look(nonce) {
                pool.submit(&search.task, share, hash);
            }
        }
    }
    Ok(())
}

/// A task without its nonce, hashed as far as that goes.
struct Search {
    task: Task<Hstratum>,
    hasher: ShareHasher,
    extranonce2: Vec<u8>,
    time: u32,
}

impl Search {
    /// `None` where the job is of the other generation.
    fn new(task: Task<Hstratum>) -> Option<Self> {
        let Job::Deployed(job) = &*task.work.job else { return None };
        let (time, extranonce2) = (job.parts().time, vec![0; task.split.rig_extranonce2]);
        let header = job.header(task.split.extranonce1.as_bytes(), &extranonce2, time, 0)?;
        let hasher = ShareHasher::new(&header.to_bytes(), job.mask_hash());
        Some(Self { hasher, extranonce2, time: time.try_into().ok()?, task })
    }

    fn look(&self, nonce: u32) -> Option<(Share, PowHash)> {
        let hash = self.hasher.hash(nonce, self.time.into());
        let share = || Share::new(&self.extranonce2, self.time, Nonce::Deployed(nonce));
        hash.at_or_below(&self.task.target).then(share)?.map(|share| (share, hash))
    }
}
