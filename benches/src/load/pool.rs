//! The pool: one thread, every share judged by the [`Ledger`].

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{LocalSet, spawn_local};

use super::error::LoadError;
use super::ledger::{Ledger, LoadCoin, Refusal};
use super::roll::Roll;
use super::wire::Wire;
use crate::played::ANY_HASH;

/// Of so many shares the time of the way is kept.
const MAX_SAMPLES: usize = 4_000_000;

/// What the pool has seen.
#[derive(Debug, Clone, Default)]
pub struct Books {
    /// Connections that have authorized.
    pub authorized: u64,
    /// Good shares.
    pub accepted: u64,
    /// Shares that came before.
    pub duplicates: u64,
    /// Shares of no open job.
    pub unknown_jobs: u64,
    /// Shares that are not as their rig made them.
    pub altered: u64,
    /// Lines that are no request.
    pub unreadable: u64,
    /// Nanoseconds from a rig's sending to the pool's reading, for each good share.
    pub to_pool: Vec<u64>,
}

/// A job that was told.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// Its number.
    pub job: u32,
    /// When the pool began to write it, on the roll's clock.
    pub at: u64,
}

/// A running pool. Ends when it is dropped.
#[derive(Debug)]
pub struct Pool {
    address: SocketAddr,
    orders: mpsc::Sender<Order>,
    books: Arc<Mutex<Books>>,
}

/// Tell a new job: on a new block?
#[derive(Debug)]
struct Order {
    block: bool,
    told: oneshot::Sender<Told>,
}

impl Pool {
    /// Starts a pool on a loopback port that the system chooses, with its first job made.
    ///
    /// # Errors
    /// When the system refuses a thread or a port.
    pub fn start(roll: Arc<Roll>, coin: LoadCoin) -> Result<Self, LoadError> {
        let what = "the pool cannot start";
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(LoadError::io(what))?;
        let listener = listen().map_err(LoadError::io("the pool cannot listen"))?;
        let address = listener.local_addr().map_err(LoadError::io(what))?;
        let (orders, received) = mpsc::channel(1);
        let books = Arc::new(Mutex::new(Books::default()));
        let written = Arc::clone(&books);
        let serve = move || {
            let desk = Rc::new(Desk::new(roll, written, coin));
            LocalSet::new().block_on(&runtime, async {
                match TcpListener::from_std(listener) {
                    Ok(listener) => desk.serve(listener, received).await,
                    // Whoever gives the first order finds the pool gone.
                    Err(error) => eprintln!("the pool cannot serve: {error}"),
                }
            });
        };
        std::thread::Builder::new()
            .name("pool".to_owned())
            .spawn(serve)
            .map_err(LoadError::io(what))?;
        Ok(Self { address, orders, books })
    }

    /// Tells everybody a new job; one on a new block closes those before.
    ///
    /// # Errors
    /// When the pool's thread is gone.
    pub async fn new_job(&self, block: bool) -> Result<Told, LoadError> {
        let (told, heard) = oneshot::channel();
        let gone = || LoadError::Gone("pool");
        self.orders.send(Order { block, told }).await.map_err(|_| gone())?;
        heard.await.map_err(|_| gone())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has seen so far; the times of ways are left to
    /// [`take_samples`](Self::take_samples).
    #[must_use]
    pub fn books(&self) -> Books {
        let books = lock(&self.books);
        Books { to_pool: Vec::new(), ..*books }
    }

    /// The times of the ways since the last call.
    #[must_use]
    pub fn take_samples(&self) -> Vec<u64> {
        std::mem::take(&mut lock(&self.books).to_pool)
    }
}

/// What the pool's thread works with.
struct Desk {
    roll: Arc<Roll>,
    books: Arc<Mutex<Books>>,
    coin: LoadCoin,
    ledger: RefCell<Ledger>,
    connections: RefCell<Vec<Rc<Connection>>>,
}

struct Connection {
    extranonce1: [u8; 4],
    wire: Wire,
    authorized: Cell<bool>,
}

impl Desk {
    fn new(roll: Arc<Roll>, books: Arc<Mutex<Books>>, coin: LoadCoin) -> Self {
        let mut ledger = Ledger::of(coin);
        ledger.new_job(true);
        Self { roll, books, coin, ledger: RefCell::new(ledger), connections: RefCell::default() }
    }

    async fn serve(self: Rc<Self>, listener: TcpListener, mut orders: mpsc::Receiver<Order>) {
        let mut count = 0_u32;
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.tell(order),
                    None => return,
                },
                // What cannot be accepted is missed by whoever waits for it.
                Ok((stream, _)) = listener.accept() => {
                    let Ok(wire) = Wire::new(stream) else { continue };
                    count += 1;
                    let extranonce1 = count.to_be_bytes();
                    let authorized = Cell::new(false);
                    let connection = Rc::new(Connection { extranonce1, wire, authorized });
                    self.connections.borrow_mut().push(Rc::clone(&connection));
                    spawn_local(Rc::clone(&self).attend(connection));
                }
            }
        }
    }

    fn tell(&self, Order { block, told }: Order) {
        let mut ledger = self.ledger.borrow_mut();
        let job = ledger.new_job(block);
        let line = ledger.notify();
        let at = self.roll.now();
        for connection in self.connections.borrow().iter().filter(|one| one.authorized.get()) {
            connection.wire.queue(line.as_bytes());
            connection.wire.flush();
        }
        // Whoever asked may have been stopped meanwhile.
        let _ = told.send(Told { job, at });
    }

    async fn attend(self: Rc<Self>, connection: Rc<Connection>) {
        let heard = |line: &[u8]| self.hear(&connection, line);
        // How a connection ends is for the other side to notice.
        let _ = connection.wire.run(heard, || connection.wire.flush()).await;
        self.connections.borrow_mut().retain(|one| !Rc::ptr_eq(one, &connection));
    }

    fn hear(&self, connection: &Connection, line: &[u8]) {
        let Ok(request) = serde_json::from_slice::<Request<'_>>(line) else {
            lock(&self.books).unreadable += 1;
            return;
        };
        let id = request.id.get();
        connection.wire.write(|out| {
            let written = match request.method {
                "mining.submit" => match self.judge(connection, request.params) {
                    Ok(()) => writeln!(out, "{{\"id\":{id},\"result\":true,\"error\":null}}"),
                    Err((code, reason)) => writeln!(
                        out,
                        "{{\"id\":{id},\"result\":null,\"error\":[{code},\"{reason}\",null]}}"
                    ),
                },
                "mining.subscribe" => {
                    let own = const_hex::encode(connection.extranonce1);
                    let announced = self.coin.announced();
                    writeln!(
                        out,
                        "{{\"id\":{id},\"result\":[[[\"mining.notify\",\"{own}\"],\
                         [\"mining.set_difficulty\",\"{own}\"]],\"{own}\",{announced}],\
                         \"error\":null}}"
                    )
                }
                "mining.authorize" => {
                    let greeting = self.greet(connection);
                    write!(out, "{{\"id\":{id},\"result\":true,\"error\":null}}\n{greeting}")
                }
                _ => writeln!(
                    out,
                    "{{\"id\":{id},\"result\":null,\"error\":[20,\"unknown method\",null]}}"
                ),
            };
            debug_assert!(written.is_ok(), "memory takes all");
        });
    }

    /// What follows the first authorize of a connection: the difficulty and the present job.
    fn greet(&self, connection: &Connection) -> String {
        let mut lines = String::new();
        if !connection.authorized.replace(true) {
            lock(&self.books).authorized += 1;
            let _ = writeln!(
                lines,
                "{{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[{ANY_HASH}]}}"
            );
            lines.push_str(&self.ledger.borrow().notify());
        }
        lines
    }

    fn judge(&self, connection: &Connection, params: &RawValue) -> Result<(), (u32, &'static str)> {
        let mut books = lock(&self.books);
        let Ok(params) = serde_json::from_str::<[&str; 5]>(params.get()) else {
            books.unreadable += 1;
            return Err((20, "five texts are wanted"));
        };
        let judged = self.ledger.borrow_mut().judge(&self.roll, connection.extranonce1, params);
        match judged {
            Ok(name) => {
                books.accepted += 1;
                if let Some(sent) = self.roll.sent_at(name)
                    && books.to_pool.len() < MAX_SAMPLES
                {
                    books.to_pool.push(self.roll.now().saturating_sub(sent));
                }
                return Ok(());
            }
            Err(Refusal::Duplicate) => books.duplicates += 1,
            Err(Refusal::UnknownJob) => books.unknown_jobs += 1,
            Err(Refusal::Altered(_)) => books.altered += 1,
        }
        judged.map(|_| ()).map_err(Refusal::error)
    }
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    method: &'a str,
    #[serde(borrow)]
    params: &'a RawValue,
}

/// A loopback port that the system chooses, bound outside of any runtime.
fn listen() -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}
