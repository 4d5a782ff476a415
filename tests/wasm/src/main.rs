//! The play as a program: WebAssembly without a system has its `main`, whose result is the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(u8::from(orepass_wasm::play() != orepass_wasm::GOOD))
}
