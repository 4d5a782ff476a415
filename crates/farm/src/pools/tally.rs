//! What became of the last shares that a pool was sent.

use std::collections::VecDeque;
use std::fmt::Write;
use std::time::Duration;

use super::interface::Cause;
use orepass_stratum::error::{Reject, shown};
use orepass_stratum::time::Instant;
use orepass_stratum::verdict::Verdict;

/// The last shares that are looked at; more than half of them must have been credited.
pub(super) const JUDGED_SHARES: usize = 20;
/// Shares that are older say nothing any more.
const JUDGED_FOR: Duration = Duration::from_secs(2 * 3600);
/// So many times apart shares must have been lost before that counts: a server that starts again
/// takes with it whatever is on its way.
const BLOWS: usize = 3;
/// What is lost within this time was lost by one blow.
const ONE_BLOW: Duration = Duration::from_secs(1);
/// The most different texts that are shown.
const MAX_WORDS: usize = 8;

/// What became of the last shares that a pool was sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// How many shares that is, 20 at most. Stale ones are left out unless the pool could help it.
    pub of: usize,
    /// How many of them the pool refused, or did not answer.
    pub refused: usize,
    /// How many were lost with a connection.
    pub lost: usize,
    /// What it said to those that it refused, and to how many, the commonest first. At most 8
    /// texts, of 65 characters at most.
    pub words: Vec<(Box<str>, usize)>,
}

impl Evidence {
    /// The pool's words in one line.
    #[must_use]
    pub fn words(&self) -> String {
        let mut line = String::new();
        for (text, times) in &self.words {
            let separator = if line.is_empty() { "" } else { ", " };
            // Writing to a text does not fail.
            let _ = write!(line, "{separator}{times} × {text}");
        }
        line
    }
}

/// The last shares that a pool was sent, the newest last.
#[derive(Debug)]
pub(super) struct Tally {
    shares: VecDeque<TalliedShare>,
}

#[derive(Debug)]
struct TalliedShare {
    at: Instant,
    fate: Fate,
}

#[derive(Debug)]
enum Fate {
    Credited,
    /// In the pool's words.
    Refused(Box<str>),
    Lost,
}

/// What the last shares say about their pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Nothing yet.
    Open,
    /// It credits what it gets.
    Sound,
    /// It credits less than half.
    Unsound(Cause),
}

impl Default for Tally {
    fn default() -> Self {
        Self { shares: VecDeque::with_capacity(JUDGED_SHARES) }
    }
}

impl Tally {
    /// A share has its verdict.
    pub(super) fn add(&mut self, verdict: &Result<(), Reject>, now: Instant) {
        let recent = |share: &TalliedShare| now.saturating_duration_since(share.at) < JUDGED_FOR;
        while self.shares.len() >= JUDGED_SHARES || self.shares.front().is_some_and(|s| !recent(s))
        {
            self.shares.pop_front();
        }
        let fate = match verdict {
            Ok(()) => Fate::Credited,
            Err(reject) if reject.verdict == Verdict::LostOnFailover => Fate::Lost,
            Err(reject) => {
                let words = reject.reason.strip_prefix("pool: ").unwrap_or(&reject.reason);
                Fate::Refused(shown(words).into())
            }
        };
        self.shares.push_back(TalliedShare { at: now, fate });
    }

    /// What comes from now on is looked at alone.
    pub(super) fn clear(&mut self) {
        self.shares.clear();
    }

    pub(super) fn judgement(&self) -> Judgement {
        if self.shares.len() < JUDGED_SHARES {
            return Judgement::Open;
        }
        let refused = self.shares.iter().filter(|share| share.is_refused()).count();
        let lost = if self.blows() >= BLOWS { self.lost() } else { 0 };
        if refused + lost <= JUDGED_SHARES / 2 {
            Judgement::Sound
        } else if refused >= lost {
            Judgement::Unsound(Cause::Rejects)
        } else {
            Judgement::Unsound(Cause::Losses)
        }
    }

    pub(super) fn evidence(&self) -> Evidence {
        let mut words: Vec<(Box<str>, usize)> = Vec::new();
        for share in &self.shares {
            let Fate::Refused(text) = &share.fate else { continue };
            match words.iter_mut().find(|(known, _)| known == text) {
                Some((_, times)) => *times += 1,
                None => words.push((text.clone(), 1)),
            }
        }
        let refused = words.iter().map(|(_, times)| times).sum();
        words.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
        words.truncate(MAX_WORDS);
        Evidence { of: self.shares.len(), refused, lost: self.lost(), words }
    }

    fn lost(&self) -> usize {
        self.shares.iter().filter(|share| matches!(share.fate, Fate::Lost)).count()
    }

    /// How many times apart some of the shares were lost.
    fn blows(&self) -> usize {
        let lost = self.shares.iter().filter(|share| matches!(share.fate, Fate::Lost));
        let mut last: Option<Instant> = None;
        lost.filter(|share| {
            let apart =
                last.is_none_or(|last| share.at.saturating_duration_since(last) >= ONE_BLOW);
            if apart {
                last = Some(share.at);
            }
            apart
        })
        .count()
    }
}

impl TalliedShare {
    const fn is_refused(&self) -> bool {
        matches!(self.fate, Fate::Refused(_))
    }
}
