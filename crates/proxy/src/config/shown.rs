//! The config in force as it is shown: by the keys of the file, with the defaults for those that it does
//! not have. Secrets are masked.

use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

use orepass_farm::limits::LimitWishes;
use orepass_stratum::downstream::{DownstreamConfig, SessionLimits};
use orepass_stratum::firmware::Firmware;
use orepass_stratum::named::Named;
use orepass_stratum::target::Difficulty;
use orepass_stratum::vardiff::VardiffConfig;
use serde_json::{Value, json};

use super::sinks::words_of;
use super::{
    ApiConfig, ApiToken, Config, FileSinkConfig, NatsAuth, NatsConfig, PoolAccount, Profile,
    RouteConfig, SinksConfig, WebhookConfig,
};
use crate::hash_rate::HashRate;
use crate::net::tls::client::Authorities;
use crate::net::tls::server::CertificateSource;
use crate::sinks::WantedAlerts;

impl Config {
    /// It without its secrets.
    #[must_use]
    pub fn shown(&self) -> Value {
        // Whoever adds a table shows it here.
        let Self {
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
            source,
        } = self;
        let SinksConfig { files, webhooks, nats } = sinks;
        let LimitWishes { connections, unproven_per_address, accepts_per_second, limit_private } =
            limits;
        json!({
            "file": source.name(),
            "workers": workers,
            "log": {"level": word(log.level), "format": word(log.format)},
            "state": {"file": path(state.as_deref())},
            "history": {"file": path(history.file.as_deref()), "max_mib": history.max_mib},
            "limits": {
                "connections": connections,
                "unproven_per_address": unproven_per_address,
                "accepts_per_second": accepts_per_second,
                "limit_private": limit_private,
            },
            "control": {"socket": path(control.as_deref())},
            "api": shown_api(api),
            // Not beside the others: `file` is the config's own name there.
            "sinks": {
                "file": files.iter().map(shown_file).collect::<Vec<_>>(),
                "webhook": webhooks.iter().map(shown_webhook).collect::<Vec<_>>(),
                "nats": nats.iter().map(shown_nats).collect::<Vec<_>>(),
            },
            "stop": {"drain_seconds": drain_for.as_secs()},
            "route": routes.iter().map(shown_route).collect::<Vec<_>>(),
        })
    }
}

fn shown_api(ApiConfig { listen, hosts, tokens }: &ApiConfig) -> Value {
    let token = |ApiToken { name, token, may, workers }: &ApiToken| {
        json!({
            "name": name.as_str(),
            "token": token.to_string(),
            "may": word(may),
            "workers": workers.as_ref().map(ToString::to_string),
        })
    };
    let listen = listen.address().map_or_else(|| "off".to_owned(), |address| address.to_string());
    json!({
        "listen": listen,
        "hosts": hosts,
        "token": tokens.iter().map(token).collect::<Vec<_>>(),
    })
}

fn shown_file(sink: &FileSinkConfig) -> Value {
    let FileSinkConfig { name, path: file, wants, rotation, queue_bytes } = sink;
    json!({
        "name": name.as_str(),
        "path": path(Some(file)),
        "what": words_of(wants),
        "max_mib": rotation.max_bytes >> 20,
        "max_age_hours": rotation.max_age.as_secs() / 3600,
        "keep": rotation.keep,
        "queue_mib": queue_bytes >> 20,
    })
}

fn shown_webhook(WebhookConfig { name, url, wants, headers, ca }: &WebhookConfig) -> Value {
    let headers = headers.iter().map(|(name, value)| format!("{name}: {value}"));
    json!({
        "name": name.as_str(),
        "url": url.to_string(),
        "on": match &wants.alerts {
            WantedAlerts::Of(codes) => codes.iter().copied().collect(),
            WantedAlerts::All => vec!["all"],
            WantedAlerts::None => Vec::new(),
        },
        "headers": headers.collect::<Vec<_>>(),
        "ca_file": path(ca.as_ref().map(Authorities::path)),
    })
}

fn shown_nats(nats: &NatsConfig) -> Value {
    let NatsConfig { name, url, site, stream, wants, queue_bytes, auth, trust } = nats;
    let [mut user, mut password, mut token, mut credentials] = [const { Value::Null }; 4];
    match auth {
        NatsAuth::None => {}
        NatsAuth::User(name, secret) => {
            (user, password) = (name.as_str().into(), secret.to_string().into());
        }
        NatsAuth::Token(secret) => token = secret.to_string().into(),
        NatsAuth::Credentials(file) => credentials = path(Some(file)),
    }
    json!({
        "name": name.as_str(),
        "url": url,
        "site": site.as_str(),
        "stream": stream.as_str(),
        "what": words_of(wants),
        "queue_mib": queue_bytes >> 20,
        "user": user,
        "password": password,
        "token": token,
        "credentials": credentials,
        "tls": trust.is_some(),
        "ca_file": path(trust.as_ref().and_then(|trust| trust.ca.as_ref()).map(Authorities::path)),
    })
}

fn shown_route(route: &RouteConfig) -> Value {
    // Whoever adds a key shows it here.
    let RouteConfig {
        name,
        dialect,
        listen,
        backlog,
        access,
        front,
        downstream,
        prefix_bytes,
        hold_for,
        failover,
        max_channels,
        max_rigs_per_channel,
        max_dedicated,
        profiles,
        max_pool_shares_per_second,
        options: dialect_options,
        pools,
    } = route;
    let DownstreamConfig {
        verify,
        reply,
        evidence,
        vardiff,
        quarantine,
        subscribe_within,
        authorize_within,
        limits,
        keepalive,
        ..
    } = downstream;
    let SessionLimits {
        requests_per_second,
        bad_lines,
        line_bytes,
        unwritten_bytes,
        access_password,
    } = limits;
    let VardiffConfig { enabled, shares_per_minute, start, min, max } = vardiff;
    let [allow, deny, trusted] = access.lists().map(|(_, ranges)| texts(ranges));
    let (certificate, key) = match &front.certificate {
        CertificateSource::Files { certificate, key } => (path(Some(certificate)), path(Some(key))),
        CertificateSource::Own(_) => (Value::Null, Value::Null),
    };
    json!({
        "name": name.as_str(),
        "dialect": dialect,
        "listen": texts(listen),
        "tls_certificate": certificate,
        "tls_key": key,
        "proxy_protocol": word(front.proxy_protocol),
        "proxy_from": texts(&front.proxy_from),
        "proxy_headers": front.proxy_headers,
        "verify": word(verify),
        "reply": word(reply),
        "evidence": evidence.word(),
        "quarantine": quarantine,
        "keepalive_seconds": keepalive.map_or(0, |after| after.as_secs()),
        "access_password": access_password.as_ref().map(ToString::to_string),
        "prefix_bytes": prefix_bytes,
        "hold_seconds": seconds(*hold_for),
        "max_channels": max_channels,
        "max_rigs_per_channel": max_rigs_per_channel,
        "max_dedicated": max_dedicated,
        "max_pool_shares_per_second": max_pool_shares_per_second,
        "vardiff": {
            "enabled": enabled,
            "shares_per_minute": shares_per_minute,
            "start": difficulty(*start),
            "min": difficulty(*min),
            "max": difficulty(*max),
        },
        "failover": {
            "healthy_seconds": failover.healthy_for.as_secs(),
            "trial_percent": (failover.trial_share * 100.0).round(),
            "trial_seconds": failover.trial_for.as_secs(),
        },
        "limits": {
            "backlog": backlog,
            "subscribe_seconds": subscribe_within.as_secs(),
            "authorize_seconds": authorize_within.as_secs(),
            "line_bytes": line_bytes,
            "requests_per_second": requests_per_second,
            "bad_lines": bad_lines,
            "unwritten_bytes": unwritten_bytes,
            "allow": allow,
            "deny": deny,
            "trusted": trusted,
        },
        "options": dialect_options,
        "profile": profiles.iter().map(shown_profile).collect::<Vec<_>>(),
        "pool": pools.iter().map(shown_pool).collect::<Vec<_>>(),
    })
}

fn shown_profile(Profile { agent, worker, firmware, hashrate }: &Profile) -> Value {
    let Firmware {
        dedicated,
        max_extranonce1,
        extranonce2,
        set_extranonce,
        difficulty: first,
        // Only a rig itself says it.
        least_difficulty: _,
        keepalive,
    } = firmware;
    json!({
        "agent": agent.as_ref().map(ToString::to_string),
        "worker": worker.as_ref().map(ToString::to_string),
        "dedicated": dedicated,
        "max_extranonce1": max_extranonce1,
        "extranonce2": extranonce2,
        "set_extranonce": set_extranonce,
        "difficulty": difficulty(*first),
        "keepalive_seconds": seconds(*keepalive),
        "hashrate": hashrate.map(|rate| HashRate::new(rate).to_string()),
    })
}

fn shown_pool(pool: &PoolAccount) -> Value {
    // Whoever adds a key shows it here. Habits are among the options.
    let PoolAccount {
        name,
        url,
        reach,
        user,
        password,
        pass_password,
        start_difficulty,
        standing,
        resubmit,
        options: dialect_options,
        habits: _,
    } = pool;
    json!({
        "name": name.as_str(),
        "url": url.to_string(),
        "user": user.to_string(),
        "password": password.to_string(),
        "pass_password": pass_password,
        "start_difficulty": difficulty(*start_difficulty),
        "rank": standing.rank,
        "weight": standing.weight,
        "resubmit": resubmit,
        "pin_sha256": reach.trust.pin.as_ref().map(ToString::to_string),
        "server_name": reach.trust.server_name.as_ref().map(ToString::to_string),
        "proxy": reach.proxy.as_ref().map(ToString::to_string),
        "options": dialect_options,
    })
}

/// A word of the config.
fn word(value: impl Debug) -> String {
    format!("{value:?}").to_lowercase()
}

fn path(path: Option<&Path>) -> Value {
    path.map_or(Value::Null, |path| path.display().to_string().into())
}

fn seconds(time: Option<Duration>) -> Option<u64> {
    time.map(|time| time.as_secs())
}

fn difficulty(difficulty: Option<Difficulty>) -> Option<f64> {
    difficulty.map(Difficulty::get)
}

fn texts(list: &[impl ToString]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;

    #[test]
    fn defaults_are_shown_and_no_secret_is() {
        let text = r#"
[api]
listen = "127.0.0.1:1"
[[api.token]]
name = "t"
token = "hunter2-hunter2-hunter2"
may = "act"
workers = "tenant.*"
[[webhook]]
url = "https://hooks.example/hunter2"
headers = ["Authorization: Bearer hunter2"]
[[route]]
name = "hns"
dialect = "hstratum"
listen = ["127.0.0.1:3008"]
access_password = "hunter2"
[[route.pool]]
url = "stratum+tcp://pool.example:3008"
user = "account.{worker}"
password = "hunter2"
proxy = "socks5://hunter2:hunter2@127.0.0.1:9050"
[route.pool.options]
names = "auto"
"#;
        let shown = Config::parse("o.toml", text, &Registry::default()).unwrap().shown();
        assert!(!shown.to_string().contains("hunter2"), "{shown}");
        assert_eq!(shown["api"]["token"][0]["workers"], "tenant.*");
        assert_eq!(shown["file"], "o.toml");
        assert_eq!(shown["sinks"]["webhook"].as_array().map(Vec::len), Some(1));
        let pool = &shown["route"][0]["pool"][0];
        assert_eq!((&pool["password"], &pool["proxy"]), (&"…".into(), &"127.0.0.1:9050".into()));
        assert_eq!(pool["options"]["names"], "auto");
        assert_eq!(shown["route"][0]["vardiff"]["shares_per_minute"], 10.0);
    }
}
