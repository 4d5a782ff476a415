//! That what is mined by the solver is Aion's.

#![allow(clippy::unwrap_used)]

use orepass_aion::pow::EQUIHASH;
use orepass_equihash::Scratch;
use orepass_equihash::solver::Solver;
use serde_json::Value;

/// A nonce of the vectors for which two solutions are known.
#[test]
fn solves_aion() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/aion.json");
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let bytes = |hex: &Value| const_hex::decode(hex.as_str().unwrap()).unwrap();
    let [first, second] = [&vectors["valid"][6], &vectors["valid"][7]];
    assert_eq!(first["nonce"], second["nonce"]);
    let (header, nonce) = (bytes(&first["header_hash"]), bytes(&first["nonce"]));

    let solutions = Solver::new(EQUIHASH).unwrap().solve(&header, &nonce);

    let mut known = [bytes(&first["solution"]), bytes(&second["solution"])];
    known.sort_unstable();
    assert_eq!(solutions, known);
    let mut scratch = Scratch::default();
    for solution in &solutions {
        assert_eq!(EQUIHASH.verify(&header, &nonce, solution, &mut scratch), Ok(()));
    }
}
