//! Values that are read from strings, checked while they are read, so that an error stands at the
//! value.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;
use url::Url;

/// Where a pool is: `stratum+tcp://host:port`, or `stratum+ssl://host:port` for TLS.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PoolUrl {
    host: Box<str>,
    port: u16,
    tls: bool,
}

impl PoolUrl {
    /// Whether it is spoken to over TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    /// What stands in front of `://`.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        if self.tls { "stratum+ssl" } else { "stratum+tcp" }
    }

    /// The host's name or address, an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, an IPv6 address in brackets.
    #[must_use]
    pub fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl fmt::Display for PoolUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority())
    }
}

impl FromStr for PoolUrl {
    type Err = PoolUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.contains("://") {
            return Err(PoolUrlError::NoScheme);
        }
        let url = Url::parse(text).map_err(|error| PoolUrlError::Form(error.to_string()))?;
        let tls = match url.scheme() {
            "stratum+tcp" => false,
            "stratum+ssl" | "stratum+tls" | "ssl" | "tls" => true,
            other => return Err(PoolUrlError::Scheme(other.to_owned())),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(PoolUrlError::UserInfo);
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(PoolUrlError::Tail);
        }
        let host = url.host_str().filter(|host| !host.is_empty() && !host.contains('%'));
        let host = host.ok_or(PoolUrlError::Host)?;
        let port = url.port().filter(|&port| port != 0).ok_or(PoolUrlError::Port)?;
        Ok(Self { host: host.trim_matches(['[', ']']).into(), port, tls })
    }
}

/// Why a text is no pool URL.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PoolUrlError {
    /// No `://`.
    #[error("a pool URL starts with stratum+tcp://, as in stratum+tcp://pool.example:3008")]
    NoScheme,
    /// Something else in front of `://`.
    #[error("a pool URL starts with stratum+tcp://, or stratum+ssl:// for TLS, not {0}://")]
    Scheme(String),
    /// A user or password in the URL.
    #[error("the account belongs into `user` and `password`, not into the URL")]
    UserInfo,
    /// A path, query or fragment.
    #[error("a pool URL ends with its port")]
    Tail,
    /// No host, or a malformed one.
    #[error("a pool URL needs a host, as in stratum+tcp://pool.example:3008")]
    Host,
    /// No port, or port 0.
    #[error("a pool URL needs a port, as in stratum+tcp://pool.example:3008")]
    Port,
    /// Not a URL at all.
    #[error("not a pool URL: {0}")]
    Form(String),
}

/// Where rigs connect: `[::]:3008`, `0.0.0.0:3008`, or `:3008` for all addresses of the machine; with
/// `tls://` in front where they do so by TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenAddr {
    address: SocketAddr,
    tls: bool,
}

impl ListenAddr {
    /// The address.
    #[must_use]
    pub const fn get(self) -> SocketAddr {
        self.address
    }

    /// Whether rigs speak TLS there.
    #[must_use]
    pub const fn is_tls(self) -> bool {
        self.tls
    }

    /// The same with the address that the system gave.
    #[must_use]
    pub const fn at(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    /// Whether the two cannot be listened on at once. `[::]` stands for IPv4 as well.
    #[must_use]
    pub fn clashes(self, other: Self) -> bool {
        let covers = |one: IpAddr, other: IpAddr| {
            one == other
                || one == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
                || one.is_unspecified() && other.is_ipv4()
        };
        let (one, other) = (self.address, other.address);
        one.port() == other.port()
            && one.port() != 0
            && (covers(one.ip(), other.ip()) || covers(other.ip(), one.ip()))
    }
}

impl From<SocketAddr> for ListenAddr {
    fn from(address: SocketAddr) -> Self {
        Self { address, tls: false }
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.tls { TLS } else { "" }, self.address)
    }
}

/// What stands in front of an address where rigs speak TLS.
const TLS: &str = "tls://";

impl FromStr for ListenAddr {
    type Err = ListenAddrError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, tls) = match text.strip_prefix(TLS) {
            Some(address) => (address, true),
            None => (text, false),
        };
        let parsed = match address.strip_prefix(':') {
            Some(port) => port.parse().ok().map(|port| (Ipv6Addr::UNSPECIFIED, port).into()),
            None => address.parse().ok(),
        };
        parsed.map(|address| Self { address, tls }).ok_or(ListenAddrError)
    }
}

/// Why a text is no address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "expected an address and a port, such as \"[::]:3008\", \"0.0.0.0:3008\" or \":3008\", with tls:// \
     in front for TLS"
)]
pub struct ListenAddrError;

/// A route's or pool's name, the label of its metrics and log lines. Clones share the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

impl Name {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, with its text shared.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// The name of a pool that was given none: `host:port`.
    #[must_use]
    pub fn of_pool(url: &PoolUrl) -> Self {
        Self(url.authority().into())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const MAX: usize = 64;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._:[]-".contains(c);
        if text.is_empty() || text.len() > MAX || !text.chars().all(allowed) {
            return Err(NameError);
        }
        Ok(Self(text.into()))
    }
}

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a name has 1 to 64 letters, digits and . _ - :")]
pub struct NameError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pool_urls() {
        let url: PoolUrl = "stratum+tcp://Pool.example:3008".parse().unwrap();
        assert_eq!((url.host(), url.port()), ("Pool.example", 3008));
        let url: PoolUrl = "stratum+tcp://[::1]:3008/".parse().unwrap();
        assert_eq!((url.host(), url.to_string().as_str()), ("::1", "stratum+tcp://[::1]:3008"));
        assert!(!url.is_tls());
        for scheme in ["stratum+ssl", "stratum+tls", "ssl", "tls"] {
            let url: PoolUrl = format!("{scheme}://pool.example:3443").parse().unwrap();
            assert!(url.is_tls());
            assert_eq!((url.host(), url.port()), ("pool.example", 3443));
            assert_eq!(url.to_string(), "stratum+ssl://pool.example:3443");
        }
        for (text, error) in [
            ("pool.example:3008", PoolUrlError::NoScheme),
            ("http://pool.example:3008", PoolUrlError::Scheme("http".to_owned())),
            ("stratum+tcp://me:secret@pool.example:3008", PoolUrlError::UserInfo),
            ("stratum+tcp://pool.example", PoolUrlError::Port),
            ("stratum+tcp://pool.example:0", PoolUrlError::Port),
            ("stratum+tcp://:3008", PoolUrlError::Form("empty host".to_owned())),
            ("stratum+tcp://pool.example:3008/x", PoolUrlError::Tail),
        ] {
            assert_eq!(text.parse::<PoolUrl>(), Err(error), "{text}");
        }
    }

    #[test]
    fn listen_addresses_and_which_of_them_clash() {
        let parsed = |text: &str| text.parse::<ListenAddr>().unwrap();
        assert_eq!(parsed(":3008"), parsed("[::]:3008"));
        let tls = parsed("tls://:3443");
        assert_eq!((tls.is_tls(), tls.to_string().as_str()), (true, "tls://[::]:3443"));
        assert!(tls.clashes(parsed("0.0.0.0:3443")));
        for text in ["3008", "localhost:3008", ":", ":99999", "0.0.0.0", "::1:3008"] {
            assert_eq!(text.parse::<ListenAddr>(), Err(ListenAddrError), "{text}");
        }
        for (one, other, clash) in [
            (":1", "0.0.0.0:1", true),
            (":1", "127.0.0.1:1", true),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("0.0.0.0:1", "[::1]:1", false),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            (":1", ":2", false),
            (":0", ":0", false),
        ] {
            assert_eq!(parsed(one).clashes(parsed(other)), clash, "{one} {other}");
            assert_eq!(parsed(other).clashes(parsed(one)), clash, "{other} {one}");
        }
    }
}
