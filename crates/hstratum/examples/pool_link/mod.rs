//! A connection to a pool, whatever the coin: a session of [`Upstream`], driven from a blocking socket.

#![expect(clippy::disallowed_methods, reason = "the clock of a program is read in one place")]
#![allow(dead_code, reason = "a monitor has no shares")]

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use orepass_stratum::bytes::Buf;
use orepass_stratum::channel::Submission;
use orepass_stratum::dialect::{Dialect, Split};
use orepass_stratum::habits::Habits;
use orepass_stratum::job::{JobFrames, JobIds};
use orepass_stratum::line::{LineReader, MAX_POOL_LINE};
use orepass_stratum::space::Prefix;
use orepass_stratum::target::{PowHash, Target};
use orepass_stratum::time::Instant;
use orepass_stratum::upstream::{Upstream, UpstreamConfig};

pub(crate) struct PoolLink<D: Dialect> {
    pub(crate) session: Upstream<D, ()>,
    stream: TcpStream,
    lines: LineReader,
    /// Where the session's time begins.
    start: std::time::Instant,
    shares: u64,
}

/// What is hashed, and what is looked for.
pub(crate) struct Task<D: Dialect> {
    pub(crate) work: Arc<JobFrames<D>>,
    pub(crate) split: Arc<Split>,
    pub(crate) target: Target,
}

impl<D: Dialect + Default> PoolLink<D> {
    /// To log in with the first [`exchange`](Self::exchange).
    pub(crate) fn new(stream: TcpStream, account: &str, agent: &str) -> Self {
        // One miner: nothing of the extranonce is split off.
        let config = UpstreamConfig::new(account, "x", agent).with_prefix_bytes(0);
        let session = Upstream::new(Arc::default(), config, Arc::new(JobIds::new(1)));
        let (lines, start) = (LineReader::new(MAX_POOL_LINE), std::time::Instant::now());
        let mut link = Self { session, stream, lines, start, shares: 0 };
        link.session.handle_connected(link.now());
        link
    }

    /// Writes what the session says, and hands it what the pool says within `patience`, or until the session
    /// has something to do; false when the pool has closed the connection. What it has come to is in the
    /// session's events then.
    pub(crate) fn exchange(&mut self, patience: Duration) -> Result<bool, Box<dyn Error>> {
        while self.session.transmit().has_remaining() {
            let written = self.stream.write(self.session.transmit().chunk())?;
            self.session.transmit().advance(written);
        }
        let wait = self.session.poll_timeout().map_or(patience, |at| patience.min(at - self.now()));
        self.stream.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk) {
            Ok(0) => return Ok(false),
            Ok(count) => self.lines.buffer().extend_from_slice(&chunk[..count]),
            Err(error) if is_timeout(&error) => {}
            Err(error) => return Err(error.into()),
        }
        let now = self.now();
        while let Some(line) = self.lines.next_line() {
            self.session.handle_line(line?, now);
        }
        self.session.handle_timeout(now);
        Ok(true)
    }

    /// `None` while there is nothing to mine.
    pub(crate) fn task(&self) -> Option<Task<D>> {
        let view = self.session.view();
        let (work, split) = (view.work.filter(|_| view.live)?, view.ground?.split);
        // More shares than a pool likes have a floor under their target.
        let floor = view.floor.unwrap_or(Target::MAX);
        let target = work.wanted.surely(Habits::default()).harder(floor);
        Some(Task { work, split, target })
    }

    /// Hands over a share of this hash, to be written with the next [`exchange`](Self::exchange).
    pub(crate) fn submit(&mut self, task: &Task<D>, share: D::Share, hash: PowHash) {
        self.shares += 1;
        let hashes = task.target.hashes_lossy();
        let submission = Submission {
            number: self.shares,
            frames: Arc::clone(&task.work),
            prefix: Prefix::new(),
            share,
            hash: Some(hash),
            is_block: task.work.block.is_some_and(|block| hash.at_or_below(&block)),
            probe: None,
            worker: "miner".into(),
            account: None,
            hashes,
            credit: hashes,
        };
        self.session.handle_submission(submission, (), self.now());
    }

    fn now(&self) -> Instant {
        Instant::after_origin(self.start.elapsed())
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
