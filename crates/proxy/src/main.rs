//! The program with the dialects that belong to it.

use std::process::ExitCode;

use orepass::registry::Registry;

fn main() -> ExitCode {
    orepass::main_with(&Registry::default())
}
