//! Pools by way of a SOCKS5 proxy, which looks their names up itself: so nobody here learns them,
//! and names that only it knows work, as Tor's.

use std::fmt;
use std::str::FromStr;

use orepass_stratum::secret::Secret;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;
use url::Url;

use crate::config::PoolUrl;

/// The port of SOCKS.
const PORT: u16 = 1080;
/// The longest name or password, in bytes: the protocol has one byte for the length.
const MAX_LOGIN: usize = 255;

/// A SOCKS5 proxy: `socks5://host:port`, or `socks5://user:password@host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocksProxy {
    host: Box<str>,
    port: u16,
    login: Option<(Box<str>, Secret)>,
}

impl SocksProxy {
    /// The proxy's host, an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The proxy's port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Has the proxy connect to a pool.
    ///
    /// # Errors
    /// [`SocksError`].
    pub(super) async fn ask(
        &self,
        pool: &PoolUrl,
        stream: TcpStream,
    ) -> Result<TcpStream, SocksError> {
        let target = (pool.host(), pool.port());
        let connected = match &self.login {
            None => Socks5Stream::connect_with_socket(stream, target).await,
            Some((user, password)) => {
                let password = password.reveal();
                Socks5Stream::connect_with_password_and_socket(stream, target, user, password).await
            }
        };
        connected.map(Socks5Stream::into_inner).map_err(SocksError)
    }
}

impl fmt::Display for SocksProxy {
    /// Without the login.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl FromStr for SocksProxy {
    type Err = SocksProxyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| SocksProxyError::Form)?;
        if !matches!(url.scheme(), "socks5" | "socks5h") {
            return Err(SocksProxyError::Form);
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(SocksProxyError::Tail);
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(SocksProxyError::Form)?;
        let plain = |text: &str| percent_decoded(text).ok_or(SocksProxyError::Login);
        let (user, password) = (plain(url.username())?, plain(url.password().unwrap_or(""))?);
        let login = match (&*user, &*password) {
            ("", "") => None,
            ("", _) | (_, "") => return Err(SocksProxyError::Login),
            _ if user.len() > MAX_LOGIN || password.len() > MAX_LOGIN => {
                return Err(SocksProxyError::Login);
            }
            _ => Some((user.into(), Secret::new(password))),
        };
        let port = url.port().unwrap_or(PORT);
        Ok(Self { host: host.trim_matches(['[', ']']).into(), port, login })
    }
}

/// What `%40` and the like in a URL stand for.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Why a text is no SOCKS proxy. It does not repeat the text, which may have a password in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SocksProxyError {
    /// It has another form.
    #[error("expected a SOCKS5 proxy, such as \"socks5://127.0.0.1:9050\"")]
    Form,
    /// More than a host, a port and a login.
    #[error("a proxy's URL ends with its port")]
    Tail,
    /// Half a login, or one that SOCKS has no room for.
    #[error(
        "a proxy's login is user:password, each of 1 to {MAX_LOGIN} bytes, with %40 for an @ and %3A \
         for a :"
    )]
    Login,
}

/// Why a proxy does not take us to a pool.
#[derive(Debug, Error)]
#[error("{0}{rest}", rest = remedy(.0))]
pub struct SocksError(tokio_socks::Error);

fn remedy(error: &tokio_socks::Error) -> &'static str {
    use tokio_socks::Error::{
        AuthorizationRequired, ConnectionNotAllowedByRuleset, ConnectionRefused, HostUnreachable,
        InvalidResponseVersion, NoAcceptableAuthMethods, PasswordAuthFailure,
    };
    match error {
        InvalidResponseVersion => "; is that a SOCKS5 proxy?",
        NoAcceptableAuthMethods | AuthorizationRequired => {
            "; it wants a login: socks5://user:password@host:port"
        }
        PasswordAuthFailure(_) => "; check the login in `proxy`",
        ConnectionNotAllowedByRuleset => "; its rules forbid that host or port",
        ConnectionRefused => " by the pool; check `url`",
        HostUnreachable => ", as the proxy says; check the host in `url`",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_and_their_logins() {
        let read = |text: &str| text.parse::<SocksProxy>();
        let tor = read("socks5://127.0.0.1:9050").unwrap();
        assert_eq!((tor.to_string().as_str(), &tor.login), ("127.0.0.1:9050", &None));
        assert_eq!(read("socks5h://[::1]").unwrap().to_string(), "[::1]:1080");
        let login = read("socks5://me:p%40ss%3A@proxy.example:1").unwrap();
        assert_eq!(login.to_string(), "proxy.example:1");
        let (user, password) = login.login.clone().unwrap();
        assert_eq!((&*user, password.reveal()), ("me", "p@ss:"));
        assert!(!format!("{login:?}").contains("p@ss"), "{login:?}");
        for (text, error) in [
            ("127.0.0.1:9050", SocksProxyError::Form),
            ("http://127.0.0.1:9050", SocksProxyError::Form),
            ("socks4://127.0.0.1:9050", SocksProxyError::Form),
            ("socks5://", SocksProxyError::Form),
            ("socks5://127.0.0.1:9050/x", SocksProxyError::Tail),
            ("socks5://me@127.0.0.1:9050", SocksProxyError::Login),
            ("socks5://:secret@127.0.0.1:9050", SocksProxyError::Login),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
    }
}
