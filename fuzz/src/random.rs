//! Feeds a target inputs that are changed at random, for a time: what cargo-fuzz does better, on any
//! toolchain. `cargo run --release --no-default-features --bin random -- TARGET [SECONDS [SEED]]` in the
//! folder of the targets. One that breaks something is kept in `artifacts`, and ends the run. `--records` in
//! the place of a target writes what [`records`](orepass_fuzz::records) has for each into `corpus`, for
//! cargo-fuzz.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use orepass_fuzz::{Body, TARGETS, records};

/// The most inputs that are kept to be changed further, and how long they may become, in bytes.
const MAX_KEPT: usize = 4096;
const MAX_INPUT: usize = 8192;

/// Numbers at random (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 33) as usize % end.max(1)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().map_or("", String::as_str);
    if name == "--records" {
        return write_records();
    }
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<u64>().ok());
    let Some((name, body)) = TARGETS.into_iter().find(|(target, _)| *target == name) else {
        let names = TARGETS.map(|(name, _)| name).join(", ");
        eprintln!("usage: random TARGET [SECONDS [SEED]]; the targets are {names}");
        return ExitCode::from(2);
    };
    run(name, body, Duration::from_secs(number(1).unwrap_or(60)), number(2).unwrap_or(1))
}

fn run(name: &str, body: Body, time: Duration, seed: u64) -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut kept = records::inputs(name);
    for inputs in ["seeds", "corpus"] {
        let entries = fs::read_dir(folder.join(inputs).join(name)).into_iter().flatten().flatten();
        kept.extend(entries.filter_map(|entry| fs::read(entry.path()).ok()));
    }
    let words: Vec<Vec<u8>> = words(folder);
    let (mut random, mut worth) = (Random(seed.wrapping_mul(2) | 1), 0_u64);
    #[allow(clippy::disallowed_methods, reason = "a program that runs for so long")]
    let (clock, mut runs) = (Instant::now, 0_u64);
    let end = clock() + time;
    while clock() < end {
        // The clock is not worth a look for each.
        for _ in 0..64 {
            let input = changed(&kept, &words, &mut random);
            runs += 1;
            match catch_unwind(AssertUnwindSafe(|| body(&input))) {
                Ok(0) => {}
                // It reached something, and what is like it may reach more.
                Ok(reached) => {
                    worth += reached as u64;
                    if kept.len() < MAX_KEPT {
                        kept.push(input);
                    } else if random.below(16) == 0 {
                        let at = random.below(kept.len());
                        kept[at] = input;
                    }
                }
                Err(_) => {
                    let artifacts = folder.join("artifacts").join(name);
                    let path = artifacts.join(format!("random-{seed}-{runs}"));
                    let written =
                        fs::create_dir_all(artifacts).and_then(|()| fs::write(&path, &input));
                    let (path, length) = (path.display(), input.len());
                    eprintln!("{name}: broken by {length} bytes, in {path} ({written:?})");
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    println!("{name}: {runs} runs in {time:?} of seed {seed}, worth {worth}; none broke anything");
    ExitCode::SUCCESS
}

fn write_records() -> ExitCode {
    for (name, _) in TARGETS {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let inputs = records::inputs(name);
        let write =
            |(at, input): (usize, &Vec<u8>)| fs::write(corpus.join(format!("record-{at}")), input);
        let written = fs::create_dir_all(&corpus)
            .and_then(|()| inputs.iter().enumerate().try_for_each(write));
        if let Err(error) = written {
            eprintln!("{}: {error}", corpus.display());
            return ExitCode::FAILURE;
        }
        println!("{name}: {} inputs", inputs.len());
    }
    ExitCode::SUCCESS
}

/// The words of the dictionary.
fn words(folder: &Path) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(folder.join("dictionaries/stratum.dict")).unwrap_or_default();
    let quoted = text.lines().filter_map(|line| line.split_once('"')?.1.strip_suffix('"'));
    quoted.map(|word| word.replace("\\\"", "\"").replace("\\\\", "\\").into_bytes()).collect()
}

/// An input that was kept, or nothing, with a few changes.
fn changed(kept: &[Vec<u8>], words: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let pick =
        |random: &mut Random| kept.get(random.below(kept.len())).cloned().unwrap_or_default();
    let mut input = if random.below(50) == 0 { Vec::new() } else { pick(random) };
    for _ in 0..=random.below(6) {
        let at = random.below(input.len() + 1);
        let end = (at + 1 + random.below(16)).min(input.len());
        match random.below(9) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 if at < input.len() => input[at] = random.next() as u8,
            2 if at < end => drop(input.drain(at..end)),
            3 => {
                let bytes = (0..=random.below(8)).map(|_| random.next() as u8).collect::<Vec<_>>();
                input.splice(at..at, bytes);
            }
            4 if !words.is_empty() => {
                let word = words[random.below(words.len())].clone();
                input.splice(at..at, word);
            }
            5 if at < end => {
                let again = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            6 => {
                // The head of this one and the tail of another.
                let other = pick(random);
                input.truncate(at);
                input.extend_from_slice(&other[random.below(other.len() + 1)..]);
            }
            7 if at < end => {
                let digit = b"0123456789-.eE\"[]{},:\\u"[random.below(23)];
                input[at] = digit;
            }
            _ => input.truncate(random.below(input.len() + 64)),
        }
    }
    input.truncate(MAX_INPUT);
    input
}
