//! What became of shares and answers, as the pools and the rigs saw it.

use orepass_farm::stats::Totals;
use orepass_stratum::verdict::Verdict;

/// The counts of all pools.
#[derive(Debug, Clone, Copy, Default)]
pub struct PoolFates {
    /// Shares that came.
    pub shares: u64,
    /// Shares that were taken.
    pub taken: u64,
    /// Acceptances that the proxy read before it gave the share up.
    pub taken_in_time: u64,
    /// Answers of any kind that the proxy read after it had given the share up.
    pub late: u64,
    /// Answers that it read in the moment in which the connection ended, or after it had been
    /// unable to write: nobody can say which of the two it saw first.
    pub doubtful: u64,
    /// Shares that were refused since what they were for changed while they were on their way.
    pub crossed: u64,
    /// Shares that were refused for no reason.
    pub slandered: u64,
}

/// The counts of all rigs.
#[derive(Debug, Clone, Copy, Default)]
pub struct RigFates {
    /// Shares that were written.
    pub sent: u64,
    /// Shares that the proxy read.
    pub read: u64,
    /// Shares that were answered with true.
    pub taken: u64,
    /// Shares that were answered with an error.
    pub refused: u64,
    /// Shares whose connection ended before an answer.
    pub cut_off: u64,
    /// Connections that were made.
    pub came: u64,
    /// Jobs that were told.
    pub jobs: u64,
}

/// Whether the books of the route are those of the pools and the rigs. The route has ended.
#[must_use]
pub(super) fn imbalances(books: &Totals, pools: &PoolFates, rigs: &RigFates) -> Vec<String> {
    let mut found = Vec::new();
    let mut check = |holds: bool, what: String| {
        if !holds {
            found.push(what);
        }
    };
    let kinds: u64 = Verdict::ALL.iter().map(|&verdict| books.count(verdict)).sum();
    check(books.sent == kinds, format!("{} shares sent, {kinds} by kind", books.sent));
    check(books.sent == books.ended(), format!("{} sent, {} ended", books.sent, books.ended()));
    let answered = rigs.taken + rigs.refused;
    check(
        (answered..=rigs.read).contains(&books.sent),
        format!("{} sent, but {answered} answered and {} read", books.sent, rigs.read),
    );
    check(
        rigs.sent == answered + rigs.cut_off,
        format!("rigs sent {}, answered {answered}, cut off {}", rigs.sent, rigs.cut_off),
    );
    let accepted = books.count(Verdict::AcceptedByPool);
    check(
        (pools.taken_in_time..=pools.taken_in_time + pools.doubtful).contains(&accepted),
        format!(
            "{accepted} booked as accepted; pools took {} in time and {} in doubt",
            pools.taken_in_time, pools.doubtful
        ),
    );
    check(
        (pools.late..=pools.late + pools.doubtful).contains(&books.late_verdicts),
        format!("{} late verdicts, pools gave {}", books.late_verdicts, pools.late),
    );
    let good = accepted + books.count(Verdict::BelowPoolTarget);
    let bad = books.ended() - good;
    check(rigs.taken <= good, format!("{} answered true, {good} good", rigs.taken));
    check(rigs.refused <= bad, format!("{} refused, {bad} bad", rigs.refused));
    let untold = (good - rigs.taken.min(good)) + (bad - rigs.refused.min(bad));
    check(
        untold <= rigs.cut_off,
        format!("{untold} verdicts did not reach a rig, {} rigs were cut off", rigs.cut_off),
    );
    check(
        books.undeliverable <= rigs.cut_off,
        format!("{} undeliverable, {} cut off", books.undeliverable, rigs.cut_off),
    );
    found
}
