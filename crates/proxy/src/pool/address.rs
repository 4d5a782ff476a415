//! Where a pool may send us with `client.reconnect`.
//!
//! What comes over a plain connection may come from anyone on its way, and whoever it is would get
//! the account and the work. So it is followed only to the operator's own places: under the
//! configured pool's registered domain, as the configured pool is reached, or to a pool that the
//! route has, as that one is reached. None of it leads from TLS to a plain connection.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use orepass_stratum::time::Instant;
use thiserror::Error;

use crate::config::{PoolAccount, PoolUrl};
use crate::net::connect::Reach;

/// How long after a redirect no other is followed, so that two servers cannot toss us about.
const FOLLOW_EVERY: Duration = Duration::from_secs(10);
/// The longest host name, in bytes.
const MAX_NAME: usize = 253;
/// The longest part of one between dots, in bytes.
const MAX_LABEL: usize = 63;

/// Why a redirect is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum RedirectRefused {
    /// The host is no name and no address.
    #[error("that is no host")]
    Host,
    /// The port is 0.
    #[error("that is no port")]
    Port,
    /// Somebody else's host.
    #[error(
        "it is neither under the domain of the configured pool nor a pool of this route, and \
         anyone between us and the pool could ask for it; configure that server if it is right"
    )]
    Foreign,
    /// A plain connection in the place of one with TLS.
    #[error(
        "that pool is configured without TLS, and this one with it: whoever listens on the way would \
         get the account"
    )]
    Downgrade,
    /// The last redirect was followed a moment ago.
    #[error("another was followed less than {FOLLOW_EVERY:?} ago")]
    TooSoon,
}

/// A server, and how it is reached.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PoolPlace {
    pub(crate) url: PoolUrl,
    pub(crate) reach: Reach,
}

impl PoolPlace {
    /// Where a pool is.
    pub(crate) fn of(pool: &PoolAccount) -> Self {
        Self { url: pool.url.clone(), reach: pool.reach.clone() }
    }
}

/// Where a channel connects to.
#[derive(Debug)]
pub(crate) struct PoolAddress {
    configured: PoolPlace,
    /// Where the pool sent us.
    redirected: Option<PoolPlace>,
    followed: Option<Instant>,
}

impl PoolAddress {
    pub(crate) const fn new(configured: PoolPlace) -> Self {
        Self { configured, redirected: None, followed: None }
    }

    /// Where to connect, and how.
    pub(crate) fn place(&self) -> &PoolPlace {
        self.redirected.as_ref().unwrap_or(&self.configured)
    }

    /// Where to connect.
    pub(crate) fn url(&self) -> &PoolUrl {
        &self.place().url
    }

    /// Takes in a redirect; `true` when there is another place to connect to from now on, `false`
    /// when it is the present one. An
    /// absent host or port is the present one.
    pub(crate) fn follow(
        &mut self,
        host: Option<&str>,
        port: Option<u16>,
        pools: impl Iterator<Item = PoolPlace>,
        now: Instant,
    ) -> Result<bool, RedirectRefused> {
        let place = destination(&self.configured, self.place(), host, port, pools)?;
        if place == *self.place() {
            return Ok(false);
        }
        let recent = |at: Instant| now.saturating_duration_since(at) < FOLLOW_EVERY;
        if self.followed.is_some_and(recent) {
            return Err(RedirectRefused::TooSoon);
        }
        self.followed = Some(now);
        self.redirected = Some(place).filter(|place| *place != self.configured);
        Ok(true)
    }

    /// Nobody serves us here: back to the configured place. Gives the one that is left, if the pool
    /// sent us there.
    pub(crate) fn go_back(&mut self) -> Option<PoolUrl> {
        self.redirected.take().map(|place| place.url)
    }
}

/// Where a redirect leads, if it may be followed.
fn destination(
    configured: &PoolPlace,
    present: &PoolPlace,
    host: Option<&str>,
    port: Option<u16>,
    mut pools: impl Iterator<Item = PoolPlace>,
) -> Result<PoolPlace, RedirectRefused> {
    let host = host.unwrap_or_else(|| present.url.host());
    let host = Host::read(host).ok_or(RedirectRefused::Host)?;
    let port = port.unwrap_or_else(|| present.url.port());
    if port == 0 {
        return Err(RedirectRefused::Port);
    }
    let of = |url: &PoolUrl| Host::read(url.host());
    let is_there =
        |place: &PoolPlace| place.url.port() == port && of(&place.url).as_ref() == Some(&host);
    // A place that is configured keeps the form that it was written in, and how it is reached.
    if let Some(known) = [configured, present].into_iter().find(|known| is_there(known)) {
        return Ok(known.clone());
    }
    if let Some(pool) = pools.find(is_there) {
        let is_worse = configured.url.is_tls() && !pool.url.is_tls();
        return if is_worse { Err(RedirectRefused::Downgrade) } else { Ok(pool) };
    }
    if !of(&configured.url).is_some_and(|home| host.belongs_to(&home)) {
        return Err(RedirectRefused::Foreign);
    }
    let url = host.at(configured.url.scheme(), port)?;
    Ok(PoolPlace { url, reach: configured.reach.clone() })
}

/// A host in the one form by which it is compared.
#[derive(Debug, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    /// In lower case, without the root's dot.
    Name(String),
}

impl Host {
    fn read(text: &str) -> Option<Self> {
        if let Some(bracketed) = text.strip_prefix('[') {
            let address: Ipv6Addr = bracketed.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Address(IpAddr::from(address).to_canonical()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self::Address(address.to_canonical()));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let is_label = |label: &str| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(known)
        };
        // Resolvers take names like 127.1 and 0x7f000001 for addresses.
        let last = name.rsplit('.').next().unwrap_or_default();
        let numeric = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
        let sound = name.len() <= MAX_NAME && name.split('.').all(is_label) && !numeric;
        sound.then_some(Self::Name(name))
    }

    /// Whether whoever has `home` has this too: an address is its own alone, a name also that of
    /// all names under the domain that was registered with it.
    fn belongs_to(&self, home: &Self) -> bool {
        self == home
            || match (self, home) {
                (Self::Name(name), Self::Name(home)) => {
                    let domain = psl::domain_str(name);
                    domain.is_some() && domain == psl::domain_str(home)
                }
                _ => false,
            }
    }

    fn at(&self, scheme: &str, port: u16) -> Result<PoolUrl, RedirectRefused> {
        let authority = match self {
            Self::Address(IpAddr::V6(address)) => format!("[{address}]:{port}"),
            Self::Address(IpAddr::V4(address)) => format!("{address}:{port}"),
            Self::Name(name) => format!("{name}:{port}"),
        };
        format!("{scheme}://{authority}").parse().map_err(|_| RedirectRefused::Host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tls::client::PoolTrust;

    fn url(authority: &str) -> PoolUrl {
        format!("stratum+tcp://{authority}").parse().unwrap()
    }

    fn plain(authority: &str) -> PoolPlace {
        PoolPlace { url: url(authority), reach: Reach::default() }
    }

    /// A place with TLS, where this name is asked for.
    fn secured(authority: &str, name: &str) -> PoolPlace {
        let url = format!("stratum+ssl://{authority}").parse().unwrap();
        let trust = PoolTrust::new(None, None, Some(name.parse().unwrap()));
        PoolPlace { url, reach: Reach { trust, proxy: None } }
    }

    /// The configured place, the redirect's host and port, and where it leads.
    type Case<'a> = (&'a str, Option<&'a str>, Option<u16>, Result<&'a str, RedirectRefused>);

    /// Where a channel that is configured to, and is at, `home` goes.
    fn sent(home: &str, host: Option<&str>, port: Option<u16>) -> Result<String, RedirectRefused> {
        let (home, pools) = (plain(home), [plain("backup.example:4000"), plain("192.0.2.7:4001")]);
        let place = destination(&home, &home, host, port, pools.into_iter());
        place.map(|place| place.url.authority())
    }

    #[test]
    fn only_the_operators_own_places_are_followed() {
        use RedirectRefused::{Foreign, Host, Port};
        const HOME: &str = "pool.co.uk:3008";
        let long = format!("{}pool.co.uk", "a.".repeat(122));
        let cases: [Case<'_>; 41] = [
            (HOME, None, None, Ok("pool.co.uk:3008")),
            (HOME, None, Some(3009), Ok("pool.co.uk:3009")),
            (HOME, Some("pool.co.uk"), None, Ok("pool.co.uk:3008")),
            (HOME, Some("pool.co.uk"), Some(1), Ok("pool.co.uk:1")),
            (HOME, Some("POOL.CO.UK"), None, Ok("pool.co.uk:3008")),
            (HOME, Some("pool.co.uk."), None, Ok("pool.co.uk:3008")),
            (HOME, Some("eu.pool.co.uk"), Some(3009), Ok("eu.pool.co.uk:3009")),
            (HOME, Some("EU.Pool.co.uk."), None, Ok("eu.pool.co.uk:3008")),
            ("eu.pool.co.uk:3008", Some("us.pool.co.uk"), None, Ok("us.pool.co.uk:3008")),
            ("eu.pool.co.uk:3008", Some("pool.co.uk"), None, Ok("pool.co.uk:3008")),
            ("Eu.Pool.CO.UK:3008", Some("us.pool.co.uk"), None, Ok("us.pool.co.uk:3008")),
            ("Eu.Pool.CO.UK:3008", Some("eu.pool.co.uk"), None, Ok("Eu.Pool.CO.UK:3008")),
            (HOME, Some("evil.co.uk"), None, Err(Foreign)),
            (HOME, Some("co.uk"), None, Err(Foreign)),
            (HOME, Some("uk"), None, Err(Foreign)),
            (HOME, Some("evilpool.co.uk"), None, Err(Foreign)),
            (HOME, Some("pool.co.uk.evil.com"), None, Err(Foreign)),
            ("me.duckdns.org:3008", Some("you.duckdns.org"), None, Err(Foreign)),
            ("pool:3008", Some("pool"), Some(3009), Ok("pool:3009")),
            ("pool:3008", Some("other"), None, Err(Foreign)),
            (HOME, Some("backup.example"), Some(4000), Ok("backup.example:4000")),
            (HOME, Some("Backup.Example."), Some(4000), Ok("backup.example:4000")),
            (HOME, Some("backup.example"), Some(4002), Err(Foreign)),
            (HOME, Some("sub.backup.example"), Some(4000), Err(Foreign)),
            (HOME, Some("192.0.2.7"), Some(4001), Ok("192.0.2.7:4001")),
            (HOME, Some("192.0.2.7"), Some(4000), Err(Foreign)),
            ("192.0.2.1:3008", Some("192.0.2.1"), Some(1), Ok("192.0.2.1:1")),
            ("192.0.2.1:3008", Some("::ffff:192.0.2.1"), None, Ok("192.0.2.1:3008")),
            ("192.0.2.1:3008", Some("192.0.2.2"), None, Err(Foreign)),
            ("192.0.2.1:3008", Some("9.192.0.2.1"), None, Err(Host)),
            ("[2001:db8::1]:3008", Some("2001:DB8:0::1"), Some(1), Ok("[2001:db8::1]:1")),
            ("[2001:db8::1]:3008", Some("[2001:db8::1]"), None, Ok("[2001:db8::1]:3008")),
            ("[2001:db8::1]:3008", Some("2001:db8::2"), None, Err(Foreign)),
            (HOME, Some("127.1"), None, Err(Host)),
            (HOME, Some("x.0x7f000001"), None, Err(Host)),
            (HOME, Some("me@pool.co.uk"), None, Err(Host)),
            (HOME, Some("pool.co.uk\r\n"), None, Err(Host)),
            (HOME, Some("pool..co.uk"), None, Err(Host)),
            (HOME, Some(""), None, Err(Host)),
            (HOME, Some(&long), None, Err(Host)),
            (HOME, Some("pool.co.uk"), Some(0), Err(Port)),
        ];
        for (home, host, port, expected) in cases {
            let expected = expected.map(str::to_owned);
            assert_eq!(sent(home, host, port), expected, "{home} -> {host:?} {port:?}");
        }
        assert!(long.len() > MAX_NAME);
        for odd in
            ["pool.co.uk:1", "pool.co.uk/x", "pool%2eco.uk", "pöol.co.uk", "[::1", "[1.2.3.4]"]
        {
            assert_eq!(sent(HOME, Some(odd), None), Err(Host), "{odd}");
        }
    }

    #[test]
    fn what_is_absent_is_the_present_place_and_trust_stays_with_the_configured_one() {
        let now = crate::clock::now();
        let later = |seconds| now + Duration::from_secs(seconds);
        let pools = [plain("backup.example:4000")];
        let mut place = PoolAddress::new(plain("pool.example.com:3008"));
        assert_eq!(place.follow(None, None, pools.iter().cloned(), now), Ok(false));
        assert_eq!(
            place.follow(Some("eu.example.com"), None, pools.iter().cloned(), now),
            Ok(true)
        );
        assert_eq!(place.url().authority(), "eu.example.com:3008");
        assert_eq!(place.follow(None, None, pools.iter().cloned(), later(1)), Ok(false));
        assert_eq!(place.follow(None, Some(9), pools.iter().cloned(), later(10)), Ok(true));
        assert_eq!(place.url().authority(), "eu.example.com:9");
        let backup = Some("backup.example");
        assert_eq!(place.follow(backup, Some(4000), pools.iter().cloned(), later(20)), Ok(true));
        let sub = Some("sub.backup.example");
        assert_eq!(
            place.follow(sub, None, pools.iter().cloned(), later(30)),
            Err(RedirectRefused::Foreign)
        );
        assert_eq!(place.go_back(), Some(url("backup.example:4000")));
        assert_eq!(place.url().authority(), "pool.example.com:3008");
        assert_eq!(place.go_back(), None);
    }

    #[test]
    fn two_servers_cannot_toss_us_about() {
        let now = crate::clock::now();
        let mut place = PoolAddress::new(plain("a.example.com:3008"));
        let mut follow = |host, at| {
            let at = now + Duration::from_millis(at);
            place.follow(Some(host), None, std::iter::empty(), at)
        };
        assert_eq!(follow("b.example.com", 0), Ok(true));
        assert_eq!(follow("a.example.com", 9_999), Err(RedirectRefused::TooSoon));
        assert_eq!(follow("b.example.com", 9_999), Ok(false), "that is where we are");
        assert_eq!(follow("a.example.com", 10_000), Ok(true));
        assert_eq!(place.go_back(), None);
    }

    #[test]
    fn a_redirect_leads_never_from_tls_to_a_plain_connection() {
        let home = secured("pool.example.com:3443", "home");
        let pools = [
            plain("backup.example:3008"),
            secured("backup.example:3443", "backup"),
            plain("eu.example.com:1"),
        ];
        let lead = |home: &PoolPlace, host, port| {
            destination(home, home, Some(host), Some(port), pools.iter().cloned())
        };
        // At home it stays what it is, with all that is asked for there.
        let moved = lead(&home, "us.example.com", 3008).unwrap();
        assert_eq!(moved, secured("us.example.com:3008", "home"));
        // Another pool is reached as it is configured.
        assert_eq!(lead(&home, "backup.example", 3443), Ok(pools[1].clone()));
        assert_eq!(lead(&home, "backup.example", 3008), Err(RedirectRefused::Downgrade));
        assert_eq!(lead(&home, "eu.example.com", 1), Err(RedirectRefused::Downgrade));
        assert_eq!(
            lead(&plain("pool.example.com:1"), "backup.example", 3443),
            Ok(pools[1].clone())
        );
    }
}
