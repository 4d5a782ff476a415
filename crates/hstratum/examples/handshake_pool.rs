//! A Handshake pool: it makes jobs, finds each rig's difficulty and judges every share. What a node says of
//! the next block is made up here.
//!
//! `cargo run --example handshake_pool -- 127.0.0.1:3008`

#![expect(clippy::disallowed_methods, reason = "the clocks of a program are read in one place")]

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use std::{env, thread};

use orepass_hstratum::job::{DeployedJob, DeployedParts, Job, PoolJobId};
use orepass_hstratum::{DifficultyScale, Hstratum, pow};
use orepass_stratum::bytes::Buf;
use orepass_stratum::channel::ChannelView;
use orepass_stratum::dialect::{Price, Split, Wanted};
use orepass_stratum::downstream::{Downstream, Event};
use orepass_stratum::line::{LineReader, MAX_RIG_LINE};
use orepass_stratum::own_jobs::OwnJobs;
use orepass_stratum::space::Wish;
use orepass_stratum::target::Difficulty;
use orepass_stratum::time::Instant;
use orepass_stratum::verdict::Verdict;

/// How long a session waits for its rig before it looks for a new job.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a rig may leave what it is sent unread.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3008".to_owned());
    serve(TcpListener::bind(address)?, Duration::from_secs(30))
}

/// Serves rigs, a thread for each, and tells them a new block to work on this often.
pub(crate) fn serve(listener: TcpListener, every: Duration) -> Result<(), Box<dyn Error>> {
    // Rigs are told 4 bytes that tell them apart as their extranonce1, and have 4 to count in.
    let split = Split { prefix_bytes: 4, rig_extranonce2: 4, ..Split::default() };
    let unix_seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs() as u32;
    let mut jobs = OwnJobs::new(Arc::default(), split, 10_000, unix_seconds);
    let shown = Arc::new(Mutex::new(jobs.view().clone()));
    let of_sessions = Arc::clone(&shown);
    thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let shown = Arc::clone(&of_sessions);
            thread::spawn(move || {
                if let Err(error) = session(stream, number, &shown) {
                    println!("session {number}: {error}");
                }
            });
        }
    });
    for height in u64::from(unix_seconds).. {
        let (job, price) = next_block(height)?;
        let view = jobs.tell(job, price, now()).clone();
        *shown.lock().unwrap_or_else(PoisonError::into_inner) = view;
        thread::sleep(every);
    }
    Ok(())
}

/// A job that nobody has had, and what its shares must meet: what one of them in a million hashes does on
/// Bitcoin's scale. A pool that takes blocks alone says its block's target instead, and has the work from
/// what rigs prove below it.
fn next_block(height: u64) -> Result<(Job, Price), Box<dyn Error>> {
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
        time: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs(),
        mask_hash: None,
    })?
    .into();
    let share = DifficultyScale::Bitcoin.scale().target(Difficulty::power_of_two(-20));
    let price = Price { wanted: Wanted::sure(share), block: job.block_target() };
    Ok((job, price))
}

/// One rig, until either side ends it.
fn session(
    mut stream: TcpStream,
    number: usize,
    shown: &Mutex<ChannelView<Hstratum>>,
) -> io::Result<()> {
    stream.set_read_timeout(Some(LOOK_EVERY))?;
    stream.set_write_timeout(Some(WRITE_PATIENCE))?;
    let id = format!("{number:08x}");
    let mut rig = Downstream::<Hstratum>::new(Arc::default(), Arc::default(), id, now());
    let mut lines = LineReader::new(MAX_RIG_LINE);
    let mut chunk = [0; 4096];
    while !rig.is_closed() {
        let view = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        rig.handle_view(&view, now());
        rig.handle_timeout(now());
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => lines.buffer().extend_from_slice(&chunk[..count]),
            Err(error) if is_timeout(&error) => {}
            Err(error) => return Err(error),
        }
        while let Some(line) = lines.next_line() {
            match line {
                Ok(line) => {
                    if let Some(share) = rig.handle_line(line, now(), &mut ()) {
                        let what = if share.is_block { "a block" } else { "a share" };
                        println!("{}: {what} of {} hashes", share.worker, share.hashes);
                        rig.handle_verdict(share.number, &Ok(()), now());
                    }
                }
                Err(error) => rig.handle_line_error(error),
            }
        }
        while let Some(event) = rig.poll_event() {
            hear(&mut rig, event, &view);
        }
        while rig.transmit().has_remaining() {
            let written = stream.write(rig.transmit().chunk())?;
            rig.transmit().advance(written);
        }
    }
    Ok(())
}

fn hear(rig: &mut Downstream<Hstratum>, event: Event, view: &ChannelView<Hstratum>) {
    match event {
        Event::WantsSeat | Event::LostSeat => match view.seat(&Wish::default()) {
            Ok(seat) => rig.handle_seat(seat, view, now()),
            Err(full) => rig.handle_no_seat(full.to_string()),
        },
        Event::Ended { verdict, hashes, worker: Some(worker), complaint } => match verdict {
            // It met the rig's own target and missed the pool's: work all the same.
            Verdict::BelowPoolTarget => println!("{worker}: a share of {hashes} hashes"),
            refused => println!("{worker}: {refused}, {complaint:?}"),
        },
        Event::Closed(reason) => println!("closed: {reason}"),
        _ => {}
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// The time, from the start of the program.
fn now() -> Instant {
    static START: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);
    Instant::after_origin(START.elapsed())
}
