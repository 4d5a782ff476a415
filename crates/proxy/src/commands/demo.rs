//! `orepass demo`: a farm, the proxy and a pool in one process, over loopback, hashing for real.
//!
//! The pool finds blocks, rigs drop and come back, and unless it is for a script the pool is killed: another
//! one serves until it is back. At the end the rigs stop first, the verdicts drain, and then the books must
//! close.

mod failover;
mod report;
mod scene;
mod stage;
mod table;

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use self::report::DemoReport;
pub use self::scene::{Scene, Story};
use self::stage::Stage;
use self::table::{Happened, LiveTable};
use super::{CommandError, Outcome};
use crate::cli::Demo;
use crate::limits;
use crate::registry::{DialectEntry, Registry};

/// How often something happens: a line is written, and a pool may make a job.
const TICK: Duration = Duration::from_secs(1);
/// How often the table is drawn, in parts of that.
const DRAWS: u32 = 4;
/// A demo lasts at least so long, so that what should happen has the time to.
const SHORTEST: u64 = 4;
/// The exit code of who is interrupted twice, as a shell has it.
const INTERRUPTED: i32 = 130;

/// Runs the demo; a failure when the books do not close.
///
/// # Errors
/// A [`CommandError`] when it cannot be set up.
pub async fn demo(demo: Demo, registry: &Registry) -> Result<Outcome, CommandError> {
    let scenes = chosen(demo.dialect.as_deref(), registry)?;
    let rigs = scenes.iter().map(|(_, scene)| demo.rigs.unwrap_or(scene.rigs)).sum();
    limits::raise_and_report(rigs);
    let mut stages = Vec::new();
    for (entry, scene) in scenes {
        stages.push(Stage::set(entry, scene, &demo, registry).await?);
    }
    let whole = Duration::from_secs(demo.seconds.max(SHORTEST));
    let was_cut_short = tokio::select! {
        () = play(&mut stages, whole, &demo) => false,
        Ok(()) = tokio::signal::ctrl_c() => true,
    };
    if was_cut_short {
        // Who cannot wait for the last verdicts either gets no report.
        tokio::spawn(async {
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(INTERRUPTED);
            }
        });
    }
    let mut report = DemoReport::default();
    for stage in stages {
        let mut line = stage.close().await;
        line.was_cut_short = was_cut_short;
        report.add(line);
    }
    report.print(demo.json);
    Ok(if report.is_good() { Outcome::Success } else { Outcome::Failure })
}

/// The scenes of the dialect of a name, or of all that have one.
fn chosen<'a>(
    name: Option<&str>,
    registry: &'a Registry,
) -> Result<Vec<(&'a DialectEntry, Scene)>, CommandError> {
    let scene = |entry: &'a DialectEntry| Some((entry, entry.scene?()));
    let name = name.or_else(|| registry.first()).unwrap_or("all");
    if name == "all" {
        return Ok(registry.entries().filter_map(scene).collect());
    }
    let entry = registry.get(name).map_err(|unknown| CommandError::Failed(unknown.to_string()))?;
    let missing = || CommandError::Failed(format!("there is no demo for dialect `{name}`"));
    Ok(vec![scene(entry).ok_or_else(missing)?])
}

/// Lets time pass until the end, and then until all that should happen has happened.
async fn play(stages: &mut [Stage], whole: Duration, &Demo { json, table, .. }: &Demo) {
    let start = Instant::now();
    let patience = stages.iter().map(Stage::patience).max().unwrap_or_default();
    let mut table = table.then(LiveTable::new);
    let mut happened: Vec<Happened> = Vec::new();
    let acts = async {
        for draw in 1_u32.. {
            let past = TICK / DRAWS * draw;
            sleep_until(start + past).await;
            let acts = draw.is_multiple_of(DRAWS);
            if acts {
                let progress = past.as_secs_f64() / whole.as_secs_f64();
                for stage in &mut *stages {
                    let what = stage.tick(progress);
                    happened.extend(what.map(|what| (past.as_secs(), stage.dialect, what)));
                }
            }
            match &mut table {
                Some(table) => {
                    let seen: Vec<_> =
                        stages.iter().map(|stage| (stage.line(), stage.pool_views())).collect();
                    table.show((past.as_secs_f64(), whole.as_secs_f64()), &seen, &happened);
                }
                None if acts && !json => {
                    report::say(&happened);
                    happened.clear();
                    stages.iter().for_each(|stage| stage.line().show(past.as_secs()));
                }
                None => {}
            }
            let is_done = |stage: &Stage| stage.is_complete() || stage.is_lost();
            if acts && past >= whole && stages.iter().all(is_done) {
                return;
            }
        }
    };
    // Past its patience the demo ends as it is, and the report says what is missing.
    let _ = timeout(whole + patience, acts).await;
}
