//! What a rig takes in memory in the whole proxy: its session, its task, its places on the roster and
//! in all tables. Linking `allocation_counter` counts what each thread allocates; here everything runs
//! on one.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use allocation_counter::measure;
use orepass::net::wire::Wire;
use orepass_tests::site::Plan;
use orepass_tests::wires::Wired;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Runtime};

/// What a rig may hold on the heap when it has logged in and has its first job, in bytes. A socket
/// takes 304 more, which the runtime has for it.
const MAX_HEAP: usize = 3008;
/// The same when it has had ten jobs, of which it remembers those that may still be mined.
const MAX_HEAP_OF_TEN: usize = 3392;
/// How many rigs are measured…
const RIGS: usize = 500;
/// …after so many, with which that is there which all share.
const FIRST: usize = 20;

/// A rig's end of a connection that says two lines and reads all that it is told.
struct Scripted {
    number: u32,
    said: u8,
    /// How many jobs all rigs were told.
    told: Arc<AtomicUsize>,
}

impl AsyncRead for Scripted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let number = self.number;
        let line = match self.said {
            0 => r#"{"id":1,"method":"mining.subscribe","params":["cgminer/4.11"]}"#.to_owned(),
            1 => format!(
                r#"{{"id":2,"method":"mining.authorize","params":["account.rig{number:05}","x"]}}"#
            ),
            // It is never woken: a rig that only listens.
            _ => return Poll::Pending,
        };
        buffer.put_slice(line.as_bytes());
        buffer.put_slice(b"\n");
        self.said += 1;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let jobs = bytes.windows(15).filter(|window| window == b"\"mining.notify\"").count();
        self.told.fetch_add(jobs, Ordering::Relaxed);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Wire for Scripted {
    fn adopt(self: Box<Self>) -> io::Result<Box<dyn Wire>> {
        Ok(self)
    }
}

/// A pool, the route to it, and how many jobs its rigs were told.
struct Farm {
    runtime: Runtime,
    wired: Wired,
    rigs: usize,
    told: Arc<AtomicUsize>,
}

impl Farm {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let mut plan = Plan::deployed();
        plan.route.prefix_bytes = Some(2);
        plan.route.max_rigs_per_channel = FIRST + RIGS;
        plan.route.max_channels = 1;
        let wired = runtime.block_on(async { Wired::start(plan, 1, |_, _| ()) });
        Self { runtime, wired, rigs: 0, told: Arc::default() }
    }

    /// Runs until rigs were told so many jobs more, all together.
    fn until_told(&self, jobs: usize) {
        self.runtime.block_on(async {
            while self.told.load(Ordering::Relaxed) < jobs {
                tokio::task::yield_now().await;
            }
            // What is left to do then.
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        });
        self.told.store(0, Ordering::Relaxed);
    }

    /// Rigs log in and are told the present job.
    fn log_in(&mut self, rigs: usize) {
        let entered = self.runtime.enter();
        for number in self.rigs..self.rigs + rigs {
            let number = number as u32;
            let wire = Scripted { number, said: 0, told: Arc::clone(&self.told) };
            let peer = ((0x0a00_0000 + number).to_be_bytes(), 1024).into();
            self.wired.route.admit(wire, peer, 3333).unwrap();
        }
        drop(entered);
        self.rigs += rigs;
        self.until_told(rigs);
    }

    fn job(&self) {
        self.wired.pools[0].new_job();
        self.until_told(self.rigs);
    }
}

#[test]
fn a_rig_takes_little_in_the_whole_proxy() {
    let mut farm = Farm::new();
    farm.log_in(FIRST);
    let heap = measure(|| farm.log_in(RIGS));
    let heap = usize::try_from(heap.bytes_current).unwrap() / RIGS;
    println!("{heap} bytes on the heap with a job");
    let jobs = measure(|| (0..9).for_each(|_| farm.job())).bytes_current;
    let jobs = heap + usize::try_from(jobs).unwrap() / RIGS;
    println!("{jobs} bytes on the heap after ten jobs");
    assert!(heap <= MAX_HEAP, "{heap}");
    assert!(jobs <= MAX_HEAP_OF_TEN, "{jobs}");
}
