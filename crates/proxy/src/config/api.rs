//! `[api]`: where the farm is shown by HTTP, and to whom.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use wildmatch::WildMatch;

use super::secret::{Secret, SecretRef};
use super::table::TableReader;
use super::value::{ListenAddr, Name};

/// The shortest token: nobody is to find it by trying.
const MIN_TOKEN: usize = 16;
/// The most tokens, each of which is compared with what a request has.
const MAX_TOKENS: usize = 256;

/// `[api]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ApiConfig {
    /// Where.
    pub listen: ApiListen,
    /// By which names and addresses it may be called, beside the usual ones; in lower case.
    pub hosts: Vec<String>,
    /// Who may do what.
    pub tokens: Vec<ApiToken>,
}

/// Where the API listens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ApiListen {
    /// Nowhere.
    #[default]
    Off,
    /// At the usual place, if nobody else is there.
    Usual,
    /// Here.
    At(SocketAddr),
}

impl ApiListen {
    /// The usual place.
    pub const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9099);

    /// The address.
    #[must_use]
    pub const fn address(self) -> Option<SocketAddr> {
        match self {
            Self::Off => None,
            Self::Usual => Some(Self::USUAL),
            Self::At(address) => Some(address),
        }
    }
}

/// `[[api.token]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiToken {
    /// What the log calls whoever has it.
    pub name: Name,
    /// What it is, looked up.
    pub token: Secret,
    /// What it is good for.
    pub may: TokenUse,
    /// The workers that it is about; all, and everything else too, when absent.
    pub workers: Option<WildMatch>,
}

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenUse {
    /// To look.
    Read,
    /// To look and to act.
    Act,
}

/// Reads `[api]` of a config in `folder` whose routes listen on these addresses.
pub(super) fn read(
    table: &mut TableReader<'_, '_>,
    folder: &Path,
    taken: &[ListenAddr],
) -> ApiConfig {
    let listen = listen(table, taken);
    let hosts = table.texts("hosts", "[\"farm.example\"]").unwrap_or_default();
    let hosts = hosts.into_iter().filter_map(|(span, host)| {
        let is_name = !host.is_empty() && !host.contains([':', '/', ' ']) || host.starts_with('[');
        if !is_name {
            let form = format!("expected a name without a port, as in \"farm.example\": {host:?}");
            table.note(span, form);
        }
        is_name.then(|| host.to_ascii_lowercase())
    });
    let hosts = hosts.collect();
    let tokens = table.tables("[[api.token]]", |table| token(table, folder));
    let tokens: Vec<ApiToken> = tokens.into_iter().flatten().collect();
    for (at, token) in tokens.iter().enumerate() {
        if tokens[..at].iter().any(|other| other.name == token.name) {
            table.note_at("token", format!("two tokens are named `{}`", token.name));
        }
        if tokens[..at].iter().any(|other| other.token == token.token) {
            let twice = format!("the token of `{}` is another one's too", token.name);
            table.note_at("token", twice);
        }
    }
    if tokens.len() > MAX_TOKENS {
        table.note_at("token", format!("there may be {MAX_TOKENS} tokens at most"));
    }
    let open = listen.address().is_some_and(|address| !address.ip().is_loopback());
    if open && tokens.is_empty() && table.is_clean() {
        let needed = "a token is needed where others than this machine may connect: add an \
                      [[api.token]] with name, token and may, or listen on 127.0.0.1";
        table.note_at("listen", needed);
    }
    ApiConfig { listen, hosts, tokens }
}

fn listen(table: &mut TableReader<'_, '_>, taken: &[ListenAddr]) -> ApiListen {
    let Some(text) = table.text("listen") else { return ApiListen::Usual };
    if matches!(text, "" | "off") {
        return ApiListen::Off;
    }
    let address = match text.parse::<ListenAddr>() {
        Ok(address) if !address.is_tls() => address,
        _ => {
            let form = "expected an address and a port, such as \"127.0.0.1:9099\" or \":9099\", or \
                        \"off\"";
            table.note_at("listen", form);
            return ApiListen::Off;
        }
    };
    if let Some(other) = taken.iter().find(|other| other.clashes(address)) {
        table.note_at("listen", format!("{address} is taken by {other} of a route"));
    }
    ApiListen::At(address.get())
}

/// Reads an `[[api.token]]`; none where it lacks what it cannot do without.
fn token(table: &mut TableReader<'_, '_>, folder: &Path) -> Option<ApiToken> {
    table.needs(&[
        ("name", "\"dashboard\""),
        ("token", "\"file:api-token\""),
        ("may", "\"read\" or \"act\""),
    ]);
    let name: Option<Name> = table.parsed("name");
    let token = secret(table, folder);
    let may = table.word("may", &[("read", TokenUse::Read), ("act", TokenUse::Act)]);
    let workers = table.text("workers").map(WildMatch::new);
    Some(ApiToken { name: name?, token: token?, may: may?, workers })
}

fn secret(table: &mut TableReader<'_, '_>, folder: &Path) -> Option<Secret> {
    let secret = SecretRef::from(table.text("token")?).resolve(folder);
    let wrong = match &secret {
        Err(error) => error.to_string(),
        Ok(secret) if secret.reveal().len() < MIN_TOKEN => {
            format!("a token has {MIN_TOKEN} characters at least; `openssl rand -hex 24` makes one")
        }
        Ok(secret) if !secret.reveal().bytes().all(|byte| byte.is_ascii_graphic()) => {
            "a token has letters, digits and signs of ASCII alone, and no spaces".to_owned()
        }
        Ok(_) => return secret.ok(),
    };
    table.note_at("token", wrong);
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::registry::Registry;

    const TOKEN: &str =
        "[[api.token]]\nname = \"a\"\ntoken = \"0123456789abcdef\"\nmay = \"act\"\n";

    fn read(api: &str) -> Result<ApiConfig, String> {
        let text = format!(
            "{api}\n[[route]]\nname = \"hns\"\ndialect = \"hstratum\"\nlisten = [\"[::]:3008\"]\n\
             [[route.pool]]\nurl = \"stratum+tcp://pool.example:3008\"\nuser = \"account\"\n"
        );
        let config = Config::parse("o.toml", &text, &Registry::default());
        config.map(|config| config.api).map_err(|error| error.to_string())
    }

    #[test]
    fn it_listens_at_the_usual_place_unless_it_is_said_otherwise() {
        assert_eq!(read("").unwrap().listen, ApiListen::Usual);
        assert_eq!(read("[api]\nlisten = \"off\"").unwrap().listen, ApiListen::Off);
        assert_eq!(read("[api]\nlisten = \"\"").unwrap().listen, ApiListen::Off);
        let asked = read("[api]\nlisten = \"127.0.0.1:9099\"").unwrap();
        assert_eq!(asked.listen, ApiListen::At(ApiListen::USUAL));
    }

    #[test]
    fn an_address_that_others_reach_needs_a_token() {
        for listen in [":9099", "0.0.0.0:9099", "10.0.0.5:9099"] {
            let api = format!("[api]\nlisten = \"{listen}\"\n");
            let error = read(&api).unwrap_err();
            assert!(error.contains("a token is needed"), "{error}");
            assert_eq!(read(&format!("{api}{TOKEN}")).unwrap().tokens.len(), 1);
        }
    }

    #[test]
    fn what_is_wrong_is_said_where_it_stands_and_without_the_token() {
        let twice = format!("{TOKEN}{TOKEN}");
        for (api, wrong) in [
            ("[api]\nlisten = \"tls://[::]:1\"", "expected an address and a port"),
            ("[api]\nlisten = \"127.0.0.1:3008\"", "is taken by [::]:3008 of a route"),
            ("[api]\nhosts = [\"http://x\"]", "expected a name without a port"),
            (&twice, "two tokens are named `a`"),
            (&TOKEN.replace("89abcdef", ""), "a token has 16 characters at least"),
            (&TOKEN.replace("89ab", "89 \u{fc}b"), "letters, digits and signs of ASCII"),
            (&TOKEN.replace("act", "write"), "unknown value `write`"),
            (&TOKEN.replace("may = \"act\"", ""), "the key `may` is missing"),
            (&TOKEN.replace("name", "nmae"), "unknown key `nmae`"),
            (&TOKEN.replace("0123456789abcdef", "env:OREPASS_NO_SUCH"), "is not set"),
        ] {
            let error = read(api).unwrap_err();
            assert!(error.contains(wrong), "{api}: {error}");
            assert!(!error.contains("89ab"), "{error}");
        }
    }
}
