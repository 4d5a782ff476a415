//! What was found out, for scripts.

use std::io::{self, Write};

use serde::Serialize;

use super::voice::Voice;
use crate::api::ProblemAt;
use crate::config::{Config, ConfigError, PoolAccount, RouteConfig};
use crate::net::tls::facts::{CertificateFacts, TlsFacts};
use crate::probe::Findings;

/// What a check has found out.
#[derive(Debug, Default, Serialize)]
pub(super) struct CheckReport {
    /// Whether nothing of it is of no use.
    pub(super) good: bool,
    /// The config's name.
    config: String,
    /// How many rigs it has room for.
    room_for_rigs: usize,
    /// Where what is learnt is kept.
    state_file: Option<String>,
    /// What is wrong for all routes.
    pub(super) failures: Vec<String>,
    pub(super) routes: Vec<CheckedRoute>,
    /// What is wrong with the config; nothing else is known then.
    problems: Vec<ProblemAt>,
}

/// A route of it.
#[derive(Debug, Serialize)]
pub(super) struct CheckedRoute {
    name: String,
    dialect: String,
    listen: Vec<String>,
    /// The certificate that rigs will see, where it is from a file.
    pub(super) certificate: Option<CheckedCertificate>,
    /// What is worth a remark.
    pub(super) notes: Vec<String>,
    /// What keeps rigs from earning.
    failures: Vec<String>,
    pub(super) pools: Vec<CheckedPool>,
}

/// A pool of a route.
#[derive(Debug, Serialize)]
pub(super) struct CheckedPool {
    name: String,
    ok: bool,
    /// Why it is of no use.
    error: Option<String>,
    found: Option<CheckedFacts>,
}

/// What a pool has said.
#[derive(Debug, Serialize)]
struct CheckedFacts {
    address: String,
    tls: Option<CheckedTls>,
    connect_s: f64,
    login_s: f64,
    extranonce1: String,
    extranonce2_announced_bytes: Option<usize>,
    prefix_bytes: usize,
    rigs_on_a_connection: u64,
    max_connections: usize,
    account: String,
    difficulty: f64,
    target: String,
    job: Vec<CheckedLine>,
}

/// What a pool's job says about something.
#[derive(Debug, Serialize)]
struct CheckedLine {
    about: &'static str,
    text: String,
}

/// The TLS of a connection to a pool.
#[derive(Debug, Serialize)]
struct CheckedTls {
    version: String,
    cipher: String,
    certificate: CheckedCertificate,
}

/// A certificate.
#[derive(Debug, Serialize)]
pub(super) struct CheckedCertificate {
    name: String,
    issuer: String,
    good_until: String,
    days_left: i64,
    sha256: String,
}

impl CheckReport {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            good: true,
            config: config.source().name().to_string(),
            room_for_rigs: config.capacity(),
            state_file: config.state.as_ref().map(|file| file.display().to_string()),
            ..Self::default()
        }
    }

    /// Of a config that cannot be used at all.
    pub(super) fn refused(error: &ConfigError) -> Self {
        let problems = match error {
            ConfigError::Invalid(invalid) => ProblemAt::all(invalid).collect(),
            other => vec![ProblemAt {
                file: String::new(),
                line: None,
                column: None,
                message: other.to_string(),
            }],
        };
        Self { problems, ..Self::default() }
    }

    /// Whether nothing of it is of no use.
    pub(super) fn is_good(&self) -> bool {
        let is_good = |route: &CheckedRoute| {
            route.failures.is_empty() && route.pools.iter().all(|pool| pool.ok)
        };
        self.failures.is_empty() && self.routes.iter().all(is_good)
    }

    pub(super) fn print(&self) {
        // Plain texts and numbers always serialize; who hangs up early has seen enough.
        let text = serde_json::to_string(self).unwrap_or_default();
        let _ = writeln!(io::stdout(), "{text}");
    }
}

impl CheckedRoute {
    pub(super) fn of(route: &RouteConfig) -> Self {
        Self {
            name: route.name.to_string(),
            dialect: route.dialect.clone(),
            listen: route.listen.iter().map(ToString::to_string).collect(),
            certificate: None,
            notes: Vec::new(),
            failures: Vec::new(),
            pools: Vec::new(),
        }
    }

    /// Rigs would not earn.
    pub(super) fn fail(&mut self, why: String, voice: Voice) {
        voice.say(format_args!("  FAILED: {why}"));
        self.failures.push(why);
    }
}

impl CheckedPool {
    pub(super) fn good(pool: &PoolAccount, found: &Findings, route: &RouteConfig) -> Self {
        let found = CheckedFacts {
            address: found.peer.to_string(),
            tls: found.tls.as_deref().map(Into::into),
            connect_s: found.connect.as_secs_f64(),
            login_s: found.login.as_secs_f64(),
            extranonce1: found.given.extranonce1.to_string(),
            extranonce2_announced_bytes: found.given.announced_size,
            prefix_bytes: found.split.prefix_bytes,
            rigs_on_a_connection: found.rigs,
            max_connections: route.max_channels,
            account: found.user.clone(),
            difficulty: found.difficulty,
            target: found.target.to_string(),
            job: found
                .job
                .iter()
                .map(|(about, text)| CheckedLine { about, text: text.clone() })
                .collect(),
        };
        Self { name: pool.name.to_string(), ok: true, error: None, found: Some(found) }
    }

    pub(super) fn failed(pool: &PoolAccount, error: String) -> Self {
        Self { name: pool.name.to_string(), ok: false, error: Some(error), found: None }
    }
}

impl From<&TlsFacts> for CheckedTls {
    fn from(facts: &TlsFacts) -> Self {
        let TlsFacts { version, cipher, certificate } = facts;
        let certificate = certificate.into();
        Self { version: version.clone(), cipher: cipher.clone(), certificate }
    }
}

impl From<&CertificateFacts> for CheckedCertificate {
    fn from(facts: &CertificateFacts) -> Self {
        Self {
            name: facts.name().to_string(),
            issuer: facts.issuer.clone(),
            good_until: facts.until.clone(),
            days_left: facts.days_left,
            sha256: facts.fingerprint.to_string(),
        }
    }
}
