//! What must be true at the end of every story.

use std::fmt;

use orepass_farm::stats::Totals;
use orepass_sim::pool::PoolStats;
use orepass_sim::rig::RigStats;
use orepass_stratum::verdict::Verdict;

/// The three accounts of one story, when it is over: the pool's, the route's and the rigs'.
#[derive(Debug, Clone)]
pub struct Accounts {
    /// What the pool saw.
    pub pool: PoolStats,
    /// What the route booked.
    pub route: Totals,
    /// What the rigs saw, in sum.
    pub rigs: RigStats,
}

impl Accounts {
    /// How many shares the route booked so.
    #[must_use]
    pub const fn count(&self, verdict: Verdict) -> u64 {
        self.route.count(verdict)
    }

    /// Everything that is wrong where every share should have been credited.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let mut faults = self.honesty();
        faults.append(bad_submits(&self.pool));
        faults.unless_zero("shares that rigs were refused", self.rigs.rejected);
        faults.unless_equal(
            ("shares accepted by the pool", self.pool.accepted),
            ("shares booked as accepted by the pool", self.count(Verdict::AcceptedByPool)),
        );
        faults
    }

    /// Everything that is wrong whatever the rigs and the pool did: each share has one answer and
    /// one place in the books.
    #[must_use]
    pub fn honesty(&self) -> Faults {
        let mut faults = books(&self.route);
        faults.append(answers(&self.rigs));
        // What a rig writes to a connection that is being closed may never be read.
        let sent = self.rigs.shares_sent + self.rigs.rubbish_sent;
        let read = sent.saturating_sub(self.rigs.unanswered)..=sent;
        if !read.contains(&self.route.sent) {
            faults.0.push(format!("{} shares booked, but {read:?} sent", self.route.sent));
        }
        faults
    }
}

/// What a pool that is served well never sees. Pools ban for these.
#[must_use]
pub fn bad_submits(pool: &PoolStats) -> Faults {
    let mut faults = Faults::default();
    faults.unless_zero("duplicates at the pool", pool.duplicates);
    faults.unless_zero("stale shares at the pool", pool.stale);
    faults.unless_zero("shares of low difficulty at the pool", pool.low_difficulty);
    faults.unless_zero("submits of bad form at the pool", pool.invalid_params);
    faults.unless_zero("submits of unknown jobs at the pool", pool.unknown_job);
    faults.unless_zero("submits of a bad time at the pool", pool.bad_time);
    faults.unless_zero("submits of unauthorized workers at the pool", pool.unauthorized);
    faults.unless_zero("submits before a subscribe at the pool", pool.not_subscribed);
    faults.unless_zero("malformed lines at the pool", pool.malformed_lines);
    faults.unless_zero("connections that the pool ended", pool.connections_ended);
    faults.unless_equal(
        ("submits at the pool", pool.submits),
        ("submits that it accepted or was told to refuse", pool.accepted + pool.refused),
    );
    faults
}

/// Every share that came has ended in exactly one kind of verdict.
#[must_use]
pub fn books(route: &Totals) -> Faults {
    let mut faults = Faults::default();
    let kinds: u64 = Verdict::ALL.iter().map(|&verdict| route.count(verdict)).sum();
    faults.unless_equal(("shares sent", route.sent), ("shares ended", route.ended()));
    faults.unless_equal(("shares sent", route.sent), ("shares by kind", kinds));
    faults
}

/// Every call of every rig was answered exactly once, and no work was told twice.
#[must_use]
pub fn answers(rigs: &RigStats) -> Faults {
    let mut faults = Faults::default();
    faults.unless_zero("shares without an answer", rigs.pending);
    faults.unless_zero("second answers", rigs.double_answers);
    faults.unless_zero("answers to nothing", rigs.unknown_answers);
    faults.unless_zero("errors without an id", rigs.anonymous_errors);
    faults.unless_zero("lines that rigs cannot read", rigs.malformed_lines);
    faults.unless_zero("jobs that rigs cannot mine", rigs.jobs_unusable);
    faults.unless_zero("job ids told twice", rigs.job_ids_repeated);
    faults.unless_zero("works told twice", rigs.works_repeated);
    faults.unless_zero("rubbish that was accepted", rigs.rubbish_accepted);
    faults.unless_equal(
        ("shares that rigs sent", rigs.shares_sent),
        ("shares answered, or cut off", rigs.accepted + rigs.rejected + rigs.unanswered),
    );
    faults
}

/// A list of what is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(Vec<String>);

impl Faults {
    /// Fails the test where there is any.
    ///
    /// # Panics
    /// With the list.
    pub fn assert_none(&self) {
        assert!(self.0.is_empty(), "{self}");
    }

    /// Whether one of them says this.
    #[must_use]
    pub fn mention(&self, text: &str) -> bool {
        self.0.iter().any(|fault| fault.contains(text))
    }

    fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    fn unless_zero(&mut self, what: &str, count: u64) {
        if count > 0 {
            self.0.push(format!("{count} {what}"));
        }
    }

    fn unless_equal(&mut self, one: (&str, u64), other: (&str, u64)) {
        if one.1 != other.1 {
            self.0.push(format!("{} {}, but {} {}", one.1, one.0, other.1, other.0));
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}
