//! Addresses: texts that stand for what has to be met to spend an output.
//!
//! Those that begin with a digit or a letter of the network are Base58Check (P2PKH, P2SH); those that
//! begin with `bc1` and the like are Bech32 (BIP 173: P2WPKH, P2WSH) and Bech32m (BIP 350: P2TR).

use std::fmt;
use std::str::FromStr;

use bech32::{Fe32, Hrp, hrp, segwit};
use orepass_stratum::error::shown;
use thiserror::Error;

use crate::sha256d::sha256d;

/// Which chain an address is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Network {
    /// The one with the money.
    #[default]
    Main,
    /// Any public one without: testnet 3 and 4, signet.
    Test,
    /// A private one, whose addresses in Base58 are those of [`Test`](Self::Test).
    Regtest,
}

impl Network {
    const ALL: [Self; 3] = [Self::Main, Self::Test, Self::Regtest];

    const fn hrp(self) -> Hrp {
        match self {
            Self::Main => hrp::BC,
            Self::Test => hrp::TB,
            Self::Regtest => hrp::BCRT,
        }
    }

    /// The bytes before a key's hash and before a script's.
    const fn base58(self) -> [u8; 2] {
        match self {
            Self::Main => [0x00, 0x05],
            Self::Test | Self::Regtest => [0x6f, 0xc4],
        }
    }
}

const OP_DUP: u8 = 0x76;
const OP_HASH160: u8 = 0xa9;
const OP_EQUAL: u8 = 0x87;
const OP_EQUALVERIFY: u8 = 0x88;
const OP_CHECKSIG: u8 = 0xac;
/// Before witness version 1; the next ones follow.
const OP_1: u8 = 0x51;
/// The length of a hash of a key or script, in bytes.
const HASH: u8 = 20;

/// An address, with what it stands for.
///
/// ```
/// use orepass_bitcoin::address::{PayAddress, Network, of_script};
///
/// let address: PayAddress = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4".parse()?;
/// assert_eq!(of_script(address.script(), Network::Main).unwrap(), address.to_string());
/// # Ok::<(), orepass_bitcoin::address::AddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayAddress {
    text: Box<str>,
    script: Box<[u8]>,
    network: Network,
}

impl PayAddress {
    /// What has to be met to spend what is paid to it (scriptPubKey).
    #[must_use]
    pub const fn script(&self) -> &[u8] {
        &self.script
    }

    /// Which chain it is of.
    #[must_use]
    pub const fn network(&self) -> Network {
        self.network
    }
}

impl fmt::Display for PayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It is neither Bech32 with a good checksum nor Base58.
    #[error("{0:?} is no Bitcoin address: it is neither Bech32 nor Base58")]
    Encoding(Box<str>),
    /// Its last four bytes are not those of its hash.
    #[error("{0:?} is no Bitcoin address: its checksum is wrong, so a letter of it must be")]
    Checksum(Box<str>),
    /// It is of another chain or of no known kind.
    #[error("{0:?} is no address of Bitcoin's")]
    Kind(Box<str>),
}

impl FromStr for PayAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (network, script) = match segwit::decode(text) {
            Ok((hrp, version, program)) => {
                let network = Network::ALL.into_iter().find(|network| network.hrp() == hrp);
                let script = witness_script(version, &program);
                network.zip(script).ok_or_else(|| AddressError::Kind(shown(text).into()))?
            }
            Err(_) => base58_script(text)?,
        };
        Ok(Self { text: text.into(), script: script.into(), network })
    }
}

/// The address of a scriptPubKey; `None` where it is of no kind that has one.
#[must_use]
pub fn of_script(script: &[u8], network: Network) -> Option<String> {
    let [key, other] = network.base58();
    match script {
        [OP_DUP, OP_HASH160, HASH, hash @ .., OP_EQUALVERIFY, OP_CHECKSIG] if is_hash(hash) => {
            Some(base58(key, hash))
        }
        [OP_HASH160, HASH, hash @ .., OP_EQUAL] if is_hash(hash) => Some(base58(other, hash)),
        [version, length, program @ ..] if program.len() == usize::from(*length) => {
            let version = match version {
                0 => 0,
                version => {
                    version.checked_sub(OP_1 - 1).filter(|version| (1..=16).contains(version))?
                }
            };
            segwit::encode(network.hrp(), Fe32::try_from(version).ok()?, program).ok()
        }
        _ => None,
    }
}

const fn is_hash(bytes: &[u8]) -> bool {
    bytes.len() == HASH as usize
}

fn witness_script(version: Fe32, program: &[u8]) -> Option<Vec<u8>> {
    let opcode = match version.to_u8() {
        0 => 0,
        version => OP_1 - 1 + version,
    };
    // 2 to 40 bytes, which the decoder has seen to.
    let length = u8::try_from(program.len()).ok()?;
    Some([&[opcode, length], program].concat())
}

fn base58(kind: u8, hash: &[u8]) -> String {
    let payload = [&[kind], hash].concat();
    let checksum = sha256d(&payload);
    bs58::encode([&payload[..], &checksum[..4]].concat()).into_string()
}

fn base58_script(text: &str) -> Result<(Network, Vec<u8>), AddressError> {
    let bytes = bs58::decode(text).into_vec();
    let bytes = bytes.map_err(|_| AddressError::Encoding(shown(text).into()))?;
    let (payload, checksum) =
        bytes.split_last_chunk::<4>().ok_or_else(|| AddressError::Encoding(shown(text).into()))?;
    if sha256d(payload)[..4] != *checksum {
        return Err(AddressError::Checksum(shown(text).into()));
    }
    let kind = || AddressError::Kind(shown(text).into());
    let (version, hash) =
        payload.split_first().filter(|(_, hash)| is_hash(hash)).ok_or_else(kind)?;
    for network in [Network::Main, Network::Test] {
        let [key, other] = network.base58();
        if *version == key {
            let script = [&[OP_DUP, OP_HASH160, HASH], hash, &[OP_EQUALVERIFY, OP_CHECKSIG]];
            return Ok((network, script.concat()));
        }
        if *version == other {
            return Ok((network, [&[OP_HASH160, HASH], hash, &[OP_EQUAL]].concat()));
        }
    }
    Err(kind())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Of BIP 173 and BIP 350, of the first block's reward, and of a well-known script.
    const KNOWN: [(&str, &str, Network); 8] = [
        (
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac",
            Network::Main,
        ),
        (
            "3P14159f73E4gFr7JterCCQh9QjiTjiZrG",
            "a914e9c3dd0c07aac76179ebc76a6c78d4d67c6c160a87",
            Network::Main,
        ),
        (
            "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn",
            "76a914243f1394f44554f4ce3fd68649c19adc483ce92488ac",
            Network::Test,
        ),
        (
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            "0014751e76e8199196d454941c45d1b3a323f1433bd6",
            Network::Main,
        ),
        (
            "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
            "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262",
            Network::Test,
        ),
        (
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
            Network::Main,
        ),
        (
            "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
            "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6",
            Network::Main,
        ),
        ("BC1SW50QGDZ25J", "6002751e", Network::Main),
    ];

    #[test]
    fn known_addresses_stand_for_their_scripts_and_back() {
        for (text, script, network) in KNOWN {
            let address: PayAddress = text.parse().unwrap();
            assert_eq!(const_hex::encode(address.script()), script, "{text}");
            assert_eq!(address.network(), network, "{text}");
            let back = of_script(address.script(), network).unwrap();
            assert!(back.eq_ignore_ascii_case(text), "{back} {text}");
        }
    }

    #[test]
    fn what_is_none_is_refused_with_the_text() {
        let error = |text: &str| text.parse::<PayAddress>().unwrap_err();
        for (text, expected) in [
            ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "checksum is wrong"),
            ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "neither Bech32 nor Base58"),
            ("ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", "no address of Bitcoin's"),
            ("", "neither"),
            ("0", "neither"),
        ] {
            let error = error(text).to_string();
            assert!(error.contains(expected) && error.contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn other_scripts_have_no_address() {
        for script in ["", "6a", "76a91400", "5121ff", "51", "4104ffac"] {
            let bytes = const_hex::decode(script).unwrap();
            assert_eq!(of_script(&bytes, Network::Main), None, "{script}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text: String, script: Vec<u8>) {
            let _ = text.parse::<PayAddress>();
            if let Some(address) = of_script(&script, Network::Regtest) {
                let address: PayAddress = address.parse().unwrap();
                prop_assert_eq!(address.script(), &script[..]);
            }
        }
    }
}
