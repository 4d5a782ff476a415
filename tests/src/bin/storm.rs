//! Runs a whole route in weather, seed by seed, and tells the story of one that breaks a rule.

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use orepass::clock::now;
use orepass_stratum::verdict::Verdict;
use orepass_tests::storm::kept;
use orepass_tests::storm::run::{DAY, Report, Storm};

/// A seeded simulation of a whole route on a virtual clock
#[derive(Debug, Parser)]
struct Args {
    /// The first seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many seeds
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// How many virtual days each
    #[arg(long, default_value_t = 1)]
    days: u32,
    /// Go on after a seed that broke a rule, and tell its violations alone
    #[arg(long)]
    keep_going: bool,
    /// Where the story of a seed that broke a rule is kept
    #[arg(long, default_value_os_t = kept::folder())]
    keep_in: PathBuf,
    /// Show the proxy's own log as well, on stderr, from this level on
    #[arg(long)]
    log: Option<tracing::Level>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(level) = args.log {
        tracing_subscriber::fmt()
            .without_time()
            .with_writer(std::io::stderr)
            .with_max_level(level)
            .init();
    }
    let mut out = stdout().lock();
    let mut broken = 0;
    let start = now();
    for seed in args.seed..args.seed.saturating_add(args.seeds) {
        let seed_start = now();
        let storm = Storm { span: DAY * args.days, ..Storm::of_seed(seed) };
        let report = storm.run(|day| {
            if args.days > 1 && day % 7 == 0 {
                println!("seed {seed}: day {day} of {}, {:.1?}", args.days, (now() - seed_start));
            }
        });
        let _ = writeln!(out, "{}, {:.2?}", line(&report), (now() - seed_start));
        if report.violations.is_empty() {
            continue;
        }
        broken += 1;
        let told = if args.keep_going { &report.violations } else { &report.story };
        for line in told {
            let _ = writeln!(out, "{line}");
        }
        let _ = match kept::keep(&args.keep_in, storm, &report) {
            Ok(path) => writeln!(out, "kept in {}", path.display()),
            Err(error) => writeln!(out, "not kept: {error}"),
        };
        if !args.keep_going {
            break;
        }
    }
    let _ = writeln!(out, "{broken} seeds broke a rule, {:.1?}", (now() - start));
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn line(report: &Report) -> String {
    let Report { seed, digest, books, pools, rigs, longest_idle, .. } = report;
    let kinds = Verdict::ALL.into_iter().filter(|kind| books.count(*kind) > 0);
    let kinds: Vec<String> = kinds.map(|kind| format!("{kind} {}", books.count(kind))).collect();
    format!(
        "seed {seed}: {digest:016x}, {} shares ({}), {} late, {} at pools, {} connections of rigs, \
         {} jobs told, idle {longest_idle:?} at most",
        books.sent,
        kinds.join(", "),
        books.late_verdicts,
        pools.shares,
        rigs.came,
        rigs.jobs
    )
}
