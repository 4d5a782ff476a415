//! Targets, proof-of-work hashes and difficulties.
//!
//! A [`Target`] and a [`PowHash`] are 256-bit numbers; on the wire both are 64 hex digits read as
//! a big-endian number. A [`Difficulty`] is what stratum servers say instead of a target; how the
//! two relate is a [`Scale`], because coins and servers disagree about it. The conversions are
//! exact over the whole range of `f64`; where something is rounded, the name says `lossy`.

use std::fmt;

use ruint::aliases::{U256, U512};

/// The largest hash that still counts: a share is good when its hash is at or below the target
/// (strictly below for some coins). A larger target is an easier one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(U256);

impl Target {
    /// The easiest target there is: every hash meets it.
    pub const MAX: Self = Self(U256::MAX);
    /// The hardest target there is: only the hash zero meets it.
    pub const ZERO: Self = Self(U256::ZERO);

    /// Wraps a number.
    #[must_use]
    pub const fn new(value: U256) -> Self {
        Self(value)
    }

    /// Reads 32 bytes, most significant first.
    #[must_use]
    pub const fn from_be_bytes(bytes: [u8; 32]) -> Self {
        Self(U256::from_be_bytes(bytes))
    }

    /// The 32 bytes, most significant first.
    #[must_use]
    pub const fn to_be_bytes(self) -> [u8; 32] {
        self.0.to_be_bytes()
    }

    /// Reads 64 hex digits, most significant first; `0x` in front is tolerated.
    ///
    /// # Errors
    /// When `text` is not exactly 32 bytes of hex.
    pub fn from_hex(text: &str) -> Result<Self, const_hex::FromHexError> {
        let mut bytes = [0; 32];
        const_hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self::from_be_bytes(bytes))
    }

    /// The number itself.
    #[must_use]
    pub const fn value(self) -> U256 {
        self.0
    }

    /// Expands the compact form that block headers have ("bits"): one exponent byte, a sign bit, 23 bits of
    /// mantissa. `None` when the sign bit is set or the number does not fit 256 bits.
    #[must_use]
    pub fn from_compact(bits: u32) -> Option<Self> {
        let exponent = (bits >> 24) as usize;
        let mantissa = U256::from(bits & 0x007f_ffff);
        if bits & 0x0080_0000 != 0 {
            return None;
        }
        if exponent <= 3 {
            return Some(Self(mantissa >> (8 * (3 - exponent))));
        }
        let shift = 8 * (exponent - 3);
        if mantissa.bit_len() + shift > 256 {
            return None;
        }
        Some(Self(mantissa << shift))
    }

    /// The compact form, rounded down: expanding it again gives a target that is the same or
    /// harder by less than 2⁻¹⁵.
    #[must_use]
    pub fn to_compact_lossy(self) -> u32 {
        let mut exponent = self.0.byte_len();
        let mut mantissa: u32 = if exponent <= 3 {
            self.0.to::<u32>() << (8 * (3 - exponent))
        } else {
            (self.0 >> (8 * (exponent - 3))).to::<u32>()
        };
        if mantissa & 0x0080_0000 != 0 {
            mantissa >>= 8;
            exponent += 1;
        }
        // The exponent is at most 33, so it fits its byte.
        (exponent as u32) << 24 | mantissa
    }

    /// The target as servers see it that keep targets in compact form.
    #[must_use]
    pub fn rounded_to_compact(self) -> Self {
        Self::from_compact(self.to_compact_lossy()).unwrap_or(self)
    }

    /// How many hashes one share of this target stands for on average: 2²⁵⁶ / (target + 1).
    #[must_use]
    pub fn hashes_lossy(self) -> f64 {
        let two_256 = U512::from(1) << 256;
        to_f64(two_256) / (to_f64(U512::from(self.0)) + 1.0)
    }

    /// The easier of the two.
    #[must_use]
    pub fn easier(self, other: Self) -> Self {
        self.max(other)
    }

    /// The harder of the two.
    #[must_use]
    pub fn harder(self, other: Self) -> Self {
        self.min(other)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(const_hex::Buffer::<32>::new().format(&self.to_be_bytes()))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

/// A proof-of-work hash, most significant byte first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PowHash([u8; 32]);

impl PowHash {
    /// Wraps 32 bytes, most significant first.
    #[must_use]
    pub const fn from_be_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, most significant first.
    #[must_use]
    pub const fn as_be_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The target that this hash exactly meets.
    #[must_use]
    pub const fn as_target(&self) -> Target {
        Target::from_be_bytes(self.0)
    }

    /// `hash <= target`, the rule of most coins.
    #[must_use]
    pub fn at_or_below(&self, target: &Target) -> bool {
        self.as_target() <= *target
    }

    /// `hash < target`, the rule of some.
    #[must_use]
    pub fn below(&self, target: &Target) -> bool {
        self.as_target() < *target
    }
}

impl fmt::Display for PowHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(const_hex::Buffer::<32>::new().format(&self.0))
    }
}

impl fmt::Debug for PowHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PowHash({self})")
    }
}

/// A share difficulty: finite and above zero; fractions are allowed.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Difficulty(f64);

impl Difficulty {
    /// Difficulty one.
    pub const ONE: Self = Self(1.0);

    /// `None` unless `value` is a finite number above zero.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        (value.is_finite() && value > 0.0).then_some(Self(value))
    }

    /// 2 to the power of `exponent`; the rungs of the [ladder](crate::ladder).
    #[must_use]
    pub fn power_of_two(exponent: i16) -> Self {
        Self(f64::from(exponent).clamp(-1000.0, 1000.0).exp2())
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Difficulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How difficulties and targets relate: `target = diff1 / difficulty`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scale {
    /// The numerator; one bit wider than a target, since some coins use 2²⁵⁶ itself.
    diff1: U512,
    /// Every target is cut to compact form.
    is_compact: bool,
}

impl Scale {
    /// A scale whose difficulty 1 is the given target.
    #[must_use]
    pub fn from_diff1(diff1: Target) -> Self {
        Self { diff1: U512::from(diff1.0), is_compact: false }
    }

    /// A scale with `target = 2^bits / difficulty`; `bits` is at most 256.
    #[must_use]
    pub fn from_power_of_two(bits: u16) -> Self {
        Self { diff1: U512::from(1) << usize::from(bits.min(256)), is_compact: false }
    }

    /// The same scale of servers that keep targets in compact form.
    #[must_use]
    pub const fn rounded_to_compact(self) -> Self {
        Self { is_compact: true, ..self }
    }

    /// The target of a difficulty: `floor(diff1 / difficulty)`, exact in the given `f64`, and
    /// [`Target::MAX`] where it does not fit; [rounded](Target::rounded_to_compact) where the scale is.
    #[must_use]
    pub fn target(&self, difficulty: Difficulty) -> Target {
        let exact = self.exact_target(difficulty);
        if self.is_compact { exact.rounded_to_compact() } else { exact }
    }

    fn exact_target(&self, difficulty: Difficulty) -> Target {
        let (mantissa, exponent) = decompose(difficulty.0);
        let quotient = if exponent >= 0 {
            // diff1 / (m · 2^e) = floor(floor(diff1 / 2^e) / m)
            let shifted = if exponent > 511 { U512::ZERO } else { self.diff1 >> exponent as usize };
            shifted / U512::from(mantissa)
        } else {
            // diff1 · 2^-e / m; past 2^511 the result exceeds every target anyway, since
            // m < 2^53.
            let shift = exponent.unsigned_abs() as usize;
            if self.diff1.bit_len() + shift > 511 {
                return Target::MAX;
            }
            (self.diff1 << shift) / U512::from(mantissa)
        };
        if quotient.bit_len() > 256 {
            return Target::MAX;
        }
        Target(U256::from_limbs_slice(&quotient.as_limbs()[..4]))
    }

    /// The difficulty of a target, as precisely as an `f64` can say it: never one whose own target
    /// is easier, or whoever is told it would send shares that miss the target. A value within a
    /// millionth of a whole number is given as that number where that holds, since hardware likes
    /// those. On a scale of rounded targets it is, of the difficulties that have the target, the one
    /// with the fewest binary digits.
    #[must_use]
    pub fn difficulty_lossy(&self, target: Target) -> Difficulty {
        let exact = self.exact_difficulty(target);
        let shortest = self.is_compact.then(|| self.shortest_difficulty(exact, target)).flatten();
        shortest.unwrap_or(exact)
    }

    /// Rounding hides what a target was made from: `000000ffff00…` is both 1 and 1.00001525…, and only
    /// the first is sure to come out as the same target in firmware that calculates with fewer digits.
    fn shortest_difficulty(&self, exact: Difficulty, target: Target) -> Option<Difficulty> {
        let magnitude = exact.0.log2().floor();
        (0..=f64::MANTISSA_DIGITS)
            .map(|digits| (f64::from(digits) - magnitude).exp2())
            .filter_map(|unit| Difficulty::new((exact.0 * unit).round() / unit))
            .find(|candidate| self.target(*candidate) == target)
    }

    fn exact_difficulty(&self, target: Target) -> Difficulty {
        /// More than the units in its last place that the quotient may be off by.
        const MAX_STEPS: usize = 8;
        let exact = to_f64(self.diff1) / to_f64(U512::from(target.0)).max(1.0);
        let whole = exact.round();
        let near = whole >= 1.0 && (exact - whole).abs() / whole < 1e-6;
        let told = |difficulty| self.exact_target(Difficulty(difficulty));
        if near && told(whole) <= target {
            return Difficulty(whole);
        }
        let mut difficulty = exact;
        for _ in 0..MAX_STEPS {
            if told(difficulty) <= target {
                break;
            }
            difficulty = difficulty.next_up();
        }
        Difficulty(difficulty)
    }
}

/// Splits a positive finite `f64` into an integer mantissa below 2⁵³ and an exponent of two.
fn decompose(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    match (bits >> 52) & 0x7ff {
        0 => (fraction, -1074),
        biased => (fraction | 1 << 52, biased as i32 - 1075),
    }
}

/// The nearest `f64`, from the number's highest 64 bits.
fn to_f64(value: U512) -> f64 {
    let shift = value.bit_len().saturating_sub(64);
    // At most 64 bits remain after the shift.
    let high = (value >> shift).to::<u64>();
    high as f64 * (shift as f64).exp2()
}

#[cfg(test)]
mod tests;
