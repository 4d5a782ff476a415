//! How a process at work is reached.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use orepass_stratum::secret::Secret;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use thiserror::Error;
use url::Url;

use super::AskError;
use crate::cli::AskArgs;
use crate::config;
use crate::net::tls::client::PoolTrust;

/// How long a connection over a network may take to be there.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Where a token is looked for when none is named.
const TOKEN: &str = "OREPASS_TOKEN";

/// The address of an API: `http://host:port` or `https://host`, with a path where it stands below one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiUrl(Url);

impl FromStr for ApiUrl {
    type Err = ApiUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| ApiUrlError::Form)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(ApiUrlError::Form);
        }
        let says_more = !url.username().is_empty() || url.password().is_some();
        if says_more || url.query().is_some() || url.fragment().is_some() {
            return Err(ApiUrlError::More);
        }
        Ok(Self(url))
    }
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// Why a text is no address of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ApiUrlError {
    /// It is no URL of the web.
    #[error("expected the address of an API, such as http://10.0.0.2:9099")]
    Form,
    /// It says more than where the API is.
    #[error("expected host, port and path alone; a token goes into --token or $OREPASS_TOKEN")]
    More,
}

/// How a process at work is reached.
#[derive(Debug, Clone)]
pub(super) enum ApiReach {
    /// Through the first of these sockets that is there.
    Sockets(Vec<PathBuf>),
    /// At an address.
    Address {
        url: ApiUrl,
        token: Option<Secret>,
        /// Where it is spoken to by TLS.
        tls: Option<Arc<ClientConfig>>,
    },
}

/// A connection to the one that is asked.
pub(super) struct ApiConversation {
    /// Who it is, for people.
    pub(super) place: String,
    /// What it is called in a request.
    pub(super) host: String,
    pub(super) stream: Box<dyn Conversation>,
}

/// Something to talk over.
pub(super) trait Conversation: Read + Write {}

impl<S: Read + Write> Conversation for S {}

impl ApiReach {
    pub(super) fn of(args: &AskArgs) -> Result<Self, AskError> {
        let Some(url) = &args.url else {
            if args.token.is_some() {
                let unclear =
                    "a token is for an address: name it with --url; a socket asks for none";
                return Err(AskError::Unclear(unclear.to_owned()));
            }
            let named = args.socket.as_ref().map(|socket| vec![socket.clone()]);
            return Ok(Self::Sockets(named.unwrap_or_else(|| {
                let file = config::find(args.of.as_deref()).ok();
                config::sockets(file.as_deref())
            })));
        };
        let url = url.clone();
        let given = args.token.as_ref().map(|token| token.resolve(Path::new("")));
        let known = || std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
        let token = given.transpose()?.or_else(|| known().map(Secret::new));
        let is_tls = url.0.scheme() == "https";
        let tls = is_tls.then(|| PoolTrust::default().make_client()).transpose();
        let tls = tls.map_err(|error| AskError::Nobody {
            tried: vec![url.to_string()],
            error: io::Error::other(error.to_string()),
        })?;
        Ok(Self::Address { url, token, tls })
    }

    /// For people.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Sockets(paths) => paths.first().map_or_else(String::new, |path| shown(path)),
            Self::Address { url, .. } => url.to_string(),
        }
    }

    /// What stands before the API's own paths.
    pub(super) fn prefix(&self) -> String {
        match self {
            Self::Sockets(_) => String::new(),
            Self::Address { url, .. } => url.0.path().trim_end_matches('/').to_owned(),
        }
    }

    pub(super) const fn token(&self) -> Option<&Secret> {
        match self {
            Self::Sockets(_) => None,
            Self::Address { token, .. } => token.as_ref(),
        }
    }

    pub(super) fn connect(&self, patience: Duration) -> Result<ApiConversation, AskError> {
        match self {
            Self::Sockets(paths) => {
                let (path, stream) = to_socket(paths)?;
                let timed = stream.set_read_timeout(Some(patience));
                let timed = timed.and_then(|()| stream.set_write_timeout(Some(patience)));
                let place = shown(&path);
                timed.map_err(|error| AskError::Nobody { tried: vec![place.clone()], error })?;
                Ok(ApiConversation { place, host: "orepass".to_owned(), stream: Box::new(stream) })
            }
            Self::Address { url, tls, .. } => {
                let place = url.to_string();
                let stream = to_address(&url.0, tls.as_ref(), patience)
                    .map_err(|error| AskError::Nobody { tried: vec![place.clone()], error })?;
                // A port that goes without saying is not said.
                let host = url.0.host_str().unwrap_or_default();
                let port = url.0.port().map(|port| format!(":{port}")).unwrap_or_default();
                Ok(ApiConversation { place, host: format!("{host}{port}"), stream })
            }
        }
    }
}

fn to_socket(tried: &[PathBuf]) -> Result<(PathBuf, UnixStream), AskError> {
    let mut found = io::Error::from(io::ErrorKind::NotFound);
    for path in tried {
        match UnixStream::connect(path) {
            Ok(stream) => return Ok((path.clone(), stream)),
            Err(error) if path.symlink_metadata().is_ok() => {
                return Err(AskError::Nobody { tried: vec![shown(path)], error });
            }
            Err(error) => found = error,
        }
    }
    Err(AskError::Nobody { tried: tried.iter().map(|path| shown(path)).collect(), error: found })
}

/// The first of the host's addresses that takes the connection.
fn to_address(
    url: &Url,
    tls: Option<&Arc<ClientConfig>>,
    patience: Duration,
) -> io::Result<Box<dyn Conversation>> {
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    for address in url.socket_addrs(|| None)? {
        let stream = match TcpStream::connect_timeout(&address, CONNECT_WITHIN.min(patience)) {
            Ok(stream) => stream,
            Err(error) => {
                failed = error;
                continue;
            }
        };
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        // A failure makes answers slower, nothing else.
        let _ = stream.set_nodelay(true);
        let Some(tls) = tls else { return Ok(Box::new(stream)) };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).map_err(io::Error::other)?;
        let session = ClientConnection::new(Arc::clone(tls), name).map_err(io::Error::other)?;
        return Ok(Box::new(StreamOwned::new(session, stream)));
    }
    Err(failed)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_no_more_than_that() {
        for good in ["http://10.0.0.2:9099", "https://farm.example/orepass/", "http://[::1]:9099"] {
            let url: ApiUrl = good.parse().unwrap();
            assert_eq!(url.to_string(), good.trim_end_matches('/'));
        }
        for wrong in ["10.0.0.2:9099", "farm.example", "stratum+tcp://a:1", "http://", ""] {
            assert_eq!(wrong.parse::<ApiUrl>(), Err(ApiUrlError::Form), "{wrong}");
        }
        for wrong in ["http://token@a:1", "http://a:1/?token=x", "http://a:1/#x"] {
            assert_eq!(wrong.parse::<ApiUrl>(), Err(ApiUrlError::More), "{wrong}");
        }
    }
}
