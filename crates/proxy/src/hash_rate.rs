//! Rates of hashes as people write and read them.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The usual prefixes, each a thousand times the one before.
const PREFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
/// What is counted, as rigs of different coins call it.
const UNITS: [&str; 4] = ["H", "h", "Sol", "S"];

/// Hashes per second; where a coin's proof of work is a solution, solutions per second. It is written as
/// `5TH`, `5 TH/s` or `120 kSol/s`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct HashRate(f64);

impl HashRate {
    /// So many per second; nothing below 0.
    #[must_use]
    pub const fn new(per_second: f64) -> Self {
        Self(per_second.max(0.0))
    }

    /// How many per second.
    #[must_use]
    pub const fn per_second(self) -> f64 {
        self.0
    }
}

impl fmt::Display for HashRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = self.0;
        let mut prefix = 0;
        while value >= 1000.0 && prefix + 1 < PREFIXES.len() {
            value /= 1000.0;
            prefix += 1;
        }
        write!(f, "{value:.2} {}H/s", PREFIXES[prefix])
    }
}

impl FromStr for HashRate {
    type Err = HashRateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let rate = text.strip_suffix("/s").unwrap_or(text);
        let unit = UNITS.iter().find_map(|unit| rate.strip_suffix(unit)).ok_or(HashRateError)?;
        let prefix = PREFIXES.iter().rposition(|prefix| {
            // Some write a large K.
            unit.ends_with(prefix) || *prefix == "k" && unit.ends_with('K')
        });
        let prefix = prefix.unwrap_or_default();
        let number = &unit[..unit.len() - PREFIXES[prefix].len()];
        let number: f64 = number.trim_end().parse().map_err(|_| HashRateError)?;
        let per_second = number * 1000_f64.powi(prefix as i32);
        let sane = per_second.is_finite() && per_second > 0.0;
        if sane { Ok(Self(per_second)) } else { Err(HashRateError) }
    }
}

/// Why a text is no rate of hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected a rate above 0, such as \"5TH\", \"2.7 TH/s\" or \"120 kSol/s\"")]
pub struct HashRateError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_the_usual_prefixes() {
        let shown = |per_second| HashRate::new(per_second).to_string();
        assert_eq!(shown(0.0), "0.00 H/s");
        assert_eq!(shown(-1.0), "0.00 H/s");
        assert_eq!(shown(1.93e15), "1.93 PH/s");
        assert_eq!(shown(999.9), "999.90 H/s");
        assert_eq!(shown(2.5e22), "25000.00 EH/s");
    }

    #[test]
    fn what_people_write_is_read() {
        let read = |text: &str| text.parse::<HashRate>().map(HashRate::per_second);
        assert_eq!(read("5TH"), Ok(5e12));
        assert_eq!(read("2.7 TH/s"), Ok(2.7e12));
        assert_eq!(read("120 kSol/s"), Ok(120e3));
        assert_eq!(read(" 40 KH/s "), Ok(40e3));
        assert_eq!(read("300S/s"), Ok(300.0));
        assert_eq!(read("80 H/s"), Ok(80.0));
        for wrong in ["5", "TH", "5T", "-5TH", "0 H/s", "5 XH", "1e400 H", "NaN H", ""] {
            assert_eq!(read(wrong), Err(HashRateError), "{wrong}");
        }
    }
}
