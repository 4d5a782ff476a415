//! What came out, for people and for machines.

use std::fmt::{self, Display, Formatter};
use std::iter;

use serde_json::{Map, Value, json};

use super::args::Args;
use super::cpu::processor;
use super::pool::Books;
use super::run::Outcome;
use super::spread::Spread;

/// So many remarks are shown of each party.
const REMARKS: usize = 10;
/// What the rest of the machine did, of which the table has the worst only.
const OTHERS: &str = ".others";
const SELDOM: [&str; 2] = [".unanswered", ".held"];

/// All runs of a bench.
#[derive(Debug)]
pub struct Report {
    args: Args,
    processor: String,
    cores: usize,
    /// Of the proxy, run by run.
    pub proxy: Vec<Outcome>,
    /// Of the relay, run by run; empty where it was left out.
    pub floor: Vec<Outcome>,
}

/// A line of the table.
struct Row {
    key: String,
    label: String,
    proxy: Spread,
    floor: Option<Spread>,
    ratio: Option<Spread>,
}

impl Report {
    /// A report of a bench that begins.
    #[must_use]
    pub fn new(args: &Args) -> Self {
        let (processor, cores) = processor();
        Self { args: args.clone(), processor, cores, proxy: Vec::new(), floor: Vec::new() }
    }

    /// Whether all shares that reached the pool reached it once and unchanged.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let sound = |books: &Books| {
            books.duplicates + books.unknown_jobs + books.altered + books.unreadable == 0
        };
        self.proxy.iter().chain(&self.floor).all(|outcome| sound(&outcome.books))
    }

    /// One object with everything.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let (mut proxy, mut floor, mut ratio) = (Map::new(), Map::new(), Map::new());
        for row in self.rows() {
            proxy.insert(row.key.clone(), row.proxy.to_json());
            if let Some(figure) = row.floor {
                floor.insert(row.key.clone(), figure.to_json());
            }
            if let Some(figure) = row.ratio {
                ratio.insert(row.key, figure.to_json());
            }
        }
        let Args { rigs, rigs_per_channel, parallel, jobs, job_gap, .. } = self.args;
        let Args { rate, seconds, runs, rig_threads, .. } = self.args;
        json!({
            "machine": {"processor": self.processor, "cores": self.cores},
            "settings": {
                "dialect": self.args.dialect, "rigs": rigs, "rigs_per_channel": rigs_per_channel,
                "parallel": parallel, "jobs": jobs, "job_gap_ms": job_gap, "rate": rate,
                "in_flight": self.args.in_flight, "seconds": seconds, "runs": runs,
                "rig_threads": rig_threads,
            },
            "proxy": {"figures": proxy, "books": books(&self.proxy)},
            "floor": {"figures": floor, "books": books(&self.floor)},
            "ratio": ratio,
            "sound": self.is_sound(),
        })
    }

    fn rows(&self) -> Vec<Row> {
        let Some(first) = self.proxy.first() else { return Vec::new() };
        let row = |figure: &super::phases::Figure| {
            let proxy = spread(&self.proxy, &figure.key)?;
            let floor = spread(&self.floor, &figure.key);
            // Counts have no ratio, and the rest of the machine is the same machine.
            let is_cost = !is_count(&figure.key);
            let ratio = floor.as_ref().filter(|_| is_cost).and_then(|floor| proxy.over(floor));
            Some(Row { key: figure.key.clone(), label: figure.label.clone(), proxy, floor, ratio })
        };
        first.figures.0.iter().filter_map(row).collect()
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, args, .. } = self;
        let channels = self.proxy.iter().map(|outcome| outcome.channels).max().unwrap_or(0);
        writeln!(f, "{processor}, {cores} cores shared by all parties")?;
        writeln!(
            f,
            "{} rigs on {channels} pool connections, {}, runs: {}; median (least to greatest)\n",
            args.rigs, args.dialect, args.runs
        )?;
        writeln!(f, "{:44} {:>26} {:>26} {:>18}", "", "proxy", "floor", "ratio")?;
        let rows = self.rows();
        for row in rows.iter().filter(|row| row.is_shown()) {
            let cell = |spread: &Option<Spread>| spread.as_ref().map_or_else(String::new, shown);
            writeln!(
                f,
                "{:44} {:>26} {:>26} {:>18}",
                row.label,
                shown(&row.proxy),
                cell(&row.floor),
                cell(&row.ratio)
            )?;
        }
        let others = rows.iter().filter(|row| row.key.ends_with(OTHERS));
        let others = others.flat_map(|row| iter::once(&row.proxy).chain(&row.floor));
        let most = others.map(Spread::max).fold(0.0, f64::max);
        writeln!(f, "\nprocessors busy with something else, at most: {}", rounded(most))?;
        for (party, outcomes) in [("proxy", &self.proxy), ("floor", &self.floor)] {
            let Some(sum) = sum(outcomes) else { continue };
            writeln!(
                f,
                "\n{party}: the pool took {} shares; {} duplicates, {} of unknown jobs, {} altered, \
                 {} unreadable lines; {} rigs lost",
                sum.accepted,
                sum.duplicates,
                sum.unknown_jobs,
                sum.altered,
                sum.unreadable,
                lost(outcomes)
            )?;
            let remarks = outcomes.iter().flat_map(|outcome| &outcome.remarks);
            for remark in remarks.take(REMARKS) {
                writeln!(f, "  {remark}")?;
            }
        }
        Ok(())
    }
}

impl Row {
    /// Whether it is worth a line: what seldom happens is, once it happens.
    fn is_shown(&self) -> bool {
        let happens = self.proxy.max() > 0.0 || self.floor.as_ref().is_some_and(|f| f.max() > 0.0);
        let seldom = SELDOM.iter().any(|name| self.key.ends_with(name));
        !self.key.ends_with(OTHERS) && (happens || !seldom)
    }
}

fn is_count(key: &str) -> bool {
    let counts = [".shares", ".refused", OTHERS];
    counts.iter().chain(&SELDOM).any(|name| key.ends_with(name))
}

/// A figure over all runs of a party, if all have it.
fn spread(outcomes: &[Outcome], key: &str) -> Option<Spread> {
    let value = |outcome: &Outcome| {
        outcome.figures.0.iter().find(|figure| figure.key == key).map(|figure| figure.value)
    };
    Spread::of(outcomes.iter().map(value).collect::<Option<Vec<f64>>>()?)
}

fn shown(spread: &Spread) -> String {
    let [min, median, max] = [spread.min(), spread.median(), spread.max()].map(rounded);
    if spread.runs().len() == 1 { median } else { format!("{median} ({min} to {max})") }
}

/// Three figures are enough.
fn rounded(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn sum(outcomes: &[Outcome]) -> Option<Books> {
    let books = outcomes.iter().map(|outcome| &outcome.books);
    books.cloned().reduce(|sum, books| Books {
        authorized: sum.authorized + books.authorized,
        accepted: sum.accepted + books.accepted,
        duplicates: sum.duplicates + books.duplicates,
        unknown_jobs: sum.unknown_jobs + books.unknown_jobs,
        altered: sum.altered + books.altered,
        unreadable: sum.unreadable + books.unreadable,
        to_pool: Vec::new(),
    })
}

fn lost(outcomes: &[Outcome]) -> u64 {
    outcomes.iter().map(|outcome| outcome.lost).sum()
}

fn books(outcomes: &[Outcome]) -> Value {
    let Some(sum) = sum(outcomes) else { return Value::Null };
    let remarks: Vec<&String> =
        outcomes.iter().flat_map(|outcome| &outcome.remarks).take(REMARKS).collect();
    json!({
        "accepted": sum.accepted, "duplicates": sum.duplicates, "unknown_jobs": sum.unknown_jobs,
        "altered": sum.altered, "unreadable": sum.unreadable, "lost_rigs": lost(outcomes),
        "remarks": remarks,
    })
}
