//! `[[nats]]`: a stream of NATS JetStream.

use std::path::{Path, PathBuf};

use url::Url;

use super::super::secret::{Secret, SecretRef};
use super::super::table::TableReader;
use super::super::value::Name;
use super::{queue, what};
use crate::net::tls::client::{Authorities, PoolTrust};
use crate::sinks::Wants;

/// The stream that is made where there is none, unless configured.
const STREAM: &str = "orepass";

/// `[[nats]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct NatsConfig {
    /// What metrics and the log call it.
    pub name: Name,
    /// Where a server is; others of its cluster are learnt from it.
    pub url: String,
    /// What this site is called in subjects.
    pub site: Name,
    /// The stream that is made where none takes the subjects.
    pub stream: Name,
    /// What goes there.
    pub wants: Wants,
    /// How many bytes of memory may wait for it.
    pub queue_bytes: usize,
    /// Who we are.
    pub auth: NatsAuth,
    /// Whom to believe that it is the server; none to speak without TLS, unless the server wants it.
    pub trust: Option<PoolTrust>,
}

/// Who we are to a NATS server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NatsAuth {
    /// Nobody in particular.
    None,
    /// This user, with this password.
    User(String, Secret),
    /// Who has this token.
    Token(Secret),
    /// Who has the JWT and the seed in this file, which is read for each connection.
    Credentials(PathBuf),
}

/// Reads one of a config in `folder`.
pub(super) fn read(table: &mut TableReader<'_, '_>, folder: &Path) -> Option<NatsConfig> {
    table.needs(&[("url", "\"nats://127.0.0.1:4222\""), ("site", "\"north\"")]);
    let url = table.text("url");
    let parsed = url.and_then(|text| {
        let url = server(text);
        url.map_err(|wrong| table.note_at("url", wrong)).ok()
    });
    if !cfg!(feature = "nats") {
        let missing = "this orepass was built without NATS: take a package of it, or build it with \
                       `--features nats`";
        table.note_at("url", missing);
    }
    let site: Option<Name> = table.parsed("site");
    let name: Option<Name> = table.parsed("name");
    let stream: Option<Name> = table.parsed("stream");
    let of_stream = |name: &Name| {
        name.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    if stream.as_ref().is_some_and(|name| !of_stream(name)) {
        table.note_at("stream", "a stream's name has letters, digits and _ - alone");
    }
    let wants = what(table);
    let wants = wants.unwrap_or_else(|| Wants { events: true, minutes: true, ..Wants::default() });
    let (queue_bytes, auth) = (queue(table), auth(table, folder));
    let tls = table.flag("tls");
    let file = table.text("ca_file");
    let ca = file.map(|file| Authorities::read(&folder.join(file)));
    let ca =
        ca.and_then(|read| read.map_err(|error| table.note_at("ca_file", error.to_string())).ok());
    let by_url = parsed.as_ref().is_some_and(|url| url.scheme() == "tls");
    if tls == Some(false) && (by_url || ca.is_some()) {
        table.note_at("tls", "with tls:// or `ca_file` it is spoken: leave this out");
    }
    let is_tls = tls.unwrap_or_else(|| by_url || ca.is_some());
    let site = site?;
    let name = name.or_else(|| format!("nats-{site}").parse().ok()).unwrap_or_else(|| site.clone());
    let trust = is_tls.then(|| PoolTrust::new(ca, None, None));
    let stream = stream.or_else(|| STREAM.parse().ok())?;
    let url = parsed?.to_string();
    Some(NatsConfig { name, url, site, stream, wants, queue_bytes, auth, trust })
}

/// Where a server is.
fn server(text: &str) -> Result<Url, String> {
    const FORM: &str =
        "a NATS server's URL starts with nats:// or tls://, as in nats://127.0.0.1:4222";
    let url = Url::parse(text).map_err(|_| FORM.to_owned())?;
    if !matches!(url.scheme(), "nats" | "tls") || url.host_str().is_none_or(str::is_empty) {
        return Err(FORM.to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the account belongs into `user` and `password`, not into the URL".to_owned());
    }
    Ok(url)
}

fn auth(table: &mut TableReader<'_, '_>, folder: &Path) -> NatsAuth {
    let user = table.text("user");
    let [password, token] = ["password", "token"].map(|key| {
        let secret = SecretRef::from(table.text(key)?).resolve(folder);
        secret.map_err(|error| table.note_at(key, error.to_string())).ok()
    });
    let credentials = table.text("credentials").map(|file| folder.join(file));
    if user.is_some() != password.is_some() && table.is_clean() {
        let key = if user.is_some() { "user" } else { "password" };
        table.note_at(key, "`user` and `password` belong together: write both, or none");
    }
    let ways = [user.is_some(), token.is_some(), credentials.is_some()];
    if ways.iter().filter(|is| **is).count() > 1 {
        let key = if credentials.is_some() { "credentials" } else { "token" };
        table.note_at(
            key,
            "more than one of `user`, `token` and `credentials`: leave all but one out",
        );
    }
    if let Some(file) = &credentials
        && let Err(error) = std::fs::metadata(file)
    {
        table.note_at("credentials", format!("cannot read {}: {error}", file.display()));
    }
    match (user, password, token, credentials) {
        (.., Some(file)) => NatsAuth::Credentials(file),
        (_, _, Some(token), _) => NatsAuth::Token(token),
        (Some(user), Some(password), ..) => NatsAuth::User(user.to_owned(), password),
        _ => NatsAuth::None,
    }
}
