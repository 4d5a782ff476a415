//! A log line for people.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use orepass_stratum::error::{is_unseen, seen};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, Scope};

/// `2026-11-21T03:12:07Z INFO rig up worker=r12 route=hns event=rig.up`: the message first, then
/// the event's fields, then those of the spans around it. What the event has as `block` are lines of
/// their own below.
#[derive(Debug, Default)]
pub(super) struct LogLine {
    /// For eyes alone: in columns.
    aligned: bool,
    /// A block was written.
    has_block: AtomicBool,
}

/// The width of the messages' column; longer ones move the fields.
const MESSAGE_COLUMN: usize = 46;
/// What the block says too: a terminal is spared these before it.
const IN_BLOCK: [&str; 3] = ["limits", "route.up", "control.up"];

impl LogLine {
    /// For a terminal: in columns, and without what the block at the start says too.
    pub(super) fn aligned() -> Self {
        Self { aligned: true, ..Self::default() }
    }

    fn repeats_block(&self, id: Option<&str>) -> bool {
        self.aligned
            && !self.has_block.load(Ordering::Relaxed)
            && id.is_some_and(|id| IN_BLOCK.contains(&id))
    }
}

impl<S, N> FormatEvent<S, N> for LogLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut parts = EventParts::default();
        event.record(&mut parts);
        if self.repeats_block(parts.event.as_deref()) {
            return Ok(());
        }
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        // Whole seconds are enough for people; JSON has the rest.
        let seconds = time.split(['.', 'Z']).next().unwrap_or_default();
        let level = *event.metadata().level();
        let (colour, dim, reset) = match writer.has_ansi_escapes() {
            true => (colour(level), "\x1b[2m", "\x1b[0m"),
            false => ("", "", ""),
        };
        let (level_column, message_column) =
            if self.aligned { (5, MESSAGE_COLUMN) } else { (0, 0) };
        write!(writer, "{dim}{seconds}Z{reset} {colour}{:level_column$}{reset}", level.as_str())?;

        let spans = context.event_scope().into_iter().flat_map(Scope::from_root);
        let mut fields = std::mem::take(&mut parts.fields);
        for span in spans {
            if let Some(formatted) = span.extensions().get::<FormattedFields<N>>()
                && !formatted.is_empty()
            {
                write!(fields, " {formatted}")?;
            }
        }
        if let Some(id) = parts.event {
            write!(fields, " event={id}")?;
        }
        if !parts.message.is_empty() {
            let column = if fields.is_empty() { 0 } else { message_column };
            write!(writer, " {:column$}", parts.message)?;
        }
        if !fields.is_empty() {
            write!(writer, "{dim}{fields}{reset}")?;
        }
        writeln!(writer)?;
        for line in parts.block.lines() {
            writeln!(writer, "  {line}")?;
        }
        if !parts.block.is_empty() {
            self.has_block.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

const fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

/// The fields of spans, as `key=value` with spaces between.
pub(super) struct KeyValues;

impl<'writer> FormatFields<'writer> for KeyValues {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        let mut parts = EventParts::default();
        fields.record(&mut parts);
        writer.write_str(parts.fields.trim_start())
    }
}

/// An event taken apart.
#[derive(Default)]
struct EventParts {
    message: String,
    /// ` key=value` each.
    fields: String,
    event: Option<String>,
    /// Lines that stand below.
    block: String,
}

impl EventParts {
    fn put(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = seen(value).collect(),
            "event" => self.event = Some(seen(value).collect()),
            "block" => {
                let lines = value.lines().map(|line| seen(line).collect::<String>());
                self.block = lines.collect::<Vec<_>>().join("\n");
            }
            name => {
                let plain = |c: char| !c.is_whitespace() && !is_unseen(c) && !"\"=".contains(c);
                let quoted = value.is_empty() || !value.chars().all(plain);
                // Writing to a string cannot fail.
                let _ = match quoted {
                    true => write!(self.fields, " {name}={value:?}"),
                    false => write!(self.fields, " {name}={value}"),
                };
            }
        }
    }
}

impl Visit for EventParts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, &value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::testing::Buffer;

    /// What is written of a story.
    fn lines(line: LogLine, ansi: bool, story: impl FnOnce()) -> Vec<String> {
        let buffer = Buffer::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(buffer.clone())
            .with_ansi(ansi)
            .fmt_fields(KeyValues)
            .event_format(line)
            .finish();
        tracing::subscriber::with_default(subscriber, story);
        buffer.lines()
    }

    fn rest(line: &str) -> &str {
        let (time, rest) = line.split_at("2026-11-21T03:12:07Z".len());
        assert!(time.starts_with("20") && time.ends_with('Z'), "{time}");
        rest
    }

    #[test]
    fn text_reads_well_and_cannot_be_forged() {
        let said = lines(LogLine::default(), false, || {
            let span = tracing::info_span!("route", route = "hns");
            let _entered = span.enter();
            tracing::info!(
                event = "rig.up",
                worker = "r12",
                agent = "Goldshell HS5",
                slot = 47,
                "rig up"
            );
            tracing::warn!(worker = %"a\nb", reason = ?"x", "bad\u{1b}[31m\nrig");
        });
        assert_eq!(
            rest(&said[0]),
            " INFO rig up worker=r12 agent=\"Goldshell HS5\" slot=47 route=hns event=rig.up"
        );
        assert_eq!(
            rest(&said[1]),
            " WARN bad\\u{1b}[31m\\nrig worker=\"a\\nb\" reason=\"\\\"x\\\"\" route=hns"
        );
        assert_eq!(said.len(), 2);
    }

    #[test]
    fn a_terminal_has_columns_and_the_fields_dim() {
        let said = lines(LogLine::aligned(), true, || {
            tracing::info!(route = "hns", event = "rig.up", "rig up");
            tracing::error!("alone");
        });
        let expected = format!(
            "\u{1b}[2m{}\u{1b}[0m \u{1b}[32mINFO \u{1b}[0m rig up{}\u{1b}[2m route=hns event=rig.up\u{1b}[0m",
            &said[0][4..24],
            " ".repeat(MESSAGE_COLUMN - "rig up".len())
        );
        assert_eq!(said[0], expected);
        assert!(said[1].ends_with(" \u{1b}[31mERROR\u{1b}[0m alone"), "{}", said[1]);
    }

    #[test]
    fn a_block_has_lines_of_its_own_and_a_terminal_what_is_in_it_once() {
        let story = || {
            let route_up = || tracing::info!(event = "route.up", "rigs may connect");
            route_up();
            tracing::info!(event = "serving", block = "a  b\nc \u{1b}[1m d", "serves");
            route_up();
        };
        let said = lines(LogLine::default(), false, story);
        assert_eq!(rest(&said[0]), " INFO rigs may connect event=route.up");
        assert_eq!(rest(&said[1]), " INFO serves event=serving");
        assert_eq!(said[2..4], ["  a  b", "  c \\u{1b}[1m d"]);
        assert_eq!(rest(&said[4]), rest(&said[0]));
        assert_eq!(lines(LogLine::aligned(), false, story).len(), 4);
    }
}
