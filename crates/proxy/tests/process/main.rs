//! The program as the system and an operator see it: a process with signals, files and a log that
//! somebody reads, or nobody.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod api;
mod changes;
mod check;
mod drain;
mod evidence;
mod files;
mod init;
mod json;
mod reload;
#[path = "../common/verify.rs"]
mod run;
mod stuck_log;
mod support;
mod systemd;
mod top;
mod upgrade;
