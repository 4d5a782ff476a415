//! How a pool serves its rigs, whatever the coin: a thread for each, on a blocking socket.

#![expect(clippy::disallowed_methods, reason = "the clocks of a program are read in one place")]

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use orepass_stratum::bytes::Buf;
use orepass_stratum::channel::ChannelView;
use orepass_stratum::dialect::{Dialect, Price};
use orepass_stratum::downstream::{Downstream, Event};
use orepass_stratum::line::{LineReader, MAX_RIG_LINE};
use orepass_stratum::own_jobs::OwnJobs;
use orepass_stratum::space::Wish;
use orepass_stratum::time::Instant;
use orepass_stratum::verdict::Verdict;

/// How long a session waits for its rig before it looks for a new job.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a rig may leave what it is sent unread.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// Makes the job of a height, and says what its shares must meet.
type NextBlock<D> = fn(u32) -> Result<(<D as Dialect>::Job, Price), Box<dyn Error>>;

/// Serves rigs, and tells them the next block to work on this often.
pub(crate) fn serve<D: Dialect>(
    listener: TcpListener,
    dialect: Arc<D>,
    mut jobs: OwnJobs<D>,
    every: Duration,
    next_block: NextBlock<D>,
) -> Result<(), Box<dyn Error>> {
    let shown = Arc::new(Mutex::new(jobs.view().clone()));
    let of_sessions = Arc::clone(&shown);
    thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let (dialect, shown) = (Arc::clone(&dialect), Arc::clone(&of_sessions));
            thread::spawn(move || {
                if let Err(error) = session(stream, dialect, number, &shown) {
                    println!("session {number}: {error}");
                }
            });
        }
    });
    // No earlier run of the program had these.
    for height in unix_seconds().. {
        let (job, price) = next_block(height)?;
        let view = jobs.tell(job, price, now()).clone();
        *shown.lock().unwrap_or_else(PoisonError::into_inner) = view;
        thread::sleep(every);
    }
    Ok(())
}

/// One rig, until either side ends it.
fn session<D: Dialect>(
    mut stream: TcpStream,
    dialect: Arc<D>,
    number: usize,
    shown: &Mutex<ChannelView<D>>,
) -> io::Result<()> {
    stream.set_read_timeout(Some(LOOK_EVERY))?;
    stream.set_write_timeout(Some(WRITE_PATIENCE))?;
    let id = format!("{number:08x}");
    let mut rig = Downstream::new(dialect, Arc::default(), id, now());
    let mut lines = LineReader::new(MAX_RIG_LINE);
    let mut scratch = D::Scratch::default();
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
                    if let Some(share) = rig.handle_line(line, now(), &mut scratch) {
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

fn hear<D: Dialect>(rig: &mut Downstream<D>, event: Event, view: &ChannelView<D>) {
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

/// The time, as it stands in headers.
pub(crate) fn unix_seconds() -> u32 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as u32)
}
