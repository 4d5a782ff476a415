//! How many instructions the hot paths take, as callgrind counts them: a figure that does not depend on
//! how busy the machine is. `cargo run --release -p orepass-benches --bin instructions`
//!
//! Each path is run twice, the second time for twice as many operations; the difference is what the later
//! ones take, with everything warm. Only what is [measured] is counted, not the making up of lines.

use std::env;
use std::error::Error;
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use orepass_benches::bitcoin::{self, BitcoinPath};
use orepass_benches::drain;
use orepass_benches::played::{ANY_HASH, Played};
use orepass_benches::share_path::SharePath;
use orepass_benches::stage::{Recorded, Stage};
use orepass_benches::vectors::Case;
use orepass_benches::zcash::{ZcashBlock, ZcashJobs};
use orepass_stratum::downstream::{DownstreamConfig, Verify};

/// How many operations the shorter run has.
const OPERATIONS: u64 = 256;
/// How many shares a rig sends for one job.
const SHARES_PER_JOB: u64 = 64;

/// What runs a path so many times.
type Run = fn(u64);

/// Every path by its name.
const PATHS: [(&str, Run); 16] = [
    ("hstratum: submit line to checked share", |count| shares(Part::Submit, count)),
    ("hstratum: share to the pool's line", |count| shares(Part::Forward, count)),
    ("hstratum: verdict to the rig's answer", |count| shares(Part::Answer, count)),
    ("hstratum: job to frame, told to a rig", hstratum_job),
    ("aion: submit line to share, proof unchecked", |count| aion_shares(Part::Submit, count)),
    ("aion: the proof of a share", aion_check),
    ("aion: share to the pool's line", |count| aion_shares(Part::Forward, count)),
    ("aion: verdict to the rig's answer", |count| aion_shares(Part::Answer, count)),
    ("aion: job to frame, told to a rig", aion_job),
    ("bitcoin: submit line to checked share", |count| bitcoin_shares(Part::Submit, count)),
    ("bitcoin: the check of a share", bitcoin_check),
    ("bitcoin: share to the pool's line", |count| bitcoin_shares(Part::Forward, count)),
    ("bitcoin: verdict to the rig's answer", |count| bitcoin_shares(Part::Answer, count)),
    ("bitcoin: job to frame, told to a rig", bitcoin_job),
    ("zcash: the proof of a share", zcash_check),
    ("zcash: job to frame, told to a rig", zcash_job),
];

/// Which part of a share's way is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Submit,
    Forward,
    Answer,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [path, count] = &arguments[..] {
        let (Ok(path), Ok(count)) = (path.parse::<usize>(), count.parse()) else {
            return ExitCode::FAILURE;
        };
        PATHS[path].1(count);
        return ExitCode::SUCCESS;
    }
    match table() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

fn table() -> Result<(), Box<dyn Error>> {
    println!("{:<46} {:>12}", "path", "instructions");
    for (number, (name, _)) in PATHS.iter().enumerate() {
        let (short, long) = (counted(number, OPERATIONS)?, counted(number, 2 * OPERATIONS)?);
        println!("{name:<46} {:>12}", long.saturating_sub(short) / OPERATIONS);
    }
    Ok(())
}

/// What callgrind counts of so many operations of a path.
fn counted(path: usize, count: u64) -> Result<u64, Box<dyn Error>> {
    let ran = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=*measured*")
        .arg(env::current_exe()?)
        .args([path.to_string(), count.to_string()])
        .output()
        .map_err(|error| format!("valgrind cannot be run: {error}"))?;
    let said = String::from_utf8_lossy(&ran.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected :"));
    let count = collected.and_then(|(_, count)| count.trim().parse().ok());
    match count {
        Some(count) if ran.status.success() && count > 0 => Ok(count),
        _ => Err(format!("callgrind counted nothing: {said}").into()),
    }
}

/// What is counted, found by its name.
#[inline(never)]
fn measured<R>(operation: impl FnOnce() -> R) -> R {
    black_box(operation())
}

/// Runs this, counted or not.
fn run<R>(counted: bool, operation: impl FnOnce() -> R) -> R {
    if counted { measured(operation) } else { operation() }
}

fn shares(part: Part, count: u64) {
    let mut way = SharePath::new(Case::deployed(), ANY_HASH);
    for _ in 0..count / SHARES_PER_JOB {
        for trip in way.trips(SHARES_PER_JOB) {
            let share = run(part == Part::Submit, || way.submit_line(black_box(&trip)));
            let share = share.expect("a good share");
            run(part == Part::Forward, || way.forward(share));
            let (taken, _) = run(part == Part::Answer, || way.answer_line(black_box(&trip)));
            assert!(taken, "the pool takes the share");
        }
    }
}

fn hstratum_job(count: u64) {
    let mut played = Played::new(Case::deployed(), ANY_HASH, 1);
    let mut rig = played.rig("rig1", &Arc::new(DownstreamConfig::default()));
    for _ in 0..count {
        let notify = played.case.next_notify();
        let written = measured(|| {
            played.hears(black_box(notify.as_bytes()));
            rig.handle_view(&played.pool.view(), played.now);
            while rig.poll_event().is_some() {}
            drain(rig.transmit())
        });
        assert!(written > 0, "the rig is told the job");
    }
}

fn aion_shares(part: Part, count: u64) {
    let mut stage = Stage::set(&Recorded::read(), Verify::Off);
    for _ in 0..count / SHARES_PER_JOB {
        let notify = stage.next_notify();
        stage.job_line(&notify);
        for _ in 0..SHARES_PER_JOB {
            stage.make_up_submit();
            let answer = stage.next_answer();
            let share = run(part == Part::Submit, || stage.submission()).expect("a good share");
            run(part == Part::Forward, || stage.forward(share));
            let taken = run(part == Part::Answer, || stage.answer_line(black_box(&answer)));
            assert!(taken, "the pool takes the share");
        }
    }
}

fn aion_check(count: u64) {
    let recorded = Recorded::read();
    let mut check = recorded.check();
    for _ in 0..count {
        assert!(measured(&mut check), "the proof is good");
    }
}

fn aion_job(count: u64) {
    let mut stage = Stage::set(&Recorded::read(), Verify::Off);
    for _ in 0..count {
        let notify = stage.next_notify();
        let told = measured(|| stage.job_line(black_box(&notify)));
        assert!(told > 0, "the rig is told the job");
    }
}

fn bitcoin_shares(part: Part, count: u64) {
    let mut path = BitcoinPath::new();
    for _ in 0..count / SHARES_PER_JOB {
        let notify = path.next_notify();
        path.job_line(&notify);
        for _ in 0..SHARES_PER_JOB {
            let (submit, answer) = (path.next_submit(), path.next_answer());
            let share = run(part == Part::Submit, || path.submit_line(black_box(&submit)));
            let share = share.expect("a good share");
            run(part == Part::Forward, || path.forward(share));
            let taken = run(part == Part::Answer, || path.answer_line(black_box(&answer)));
            assert!(taken, "the pool takes the share");
        }
    }
}

fn bitcoin_check(count: u64) {
    let mut check = bitcoin::check();
    for _ in 0..count {
        assert!(measured(&mut check), "the share is good");
    }
}

fn bitcoin_job(count: u64) {
    let mut path = BitcoinPath::new();
    for _ in 0..count {
        let notify = path.next_notify();
        let told = measured(|| path.job_line(black_box(&notify)));
        assert!(told > 0, "the rig is told the job");
    }
}

fn zcash_check(count: u64) {
    let mut check = ZcashBlock::read().check();
    for _ in 0..count {
        assert!(measured(&mut check), "the proof is good");
    }
}

fn zcash_job(count: u64) {
    let mut jobs = ZcashJobs::set();
    for _ in 0..count {
        let notify = jobs.next_notify();
        let told = measured(|| jobs.job_line(black_box(&notify)));
        assert!(told > 0, "the rig is told the job");
    }
}
