#![doc = include_str!("../README.md")]
//!
//! ## Where to start
//!
//! [`registry::Registry`] is where a dialect is added, and [`main_with`] is the whole program.
//! The rest is public for tests and tools; start with [`config::Config`].
//!
//! A tool that looks at configs:
//!
//! ```
//! use orepass::config::Config;
//! use orepass::registry::Registry;
//!
//! let text = r#"
//!     [[route]]
//!     name = "hns"
//!     dialect = "hstratum"
//!     listen = ["[::]:3008"]
//!     [[route.pool]]
//!     url = "stratum+tcp://pool.example:3008"
//!     user = "account.{rig}"
//! "#;
//! let config = Config::parse("orepass.toml", text, &Registry::default())?;
//! assert_eq!(config.capacity(), 4000);
//! # Ok::<(), orepass::config::ConfigError>(())
//! ```

pub mod admission;
pub mod api;
mod bell;
pub mod books;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
mod control;
mod evidence;
mod handover;
pub mod hash_rate;
pub mod histogram;
pub mod history;
pub mod limits;
pub mod listeners;
pub mod metrics;
pub mod net;
pub mod pool;
pub mod probe;
pub mod process;
pub mod registry;
pub mod repeated_warnings;
pub mod rig;
pub mod route;
pub mod running;
pub mod signals;
pub mod sinks;
mod sqlite;
pub mod store;
pub mod supervisor;
mod systemd;
pub mod telemetry;
pub mod watch;
pub mod worker_threads;

use std::process::ExitCode;

use crate::cli::Cli;
use crate::commands::{CommandError, Outcome};
use crate::config::ConfigError;
use crate::registry::Registry;

/// The program, with the dialects of a registry.
#[must_use]
pub fn main_with(registry: &Registry) -> ExitCode {
    // Both before there is a second thread.
    systemd::take_sockets();
    handover::note_program();
    match commands::execute(Cli::read(), registry) {
        Ok(Outcome::Success) => ExitCode::SUCCESS,
        Ok(Outcome::Failure) => ExitCode::FAILURE,
        Err(error) => {
            report(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Says what went wrong. An error that stands in a file starts with the file, as editors like it.
fn report(error: &CommandError) {
    let in_file = matches!(error, CommandError::Config(ConfigError::Invalid(_)));
    let prefix = if in_file { "" } else { "orepass: " };
    // Where stderr does not take it, the exit code has to do.
    telemetry::say(&format!("{prefix}{error}\n"));
}
