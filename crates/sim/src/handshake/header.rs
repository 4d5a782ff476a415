//! Headers, written field by field.

/// The fields of a mainnet header that a job fixes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Roots {
    pub(super) prev_block: [u8; 32],
    pub(super) merkle_root: [u8; 32],
    pub(super) witness_root: [u8; 32],
    pub(super) tree_root: [u8; 32],
    pub(super) reserved_root: [u8; 32],
    pub(super) version: u32,
    pub(super) bits: u32,
    /// Zeros where it is not known; hashing reads only its hash.
    pub(super) mask: [u8; 32],
}

impl Roots {
    /// The whole header. Integers are little-endian, hashes raw.
    pub(super) fn header(&self, extra_nonce: &[u8; 24], time: u64, nonce: u32) -> [u8; 236] {
        concat(&[
            &nonce.to_le_bytes(),
            &time.to_le_bytes(),
            &self.prev_block,
            &self.tree_root,
            extra_nonce,
            &self.reserved_root,
            &self.witness_root,
            &self.merkle_root,
            &self.version.to_le_bytes(),
            &self.bits.to_le_bytes(),
            &self.mask,
        ])
    }
}

/// The fields of a seed-generation header that a job fixes, but for the witness root, which holds
/// the extranonce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SeedRoots {
    pub(super) prev_block: [u8; 32],
    pub(super) merkle_root: [u8; 32],
    pub(super) tree_root: [u8; 32],
    pub(super) filter_root: [u8; 32],
    pub(super) reserved_root: [u8; 32],
    pub(super) version: u32,
    pub(super) bits: u32,
}

impl SeedRoots {
    /// The header up to its nonce.
    pub(super) fn prehead(&self, witness_root: &[u8; 32], time: u64) -> [u8; 208] {
        concat(&[
            &self.version.to_le_bytes(),
            &self.prev_block,
            &self.merkle_root,
            witness_root,
            &self.tree_root,
            &self.filter_root,
            &self.reserved_root,
            &time.to_le_bytes(),
            &self.bits.to_le_bytes(),
        ])
    }
}

/// Joins parts that are `N` bytes together.
fn concat<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut joined = [0; N];
    let mut at = 0;
    for part in parts {
        joined[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    debug_assert_eq!(at, N);
    joined
}

#[cfg(test)]
mod tests {
    use super::super::vectors::{self, bytes};
    use super::*;

    #[test]
    fn real_mainnet_headers_are_rebuilt_byte_for_byte() {
        for vector in vectors::all()["mainnet_headers"].as_array().unwrap() {
            let fields = &vector["fields"];
            let number = |field: &str| fields[field].as_u64().unwrap();
            let roots = Roots {
                prev_block: bytes(&fields["prevBlock"]),
                merkle_root: bytes(&fields["merkleRoot"]),
                witness_root: bytes(&fields["witnessRoot"]),
                tree_root: bytes(&fields["treeRoot"]),
                reserved_root: bytes(&fields["reservedRoot"]),
                version: number("version") as u32,
                bits: u32::from_be_bytes(bytes(&fields["bits"])),
                mask: bytes(&fields["mask"]),
            };
            let extra_nonce = bytes(&fields["extraNonce"]);
            let header = roots.header(&extra_nonce, number("time"), number("nonce") as u32);
            assert_eq!(header, bytes(&vector["header236"]), "{}", vector["name"]);
        }
    }
}
