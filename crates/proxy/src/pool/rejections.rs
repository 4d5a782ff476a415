//! Why a pool does not credit shares, in its own words, as far as they are few.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use orepass_stratum::verdict::Verdict;
use serde::Serialize;
use utoipa::ToSchema;

/// The most reasons of a pool that are told apart; the others are counted together.
const MAX_REASONS: usize = 16;
/// The most characters of a reason.
const MAX_REASON: usize = 80;
/// What stands for the reasons past these.
const OTHER: &str = "(others)";
/// What stands for a word with a digit in it, which is another one for each share.
const VALUE: &str = "…";

/// What a pool said of the shares that it did not credit.
#[derive(Debug, Default)]
pub(crate) struct Rejections(Mutex<BTreeMap<(Verdict, Box<str>), Uncredited>>);

#[derive(Debug, Clone, Copy, Default)]
struct Uncredited {
    shares: u64,
    hashes: f64,
}

/// Shares that a pool did not credit for one reason, since the start.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RejectionView {
    /// How they are counted.
    #[schema(value_type = String)]
    #[serde(serialize_with = "as_name")]
    pub kind: Verdict,
    /// What the pool says: text from outside, where `…` stands for words that change from share to share.
    pub reason: String,
    /// How many there were.
    pub shares: u64,
    /// The work that they stand for, at the targets that rigs were told.
    pub work_hashes: f64,
}

fn as_name<S: serde::Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(verdict.name())
}

impl Rejections {
    /// A share was not credited.
    pub(crate) fn note(&self, verdict: Verdict, reason: &str, hashes: f64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (verdict, plain(reason));
        if known.len() >= MAX_REASONS && !known.contains_key(&key) {
            key.1 = OTHER.into();
        }
        let count = known.entry(key).or_default();
        count.shares += 1;
        count.hashes += hashes;
    }

    /// All reasons, the most frequent first.
    pub(crate) fn view(&self) -> Vec<RejectionView> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let view = |((kind, reason), count): (&(Verdict, Box<str>), &Uncredited)| RejectionView {
            kind: *kind,
            reason: reason.to_string(),
            shares: count.shares,
            work_hashes: count.hashes,
        };
        let mut all: Vec<_> = known.iter().map(view).collect();
        all.sort_by_key(|one| std::cmp::Reverse(one.shares));
        all
    }
}

/// The reason without what is of one share only. A number at its end in brackets is the pool's code.
fn plain(reason: &str) -> Box<str> {
    let reason = reason.strip_prefix("pool: ").unwrap_or(reason);
    let is_value = |word: &str| {
        word.bytes().any(|byte| byte.is_ascii_digit())
            && !(word.starts_with('(') && word.ends_with(')'))
    };
    let words = reason.split(' ').map(|word| if is_value(word) { VALUE } else { word });
    let text: String = words.collect::<Vec<_>>().join(" ");
    text.chars().take(MAX_REASON).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_without_what_is_of_one_share_only() {
        let rejections = Rejections::default();
        rejections.note(Verdict::Stale, "pool: job 7f3a is too old (21)", 10.0);
        rejections.note(Verdict::Stale, "pool: job 7f3b is too old (21)", 20.0);
        rejections.note(Verdict::RejectedByPool, "pool: no reason given", 5.0);
        let view = rejections.view();
        let told: Vec<_> =
            view.iter().map(|one| (one.kind, &*one.reason, one.shares, one.work_hashes)).collect();
        let expected = [
            (Verdict::Stale, "job … is too old (21)", 2, 30.0),
            (Verdict::RejectedByPool, "no reason given", 1, 5.0),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_pool_that_never_says_the_same_costs_no_more_than_its_bound() {
        let rejections = Rejections::default();
        for number in 0..1000_u32 {
            let word: String =
                number.to_string().bytes().map(|byte| char::from(byte + 49)).collect();
            rejections.note(Verdict::RejectedByPool, &format!("{word} {}", "x".repeat(500)), 1.0);
        }
        let view = rejections.view();
        assert_eq!(view.len(), MAX_REASONS + 1);
        assert_eq!((&*view[0].reason, view[0].shares), (OTHER, 1000 - MAX_REASONS as u64));
        assert!(view.iter().all(|one| one.reason.chars().count() <= MAX_REASON));
    }
}
