//! Judges a Handshake share, as a pool does: a share of mainnet, or one from the command line.
//!
//! `cargo run --example judge -- NOTIFY EXTRANONCE1 SUBMIT DIFFICULTY`: the parameters of the
//! `mining.notify` and of the `mining.submit` as JSON, the extranonce1 that the miner was told in hex.

use std::env;
use std::error::Error;

use orepass_hstratum::DifficultyScale;
use orepass_hstratum::job::Job;
use orepass_hstratum::serde_json::value::RawValue;
use orepass_hstratum::share::{self, Share};
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::rpc::Params;
use orepass_stratum::target::Difficulty;

/// A share that a public pool took in February 2020.
pub(crate) const TAKEN: [&str; 4] = [
    r#"["gTvmBBIuLW",
        "00000000000005a6d2c1716b4ce0077d06cf6d6337ac2392f9e75821183fdea8",
        "791dcae1813b2cd031208efad11c8dbc735195869e126cccd9eda08674eb0b0f",
        "2716257b59d2ec7784efa547dc9cf035b489b9349477918303952458e7bd9714",
        "1e2b44242c8ee57154496f66e9941d20aca69a3a239cb55a622f9b5d162a53ff",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "00000000", "1a06e782", "5e49aa25"]"#,
    "02c05bfd",
    r#"["worker", "gTvmBBIuLW", "aa923a8b", "5e49aa25", "73a37ddb"]"#,
    "1",
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let given: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let verdict = match *given {
        [] => judge(TAKEN)?,
        [notify, extranonce1, submit, difficulty] => {
            judge([notify, extranonce1, submit, difficulty])?
        }
        _ => return Err("NOTIFY EXTRANONCE1 SUBMIT DIFFICULTY, or nothing".into()),
    };
    println!("{verdict}");
    Ok(())
}

pub(crate) fn judge(
    [notify, extranonce1, submit, difficulty]: [&str; 4],
) -> Result<String, Box<dyn Error>> {
    let job = Job::parse(&RawValue::from_string(notify.to_owned())?)?;
    let extranonce1: Extranonce = extranonce1.parse()?;
    let submit = RawValue::from_string(submit.to_owned())?;
    // Extranonce2 has the length that the miner was told: here what stands in its submit.
    let params = Params::read(&submit)?;
    let share = Share::parse(&job, 4, &params)?;
    let difficulty = Difficulty::new(difficulty.parse()?).ok_or("a difficulty is above zero")?;
    let target = DifficultyScale::Bitcoin.scale().target(difficulty);

    let judged = share::judge(&job, extranonce1.as_bytes(), &share, &target)?;
    let verdict = match (judged.meets_target, judged.block) {
        (_, Some(true)) => "a block",
        (true, _) => "a share",
        (false, _) => "above the target",
    };
    Ok(format!("{verdict}\nhash   {}\ntarget {target}", judged.hash))
}
