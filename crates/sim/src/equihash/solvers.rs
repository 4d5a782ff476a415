//! Threads that solve, shared by many rigs.
//!
//! A nonce takes a second or two and some hundred MB, so no more are solved at a time than there are
//! threads, and whoever has waited longest for a solved nonce comes first.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use orepass_equihash::Equihash;
use orepass_equihash::solver::Solver;
use tokio::sync::oneshot;

use super::Bytes32;

/// A thread that has nothing to do for so long ends, and gives its memory back.
const IDLE: Duration = Duration::from_secs(5);
/// How many nonces' solutions are remembered.
const MAX_KNOWN: usize = 1024;

/// The solutions of a nonce, in their minimal encoding.
type Solutions = Arc<[Vec<u8>]>;

/// A header up to its nonce, and the nonce.
type Riddle = (Arc<[u8]>, Bytes32);

/// Threads that solve one Equihash. Clones are handles to the same threads.
#[derive(Debug, Clone)]
pub struct Solvers {
    inner: Arc<SolversInner>,
}

/// A rig's place in the queue for the [`Solvers`]. Clones are the same place.
#[derive(Debug, Clone)]
pub struct SolverPlace {
    solvers: Solvers,
    /// When a nonce of this seat was solved last.
    served: Arc<AtomicU64>,
}

#[derive(Debug)]
struct SolversInner {
    equihash: Equihash,
    max_threads: usize,
    state: Mutex<SolversState>,
    work: Condvar,
}

#[derive(Debug, Default)]
struct SolversState {
    /// By the time that the seat was served last, then by arrival.
    queue: BTreeMap<(u64, u64), SolveRequest>,
    /// Counts requests and answers.
    clock: u64,
    threads: usize,
    idle: usize,
    known: HashMap<Riddle, Solutions>,
    /// The keys of `known`, the oldest first.
    order: VecDeque<Riddle>,
}

#[derive(Debug)]
struct SolveRequest {
    riddle: Riddle,
    ticket: Arc<SolveTicket>,
    served: Arc<AtomicU64>,
    answer: oneshot::Sender<Solutions>,
}

/// What a request and its thread know of each other.
#[derive(Debug, Default)]
struct SolveTicket {
    begun: AtomicBool,
    abandoned: AtomicBool,
}

impl Solvers {
    /// At most so many threads, which are started when they are needed.
    #[must_use]
    pub fn new(equihash: Equihash, threads: usize) -> Self {
        let (state, work) = (Mutex::new(SolversState::default()), Condvar::new());
        let inner = SolversInner { equihash, max_threads: threads.max(1), state, work };
        Self { inner: Arc::new(inner) }
    }

    /// The threads of this process for this Equihash, as many as it may use processors.
    #[must_use]
    pub fn shared(equihash: Equihash) -> Self {
        static SHARED: Mutex<Vec<Solvers>> = Mutex::new(Vec::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(solvers) = shared.iter().find(|solvers| solvers.inner.equihash == equihash) {
            return solvers.clone();
        }
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let solvers = Self::new(equihash, threads);
        shared.push(solvers.clone());
        solvers
    }

    /// A new place in the queue.
    #[must_use]
    pub fn seat(&self) -> SolverPlace {
        SolverPlace { solvers: self.clone(), served: Arc::default() }
    }

    /// All solutions of a nonce. Dropping the future gives it up.
    pub async fn solve(&self, header: impl Into<Arc<[u8]>>, nonce: Bytes32) -> Vec<Vec<u8>> {
        self.seat().request(header.into(), nonce).await.to_vec()
    }

    /// Makes solutions known, all of this nonce, so that they are found at once.
    pub fn teach(&self, header: impl Into<Arc<[u8]>>, nonce: Bytes32, solutions: Vec<Vec<u8>>) {
        self.inner.state().remember((header.into(), nonce), solutions.into());
    }
}

impl SolverPlace {
    /// Asks for the solutions of a nonce.
    pub(super) fn request(&self, header: Arc<[u8]>, nonce: Bytes32) -> Solving {
        let (answer, solutions) = oneshot::channel();
        let ticket = Arc::new(SolveTicket::default());
        let riddle = (header, nonce);
        let inner = &self.solvers.inner;
        let mut state = inner.state();
        if let Some(known) = state.known.get(&riddle) {
            // The receiver is at hand, so it takes the answer.
            let _ = answer.send(Arc::clone(known));
        } else {
            let place = (self.served.load(Ordering::Relaxed), state.tick());
            let served = Arc::clone(&self.served);
            let request = SolveRequest { riddle, ticket: Arc::clone(&ticket), served, answer };
            state.queue.insert(place, request);
            inner.staff(&mut state);
        }
        drop(state);
        inner.work.notify_one();
        Solving { ticket, solutions }
    }
}

/// Solutions that are being found. Dropped, the work is given up.
#[derive(Debug)]
pub(super) struct Solving {
    ticket: Arc<SolveTicket>,
    solutions: oneshot::Receiver<Solutions>,
}

impl Solving {
    /// Whether a thread has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.ticket.begun.load(Ordering::Relaxed)
    }
}

impl Future for Solving {
    type Output = Solutions;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Solutions> {
        // A thread that ended over a request has found nothing.
        Pin::new(&mut self.solutions).poll(context).map(Result::unwrap_or_default)
    }
}

impl Drop for Solving {
    fn drop(&mut self) {
        self.ticket.abandoned.store(true, Ordering::Relaxed);
    }
}

impl SolversInner {
    /// Every change is made at once, so the state is good after a panic as well.
    fn state(&self) -> MutexGuard<'_, SolversState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts threads while there is more to do than threads that wait for it.
    fn staff(self: &Arc<Self>, state: &mut SolversState) {
        while state.queue.len() > state.idle && state.threads < self.max_threads {
            let inner = Arc::clone(self);
            let started = thread::Builder::new().name("solver".into()).spawn(move || {
                let mut shift = Shift { inner, ended: false };
                shift.work();
            });
            if let Err(error) = started {
                tracing::warn!(%error, "cannot start a thread to solve");
                return;
            }
            state.threads += 1;
            // It does not wait for work, but it will come for some.
            state.idle += 1;
        }
    }

    /// Waits for the next request; `None` when a thread is to end.
    fn next(&self) -> Option<SolveRequest> {
        let mut state = self.state();
        loop {
            if let Some((_, request)) = state.queue.pop_first() {
                state.idle -= 1;
                return Some(request);
            }
            let waited = self.work.wait_timeout(state, IDLE);
            let (back, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = back;
            if timeout.timed_out() && state.queue.is_empty() {
                state.idle -= 1;
                state.threads -= 1;
                return None;
            }
        }
    }
}

impl SolversInner {
    /// Ends a thread that cannot work, and with it all that is waiting: no other could.
    fn give_up(&self) {
        let mut state = self.state();
        state.idle -= 1;
        state.threads -= 1;
        state.queue.clear();
    }
}

impl SolversState {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn remember(&mut self, riddle: Riddle, solutions: Solutions) {
        if self.known.insert(riddle.clone(), solutions).is_some() {
            return;
        }
        if self.order.len() == MAX_KNOWN
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(riddle);
    }
}

/// A thread's time at work.
struct Shift {
    inner: Arc<SolversInner>,
    /// Whether it has been booked as over.
    ended: bool,
}

impl Shift {
    fn work(&mut self) {
        let mut solver = match Solver::new(self.inner.equihash) {
            Ok(solver) => solver,
            Err(error) => {
                tracing::error!(%error, "cannot solve");
                self.inner.give_up();
                self.ended = true;
                return;
            }
        };
        while let Some(request) = self.inner.next() {
            Self::solve(&self.inner, &mut solver, request);
            self.inner.state().idle += 1;
        }
        self.ended = true;
    }

    fn solve(inner: &SolversInner, solver: &mut Solver, request: SolveRequest) {
        let SolveRequest { riddle, ticket, served, answer } = request;
        let abandoned = || ticket.abandoned.load(Ordering::Relaxed);
        if abandoned() {
            return;
        }
        ticket.begun.store(true, Ordering::Relaxed);
        let (header, nonce) = &riddle;
        let Some(solutions) = solver.solve_unless(header, nonce, &abandoned) else {
            return;
        };
        let solutions: Solutions = solutions.into();
        let mut state = inner.state();
        served.store(state.tick(), Ordering::Relaxed);
        state.remember(riddle, Arc::clone(&solutions));
        drop(state);
        // Whoever asked may be gone by now.
        let _ = answer.send(solutions);
    }
}

impl Drop for Shift {
    /// A thread that panicked makes room for another.
    fn drop(&mut self) {
        if !self.ended {
            let mut state = self.inner.state();
            state.threads -= 1;
            self.inner.staff(&mut state);
        }
    }
}

#[cfg(test)]
mod tests {
    use orepass_equihash::EquihashParams;

    use super::*;

    fn one_thread() -> Solvers {
        Solvers::new(Equihash::tagged(EquihashParams::of::<48, 5>(), *b"solution"), 1)
    }

    #[test]
    fn each_equihash_has_threads_of_its_own() {
        let [one, other] = [*b"solution", *b"another!"]
            .map(|tag| Equihash::tagged(EquihashParams::of::<48, 5>(), tag));
        let shared = |equihash| Arc::as_ptr(&Solvers::shared(equihash).inner);
        assert_eq!(shared(one), shared(one));
        assert_ne!(shared(one), shared(other));
    }

    #[tokio::test]
    async fn what_is_taught_is_found_at_once() {
        let solvers = one_thread();
        solvers.teach([1_u8; 32], [2; 32], vec![vec![3; 1408]]);
        assert_eq!(solvers.solve([1_u8; 32], [2; 32]).await, [vec![3; 1408]]);
        for number in 0..=MAX_KNOWN {
            let mut nonce = [0; 32];
            nonce[..8].copy_from_slice(&number.to_le_bytes());
            solvers.teach([1_u8; 32], nonce, Vec::new());
        }
        let state = solvers.inner.state();
        assert_eq!((state.known.len(), state.order.len()), (MAX_KNOWN, MAX_KNOWN));
        assert_eq!(state.threads, 0, "nothing had to be solved");
    }

    /// Whoever was served comes after those who were not, whenever they asked.
    #[tokio::test]
    async fn the_longest_unserved_comes_first() {
        let solvers = one_thread();
        let [served, waiting, late] = [(); 3].map(|()| solvers.seat());
        served.served.store(7, Ordering::Relaxed);
        let held: Vec<_> = [&served, &waiting, &late]
            .into_iter()
            .enumerate()
            .map(|(number, seat)| {
                // As if all threads were at work.
                solvers.inner.state().threads = 1;
                seat.request([0_u8; 32].into(), [number as u8; 32])
            })
            .collect();
        let mut order = Vec::new();
        while let Some((_, request)) = solvers.inner.state().queue.pop_first() {
            order.push(request.riddle.1[0]);
        }
        assert_eq!(order, [1, 2, 0]);
        assert!(held.iter().all(|solving| !solving.has_begun()));
    }
}
