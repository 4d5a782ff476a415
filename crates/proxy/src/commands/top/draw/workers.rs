//! The table of workers.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::parts::{Look, ScreenColumn, column, cut, inside, number, put, table, take, wide};
use crate::commands::top::data::{DAY, TEN_MINUTES, WorkerRow, over};
use crate::commands::top::format::{age, count, percent, rate};
use crate::commands::top::state::TopState;
use crate::commands::top::words::{STATES, Tone, wasted, word_of};

/// From this width on there are more columns.
const WIDE: u16 = 112;

/// What fits into 80 columns.
const COLUMNS: [ScreenColumn; 6] = [
    column("State", 13),
    wide("Worker"),
    number("Accepted", 10),
    number("Of norm", 7),
    number("Lost", 7),
    number("Last share", 10),
];
/// What else there is room for.
const MORE: [ScreenColumn; 4] =
    [column("Route", 12), number("Credited, 24h", 13), number("Rigs", 5), column("Software", 22)];

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &TopState, look: Look) {
    let mut rest = inside(area);
    let list = &state.list;
    put(frame, take(&mut rest, 1), states(state, look));
    let total = list.total();
    let from = list.place.top;
    let shown = total.map_or_else(
        || "asking…".to_owned(),
        |total| match total {
            0 => "no worker is like that".to_owned(),
            _ => {
                let end = (from + list.fit).min(total) as u64;
                format!("{} – {} of {}", count(from as u64 + 1), count(end), count(total as u64))
            }
        },
    );
    let mut about = format!("{shown}; accepted in 10 minutes, lost in 24 h; by {}", list.order());
    if let Some(route) = &list.route {
        about += &format!("; of route {}", cut(route, 20));
    }
    if !list.search.is_empty() {
        about += &format!("; with “{}”", cut(&list.search, 30));
    }
    put(frame, take(&mut rest, 1), Line::styled(about, look.dim()));
    let is_wide = rest.width >= WIDE;
    let columns: Vec<ScreenColumn> =
        COLUMNS.into_iter().chain(MORE.into_iter().filter(|_| is_wide)).collect();
    let end = total.unwrap_or(0).min(from + list.fit);
    let rows = (from..end).map(|row| match list.row(row) {
        Some(worker) => cells(worker, look),
        None => vec![Span::raw("…")],
    });
    let chosen = (end > from).then(|| list.place.cursor - from);
    table(frame, rest, &columns, rows.collect(), chosen);
}

/// How many are how; the chosen ones in brackets.
fn states(state: &TopState, look: Look) -> Line<'static> {
    let list = &state.list;
    let counts = state.known.counts(list.route.as_deref(), &list.search);
    let many = |many: Option<u64>| many.map_or_else(|| "…".to_owned(), count);
    let mut spans = Vec::new();
    let mut chip = |text: String, tone: Tone, is_chosen: bool| {
        let style = look.tone(tone);
        spans.push(match is_chosen {
            true => Span::styled(format!("[{text}] "), style.add_modifier(Modifier::BOLD)),
            false => Span::styled(format!(" {text}  "), style),
        });
    };
    let all = counts.map(|counts| counts.iter().sum());
    chip(format!("all {}", many(all)), Tone::Calm, list.state().is_none());
    for (at, word) in STATES.iter().enumerate() {
        let text = format!("{} {} {}", word.sign, word.word, many(counts.map(|counts| counts[at])));
        chip(text, word.tone, list.state() == Some(word.word));
    }
    Line::from(spans)
}

fn cells(worker: &WorkerRow, look: Look) -> Vec<Span<'static>> {
    let lately = over(&worker.hashrate, TEN_MINUTES);
    let daily = over(&worker.hashrate, DAY);
    let of_norm = percent(lately.accepted_hs, worker.norm_hs, 0);
    let of_norm = match &*worker.against_norm {
        "low" => Span::styled(format!("▼ {of_norm}"), look.tone(Tone::Warn)),
        _ => Span::raw(of_norm),
    };
    vec![
        look.badge(word_of(&STATES, &worker.state), &worker.state),
        Span::raw(cut(&worker.name, 64)),
        Span::raw(rate(lately.accepted_hs)),
        of_norm,
        Span::raw(percent(Some(wasted(&daily)), daily.claimed_hs, 1)),
        Span::raw(age(worker.last_share_age_s)),
        Span::raw(cut(&worker.route, 12)),
        Span::raw(rate(daily.credited_hs)),
        Span::raw(count(worker.rigs)),
        Span::raw(cut(&worker.agents.join(", "), 40)),
    ]
}
