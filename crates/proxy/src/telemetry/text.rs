//! A log line for people.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, Scope};

/// `2026-11-21T03:12:07Z INFO rig up worker=r12 route=hns event=rig.up`: the message first, then
/// the event's fields, then those of the spans around it.
pub(super) struct LogLine;

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
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        // Whole seconds are enough for people; JSON has the rest.
        let seconds = time.split(['.', 'Z']).next().unwrap_or_default();
        let level = *event.metadata().level();
        let (colour, dim, reset) = match writer.has_ansi_escapes() {
            true => (colour(level), "\x1b[2m", "\x1b[0m"),
            false => ("", "", ""),
        };
        write!(writer, "{dim}{seconds}Z{reset} {colour}{level}{reset}")?;

        let mut parts = EventParts::default();
        event.record(&mut parts);
        if !parts.message.is_empty() {
            write!(writer, " {}", parts.message)?;
        }
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
        if !fields.is_empty() {
            write!(writer, "{dim}{fields}{reset}")?;
        }
        writeln!(writer)
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
}

impl EventParts {
    fn put(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = printable(value).collect(),
            "event" => self.event = Some(printable(value).collect()),
            name => {
                let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"\"=".contains(c);
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

/// Control characters escaped: names and messages come from outside, and must not forge lines or
/// steer a terminal.
fn printable(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(|c| {
        let escaped = c.is_control();
        c.escape_default().filter(move |_| escaped).chain((!escaped).then_some(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::testing::Buffer;

    #[test]
    fn text_reads_well_and_cannot_be_forged() {
        let buffer = Buffer::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(buffer.clone())
            .with_ansi(false)
            .fmt_fields(KeyValues)
            .event_format(LogLine)
            .finish();
        tracing::subscriber::with_default(subscriber, || {
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
        let said = buffer.lines();
        let lines: Vec<(&str, &str)> =
            said.iter().map(|line| line.split_at("2026-11-21T03:12:07Z".len())).collect();
        assert!(lines[0].0.starts_with("20") && lines[0].0.ends_with('Z'), "{}", lines[0].0);
        assert_eq!(
            lines[0].1,
            " INFO rig up worker=r12 agent=\"Goldshell HS5\" slot=47 route=hns event=rig.up"
        );
        assert_eq!(
            lines[1].1,
            " WARN bad\\u{1b}[31m\\nrig worker=\"a\\nb\" reason=\"\\\"x\\\"\" route=hns"
        );
        assert_eq!(lines.len(), 2);
    }
}
