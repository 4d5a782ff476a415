//! What has happened, the newest first, and one of it whole.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::parts::{
    HEAD, Look, ScreenColumn, column, cut, inside, put, put_all, table, take, wide,
};
use crate::commands::top::data::EventSeen;
use crate::commands::top::format::{clock, count, day, wrapped};
use crate::commands::top::state::{AROUND_EVENTS, TopState};
use crate::commands::top::words::{LEVELS, word_of};

const COLUMNS: [ScreenColumn; 5] =
    [column("UTC", 8), column("Level", 7), column("Event", 16), wide("What"), column("Of", 14)];

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, state: &TopState, look: Look) {
    let mut rest = inside(area);
    let feed = &state.feed;
    let Some(events) = feed.events() else {
        return put(frame, rest, Line::raw("Asking…"));
    };
    let number = match events.len() {
        0 => "nothing of that kind has happened".to_owned(),
        _ => format!("{} of {}", count(feed.place.cursor as u64 + 1), count(events.len() as u64)),
    };
    let mut about = format!("{number}; {}, the newest first", feed.level());
    if let Some(route) = &feed.route {
        about += &format!("; of route {}", cut(route, 20));
    }
    if !feed.text.is_empty() {
        about += &format!("; with “{}”", cut(&feed.text, 30));
    }
    put(frame, take(&mut rest, 1), Line::styled(about, look.dim()));
    // The title, the foot, what is said above and the head of the table are among them.
    let below = (AROUND_EVENTS - 4) as u16;
    let list = Rect { height: rest.height.saturating_sub(below), ..rest };
    let rows = events.iter().skip(feed.place.top).take(feed.fit).map(|event| cells(event, look));
    let chosen = feed.place.cursor.checked_sub(feed.place.top);
    table(frame, list, &COLUMNS, rows.collect(), chosen);
    let whole = Rect { y: list.bottom(), height: rest.height - list.height, ..rest };
    if let Some(event) = events.get(feed.place.cursor) {
        put_all(frame, whole, lines_of(event, usize::from(whole.width), look));
    }
}

fn cells(event: &EventSeen, look: Look) -> Vec<Span<'static>> {
    let who = event.worker.as_ref().or(event.rig.as_ref());
    let of = [event.route.as_ref(), event.pool.as_ref(), who];
    let of = of.into_iter().flatten().map(|text| cut(text, 20)).collect::<Vec<_>>().join(" ");
    vec![
        Span::styled(clock(&event.at).to_owned(), look.dim()),
        look.badge(word_of(&LEVELS, &event.level), &event.level),
        Span::raw(cut(&event.id, 24)),
        Span::raw(cut(&event.message, 200)),
        Span::raw(of),
    ]
}

/// All of an event.
fn lines_of(event: &EventSeen, width: usize, look: Look) -> Vec<Line<'static>> {
    let head = format!("{} {}  {}", day(&event.at), clock(&event.at), cut(&event.id, 40));
    let mut text = cut(&event.message, 300);
    let named = [
        ("route", &event.route),
        ("pool", &event.pool),
        ("worker", &event.worker),
        ("rig", &event.rig),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            text += &format!("  {name}={}", cut(value, 100));
        }
    }
    for (name, value) in &event.fields {
        text += &format!("  {}={}", cut(name, 24), cut(value, 100));
    }
    let mut lines = vec![Line::styled(head, HEAD)];
    lines.extend(wrapped(&text, width).into_iter().map(|text| Line::styled(text, look.dim())));
    lines
}
