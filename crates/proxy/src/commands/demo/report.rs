//! What the demo shows while it runs and at its end.

use orepass_farm::stats::Totals;
use orepass_stratum::verdict::Verdict;
use serde::Serialize;

use super::failover::FailoverStory;
use super::table::Happened;

/// The state of one coin's stage.
pub(super) struct StageLine {
    pub(super) dialect: String,
    pub(super) rigs: usize,
    pub(super) rigs_online: usize,
    /// The most that were open at a time.
    pub(super) pool_connections: u64,
    pub(super) duplicates_at_pool: u64,
    pub(super) rigs_with_accepted_share: usize,
    pub(super) blocks: u64,
    pub(super) totals: Totals,
    /// How far the failover has come, where one is played.
    pub(super) failover: Option<FailoverStory>,
    /// Somebody has seen enough before the end.
    pub(super) was_cut_short: bool,
    /// Shares that their rigs still had no answer for when all should have had one.
    pub(super) unanswered_by_proxy: u64,
    /// Answers that no share was waiting for.
    pub(super) answered_twice: u64,
}

impl StageLine {
    /// All refusals but stale ones and second solutions, which are nobody's fault, as what is lost with a
    /// pool that is killed.
    fn rejected(&self) -> u64 {
        let counted = [
            Verdict::AcceptedByPool,
            Verdict::BelowPoolTarget,
            Verdict::Stale,
            Verdict::SecondSolution,
        ];
        let is_lost = |verdict| self.failover.is_some() && verdict == Verdict::LostOnFailover;
        let rest = Verdict::ALL.iter();
        let rest = rest.filter(|verdict| !counted.contains(verdict) && !is_lost(**verdict));
        rest.map(|&verdict| self.totals.count(verdict)).sum()
    }

    /// Whether something has happened that must not.
    pub(super) fn is_lost(&self) -> bool {
        self.rejected() > 0 || self.duplicates_at_pool > 0 || self.answered_twice > 0
    }

    /// Writes one line of the live view.
    #[expect(clippy::print_stdout, reason = "the demo's output")]
    pub(super) fn show(&self, second: u64) {
        let count = |verdict| self.totals.count(verdict);
        println!(
            "{second:>4} s  {:<9} {:>3} rigs, {} pool connection{}, {} blocks | shares {:>5}: \
             {} accepted, {} below the pool's target, {} stale, {} rejected | earning {}/{}",
            self.dialect,
            self.rigs_online,
            self.pool_connections,
            if self.pool_connections == 1 { "" } else { "s" },
            self.blocks,
            self.totals.sent,
            count(Verdict::AcceptedByPool),
            count(Verdict::BelowPoolTarget),
            count(Verdict::Stale),
            self.rejected(),
            self.rigs_with_accepted_share,
            self.rigs,
        );
    }

    /// What is wrong, in words; nothing when the books close.
    fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut check = |good: bool, complaint: String| {
            if !good {
                complaints.push(format!("{}: {complaint}", self.dialect));
            }
        };
        let (sent, ended) = (self.totals.sent, self.totals.ended());
        check(sent == ended, format!("{sent} shares came, {ended} have a verdict"));
        let without = self.rigs - self.rigs_with_accepted_share.min(self.rigs);
        let must_be_whole = !self.was_cut_short;
        check(without == 0 || !must_be_whole, format!("{without} rigs have no accepted share"));
        let is_over = self.failover.is_none_or(FailoverStory::is_over);
        check(is_over || !must_be_whole, "the failover has not come to its end".into());
        check(self.rejected() == 0, format!("{} shares were refused", self.rejected()));
        let duplicates = self.duplicates_at_pool;
        check(duplicates == 0, format!("the pool saw {duplicates} shares twice"));
        let open = self.unanswered_by_proxy;
        check(open == 0, format!("{open} shares got no answer"));
        let twice = self.answered_twice;
        check(twice == 0, format!("{twice} answers were not waited for"));
        complaints
    }

    fn json(&self) -> ReportRow<'_> {
        ReportRow {
            dialect: &self.dialect,
            rigs: self.rigs,
            pool_connections: self.pool_connections,
            shares_sent: self.totals.sent,
            accepted: Self::credited(&self.totals),
            below_pool_target: self.totals.count(Verdict::BelowPoolTarget),
            stale: self.totals.count(Verdict::Stale),
            second_solution: self.totals.count(Verdict::SecondSolution),
            rejected: self.rejected(),
            duplicates_at_pool: self.duplicates_at_pool,
            rigs_with_accepted_share: self.rigs_with_accepted_share,
        }
    }
}

/// Writes what has happened as lines.
#[expect(clippy::print_stdout, reason = "the demo's output")]
pub(super) fn say(happened: &[Happened]) {
    for (second, dialect, what) in happened {
        println!("{second:>4} s  {dialect:<9} {what}");
    }
}

/// The end of all stages.
#[derive(Default)]
pub(super) struct DemoReport {
    lines: Vec<StageLine>,
}

impl DemoReport {
    pub(super) fn add(&mut self, line: StageLine) {
        self.lines.push(line);
    }

    pub(super) fn is_good(&self) -> bool {
        self.lines.iter().all(|line| line.complaints().is_empty())
    }

    #[expect(clippy::print_stdout, reason = "the demo's output")]
    pub(super) fn print(&self, json: bool) {
        if json {
            let routes = self.lines.iter().map(StageLine::json).collect();
            // Plain numbers and strings always serialize.
            println!("{}", serde_json::to_string(&ReportRows { routes }).unwrap_or_default());
            return;
        }
        for line in &self.lines {
            let totals = &line.totals;
            println!(
                "\n{}: {} rigs, {} connection(s) to {}",
                line.dialect,
                line.rigs,
                line.pool_connections,
                if line.failover.is_some() { "each of two pools" } else { "the pool" },
            );
            println!("  {:>6} shares came from the rigs", totals.sent);
            for verdict in Verdict::ALL {
                if totals.count(verdict) > 0 {
                    println!("  {:>6} {verdict}", totals.count(verdict));
                }
            }
            println!(
                "  {:>6} rigs with a share that the pool accepted",
                line.rigs_with_accepted_share
            );
            let pools = if line.failover.is_some() { "pools" } else { "pool" };
            println!("  {:>6} duplicates at the {pools}", line.duplicates_at_pool);
            if line.failover.is_some_and(FailoverStory::is_over) {
                println!("       1 failover to another pool, and back");
            }
        }
        println!();
        if self.lines.iter().any(|line| line.was_cut_short) {
            println!("It was ended before all had happened.");
        }
        for complaint in self.lines.iter().flat_map(StageLine::complaints) {
            println!("FAILED  {complaint}");
        }
        if self.is_good() {
            println!(
                "The books close: every share has exactly one verdict, and no work was done twice."
            );
        }
    }
}

#[derive(Serialize)]
struct ReportRows<'a> {
    routes: Vec<ReportRow<'a>>,
}

#[derive(Serialize)]
struct ReportRow<'a> {
    dialect: &'a str,
    rigs: usize,
    pool_connections: u64,
    shares_sent: u64,
    accepted: u64,
    below_pool_target: u64,
    stale: u64,
    second_solution: u64,
    rejected: u64,
    duplicates_at_pool: u64,
    rigs_with_accepted_share: usize,
}
