//! Figures of many samples, and of many runs.

use serde_json::{Value, json};

/// The middle, the slowest hundredth and the worst of many samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percentiles {
    /// Half of the samples are at most this.
    pub p50: u64,
    /// 99 of 100 are at most this.
    pub p99: u64,
    /// All are at most this.
    pub max: u64,
}

impl Percentiles {
    /// By nearest rank; `None` without a sample.
    #[must_use]
    pub fn of(mut samples: Vec<u64>) -> Option<Self> {
        samples.sort_unstable();
        let max = *samples.last()?;
        let rank = |percent: usize| samples[(samples.len() * percent).div_ceil(100).max(1) - 1];
        Some(Self { p50: rank(50), p99: rank(99), max })
    }
}

/// One figure over several runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    runs: Vec<f64>,
    sorted: Vec<f64>,
}

impl Spread {
    /// `None` without a run.
    #[must_use]
    pub fn of(runs: Vec<f64>) -> Option<Self> {
        let mut sorted = runs.clone();
        sorted.sort_by(f64::total_cmp);
        (!runs.is_empty()).then_some(Self { runs, sorted })
    }

    /// The least.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.sorted[0]
    }

    /// The middle one, of an even number the mean of the two in the middle.
    #[must_use]
    pub fn median(&self) -> f64 {
        let half = self.sorted.len() / 2;
        let upper = self.sorted[half];
        if self.sorted.len() % 2 == 1 { upper } else { f64::midpoint(self.sorted[half - 1], upper) }
    }

    /// The greatest.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.sorted[self.sorted.len() - 1]
    }

    /// Each run's, in their order.
    #[must_use]
    pub fn runs(&self) -> &[f64] {
        &self.runs
    }

    /// This figure in multiples of another one, run by run; `None` where one of those is 0.
    #[must_use]
    pub fn over(&self, floor: &Self) -> Option<Self> {
        let pairs = self.runs.iter().zip(&floor.runs);
        let ratios: Option<Vec<f64>> =
            pairs.map(|(figure, floor)| (*floor > 0.0).then(|| figure / floor)).collect();
        Self::of(ratios?)
    }

    /// For the machine's eye.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({"min": self.min(), "median": self.median(), "max": self.max(), "runs": self.runs})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_of_the_nearest_rank() {
        assert_eq!(Percentiles::of(vec![]), None);
        assert_eq!(Percentiles::of(vec![7]), Some(Percentiles { p50: 7, p99: 7, max: 7 }));
        let hundred = (1..=100).rev().collect();
        assert_eq!(Percentiles::of(hundred), Some(Percentiles { p50: 50, p99: 99, max: 100 }));
        let three = Percentiles::of(vec![30, 10, 20]);
        assert_eq!(three, Some(Percentiles { p50: 20, p99: 30, max: 30 }));
    }

    #[test]
    fn a_spread_has_the_ends_and_the_middle_of_its_runs() {
        assert_eq!(Spread::of(vec![]), None);
        let odd = Spread::of(vec![3.0, 1.0, 2.0]).unwrap();
        assert_eq!((odd.min(), odd.median(), odd.max()), (1.0, 2.0, 3.0));
        assert_eq!(odd.runs(), [3.0, 1.0, 2.0]);
        assert_eq!(Spread::of(vec![4.0, 1.0]).unwrap().median(), 2.5);
    }

    #[test]
    fn ratios_are_taken_run_by_run() {
        let spread = |runs: &[f64]| Spread::of(runs.to_vec()).unwrap();
        let ratio = spread(&[4.0, 9.0]).over(&spread(&[2.0, 3.0])).unwrap();
        assert_eq!(ratio.runs(), [2.0, 3.0]);
        assert_eq!(spread(&[4.0]).over(&spread(&[0.0])), None);
    }
}
