//! Watches a Handshake pool: prints each of its jobs.
//!
//! `cargo run --example monitor -- 127.0.0.1:3008 ACCOUNT`

#![expect(clippy::disallowed_methods, reason = "the clock of a program is read in one place")]

use std::env;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use orepass_hstratum::Hstratum;
use orepass_stratum::bytes::Buf;
use orepass_stratum::dialect::Work;
use orepass_stratum::habits::Habits;
use orepass_stratum::job::JobIds;
use orepass_stratum::line::{LineReader, MAX_POOL_LINE};
use orepass_stratum::time::Instant;
use orepass_stratum::upstream::{Upstream, UpstreamConfig, UpstreamEvent};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3008".to_owned());
    let account = arguments.next().unwrap_or_else(|| "monitor".to_owned());
    watch(TcpStream::connect(address)?, &account, |line| println!("{line}"))
}

/// Shows a line for each job, until the pool closes the connection.
pub(crate) fn watch(
    mut stream: TcpStream,
    account: &str,
    mut show: impl FnMut(String),
) -> Result<(), Box<dyn Error>> {
    // A session's time begins where its driver says.
    let start = std::time::Instant::now();
    let now = || Instant::after_origin(start.elapsed());
    let config = UpstreamConfig::new(account, "x", "monitor/0.1").with_prefix_bytes(0);
    let mut pool: Upstream<Hstratum, ()> =
        Upstream::new(Arc::default(), config, Arc::new(JobIds::new(1)));
    let mut lines = LineReader::new(MAX_POOL_LINE);
    let mut chunk = [0; 4096];
    let mut shown = None;
    pool.handle_connected(now());
    loop {
        while let Some(event) = pool.poll_event() {
            match event {
                // A view changes for other reasons too: each work has a serial of its own.
                UpstreamEvent::View => {
                    let work = pool.view().work;
                    if let Some(work) =
                        work.filter(|work| shown.replace(work.serial) != Some(work.serial))
                    {
                        let (job, target) = (&work.job, work.wanted.surely(Habits::default()));
                        show(format!("job {} bits {:08x} target {target}", job.id(), job.bits()));
                    }
                }
                UpstreamEvent::Down(reason) => return Err(reason.into()),
                _ => {}
            }
        }
        while pool.transmit().has_remaining() {
            let written = stream.write(pool.transmit().chunk())?;
            pool.transmit().advance(written);
        }
        // Without a timeout there is nothing to do before the pool says something.
        let wait = pool.poll_timeout().map(|at| at - now());
        stream.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
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
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
