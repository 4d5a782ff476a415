//! The PROXY protocol, versions 1 and 2: what a load balancer says, in front of all else, of whom it
//! speaks for.
//!
//! A [`HeaderReader`] takes what may be the start of a header from whoever has the connection, and
//! tells how much of it belongs to it: what follows, such as a TLS hello or a line of stratum, is
//! left where it is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;

/// The longest header of version 1 with its end, in bytes.
pub const MAX_V1: usize = 107;
/// The longest header of version 2 that is read, in bytes. What follows the addresses may be as long
/// as 64 KiB by the protocol; what balancers put there is below half a kilobyte.
pub const MAX_V2: usize = 4096;

const V1_START: &[u8] = b"PROXY ";
const V2_START: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, version and command, family and length.
const V2_FIXED: usize = 16;

/// Of whom a balancer speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerClaim {
    /// Of a client at this address.
    From(SocketAddr),
    /// Of a client of which it cannot say where it is.
    Unknown,
    /// Of itself: it looks whether we live.
    Local,
}

/// Why bytes are no header.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Something else came.
    #[error("expected a PROXY header, found {found}", found = start(.0))]
    Absent(Vec<u8>),
    /// It goes on for too long.
    #[error("a PROXY header of more than {0} bytes")]
    TooLong(usize),
    /// It is not as the protocol has it.
    #[error("a PROXY header of version {version} with {what}")]
    Malformed {
        /// Of which version it is.
        version: u8,
        /// What is wrong.
        what: &'static str,
    },
}

/// Whether a first byte may be that of a header. No line of stratum and no TLS hello starts so.
#[must_use]
pub const fn may_start(byte: u8) -> bool {
    byte == V1_START[0] || byte == V2_START[0]
}

/// A header on its way.
#[derive(Debug, Default)]
pub struct HeaderReader(Vec<u8>);

impl HeaderReader {
    /// Takes in bytes that have come next; gives how many of them belong to the header, which may be
    /// called with the rest again, and what it says once it is whole.
    ///
    /// # Errors
    /// [`HeaderError`].
    pub fn handle(&mut self, bytes: &[u8]) -> Result<(usize, Option<PeerClaim>), HeaderError> {
        for (taken, byte) in bytes.iter().enumerate() {
            self.0.push(*byte);
            if let Some(claim) = self.read()? {
                return Ok((taken + 1, Some(claim)));
            }
        }
        Ok((bytes.len(), None))
    }

    /// What it says, once it is whole.
    fn read(&self) -> Result<Option<PeerClaim>, HeaderError> {
        let header = &self.0[..];
        let starts = |start: &[u8]| {
            let both = start.len().min(header.len());
            start[..both] == header[..both]
        };
        if starts(V1_START) {
            match header.strip_suffix(b"\n") {
                Some(line) => v1(line.strip_suffix(b"\r").unwrap_or(line)).map(Some),
                None if header.len() >= MAX_V1 => Err(HeaderError::TooLong(MAX_V1)),
                None => Ok(None),
            }
        } else if starts(V2_START) {
            v2(header)
        } else {
            Err(HeaderError::Absent(header.to_vec()))
        }
    }
}

fn v1(line: &[u8]) -> Result<PeerClaim, HeaderError> {
    let wrong = |what| HeaderError::Malformed { version: 1, what };
    let text = str::from_utf8(line).map_err(|_| wrong("bytes that are no text"))?;
    let mut words = text.split(' ').skip(1);
    let mut next = || words.next().unwrap_or_default();
    let is_v4 = match next() {
        "TCP4" => true,
        "TCP6" => false,
        // Whatever follows means nothing.
        "UNKNOWN" => return Ok(PeerClaim::Unknown),
        _ => return Err(wrong("another protocol than TCP4, TCP6 and UNKNOWN")),
    };
    let address = |text: &str| {
        let address = text.parse::<IpAddr>().ok().filter(|address| address.is_ipv4() == is_v4);
        address.ok_or_else(|| wrong("an address that is none of its protocol"))
    };
    let port = |text: &str| {
        let decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let port = text.parse().ok().filter(|_| decimal);
        port.ok_or_else(|| wrong("a port that is none"))
    };
    let (source, _) = (address(next())?, address(next())?);
    let (source_port, _): (u16, u16) = (port(next())?, port(next())?);
    if words.next().is_some() {
        return Err(wrong("more than two addresses and two ports"));
    }
    Ok(PeerClaim::From(SocketAddr::new(source.to_canonical(), source_port)))
}

fn v2(header: &[u8]) -> Result<Option<PeerClaim>, HeaderError> {
    let wrong = |what| HeaderError::Malformed { version: 2, what };
    let Some((fixed, rest)) = header.split_at_checked(V2_FIXED) else { return Ok(None) };
    let [command, family, length @ ..] = &fixed[V2_START.len()..] else { return Ok(None) };
    let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    if length > MAX_V2 - V2_FIXED {
        return Err(HeaderError::TooLong(MAX_V2));
    }
    if command >> 4 != 2 {
        return Err(wrong("another version in it"));
    }
    if rest.len() < length {
        return Ok(None);
    }
    match command & 0xf {
        0 => return Ok(Some(PeerClaim::Local)),
        1 => {}
        _ => return Err(wrong("another command than LOCAL and PROXY")),
    }
    let port = |at: usize| u16::from_be_bytes([rest[at], rest[at + 1]]);
    let short = || wrong("fewer bytes than its addresses have");
    // The family, and below it how it is carried: stratum comes by TCP, whatever that says.
    let source = match family >> 4 {
        1 => {
            let (source, _) = rest.split_first_chunk::<4>().ok_or_else(short)?;
            (length >= 12).then(|| (IpAddr::V4(Ipv4Addr::from(*source)), port(8)))
        }
        2 => {
            let (source, _) = rest.split_first_chunk::<16>().ok_or_else(short)?;
            (length >= 36).then(|| (IpAddr::V6(Ipv6Addr::from(*source)), port(32)))
        }
        // Of no family, or by a socket that has no address.
        0 | 3 => return Ok(Some(PeerClaim::Unknown)),
        _ => return Err(wrong("another family than IPv4, IPv6 and Unix")),
    };
    let (address, port) = source.ok_or_else(short)?;
    Ok(Some(PeerClaim::From(SocketAddr::new(address.to_canonical(), port))))
}

/// The first bytes of something, as they can be shown.
fn start(bytes: &[u8]) -> String {
    const MOST: usize = 16;
    let first = &bytes[..bytes.len().min(MOST)];
    format!("\"{}\"", first.escape_ascii())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<(usize, Option<PeerClaim>), HeaderError> {
        HeaderReader::default().handle(bytes)
    }

    fn from(text: &str) -> Option<PeerClaim> {
        Some(PeerClaim::From(text.parse().unwrap()))
    }

    /// A header of version 2.
    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [V2_START, &[command, family], &length, rest].concat()
    }

    const V4_PAIR: [u8; 12] = [192, 0, 2, 1, 10, 0, 0, 1, 0x1f, 0x90, 0x0b, 0xc0];

    #[test]
    fn what_follows_a_header_is_left() {
        let header = b"PROXY TCP4 192.0.2.1 10.0.0.1 8080 3008\r\n";
        let line = br#"{"id":1}"#;
        let whole = [&header[..], line].concat();
        assert_eq!(read(&whole), Ok((header.len(), from("192.0.2.1:8080"))));
        let header = binary(0x21, 0x11, &V4_PAIR);
        let whole = [&header[..], b"\x16\x03\x01"].concat();
        assert_eq!(read(&whole), Ok((header.len(), from("192.0.2.1:8080"))));
    }

    #[test]
    fn version_1() {
        let claim = |text: &str| read(text.as_bytes()).map(|(_, claim)| claim);
        assert_eq!(claim("PROXY TCP6 2001:db8::1 ::1 1 2\r\n"), Ok(from("[2001:db8::1]:1")));
        assert_eq!(claim("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), Ok(from("192.0.2.1:1")));
        assert_eq!(claim("PROXY UNKNOWN\r\n"), Ok(Some(PeerClaim::Unknown)));
        assert_eq!(claim("PROXY UNKNOWN ffff::1 x y z\r\n"), Ok(Some(PeerClaim::Unknown)));
        assert_eq!(claim("PROXY TCP4 192.0.2.1 10.0.0.1 8080 3008"), Ok(None));
        let what = |text: &str| match claim(text) {
            Err(HeaderError::Malformed { version: 1, what }) => what,
            other => panic!("{text}: {other:?}"),
        };
        assert!(what("PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n").contains("protocol"));
        assert!(what("PROXY TCP4 ::1 ::1 1 1\r\n").contains("address"));
        assert!(what("PROXY TCP4 1.1.1.1 1.1.1.1 1 65536\r\n").contains("port"));
        assert!(what("PROXY TCP4 1.1.1.1 1.1.1.1 +1 1\r\n").contains("port"));
        assert!(what("PROXY TCP4 1.1.1.1 1.1.1.1 1 1 1\r\n").contains("more"));
        assert!(what("PROXY TCP4\r\n").contains("address"));
        assert!(what("PROXY \r\n").contains("protocol"));
    }

    #[test]
    fn version_2() {
        let claim = |bytes: &[u8]| read(bytes).map(|(_, claim)| claim);
        let v6 = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1], &[0; 16], &[0, 7, 0, 8]].concat();
        assert_eq!(claim(&binary(0x21, 0x21, &v6)), Ok(from("[2001:db8::1]:7")));
        assert_eq!(claim(&binary(0x20, 0, &[])), Ok(Some(PeerClaim::Local)));
        assert_eq!(claim(&binary(0x20, 0x11, &V4_PAIR)), Ok(Some(PeerClaim::Local)));
        for family in [0, 0x31] {
            assert_eq!(claim(&binary(0x21, family, &[0; 216])), Ok(Some(PeerClaim::Unknown)));
        }
        let more = [&V4_PAIR[..], &[4, 0, 1, 0]].concat();
        let header = binary(0x21, 0x11, &more);
        assert_eq!(read(&header), Ok((header.len(), from("192.0.2.1:8080"))));
        for wrong in [
            binary(0x21, 0x11, &V4_PAIR[..11]),
            binary(0x21, 0x21, &v6[..35]),
            binary(0x21, 0x11, &[]),
            binary(0x22, 0x11, &V4_PAIR),
            binary(0x11, 0x11, &V4_PAIR),
            binary(0x21, 0x41, &V4_PAIR),
        ] {
            let refused = claim(&wrong);
            assert!(
                matches!(refused, Err(HeaderError::Malformed { version: 2, .. })),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn a_header_is_no_longer_than_it_may_be() {
        let endless = [&b"PROXY UNKNOWN"[..], &[b' '; MAX_V1]].concat();
        assert_eq!(read(&endless), Err(HeaderError::TooLong(MAX_V1)));
        let longest = [&b"PROXY UNKNOWN"[..], &[b' '; MAX_V1 - 15], b"\r\n"].concat();
        assert_eq!(read(&longest), Ok((MAX_V1, Some(PeerClaim::Unknown))));
        // By its length alone, before the rest has come.
        let announced = &binary(0x21, 0x11, &[0; MAX_V2 - V2_FIXED + 1])[..V2_FIXED];
        assert_eq!(read(announced), Err(HeaderError::TooLong(MAX_V2)));
        let longest = binary(0x20, 0, &[0; MAX_V2 - V2_FIXED]);
        assert_eq!(read(&longest), Ok((MAX_V2, Some(PeerClaim::Local))));
    }

    #[test]
    fn something_else_is_shown() {
        let refused = read(b"{\"id\":1}").unwrap_err();
        assert_eq!(refused.to_string(), r#"expected a PROXY header, found "{""#);
        let refused = read(b"PROXX TCP4").unwrap_err();
        assert_eq!(refused.to_string(), r#"expected a PROXY header, found "PROXX""#);
        assert!(may_start(b'P') && may_start(b'\r') && !may_start(b'{') && !may_start(0x16));
    }

    proptest! {
        /// However the bytes are cut up, and whatever they are, it is the same.
        #[test]
        fn it_is_the_same_in_pieces(
            start in prop::sample::select(vec![
                &b""[..], b"PROXY ", b"PROXY TCP4 1.2.3.4 ", V2_START, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c",
            ]),
            rest in prop::collection::vec(any::<u8>(), 0..200),
            cuts in prop::collection::vec(1usize..50, 0..200),
        ) {
            let bytes = [start, &rest].concat();
            let at_once = read(&bytes);
            let (mut reader, mut at, mut pieces) = (HeaderReader::default(), 0, cuts.into_iter());
            let in_pieces = loop {
                let piece = pieces.next().unwrap_or(1).min(bytes.len() - at);
                match reader.handle(&bytes[at..at + piece]) {
                    Ok((taken, claim)) => {
                        at += taken;
                        if claim.is_some() || at == bytes.len() {
                            break Ok((at, claim));
                        }
                        prop_assert_eq!(taken, piece);
                    }
                    Err(error) => break Err(error),
                }
            };
            prop_assert_eq!(in_pieces, at_once);
        }

        /// What is written is read.
        #[test]
        fn it_reads_what_balancers_write(address: IpAddr, port: u16) {
            let address = address.to_canonical();
            let text = match address {
                IpAddr::V4(v4) => format!("PROXY TCP4 {v4} 10.0.0.1 {port} 3008\r\n"),
                IpAddr::V6(v6) => format!("PROXY TCP6 {v6} ::1 {port} 3008\r\n"),
            };
            let claim = Some(PeerClaim::From(SocketAddr::new(address, port)));
            prop_assert_eq!(read(text.as_bytes()), Ok((text.len(), claim)));
            let [high, low] = port.to_be_bytes();
            let header = match address {
                IpAddr::V4(v4) => {
                    let rest = [&v4.octets()[..], &[0; 4], &[high, low, 0, 0]].concat();
                    binary(0x21, 0x11, &rest)
                }
                IpAddr::V6(v6) => {
                    let rest = [&v6.octets()[..], &[0; 16], &[high, low, 0, 0]].concat();
                    binary(0x21, 0x21, &rest)
                }
            };
            prop_assert_eq!(read(&header), Ok((header.len(), claim)));
        }
    }
}
