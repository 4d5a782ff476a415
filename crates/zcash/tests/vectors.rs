//! The blocks of `tests/vectors/zcash.json`, from mainnet's first to one of NU5: of zebra's test vectors,
//! one of them librustzcash's `HEADER_MAINNET_415000` too.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

mod support;

use orepass_equihash::solver::Solver;
use orepass_equihash::{EquihashError, Scratch};
use orepass_stratum::dialect::{Announced, Checked, Dialect, Work};
use orepass_stratum::habits::Habits;
use orepass_stratum::target::{Difficulty, Target};
use orepass_stratum::verdict::Verdict;
use orepass_zcash::Zcash;
use orepass_zcash::pow::{EQUIHASH, SOLUTION_PREFIX, SOLUTION_SIZE, scale, share_hash};
use orepass_zcash::share;
use support::{block, blocks, check, vectors};

#[test]
fn blocks_are_shares_wherever_extranonce1_ends() {
    let blocks = blocks();
    assert_eq!(blocks.len(), 8);
    for block in &blocks {
        let (name, job) = (block.text("name"), block.job());
        for told in [0, 1, 4, 12, 20, 31] {
            let (share, one) = (block.share(told), block.extranonce1(told));
            let judged =
                share::judge(&job, &one, &share, &block.target(), &mut Scratch::default()).unwrap();
            assert_eq!(judged.hash.to_string(), block.text("hash"), "{name}");
            assert_eq!((judged.meets_target, judged.block), (true, Some(true)), "{name}");
            let checked = check(&job, &one, &share, &Target::MAX);
            assert_eq!(checked, Ok(Checked::Proven(judged.hash)), "{name}");
        }
        let price = Zcash.price(&job, &Announced::default(), Habits::USUAL);
        assert_eq!(price.block, Some(block.target()), "{name}");
        let header = block.share(4).header(&job, &block.extranonce1(4)).unwrap();
        let fields = ["version", "prev_hash", "merkle_root", "reserved", "time", "bits", "nonce"];
        let fields: String = fields.iter().map(|field| block.text(field)).collect();
        assert_eq!(const_hex::encode(header), fields, "{name}");
        assert_eq!(job.time().unwrap(), u64::from(job.time));
    }
}

#[test]
fn every_bit_of_a_share_matters() {
    let block = block();
    let share = block.share(4);
    let header = share.header(&block.job(), &block.extranonce1(4)).unwrap();
    let mut scratch = Scratch::default();
    let mut verify = |header: &[u8], solution: &[u8]| {
        EQUIHASH.verify(&header[..108], &header[108..], solution, &mut scratch)
    };
    assert_eq!(verify(&header, &share.solution), Ok(()));
    let hash = share_hash(&header, &share.solution);
    for bit in 0..8 * header.len() {
        let mut flipped = header;
        flipped[bit / 8] ^= 0x80 >> (bit % 8);
        let verdict = verify(&flipped, &share.solution);
        assert!(matches!(verdict, Err(EquihashError::Collision { .. })), "{verdict:?}");
        assert_ne!(share_hash(&flipped, &share.solution), hash);
    }
    for bit in 0..8 * share.solution.len() {
        let mut flipped = share.solution;
        flipped[bit / 8] ^= 0x80 >> (bit % 8);
        assert!(verify(&header, &flipped).is_err());
        assert_ne!(share_hash(&header, &flipped), hash);
    }
}

#[test]
fn the_hash_is_looked_at_before_the_solution() {
    let block = block();
    let (job, one, mut share) = (block.job(), block.extranonce1(4), block.share(4));
    let hash = share_hash(&share.header(&job, &one).unwrap(), &share.solution);
    // At its own hash it is good, below it is not.
    assert_eq!(check(&job, &one, &share, &hash.as_target()), Ok(Checked::Proven(hash)));
    share.solution = [0; SOLUTION_SIZE];
    let verdict = |target| check(&job, &one, &share, target).unwrap_err().verdict;
    assert_eq!(verdict(&Target::MAX), Verdict::Invalid);
    assert_eq!(verdict(&block.target()), Verdict::LowDifficulty);
    // Whether it is a block is told where it is none.
    let judged = share::judge(&job, &one, &share, &Target::ZERO, &mut Scratch::default()).unwrap();
    assert_eq!((judged.meets_target, judged.block), (false, Some(false)));
    let judged = |target| {
        let share = block.share(4);
        share::judge(&job, &one, &share, target, &mut Scratch::default()).unwrap().block
    };
    assert_eq!(judged(&Target::ZERO), None);
}

#[test]
fn parameters_are_those_of_the_coin() {
    let vectors = vectors();
    let (expected, params) = (&vectors["parameters"], EQUIHASH.params());
    let personalization = const_hex::decode(expected["personalization_hex"].as_str().unwrap());
    assert_eq!(EQUIHASH.personalization(), personalization.unwrap()[..]);
    assert_eq!((params.n(), params.k()), (200, 9));
    assert_eq!(params.digest_len(), expected["digest_bytes"]);
    assert_eq!(params.leaves_per_digest(), expected["indices_per_digest"]);
    assert_eq!(params.leaf_len(), expected["hash_bytes"]);
    assert_eq!(params.index_bits(), expected["index_bits"]);
    assert_eq!(params.solution_indices(), expected["indices"]);
    assert_eq!(params.solution_len(), expected["solution_bytes"]);
    assert_eq!(const_hex::encode(SOLUTION_PREFIX), expected["wire_prefix"]);
    // The compact size of the length.
    assert_eq!(u16::from_le_bytes([SOLUTION_PREFIX[1], SOLUTION_PREFIX[2]]), 1344);
    let one = scale().target(Difficulty::ONE);
    assert_eq!(one.to_string(), expected["pow_limit"]);
    assert_eq!(one.hashes_lossy().round(), 8192.0);
    assert_eq!(scale().difficulty_lossy(one), Difficulty::ONE);
}

/// A nonce of a real header, solved: what is mined by the solver is Zcash's, and the block's own solution
/// is found again.
#[test]
fn the_solver_finds_a_blocks_solution() {
    let block = block();
    let share = block.share(0);
    let header = share.header(&block.job(), &block.extranonce1(0)).unwrap();
    let solutions = Solver::new(EQUIHASH).unwrap().solve(&header[..108], &header[108..]);
    assert!(solutions.contains(&share.solution.to_vec()), "{} solutions", solutions.len());
    for solution in &solutions {
        assert_eq!(EQUIHASH.verify(&header, &[], solution, &mut Scratch::default()), Ok(()));
    }
}
