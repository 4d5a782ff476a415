//! Pieces that several views are made of.

use orepass_stratum::error::shown_to;
use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Paragraph, Row, Table};

use crate::commands::top::format;
use crate::commands::top::words::{SignWord, Tone};

/// How it looks. Without colour everything still has its sign and its word.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands::top) struct Look {
    pub(in crate::commands::top) colour: bool,
}

impl Look {
    pub(in crate::commands::top) fn tone(self, tone: Tone) -> Style {
        let style = Style::new();
        match (self.colour, tone) {
            (false, Tone::Bad) => style.add_modifier(Modifier::BOLD),
            (_, Tone::Off) => self.dim(),
            (false, _) => style,
            (true, Tone::Good) => style.fg(Color::Green),
            (true, Tone::Calm) => style.fg(Color::Cyan),
            (true, Tone::Warn) => style.fg(Color::Yellow),
            (true, Tone::Bad) => style.fg(Color::Red),
        }
    }

    pub(super) fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// A sign with its word.
    pub(super) fn badge(self, word: SignWord, name: &str) -> Span<'static> {
        // What is not known yet is shown by its own name.
        let said = if word.word == "?" { cut(name, 20) } else { word.word.to_owned() };
        Span::styled(format!("{} {said}", word.sign), self.tone(word.tone))
    }
}

/// The chosen row.
pub(super) const CHOSEN: Style = Style::new().add_modifier(Modifier::REVERSED);
/// A heading.
pub(super) const HEAD: Style = Style::new().add_modifier(Modifier::BOLD);

/// A text from outside, fit for so many columns.
pub(super) fn cut(text: &str, most: usize) -> String {
    shown_to(text, most)
}

/// Takes so many lines off the top of what is left.
pub(super) fn take(rest: &mut Rect, lines: u16) -> Rect {
    let height = lines.min(rest.height);
    let taken = Rect { height, ..*rest };
    *rest = Rect { y: rest.y + height, height: rest.height - height, ..*rest };
    taken
}

/// With a column free at both sides.
pub(super) fn inside(area: Rect) -> Rect {
    let width = area.width.saturating_sub(2);
    Rect { x: area.x + u16::from(width > 0), width, ..area }
}

pub(in crate::commands::top) fn put(frame: &mut Frame<'_>, area: Rect, line: Line<'_>) {
    frame.render_widget(line, area);
}

pub(super) fn put_all(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'_>>) {
    frame.render_widget(Paragraph::new(lines), area);
}

/// A heading, with something dim behind it.
pub(super) fn heading(frame: &mut Frame<'_>, area: Rect, look: Look, head: &str, rest: String) {
    let spans = vec![Span::styled(head.to_owned(), HEAD), Span::styled(rest, look.dim())];
    put(frame, area, Line::from(spans));
}

/// A column of a table.
#[derive(Clone, Copy)]
pub(super) struct ScreenColumn {
    pub(super) head: &'static str,
    pub(super) width: Constraint,
    /// Numbers stand at the right.
    pub(super) number: bool,
}

impl ScreenColumn {
    /// How wide it is, unless it has what is left.
    const fn length(&self) -> Option<u16> {
        match self.width {
            Constraint::Length(length) => Some(length),
            _ => None,
        }
    }
}

/// What does not fit is seen to be cut.
fn fitted(cell: Span<'static>, width: usize) -> Span<'static> {
    if cell.width() <= width {
        return cell;
    }
    let mut text = String::new();
    for c in cell.content.chars() {
        text.push(c);
        if Span::raw(text.as_str()).width() >= width {
            text.pop();
            break;
        }
    }
    Span::styled(text + "…", cell.style)
}

pub(super) const fn column(head: &'static str, width: u16) -> ScreenColumn {
    ScreenColumn { head, width: Constraint::Length(width), number: false }
}

pub(super) const fn number(head: &'static str, width: u16) -> ScreenColumn {
    ScreenColumn { head, width: Constraint::Length(width), number: true }
}

/// The one that has what is left.
pub(super) const fn wide(head: &'static str) -> ScreenColumn {
    ScreenColumn { head, width: Constraint::Min(8), number: false }
}

/// A table, with one of its rows chosen perhaps.
pub(super) fn table(
    frame: &mut Frame<'_>,
    area: Rect,
    columns: &[ScreenColumn],
    rows: Vec<Vec<Span<'static>>>,
    chosen: Option<usize>,
) {
    let given =
        columns.iter().filter_map(ScreenColumn::length).sum::<u16>() + columns.len() as u16 - 1;
    let left = usize::from(area.width.saturating_sub(given));
    let row = |cells: Vec<Span<'static>>| {
        let cells = cells.into_iter().zip(columns).map(|(cell, column)| {
            let text = Text::from(fitted(cell, column.length().map_or(left, usize::from)));
            if column.number { text.right_aligned() } else { text }
        });
        Row::new(cells)
    };
    let head = columns.iter().map(|column| Span::raw(column.head)).collect();
    let rows = rows.into_iter().enumerate().map(|(at, cells)| {
        let row = row(cells);
        if chosen == Some(at) { row.style(CHOSEN) } else { row }
    });
    let widths = columns.iter().map(|column| column.width);
    let table = Table::new(rows, widths).header(row(head).style(HEAD)).column_spacing(1);
    frame.render_widget(table, area);
}

/// How full something is, as a bar and in words.
pub(super) fn gauge(used: u64, total: u64) -> Span<'static> {
    const WIDTH: u64 = 6;
    if total == 0 {
        return Span::raw(format::UNKNOWN);
    }
    let full = ((WIDTH * used).div_ceil(total)).min(WIDTH) as usize;
    let bar = format!("{}{}", "█".repeat(full), "░".repeat(WIDTH as usize - full));
    Span::raw(format!("{bar} {}/{}", format::count(used), format::count(total)))
}
