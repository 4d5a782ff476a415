//! A Handshake miner of one thread, for pools of the deployed generation.
//!
//! `cargo run --release --example miner -- 127.0.0.1:3008 ACCOUNT`

#![expect(clippy::disallowed_methods, reason = "the clock of a program is read in one place")]

use std::env;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use orepass_hstratum::Hstratum;
use orepass_hstratum::job::Job;
use orepass_hstratum::pow::ShareHasher;
use orepass_hstratum::share::{Nonce, Share};
use orepass_stratum::bytes::Buf;
use orepass_stratum::channel::{ChannelView, Submission};
use orepass_stratum::habits::Habits;
use orepass_stratum::job::{JobFrames, JobIds};
use orepass_stratum::line::{LineReader, MAX_POOL_LINE};
use orepass_stratum::space::Prefix;
use orepass_stratum::target::Target;
use orepass_stratum::time::Instant;
use orepass_stratum::upstream::{Upstream, UpstreamConfig, UpstreamEvent};

/// How many nonces are tried between two looks at the pool.
const BATCH: u32 = 5_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3008".to_owned());
    let account = arguments.next().unwrap_or_else(|| "miner".to_owned());
    mine(TcpStream::connect(address)?, &account)
}

/// Mines until the pool closes the connection.
pub(crate) fn mine(mut stream: TcpStream, account: &str) -> Result<(), Box<dyn Error>> {
    let start = std::time::Instant::now();
    let now = || Instant::after_origin(start.elapsed());
    stream.set_read_timeout(Some(Duration::from_millis(1)))?;
    // One miner: nothing of the extranonce is split off.
    let config = UpstreamConfig::new(account, "x", "miner/0.1").with_prefix_bytes(0);
    let mut pool: Upstream<Hstratum, ()> =
        Upstream::new(Arc::default(), config, Arc::new(JobIds::new(1)));
    let mut lines = LineReader::new(MAX_POOL_LINE);
    let mut chunk = [0; 4096];
    let mut search: Option<Search> = None;
    // It goes on from job to job: four thousand million are hours of work for a processor.
    let mut nonce = 0_u32;
    pool.handle_connected(now());
    loop {
        while let Some(event) = pool.poll_event() {
            match event {
                UpstreamEvent::View => search = Search::new(&pool.view()),
                UpstreamEvent::Verdict { outcome, .. } => println!("{}", outcome.booked),
                UpstreamEvent::Down(reason) => return Err(reason.into()),
                UpstreamEvent::Notice(notice) => println!("{notice:?}"),
                _ => {}
            }
        }
        while pool.transmit().has_remaining() {
            let written = stream.write(pool.transmit().chunk())?;
            pool.transmit().advance(written);
        }
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => lines.buffer().extend_from_slice(&chunk[..count]),
            Err(error) if is_timeout(&error) => {}
            Err(error) => return Err(error.into()),
        }
        while let Some(line) = lines.next_line() {
            pool.handle_line(line?, now());
        }
        pool.handle_timeout(now());
        if let Some(search) = &search {
            for _ in 0..BATCH {
                nonce = nonce.wrapping_add(1);
                if let Some(share) = search.look(nonce) {
                    pool.handle_submission(share, (), now());
                }
            }
        }
    }
}

/// What is hashed, and what is looked for.
struct Search {
    work: Arc<JobFrames<Hstratum>>,
    hasher: ShareHasher,
    extranonce2: Vec<u8>,
    time: u32,
    target: Target,
}

impl Search {
    /// `None` while there is nothing to mine.
    fn new(view: &ChannelView<Hstratum>) -> Option<Self> {
        let (work, split) = (view.work.clone()?, &view.ground.as_ref()?.split);
        let Job::Deployed(job) = &*work.job else { return None };
        let (time, extranonce2) = (job.parts().time, vec![0; split.rig_extranonce2]);
        let header = job.header(split.extranonce1.as_bytes(), &extranonce2, time, 0)?;
        let hasher = ShareHasher::new(&header.to_bytes(), job.mask_hash());
        // More shares than a pool likes have a floor under their target.
        let floor = view.floor.unwrap_or(Target::MAX);
        let target = work.wanted.surely(Habits::default()).harder(floor);
        let time = u32::try_from(time).ok().filter(|_| view.live)?;
        Some(Self { work, hasher, extranonce2, time, target })
    }

    fn look(&self, nonce: u32) -> Option<Submission<Hstratum>> {
        let hash = self.hasher.hash(nonce, self.time.into());
        if !hash.at_or_below(&self.target) {
            return None;
        }
        let hashes = self.target.hashes_lossy();
        Some(Submission {
            number: nonce.into(),
            frames: Arc::clone(&self.work),
            prefix: Prefix::new(),
            share: Share::new(&self.extranonce2, self.time, Nonce::Deployed(nonce))?,
            hash: Some(hash),
            is_block: self.work.block.is_some_and(|block| hash.at_or_below(&block)),
            probe: None,
            worker: "miner".into(),
            account: None,
            hashes,
            credit: hashes,
        })
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
