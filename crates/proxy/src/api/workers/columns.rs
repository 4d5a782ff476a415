//! The columns of the table of workers, which can be sorted by any of them.

use orepass_stratum::verdict::Verdict;

use super::Row;
use crate::api::csv::Cell;
use crate::books::BookReading;
use crate::watch::WorkerFacts;
use crate::watch::views::ShareCounts;

/// A column.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) cell: fn(&Row, &WorkerFacts) -> Cell,
}

const fn column(name: &'static str, cell: fn(&Row, &WorkerFacts) -> Cell) -> Column {
    Column { name, cell }
}

/// The windows of rates, by their places.
const MINUTE: usize = 0;
const TEN_MINUTES: usize = 1;
const HOUR: usize = 2;
const DAY: usize = 3;

/// All of them, in the order of the table.
pub(super) const COLUMNS: &[Column] = &[
    column("route", |row, _| Cell::Text(row.route.name().to_owned())),
    column("name", |row, _| Cell::Text(row.worker.name.as_ref().to_owned())),
    column("state", |_, facts| Cell::Text(facts.state.name().to_owned())),
    column("rigs", |row, _| Cell::Count(row.worker.rigs.len() as u64)),
    column("last_share_age_s", |_, facts| number(facts.last_share_age_s())),
    column("norm_hs", |_, facts| {
        number(facts.reading.as_ref().and_then(|reading| reading.norm().per_second()))
    }),
    column("claimed_1m_hs", claimed::<MINUTE>),
    column("claimed_10m_hs", claimed::<TEN_MINUTES>),
    column("claimed_1h_hs", claimed::<HOUR>),
    column("claimed_24h_hs", claimed::<DAY>),
    column("accepted_1m_hs", accepted::<MINUTE>),
    column("accepted_10m_hs", accepted::<TEN_MINUTES>),
    column("accepted_1h_hs", accepted::<HOUR>),
    column("accepted_24h_hs", accepted::<DAY>),
    column("credited_1m_hs", credited::<MINUTE>),
    column("credited_10m_hs", credited::<TEN_MINUTES>),
    column("credited_1h_hs", credited::<HOUR>),
    column("credited_24h_hs", credited::<DAY>),
    column("sent", |_, facts| Cell::Count(ShareCounts::from(&facts.totals).sent)),
    column("in_flight", |_, facts| Cell::Count(facts.totals.in_flight)),
    column("accepted_by_pool", ended::<{ Verdict::AcceptedByPool as usize }>),
    column("below_pool_target", ended::<{ Verdict::BelowPoolTarget as usize }>),
    column("rejected_by_pool", ended::<{ Verdict::RejectedByPool as usize }>),
    column("stale", ended::<{ Verdict::Stale as usize }>),
    column("duplicate", ended::<{ Verdict::Duplicate as usize }>),
    column("second_solution", ended::<{ Verdict::SecondSolution as usize }>),
    column("low_difficulty", ended::<{ Verdict::LowDifficulty as usize }>),
    column("invalid", ended::<{ Verdict::Invalid as usize }>),
    column("unauthorized", ended::<{ Verdict::Unauthorized as usize }>),
    column("quarantined", ended::<{ Verdict::Quarantined as usize }>),
    column("overflow", ended::<{ Verdict::Overflow as usize }>),
    column("unanswered", ended::<{ Verdict::Unanswered as usize }>),
    column("lost_on_failover", ended::<{ Verdict::LostOnFailover as usize }>),
    column("blocks", |_, facts| Cell::Count(facts.totals.blocks)),
    column("best_share_hashes", |_, facts| Cell::Number(facts.totals.best)),
    column("credited_hashes", |_, facts| Cell::Number(facts.totals.credited)),
];

fn number(number: Option<f64>) -> Cell {
    number.map_or(Cell::Nothing, Cell::Number)
}

fn claimed<const WINDOW: usize>(_: &Row, facts: &WorkerFacts) -> Cell {
    number(facts.reading.as_ref().map(|reading| reading.rates()[WINDOW].claimed))
}

fn accepted<const WINDOW: usize>(_: &Row, facts: &WorkerFacts) -> Cell {
    let rates = facts.reading.as_ref().map(BookReading::rates);
    number(rates.map(|rates| rates[WINDOW].accepted.per_second))
}

fn credited<const WINDOW: usize>(_: &Row, facts: &WorkerFacts) -> Cell {
    let rates = facts.reading.as_ref().map(BookReading::rates);
    number(rates.map(|rates| rates[WINDOW].credited.per_second))
}

fn ended<const VERDICT: usize>(_: &Row, facts: &WorkerFacts) -> Cell {
    Cell::Count(facts.totals.count(Verdict::ALL[VERDICT]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_verdict_has_its_column() {
        for verdict in Verdict::ALL {
            assert!(COLUMNS.iter().any(|column| column.name == verdict.name()), "{verdict:?}");
        }
    }
}
