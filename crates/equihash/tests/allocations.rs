//! A verification does not allocate once it has its working memory, however it ends. Linking
//! `allocation_counter` counts what each thread allocates.

#![allow(clippy::unwrap_used)]

mod common;

use allocation_counter::measure;
use common::{Solved, header, solved};
use orepass_equihash::{Equihash, EquihashParams, Scratch};

#[test]
fn verifications_do_not_allocate() {
    for Solved { n, k, nonce, solution } in solved() {
        let equihash = Equihash::tagged(EquihashParams::new(n, k).unwrap(), *b"ZcashPoW");
        let mut scratch = Scratch::new(equihash.params());
        let (header, mut flipped) = (header(), solution.clone());
        let mut good = 0;
        let allocated = measure(|| {
            for bit in 0..8 * flipped.len() {
                let mask = 0x80 >> (bit % 8);
                for _ in 0..2 {
                    flipped[bit / 8] ^= mask;
                    let verdict = equihash.verify(&header, &nonce, &flipped, &mut scratch);
                    good += usize::from(verdict.is_ok());
                }
            }
        });
        assert_eq!(good, 8 * solution.len(), "{n}, {k}");
        assert_eq!(allocated.count_total, 0, "{n}, {k}");
    }
}

#[test]
fn working_memory_is_made_by_the_first_verification() {
    let [Solved { n, k, nonce, solution }, ..] = solved();
    let equihash = Equihash::tagged(EquihashParams::new(n, k).unwrap(), *b"ZcashPoW");
    let (header, mut scratch) = (header(), Scratch::default());
    let mut verify = || {
        measure(|| {
            assert_eq!(equihash.verify(&header, &nonce, &solution, &mut scratch), Ok(()));
        })
    };
    assert_ne!(verify().count_total, 0);
    assert_eq!(verify().count_total, 0);
}
