//! What became of a series' shares in a part of time.

use orepass_farm::stats::Minute;
use orepass_stratum::verdict::Verdict;

/// How finely the history is kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resolution {
    /// For a day.
    Minute,
    /// For 30 days.
    TenMinutes,
    /// For two years.
    Hour,
}

impl Resolution {
    /// All of them, the finest first.
    pub const ALL: [Self; 3] = [Self::Minute, Self::TenMinutes, Self::Hour];

    /// How long a part of time is.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Minute => 60,
            Self::TenMinutes => 600,
            Self::Hour => 3600,
        }
    }

    /// For how many hours it is kept.
    #[must_use]
    pub const fn kept_hours(self) -> u64 {
        match self {
            Self::Minute => 24,
            Self::TenMinutes => 30 * 24,
            Self::Hour => 2 * 365 * 24,
        }
    }

    /// How it stands in the file.
    pub(super) const fn number(self) -> i64 {
        self as i64
    }

    /// How many parts an hour has.
    pub(super) const fn parts_per_hour(self) -> u64 {
        3600 / self.seconds()
    }
}

/// The shares that ended in one way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EndedShares {
    /// The way.
    pub verdict: Verdict,
    /// How many there were.
    pub count: u64,
    /// The work that they stand for, in hashes, to nine digits.
    pub work: f64,
}

/// What became of the shares of a worker, route or pool in a part of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HistoryPart {
    /// For how many seconds of it the worker had a rig, the route a pool, the pool a connection.
    pub seconds_online: u16,
    /// The work that pools credited, at their own targets, in hashes, to nine digits.
    credited: f64,
    /// Of each verdict once, in their order; none without shares.
    ended: Vec<EndedShares>,
}

impl HistoryPart {
    /// What was added to a book in a part of time.
    #[must_use]
    pub fn new(added: &Minute, seconds_online: u16) -> Self {
        let mut part = Self::online(seconds_online);
        for verdict in Verdict::ALL {
            let (count, work) = (added.counts[verdict as usize], added.work[verdict as usize]);
            part.put(EndedShares { verdict, count: count.into(), work: work.into() });
        }
        part.credit(added.credited.into());
        part
    }

    /// Without a share.
    pub(super) const fn online(seconds_online: u16) -> Self {
        Self { seconds_online, credited: 0.0, ended: Vec::new() }
    }

    /// What became of shares: each verdict that there was, in the order of [`Verdict::ALL`].
    #[must_use]
    pub fn ended(&self) -> &[EndedShares] {
        &self.ended
    }

    /// How many shares ended so.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.find(verdict).map_or(0, |at| self.ended[at].count)
    }

    /// The work of the shares that ended so, in hashes, to nine digits.
    #[must_use]
    pub fn work(&self, verdict: Verdict) -> f64 {
        self.find(verdict).map_or(0.0, |at| self.ended[at].work)
    }

    /// The work that pools credited, at their own targets, in hashes, to nine digits.
    #[must_use]
    pub const fn credited(&self) -> f64 {
        self.credited
    }

    /// Adds what is known of another part of time, or of the same one besides.
    pub fn add(&mut self, other: &Self) {
        self.seconds_online = self.seconds_online.saturating_add(other.seconds_online);
        other.ended.iter().for_each(|ended| self.put(*ended));
        self.credit(other.credited);
    }

    /// A pool credited so much work more.
    pub(super) const fn credit(&mut self, work: f64) {
        self.credited = (self.credited + finite(work)).min(f64::MAX);
    }

    pub(super) fn put(&mut self, shares: EndedShares) {
        let EndedShares { verdict, count, work } = shares;
        let work = finite(work);
        if count == 0 && work == 0.0 {
            return;
        }
        match self.ended.binary_search_by_key(&verdict, |ended| ended.verdict) {
            Ok(at) => {
                let ended = &mut self.ended[at];
                ended.count = ended.count.saturating_add(count);
                ended.work = (ended.work + work).min(f64::MAX);
            }
            Err(at) => self.ended.insert(at, EndedShares { verdict, count, work }),
        }
    }

    fn find(&self, verdict: Verdict) -> Option<usize> {
        self.ended.binary_search_by_key(&verdict, |ended| ended.verdict).ok()
    }
}

/// Work as it can be: of what is none, nothing.
const fn finite(work: f64) -> f64 {
    if work.is_finite() { work.max(0.0) } else { 0.0 }
}

/// A part of time in a series' history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryPoint {
    /// When it began, in Unix seconds.
    pub start: u64,
    /// What became of shares then.
    pub part: HistoryPart,
}
