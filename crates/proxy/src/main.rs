//! The program with the dialects that belong to it.

use std::process::ExitCode;

use orepass::registry::Registry;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    orepass::main_with(&Registry::default())
}
