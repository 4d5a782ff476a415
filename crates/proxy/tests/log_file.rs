//! The log in a file that is rotated.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use orepass::telemetry::{self, LogFormat, LogLevel};

/// Where the log is, for the process that writes it.
const FOLDER: &str = "OREPASS_TEST_FOLDER";

/// Waits for a line, which another thread writes.
fn until_written(log: &Path, line: &str) {
    for _ in 0..6_000 {
        if fs::read_to_string(log).unwrap().contains(line) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{line} is not written");
}

/// Not a test by itself: the process that logs, and rotates its own log.
#[test]
#[ignore = "run by the other test, in a process of its own"]
fn rotates() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let (log, former) = (folder.join("orepass.log"), folder.join("orepass.log.1"));
    let guard = telemetry::start(Some(LogLevel::Info), LogLevel::Info, LogFormat::Text).unwrap();
    tracing::info!("one");
    until_written(&log, "one");
    fs::rename(&log, &former).unwrap();
    telemetry::reopen();
    tracing::info!("two");
    until_written(&log, "two");
    // A name that nothing can be opened under: it goes on in the file that it has.
    fs::rename(&log, folder.join("orepass.log.2")).unwrap();
    fs::create_dir(&log).unwrap();
    telemetry::reopen();
    tracing::info!("three");
    drop(guard);
}

#[test]
fn a_rotated_log_goes_on_in_a_new_file_of_its_name() {
    let folder = std::env::temp_dir().join(format!("orepass-log-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let stderr = File::options().append(true).create(true).open(folder.join("orepass.log"));
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "rotates"])
        .env(FOLDER, &folder)
        .env_remove("OREPASS_LOG")
        .env_remove("RUST_LOG")
        .stdout(Stdio::null())
        .stderr(stderr.unwrap())
        .status();
    assert!(status.unwrap().success());
    let texts =
        ["orepass.log.1", "orepass.log.2"].map(|name| fs::read_to_string(folder.join(name)));
    let [first, second] = texts.map(Result::unwrap);
    fs::remove_dir_all(&folder).unwrap();
    assert!(first.contains(" one") && !first.contains(" two"), "{first}");
    assert!(second.contains("log.reopened") && second.contains(" two"), "{second}");
    assert!(second.contains("log.reopen_failed") && second.contains(" three"), "{second}");
}
