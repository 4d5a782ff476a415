//! The proxy under load; see `load --help` and `docs/benchmarks.md`.

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use orepass_benches::load::args::{Args, Role};
use orepass_benches::load::{relay, run};
use tokio::runtime::Builder;

fn main() -> ExitCode {
    match play(&Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn play(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    if let Some(Role::Relay { pool, channels, rigs_per_channel }) = args.role {
        relay::play(pool, channels, rigs_per_channel)?;
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(run::run(args))?;
    if args.json {
        println!("{:#}", report.to_json());
    } else {
        print!("{report}");
    }
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
