//! What is different between the config at work and another one: what has to be done, and how that is
//! said. Secrets are compared, and never shown.

mod pools;
mod route;
#[cfg(test)]
mod tests;

use std::fmt::{Debug, Display};
use std::time::Duration;

use orepass_farm::limits::LimitWishes;
use orepass_stratum::target::Difficulty;

use super::{ApiConfig, ApiListen, ApiToken, Config, Name, SinksConfig};

/// When something takes effect that is for rigs that are not there yet.
const RIGS_THAT_COME: &str = "for rigs that come from now on";

/// What is to be done with a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing: nobody notices.
    Keep,
    /// It is new.
    Start,
    /// It is changed while its rigs mine.
    Change,
    /// Another one takes its place on the same sockets.
    Restart,
}

/// What is different.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    /// The new config's routes, in its order.
    pub(crate) routes: Vec<Step>,
    /// The old config's routes that the new one does not have.
    pub(crate) removed: Vec<Name>,
    /// What changes, line by line.
    pub(crate) lines: Vec<String>,
    /// What of it is put off to the next start.
    pub(crate) at_restart: Vec<String>,
}

impl Difference {
    pub(crate) fn between(old: &Config, new: &Config) -> Self {
        let mut found = Self::default();
        let Config {
            routes,
            log,
            workers,
            state,
            history,
            limits,
            control,
            api,
            sinks,
            drain_for,
            source: _,
        } = new;
        for route in routes {
            let before = old.routes.iter().find(|before| before.name == route.name);
            let step = match before {
                Some(before) => found.route(before, route),
                None => {
                    let listen = words(&route.listen);
                    let (name, dialect) = (&route.name, &route.dialect);
                    found.lines.push(format!("route {name} starts: {dialect} on {listen}"));
                    Step::Start
                }
            };
            found.routes.push(step);
        }
        for route in &old.routes {
            if !routes.iter().any(|other| other.name == route.name) {
                let name = &route.name;
                found.lines.push(format!(
                    "route {name} ends: its rigs are closed, and find nobody where they come back"
                ));
                found.removed.push(name.clone());
            }
        }
        found.limits(old.limits, *limits);
        if old.log.level != log.level {
            let (before, after) = (word(old.log.level), word(log.level));
            found.lines.push(format!("log.level {before} \u{2192} {after}"));
        }
        if old.drain_for != *drain_for {
            let [before, after] = [old.drain_for, *drain_for].map(|over| over.as_secs());
            found.lines.push(format!("stop.drain_seconds {before} \u{2192} {after}"));
        }
        found.api(&old.api, api);
        found.sinks(&old.sinks, sinks);
        if old.log.format != log.format {
            found.put_off("log.format", word(old.log.format), word(log.format));
        }
        if old.workers != *workers {
            found.put_off("workers", old.workers, workers);
        }
        if old.history.max_mib != history.max_mib {
            found.put_off("history.max_mib", old.history.max_mib, history.max_mib);
        }
        for (key, before, after) in [
            ("state.file", &old.state, state),
            ("history.file", &old.history.file, &history.file),
            ("control.socket", &old.control, control),
        ] {
            if before != after {
                let shown = |path: &Option<std::path::PathBuf>| {
                    path.as_ref().map_or_else(|| "none".into(), |path| path.display().to_string())
                };
                found.put_off(key, shown(before), shown(after));
            }
        }
        found
    }

    /// Whether there is none.
    #[cfg(test)]
    fn is_none(&self) -> bool {
        self.lines.is_empty()
            && self.at_restart.is_empty()
            && self.removed.is_empty()
            && self.routes.iter().all(|step| *step == Step::Keep)
    }

    fn put_off(&mut self, key: &str, before: impl Display, after: impl Display) {
        let line = format!("{key} {before} \u{2192} {after}: at the next start or upgrade");
        self.at_restart.push(line);
    }

    /// Who may connect, in all routes together.
    fn limits(&mut self, old: LimitWishes, new: LimitWishes) {
        let shown = |limits: LimitWishes| {
            // Whoever adds one says it here.
            let LimitWishes {
                connections,
                unproven_per_address,
                accepts_per_second,
                limit_private,
            } = limits;
            let connections = connections.map_or_else(|| "none".into(), |most| most.to_string());
            [
                ("connections", connections),
                ("unproven_per_address", unproven_per_address.to_string()),
                ("accepts_per_second", accepts_per_second.to_string()),
                ("limit_private", limit_private.to_string()),
            ]
        };
        for ((key, before), (_, after)) in shown(old).into_iter().zip(shown(new)) {
            if before != after {
                let line = format!("limits.{key} {before} \u{2192} {after}, {RIGS_THAT_COME}");
                self.lines.push(line);
            }
        }
    }

    /// Where records go. What of one is different is not said: it may be a secret.
    fn sinks(&mut self, old: &SinksConfig, new: &SinksConfig) {
        let (before, after) = (old.names(), new.names());
        for (key, name) in &before {
            if !after.contains(&(*key, *name)) {
                self.lines.push(format!("{key} {name} ends: what waits is delivered first"));
            }
        }
        for (key, name) in after {
            if !before.contains(&(key, name)) {
                self.lines.push(format!("{key} {name} begins"));
            } else if !old.has_same(key, name, new) {
                self.lines.push(format!("{key} {name} changed; what waits goes to the new one"));
            }
        }
    }

    /// Where the farm is shown, and to whom.
    fn api(&mut self, old: &ApiConfig, new: &ApiConfig) {
        // Whoever adds a key says it here.
        let ApiConfig { listen, hosts, tokens } = new;
        let shown = |at: ApiListen| at.address().map_or_else(|| "off".into(), |at| at.to_string());
        let (before, after) = (shown(old.listen), shown(*listen));
        if before != after {
            self.lines.push(format!("api.listen {before} \u{2192} {after}"));
        }
        if old.hosts != *hosts {
            self.lines.push(format!("api.hosts {} \u{2192} {}", words(&old.hosts), words(hosts)));
        }
        if old.tokens != *tokens {
            let names = |tokens: &[ApiToken]| {
                words(&tokens.iter().map(|token| &token.name).collect::<Vec<_>>())
            };
            let (before, after) = (names(&old.tokens), names(tokens));
            let which = if before == after { after } else { format!("{before} \u{2192} {after}") };
            self.lines.push(format!("api.token changed: {which}"));
        }
    }
}

/// A word of the config.
fn word(value: impl Debug) -> String {
    format!("{value:?}").to_lowercase()
}

fn difficulty(value: Option<Difficulty>) -> String {
    value.map_or_else(|| "none".into(), |value| value.get().to_string())
}

fn seconds(value: Option<Duration>) -> String {
    value.map_or_else(|| "for ever".into(), |value| value.as_secs().to_string())
}

fn words(list: &[impl Display]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
