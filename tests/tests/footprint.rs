//! What a session with a rig takes in memory. Linking `allocation_counter` counts what each thread
//! allocates.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use bytes::Buf;
use orepass::clock::now;
use orepass_aion::Aion;
use orepass_bitcoin::Bitcoin;
use orepass_hstratum::Hstratum;
use orepass_stratum::channel::Submission;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::{Downstream, DownstreamConfig, Event};
use orepass_stratum::job::JobIds;
use orepass_stratum::rpc::Id;
use orepass_stratum::space::{Lease, Wish};
use orepass_stratum::time::Instant;
use orepass_stratum::transmit::Transmit;
use orepass_stratum::upstream::{Upstream, UpstreamConfig};
use orepass_zcash::Zcash;

/// A session itself, in bytes…
const MAX_SESSION: usize = 704;
/// …and what it holds on the heap when its rig has logged in and has its first job.
const MAX_HEAP: usize = 960;
/// The same when it has had ten jobs, of which it remembers those that may still be mined.
const MAX_HEAP_OF_TEN: usize = 1280;
/// How many rigs are measured, and what so many more may take in all, in bytes.
const RIGS: usize = 1_000;
const MANY: usize = 100_000;
const MAX_ALL: usize = 300 << 20;

/// A coin's pool as it is played here.
trait Played: Dialect + Default {
    const SUBSCRIBED: &'static str;
    /// The number of the subscribe, which another request may go before.
    const SUBSCRIBE: u64 = 1;

    fn notify(number: u32) -> String;
}

impl Played for Hstratum {
    const SUBSCRIBED: &'static str = r#"[[["mining.notify","01020304"]],"01020304",24]"#;

    fn notify(number: u32) -> String {
        let zeros = "00".repeat(32);
        format!(
            r#"["{number}","{zeros}","{number:064x}","{zeros}","{zeros}","{zeros}","00000000","1900ffff","6553f100"]"#
        )
    }
}

impl Played for Aion {
    const SUBSCRIBED: &'static str = r#"[null,"01020304"]"#;

    fn notify(number: u32) -> String {
        format!(r#"["{number}",true,"00{}","{number:064x}"]"#, "ff".repeat(31))
    }
}

impl Played for Bitcoin {
    const SUBSCRIBED: &'static str = r#"[[["mining.notify","01020304"]],"01020304",8]"#;
    const SUBSCRIBE: u64 = 2;

    fn notify(number: u32) -> String {
        let (zeros, branch) = ("00".repeat(32), "ab".repeat(32));
        format!(
            r#"["{number}","{zeros}","01{number:08x}","02",["{branch}"],"20000000","1900ffff","6553f100",false]"#
        )
    }
}

impl Played for Zcash {
    const SUBSCRIBED: &'static str = r#"[null,"01020304"]"#;

    fn notify(number: u32) -> String {
        let zeros = "00".repeat(32);
        format!(
            r#"["{number}","04000000","{zeros}","{number:064x}","{zeros}","a8becc5b","e1ab031c",true]"#
        )
    }
}

/// A pool, and rigs that share its connection.
struct Farm<D: Dialect> {
    pool: Upstream<D, u64>,
    rigs: Vec<Downstream<D>>,
    scratch: D::Scratch,
    now: Instant,
}

impl<D: Played> Farm<D> {
    fn new() -> Self {
        let config =
            UpstreamConfig::new("account", "x", "test/1").with_prefix_bytes(2).with_max_rigs(RIGS);
        let pool = Upstream::new(Arc::new(D::default()), config, Arc::new(JobIds::new(1)));
        let (rigs, scratch, now) = (Vec::with_capacity(RIGS), D::Scratch::default(), now());
        let mut farm = Self { pool, rigs, scratch, now };
        farm.pool.handle_connected(now);
        let (id, subscribed) = (D::SUBSCRIBE, D::SUBSCRIBED);
        farm.hears(&format!(r#"{{"id":{id},"result":{subscribed},"error":null}}"#));
        farm.hears(&format!(r#"{{"id":{},"result":true,"error":null}}"#, id + 1));
        farm.job(1);
        farm
    }

    fn hears(&mut self, line: &str) {
        self.pool.handle_line(line.as_bytes(), self.now);
        while self.pool.poll_event().is_some() {}
        self.pool.transmit().clear();
    }

    /// The pool tells a job, and all rigs are told it.
    fn job(&mut self, number: u32) {
        self.now += Duration::from_secs(10);
        let params = <D as Played>::notify(number);
        self.hears(&format!(r#"{{"id":null,"method":"mining.notify","params":{params}}}"#));
        // In case the target follows the job.
        self.now += Duration::from_secs(1);
        self.pool.handle_timeout(self.now);
        let view = self.pool.view();
        for rig in &mut self.rigs {
            rig.handle_view(&view, self.now);
            assert_eq!(drain(rig), 1, "a job");
        }
    }

    /// Rigs log in and get the present job.
    fn log_in(&mut self, rigs: usize, config: &Arc<DownstreamConfig>, dialect: &Arc<D>) {
        let view = self.pool.view();
        for _ in 0..rigs {
            let number = self.rigs.len();
            let (dialect, config) = (Arc::clone(dialect), Arc::clone(config));
            let mut rig = Downstream::new(dialect, config, format!("{number:08x}"), self.now);
            let subscribe = r#"{"id":1,"method":"mining.subscribe","params":["cgminer/4.11"]}"#;
            rig.handle_line(subscribe.as_bytes(), self.now, &mut self.scratch);
            let mut seat = view.seat(&Wish::default()).unwrap();
            seat.lease.belongs_to(Ipv4Addr::LOCALHOST.into(), None);
            rig.handle_seat(seat, &view, self.now);
            let authorize = format!(
                r#"{{"id":2,"method":"mining.authorize","params":["account.rig{number:05}","x"]}}"#
            );
            rig.handle_line(authorize.as_bytes(), self.now, &mut self.scratch);
            assert_eq!(drain(&mut rig), 1, "a job");
            self.rigs.push(rig);
        }
    }
}

/// Takes what a session has to say, as its driver does; how many jobs it told.
fn drain<D: Dialect>(rig: &mut Downstream<D>) -> usize {
    let told = std::iter::from_fn(|| rig.poll_event()).filter(|e| matches!(e, Event::Told(_)));
    let told = told.count();
    while rig.transmit().has_remaining() {
        let written = rig.transmit().chunk().len();
        rig.transmit().advance(written);
    }
    told
}

fn is_light<D: Played>() {
    let parts = [
        ("session", size_of::<Downstream<D>>()),
        ("submission", size_of::<Submission<D>>()),
        ("lease", size_of::<Lease>()),
        ("transmit", size_of::<Transmit>()),
        ("event", size_of::<Event>()),
        ("id", size_of::<Id>()),
    ];
    println!("{}: {parts:?}", D::NAME);
    assert!(parts[0].1 <= MAX_SESSION, "{parts:?}");

    let mut farm = Farm::<D>::new();
    let (config, dialect) = (Arc::new(DownstreamConfig::default()), Arc::new(D::default()));
    // What they share is there with the first.
    farm.log_in(1, &config, &dialect);
    let heap = measure(|| farm.log_in(RIGS - 1, &config, &dialect)).bytes_current;
    let heap = usize::try_from(heap).unwrap() / (RIGS - 1);
    println!("{}: {heap} bytes on the heap with a job", D::NAME);
    assert!(heap <= MAX_HEAP, "{heap}");
    let all = (size_of::<Downstream<D>>() + heap) * MANY;
    assert!(all <= MAX_ALL, "{} MiB", all >> 20);

    let jobs = measure(|| (2..=10).for_each(|number| farm.job(number))).bytes_current;
    let jobs = heap + usize::try_from(jobs).unwrap() / RIGS;
    println!("{}: {jobs} bytes on the heap after ten jobs", D::NAME);
    assert!(jobs <= MAX_HEAP_OF_TEN, "{jobs}");
}

#[test]
fn a_rig_of_handshake_takes_little() {
    is_light::<Hstratum>();
}

#[test]
fn a_rig_of_aion_takes_little() {
    is_light::<Aion>();
}

#[test]
fn a_rig_of_bitcoin_takes_little() {
    is_light::<Bitcoin>();
}

#[test]
fn a_rig_of_zcash_takes_little() {
    is_light::<Zcash>();
}
