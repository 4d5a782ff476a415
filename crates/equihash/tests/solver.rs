//! The solver: that it finds solutions, all of them, and can be stopped.

#![allow(clippy::unwrap_used)]
#![cfg(feature = "solver")]

mod common;

use std::cell::Cell;
use std::collections::BTreeMap;

use common::{Solved, header, solved};
use orepass_equihash::solver::{Solver, SolverError};
use orepass_equihash::{Equihash, EquihashParams, Scratch};

#[test]
fn finds_known_solutions() {
    for Solved { n, k, nonce, solution } in solved() {
        // Those of (144, 5) and (192, 7) take gigabytes.
        if n / (k + 1) < 24 {
            let equihash = Equihash::tagged(EquihashParams::new(n, k).unwrap(), *b"ZcashPoW");
            let solutions = Solver::new(equihash).unwrap().solve(&header(), &nonce);
            assert!(solutions.contains(&solution), "{n}, {k}");
        }
    }
}

#[test]
fn finds_what_the_oracle_finds() {
    let mut solver =
        Solver::new(Equihash::tagged(EquihashParams::of::<200, 9>(), *b"ZcashPoW")).unwrap();
    for nonce in 2..4 {
        let nonce = [nonce; 32];
        let mut nonces = [nonce].into_iter();
        let expected = equihash::tromp::solve_200_9(&header(), || nonces.next());
        assert_eq!(solver.solve(&header(), &nonce), expected);
    }
}

/// For small parameters, among them such that do not fill bytes or a digest,
/// the solver finds exactly what comes of a search without any cut.
#[test]
fn finds_all_solutions() {
    let mut found = 0;
    let byte_aligned = [(8, 3), (16, 3), (24, 3), (40, 3), (48, 3), (48, 5), (64, 7)];
    for (n, k) in byte_aligned.into_iter().chain([(60, 4), (60, 5), (63, 6)]) {
        let params = EquihashParams::new(n, k).unwrap();
        let equihash = Equihash::tagged(params, *b"AION0PoW");
        let mut solver = Solver::new(equihash).unwrap();
        let mut scratch = Scratch::new(params);
        for nonce in 0..20_u32 {
            let nonce = nonce.to_be_bytes();
            let solutions = solver.solve(b"any header", &nonce);
            assert_eq!(solutions, search(&equihash, b"any header", &nonce), "{n}, {k}");
            for solution in &solutions {
                let verdict = equihash.verify(b"any header", &nonce, solution, &mut scratch);
                assert_eq!(verdict, Ok(()));
            }
            found += solutions.len();
        }
    }
    assert!(found > 100, "{found}");
}

#[test]
fn solutions_of_middling_parameters_verify() {
    let mut found = 0;
    for (n, k) in [(96, 5), (90, 5), (108, 5), (126, 6)] {
        let equihash = Equihash::tagged(EquihashParams::new(n, k).unwrap(), *b"ZcashPoW");
        let mut solver = Solver::new(equihash).unwrap();
        let mut scratch = Scratch::new(equihash.params());
        for nonce in 0..3 {
            let nonce = [nonce; 32];
            for solution in solver.solve(&header(), &nonce) {
                assert_eq!(equihash.verify(&header(), &nonce, &solution, &mut scratch), Ok(()));
                found += 1;
            }
        }
    }
    assert!(found > 5, "{found}");
}

#[test]
fn stops_when_told() {
    let params = EquihashParams::new(96, 5).unwrap();
    let mut solver = Solver::new(Equihash::tagged(params, *b"ZcashPoW")).unwrap();
    let all = solver.solve(&header(), &[0; 32]);
    let asked = Cell::new(0_u32);
    let count = || {
        asked.set(asked.get() + 1);
        false
    };
    assert_eq!(solver.solve_unless(&header(), &[0; 32], &count), Some(all.clone()));
    for limit in (0..asked.get()).step_by(7) {
        asked.set(0);
        let stop = || {
            asked.set(asked.get() + 1);
            asked.get() > limit
        };
        assert_eq!(solver.solve_unless(&header(), &[0; 32], &stop), None);
        assert_eq!(asked.get(), limit + 1);
    }
    // What was left behind does no harm.
    assert_eq!(solver.solve(&header(), &[0; 32]), all);
}

#[test]
fn refuses_what_does_not_fit_memory() {
    let params = EquihashParams::new(156, 5).unwrap();
    let error = Solver::new(Equihash::new(params, [0; 16])).unwrap_err();
    assert_eq!(error, SolverError::CollisionBits { bits: 26 });
}

/// All solutions by Wagner's algorithm with whole lists of indices: rows that
/// share a leaf are never joined, and nothing is cut off.
fn search(equihash: &Equihash, header: &[u8], nonce: &[u8]) -> Vec<Vec<u8>> {
    let params = equihash.params();
    let (n, bits) = (params.n(), params.collision_bits());
    let mut rows: Vec<(u64, Vec<u32>)> = (0..1 << params.index_bits())
        .map(|index| (leaf(equihash, header, nonce, index), vec![index]))
        .collect();
    for round in 1..=params.k() {
        // The last round takes all that is left.
        let used = if round == params.k() { n } else { round * bits };
        let mut groups: BTreeMap<u64, Vec<(u64, Vec<u32>)>> = BTreeMap::new();
        for row in rows {
            groups.entry(row.0 >> (n - used)).or_default().push(row);
        }
        rows = Vec::new();
        for group in groups.values() {
            for (i, (left, ours)) in group.iter().enumerate() {
                for (right, theirs) in &group[i + 1..] {
                    if ours.iter().all(|index| !theirs.contains(index)) {
                        let joined = if ours[0] < theirs[0] {
                            [&ours[..], theirs]
                        } else {
                            [&theirs[..], ours]
                        };
                        rows.push((left ^ right, joined.concat()));
                    }
                }
            }
        }
    }
    let mut solutions: Vec<Vec<u8>> = rows
        .iter()
        .map(|(_, indices)| {
            let width = params.index_bits();
            let bits: Vec<u8> = indices
                .iter()
                .flat_map(|index| (0..width).rev().map(move |bit| (index >> bit & 1) as u8))
                .collect();
            bits.chunks(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | bit)).collect()
        })
        .collect();
    solutions.sort_unstable();
    solutions.dedup();
    solutions
}

/// A leaf of at most 64 bits.
fn leaf(equihash: &Equihash, header: &[u8], nonce: &[u8], index: u32) -> u64 {
    let params = equihash.params();
    let (number, part) = (index / params.leaves_per_digest(), index % params.leaves_per_digest());
    let digest = blake2b_simd::Params::new()
        .hash_length(params.digest_len())
        .personal(&equihash.personalization())
        .to_state()
        .update(header)
        .update(nonce)
        .update(&number.to_le_bytes())
        .finalize();
    let mut bytes = [0; 8];
    let start = part as usize * params.leaf_len();
    bytes[..params.leaf_len()].copy_from_slice(&digest.as_bytes()[start..][..params.leaf_len()]);
    u64::from_be_bytes(bytes) >> (64 - params.n())
}
