//! The floor: what passes lines between rigs and pool and reads none of them.
//!
//! What comes from a rig goes to the pool, and what the pool answers goes back to the rig whose turn
//! it is, since a pool answers in order. What the pool says unasked goes to all rigs of the
//! connection in a plain loop of writes. One thread; lines that come in one turn leave in one write.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Write, stdin, stdout};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use orepass::limits::OpenFiles;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::{LocalSet, spawn_local};

use super::args::Args;
use super::error::LoadError;
use super::wire::Wire;

/// How lines begin that the pool says unasked.
const UNASKED: &[u8] = b"{\"id\":null";

/// A relay in a process of its own, which ends with this.
#[derive(Debug)]
pub struct RelayProcess {
    child: Child,
    address: SocketAddr,
}

impl RelayProcess {
    /// Starts this program as a relay to the pool.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(args: &Args, pool: SocketAddr) -> Result<Self, LoadError> {
        let what = "the relay cannot start";
        let program = std::env::current_exe().map_err(LoadError::io(what))?;
        let child = Command::new(program)
            .args(["relay", "--pool", &pool.to_string()])
            .args(["--channels", &args.channels().to_string()])
            .args(["--rigs-per-channel", &args.rigs_per_channel.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(LoadError::io(what))?;
        let mut relay = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let mut line = String::new();
        if let Some(out) = relay.child.stdout.take() {
            BufReader::new(out).read_line(&mut line).map_err(LoadError::io(what))?;
        }
        let address = line.trim().parse().ok();
        relay.address = address.ok_or_else(|| relay.ended())?;
        Ok(relay)
    }

    /// Where rigs connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn ended(&mut self) -> LoadError {
        let status = self.child.wait().map_or_else(|error| error.to_string(), |s| s.to_string());
        LoadError::Ended { party: "relay", status, log: String::new() }
    }
}

impl Drop for RelayProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Plays the relay in this process until the standard input ends, as it does when the bench ends in
/// whatever way. Prints where it listens.
///
/// # Errors
/// When the pool cannot be reached or the system refuses something.
pub fn play(pool: SocketAddr, channels: u32, rigs_per_channel: u32) -> io::Result<()> {
    OpenFiles::raise()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (over, ended) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = io::copy(&mut stdin().lock(), &mut io::sink());
        drop(over);
    });
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let serving = spawn_local(serve(listener, pool, channels, rigs_per_channel));
        writeln!(stdout(), "{address}")?;
        stdout().flush()?;
        tokio::select! {
            _ = ended => Ok(()),
            served = serving => served.unwrap_or_else(|error| Err(io::Error::other(error))),
        }
    })
}

/// Serves rigs, so many on each of so many pool connections.
///
/// # Errors
/// When the pool cannot be reached, or ends a connection.
pub async fn serve(
    listener: TcpListener,
    pool: SocketAddr,
    channels: u32,
    rigs_per_channel: u32,
) -> io::Result<()> {
    let mut open = Vec::new();
    for _ in 0..channels {
        let channel = Rc::new(Channel::new(TcpStream::connect(pool).await?)?);
        spawn_local(Rc::clone(&channel).serve_pool());
        open.push(channel);
    }
    for channel in open {
        for _ in 0..rigs_per_channel {
            let (stream, _) = listener.accept().await?;
            let rig = Rc::new(Wire::new(stream)?);
            spawn_local(Rc::clone(&channel).serve_rig(rig));
        }
    }
    // All have come; nothing is left to accept.
    std::future::pending().await
}

/// A pool connection and its rigs.
struct Channel {
    pool: Wire,
    rigs: RefCell<Vec<Rc<Wire>>>,
    /// Whose answer the pool's next one is.
    asked: RefCell<VecDeque<Rc<Wire>>>,
    /// What was last said unasked: the job.
    job: RefCell<Vec<u8>>,
}

impl Channel {
    fn new(stream: TcpStream) -> io::Result<Self> {
        let (rigs, asked, job) = Default::default();
        Ok(Self { pool: Wire::new(stream)?, rigs, asked, job })
    }

    async fn serve_pool(self: Rc<Self>) {
        let answered: RefCell<Vec<Rc<Wire>>> = RefCell::default();
        let heard = |line: &[u8]| {
            if line.starts_with(UNASKED) {
                self.tell_all(line);
            } else if let Some(rig) = self.asked.borrow_mut().pop_front() {
                rig.queue(line);
                rig.queue(b"\n");
                answered.borrow_mut().push(rig);
            }
        };
        let over = || answered.borrow_mut().drain(..).for_each(|rig| rig.flush());
        // The bench sees that the pool or the relay has gone by what does not come.
        let _ = self.pool.run(heard, over).await;
    }

    async fn serve_rig(self: Rc<Self>, rig: Rc<Wire>) {
        self.rigs.borrow_mut().push(Rc::clone(&rig));
        rig.queue(&self.job.borrow());
        rig.flush();
        let heard = |line: &[u8]| {
            self.pool.queue(line);
            self.pool.queue(b"\n");
            self.asked.borrow_mut().push_back(Rc::clone(&rig));
        };
        let _ = rig.run(heard, || self.pool.flush_soon()).await;
        self.rigs.borrow_mut().retain(|other| !Rc::ptr_eq(other, &rig));
    }

    fn tell_all(&self, line: &[u8]) {
        let mut job = self.job.borrow_mut();
        job.clear();
        job.extend_from_slice(line);
        job.push(b'\n');
        for rig in self.rigs.borrow().iter() {
            rig.queue(&job);
            rig.flush();
        }
    }
}
