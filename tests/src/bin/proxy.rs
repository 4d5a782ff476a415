//! The program itself, in a process that a test can watch, signal and kill.

use std::process::ExitCode;

use orepass::registry::Registry;

fn main() -> ExitCode {
    orepass::main_with(&Registry::default())
}
