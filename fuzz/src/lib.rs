//! What the fuzz targets share: jobs, sessions, and what must hold of every byte written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Buf;
use orepass_hstratum::Hstratum;
use orepass_hstratum::job::Job;
use orepass_stratum::job::JobIds;
use orepass_stratum::transmit::Transmit;
use orepass_stratum::upstream::{Upstream, UpstreamConfig};
use serde_json::value::RawValue;

/// The longest line that a session may write when it was told nothing longer. A refusal quotes
/// what was wrong, shortened.
pub const MAX_ANSWER: usize = 4096;

/// The parameters of a mainnet notify.
pub const DEPLOYED: &str = r#"["gTvmBBIuLW","00000000000005a6d2c1716b4ce0077d06cf6d6337ac2392f9e75821183fdea8","791dcae1813b2cd031208efad11c8dbc735195869e126cccd9eda08674eb0b0f","2716257b59d2ec7784efa547dc9cf035b489b9349477918303952458e7bd9714","1e2b44242c8ee57154496f66e9941d20aca69a3a239cb55a622f9b5d162a53ff","0000000000000000000000000000000000000000000000000000000000000000","00000000","1a06e782","5e49aa25"]"#;
/// The parameters of a seed-generation notify with its leaves: all that a check needs.
pub const SEED: &str = r#"["1795208754:4","fc30cf4b2fd4155aea98bedbdd115840a4292455ebd3b927b9bab31538ecf4d6","00000000010000000000000000000000000000000000000000000000000000000000000000ffffffffb688132701009435770000000000146bb5dca053ae9d10a5344d7ab99db4c2a8daf604000005000000030c6d696e65642062792068736408b818c8de5f9dd45108","",[],[],"0000000000000000000000000000000000000000000000000000000000000000","0000000000000000000000000000000000000000000000000000000000000000","0000000000000000000000000000000000000000000000000000000000000000","00000000","207fffff","6b00b632",false]"#;
/// The parameters of a seed-generation notify without leaves: it cannot be checked before the
/// pool tells the transactions.
pub const SEED_UNCHECKABLE: &str = r#"["1795208778:5","bebbced85058b00d7046c7b006ec8debdf49bb102a9ab0c1a0841d6fd47eb925","00000000010000000000000000000000000000000000000000000000000000000000000000ffffffffd3478cf80141a138770000000000146bb5dca053ae9d10a5344d7ab99db4c2a8daf604000006000000030c6d696e656420627920687364089dd9f54c4a83e69908","",["fe9cd3f4a3807b1e9bbb333db319f800cd3443a41f599b0810078dec3ea50c41","dad67a0b82043b7c2fefbc63985c91fd3a37f7af95ad9f18392e8e5fee5563ef"],"0000000000000000000000000000000000000000000000000000000000000000","0000000000000000000000000000000000000000000000000000000000000000","0000000000000000000000000000000000000000000000000000000000000000","00000000","207fffff","6b00b64a",false]"#;
/// One of each kind.
pub const NOTIFIES: [&str; 3] = [DEPLOYED, SEED, SEED_UNCHECKABLE];

/// JSON that is known to be JSON.
#[must_use]
pub fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.into()).expect("JSON")
}

/// A job of the notifies above.
#[must_use]
pub fn job(params: &str) -> Job {
    Job::parse(&raw(params)).expect("a job")
}

/// A line that a session wrote, its values as they were written: an id is given back as it came,
/// and may be a string that a strict reader would not take.
pub type Line = BTreeMap<String, Box<RawValue>>;

/// A value's text; nothing for one that is missing.
#[must_use]
pub fn text<'a>(line: &'a Line, key: &str) -> &'a str {
    line.get(key).map_or("", |value| value.get())
}

/// Takes everything that waits to be written. It is whole lines, each a JSON object.
pub fn take(transmit: &mut Transmit) -> Vec<Line> {
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
#[must_use]
pub fn is_call(line: &Line) -> bool {
    line.contains_key("method")
}

/// A session with a pool that has just been connected.
#[must_use]
pub fn connected(dialect: &Arc<Hstratum>, now: Instant) -> Upstream<Hstratum, u32> {
    let config = UpstreamConfig {
        user: "account.farm".into(),
        password: "hunter2".into(),
        agent: "orepass/1".into(),
        prefix_bytes: None,
        max_rigs: 250,
        resubmit: false,
        fallback: false,
    };
    let ids = Arc::new(JobIds::new(0x6b00_0000));
    let mut pool = Upstream::new(Arc::clone(dialect), config, ids);
    pool.handle_connected(now);
    let subscribe = take(pool.transmit());
    assert_eq!(subscribe.len(), 1);
    pool
}

/// A session with a pool that has answered subscribe and authorize, takes every hash and has told
/// this job. Its next request has the id 3, or 4 where the job was asked about.
#[must_use]
pub fn mining(dialect: &Arc<Hstratum>, notify: &str, now: Instant) -> Upstream<Hstratum, u32> {
    let mut pool = connected(dialect, now);
    for line in [
        r#"{"id":1,"result":[[["mining.notify","02c05bfd"]],"02c05bfd",4],"error":null}"#,
        r#"{"id":2,"result":true,"error":null}"#,
        r#"{"id":null,"method":"mining.set_difficulty","params":[1e-12]}"#,
    ] {
        pool.handle_line(line.as_bytes(), now);
    }
    let line = format!("{{\"id\":null,\"method\":\"mining.notify\",\"params\":{notify}}}");
    pool.handle_line(line.as_bytes(), now);
    while pool.poll_event().is_some() {}
    let _ = take(pool.transmit());
    assert!(pool.is_live() && pool.view().work.is_some());
    pool
}
