//! Block headers, field by field. Integers are little-endian; hashes are raw bytes.

use arrayvec::ArrayVec;

/// The size of the header field that holds extranonce1 and extranonce2.
pub const EXTRA_NONCE_SIZE: usize = 24;

/// A mainnet header.
///
/// | offset | bytes | field | offset | bytes | field |
/// |---|---|---|---|---|---|
/// | 0 | 4 | nonce | 132 | 32 | witness root |
/// | 4 | 8 | time | 164 | 32 | merkle root |
/// | 12 | 32 | previous block | 196 | 4 | version |
/// | 44 | 32 | tree root | 200 | 4 | bits |
/// | 76 | 24 | extra nonce | 204 | 32 | mask |
/// | 100 | 32 | reserved root | | | |
///
/// ```
/// use orepass_hstratum::header::Header;
///
/// let header = Header { nonce: 7, bits: 0x1c00_ffff, ..Header::default() };
/// assert_eq!(Header::from_bytes(&header.to_bytes()), header);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Header {
    pub nonce: u32,
    pub time: u64,
    pub prev_block: [u8; 32],
    pub tree_root: [u8; 32],
    pub extra_nonce: [u8; EXTRA_NONCE_SIZE],
    pub reserved_root: [u8; 32],
    pub witness_root: [u8; 32],
    pub merkle_root: [u8; 32],
    pub version: u32,
    pub bits: u32,
    pub mask: [u8; 32],
}

impl Header {
    /// The header's size in bytes.
    pub const SIZE: usize = 236;

    /// The bytes in the order of the table above.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let mut rest = &mut bytes[..];
        let fields: [&[u8]; 11] = [
            &self.nonce.to_le_bytes(),
            &self.time.to_le_bytes(),
            &self.prev_block,
            &self.tree_root,
            &self.extra_nonce,
            &self.reserved_root,
            &self.witness_root,
            &self.merkle_root,
            &self.version.to_le_bytes(),
            &self.bits.to_le_bytes(),
            &self.mask,
        ];
        for field in fields {
            let (head, tail) = rest.split_at_mut(field.len());
            head.copy_from_slice(field);
            rest = tail;
        }
        bytes
    }

    /// Reads the bytes in the order of the table above.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            nonce: u32::from_le_bytes(part(bytes, 0)),
            time: u64::from_le_bytes(part(bytes, 4)),
            prev_block: part(bytes, 12),
            tree_root: part(bytes, 44),
            extra_nonce: part(bytes, 76),
            reserved_root: part(bytes, 100),
            witness_root: part(bytes, 132),
            merkle_root: part(bytes, 164),
            version: u32::from_le_bytes(part(bytes, 196)),
            bits: u32::from_le_bytes(part(bytes, 200)),
            mask: part(bytes, 204),
        }
    }
}

/// A header of the testnets before mainnet, without its 32-byte nonce.
///
/// | offset | bytes | field | offset | bytes | field |
/// |---|---|---|---|---|---|
/// | 0 | 4 | version | 132 | 32 | filter root |
/// | 4 | 32 | previous block | 164 | 32 | reserved root |
/// | 36 | 32 | merkle root | 196 | 8 | time |
/// | 68 | 32 | witness root | 204 | 4 | bits |
/// | 100 | 32 | tree root | 208 | 32 | nonce |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct SeedHeader {
    pub version: u32,
    pub prev_block: [u8; 32],
    pub merkle_root: [u8; 32],
    pub witness_root: [u8; 32],
    pub tree_root: [u8; 32],
    pub filter_root: [u8; 32],
    pub reserved_root: [u8; 32],
    pub time: u64,
    pub bits: u32,
}

impl SeedHeader {
    /// The size in bytes, the nonce included.
    pub const SIZE: usize = 240;
    /// The size in bytes without the nonce: what its proof of work hashes.
    pub const PREHEAD_SIZE: usize = 208;

    /// The bytes before the nonce.
    #[must_use]
    pub fn prehead(&self) -> [u8; Self::PREHEAD_SIZE] {
        let mut bytes = [0; Self::PREHEAD_SIZE];
        let mut rest = &mut bytes[..];
        let fields: [&[u8]; 9] = [
            &self.version.to_le_bytes(),
            &self.prev_block,
            &self.merkle_root,
            &self.witness_root,
            &self.tree_root,
            &self.filter_root,
            &self.reserved_root,
            &self.time.to_le_bytes(),
            &self.bits.to_le_bytes(),
        ];
        for field in fields {
            let (head, tail) = rest.split_at_mut(field.len());
            head.copy_from_slice(field);
            rest = tail;
        }
        bytes
    }

    /// All 240 bytes; their BLAKE2b-256 is the block's hash.
    #[must_use]
    pub fn to_bytes(&self, nonce: &[u8; 32]) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..Self::PREHEAD_SIZE].copy_from_slice(&self.prehead());
        bytes[Self::PREHEAD_SIZE..].copy_from_slice(nonce);
        bytes
    }
}

/// The header's extra nonce: extranonce1, extranonce2, and zeros up to 24 bytes. `None` when the
/// two are longer than that.
///
/// ```
/// let field = orepass_hstratum::header::extra_nonce(&[1, 2, 3, 4], &[5, 6, 7, 8]).unwrap();
/// assert_eq!(field[..9], [1, 2, 3, 4, 5, 6, 7, 8, 0]);
/// ```
#[must_use]
pub fn extra_nonce(extranonce1: &[u8], extranonce2: &[u8]) -> Option<[u8; EXTRA_NONCE_SIZE]> {
    let mut joined = ArrayVec::<u8, EXTRA_NONCE_SIZE>::new();
    joined.try_extend_from_slice(extranonce1).ok()?;
    joined.try_extend_from_slice(extranonce2).ok()?;
    let mut field = [0; EXTRA_NONCE_SIZE];
    field[..joined.len()].copy_from_slice(&joined);
    Some(field)
}

/// The `N` bytes from `at` on; callers stay within the header.
fn part<const N: usize>(bytes: &[u8; Header::SIZE], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[at..at + N]);
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extra_nonce_is_padded_and_bounded() {
        assert_eq!(extra_nonce(&[], &[]), Some([0; 24]));
        assert_eq!(extra_nonce(&[1; 20], &[1; 4]), Some([1; 24]));
        assert_eq!(extra_nonce(&[1; 21], &[1; 4]), None);
        assert_eq!(extra_nonce(&[1; 25], &[]), None);
    }
}
