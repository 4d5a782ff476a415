//! All rigs: a few threads, on each a part of the herd.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::ops::Range;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{MissedTickBehavior, interval};

use super::error::LoadError;
use super::rig::{Heard, Rig};
use super::roll::{Roll, SLOTS};
use super::tls;
use super::wire::Wire;

/// How exactly the paced load is paced.
const TICK: Duration = Duration::from_millis(1);
/// In the paced load a rig with so many shares in flight leaves its turn out. Their lines fit into
/// any socket's buffer.
const MAX_IN_FLIGHT: u32 = SLOTS as u32 / 2;
/// Of so many answers on a thread the time is kept.
const MAX_SAMPLES: usize = 4_000_000;
/// So many refusals are kept to be shown.
const MAX_REFUSALS: usize = 5;
const ORDERS: usize = 8;

/// What the rigs do once they are logged in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Load {
    /// Nothing more; answers are still taken.
    Idle,
    /// So many shares a second, all rigs together, in turn.
    Paced(f64),
    /// So many shares in flight per rig, the next one when one is answered.
    InFlight(u32),
}

/// What the rigs have counted.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Rigs that were logged in and had a job.
    pub ready: u64,
    /// Rigs whose connection failed or ended.
    pub lost: u64,
    /// Shares sent.
    pub sent: u64,
    /// Shares accepted.
    pub accepted: u64,
    /// Shares refused.
    pub refused: u64,
    /// Turns of the paced load left out, since the rig had too many shares in flight.
    pub held: u64,
    /// The first refusals, of shares and logins.
    pub refusals: Vec<String>,
    /// Nanoseconds from sending a share to its answer, for each accepted one.
    pub round_trips: Vec<u64>,
    /// A job's number, and when a rig had read it, on the roll's clock.
    pub arrivals: Vec<(u32, u64)>,
}

impl Tally {
    /// How many shares have been answered.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.accepted + self.refused
    }
}

/// A herd of rigs. Its connections end when it is dropped.
#[derive(Debug)]
pub struct Herd {
    threads: Vec<Handle>,
}

#[derive(Debug)]
struct Handle {
    share: f64,
    orders: mpsc::Sender<Order>,
    tally: Arc<Mutex<Tally>>,
}

#[derive(Debug, Clone, Copy)]
enum Order {
    Connect { address: SocketAddr, parallel: usize, tls: bool },
    Load(Load),
}

impl Herd {
    /// Makes so many rigs on so many threads; none is connected yet.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(roll: &Arc<Roll>, rigs: u32, threads: u32) -> Result<Self, LoadError> {
        let threads = threads.clamp(1, rigs.max(1));
        let start = |thread: u32| {
            let numbers = rigs * thread / threads..rigs * (thread + 1) / threads;
            let share = f64::from(numbers.end - numbers.start) / f64::from(rigs);
            let (orders, received) = mpsc::channel(ORDERS);
            let tally = Arc::new(Mutex::new(Tally::default()));
            let what = "the rigs cannot start";
            let runtime =
                Builder::new_current_thread().enable_all().build().map_err(LoadError::io(what))?;
            let (roll, written) = (Arc::clone(roll), Arc::clone(&tally));
            std::thread::Builder::new()
                .name("rigs".to_owned())
                .spawn(move || obey(&runtime, numbers, roll, written, received))
                .map_err(LoadError::io(what))?;
            Ok(Handle { share, orders, tally })
        };
        Ok(Self { threads: (0..threads).map(start).collect::<Result<_, LoadError>>()? })
    }

    /// Lets all rigs log in, so many at a time, by TLS or plainly.
    ///
    /// # Errors
    /// When a thread of the rigs is gone.
    pub async fn connect(
        &self,
        address: SocketAddr,
        parallel: u32,
        tls: bool,
    ) -> Result<(), LoadError> {
        let parallel = (parallel as usize).div_ceil(self.threads.len());
        self.order(|_| Order::Connect { address, parallel, tls }).await
    }

    /// Changes what the rigs do.
    ///
    /// # Errors
    /// When a thread of the rigs is gone.
    pub async fn load(&self, load: Load) -> Result<(), LoadError> {
        self.order(|share| {
            Order::Load(match load {
                Load::Paced(rate) => Load::Paced(rate * share),
                other => other,
            })
        })
        .await
    }

    /// What was counted so far. Samples are left to [`take_round_trips`](Self::take_round_trips)
    /// and [`take_arrivals`](Self::take_arrivals).
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut sum = Tally::default();
        for thread in &self.threads {
            let tally = lock(&thread.tally);
            sum.ready += tally.ready;
            sum.lost += tally.lost;
            sum.sent += tally.sent;
            sum.accepted += tally.accepted;
            sum.refused += tally.refused;
            sum.held += tally.held;
            sum.refusals.extend(tally.refusals.iter().cloned());
        }
        sum.refusals.truncate(MAX_REFUSALS);
        sum
    }

    /// The times of the answers since the last call.
    #[must_use]
    pub fn take_round_trips(&self) -> Vec<u64> {
        self.take(|tally| &mut tally.round_trips)
    }

    /// The arrivals of jobs since the last call.
    #[must_use]
    pub fn take_arrivals(&self) -> Vec<(u32, u64)> {
        self.take(|tally| &mut tally.arrivals)
    }

    fn take<T>(&self, samples: impl Fn(&mut Tally) -> &mut Vec<T>) -> Vec<T> {
        let take = |thread: &Handle| std::mem::take(samples(&mut lock(&thread.tally)));
        self.threads.iter().flat_map(take).collect()
    }

    async fn order(&self, order: impl Fn(f64) -> Order) -> Result<(), LoadError> {
        for thread in &self.threads {
            let sent = thread.orders.send(order(thread.share)).await;
            sent.map_err(|_| LoadError::Gone("rigs"))?;
        }
        Ok(())
    }
}

/// A thread of the rigs, until the herd is dropped.
fn obey(
    runtime: &Runtime,
    numbers: Range<u32>,
    roll: Arc<Roll>,
    tally: Arc<Mutex<Tally>>,
    mut orders: mpsc::Receiver<Order>,
) {
    let (load, rigs) = (Cell::new(Load::Idle), RefCell::default());
    let part = Rc::new(Part { roll, tally, load, rigs });
    LocalSet::new().block_on(runtime, async {
        let mut pacer: Option<JoinHandle<()>> = None;
        while let Some(order) = orders.recv().await {
            match order {
                Order::Connect { address, parallel, tls } => {
                    let tls = tls.then(tls::config);
                    let door = Rc::new(Semaphore::new(parallel));
                    for number in numbers.clone() {
                        let rig = Rig::new(number as u16);
                        spawn_local(Rc::clone(&part).live(
                            rig,
                            address,
                            tls.clone(),
                            Rc::clone(&door),
                        ));
                    }
                }
                Order::Load(load) => {
                    pacer.take().inspect(JoinHandle::abort);
                    part.load.set(load);
                    match load {
                        Load::Idle => {}
                        Load::Paced(rate) => {
                            pacer = Some(spawn_local(Rc::clone(&part).pace(rate)));
                        }
                        Load::InFlight(count) => part.fill(count),
                    }
                }
            }
        }
    });
}

/// The rigs of a thread.
struct Part {
    roll: Arc<Roll>,
    tally: Arc<Mutex<Tally>>,
    load: Cell<Load>,
    /// Those that are connected, in the order in which they came.
    rigs: RefCell<Vec<Rc<Connected>>>,
}

struct Connected {
    rig: RefCell<Rig>,
    wire: Wire,
}

impl Part {
    /// A rig from its connection to the end.
    async fn live(
        self: Rc<Self>,
        rig: Rig,
        address: SocketAddr,
        tls: Option<Arc<ClientConfig>>,
        door: Rc<Semaphore>,
    ) {
        // Nobody closes the door.
        let mut place = door.acquire().await.ok();
        let connected = TcpStream::connect(address).await.and_then(|stream| match &tls {
            None => Wire::new(stream),
            Some(config) => Wire::over_tls(stream, config),
        });
        let why = match connected {
            Ok(wire) => {
                let one = Rc::new(Connected { rig: RefCell::new(rig), wire });
                self.rigs.borrow_mut().push(Rc::clone(&one));
                one.wire.write(|out| one.rig.borrow().log_in(out));
                one.wire.flush();
                let heard = |line: &[u8]| {
                    if self.hear(&one, line) {
                        place.take();
                    }
                };
                let ended = one.wire.run(heard, || one.wire.flush()).await;
                self.rigs.borrow_mut().retain(|other| !Rc::ptr_eq(other, &one));
                ended.map_or_else(|error| error.to_string(), |()| "closed".to_owned())
            }
            Err(error) => format!("cannot connect: {error}"),
        };
        let mut tally = lock(&self.tally);
        tally.lost += 1;
        note(&mut tally, why);
    }

    /// Whether the rig has become ready by this line.
    fn hear(&self, one: &Connected, line: &[u8]) -> bool {
        let mut rig = one.rig.borrow_mut();
        let mut heard = Heard::Nothing;
        one.wire.write(|out| heard = rig.hear(line, &self.roll, out));
        let mut tally = lock(&self.tally);
        let answered = matches!(heard, Heard::Accepted(_) | Heard::Refused(_));
        match heard {
            Heard::Nothing => {}
            Heard::Job(number) => tally.arrivals.push((number, self.roll.now())),
            Heard::Accepted(time) => {
                tally.accepted += 1;
                if tally.round_trips.len() < MAX_SAMPLES {
                    tally.round_trips.push(time);
                }
            }
            Heard::Refused(answer) => {
                tally.refused += 1;
                note(&mut tally, answer);
            }
            Heard::NoLogin(answer) => note(&mut tally, answer),
        }
        if answered && let Load::InFlight(count) = self.load.get() {
            // Those of a former load may still be in flight.
            for _ in rig.in_flight..count {
                one.wire.write(|out| tally.sent += u64::from(rig.submit(&self.roll, out)));
            }
        }
        let ready = rig.becomes_ready();
        tally.ready += u64::from(ready);
        ready
    }

    /// Brings every rig to so many shares in flight.
    fn fill(&self, count: u32) {
        for one in self.rigs.borrow().iter() {
            let mut rig = one.rig.borrow_mut();
            rig.in_flight = 0;
            let count = if rig.is_ready() { count } else { 0 };
            for _ in 0..count {
                let mut made = false;
                one.wire.write(|out| made = rig.submit(&self.roll, out));
                lock(&self.tally).sent += u64::from(made);
            }
            drop(rig);
            one.wire.flush();
        }
    }

    /// Lets the rigs send in turn, so many shares a second.
    async fn pace(self: Rc<Self>, rate: f64) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let start = Instant::now();
        let mut turn = 0;
        loop {
            ticks.tick().await;
            let due = (start.elapsed().as_secs_f64() * rate) as usize;
            let rigs = self.rigs.borrow();
            while turn < due && !rigs.is_empty() {
                let one = &rigs[turn % rigs.len()];
                turn += 1;
                let mut rig = one.rig.borrow_mut();
                if rig.in_flight >= MAX_IN_FLIGHT {
                    lock(&self.tally).held += 1;
                    continue;
                }
                let mut made = false;
                one.wire.write(|out| made = rig.submit(&self.roll, out));
                lock(&self.tally).sent += u64::from(made);
                drop(rig);
                one.wire.flush();
            }
        }
    }
}

fn note(tally: &mut Tally, text: String) {
    if tally.refusals.len() < MAX_REFUSALS {
        tally.refusals.push(text);
    }
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}
