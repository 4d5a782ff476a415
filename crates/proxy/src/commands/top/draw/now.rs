//! All at a glance, one route at a time: coins have rates that cannot be added.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::Sparkline;

use super::parts::{
    HEAD, Look, ScreenColumn, column, cut, gauge, heading, inside, number, put, put_all, table,
    take,
};
use crate::commands::top::data::{
    DAY, HOUR, KindsSeen, NeedSeen, PoolSeen, RatesSeen, RouteSeen, TEN_MINUTES, over,
};
use crate::commands::top::format::{self, age, count, percent, rate};
use crate::commands::top::sentence::sentence;
use crate::commands::top::state::TopState;
use crate::commands::top::words::{ENDS, HEALTHS, SEVERITIES, STATES, part, wasted, word_of};

/// From this width on what needs somebody stands beside the rest.
const BESIDE: u16 = 116;
/// How many names of a finding are shown.
const NAMES: usize = 6;
/// How many lines are kept for what needs somebody, at the most: the chart makes way.
const NEEDS_KEPT: u16 = 8;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &TopState, look: Look) {
    let mut rest = inside(area);
    let Some(summary) = &state.known.summary else {
        return put(frame, rest, Line::raw("Asking…"));
    };
    let Some(route) = state.known.route(state.route.as_deref()) else {
        let none = "There is no route yet. Add a [[route]] to the config, and reload it.";
        put(frame, take(&mut rest, 2), Line::raw(none));
        return draw_needs(frame, rest, state, None, look);
    };
    if summary.routes.len() > 1 {
        let names = summary.routes.iter().map(|other| match other.name == route.name {
            true => Span::styled(format!("[{}] ", cut(&other.name, 20)), Modifier::BOLD),
            false => Span::raw(format!(" {}  ", cut(&other.name, 20))),
        });
        put(frame, take(&mut rest, 1), Line::from_iter(names));
    }
    draw_sentence(frame, &mut rest, state, route, look);
    if rest.width >= BESIDE {
        let width = rest.width * 3 / 5;
        let right = Rect { x: rest.x + width + 2, width: rest.width - width - 2, ..rest };
        let mut left = Rect { width, ..rest };
        draw_route(frame, &mut left, state, route, look, 0);
        draw_needs(frame, right, state, Some(route), look);
    } else {
        let lines = needs_of(state, Some(route)).len() as u16 * 4;
        draw_route(frame, &mut rest, state, route, look, (lines + 2).min(NEEDS_KEPT));
        draw_needs(frame, rest, state, Some(route), look);
    }
}

fn draw_sentence(
    frame: &mut Frame<'_>,
    rest: &mut Rect,
    state: &TopState,
    route: &RouteSeen,
    look: Look,
) {
    let Some(counts) = state.known.counts(Some(&route.name), "") else {
        return put(frame, take(rest, 2), Line::raw("Counting workers…"));
    };
    let (tone, text) = sentence(route, counts);
    let lines = format::wrapped(&text, usize::from(rest.width));
    let style = look.tone(tone).add_modifier(Modifier::BOLD);
    let area = take(rest, (lines.len() as u16).max(1) + 1);
    put_all(frame, area, lines.into_iter().map(|line| Line::styled(line, style)).collect());
}

/// All but what needs somebody, for which so many lines are left.
fn draw_route(
    frame: &mut Frame<'_>,
    rest: &mut Rect,
    state: &TopState,
    route: &RouteSeen,
    look: Look,
    kept: u16,
) {
    let counts = state.known.counts(Some(&route.name), "").unwrap_or_default();
    let tiles = tiles(route, counts, look);
    put_all(frame, take(rest, tiles.len() as u16), tiles);
    let ends = ends(&over(&route.hashrate, DAY).kinds_hs, usize::from(rest.width), look);
    // The chart has what the others leave: it is the one that can be any height.
    let pools = route.pools.len().clamp(1, 6) as u16 + 1;
    let fixed = ends.len() as u16 + 1 + pools + kept;
    let chart = rest.height.saturating_sub(fixed).min(12);
    if chart >= 3 {
        draw_chart(frame, take(rest, chart), state, route, look);
    }
    heading(frame, take(rest, 1), look, "Where every hash went", ", 24 hours".into());
    put_all(frame, take(rest, ends.len() as u16), ends);
    draw_pools(frame, take(rest, pools), route, look);
    let free = u16::from(kept > 0 && rest.height > kept);
    take(rest, free);
}

/// The page's five numbers.
fn tiles(route: &RouteSeen, counts: [u64; STATES.len()], look: Look) -> Vec<Line<'static>> {
    let (lately, daily) = (over(&route.hashrate, TEN_MINUTES), over(&route.hashrate, DAY));
    let tile = |name: &str, value: String, below: String| {
        Line::from(vec![
            Span::raw(format!("{name:<26}")),
            Span::styled(format!("{value:<13}"), HEAD),
            Span::styled(below, look.dim()),
        ])
    };
    let error = match (daily.accepted_hs, daily.credited_error_hs) {
        (Some(accepted), Some(error)) if accepted > 0.0 => {
            format!("± {} of what was accepted", percent(Some(error), Some(accepted), 1))
        }
        _ => "nothing was accepted yet".to_owned(),
    };
    let known: u64 = counts.iter().sum();
    let mut lines = vec![
        tile(
            "Accepted, 10 minutes",
            rate(lately.accepted_hs),
            format!(
                "± {}; {} of the day’s average",
                rate(lately.accepted_error_hs),
                percent(lately.accepted_hs, daily.accepted_hs, 0)
            ),
        ),
        tile("Credited by pools, 24 h", percent(daily.credited_hs, daily.accepted_hs, 1), error),
        tile("Lost, 24 h", lost(&daily), "stale, refused, repeated or bad".into()),
        tile(
            "Workers online",
            format!("{} of {}", count(counts[0]), count(known)),
            format!("{} silent, {} quarantined, {} offline", counts[1], counts[2], counts[3]),
        ),
    ];
    if let Some(pool) =
        route.pools.iter().find(|pool| pool.rigs > 0).or_else(|| route.pools.first())
    {
        let mut line = tile("Pool", cut(&pool.name, 12), String::new());
        line.push_span(look.badge(word_of(&HEALTHS, &pool.health), &pool.health));
        line.push_span(Span::styled(format!(", {}", job(pool)), look.dim()));
        lines.push(line);
    }
    if route.rigs_waiting > 0 {
        lines.push(tile(
            "Rigs that wait",
            count(route.rigs_waiting),
            "for a place at a pool".to_owned(),
        ));
    }
    lines
}

fn lost(daily: &RatesSeen) -> String {
    percent(Some(wasted(daily)), daily.claimed_hs, 2)
}

fn job(pool: &PoolSeen) -> String {
    match pool.job_age_s {
        None => "no job yet".to_owned(),
        Some(seconds) => format!("job {} old", age(Some(seconds))),
    }
}

/// One bar, and the same in words.
fn ends(kinds: &KindsSeen, width: usize, look: Look) -> Vec<Line<'static>> {
    let there = ENDS.iter().map(|end| (end, part(kinds, end.key))).filter(|(_, part)| *part > 0.0);
    let there: Vec<_> = there.collect();
    let whole: f64 = there.iter().map(|(_, part)| part).sum();
    if whole <= 0.0 {
        return vec![Line::styled("No shares yet.", look.dim())];
    }
    // Shades tell the parts apart where there are no colours; the smallest has a column too.
    const SHADES: [&str; 3] = ["█", "▓", "░"];
    let mut spans = Vec::new();
    let mut left = width;
    for (at, (end, part)) in there.iter().enumerate() {
        let columns = ((width as f64 * part / whole).round() as usize).clamp(1, left.max(1));
        let columns = if at + 1 == there.len() { left } else { columns.min(left) };
        left -= columns;
        let shade = SHADES[at % SHADES.len()];
        spans.push(Span::styled(shade.repeat(columns), look.tone(end.tone)));
    }
    let mut lines = vec![Line::from(spans)];
    let mut line: Vec<Span<'static>> = Vec::new();
    let mut length = 0;
    for (at, (end, part)) in there.iter().enumerate() {
        let shade = SHADES[at % SHADES.len()];
        let text = format!(" {} {}   ", end.word, percent(Some(*part), Some(whole), 2));
        let wide = 1 + text.chars().count();
        if length + wide > width + 3 && !line.is_empty() {
            lines.push(Line::from(std::mem::take(&mut line)));
            length = 0;
        }
        length += wide;
        line.extend([Span::styled(shade, look.tone(end.tone)), Span::raw(text)]);
    }
    lines.push(Line::from(line));
    lines
}

fn draw_chart(frame: &mut Frame<'_>, area: Rect, state: &TopState, route: &RouteSeen, look: Look) {
    let mut rest = area;
    let bars = state.known.bars(&route.name);
    let Some(bars) = bars else {
        let head = take(&mut rest, 1);
        return heading(frame, head, look, "Hashrate", ", as soon as there is some".into());
    };
    let room = usize::from(area.width);
    let shown = &bars.values[bars.values.len().saturating_sub(room)..];
    let most = shown.iter().flatten().copied().fold(0.0, f64::max);
    let span = age(Some((shown.len() as u64 * bars.step_s) as f64));
    let each = if bars.step_s == 1 { "" } else { ", each bar a minute" };
    let text = format!(", the last {span}{each}; the highest is {}", rate(Some(most)));
    heading(frame, take(&mut rest, 1), look, "Hashrate", text);
    // As wide as there is room for.
    let wide = (room / shown.len().max(1)).clamp(1, 4);
    const STEPS: f64 = 10_000.0;
    let high = |value: f64| if most > 0.0 { (STEPS * value / most) as u64 } else { 0 };
    let values = shown.iter().flat_map(|value| std::iter::repeat_n(value.map(high), wide));
    let style = look.tone(crate::commands::top::words::Tone::Calm);
    let line = Sparkline::default().data(values).max(STEPS as u64).style(style);
    // A line stays free below it.
    frame.render_widget(line, Rect { height: rest.height.saturating_sub(1).max(1), ..rest });
}

fn draw_pools(frame: &mut Frame<'_>, area: Rect, route: &RouteSeen, look: Look) {
    const COLUMNS: [ScreenColumn; 6] = [
        ScreenColumn { head: "Pool", width: Constraint::Min(10), number: false },
        column("State", 18),
        number("Rigs", 6),
        number("Credited 1h", 11),
        column("Places taken", 18),
        number("Job", 9),
    ];
    let row = |pool: &PoolSeen| {
        let own = route.channels.iter();
        let own = own.filter(|channel| channel.pool == pool.name && !channel.dedicated);
        let (used, total) = own.fold((0, 0), |(used, total), channel| {
            (used + channel.leases_used, total + channel.leases_total)
        });
        let star = if route.preferred_pool.as_ref() == Some(&pool.name) { "★ " } else { "" };
        vec![
            Span::raw(format!("{star}{}", cut(&pool.name, 30))),
            look.badge(word_of(&HEALTHS, &pool.health), &pool.health),
            Span::raw(count(pool.rigs)),
            Span::raw(rate(over(&pool.hashrate, HOUR).credited_hs)),
            gauge(used, total),
            Span::raw(age(pool.job_age_s)),
        ]
    };
    let rows = route.pools.iter().map(row).collect();
    table(frame, area, &COLUMNS, rows, None);
}

/// What is about this route, or about the whole process.
fn needs_of<'a>(state: &'a TopState, route: Option<&RouteSeen>) -> Vec<&'a NeedSeen> {
    let here = |need: &&NeedSeen| {
        need.route.is_none() || need.route.as_ref() == route.map(|route| &route.name)
    };
    state.known.needs.iter().filter(here).collect()
}

fn draw_needs(
    frame: &mut Frame<'_>,
    area: Rect,
    state: &TopState,
    route: Option<&RouteSeen>,
    look: Look,
) {
    let mut rest = area;
    let needs = needs_of(state, route);
    let urgent = needs.iter().filter(|need| need.severity != "info").count();
    let head = take(&mut rest, 1);
    let mut lines = Vec::new();
    for need in &needs {
        lines.extend(lines_of(need, usize::from(rest.width), look));
    }
    if needs.is_empty() {
        lines.push(Line::styled("Nothing needs you.", look.dim()));
    }
    let end = lines.len().saturating_sub(usize::from(rest.height));
    state.scroll_end.set(end);
    let passed = state.scroll.min(end);
    let more = match end - passed {
        0 => String::new(),
        more => format!(", {more} more lines below (↓)"),
    };
    heading(frame, head, look, "Needs attention", format!(" {urgent}{more}"));
    put_all(frame, rest, lines.split_off(passed));
}

fn lines_of(need: &NeedSeen, width: usize, look: Look) -> Vec<Line<'static>> {
    let word = word_of(&SEVERITIES, &need.severity);
    let about = [need.route.as_deref().unwrap_or_default(), &need.subject];
    let about = about.into_iter().filter(|text| !text.is_empty()).map(|text| cut(text, 40));
    let about = about.collect::<Vec<_>>().join(", ");
    let head = format!(
        "{} {}: {} ({about}; for {})",
        word.sign,
        if word.word == "?" { cut(&need.severity, 20) } else { word.word.to_owned() },
        cut(&need.meaning, 240),
        age(need.age_s)
    );
    let style = look.tone(word.tone);
    let mut lines = Vec::new();
    lines.extend(format::wrapped(&head, width).into_iter().map(|text| Line::styled(text, style)));
    let mut plain = |text: String| {
        let texts = format::wrapped(&text, width.saturating_sub(2)).into_iter();
        lines.extend(texts.map(|text| Line::raw(format!("  {text}"))));
    };
    if need.count != 1 || need.named.is_empty() {
        plain(cut(&need.detail, 240));
    }
    if !need.named.is_empty() {
        let names = need.named.iter().take(NAMES).map(|name| cut(name, 48)).collect::<Vec<_>>();
        let more = (need.count as usize).saturating_sub(NAMES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        plain(format!("{}{more}", names.join(", ")));
    }
    plain(format!("What to do: {}.", cut(&need.remedy, 400)));
    lines
}
