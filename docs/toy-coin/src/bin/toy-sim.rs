//! `orepass-sim` with one more coin.

use std::process::ExitCode;

use orepass_sim::registry::SimRegistry;

fn main() -> ExitCode {
    orepass_sim::main_with(&SimRegistry::default().with(toy_coin::sim::COIN))
}
