//! Who may do what: by the token of a request, its method and its path; and by which names the API may
//! be called, so that no page from elsewhere reaches it under a name of its own.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Version};
use ring::hmac;
use wildmatch::WildMatch;

use super::problem::{ApiProblem, ProblemKind};
use super::web;
use crate::config::{ApiConfig, TokenUse};

/// Paths that tell nothing of the farm, for whoever looks whether the process lives.
const OPEN_PATHS: [&str; 2] = ["/healthz", "/readyz"];
/// What those see who have a token for some workers.
const PATHS_OF_WORKERS: [&str; 3] = ["/api/v1/workers", "/api/v1/rigs", "/api/v1/history"];
/// What everybody may read who may read anything.
const DOCUMENT: &str = "/api/v1/openapi.json";

/// Who may do what, by the config.
#[derive(Debug)]
pub(crate) struct ApiAccess {
    /// In lower case.
    hosts: Vec<String>,
    tokens: Vec<KnownToken>,
    /// Whoever connects may look: only this machine can.
    is_open: bool,
    key: hmac::Key,
}

#[derive(Debug)]
struct KnownToken {
    /// What stands for it, so that comparing takes as long whatever is given.
    tag: hmac::Tag,
    caller: Caller,
}

/// Whoever asks.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// What the log calls it.
    pub(super) name: Arc<str>,
    sight: Sight,
    may_act: bool,
}

/// What somebody sees.
#[derive(Debug, Clone)]
enum Sight {
    Nothing,
    Workers(WildMatch),
    Everything,
}

impl Caller {
    /// One who may do everything.
    pub(crate) fn owner(name: &str) -> Self {
        Self { name: name.into(), sight: Sight::Everything, may_act: true }
    }

    /// Whether it sees the farm as a whole.
    pub(super) const fn sees_all(&self) -> bool {
        matches!(self.sight, Sight::Everything)
    }

    /// Whether it sees a worker; none is one that has not said who it is.
    pub(super) fn sees(&self, worker: Option<&str>) -> bool {
        match &self.sight {
            Sight::Nothing => false,
            Sight::Workers(pattern) => worker.is_some_and(|worker| pattern.matches(worker)),
            Sight::Everything => true,
        }
    }
}

impl ApiAccess {
    pub(crate) fn new(config: &ApiConfig) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"orepass-api-token");
        let known = |token: &crate::config::ApiToken| KnownToken {
            tag: hmac::sign(&key, token.token.reveal().as_bytes()),
            caller: Caller {
                name: token.name.as_str().into(),
                sight: token.workers.clone().map_or(Sight::Everything, Sight::Workers),
                may_act: token.may == TokenUse::Act,
            },
        };
        Self {
            hosts: config.hosts.clone(),
            tokens: config.tokens.iter().map(known).collect(),
            is_open: config.listen.address().is_none_or(|address| address.ip().is_loopback()),
            key,
        }
    }

    /// Who asks, if it may ask this. The request came to the address `local`.
    pub(crate) fn admit(&self, request: &Parts, local: IpAddr) -> Result<Caller, ApiProblem> {
        self.check_host(request, local)?;
        let path = request.uri.path();
        let reads = matches!(request.method, Method::GET | Method::HEAD);
        let Some(given) = bearer(&request.headers)? else {
            return self.anonymous(path, reads);
        };
        // All of them, so that the time tells nothing.
        let mut caller = None;
        for token in &self.tokens {
            if hmac::verify(&self.key, given, token.tag.as_ref()).is_ok() {
                caller = Some(&token.caller);
            }
        }
        let caller = caller.ok_or_else(|| ProblemKind::TokenUnknown.problem("nobody has it"))?;
        if !reads && !caller.may_act {
            let detail = format!("`{}` may read", caller.name);
            return Err(ProblemKind::TokenOnlyReads.problem(detail));
        }
        if !caller.sees_all() && !is_for_some(path) {
            let detail = format!("`{}` sees workers and rigs", caller.name);
            return Err(ProblemKind::TokenForWorkers.problem(detail));
        }
        Ok(caller.clone())
    }

    fn anonymous(&self, path: &str, reads: bool) -> Result<Caller, ApiProblem> {
        let sight = match self.is_open {
            true => Sight::Everything,
            false => Sight::Nothing,
        };
        let is_open = self.is_open || OPEN_PATHS.contains(&path) || web::is_file(path);
        if reads && is_open {
            return Ok(Caller { name: "anonymous".into(), sight, may_act: false });
        }
        let why =
            if reads { "others than this machine may connect" } else { "this changes something" };
        let none = if self.tokens.is_empty() { "; the config has none yet" } else { "" };
        Err(ProblemKind::TokenMissing.problem(format!("{why}{none}")))
    }

    /// Whether the request is meant for us: a page from elsewhere can have its own name lead here, but
    /// not have a browser say another name, or an address.
    fn check_host(&self, request: &Parts, local: IpAddr) -> Result<(), ApiProblem> {
        let mut hosts = request.headers.get_all(HOST).iter();
        let (host, more) = (hosts.next(), hosts.next());
        let named = host.map(|host| host.to_str().unwrap_or_default());
        let named = match (named, &request.version) {
            // No browser says that.
            (None, &Version::HTTP_10) => return Ok(()),
            (named, _) => named.unwrap_or_default(),
        };
        let whole = request.uri.host();
        let is_known = |host: &str| self.knows(host, local);
        let fits = more.is_none() && is_known(without_port(named)) && whole.is_none_or(is_known);
        if fits {
            return Ok(());
        }
        Err(ProblemKind::HostNotAllowed.problem(format!("its Host is {named:?}")))
    }

    fn knows(&self, host: &str, local: IpAddr) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            let address = address.to_canonical();
            if address.is_loopback() || address == local.to_canonical() {
                return true;
            }
        }
        let name = host.to_ascii_lowercase();
        name == "localhost" || self.hosts.contains(&name)
    }
}

/// Whether a path shows nobody more than the workers that it sees.
fn is_for_some(path: &str) -> bool {
    let is_below = |root: &&str| {
        path.strip_prefix(*root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    path == DOCUMENT
        || OPEN_PATHS.contains(&path)
        || web::is_file(path)
        || PATHS_OF_WORKERS.iter().any(is_below)
}

fn without_port(host: &str) -> &str {
    let end = if host.starts_with('[') { host.find(']').map(|at| at + 1) } else { host.find(':') };
    end.map_or(host, |end| &host[..end])
}

/// The token that a request gives.
fn bearer(headers: &HeaderMap) -> Result<Option<&[u8]>, ApiProblem> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = given.next() else { return Ok(None) };
    let form = || ProblemKind::TokenUnknown.problem("the header is no `Authorization: Bearer …`");
    let (scheme, token) = value.as_bytes().split_at_checked(7).ok_or_else(form)?;
    if !scheme.eq_ignore_ascii_case(b"bearer ") || given.next().is_some() {
        return Err(form());
    }
    Ok(Some(token.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use axum::http::Request;

    use super::*;
    use crate::config::{ApiListen, ApiToken, Secret};

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));

    fn config(listen: &str, tokens: &[(&str, TokenUse, Option<&str>)]) -> ApiConfig {
        let token = |(token, may, workers): &(&str, TokenUse, Option<&str>)| ApiToken {
            name: token.parse().unwrap(),
            token: Secret::new(format!("{token}-0123456789")),
            may: *may,
            workers: workers.map(WildMatch::new),
        };
        let tokens = tokens.iter().map(token).collect();
        let listen = ApiListen::At(listen.parse().unwrap());
        ApiConfig { listen, hosts: vec!["farm.example".into()], tokens }
    }

    fn asked(access: &ApiAccess, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        match access.admit(&parts, LOCAL) {
            Ok(caller) => caller.name.to_string(),
            Err(problem) => problem.code,
        }
    }

    #[test]
    fn this_machine_may_look_and_nobody_act_without_a_token() {
        let access = ApiAccess::new(&config("127.0.0.1:9099", &[("bob", TokenUse::Act, None)]));
        let host = ("host", "localhost:9099");
        let asked = |method, path, more: &[(&str, &str)]| {
            asked(&access, method, path, &[&[host], more].concat())
        };
        assert_eq!(asked("GET", "/api/v1/summary", &[]), "anonymous");
        assert_eq!(asked("POST", "/api/v1/reload", &[]), "token_missing");
        let token = |token| [("authorization", token)];
        assert_eq!(asked("POST", "/api/v1/reload", &token("Bearer bob-0123456789")), "bob");
        assert_eq!(
            asked("GET", "/api/v1/summary", &token("Bearer bob-012345678")),
            "token_unknown"
        );
        assert_eq!(asked("GET", "/api/v1/summary", &token("Basic Ym9i")), "token_unknown");
        let twice = [("authorization", "Bearer bob-0123456789"), ("authorization", "Bearer x")];
        assert_eq!(asked("GET", "/api/v1/summary", &twice), "token_unknown");
    }

    #[test]
    fn others_need_a_token_for_everything_that_tells_something() {
        let access = ApiAccess::new(&config(
            "0.0.0.0:9099",
            &[("reader", TokenUse::Read, None), ("tenant", TokenUse::Act, Some("tenant.*"))],
        ));
        let asked = |method, path, token: &str| {
            let token = format!("bearer {token}-0123456789");
            asked(&access, method, path, &[("host", "10.0.0.5"), ("authorization", &token)])
        };
        let bare = |path| super::tests::asked(&access, "GET", path, &[("host", "10.0.0.5")]);
        assert_eq!(bare("/api/v1/summary"), "token_missing");
        assert_eq!(bare("/healthz"), "anonymous");
        assert_eq!(asked("GET", "/api/v1/summary", "reader"), "reader");
        assert_eq!(asked("DELETE", "/api/v1/workers/a", "reader"), "token_only_reads");
        assert_eq!(asked("GET", "/api/v1/workers", "tenant"), "tenant");
        assert_eq!(asked("POST", "/api/v1/workers/tenant.a/ban", "tenant"), "tenant");
        for path in ["/api/v1/summary", "/api/v1/config", "/api/v1/workersx", "/api/v1/events"] {
            assert_eq!(asked("GET", path, "tenant"), "token_for_workers", "{path}");
        }
    }

    #[test]
    fn it_answers_to_names_and_addresses_that_are_its_own() {
        let access = ApiAccess::new(&config("127.0.0.1:9099", &[]));
        let called = |host| asked(&access, "GET", "/healthz", &[("host", host)]);
        for host in [
            "localhost",
            "LocalHost:1",
            "127.0.0.1:9099",
            "[::1]:9099",
            "10.0.0.5",
            "FARM.example:80",
        ] {
            assert_eq!(called(host), "anonymous", "{host}");
        }
        for host in
            ["evil.example", "", "localhost.evil.example", "10.0.0.6", "[::1", "127.0.0.1.x"]
        {
            let expected = if host == "[::1" { "anonymous" } else { "host_not_allowed" };
            assert_eq!(called(host), expected, "{host}");
        }
        assert_eq!(asked(&access, "GET", "/healthz", &[]), "host_not_allowed");
        let twice = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(asked(&access, "GET", "/healthz", &twice), "host_not_allowed");
        let whole = asked(&access, "GET", "http://evil.example/healthz", &[("host", "localhost")]);
        assert_eq!(whole, "host_not_allowed");
    }

    #[test]
    fn a_token_for_workers_sees_those_alone() {
        let access =
            ApiAccess::new(&config("0.0.0.0:1", &[("tenant", TokenUse::Read, Some("tenant.*"))]));
        let caller = &access.tokens[0].caller;
        assert!(caller.sees(Some("tenant.a")) && !caller.sees(Some("other.a")));
        assert!(!caller.sees(None) && !caller.sees_all());
    }
}
