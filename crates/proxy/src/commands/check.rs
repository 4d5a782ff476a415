//! `orepass check`: says whether a config is good and what its pools answer.

mod json;
mod rules;

use orepass_farm::knowledge::HabitRecord;
use orepass_stratum::habits::{Answer, Habit, Habits};

use self::json::{CheckReport, CheckedPool, CheckedRoute};
use super::bind::{bind, is_taken};
use super::{CommandError, Outcome};
use crate::config::{Config, ConfigError, HistoryConfig, PoolAccount, RouteConfig};
use crate::net::tls::facts::{CertificateFacts, TlsFacts};
use crate::net::tls::server::CertificateSource;
use crate::probe::{Findings, ProbeError};
use crate::registry::Registry;
use crate::store::Store;

/// Says what is wrong with a config that cannot be used at all, for scripts.
pub fn print_refused(error: &ConfigError) {
    CheckReport::refused(error).print();
}

/// Listens where `run` would, tries every pool of a config out, and says what it found; a failure
/// when a pool is of no use, or an address cannot be listened on. One that somebody listens on
/// already is only remarked upon: a running Orepass may have the same config.
///
/// # Errors
/// A [`CommandError`] when it cannot be tried.
#[expect(clippy::print_stdout, reason = "the command's output")]
pub async fn check(
    config: Config,
    registry: &Registry,
    json: bool,
) -> Result<Outcome, CommandError> {
    let mut report = CheckReport::of(&config);
    if !json {
        print_config(&config);
    }
    let memory = memory_of(&config, json);
    let mut outcome = Outcome::Success;
    for (route, unbound) in config.routes.iter().zip(unbound(&config)) {
        let entry = registry
            .get(&route.dialect)
            .map_err(|unknown| CommandError::Failed(unknown.to_string()))?;
        let mut checked = CheckedRoute::of(route);
        if !json {
            println!("route {} ({}), rigs on {}", route.name, entry.name, listens(route));
        }
        if route.has_tls() {
            outcome = outcome.and(check_certificate(&route.front.certificate, &mut checked, json));
        }
        for error in &unbound {
            if is_taken(error) {
                let note = format!("{error}; that is as it should be while orepass runs");
                if !json {
                    println!("  note: {note}");
                }
                checked.notes.push(note);
            } else {
                outcome = Outcome::Failure;
                if !json {
                    println!("  FAILED: {error}");
                }
                checked.failures.push(error.to_string());
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
                    if !json {
                        print_found(pool, &found, route);
                        print_titled(found.job.iter().cloned());
                        print_titled(rules::lines(&found.rules));
                        print_habits(&found, &known);
                    }
                }
                Err(error) => {
                    outcome = Outcome::Failure;
                    let why = format!("{error}{}", remedy(&error));
                    if !json {
                        println!("  pool {} FAILED: {why}", pool.name);
                    }
                    checked.pools.push(CheckedPool::failed(pool, why));
                }
            }
        }
        report.routes.push(checked);
    }
    if json {
        report.good = outcome == Outcome::Success;
        report.print();
    }
    Ok(outcome)
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn print_config(config: &Config) {
    let (name, routes) = (config.source().name(), config.routes.len());
    println!(
        "{name}: the config is good: {routes} route{}, room for {} rigs",
        plural(routes),
        config.capacity()
    );
    match &config.state {
        Some(file) => println!("what is learnt of rigs and pools is kept in {}", file.display()),
        None => println!(
            "what is learnt of rigs and pools is forgotten at every restart; to keep it, name a `file` in \
             [state]"
        ),
    }
    match &config.history {
        HistoryConfig { file: Some(file), max_mib: max_mib @ 1.. } => println!(
            "what becomes of shares is kept in {}, of {max_mib} MiB at most",
            file.display()
        ),
        _ => println!(
            "what becomes of shares is not kept: charts begin anew at every start; to keep it, name a \
             `file` in [state] or [history]"
        ),
    }
}

/// What is remembered of the pools.
#[expect(clippy::print_stdout, reason = "the command's output")]
fn memory_of(config: &Config, json: bool) -> Store {
    match config.state.as_deref().map(Store::look) {
        None => Store::fleeting(),
        Some(Ok(memory)) => memory,
        Some(Err(error)) => {
            if !json {
                println!(
                    "  note: what it has of the pools' habits cannot be shown: {error}; orepass says \
                     what it finds out as `pool.habit` in its log"
                );
            }
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
#[expect(clippy::print_stdout, reason = "the command's output")]
fn check_certificate(
    source: &CertificateSource,
    checked: &mut CheckedRoute,
    json: bool,
) -> Outcome {
    let found = source.look();
    if let Ok(Some(certificate)) = &found {
        checked.certificate = Some(certificate.into());
    }
    match found {
        Err(error) => {
            checked.failures.push(error.to_string());
            if !json {
                println!("  FAILED: {error}");
            }
            return Outcome::Failure;
        }
        _ if json => {}
        Ok(Some(certificate)) => {
            println!("  tls to rigs");
            print_certificate(&certificate);
        }
        Ok(None) => println!("  tls to rigs    a certificate of our own, made when orepass starts"),
    }
    Outcome::Success
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn print_certificate(certificate: &CertificateFacts) {
    let CertificateFacts { issuer, until, days_left, fingerprint, .. } = certificate;
    println!("    certificate  for {}, of {issuer}", certificate.name());
    println!(
        "    good until   {until}, {days_left} day{}",
        plural(usize::try_from(*days_left).unwrap_or(0))
    );
    println!("    sha256       {fingerprint}");
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn print_found(pool: &PoolAccount, found: &Findings, route: &RouteConfig) {
    let Findings {
        addresses,
        peer,
        tls,
        connect,
        login,
        given,
        split,
        rigs,
        user,
        target,
        difficulty,
        ..
    } = found;
    let millis = |time: &std::time::Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    println!("  pool {} ok", pool.name);
    let others: Vec<String> =
        addresses.iter().filter(|other| *other != peer).map(ToString::to_string).collect();
    match &others[..] {
        _ if let Some(proxy) = &pool.reach.proxy => {
            println!("    address      by the proxy {proxy}");
        }
        [] => println!("    address      {peer}"),
        others => println!("    address      {peer} answered; also {}", others.join(", ")),
    }
    if let Some(TlsFacts { version, cipher, certificate }) = tls.as_deref() {
        println!("    tls          {version}, {cipher}");
        print_certificate(certificate);
    }
    println!("    latency      connect {}, login {}", millis(connect), millis(login));
    let announced =
        given.announced_size.map_or_else(|| "no size".to_owned(), |size| format!("size {size}"));
    println!(
        "    extranonce   extranonce1 of {} bytes ({}), {announced} announced",
        given.extranonce1.len(),
        given.extranonce1
    );
    println!(
        "    split        {} prefix byte{}, rigs are told {} + {} bytes",
        split.prefix_bytes,
        plural(split.prefix_bytes),
        split.extranonce1.len() + split.prefix_bytes,
        split.rig_extranonce2
    );
    if let Some(remark) = &split.remark {
        println!("                 {remark}");
    }
    println!(
        "    rigs         {rigs} on a connection, {} on {}",
        rigs.saturating_mul(route.max_channels as u64),
        route.max_channels
    );
    println!("    authorized   {user}");
    println!("    difficulty   {} (target {target})", rounded(*difficulty));
}

/// What is known of a pool's habits, and from where.
fn print_habits(found: &Findings, known: &[HabitRecord]) {
    let word = |habit: Habit, answer| habit.word_among(answer, found.rules.scale_names);
    let mut lines: Vec<String> = Vec::new();
    for habit in Habit::ALL {
        if let Some(answer) = found.configured.get(habit) {
            lines.push(format!("{habit} = {}, as configured", word(habit, answer)));
        } else if let Some(record) = known.iter().find(|record| record.habit == habit) {
            let days = record.age.as_secs() / 86_400;
            let ago = match days {
                0 => "today".to_owned(),
                days => format!("{days} day{} ago", plural(days as usize)),
            };
            lines.push(format!("{habit} = {}, found out {ago}", word(habit, record.answer)));
        }
    }
    if let Some((habit, easier)) = found.doubt {
        let [usual, other] = [Answer::Usual, Answer::Other].map(|answer| word(habit, answer));
        lines.push(format!(
            "{habit} is not known yet, {usual} or {other}: rigs are told difficulty {}, and one of \
             their shares shows which",
            rounded(easier)
        ));
    }
    if lines.is_empty() {
        lines.push("none known yet; each is found out when it matters".to_owned());
    }
    print_titled(lines.into_iter().map(|line| ("habits", line)));
}

/// A title stands before the first of its lines alone.
#[expect(clippy::print_stdout, reason = "the command's output")]
fn print_titled(lines: impl IntoIterator<Item = (&'static str, String)>) {
    let mut before = "";
    for (title, line) in lines {
        println!("    {:<12} {line}", if title == before { "" } else { title });
        before = title;
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

/// With four digits that count.
fn rounded(difficulty: f64) -> f64 {
    format!("{difficulty:.3e}").parse().unwrap_or(difficulty)
}

const fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
