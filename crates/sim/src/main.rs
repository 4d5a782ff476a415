//! `orepass-sim`: simulated pools and rigs from the command line.

use std::process::ExitCode;

use orepass_sim::registry::SimRegistry;

fn main() -> ExitCode {
    orepass_sim::main_with(&SimRegistry::default())
}
