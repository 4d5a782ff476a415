//! What is different between the config at work and another one: what has to be done, and how that is
//! said. Secrets are compared, and never shown.

use std::fmt::{Debug, Display};
use std::time::Duration;

use orepass_farm::limits::LimitWishes;
use orepass_stratum::target::Difficulty;

use super::{ApiConfig, ApiListen, ApiToken, Config, Name, PoolAccount, RouteConfig};

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

/// A key of a route as it is shown, and when it takes effect.
struct Key {
    name: &'static str,
    shown: fn(&RouteConfig) -> String,
    effect: &'static str,
}

const NOW: &str = "";
const NEXT_WORK: &str = "told with the next work";
const LATER_CHANNELS: &str = "for connections to pools that are made from now on";
const LATER_SOCKETS: &str = "for sockets that are opened from now on";
const RIGS_THAT_COME: &str = "for rigs that come from now on";

/// What changes in place.
const KEYS: &[Key] = &[
    Key { name: "verify", shown: |r| word(r.downstream.verify), effect: NOW },
    Key { name: "reply", shown: |r| word(r.downstream.reply), effect: NOW },
    Key { name: "quarantine", shown: |r| word(r.downstream.quarantine), effect: NOW },
    Key {
        name: "keepalive_seconds",
        shown: |r| r.downstream.keepalive.map_or(0, |after| after.as_secs()).to_string(),
        effect: NOW,
    },
    Key {
        name: "keepalive_seconds",
        shown: |r| r.downstream.keepalive.map_or(0, |time| time.as_secs()).to_string(),
        effect: NOW,
    },
    Key {
        name: "vardiff.enabled",
        shown: |r| word(r.downstream.vardiff.enabled),
        effect: NEXT_WORK,
    },
    Key {
        name: "vardiff.shares_per_minute",
        shown: |r| r.downstream.vardiff.shares_per_minute.to_string(),
        effect: NOW,
    },
    Key {
        name: "vardiff.start",
        shown: |r| difficulty(r.downstream.vardiff.start),
        effect: RIGS_THAT_COME,
    },
    Key { name: "vardiff.min", shown: |r| difficulty(r.downstream.vardiff.min), effect: NEXT_WORK },
    Key { name: "vardiff.max", shown: |r| difficulty(r.downstream.vardiff.max), effect: NEXT_WORK },
    Key { name: "proxy_protocol", shown: |r| word(r.front.proxy_protocol), effect: RIGS_THAT_COME },
    Key { name: "proxy_from", shown: |r| words(&r.front.proxy_from), effect: RIGS_THAT_COME },
    Key {
        name: "proxy_headers",
        shown: |r| r.front.proxy_headers.to_string(),
        effect: RIGS_THAT_COME,
    },
    Key { name: "limits.backlog", shown: |r| r.backlog.to_string(), effect: LATER_SOCKETS },
    Key {
        name: "limits.subscribe_seconds",
        shown: |r| seconds(Some(r.downstream.subscribe_within)),
        effect: RIGS_THAT_COME,
    },
    Key {
        name: "limits.authorize_seconds",
        shown: |r| seconds(Some(r.downstream.authorize_within)),
        effect: RIGS_THAT_COME,
    },
    Key {
        name: "limits.line_bytes",
        shown: |r| r.downstream.limits.line_bytes.to_string(),
        effect: RIGS_THAT_COME,
    },
    Key {
        name: "limits.requests_per_second",
        shown: |r| r.downstream.limits.requests_per_second.to_string(),
        effect: NOW,
    },
    Key {
        name: "limits.bad_lines",
        shown: |r| r.downstream.limits.bad_lines.to_string(),
        effect: NOW,
    },
    Key {
        name: "limits.unwritten_bytes",
        shown: |r| r.downstream.limits.unwritten_bytes.to_string(),
        effect: NOW,
    },
    Key { name: "hold_seconds", shown: |r| seconds(r.hold_for), effect: NOW },
    Key {
        name: "failover.healthy_seconds",
        shown: |r| seconds(Some(r.failover.healthy_for)),
        effect: NOW,
    },
    Key {
        name: "failover.trial_percent",
        shown: |r| format!("{:.0}", r.failover.trial_share * 100.0),
        effect: NOW,
    },
    Key {
        name: "failover.trial_seconds",
        shown: |r| seconds(Some(r.failover.trial_for)),
        effect: NOW,
    },
    Key {
        name: "max_channels",
        shown: |r| r.max_channels.to_string(),
        effect: "connections past it end as rigs leave them",
    },
    Key {
        name: "max_rigs_per_channel",
        shown: |r| r.max_rigs_per_channel.to_string(),
        effect: LATER_CHANNELS,
    },
    Key {
        name: "max_dedicated",
        shown: |r| r.max_dedicated.to_string(),
        effect: "connections past it end as rigs leave them",
    },
    Key {
        name: "max_pool_shares_per_second",
        shown: |r| r.max_pool_shares_per_second.to_string(),
        effect: LATER_CHANNELS,
    },
];

impl Difference {
    pub(crate) fn between(old: &Config, new: &Config) -> Self {
        let mut found = Self::default();
        let Config { routes, log, workers, state, limits, control, api, drain_for, source: _ } =
            new;
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
        if old.log.format != log.format {
            found.put_off("log.format", word(old.log.format), word(log.format));
        }
        if old.workers != *workers {
            found.put_off("workers", old.workers, workers);
        }
        for (key, before, after) in
            [("state.file", &old.state, state), ("control.socket", &old.control, control)]
        {
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

    /// A route that both have.
    fn route(&mut self, old: &RouteConfig, new: &RouteConfig) -> Step {
        let name = &new.name;
        // Whoever adds a key decides here how it changes.
        let RouteConfig {
            name: _,
            dialect,
            listen,
            downstream,
            prefix_bytes,
            hold_for: _,
            failover: _,
            max_channels: _,
            max_rigs_per_channel: _,
            max_dedicated: _,
            profiles,
            max_pool_shares_per_second: _,
            options,
            pools: _,
            front,
            backlog: _,
            access,
        } = new;
        let before = self.lines.len();
        let mut say = |what: String| self.lines.push(format!("route {name}: {what}"));
        let mut anew = Vec::new();
        if old.dialect != *dialect {
            anew.push(format!("dialect {} \u{2192} {dialect}", old.dialect));
        }
        if old.prefix_bytes != *prefix_bytes {
            let shown =
                |bytes: Option<usize>| bytes.map_or_else(|| "auto".into(), |b| b.to_string());
            let (before, after) = (shown(old.prefix_bytes), shown(*prefix_bytes));
            anew.push(format!("prefix_bytes {before} \u{2192} {after}"));
        }
        if !old.options.is_same(options) {
            anew.push("[route.options]".into());
        }
        for what in &anew {
            say(format!("{what}: starts anew on the same sockets, and its rigs come back to it"));
        }
        for address in listen.iter().filter(|address| !old.listen.contains(address)) {
            say(format!("listens on {address} too"));
        }
        for address in old.listen.iter().filter(|address| !listen.contains(address)) {
            say(format!("listens on {address} no more"));
        }
        let mut shown = false;
        for Key { name, shown: key, effect } in KEYS {
            let (before, after) = (key(old), key(new));
            if before != after {
                shown = true;
                let effect = if effect.is_empty() { String::new() } else { format!(", {effect}") };
                say(format!("{name} {before} \u{2192} {after}{effect}"));
            }
        }
        if old.downstream.limits.access_password != downstream.limits.access_password {
            shown = true;
            say("access_password changed, for logins from now on".into());
        }
        if old.access != *access {
            say(format!("allow, deny or trusted, {RIGS_THAT_COME}"));
        }
        if !shown && old.downstream != *downstream {
            say("wishes for rigs".into());
        }
        if old.front.certificate != front.certificate {
            say(format!("another certificate for TLS, {RIGS_THAT_COME}"));
        }
        if old.profiles != *profiles {
            let (before, after) = (old.profiles.len(), profiles.len());
            say(format!("profiles ({before} \u{2192} {after}), {RIGS_THAT_COME}"));
        }
        pools(&old.pools, &new.pools, &mut say);
        match (anew.is_empty(), self.lines.len() > before) {
            (false, _) => Step::Restart,
            (true, true) => Step::Change,
            (true, false) => Step::Keep,
        }
    }
}

fn pools(old: &[PoolAccount], new: &[PoolAccount], say: &mut impl FnMut(String)) {
    let find =
        |pools: &[PoolAccount], name: &Name| pools.iter().position(|pool| pool.name == *name);
    for pool in old.iter().filter(|pool| find(new, &pool.name).is_none()) {
        say(format!("pool {} leaves: its rigs go to the others", pool.name));
    }
    for pool in new {
        let name = &pool.name;
        let Some(before) = find(old, name).map(|at| &old[at]) else {
            say(format!("pool {name} comes: {} as {}", pool.url, pool.user));
            continue;
        };
        if !before.is_same(pool) {
            let what = changed(before, pool).join(", ");
            say(format!("pool {name}: {what}; a new connection takes over"));
        }
        let (was, is) = (before.standing.weight, pool.standing.weight);
        if was.total_cmp(&is).is_ne() {
            say(format!("pool {name}: weight {was} \u{2192} {is}"));
        }
    }
    // Those that both have, in their order; with equals beside each other.
    let order = |pools: &[PoolAccount], others: &[PoolAccount]| {
        let kept = pools.iter().filter(|pool| find(others, &pool.name).is_some());
        let mut text = String::new();
        let mut last = None;
        for pool in kept {
            let rank = pool.standing.rank;
            if let Some(last) = last.replace(rank) {
                text += if last == rank { " + " } else { ", " };
            }
            text += pool.name.as_str();
        }
        text
    };
    let (before, after) = (order(old, new), order(new, old));
    if before != after {
        say(format!("pools {before} \u{2192} {after}"));
    }
}

/// What is different about a pool, without its secrets.
fn changed(old: &PoolAccount, new: &PoolAccount) -> Vec<String> {
    // Whoever adds a key says it here.
    let PoolAccount {
        name: _,
        url,
        user,
        password,
        pass_password,
        start_difficulty,
        standing: _,
        resubmit,
        options,
        habits,
        reach,
    } = new;
    let mut found = Vec::new();
    let mut say = |key: &str, before: String, after: String| {
        if before != after {
            found.push(format!("{key} {before} \u{2192} {after}"));
        }
    };
    say("url", old.url.to_string(), url.to_string());
    say("user", old.user.to_string(), user.to_string());
    say("pass_password", word(old.pass_password), word(pass_password));
    say("start_difficulty", difficulty(old.start_difficulty), difficulty(*start_difficulty));
    say("resubmit", word(old.resubmit), word(resubmit));
    if old.password != *password {
        found.push("password changed".into());
    }
    if old.reach.trust != reach.trust {
        found.push("whom to believe over TLS".into());
    }
    if old.reach.proxy != reach.proxy {
        found.push("proxy changed".into());
    }
    if !old.options.is_same(options) || old.habits != *habits {
        found.push("[route.pool.options]".into());
    }
    found
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::registry::Registry;

    const CONFIG: &str = r#"
[[route]]
name = "hns"
dialect = "hstratum"
listen = ["127.0.0.1:3008"]
[[route.pool]]
name = "first"
url = "stratum+tcp://pool.example:3008"
user = "account"
password = "hunter2"
[[route.pool]]
name = "second"
url = "stratum+tcp://other.example:3008"
user = "account"
[[route]]
name = "old"
dialect = "hstratum"
listen = ["127.0.0.1:3009"]
[[route.pool]]
url = "stratum+tcp://pool.example:3008"
user = "account"
"#;

    fn parse(text: &str) -> Config {
        Config::parse("orepass.toml", text, &Registry::default()).unwrap()
    }

    /// What is said where `from` is replaced by `to`.
    fn edited(from: &str, to: &str) -> Difference {
        assert!(CONFIG.contains(from), "{from}");
        Difference::between(&parse(CONFIG), &parse(&CONFIG.replacen(from, to, 1)))
    }

    #[test]
    fn a_comment_and_other_line_numbers_are_no_difference() {
        let found = edited("[[route]]", "# a comment\n\n[[route]]");
        assert!(found.is_none(), "{found:?}");
        assert_eq!(found.routes, [Step::Keep; 2]);
        let options = "user = \"account\"\n[route.pool.options]\nnames = \"auto\"";
        let (with, moved) = (format!("{CONFIG}[route.pool.options]\nnames = \"auto\"\n"), options);
        let again = with.replacen("[[route]]", "\n[[route]]", 1);
        let found = Difference::between(&parse(&with), &parse(&again));
        assert!(found.is_none(), "{found:?} {moved}");
    }

    #[test]
    fn each_change_has_its_line_and_touches_its_route_alone() {
        for (from, to, line) in [
            (
                "[[route.pool]]",
                "[route.vardiff]\nshares_per_minute = 20\n[[route.pool]]",
                "vardiff.shares_per_minute 10 \u{2192} 20",
            ),
            ("listen", "reply = \"local\"\nlisten", "reply pool \u{2192} local"),
            (
                "password = \"hunter2\"",
                "password = \"hunter3\"",
                "pool first: password changed; a new connection takes over",
            ),
            (
                "pool.example:3008",
                "pool.example:4008",
                "pool first: url stratum+tcp://pool.example:3008 \u{2192} \
                 stratum+tcp://pool.example:4008; a new connection takes over",
            ),
            ("3008\"]", "3008\", \"127.0.0.1:3010\"]", "listens on 127.0.0.1:3010 too"),
        ] {
            let found = edited(from, to);
            assert_eq!(found.lines, [format!("route hns: {line}")]);
            assert_eq!(found.routes, [Step::Change, Step::Keep]);
            assert!(found.at_restart.is_empty() && found.removed.is_empty());
        }
    }

    #[test]
    fn what_splits_the_work_starts_the_route_anew() {
        let found = edited("listen", "prefix_bytes = 2\nlisten");
        assert_eq!(found.routes, [Step::Restart, Step::Keep]);
        assert!(found.lines[0].starts_with("route hns: prefix_bytes auto \u{2192} 2: starts anew"));
    }

    #[test]
    fn pools_come_leave_and_change_places() {
        let found = edited("\"first\"", "\"third\"");
        let lines: Vec<&str> = found.lines.iter().map(String::as_str).collect();
        assert_eq!(
            lines,
            [
                "route hns: pool first leaves: its rigs go to the others",
                "route hns: pool third comes: stratum+tcp://pool.example:3008 as account",
            ]
        );
        let swapped =
            CONFIG.replace("first", "x").replace("second", "first").replace("\"x", "\"second");
        let found = Difference::between(&parse(CONFIG), &parse(&swapped));
        assert!(
            found.lines.contains(&"route hns: pools first, second \u{2192} second, first".into())
        );
    }

    #[test]
    fn routes_come_and_go_and_some_things_wait_for_a_start() {
        let found = edited("name = \"old\"", "name = \"new\"");
        assert_eq!(found.routes, [Step::Keep, Step::Start]);
        assert_eq!(found.removed, ["old".parse().unwrap()]);
        let head =
            "workers = 7\n[log]\nlevel = \"debug\"\nformat = \"json\"\n[control]\nsocket = \"s\"\n";
        let mut old = parse(CONFIG);
        (old.workers, old.control) = (1, None);
        let found = Difference::between(&old, &parse(&format!("{head}{CONFIG}")));
        assert_eq!(found.lines, ["log.level info \u{2192} debug"]);
        let put_off = |line: &str| format!("{line}: at the next start or upgrade");
        assert_eq!(
            found.at_restart,
            [
                put_off("log.format text \u{2192} json"),
                put_off("workers 1 \u{2192} 7"),
                put_off(&format!("control.socket none \u{2192} {}", Path::new("s").display())),
            ]
        );
    }

    #[test]
    fn a_rotated_secret_is_a_difference_though_the_text_is_the_same() {
        let file = std::env::temp_dir().join(format!("orepass-secret-{}", std::process::id()));
        let text = CONFIG.replace("hunter2", &format!("file:{}", file.display()));
        std::fs::write(&file, "hunter2").unwrap();
        let old = parse(&text);
        std::fs::write(&file, "hunter3").unwrap();
        let found = Difference::between(&old, &parse(&text));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(found.lines.len(), 1);
        assert!(!format!("{found:?}").contains("hunter"), "{found:?}");
    }
}
