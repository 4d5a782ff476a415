//! The screen: pure, from what is known.

mod events;
mod help;
mod now;
mod parts;
mod worker;
mod workers;

use std::time::Duration;

use orepass_stratum::error::shown_to;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

pub(super) use self::parts::Look;
use self::parts::put;
use super::format;
use super::state::{TopState, TopView};
use super::words::Tone;

/// How long a text of the one who is asked may be in the first line.
const MAX_PLACE: usize = 40;
/// The columns of the first line that the views take.
const TABS: usize = 34;

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, state: &TopState, look: Look, now: Duration) {
    let area = frame.area();
    if area.height < 3 || area.width < 20 {
        return put(frame, area, Line::raw("too small"));
    }
    let title = Rect { height: 1, ..area };
    let foot = Rect { y: area.bottom() - 1, height: 1, ..area };
    let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
    draw_title(frame, title, state);
    if state.shows_help {
        help::draw(frame, body, look);
    } else if let Some(why) = &state.refused {
        let mut lines = vec![Line::raw("")];
        let text = format!("✕ {}", shown_to(why, 1000));
        let texts = format::wrapped(&text, usize::from(body.width).saturating_sub(2));
        let style = look.tone(Tone::Bad);
        lines.extend(texts.into_iter().map(|text| Line::styled(format!(" {text}"), style)));
        parts::put_all(frame, body, lines);
    } else {
        match state.view {
            TopView::Now => now::draw(frame, body, state, look),
            TopView::Workers => workers::draw(frame, body, state, look),
            TopView::Worker => worker::draw(frame, body, state, look),
            TopView::Events => events::draw(frame, body, state, look),
        }
    }
    if state.pace.lost(now).is_some() {
        // What is shown is what was.
        frame.buffer_mut().set_style(body, Style::new().add_modifier(Modifier::DIM));
    }
    draw_foot(frame, foot, state, look, now);
}

fn draw_title(frame: &mut Frame<'_>, area: Rect, state: &TopState) {
    frame.buffer_mut().set_style(area, Style::new().add_modifier(Modifier::REVERSED));
    let tabs =
        [(TopView::Now, "1 Now"), (TopView::Workers, "2 Workers"), (TopView::Events, "3 Events")];
    let chosen = if state.view == TopView::Worker { TopView::Workers } else { state.view };
    let mut spans = Vec::new();
    for (view, word) in tabs {
        // Brackets say it where nothing is bold.
        spans.push(match view == chosen {
            true => Span::styled(format!("[{word}]"), Modifier::BOLD),
            false => Span::raw(format!(" {word} ")),
        });
    }
    put(frame, area, Line::from(spans));
    let room = usize::from(area.width).saturating_sub(TABS);
    let place = shown_to(&state.asks, MAX_PLACE);
    let known = state.known.summary.as_ref();
    let version = known.map(|known| format!("orepass {}", shown_to(&known.version, 12)));
    let up = known.map(|known| format!("up {}", format::age(known.uptime_s)));
    // As much of it as there is room for, the rest of it from the left.
    let mut parts: Vec<String> = [Some(place), version, up].into_iter().flatten().collect();
    while !parts.is_empty() {
        let who = format!("{} ", parts.join(" · "));
        let width = Span::raw(who.as_str()).width();
        if width <= room {
            let width = width as u16;
            let right = Rect { x: area.right() - width, width, ..area };
            return put(frame, right, Line::raw(who));
        }
        parts.remove(0);
    }
}

fn draw_foot(frame: &mut Frame<'_>, area: Rect, state: &TopState, look: Look, now: Duration) {
    let line = if let Some(deed) = &state.asked_back {
        let question = format!(" ▲ {} (y: yes, else: no)", deed.question());
        Line::styled(question, look.tone(Tone::Warn).add_modifier(Modifier::BOLD))
    } else if let Some((since, why)) = state.pace.lost(now) {
        let age = format::age(Some(since.as_secs_f64()));
        let wait = state.pace.wait(now).as_secs_f64().ceil();
        let text = format!(
            " ✕ Lost for {age}, asked again in {} (r: now, q: quit): {}",
            format::age(Some(wait)),
            shown_to(why, 200)
        );
        Line::styled(text, look.tone(Tone::Bad).add_modifier(Modifier::BOLD))
    } else if state.is_typing {
        let text =
            if state.view == TopView::Events { &state.feed.text } else { &state.list.search };
        Line::raw(format!(" Search: {}▏ (Enter: done, Esc: none)", shown_to(text, 40)))
    } else if let Some(said) = state.said(now) {
        Line::styled(format!(" {}", shown_to(said, 300)), Modifier::BOLD)
    } else {
        let keys = match state.view {
            TopView::Now => "↑↓ scroll  Enter workers",
            TopView::Workers => "↑↓ Enter one  / search  f state  s order  Esc all",
            TopView::Worker => "↑↓ connection  x kick  b ban  u let in  Esc back",
            TopView::Events => "↑↓ one  / search  l level  Esc all",
        };
        let routes = if state.routes().len() > 1 { "Tab route  " } else { "" };
        Line::raw(format!(" {keys}  {routes}? help  q quit")).style(look.dim())
    };
    put(frame, area, line);
}
