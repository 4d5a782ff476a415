//! What comes from outside, fed to the places that read it: the bodies of the fuzz targets, plain
//! functions of bytes that panic when something does not hold. The targets of cargo-fuzz are
//! thin shells around them; a test of the workspace feeds them all seeds (`tests/tests/fuzz.rs`).

mod answer;
pub mod coin;
mod config;
mod farm;
mod history_row;
mod line_reader;
mod notify;
mod pool_lines;
mod proxy_header;
pub mod records;
mod rig_lines;
mod rpc;
mod sessions;
mod submit;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Buf;
use orepass_aion::Aion;
use orepass_bitcoin::Bitcoin;
use orepass_hstratum::Hstratum;
use orepass_stratum::job::JobIds;
use orepass_stratum::time::Instant;
use orepass_stratum::transmit::Transmit;
use orepass_stratum::upstream::{Upstream, UpstreamConfig};
use orepass_zcash::Zcash;
use serde_json::value::RawValue;

pub use self::answer::answer;
use self::coin::Coin;
pub use self::config::config;
pub use self::farm::farm;
pub use self::history_row::history_row;
pub use self::line_reader::line_reader;
pub use self::notify::notify;
pub use self::pool_lines::pool_lines;
pub use self::proxy_header::proxy_header;
pub use self::rig_lines::rig_lines;
pub use self::rpc::rpc;
pub use self::sessions::sessions;
pub use self::submit::submit;

/// What is done with an input. Gives what of worth was in it, so that a test can tell inputs that no
/// longer reach what they were made for: lines, jobs, or good shares.
pub type Body = fn(&[u8]) -> usize;

/// Every target by its name, which is that of its file and of its folder of seeds.
pub const TARGETS: [(&str, Body); 27] = [
    ("line_reader", line_reader),
    ("rpc", rpc),
    ("config", config),
    ("proxy_header", proxy_header),
    ("sessions", sessions),
    ("farm", farm),
    ("history_row", history_row),
    ("hstratum_rig_lines", rig_lines::<Hstratum>),
    ("hstratum_pool_lines", pool_lines::<Hstratum>),
    ("hstratum_notify", notify::<Hstratum>),
    ("hstratum_submit", submit::<Hstratum>),
    ("hstratum_answer", answer::<Hstratum>),
    ("aion_rig_lines", rig_lines::<Aion>),
    ("aion_pool_lines", pool_lines::<Aion>),
    ("aion_notify", notify::<Aion>),
    ("aion_submit", submit::<Aion>),
    ("aion_answer", answer::<Aion>),
    ("bitcoin_rig_lines", rig_lines::<Bitcoin>),
    ("bitcoin_pool_lines", pool_lines::<Bitcoin>),
    ("bitcoin_notify", notify::<Bitcoin>),
    ("bitcoin_submit", submit::<Bitcoin>),
    ("bitcoin_answer", answer::<Bitcoin>),
    ("zcash_rig_lines", rig_lines::<Zcash>),
    ("zcash_pool_lines", pool_lines::<Zcash>),
    ("zcash_notify", notify::<Zcash>),
    ("zcash_submit", submit::<Zcash>),
    ("zcash_answer", answer::<Zcash>),
];

/// The longest line that a session may write when it was told nothing longer. A refusal quotes
/// what was wrong, shortened.
const MAX_ANSWER: usize = 4096;

/// A line that a session wrote, its values as they were written: an id is given back as it came,
/// and may be a string that a strict reader would not take.
type Line = BTreeMap<String, Box<RawValue>>;

/// A value's text; nothing for one that is missing.
fn text<'a>(line: &'a Line, key: &str) -> &'a str {
    line.get(key).map_or("", |value| value.get())
}

/// Takes everything that waits to be written. It is whole lines, each a JSON object.
fn take(transmit: &mut Transmit) -> Vec<Line> {
    let bytes = transmit.copy_to_bytes(transmit.remaining());
    assert!(transmit.is_empty() && transmit.chunk().is_empty());
    let written = std::str::from_utf8(&bytes).expect("UTF-8 is written");
    assert!(written.is_empty() || written.ends_with('\n'), "half a line is written: {written:?}");
    let line = |line: &str| {
        let read: Line = serde_json::from_str(line)
            .unwrap_or_else(|error| panic!("not a JSON object ({error}): {line:?}"));
        assert!(is_call(&read) || line.len() <= MAX_ANSWER, "{} bytes", line.len());
        read
    };
    written.lines().map(line).collect()
}

/// Whether a line is a call, and no answer.
fn is_call(line: &Line) -> bool {
    line.contains_key("method")
}

/// The instant that all stories begin at: where it is makes no difference.
const fn start() -> Instant {
    orepass_stratum::testing::start()
}

/// A session with a pool that has just been connected.
fn connected<D: Coin>(dialect: &Arc<D>, now: Instant) -> Upstream<D, u32> {
    let config = UpstreamConfig::new("account.farm", "hunter2", "orepass/1");
    let ids = Arc::new(JobIds::new(0x6b00_0000));
    let mut pool = Upstream::new(Arc::clone(dialect), config, ids);
    pool.handle_connected(now);
    let asked: Vec<_> = take(pool.transmit());
    let last = asked.last().map(|line| text(line, "method"));
    assert_eq!(last, Some("\"mining.subscribe\""));
    pool
}

/// A session with a pool that has answered subscribe and authorize, takes every hash and has told
/// this job; and the time then. Its next request has the id that follows those of the login, or the one
/// after that where the job was asked about.
fn mining<D: Coin>(dialect: &Arc<D>, notify: &str, now: Instant) -> (Upstream<D, u32>, Instant) {
    let mut pool = connected(dialect, now);
    for line in D::GREETING {
        pool.handle_line(line.as_bytes(), now);
    }
    let line = format!("{{\"id\":null,\"method\":\"mining.notify\",\"params\":{notify}}}");
    pool.handle_line(line.as_bytes(), now);
    let mut now = now;
    if dialect.rules().target_behind_notify.is_some() {
        now = pool.poll_timeout().expect("the wait for a target");
        pool.handle_timeout(now);
    }
    while pool.poll_event().is_some() {}
    let _ = take(pool.transmit());
    assert!(pool.is_live() && pool.view().work.is_some());
    (pool, now)
}
