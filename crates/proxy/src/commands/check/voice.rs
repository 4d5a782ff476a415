//! What a check says, for people.

use std::fmt;

use orepass_farm::knowledge::HabitRecord;
use orepass_stratum::habits::{Answer, Habit};

use crate::config::{Config, PoolAccount, RouteConfig};
use crate::net::tls::facts::{CertificateFacts, TlsFacts};
use crate::probe::Findings;

/// Says what is found as it is found; for scripts it is said at the end instead.
#[derive(Clone, Copy)]
pub(super) struct Voice {
    pub(super) is_silent: bool,
}

impl Voice {
    #[expect(clippy::print_stdout, reason = "the command's output")]
    pub(super) fn say(self, line: impl fmt::Display) {
        if !self.is_silent {
            println!("{line}");
        }
    }

    /// The config, before anything is tried.
    pub(super) fn config(self, config: &Config) {
        // Whoever runs this is not the service.
        const UNLESS: &str =
            "unless systemd gives a $STATE_DIRECTORY, as the package's service has it";
        let (name, routes) = (config.source().name(), config.routes.len());
        self.say(format_args!(
            "{name}: the config is good: {routes} route{}, room for {} rigs",
            plural(routes),
            config.capacity()
        ));
        match &config.state {
            Some(file) => {
                let file = file.display();
                self.say(format_args!("what is learnt of rigs and pools is kept in {file}"));
            }
            None => self.say(format_args!(
                "what is learnt of rigs and pools is forgotten at every restart, {UNLESS}; to keep \
                 it, name a `file` in [state]"
            )),
        }
        match config.history.kept() {
            Some((file, max_mib)) => {
                let file = file.display();
                self.say(format_args!(
                    "what becomes of shares is kept in {file}, of {max_mib} MiB at most"
                ));
            }
            None => self.say(format_args!(
                "what becomes of shares is not kept and charts begin anew at every start, {UNLESS}; \
                 to keep it, name a `file` in [state] or [history]"
            )),
        }
    }

    /// A certificate.
    pub(super) fn certificate(self, certificate: &CertificateFacts) {
        let CertificateFacts { issuer, until, days_left, fingerprint, .. } = certificate;
        self.say(format_args!("    certificate  for {}, of {issuer}", certificate.name()));
        self.say(format_args!(
            "    good until   {until}, {days_left} day{}",
            plural(usize::try_from(*days_left).unwrap_or(0))
        ));
        self.say(format_args!("    sha256       {fingerprint}"));
    }

    /// What a pool has said.
    pub(super) fn found(self, pool: &PoolAccount, found: &Findings, route: &RouteConfig) {
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
        self.say(format_args!("  pool {} ok", pool.name));
        let others: Vec<String> =
            addresses.iter().filter(|other| *other != peer).map(ToString::to_string).collect();
        match &others[..] {
            _ if let Some(proxy) = &pool.reach.proxy => {
                self.say(format_args!("    address      by the proxy {proxy}"));
            }
            [] => self.say(format_args!("    address      {peer}")),
            others => self
                .say(format_args!("    address      {peer} answered; also {}", others.join(", "))),
        }
        if let Some(TlsFacts { version, cipher, certificate }) = tls.as_deref() {
            self.say(format_args!("    tls          {version}, {cipher}"));
            self.certificate(certificate);
        }
        self.say(format_args!(
            "    latency      connect {}, login {}",
            millis(connect),
            millis(login)
        ));
        let announced = given
            .announced_size
            .map_or_else(|| "no size".to_owned(), |size| format!("size {size}"));
        self.say(format_args!(
            "    extranonce   extranonce1 of {} bytes ({}), {announced} announced",
            given.extranonce1.len(),
            given.extranonce1
        ));
        self.say(format_args!(
            "    split        {} prefix byte{}, rigs are told {} + {} bytes",
            split.prefix_bytes,
            plural(split.prefix_bytes),
            split.extranonce1.len() + split.prefix_bytes,
            split.rig_extranonce2
        ));
        if let Some(remark) = &split.remark {
            self.say(format_args!("                 {remark}"));
        }
        self.say(format_args!(
            "    rigs         {rigs} on a connection, {} on {}",
            rigs.saturating_mul(route.max_channels as u64),
            route.max_channels
        ));
        self.say(format_args!("    authorized   {user}"));
        self.say(format_args!("    difficulty   {} (target {target})", rounded(*difficulty)));
    }

    /// What is known of a pool's habits, and from where.
    pub(super) fn habits(self, found: &Findings, known: &[HabitRecord]) {
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
        self.titled(lines.into_iter().map(|line| ("habits", line)));
    }

    /// A title stands before the first of its lines alone.
    pub(super) fn titled(self, lines: impl IntoIterator<Item = (&'static str, String)>) {
        let mut before = "";
        for (title, line) in lines {
            self.say(format_args!("    {:<12} {line}", if title == before { "" } else { title }));
            before = title;
        }
    }
}

/// With four digits that count.
fn rounded(difficulty: f64) -> f64 {
    format!("{difficulty:.3e}").parse().unwrap_or(difficulty)
}

const fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
