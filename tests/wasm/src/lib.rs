//! Both sessions of every coin, from login to verdict, where there is no clock of a system, no socket
//! and no thread: what plays here plays in a browser.

use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use orepass_aion::Aion;
use orepass_bitcoin::Bitcoin;
use orepass_hstratum::Hstratum;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::{Downstream, DownstreamConfig, Event};
use orepass_stratum::job::{JobId, JobIds};
use orepass_stratum::testing::{seated_rig, written};
use orepass_stratum::time::Instant;
use orepass_stratum::transmit::Transmit;
use orepass_stratum::upstream::{Upstream, UpstreamConfig, UpstreamEvent};
use orepass_zcash::Zcash;
use serde_json::{Value, json};

/// A block of the Aion chain and one of Zcash's, whose solutions are checked for real.
const AION: (&str, &str) = (include_str!("../../vectors/aion.json"), "mainnet_block_99995");
const ZCASH: (&str, &str) = (include_str!("../../vectors/zcash.json"), "mainnet_block_415000");

/// How many shares are accepted when all goes well: one of each coin.
pub const GOOD: u32 = 4;

/// Logs a rig of each coin in at a pool, tells it a job, and has its share judged here and by the
/// pool. Gives how many of the rigs were told that their share is good.
///
/// # Panics
/// Where a session does not do what it should.
#[must_use]
pub fn play() -> u32 {
    handshake() + aion() + bitcoin() + zcash()
}

/// A difficulty that every hash meets.
fn handshake() -> u32 {
    let zeros = "00".repeat(32);
    let pool = [
        call("mining.set_difficulty", &json!([1e-18])),
        call(
            "mining.notify",
            &json!(["1", zeros, zeros, zeros, zeros, zeros, "00000000", "1900ffff", "6553f100"]),
        ),
    ];
    let subscribed = json!([[["mining.notify", "5e55"]], "01020304", 4]);
    let submit = |job: JobId| json!(["rig", job.to_string(), "000000", "6553f100", "00000001"]);
    Played::<Hstratum>::new(1, subscribed, &pool).shares(submit)
}

fn aion() -> u32 {
    let row = block(AION);
    let text = |key: &str| row[key].as_str().expect("a text");
    let (extranonce1, extranonce2) = text("nonce").split_at(16);
    let pool = [call("mining.notify", &json!(["1", true, "f".repeat(64), text("header_hash")]))];
    let solution = format!("fd8005{}", text("solution"));
    let submit = |job: JobId| json!(["rig", job.to_string(), "00000000", extranonce2, solution]);
    Played::<Aion>::new(0, json!([null, extranonce1]), &pool).shares(submit)
}

/// The coinbase is not one: its hash needs no meaning.
fn bitcoin() -> u32 {
    let (zeros, branches) = ("00".repeat(32), ["ab".repeat(32), "cd".repeat(32)]);
    let pool = [
        call("mining.set_difficulty", &json!([1e-18])),
        call(
            "mining.notify",
            &json!(["1", zeros, "0102", "03", branches, "20000000", "1900ffff", "6553f100", true]),
        ),
    ];
    let subscribed = json!([[["mining.notify", "5e55"]], "01020304", 8]);
    let submit =
        |job: JobId| json!(["rig", job.to_string(), "0000000000000000", "6553f107", "00000001"]);
    Played::<Bitcoin>::new(0, subscribed, &pool).shares(submit)
}

fn zcash() -> u32 {
    let row = block(ZCASH);
    let text = |key: &str| row[key].as_str().expect("a text");
    let (extranonce1, extranonce2) = text("nonce").split_at(8);
    let fields = ["version", "prev_hash", "merkle_root", "reserved", "time", "bits"];
    let [version, prev, root, reserved, time, bits] = fields.map(text);
    let pool = [
        call("mining.set_target", &json!(["f".repeat(64)])),
        call("mining.notify", &json!(["1", version, prev, root, reserved, time, bits, true])),
    ];
    let solution = format!("fd4005{}", text("solution"));
    let submit = |job: JobId| json!(["rig", job.to_string(), time, extranonce2, solution]);
    Played::<Zcash>::new(0, json!([null, extranonce1]), &pool).shares(submit)
}

/// A row of vectors, by its name.
fn block((vectors, name): (&str, &str)) -> Value {
    let all: Value = serde_json::from_str(vectors).expect("vectors");
    let rows = all["valid"].as_array().expect("rows");
    rows.iter().find(|row| row["name"] == name).expect("the block").clone()
}

fn call(method: &str, params: &Value) -> String {
    json!({ "id": null, "method": method, "params": params }).to_string()
}

/// A pool that says yes to everything, and what the proxy's session makes of it.
struct Played<D: Dialect> {
    pool: Upstream<D, u64>,
    subscribed: Value,
    now: Instant,
}

impl<D: Dialect + Default> Played<D> {
    fn new(prefix_bytes: usize, subscribed: Value, told: &[String]) -> Self {
        let config = UpstreamConfig::new("account", "x", "wasm/1")
            .with_prefix_bytes(prefix_bytes)
            .with_max_rigs(1);
        let pool = Upstream::new(Arc::new(D::default()), config, Arc::new(JobIds::new(1)));
        let mut played =
            Self { pool, subscribed, now: Instant::after_origin(Duration::from_secs(1)) };
        played.pool.handle_connected(played.now);
        let verdicts = played.answer();
        assert!(verdicts.is_empty());
        for line in told {
            played.pool.handle_line(line.as_bytes(), played.now);
        }
        // In case the target follows the job.
        played.passes(Duration::from_secs(1));
        let verdicts = played.answer();
        assert!(verdicts.is_empty());
        assert!(played.pool.is_live(), "{}: the pool took the login", D::NAME);
        played
    }

    fn passes(&mut self, time: Duration) {
        self.now += time;
        while self.pool.poll_timeout().is_some_and(|at| at <= self.now) {
            self.pool.handle_timeout(self.now);
        }
    }

    /// The pool answers all that it was asked, until nothing more is said; which shares it took.
    fn answer(&mut self) -> Vec<u64> {
        let mut taken = Vec::new();
        loop {
            while let Some(event) = self.pool.poll_event() {
                match event {
                    UpstreamEvent::Verdict { ticket, outcome, .. } if outcome.told.is_ok() => {
                        taken.push(ticket);
                    }
                    UpstreamEvent::Verdict { outcome, .. } => panic!("refused: {outcome:?}"),
                    UpstreamEvent::Down(reason) => panic!("the connection is down: {reason}"),
                    _ => {}
                }
            }
            let asked = written(self.pool.transmit());
            if asked.is_empty() {
                return taken;
            }
            for line in asked.lines() {
                let asked: Value = serde_json::from_str(line).expect("a line of JSON");
                let subscribes = asked["method"] == "mining.subscribe";
                let result = if subscribes { self.subscribed.clone() } else { true.into() };
                let answer = json!({ "id": asked["id"], "result": result, "error": null });
                self.pool.handle_line(answer.to_string().as_bytes(), self.now);
            }
        }
    }

    /// A rig sends a share, made for the job that it is told; how many it is told are good.
    fn shares(mut self, submit: impl Fn(JobId) -> Value) -> u32 {
        let (dialect, config) = (Arc::new(D::default()), Arc::new(DownstreamConfig::default()));
        let (mut scratch, view) = (D::Scratch::default(), self.pool.view());
        let mut rig = seated_rig(&dialect, &config, "rig", &view, self.now, &mut scratch);
        let job = told(&mut rig).expect("a job");
        drain(rig.transmit());
        let line = json!({ "id": 3, "method": "mining.submit", "params": submit(job) }).to_string();
        let share = rig.handle_line(line.as_bytes(), self.now, &mut scratch);
        let share = share.unwrap_or_else(|| panic!("refused: {}", written(rig.transmit())));
        assert!(share.hash.is_some(), "{}: its proof of work was checked", D::NAME);
        let number = share.number;
        self.passes(Duration::from_millis(100));
        self.pool.handle_submission(share, number, self.now);
        for number in self.answer() {
            rig.handle_verdict(number, &Ok(()), self.now);
        }
        let heard = written(rig.transmit());
        heard.lines().filter(|line| line.contains("\"result\":true")).count() as u32
    }
}

/// The job that a rig was told last.
fn told<D: Dialect>(rig: &mut Downstream<D>) -> Option<JobId> {
    let events = std::iter::from_fn(|| rig.poll_event());
    events.filter_map(|event| if let Event::Told(id) = event { Some(id) } else { None }).last()
}

fn drain(transmit: &mut Transmit) {
    transmit.advance(transmit.remaining());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rig_of_each_coin_has_its_share_accepted() {
        assert_eq!(play(), GOOD);
    }
}
