//! The log: to stderr, as text for people or JSON for machines. Nobody waits for it.
//!
//! Callers give events a stable id as the field `event`, such as `event = "pool.down"`, so that
//! alerts need not match wording.

pub mod events;
mod panics;
mod queue;
mod reopen;
#[cfg(test)]
pub(crate) mod testing;
mod text;

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, OnceLock};

use thiserror::Error;
use tracing::warn;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{DefaultFields, Format, Json, JsonFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

use events::KeepEvents;
pub use panics::count as panics;
pub use queue::LogGuard;
use queue::{LogQueue, MAX_WAITING};
pub use reopen::reopen;
use text::{KeyValues, LogLine};

/// From which level on events are logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
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
    /// The filter for this level. Libraries say at debug what only their makers want to read; what the one
    /// that speaks NATS says is said by the sink that uses it.
    fn targets(self) -> Targets {
        let (others, own) = match self {
            Self::Off => return Targets::new(),
            Self::Error => (LevelFilter::ERROR, LevelFilter::ERROR),
            Self::Warn => (LevelFilter::WARN, LevelFilter::WARN),
            Self::Info => (LevelFilter::INFO, LevelFilter::INFO),
            Self::Debug => (LevelFilter::INFO, LevelFilter::DEBUG),
            Self::Trace => (LevelFilter::INFO, LevelFilter::TRACE),
        };
        Targets::new()
            .with_default(others)
            .with_target("async_nats", LevelFilter::OFF)
            .with_target("orepass", own)
    }
}

/// How the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// A line for people; in colour on a terminal.
    #[default]
    Text,
    /// A JSON object per line.
    Json,
}

/// Starts the log. `flag` beats `$OREPASS_LOG`, which beats `$RUST_LOG`, which beats
/// `configured`; the variables take a level or
/// [directives](https://docs.rs/tracing-subscriber/latest/tracing_subscriber/filter/targets/struct.Targets.html),
/// a level for each target.
///
/// Up to 4 MiB of lines wait where stderr does not take them; what finds no room or cannot be written
/// is dropped, and counted by a line of its own (`log.dropped`) when lines can be written again. Panics
/// are logged and [counted](panics) from now on.
///
/// # Errors
/// [`TelemetryError`] when a variable cannot be read, or a log has been started already.
pub fn start(
    flag: Option<LogLevel>,
    configured: LogLevel,
    format: LogFormat,
) -> Result<LogGuard, TelemetryError> {
    let (filter, is_pinned) = match (flag, from_environment()?) {
        (Some(level), _) => (level.targets(), true),
        (None, Some(filter)) => (filter, true),
        (None, None) => (configured.targets(), false),
    };
    let queue = Arc::new(LogQueue::new(MAX_WAITING));
    let is_terminal = io::stderr().is_terminal();
    let colour = is_terminal && std::env::var_os("NO_COLOR").is_none();
    let layer = fmt::layer().with_writer(Arc::clone(&queue));
    let log = match format {
        LogFormat::Text => {
            let line = if is_terminal { LogLine::aligned() } else { LogLine::default() };
            layer.with_ansi(colour).fmt_fields(KeyValues).event_format(line).boxed()
        }
        LogFormat::Json => json(layer).boxed(),
    };
    let (filter, level) = reload::Layer::new(filter);
    // What is kept is independent of what the log shows.
    let kept = KeepEvents::of_process().with_filter(LevelFilter::INFO);
    let subscriber = Registry::default().with(log.with_filter(filter)).with(kept);
    subscriber.try_init().map_err(|_| TelemetryError::Started)?;
    if !is_pinned {
        // There is one log.
        let _ = LEVEL.set(level);
    }
    panics::log();
    reopen::remember();
    queue.start(io::stderr(), say_dropped).map_err(TelemetryError::Thread)
}

/// Logs from this level on, as long as the log lives. `false` where something that beats the config has
/// named the level, or there is no log.
pub fn set_level(level: LogLevel) -> bool {
    LEVEL.get().is_some_and(|handle| handle.reload(level.targets()).is_ok())
}

/// How the level of the log is changed, where the config may.
static LEVEL: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Writes a text to stderr, beside the log and within a second.
pub fn say(text: &str) {
    let queue = Arc::new(LogQueue::new(usize::MAX));
    if let Ok(_guard) = queue.start(io::stderr(), |_| {}) {
        // It takes everything.
        let _ = (&*queue).write_all(text.as_bytes());
    }
}

/// Says that stderr did not take all lines.
fn say_dropped(lines: u64) {
    warn!(event = "log.dropped", lines, "{lines} lines were dropped: stderr did not take them");
}

/// JSON with the event's fields beside tracing's own, so that none may be named `timestamp`,
/// `level`, `target`, `span` or `spans`.
fn json<S, W>(
    layer: fmt::Layer<S, DefaultFields, Format, W>,
) -> fmt::Layer<S, JsonFields, Format<Json>, W> {
    layer.json().flatten_event(true).with_current_span(false)
}

fn from_environment() -> Result<Option<Targets>, TelemetryError> {
    for variable in ["OREPASS_LOG", "RUST_LOG"] {
        let Some(value) = std::env::var(variable).ok().filter(|value| !value.is_empty()) else {
            continue;
        };
        // A plain level means what it means in the config.
        if let Ok(level) = <LogLevel as clap::ValueEnum>::from_str(&value, true) {
            return Ok(Some(level.targets()));
        }
        let targets = value.parse().map_err(|error: tracing_subscriber::filter::ParseError| {
            TelemetryError::Directives { variable, error: error.to_string() }
        })?;
        return Ok(Some(targets));
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
    /// The system gives no thread to write it.
    #[error("cannot start the thread that writes the log: {0}")]
    Thread(io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_below_info_is_of_this_program_alone() {
        let enabled = |level: LogLevel, of: &str, wanted: tracing::Level| {
            level.targets().would_enable(of, &wanted)
        };
        assert!(enabled(LogLevel::Debug, "orepass::route", tracing::Level::DEBUG));
        assert!(!enabled(LogLevel::Debug, "orepass::route", tracing::Level::TRACE));
        assert!(!enabled(LogLevel::Trace, "hyper", tracing::Level::DEBUG));
        assert!(enabled(LogLevel::Warn, "hyper", tracing::Level::WARN));
        assert!(!enabled(LogLevel::Warn, "orepass::route", tracing::Level::INFO));
        for level in <LogLevel as clap::ValueEnum>::value_variants() {
            assert!(!enabled(*level, "async_nats", tracing::Level::ERROR));
        }
        assert!(!enabled(LogLevel::Off, "orepass", tracing::Level::ERROR));
    }
}
