//! One worker: what it does, what it should do, and what is wrong with it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::parts::{
    HEAD, Look, ScreenColumn, column, cut, heading, inside, number, put, put_all, table, take, wide,
};
use crate::commands::top::data::{DAY, EventSeen, RigSeen, TEN_MINUTES, WorkerRow, over};
use crate::commands::top::format::{
    age, ago, clock, count, difficulty, many, percent, rate, wrapped,
};
use crate::commands::top::state::TopState;
use crate::commands::top::words::{ENDS, LEVELS, STATES, Tone, part, wasted, why, word_of};

/// The most connections on the screen.
const CONNECTIONS: usize = 8;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &TopState, look: Look) {
    let mut rest = inside(area);
    let page = &state.page;
    let name = cut(&page.id.name, 64);
    let head = format!("Worker {name} on route {}", cut(&page.id.route, 20));
    put(frame, take(&mut rest, 1), Line::styled(head, HEAD));
    let Some(worker) = &page.worker else {
        return put(frame, rest, Line::raw("Asking…"));
    };
    let mut lines = facts(worker, look);
    lines.push(Line::raw(""));
    lines.extend(shares(worker, usize::from(rest.width), look));
    put_all(frame, take(&mut rest, lines.len() as u16), lines);
    let rigs = page.rigs.as_ref().map_or(&[][..], |rigs| &rigs.rigs);
    let wrong = wrong(rigs, usize::from(rest.width), look);
    put_all(frame, take(&mut rest, wrong.len() as u16), wrong);
    take(&mut rest, 1);
    let total = page.rigs.as_ref().map_or(0, |rigs| rigs.total);
    draw_connections(frame, &mut rest, rigs, total, page.place.cursor, look);
    take(&mut rest, 1);
    let events = page.events.iter().flat_map(|seen| seen.events.iter().rev());
    let mut lines: Vec<_> = events.map(|event| line_of(event, look)).collect();
    if lines.is_empty() {
        lines.push(Line::styled("Nothing was said of it lately.", look.dim()));
    }
    heading(frame, take(&mut rest, 1), look, "Its last events", String::new());
    put_all(frame, rest, lines);
}

fn facts(worker: &WorkerRow, look: Look) -> Vec<Line<'static>> {
    let (lately, daily) = (over(&worker.hashrate, TEN_MINUTES), over(&worker.hashrate, DAY));
    let fact = |name: &str, value: String, rest: String, tone: Option<Tone>| {
        let style = tone.map_or_else(|| look.dim(), |tone| look.tone(tone));
        Line::from(vec![
            Span::raw(format!("{name:<26}")),
            Span::styled(format!("{value:<13}"), HEAD),
            Span::styled(rest, style),
        ])
    };
    let (against, tone) = match &*worker.against_norm {
        "good" => ("it does that", None),
        "low" => ("▼ it does less than 70 % of it", Some(Tone::Warn)),
        _ => ("not known well enough yet", None),
    };
    let agents = worker.agents.iter().map(|agent| cut(agent, 40)).collect::<Vec<_>>().join(", ");
    let sent = part(&worker.shares, "sent") as u64;
    vec![
        Line::from(vec![
            look.badge(word_of(&STATES, &worker.state), &worker.state),
            Span::raw(format!("  {}", why(&worker.state))),
        ]),
        fact(
            "Accepted, 10 minutes",
            rate(lately.accepted_hs),
            format!("± {}", rate(lately.accepted_error_hs)),
            None,
        ),
        fact("Its norm", rate(worker.norm_hs), against.to_owned(), tone),
        fact(
            "Credited, 24 h",
            percent(daily.credited_hs, daily.accepted_hs, 1),
            "of what was accepted".into(),
            None,
        ),
        fact(
            "Lost, 24 h",
            percent(Some(wasted(&daily)), daily.claimed_hs, 2),
            "stale, refused, repeated or bad".into(),
            None,
        ),
        fact(
            "Last share",
            ago(worker.last_share_age_s),
            format!("{} sent since the start", count(sent)),
            None,
        ),
        Line::raw(format!("{:<26}{}", "Software", if agents.is_empty() { "–" } else { &agents })),
    ]
}

/// What became of its shares since the start.
fn shares(worker: &WorkerRow, width: usize, look: Look) -> Vec<Line<'static>> {
    let there = ENDS.iter().map(|end| (end, part(&worker.shares, end.key) as u64));
    let there = there.filter(|(_, count)| *count > 0);
    let texts: Vec<_> =
        there.map(|(end, number)| format!("{} {}", count(number), end.word)).collect();
    let text = match texts.is_empty() {
        true => "Shares: none since the start".to_owned(),
        false => format!("Shares: {}", texts.join(", ")),
    };
    wrapped(&text, width).into_iter().map(|text| Line::styled(text, look.dim())).collect()
}

fn wrong(rigs: &[RigSeen], width: usize, look: Look) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let told = rigs.iter().filter_map(|rig| Some((rig, rig.diagnosis.as_deref()?)));
    for (rig, diagnosis) in told.take(2) {
        let style = look.tone(Tone::Warn).add_modifier(Modifier::BOLD);
        let text = format!("▲ What may be wrong: {} ({})", cut(diagnosis, 240), cut(&rig.id, 24));
        lines.extend(wrapped(&text, width).into_iter().map(|text| Line::styled(text, style)));
        if let Some(advice) = &rig.advice {
            let text = format!("What to do: {}", cut(advice, 400));
            let texts = wrapped(&text, width.saturating_sub(2)).into_iter();
            lines.extend(texts.map(|text| Line::raw(format!("  {text}"))));
        }
    }
    lines
}

fn draw_connections(
    frame: &mut Frame<'_>,
    rest: &mut Rect,
    rigs: &[RigSeen],
    total: usize,
    cursor: usize,
    look: Look,
) {
    const COLUMNS: [ScreenColumn; 6] = [
        column("Rig", 10),
        wide("From"),
        column("Pool", 10),
        number("Difficulty", 11),
        number("Accepted", 10),
        number("Last share", 10),
    ];
    if rigs.is_empty() {
        let none = Line::styled("No rig of it is connected.", look.dim());
        return put(frame, take(rest, 1), none);
    }
    let from = cursor.saturating_sub(CONNECTIONS - 1);
    let shown = &rigs[from..(from + CONNECTIONS).min(rigs.len())];
    let rows = shown.iter().map(|rig| {
        vec![
            Span::raw(cut(&rig.id, 24)),
            Span::raw(cut(&rig.address, 48)),
            Span::raw(rig.pool.as_deref().map_or_else(|| "waits".to_owned(), |pool| cut(pool, 24))),
            Span::raw(difficulty(rig.difficulty)),
            Span::raw(rate(over(&rig.hashrate, TEN_MINUTES).accepted_hs)),
            Span::raw(age(rig.last_share_age_s)),
        ]
    });
    let area = take(rest, shown.len() as u16 + 1);
    table(frame, area, &COLUMNS, rows.collect(), Some(cursor - from));
    let hidden = total.saturating_sub(shown.len()) as u64;
    if hidden > 0 {
        let text = format!("{} more are not shown.", many(hidden, "connection"));
        put(frame, take(rest, 1), Line::styled(text, look.dim()));
    }
    let chosen = rigs.get(cursor).and_then(|rig| rig.agent.as_deref());
    if let Some(agent) = chosen.filter(|_| rest.height > 4) {
        put(
            frame,
            take(rest, 1),
            Line::styled(format!("It says that it is {}", cut(agent, 48)), look.dim()),
        );
    }
}

fn line_of(event: &EventSeen, look: Look) -> Line<'static> {
    let word = word_of(&LEVELS, &event.level);
    Line::from(vec![
        Span::styled(format!("{} ", clock(&event.at)), look.dim()),
        Span::styled(format!("{} {:<16} ", word.sign, cut(&event.id, 24)), look.tone(word.tone)),
        Span::raw(cut(&event.message, 160)),
    ])
}
