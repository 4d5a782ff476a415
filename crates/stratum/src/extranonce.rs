//! Extranonces: short byte strings that tell one miner's work from another's.

use std::fmt;

use arrayvec::ArrayVec;
use thiserror::Error;

/// The longest extranonce of any dialect, in bytes.
pub const MAX_EXTRANONCE: usize = 32;

/// Up to 32 bytes, kept inline, in the order in which they are hashed.
///
/// ```
/// use orepass_stratum::extranonce::Extranonce;
///
/// let pool: Extranonce = "02c05bfd".parse()?;
/// let rig = pool.join(&[0x2f])?;
/// assert_eq!(rig.to_string(), "02c05bfd2f");
/// # Ok::<(), orepass_stratum::extranonce::ExtranonceError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Extranonce(ArrayVec<u8, MAX_EXTRANONCE>);

impl Extranonce {
    /// Copies up to 32 bytes.
    ///
    /// # Errors
    /// [`ExtranonceError::TooLong`] for more.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, ExtranonceError> {
        ArrayVec::try_from(bytes).map(Self).map_err(|_| ExtranonceError::TooLong(bytes.len()))
    }

    /// These bytes, then `tail`.
    ///
    /// # Errors
    /// [`ExtranonceError::TooLong`] when the two together exceed 32 bytes.
    pub fn join(&self, tail: &[u8]) -> Result<Self, ExtranonceError> {
        let mut joined = self.clone();
        joined
            .0
            .try_extend_from_slice(tail)
            .map_err(|_| ExtranonceError::TooLong(self.len() + tail.len()))?;
        Ok(joined)
    }

    /// Cuts after `at` bytes: `(head, tail)`. `None` when it is shorter than that.
    #[must_use]
    pub fn split(&self, at: usize) -> Option<(Self, Self)> {
        let (head, tail) = self.0.split_at_checked(at)?;
        Some((Self(head.iter().copied().collect()), Self(tail.iter().copied().collect())))
    }

    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::str::FromStr for Extranonce {
    type Err = ExtranonceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let len = text.len() / 2;
        if len > MAX_EXTRANONCE {
            return Err(ExtranonceError::TooLong(len));
        }
        let mut bytes = [0; MAX_EXTRANONCE];
        const_hex::decode_to_slice(text, &mut bytes[..len])
            .map_err(|_| ExtranonceError::NotHex(text.into()))?;
        Self::from_slice(&bytes[..len])
    }
}

impl fmt::Display for Extranonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 2 * MAX_EXTRANONCE];
        let text = &mut text[..2 * self.len()];
        const_hex::encode_to_slice(&self.0, text).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Extranonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extranonce({self})")
    }
}

/// Why bytes or text are no extranonce.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExtranonceError {
    /// More than 32 bytes.
    #[error("an extranonce of {0} bytes is longer than {MAX_EXTRANONCE}")]
    TooLong(usize),
    /// Not an even number of hex digits.
    #[error("extranonce {0:?} is not hex")]
    NotHex(Box<str>),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_what_is_not_hex() {
        for text in ["0", "zz", "0x0", "00 1", "0x00"] {
            let parsed = text.parse::<Extranonce>();
            assert!(parsed.is_err(), "{text:?} gave {parsed:?}");
        }
        assert_eq!("00".repeat(33).parse::<Extranonce>(), Err(ExtranonceError::TooLong(33)));
    }

    proptest! {
        #[test]
        fn join_and_split_are_inverse(
            head in prop::collection::vec(any::<u8>(), 0..=16),
            tail in prop::collection::vec(any::<u8>(), 0..=16),
        ) {
            let pool = Extranonce::from_slice(&head).unwrap();
            let joined = pool.join(&tail).unwrap();
            let (front, back) = joined.split(head.len()).unwrap();
            prop_assert_eq!(&front, &pool);
            prop_assert_eq!(back.as_bytes(), &tail[..]);
            prop_assert_eq!(joined.to_string().parse::<Extranonce>().unwrap(), joined);
        }
    }
}
