//! The verifier against the `equihash` crate, on what both can verify.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Solved, header, solved};
use orepass_equihash::{Equihash, EquihashError, EquihashParams, Scratch};
use proptest::prelude::*;

#[test]
fn solutions_of_the_oracle_verify() {
    for Solved { n, k, nonce, solution } in solved() {
        assert_eq!(verify(n, k, &header(), &nonce, &solution), Ok(()), "{n}, {k}");
        assert!(oracle(n, k, &header(), &nonce, &solution), "{n}, {k}");
    }
}

#[test]
fn single_bit_flips_are_judged_alike() {
    for Solved { n, k, nonce, solution } in solved() {
        for bit in 0..8 * solution.len() {
            let mut flipped = solution.clone();
            flipped[bit / 8] ^= 0x80 >> (bit % 8);
            let verdict = verify(n, k, &header(), &nonce, &flipped);
            let expected = oracle(n, k, &header(), &nonce, &flipped);
            assert_eq!(verdict.is_ok(), expected, "{n}, {k}, bit {bit}: {verdict:?}");
        }
    }
}

/// The oracle knows which lengths of header and nonce are usual and has other
/// code for the rest; here the length of the input must make no difference.
#[test]
fn header_and_nonce_are_only_concatenated() {
    let Solved { n, k, nonce, solution } = solved().into_iter().next_back().unwrap();
    let input = [header(), nonce.to_vec()].concat();
    for end in 0..input.len() {
        let (header, nonce) = input.split_at(end);
        assert_eq!(verify(n, k, header, nonce, &solution), Ok(()));
        // Cut off: no longer the same input.
        assert!(verify(n, k, header, &[], &solution).is_err());
    }
}

#[test]
fn tags_are_told_apart() {
    let Solved { n, k, nonce, solution } = solved().into_iter().next_back().unwrap();
    let params = EquihashParams::new(n, k).unwrap();
    let personalization = *b"ZcashPoW\xc8\0\0\0\x09\0\0\0";
    let zcash = Equihash::tagged(params, *b"ZcashPoW");
    assert_eq!(zcash, Equihash::new(params, personalization));
    let other = Equihash::tagged(params, *b"AION0PoW");
    let verdict = other.verify(&header(), &nonce, &solution, &mut Scratch::new(params));
    assert!(matches!(verdict, Err(EquihashError::Collision { level: 1, .. })));
}

#[test]
fn scratch_of_other_parameters_is_replaced() {
    let mut scratch = Scratch::default();
    for Solved { n, k, nonce, solution } in solved() {
        let equihash = Equihash::tagged(EquihashParams::new(n, k).unwrap(), *b"ZcashPoW");
        assert_eq!(equihash.verify(&header(), &nonce, &solution, &mut scratch), Ok(()));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_judged_alike(solution in prop::collection::vec(any::<u8>(), 0..80)) {
        for (n, k) in [(48, 5), (96, 5)] {
            let verdict = verify(n, k, b"header", b"nonce", &solution);
            prop_assert_eq!(verdict.is_ok(), oracle(n, k, b"header", b"nonce", &solution));
        }
    }

    #[test]
    fn any_indices_are_judged_alike(
        tree in tree(),
        bits in prop::sample::select(vec![9_u32, 17]),
    ) {
        let indices: Vec<u32> = tree.iter().map(|index| index % (1 << bits)).collect();
        let _ = judge_alike(bits, &indices)?;
    }

    /// Few different indices: duplicates nearly always.
    #[test]
    fn duplicates_are_judged_alike(tree in tree(), range in 1_u32..200) {
        let indices: Vec<u32> = tree.iter().map(|index| index % range).collect();
        let _ = judge_alike(9, &indices)?;
        let _ = judge_alike(17, &canonical(indices))?;
    }

    /// Trees in order and without repetition get as far as the hashes.
    #[test]
    fn canonical_trees_are_hashed(tree in tree()) {
        let indices: Vec<u32> = tree.iter().map(|index| index % (1 << 17)).collect();
        prop_assume!(is_distinct(&indices));
        let verdict = judge_alike(17, &canonical(indices))?;
        prop_assert!(matches!(verdict, Err(EquihashError::Collision { .. })), "{:?}", verdict);
    }

    /// A valid solution whose subtrees are exchanged, once or more often, keeps
    /// all its collisions and breaks nothing but the order.
    #[test]
    fn exchanged_subtrees_are_out_of_order(
        which in 0_usize..3,
        exchanges in prop::collection::vec((1_u32..=5, 0_usize..16), 1..4),
    ) {
        let Solved { n, k, nonce, solution } = &solved()[which];
        let bits = n / (k + 1) + 1;
        let mut indices = decode(bits, solution);
        for (level, node) in exchanges {
            let size = 1 << level;
            let node = size * (node % (indices.len() / size));
            let (left, right) = indices[node..][..size].split_at_mut(size / 2);
            left.swap_with_slice(right);
        }
        let exchanged = encode(bits, &indices);
        let verdict = verify(*n, *k, &header(), nonce, &exchanged);
        prop_assert_eq!(verdict.is_ok(), oracle(*n, *k, &header(), nonce, &exchanged));
        if exchanged == *solution {
            prop_assert_eq!(verdict, Ok(()));
        } else {
            prop_assert!(matches!(verdict, Err(EquihashError::Order { .. })), "{:?}", verdict);
        }
    }

    /// One index of a valid solution replaced, and all put in order again.
    #[test]
    fn replaced_indices_are_judged_alike(
        which in 0_usize..3,
        place in 0_usize..32,
        index in any::<u32>(),
        copy in any::<bool>(),
    ) {
        let Solved { n, k, nonce, solution } = &solved()[which];
        let bits = n / (k + 1) + 1;
        let mut indices = decode(bits, solution);
        indices[place] = if copy { indices[index as usize % 32] } else { index % (1 << bits) };
        let changed = encode(bits, &canonical(indices.clone()));
        let verdict = verify(*n, *k, &header(), nonce, &changed);
        prop_assert_eq!(verdict.is_ok(), oracle(*n, *k, &header(), nonce, &changed));
        if !is_distinct(&indices) {
            let is_duplicate = matches!(verdict, Err(EquihashError::DuplicateIndex { .. }));
            prop_assert!(is_duplicate, "{:?}", verdict);
        }
    }
}

/// The verdict on 32 indices of 9 or 17 bits, if the oracle agrees to it.
fn judge_alike(bits: u32, indices: &[u32]) -> Result<Result<(), EquihashError>, TestCaseError> {
    let (n, k) = (6 * (bits - 1), 5);
    let solution = encode(bits, indices);
    let verdict = verify(n, k, b"header", b"nonce", &solution);
    prop_assert_eq!(verdict.is_ok(), oracle(n, k, b"header", b"nonce", &solution));
    match verdict {
        Err(EquihashError::Length { .. }) => prop_assert!(false, "length"),
        Err(EquihashError::Order { .. }) => {
            prop_assert_ne!(canonical(indices.to_vec()), indices);
        }
        Err(EquihashError::DuplicateIndex { index }) => {
            prop_assert!(indices.iter().filter(|&&other| other == index).count() > 1);
        }
        _ => prop_assert!(is_distinct(indices)),
    }
    Ok(verdict)
}

fn tree() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(any::<u32>(), 32)
}

fn is_distinct(indices: &[u32]) -> bool {
    let mut sorted = indices.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair[0] != pair[1])
}

/// The same tree with the subtrees of every node in order.
fn canonical(mut indices: Vec<u32>) -> Vec<u32> {
    let mut size = 2;
    while size <= indices.len() {
        for node in indices.chunks_exact_mut(size) {
            let (left, right) = node.split_at_mut(size / 2);
            if right[0] < left[0] {
                left.swap_with_slice(right);
            }
        }
        size *= 2;
    }
    indices
}

fn verify(
    n: u32,
    k: u32,
    header: &[u8],
    nonce: &[u8],
    solution: &[u8],
) -> Result<(), EquihashError> {
    let params = EquihashParams::new(n, k).unwrap();
    let mut scratch = Scratch::new(params);
    Equihash::tagged(params, *b"ZcashPoW").verify(header, nonce, solution, &mut scratch)
}

fn oracle(n: u32, k: u32, header: &[u8], nonce: &[u8], solution: &[u8]) -> bool {
    equihash::is_valid_solution(n, k, header, nonce, solution).is_ok()
}

/// Encodes bit by bit, to be independent of the crate.
fn encode(bits: u32, indices: &[u32]) -> Vec<u8> {
    let bits: Vec<u8> = indices
        .iter()
        .flat_map(|index| (0..bits).rev().map(move |bit| (index >> bit & 1) as u8))
        .collect();
    bits.chunks(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | bit)).collect()
}

fn decode(bits: u32, solution: &[u8]) -> Vec<u32> {
    let stream: Vec<u32> = solution
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| u32::from(byte >> bit & 1)))
        .collect();
    stream.chunks(bits as usize).map(|bits| bits.iter().fold(0, |i, bit| i << 1 | bit)).collect()
}
