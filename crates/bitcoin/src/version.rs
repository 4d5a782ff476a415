//! The bits of a block's version that may be rolled (BIP 310, BIP 320).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Bits of a block's version. On the wire 8 hex digits, most significant first.
///
/// ```
/// use orepass_bitcoin::VersionMask;
///
/// let mask: VersionMask = "1fffe000".parse()?;
/// assert_eq!(mask, VersionMask::ROLLABLE);
/// assert_eq!(mask.apply(0x2000_0004, 0x0a5f_e000), 0x2a5f_e004);
/// # Ok::<(), orepass_bitcoin::version::NoMask>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct VersionMask(pub u32);

impl VersionMask {
    /// No bit at all.
    pub const NONE: Self = Self(0);
    /// The 16 bits that are set aside for it (BIP 320).
    pub const ROLLABLE: Self = Self(0x1fff_e000);

    /// The bits of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether bits are set that are not of the mask.
    #[must_use]
    pub const fn excludes(self, bits: u32) -> bool {
        bits & !self.0 != 0
    }

    /// A job's version with these bits in the place of its own: those of the mask alone count (BIP 310).
    #[must_use]
    pub const fn apply(self, version: u32, bits: u32) -> u32 {
        version & !self.0 | bits & self.0
    }
}

impl fmt::Display for VersionMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// A text that is no mask.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected a mask of 8 hex digits, such as \"1fffe000\", found {0:?}")]
pub struct NoMask(Box<str>);

impl FromStr for VersionMask {
    type Err = NoMask;

    /// Reads up to 8 hex digits in either case.
    fn from_str(text: &str) -> Result<Self, NoMask> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mask = u32::from_str_radix(text, 16).ok().filter(|_| is_hex && text.len() <= 8);
        mask.map(Self).ok_or_else(|| NoMask(orepass_stratum::error::shown(text).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_hex_and_nothing_else() {
        assert_eq!("00C0ffEE".parse(), Ok(VersionMask(0x00c0_ffee)));
        for wrong in ["", "0x1f", "+1", "123456789", "all"] {
            let error = wrong.parse::<VersionMask>().unwrap_err().to_string();
            assert!(error.ends_with(&format!("found {wrong:?}")), "{error}");
        }
    }

    #[test]
    fn bits_outside_of_the_mask_stay_the_jobs() {
        let mask = VersionMask(0x0000_6000);
        assert!(mask.excludes(0x8000) && !mask.excludes(0x2000));
        assert_eq!(mask.apply(0x2000_c004, 0xffff_2000), 0x2000_a004);
    }
}
