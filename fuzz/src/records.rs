//! Inputs made of what real servers and rigs have said (`tests/vectors`) and of the example configs: what
//! fuzzing starts from beside the seeds.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// The most of a record that goes into one stream, in bytes.
const MAX_STREAM: usize = 16 << 10;

/// The records of Handshake.
const HANDSHAKE: [&str; 2] = ["handshake.jsonl", "handshake-seed-12field.jsonl"];

/// The inputs of a target, by its name.
///
/// # Panics
/// When a record cannot be read.
#[must_use]
pub fn inputs(target: &str) -> Vec<Vec<u8>> {
    let (coin, body) = match target.split_once('_') {
        Some((coin @ ("aion" | "bitcoin" | "hstratum" | "zcash"), body)) => (coin, body),
        _ => ("", target),
    };
    let lines: Vec<Line> = match coin {
        "aion" => read("aion.jsonl"),
        "bitcoin" => shares("bitcoin.json"),
        "hstratum" => HANDSHAKE.map(read).concat(),
        "zcash" => read("zcash.jsonl"),
        _ => HANDSHAKE.into_iter().chain(["aion.jsonl", "zcash.jsonl"]).flat_map(read).collect(),
    };
    match body {
        "rpc" => lines.into_iter().map(|line| line.text.into_bytes()).collect(),
        "line_reader" => vec![stream(&[0x40], &lines, |_| true)],
        "rig_lines" => vec![stream(&[0, 0xff], &lines, |line| !line.from_pool)],
        "pool_lines" => {
            [0, 0xff].map(|options| stream(&[options, 0xff], &lines, |line| line.from_pool)).into()
        }
        "notify" => lines.iter().filter_map(call).collect(),
        "submit" => lines.iter().filter_map(submit).flatten().collect(),
        "answer" => lines.iter().filter_map(answer).flatten().collect(),
        "config" => configs(),
        // What happens there is no text.
        _ => Vec::new(),
    }
}

/// A line of a record.
#[derive(Debug, Clone)]
struct Line {
    from_pool: bool,
    text: String,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn read(file: &str) -> Vec<Line> {
    let text = fs::read_to_string(folder("tests/vectors").join(file)).expect("a record");
    let line = |row: &str| {
        let row: Value = serde_json::from_str(row).expect("a row of JSON");
        let from_pool = matches!(row["dir"].as_str(), Some("S>C" | "pool->miner"));
        Some(Line { from_pool, text: row["line"].as_str()?.to_owned() })
    };
    text.lines().filter_map(line).collect()
}

/// The shares of a file, as the lines that pools and rigs say.
fn shares(file: &str) -> Vec<Line> {
    let text = fs::read_to_string(folder("tests/vectors").join(file)).expect("a file of shares");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    let lines = |share: &Value| {
        let line = |from_pool, line: Value| Line { from_pool, text: line.to_string() };
        let subscribed = json!([[["mining.notify", "ae68"]], share["extranonce1"], 8]);
        [
            line(true, json!({"id": 1, "result": subscribed, "error": null})),
            line(true, json!({"id": null, "method": "mining.notify", "params": share["notify"]})),
            line(false, json!({"id": 4, "method": "mining.submit", "params": share["submit"]})),
            line(true, json!({"id": 4, "result": true, "error": null})),
        ]
    };
    all["shares"].as_array().into_iter().flatten().flat_map(lines).collect()
}

fn stream(head: &[u8], lines: &[Line], which: impl Fn(&Line) -> bool) -> Vec<u8> {
    let mut stream = head.to_vec();
    for line in lines.iter().filter(|line| which(line)) {
        if stream.len() + line.text.len() > MAX_STREAM {
            break;
        }
        stream.extend_from_slice(line.text.as_bytes());
        stream.push(b'\n');
    }
    stream
}

fn value(line: &Line) -> Value {
    serde_json::from_str(&line.text).unwrap_or_default()
}

/// The parameters of a pool's call, behind its number.
fn call(line: &Line) -> Option<Vec<u8>> {
    let line = Some(line).filter(|line| line.from_pool).map(value)?;
    let number = super::notify::METHODS.iter().position(|method| line["method"] == *method)?;
    Some([&[number as u8][..], line["params"].to_string().as_bytes()].concat())
}

/// The parameters of a submit, for jobs of both kinds.
fn submit(line: &Line) -> Option<[Vec<u8>; 2]> {
    let line = Some(line).filter(|line| !line.from_pool).map(value)?;
    let params = Some(&line["params"]).filter(|_| line["method"] == "mining.submit")?.to_string();
    // An extranonce2 of 4 bytes.
    Some([0x10, 0x11].map(|options| [&[options][..], params.as_bytes()].concat()))
}

/// What a pool answers, as the answer to each question.
fn answer(line: &Line) -> Option<Vec<Vec<u8>>> {
    let line = Some(line).filter(|line| line.from_pool).map(value)?;
    let is_error = !line["error"].is_null();
    let value = if is_error { &line["error"] } else { line.get("result")? };
    let options = (0..7).map(|question| question | u8::from(is_error) << 3 | 0x10);
    Some(options.map(|options| [&[options][..], value.to_string().as_bytes()].concat()).collect())
}

fn configs() -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder("configs")).expect("the examples").flatten();
    let is_config = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "toml");
    entries
        .map(|entry| entry.path())
        .filter(is_config)
        .map(|path| fs::read(path).expect("a config"))
        .collect()
}
