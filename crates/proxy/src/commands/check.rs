//! `orepass check`: says whether a config is good and what its pools answer.

mod json;
mod place;
mod room;
mod rules;
mod voice;

use orepass_stratum::habits::Habits;

use self::json::{CheckReport, CheckedPool, CheckedRoute};
use self::voice::Voice;
use super::bind::{bind, is_taken};
use super::{CommandError, Outcome};
use crate::config::{Config, ConfigError, RouteConfig};
use crate::limits::OpenFiles;
use crate::net::tls::server::CertificateSource;
use crate::probe::ProbeError;
use crate::registry::Registry;
use crate::store::Store;

/// Says what is wrong with a config that cannot be used at all, for scripts.
pub fn print_refused(error: &ConfigError) {
    CheckReport::refused(error).print();
}

/// How a config is checked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Checking {
    /// What is found is said as JSON, at the end.
    pub json: bool,
    /// So many rigs are expected on each route.
    pub rigs: Option<usize>,
}

/// Listens where `run` would, tries every pool of a config out, and says what it found; a failure
/// when a pool is of no use, an address cannot be listened on, what is learnt cannot be kept, or the rigs
/// that are expected do not fit. An address that somebody listens on already is only remarked upon: a
/// running Orepass may have the same config.
///
/// # Errors
/// A [`CommandError`] when it cannot be tried.
pub async fn check(
    config: Config,
    registry: &Registry,
    checking: Checking,
) -> Result<Outcome, CommandError> {
    let voice = Voice { is_silent: checking.json };
    let mut report = CheckReport::of(&config);
    voice.config(&config);
    report.failures.extend(process_failures(&config, checking));
    for failure in &report.failures {
        voice.say(format_args!("FAILED: {failure}"));
    }
    let memory = memory_of(&config, voice);
    for (route, unbound) in config.routes.iter().zip(unbound(&config)) {
        let entry = registry
            .get(&route.dialect)
            .map_err(|unknown| CommandError::Failed(unknown.to_string()))?;
        let mut checked = CheckedRoute::of(route);
        voice.say(format_args!(
            "route {} ({}), rigs on {}",
            route.name,
            entry.name,
            listens(route)
        ));
        if route.has_tls() {
            check_certificate(&route.front.certificate, &mut checked, voice);
        }
        for error in &unbound {
            if is_taken(error) {
                let note = format!("{error}; that is as it should be while orepass runs");
                voice.say(format_args!("  note: {note}"));
                checked.notes.push(note);
            } else {
                checked.fail(error.to_string(), voice);
            }
        }
        let memory = memory.route(route.name.as_str());
        for pool in &route.pools {
            let known = memory.habits(&pool.url.authority());
            let habits = known.iter().fold(Habits::default(), |habits, record| {
                habits.with(record.habit, Some(record.answer))
            });
            match (entry.probe)(route, pool, habits).await {
                Ok(found) => {
                    checked.pools.push(CheckedPool::good(pool, &found, route));
                    voice.found(pool, &found, route);
                    voice.titled(found.job.iter().cloned());
                    voice.titled(rules::lines(&found.rules));
                    voice.habits(&found, &known);
                    let wanted = checking.rigs.unwrap_or_default() as u64;
                    if let Some(why) = room::missing_at(&found, route, wanted) {
                        checked.fail(format!("pool {}: {why}", pool.name), voice);
                    }
                }
                Err(error) => {
                    let why = format!("{error}{}", remedy(&error));
                    voice.say(format_args!("  pool {} FAILED: {why}", pool.name));
                    checked.pools.push(CheckedPool::failed(pool, why));
                }
            }
        }
        report.routes.push(checked);
    }
    report.good = report.is_good();
    let outcome = if report.good { Outcome::Success } else { Outcome::Failure };
    if checking.json {
        report.print();
    }
    Ok(outcome)
}

/// What is wrong for all routes.
fn process_failures(config: &Config, checking: Checking) -> Vec<String> {
    let history = config.history.kept().map(|(file, _)| file);
    let files = [config.state.as_deref(), history].into_iter().flatten();
    let mut failures: Vec<String> = files.filter_map(|file| place::writable(file).err()).collect();
    if let (Some(rigs), Ok(files)) = (checking.rigs, OpenFiles::raise()) {
        let in_all = rigs.saturating_mul(config.routes.len());
        failures.extend(room::missing_files(files, in_all));
    }
    failures
}

/// What is remembered of the pools.
fn memory_of(config: &Config, voice: Voice) -> Store {
    match config.state.as_deref().map(Store::look) {
        None => Store::fleeting(),
        Some(Ok(memory)) => memory,
        Some(Err(error)) => {
            voice.say(format_args!(
                "  note: what it has of the pools' habits cannot be shown: {error}; orepass says what it \
                 finds out as `pool.habit` in its log"
            ));
            Store::fleeting()
        }
    }
}

/// What each route cannot listen on. All addresses are taken at the same time, as `run` does, and
/// let go of.
fn unbound(config: &Config) -> Vec<Vec<CommandError>> {
    let mut taken = Vec::new();
    let mut take = |route| {
        let (bound, unbound): (Vec<_>, Vec<_>) = bind(route).partition(Result::is_ok);
        taken.extend(bound);
        unbound.into_iter().filter_map(Result::err).collect()
    };
    config.routes.iter().map(&mut take).collect()
}

/// Shows the certificate that rigs will see.
fn check_certificate(source: &CertificateSource, checked: &mut CheckedRoute, voice: Voice) {
    match source.look() {
        Err(error) => checked.fail(error.to_string(), voice),
        Ok(Some(certificate)) => {
            checked.certificate = Some((&certificate).into());
            voice.say("  tls to rigs");
            voice.certificate(&certificate);
        }
        Ok(None) => {
            voice.say("  tls to rigs    a certificate of our own, made when orepass starts");
        }
    }
}

fn remedy(error: &ProbeError) -> &'static str {
    match error {
        ProbeError::Resolve { .. } => "; check the host in `url` and this machine's DNS",
        ProbeError::SentAway(_) => "; put that into `url` if it is right",
        _ => "",
    }
}

fn listens(route: &RouteConfig) -> String {
    let addresses: Vec<String> = route.listen.iter().map(ToString::to_string).collect();
    addresses.join(", ")
}
