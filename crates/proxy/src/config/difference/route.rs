//! What is different about a route: which keys change in place, and what starts it anew.

use super::pools::pools;
use super::{Difference, RIGS_THAT_COME, Step, difficulty, seconds, word, words};
use crate::config::RouteConfig;

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

/// What changes in place.
const KEYS: &[Key] = &[
    Key { name: "verify", shown: |r| word(r.downstream.verify), effect: NOW },
    Key { name: "reply", shown: |r| word(r.downstream.reply), effect: NOW },
    Key { name: "evidence", shown: |r| word(r.downstream.evidence), effect: NOW },
    Key { name: "quarantine", shown: |r| word(r.downstream.quarantine), effect: NOW },
    Key {
        name: "keepalive_seconds",
        shown: |r| r.downstream.keepalive.map_or(0, |after| after.as_secs()).to_string(),
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
    /// A route that both have.
    pub(super) fn route(&mut self, old: &RouteConfig, new: &RouteConfig) -> Step {
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
            let effect = match downstream.limits.access_password {
                Some(_) => "rigs that logged in without the new one are closed",
                None => "none is asked for",
            };
            say(format!("access_password changed: {effect}"));
        }
        if old.access != *access {
            say("allow, deny or trusted: rigs that may not connect any more are closed".into());
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
