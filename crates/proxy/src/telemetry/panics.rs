//! A panic as a line of the log.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tracing::error;

use crate::clock::now;
use crate::repeated_warnings::{Folds, nonzero};

/// How often a panic of the same place is logged: a line of a rig may cause it again and again.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// The most places that are remembered.
const MAX_PLACES: usize = 64;

/// Panics since the log was started.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// How many panics there were since the log was started. Each has ended one task, which is one rig's or
/// one pool connection's, and nothing else.
#[must_use]
pub fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

/// Has panics logged. The usual hook would write to stderr itself, which may not take it, and hold
/// the task's thread up.
pub(super) fn log() {
    let said = Mutex::new(Folds::new(SAY_EVERY, MAX_PLACES));
    panic::set_hook(Box::new(move |panic| {
        COUNT.fetch_add(1, Ordering::Relaxed);
        let place = panic.location().map(ToString::to_string);
        let more = {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            said.say(place.clone(), now())
        };
        if let Some(more) = more {
            say(panic, place.as_deref(), nonzero(more));
        }
    }));
}

fn say(panic: &PanicHookInfo<'_>, place: Option<&str>, more_since_last: Option<u64>) {
    let message = panic.payload_as_str().unwrap_or("without a message");
    // Captured where `RUST_BACKTRACE` asks for it.
    let backtrace = Backtrace::capture();
    let captured = backtrace.status() == BacktraceStatus::Captured;
    let backtrace = captured.then(|| backtrace.to_string());
    error!(
        event = "panic",
        place,
        backtrace,
        more_since_last,
        panics = count(),
        "a fault in orepass ended a task: {message}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::testing::json_lines;

    #[test]
    fn a_panic_is_a_line_of_the_log_and_the_same_again_is_counted() {
        let before = count();
        let lines = json_lines(|| {
            log();
            for _ in 0..10 {
                let _ = panic::catch_unwind(|| panic!("the {} is wrong", "lease"));
            }
            let _ = panic::take_hook();
        });
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((&line["event"], &line["level"]), (&"panic".into(), &"ERROR".into()));
        assert!(count() >= before + 10, "each is counted: {}", count());
        assert_eq!(line["message"], "a fault in orepass ended a task: the lease is wrong");
        assert!(line["place"].as_str().unwrap().contains("panics.rs:"), "{line}");
    }
}
