//! Watches a Handshake pool: prints each of its jobs.
//!
//! `cargo run --example monitor -- 127.0.0.1:3008 ACCOUNT`

mod pool_link;

use std::env;
use std::error::Error;
use std::net::TcpStream;
use std::time::Duration;

use orepass_hstratum::Hstratum;
use orepass_stratum::dialect::Work;
use orepass_stratum::habits::Habits;
use orepass_stratum::upstream::UpstreamEvent;
use pool_link::PoolLink;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3008".to_owned());
    let account = arguments.next().unwrap_or_else(|| "monitor".to_owned());
    watch(TcpStream::connect(address)?, &account, |line| println!("{line}"))
}

/// Shows a line for each job, until the pool closes the connection.
pub(crate) fn watch(
    stream: TcpStream,
    account: &str,
    mut show: impl FnMut(String),
) -> Result<(), Box<dyn Error>> {
    let mut pool = PoolLink::<Hstratum>::new(stream, account, "monitor/0.1");
    let mut shown = None;
    while pool.exchange(Duration::from_secs(60))? {
        while let Some(event) = pool.session.poll_event() {
            match event {
                // A view changes for other reasons too: each work has a serial of its own.
                UpstreamEvent::View => {
                    let work = pool.session.view().work;
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
    }
    Ok(())
}
