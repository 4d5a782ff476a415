//! Orepass with one more coin.

use std::process::ExitCode;

use orepass::registry::Registry;
use toy_coin::Toy;

fn main() -> ExitCode {
    orepass::main_with(&Registry::default().with::<Toy>())
}
