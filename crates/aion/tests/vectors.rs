//! The shares of `tests/vectors/aion.json`: mainnet blocks, the kernel's own
//! unit test, generated ones and what the reference miner sent.

#![allow(clippy::unwrap_used)]

use orepass_aion::pow::{EQUIHASH, share_hash};
use orepass_equihash::{EquihashError, Scratch};
use serde_json::Value;

#[test]
fn valid_shares_verify() {
    let mut scratch = Scratch::default();
    let vectors = vectors();
    let valid = vectors["valid"].as_array().unwrap();
    assert!(valid.len() >= 15);
    for vector in valid {
        let share = Share::of(vector);
        assert_eq!(share.verify(&mut scratch), Ok(()), "{}", vector["name"]);
        assert_eq!(share.hash(), bytes(&vector["pow_hash"])[..], "{}", vector["name"]);
        if let Some(meets_target) = vector["meets_target"].as_bool() {
            assert_eq!(share.hash()[..] < bytes(&vector["target"])[..], meets_target);
        }
    }
}

#[test]
fn invalid_shares_are_refused_for_the_right_reason() {
    let mut scratch = Scratch::default();
    let vectors = vectors();
    let invalid = vectors["invalid"].as_array().unwrap();
    assert!(invalid.len() >= 15);
    for vector in invalid {
        let share = Share::of(vector);
        let reason = match share.verify(&mut scratch).unwrap_err() {
            EquihashError::Length { expected, actual } => {
                assert_eq!((expected, actual), (1408, share.solution.len()));
                "bad_length"
            }
            EquihashError::Order { left, right, .. } => {
                assert!(right < left);
                "out_of_order"
            }
            EquihashError::DuplicateIndex { .. } => "duplicate",
            EquihashError::Collision { level, zero_bits, required, .. } => {
                assert!(zero_bits < required && required == 21 * level);
                "nonzero_xor"
            }
            EquihashError::Root { .. } => "nonzero_xor",
            error => panic!("{error}"),
        };
        assert_eq!(reason, vector["expect"], "{}", vector["name"]);
    }
}

#[test]
fn every_bit_of_a_share_matters() {
    let mut scratch = Scratch::default();
    let vectors = vectors();
    for vector in [&vectors["valid"][0], &vectors["valid"][5]] {
        let Share { header, nonce, solution } = Share::of(vector);
        let flips = |bytes: &[u8]| {
            let bytes = bytes.to_vec();
            (0..8 * bytes.len()).map(move |bit| {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 0x80 >> (bit % 8);
                flipped
            })
        };
        for header in flips(&header) {
            let verdict = EQUIHASH.verify(&header, &nonce, &solution, &mut scratch);
            assert!(matches!(verdict, Err(EquihashError::Collision { .. })));
        }
        for nonce in flips(&nonce) {
            let verdict = EQUIHASH.verify(&header, &nonce, &solution, &mut scratch);
            assert!(matches!(verdict, Err(EquihashError::Collision { .. })));
        }
        for solution in flips(&solution) {
            assert!(EQUIHASH.verify(&header, &nonce, &solution, &mut scratch).is_err());
        }
        assert_eq!(EQUIHASH.verify(&header, &nonce, &solution, &mut scratch), Ok(()));
    }
}

#[test]
fn targets_are_met_strictly_below() {
    let vectors = vectors();
    for edge in vectors["target_edges"].as_array().unwrap() {
        let valid = vectors["valid"].as_array().unwrap();
        let vector = valid.iter().find(|vector| vector["name"] == edge["vector"]).unwrap();
        let meets_target = Share::of(vector).hash()[..] < bytes(&edge["target"])[..];
        assert_eq!(meets_target, edge["meets_target"], "{}", edge["name"]);
    }
}

#[test]
fn parameters_are_those_of_the_coin() {
    let vectors = vectors();
    let expected = &vectors["parameters"];
    let params = EQUIHASH.params();
    assert_eq!(params.n(), expected["n"]);
    assert_eq!(params.k(), expected["k"]);
    assert_eq!(EQUIHASH.personalization(), bytes(&expected["personalization_hex"])[..]);
    assert_eq!(params.digest_len(), expected["digest_bytes"]);
    assert_eq!(params.leaves_per_digest(), expected["indices_per_digest"]);
    assert_eq!(params.leaf_len(), expected["hash_bytes"]);
    assert_eq!(params.index_bits(), expected["index_bits"]);
    assert_eq!(params.solution_indices(), expected["indices"]);
    assert_eq!(params.solution_len(), expected["solution_bytes"]);
}

/// What is hashed of a share.
struct Share {
    header: Vec<u8>,
    nonce: Vec<u8>,
    solution: Vec<u8>,
}

impl Share {
    fn of(vector: &Value) -> Self {
        Self {
            header: bytes(&vector["header_hash"]),
            nonce: bytes(&vector["nonce"]),
            solution: bytes(&vector["solution"]),
        }
    }

    fn verify(&self, scratch: &mut Scratch) -> Result<(), EquihashError> {
        EQUIHASH.verify(&self.header, &self.nonce, &self.solution, scratch)
    }

    fn hash(&self) -> [u8; 32] {
        *share_hash(&self.header, &self.nonce, &self.solution).as_be_bytes()
    }
}

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/aion.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn bytes(hex: &Value) -> Vec<u8> {
    const_hex::decode(hex.as_str().unwrap()).unwrap()
}
