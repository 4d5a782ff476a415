//! `orepass-sim`: simulated pools and rigs from the command line.

mod cli;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    match cli::SimCli::parse().run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("orepass-sim: {error:#}");
            ExitCode::FAILURE
        }
    }
}
