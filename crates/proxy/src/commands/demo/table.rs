//! What the demo shows on a terminal while it runs: a table that is written over, of 80 columns at most.

use std::io::{self, Write};

use orepass_stratum::verdict::Verdict;
use ratatui::crossterm::terminal;

use super::report::StageLine;
use crate::commands::top::format::{age, count};
use crate::commands::top::words::{ENDS, HEALTHS, Tone, word_of};
use crate::watch::views::{PoolHealthView, PoolView};

/// The most columns that are used, however wide the terminal is.
const WIDTH: usize = 80;
/// How many of the things that happened are shown.
const HAPPENED: usize = 5;
/// How wide the bar of the time is.
const BAR: usize = 30;

/// Something that happened: at which second, to which coin, and what.
pub(super) type Happened = (u64, &'static str, String);

/// A table that is written over.
pub(super) struct LiveTable {
    colour: bool,
    /// How many lines it had.
    lines: usize,
}

impl LiveTable {
    pub(super) fn new() -> Self {
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { colour, lines: 0 }
    }

    /// Writes it over what was written last.
    pub(super) fn show(
        &mut self,
        seconds: (f64, f64),
        stages: &[(StageLine, Vec<PoolView>)],
        happened: &[Happened],
    ) {
        let (width, height) = terminal::size().unwrap_or((WIDTH as u16, 24));
        // The cursor stands on a line of its own below.
        let room = usize::from(height).saturating_sub(1).max(1);
        let mut lines = lines(seconds, stages, happened);
        lines.truncate(room);
        let mut text = String::new();
        if self.lines > 0 {
            text += &format!("\x1b[{}A", self.lines.min(room));
        }
        for line in &lines {
            text += "\r\x1b[2K";
            text += &self.coloured(line, WIDTH.min(usize::from(width).saturating_sub(1)));
            text += "\n";
        }
        // What was below is not there any more.
        text += "\x1b[J";
        self.lines = lines.len();
        let mut out = io::stdout().lock();
        // Who does not see it any more reads the report, or nothing.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    fn coloured(&self, (tone, line): &(Option<Tone>, String), width: usize) -> String {
        let line: String = line.chars().take(width).collect();
        let code = match tone {
            _ if !self.colour => return line,
            None => return line,
            Some(Tone::Good) => "32",
            Some(Tone::Calm) => "36",
            Some(Tone::Warn) => "33",
            Some(Tone::Bad) => "31",
            Some(Tone::Off) => "2",
        };
        format!("\x1b[{code}m{line}\x1b[0m")
    }
}

/// The lines, each with how good that is.
fn lines(
    (past, whole): (f64, f64),
    stages: &[(StageLine, Vec<PoolView>)],
    happened: &[Happened],
) -> Vec<(Option<Tone>, String)> {
    let full = (BAR as f64 * past / whole).min(BAR as f64) as usize;
    let bar = format!("{}{}", "█".repeat(full), "░".repeat(BAR - full));
    let time = match past > whole {
        true => format!("{past:.0} s, until all has happened"),
        false => format!("{past:.0} s of {whole:.0} s"),
    };
    let mut lines = vec![
        (None, format!("orepass demo  {bar}  {time}")),
        (Some(Tone::Off), "Ctrl-C ends it and prints the report".to_owned()),
        (None, String::new()),
    ];
    for (line, pools) in stages {
        lines.push((
            None,
            format!(
                "{}: {} of {} rigs mine, {} earn; blocks: {}",
                line.dialect,
                line.rigs_online,
                line.rigs,
                line.rigs_with_accepted_share,
                line.blocks
            ),
        ));
        lines.push((
            Some(Tone::Off),
            format!(
                "  {:<8} {:<18} {:>5} {:>6} {:>9} {:>9} {:>10}",
                "Pool", "State", "Rigs", "Links", "Credited", "Refused", "Job"
            ),
        ));
        lines.extend(pools.iter().map(row));
        lines.push((None, format!("  {}", shares(line))));
        lines.push((None, String::new()));
    }
    let last = &happened[happened.len().saturating_sub(HAPPENED)..];
    lines.extend(
        last.iter()
            .map(|(second, dialect, what)| (None, format!("{second:>4} s  {dialect}: {what}"))),
    );
    lines
}

fn row(pool: &PoolView) -> (Option<Tone>, String) {
    let health = match pool.health {
        PoolHealthView::Unknown => "unknown",
        PoolHealthView::Serves => "serves",
        PoolHealthView::Lost => "lost",
        PoolHealthView::Down => "down",
        PoolHealthView::Benched => "benched",
        PoolHealthView::Retired => "retired",
    };
    let word = word_of(&HEALTHS, health);
    let state = format!("{} {}", word.sign, word.word);
    let text = format!(
        "  {:<8} {state:<18} {:>5} {:>6} {:>9} {:>9} {:>10}",
        pool.name,
        count(pool.rigs as u64),
        count(pool.channels_live as u64),
        count(pool.shares.kinds.accepted_by_pool),
        count(pool.shares.kinds.rejected_by_pool),
        age(pool.job_age_s),
    );
    (Some(word.tone), text)
}

/// What became of all shares: `1,822 shares: 886 credited, 7 stale`.
fn shares(line: &StageLine) -> String {
    let totals = &line.totals;
    let of = Verdict::ALL.iter().filter_map(|&verdict| {
        let number = totals.count(verdict);
        let key = verdict.to_string();
        let end = ENDS.iter().find(|end| end.key == key)?;
        // The rest of it is said on the page and in the report.
        let word = end.word.split(',').next().unwrap_or(end.word);
        (number > 0).then(|| format!("{} {word}", count(number)))
    });
    let of = of.collect::<Vec<_>>().join(", ");
    if of.is_empty() {
        return format!("{} shares", count(totals.sent));
    }
    format!("{} shares: {of}", count(totals.sent))
}

#[cfg(test)]
mod tests {
    use orepass_farm::stats::Totals;

    use super::*;
    use crate::commands::demo::failover::FailoverStory;

    #[test]
    fn it_fits_eighty_columns_and_twenty_four_lines() {
        let line = |dialect: &str| StageLine {
            dialect: dialect.to_owned(),
            rigs: 1000,
            rigs_online: 1000,
            pool_connections: 16,
            duplicates_at_pool: 0,
            rigs_with_accepted_share: 1000,
            blocks: 1000,
            totals: Totals::default(),
            failover: Some(FailoverStory::Killed),
            was_cut_short: false,
            unanswered_by_proxy: 0,
            answered_twice: 0,
        };
        let pool = |name: &str, health| PoolView {
            route: "hstratum".into(),
            name: name.into(),
            server: "127.0.0.1:1".into(),
            tls: false,
            rank: 0,
            weight: 1.0,
            health,
            cause: None,
            health_s: None,
            share_wanted: 1.0,
            rigs: 1000,
            channels_live: 16,
            job_age_s: Some(100_000.0),
            shares: (&Totals::default()).into(),
            rejections: Vec::new(),
            hashrate: Vec::new(),
        };
        let pools =
            || vec![pool("first", PoolHealthView::Down), pool("second", PoolHealthView::Serves)];
        let stages = [(line("hstratum"), pools()), (line("aion"), pools())];
        let happened: Vec<Happened> =
            (0..9).map(|second| (second, "hstratum", "pool first comes back".into())).collect();
        let lines = lines((33.0, 20.0), &stages, &happened);
        assert!(lines.len() < 24, "{lines:?}");
        let widest = lines.iter().map(|(_, line)| line.chars().count()).max();
        assert!(widest < Some(WIDTH), "{lines:?}");
        let text: Vec<_> = lines.iter().map(|(_, line)| line.as_str()).collect();
        assert!(text.iter().any(|line| line.starts_with("  first    ✕ down ")), "{text:?}");
        assert!(text[0].ends_with("33 s, until all has happened"), "{text:?}");
    }
}
