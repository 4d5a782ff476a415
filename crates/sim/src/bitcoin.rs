//! Bitcoin: pools that make coinbases and grant bits of the version, rigs that roll them.
//!
//! All of it is written from the protocol (BIP 310 and the pools' descriptions) and shares no code with the
//! dialect.

mod block;
mod pool;
mod rig;

use orepass_stratum::target::{Difficulty, Scale, Target};

pub use pool::BitcoinPool;
pub use rig::BitcoinRig;

/// The bits of the version that miners roll by agreement (BIP 320).
pub const ROLLABLE: u32 = 0x1fff_e000;

/// The target of a difficulty, of which 1 is 00000000ffff00….
fn target(difficulty: Difficulty) -> Target {
    let mut diff1 = [0; 32];
    diff1[4..6].fill(0xff);
    Scale::from_diff1(Target::from_be_bytes(diff1)).target(difficulty)
}

/// Eight hex digits, most significant first.
fn hex8(number: u32) -> String {
    format!("{number:08x}")
}

/// A number of just eight hex digits.
fn from_hex8(text: &str) -> Option<u32> {
    let is_hex = text.len() == 8 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

/// Each four bytes the other way round, as notifies have the previous block's hash.
fn swap_words(hash: &[u8; 32]) -> [u8; 32] {
    let mut swapped = *hash;
    swapped.chunks_mut(4).for_each(<[u8]>::reverse);
    swapped
}

#[cfg(test)]
pub(crate) mod vectors {
    use serde_json::Value;

    /// The vectors of the workspace: real blocks and shares.
    pub(crate) fn all() -> Value {
        serde_json::from_str(include_str!("../tests/vectors/bitcoin.json")).unwrap()
    }
}
