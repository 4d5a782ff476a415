//! A panic as a line of the log.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};

use tracing::error;

/// Has panics logged. The usual hook would write to stderr itself, which may not take it, and hold
/// the task's thread up.
pub(super) fn log() {
    panic::set_hook(Box::new(say));
}

fn say(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let message = panic.payload_as_str().unwrap_or("without a message");
    // Captured where `RUST_BACKTRACE` asks for it.
    let backtrace = Backtrace::capture();
    let captured = backtrace.status() == BacktraceStatus::Captured;
    let backtrace = captured.then(|| backtrace.to_string());
    error!(event = "panic", place, backtrace, "a fault in orepass ended a task: {message}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::testing::json_lines;

    #[test]
    fn a_panic_is_a_line_of_the_log() {
        let lines = json_lines(|| {
            log();
            let _ = panic::catch_unwind(|| panic!("the {} is wrong", "lease"));
            let _ = panic::take_hook();
        });
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((&line["event"], &line["level"]), (&"panic".into(), &"ERROR".into()));
        assert_eq!(line["message"], "a fault in orepass ended a task: the lease is wrong");
        assert!(line["place"].as_str().unwrap().contains("panics.rs:"), "{line}");
    }
}
