//! Which keys there are, and what is done elsewhere.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::parts::{HEAD, Look, inside, put_all};

/// Keys and what they do; one without a key is a heading.
const LINES: [(&str, &str); 20] = [
    ("", "Everywhere"),
    ("1 2 3", "now, workers, events"),
    ("Tab, Shift-Tab", "another route"),
    ("r", "ask now, without waiting"),
    ("Esc", "back, or show all again"),
    ("q, Ctrl-C", "quit"),
    ("", "Lists"),
    ("↑ ↓ PgUp PgDn Home End", "go to a row (j, k, Space, g, G too)"),
    ("/", "search in names, or in all texts of events"),
    ("f", "workers of another state"),
    ("s, S", "another order"),
    ("l", "events of another level"),
    ("Enter", "look at one worker"),
    ("", "A worker: asked back; by --url it needs a token that may act"),
    ("x", "close the chosen connection"),
    ("b, u", "ban it for 10 minutes, let it in again"),
    ("", "In a shell"),
    ("orepass ctl switch POOL", "prefer a pool; `orepass ctl help` has the rest"),
    ("orepass ctl rigs --json", "lists for scripts"),
    ("orepass top --json", "all of this once, for scripts"),
];

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, look: Look) {
    let line = |(key, what): (&'static str, &'static str)| match key {
        "" => Line::styled(what, HEAD),
        _ => Line::from(vec![Span::raw(format!("  {key:<27}")), Span::styled(what, look.dim())]),
    };
    put_all(frame, inside(area), LINES.into_iter().map(line).collect());
}
