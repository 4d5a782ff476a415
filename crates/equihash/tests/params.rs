//! Which n and k there are, and what follows from them.

#![allow(clippy::unwrap_used)]

use orepass_equihash::{EquihashParams, ParamsError};

/// As coins use them: n, k, indices, bits of one, bytes of a solution, leaves of a digest and its bytes.
#[test]
fn parameters_in_use_have_their_sizes() {
    let known = [
        (EquihashParams::of::<210, 9>(), (512, 22, 1408), (2, 54)),
        (EquihashParams::of::<200, 9>(), (512, 21, 1344), (2, 50)),
        (EquihashParams::of::<192, 7>(), (128, 25, 400), (2, 48)),
        (EquihashParams::of::<144, 5>(), (32, 25, 100), (3, 54)),
        (EquihashParams::of::<96, 5>(), (32, 17, 68), (5, 60)),
        (EquihashParams::of::<48, 5>(), (32, 9, 36), (10, 60)),
    ];
    for (params, solution, digest) in known {
        assert_eq!(EquihashParams::new(params.n(), params.k()), Ok(params));
        let sizes = (params.solution_indices(), params.index_bits(), params.solution_len());
        assert_eq!(sizes, solution, "{params:?}");
        assert_eq!((params.leaves_per_digest(), params.digest_len()), digest, "{params:?}");
    }
}

#[test]
fn others_are_refused_with_the_reason() {
    let refused = |n, k| EquihashParams::new(n, k).unwrap_err();
    assert_eq!(refused(0, 9), ParamsError::N { n: 0 });
    assert_eq!(refused(260, 9), ParamsError::N { n: 260 });
    assert_eq!(refused(90, 2), ParamsError::K { k: 2 });
    assert_eq!(refused(180, 17), ParamsError::K { k: 17 });
    assert_eq!(refused(u32::MAX, u32::MAX), ParamsError::N { n: u32::MAX });
    assert_eq!(refused(144, u32::MAX), ParamsError::K { k: u32::MAX });
    assert_eq!(refused(210, 8), ParamsError::Indivisible { n: 210, k: 8 });
    assert_eq!(refused(128, 3), ParamsError::IndexBits { bits: 33 });
    assert_eq!(refused(4, 3), ParamsError::DigestLen { len: 128 });
}
