//! Verifies a solution of Aion's Equihash: those of the blocks in `tests/vectors`, or one from the command
//! line.
//!
//! `cargo run --example verify -- HEADER_HASH NONCE SOLUTION`: in hex, of 32, 32 and 1,408 bytes.

use std::env;
use std::error::Error;

use orepass_aion::orepass_equihash::Scratch;
use orepass_aion::pow::{self, EQUIHASH};
use orepass_aion::serde_json::{self, Value};
use orepass_stratum::const_hex::decode;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &*arguments {
        [] => {
            for (name, verdict) in verify_blocks()? {
                println!("{name}: {verdict}");
            }
        }
        [header_hash, nonce, solution] => println!("{}", verify(header_hash, nonce, solution)?),
        _ => return Err("HEADER_HASH NONCE SOLUTION, or nothing".into()),
    }
    Ok(())
}

/// The hash that a target is compared with, where the solution is one.
pub(crate) fn verify(
    header_hash: &str,
    nonce: &str,
    solution: &str,
) -> Result<String, Box<dyn Error>> {
    let (header_hash, nonce, solution) = (decode(header_hash)?, decode(nonce)?, decode(solution)?);
    // Once for many verifications, where there are many.
    let mut scratch = Scratch::new(EQUIHASH.params());
    EQUIHASH.verify(&header_hash, &nonce, &solution, &mut scratch)?;
    let hash = pow::share_hash(&header_hash, &nonce, &solution);
    Ok(format!("a solution, of hash {hash}"))
}

/// Blocks of mainnet, and shares beside them.
pub(crate) fn verify_blocks() -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let vectors: Value = serde_json::from_str(include_str!("../tests/vectors/aion.json"))?;
    let rows = vectors["valid"].as_array().ok_or("no vectors")?;
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let verify = |row| {
        let (header_hash, nonce) = (text(row, "header_hash"), text(row, "nonce"));
        Ok((text(row, "name"), verify(&header_hash, &nonce, &text(row, "solution"))?))
    };
    rows.iter().map(verify).collect()
}
