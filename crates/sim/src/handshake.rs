//! Handshake: both generations of its stratum, for pools and rigs.

mod coinbase;
mod header;
mod pool;
mod rig;

use clap::ValueEnum;
use orepass_stratum::target::{Difficulty, Scale, Target};

pub use pool::HandshakePool;
pub use rig::{ExtranoncePolicy, HandshakeRig};

/// The layout of a notify, and with it the header and the proof of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StratumGeneration {
    /// Mainnet, 9 parameters, no mask.
    Deployed,
    /// Mainnet, 10 parameters: the mask's hash is the last.
    DeployedMask,
    /// Before mainnet, the 12 parameters of the protocol's description; the other transactions
    /// are told on `mining.get_transactions`.
    Seed12,
    /// Before mainnet, the 13 parameters that servers sent.
    Seed13,
}

impl StratumGeneration {
    /// Whether it belongs to the testnets before mainnet.
    #[must_use]
    pub fn is_seed(self) -> bool {
        matches!(self, Self::Seed12 | Self::Seed13)
    }
}

/// What difficulty 1 means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum PoolScale {
    /// Bitcoin's: 00000000ffff00…. All public pools use it.
    #[default]
    Bitcoin,
    /// 000000ffff…ff, then cut to compact form: 256 times easier. The hstratum family uses it.
    Hstratum,
    /// Mainnet's limit, 0000000000ffff00…: 256 times harder than Bitcoin's.
    Powlimit,
}

impl PoolScale {
    /// The target of a difficulty.
    #[must_use]
    pub fn target(self, difficulty: Difficulty) -> Target {
        let compact = |bits| Target::from_compact(bits).unwrap_or(Target::MAX);
        match self {
            Self::Bitcoin => Scale::from_diff1(compact(0x1d00_ffff)).target(difficulty),
            Self::Powlimit => Scale::from_diff1(compact(0x1c00_ffff)).target(difficulty),
            Self::Hstratum => {
                let mut diff1 = [0xff; 32];
                diff1[..3].fill(0);
                let scale = Scale::from_diff1(Target::from_be_bytes(diff1));
                scale.target(difficulty).rounded_to_compact()
            }
        }
    }
}

/// The bytes of the header's extra nonce: extranonce1, extranonce2, zeros. `None` when the two do
/// not fit.
fn extra_nonce(extranonce1: &[u8], extranonce2: &[u8]) -> Option<[u8; 24]> {
    let mut field = [0; 24];
    let (head, rest) = field.split_at_mut_checked(extranonce1.len())?;
    head.copy_from_slice(extranonce1);
    rest.get_mut(..extranonce2.len())?.copy_from_slice(extranonce2);
    Some(field)
}

#[cfg(test)]
pub(crate) mod vectors {
    use serde_json::Value;

    /// The vectors of the workspace: real headers, shares and difficulties.
    pub(crate) fn all() -> Value {
        let text = include_str!("../tests/vectors/handshake.json");
        serde_json::from_str(text).unwrap()
    }

    pub(crate) fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
        vector[field].as_str().unwrap()
    }

    pub(crate) fn bytes<const N: usize>(value: &Value) -> [u8; N] {
        let mut bytes = [0; N];
        const_hex::decode_to_slice(value.as_str().unwrap(), &mut bytes).unwrap();
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::vectors::text;
    use super::*;

    #[test]
    fn scales_give_the_targets_of_real_servers() {
        for row in vectors::all()["difficulty"].as_array().unwrap() {
            let difficulty = Difficulty::new(row["difficulty"].as_f64().unwrap()).unwrap();
            let bitcoin = PoolScale::Bitcoin.target(difficulty);
            assert_eq!(bitcoin.to_string(), text(row, "target_diff1_00000000ffff0000"));
            let Some(bits) = row["handystratum_bits"].as_str() else { continue };
            let hstratum = PoolScale::Hstratum.target(difficulty);
            assert_eq!(format!("{:08x}", hstratum.to_compact_lossy()), bits, "{difficulty}");
        }
    }

    #[test]
    fn an_extra_nonce_is_padded_to_24_bytes() {
        let field = extra_nonce(&[1, 2, 3, 4], &[5, 6]).unwrap();
        assert_eq!(field[..7], [1, 2, 3, 4, 5, 6, 0]);
        assert!(extra_nonce(&[0; 4], &[0; 20]).is_some());
        assert!(extra_nonce(&[0; 4], &[0; 21]).is_none());
        assert!(extra_nonce(&[0; 25], &[]).is_none());
    }
}
