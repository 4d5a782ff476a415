//! The log: to stderr, as text for people or JSON for machines.
//!
//! Callers give events a stable id as the field `event`, such as `event = "pool.down"`, so that
//! alerts need not match wording.

use std::fmt::{self, Write};
use std::io::{self, IsTerminal};

use serde::Deserialize;
use thiserror::Error;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, Scope};

/// From which level on events are logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What stops the proxy from serving.
    Error,
    /// What somebody should look at.
    Warn,
    /// What happens to rigs and pools.
    #[default]
    Info,
    /// Each share.
    Debug,
    /// Each line.
    Trace,
}

impl LogLevel {
    /// The filter for this level. Libraries say at debug what only their makers want to read.
    const fn filter(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "info,orepass=debug",
            Self::Trace => "info,orepass=trace",
        }
    }
}

/// How the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line for people; in colour on a terminal.
    #[default]
    Text,
    /// A JSON object per line.
    Json,
}

/// Starts the log. `flag` beats `$OREPASS_LOG`, which beats `$RUST_LOG`, which beats
/// `configured`; the variables take a level or
/// [directives](https://docs.rs/tracing-subscriber/latest/tracing_subscriber/filter/struct.EnvFilter.html).
///
/// # Errors
/// [`TelemetryError`] when a variable cannot be read, or a log has been started already.
pub fn start(
    flag: Option<LogLevel>,
    configured: LogLevel,
    format: LogFormat,
) -> Result<(), TelemetryError> {
    let filter = match (flag, from_environment()?) {
        (Some(level), _) => EnvFilter::new(level.filter()),
        (None, Some(filter)) => filter,
        (None, None) => EnvFilter::new(configured.filter()),
    };
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Text => {
            builder.with_ansi(colour).fmt_fields(KeyValues).event_format(Line).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
    }
    .map_err(|_| TelemetryError::Started)
}

fn from_environment() -> Result<Option<EnvFilter>, TelemetryError> {
    for variable in ["OREPASS_LOG", "RUST_LOG"] {
        let Some(value) = std::env::var(variable).ok().filter(|value| !value.is_empty()) else {
            continue;
        };
        // A plain level means what it means in the config.
        let level = <LogLevel as clap::ValueEnum>::from_str(&value, true);
        let directives = level.as_ref().map_or(value.as_str(), |level| level.filter());
        let filter = EnvFilter::try_new(directives)
            .map_err(|error| TelemetryError::Directives { variable, error: error.to_string() })?;
        return Ok(Some(filter));
    }
    Ok(None)
}

/// Why the log cannot be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// A variable holds neither a level nor directives.
    #[error("${variable}: {error}; it takes off, error, warn, info, debug or trace")]
    Directives {
        /// Which variable.
        variable: &'static str,
        /// What is wrong with it.
        error: String,
    },
    /// There is a log already.
    #[error("the log has been started already")]
    Started,
}

/// `2026-11-21T03:12:07Z INFO rig up worker=r12 route=hns event=rig.up`: the message first, then
/// the event's fields, then those of the spans around it.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
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

        let mut parts = Parts::default();
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
struct KeyValues;

impl<'writer> FormatFields<'writer> for KeyValues {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        let mut parts = Parts::default();
        fields.record(&mut parts);
        writer.write_str(parts.fields.trim_start())
    }
}

/// An event taken apart.
#[derive(Default)]
struct Parts {
    message: String,
    /// ` key=value` each.
    fields: String,
    event: Option<String>,
}

impl Parts {
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

impl Visit for Parts {
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
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Buffer {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn text_reads_well_and_cannot_be_forged() {
        let buffer = Buffer::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(buffer.clone())
            .with_ansi(false)
            .fmt_fields(KeyValues)
            .event_format(Line)
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
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<(&str, &str)> =
            text.lines().map(|line| line.split_at("2026-11-21T03:12:07Z".len())).collect();
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

    #[test]
    fn every_level_is_a_filter() {
        for level in <LogLevel as clap::ValueEnum>::value_variants() {
            EnvFilter::try_new(level.filter()).unwrap();
        }
    }
}
