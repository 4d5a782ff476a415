//! Numbers with bounds, checked while they are read, so that an error stands at the number.

use orepass_stratum::target::Difficulty;
use serde::Deserialize;
use thiserror::Error;

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub struct Bounded<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Bounded<MIN, MAX> {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl<const MIN: u32, const MAX: u32> TryFrom<i64> for Bounded<MIN, MAX> {
    type Error = OutOfBounds;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        let small = u32::try_from(number).ok().filter(|small| (MIN..=MAX).contains(small));
        small.map(Self).ok_or(OutOfBounds { number, min: MIN, max: MAX })
    }
}

/// A number that is too small or too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected a number from {min} to {max}, found {number}")]
pub struct OutOfBounds {
    number: i64,
    min: u32,
    max: u32,
}

/// A number above zero.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Deserialize)]
#[serde(try_from = "f64")]
pub struct Positive(f64);

impl Positive {
    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The number as a difficulty.
    #[must_use]
    pub fn difficulty(self) -> Difficulty {
        Difficulty::new(self.0).unwrap_or(Difficulty::ONE)
    }
}

impl TryFrom<f64> for Positive {
    type Error = NotPositive;

    fn try_from(number: f64) -> Result<Self, Self::Error> {
        let positive = number.is_finite() && number > 0.0;
        positive.then_some(Self(number)).ok_or(NotPositive(number))
    }
}

/// A number that is zero, negative, infinite or none at all.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("expected a number above zero, found {0}")]
pub struct NotPositive(f64);
