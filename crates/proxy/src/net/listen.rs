//! Sockets that rigs connect to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tracing::info;

/// Connections that wait to be taken unless configured; the system may cap it lower.
pub(crate) const BACKLOG: u32 = 4096;

/// Listens on an address. `[::]` takes IPv4 as well, and IPv4 alone where the machine has no IPv6.
///
/// # Errors
/// What the system says.
pub fn listen(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let new = |domain| Socket::new(domain, Type::STREAM, Some(Protocol::TCP));
    TcpListener::from_std(with_fallback(address, backlog, new)?.into())
}

/// A socket that listens. `new` makes one of a family.
fn with_fallback(
    address: SocketAddr,
    backlog: u32,
    new: impl Fn(Domain) -> io::Result<Socket>,
) -> io::Result<Socket> {
    let any_v6 = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    listening(address, backlog, &new).or_else(|error| {
        let taken = matches!(error.kind(), io::ErrorKind::AddrInUse);
        let denied = matches!(error.kind(), io::ErrorKind::PermissionDenied);
        if !any_v6 || taken || denied {
            return Err(error);
        }
        // Systems differ in what they say where there is no IPv6. That IPv4 works proves it.
        let instead = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
        let socket = listening(instead, backlog, &new).map_err(|_| error)?;
        info!(
            event = "listen.ipv4_only",
            "this machine has no IPv6: listening on {instead} instead of {address}"
        );
        Ok(socket)
    })
}

fn listening(
    address: SocketAddr,
    backlog: u32,
    new: impl Fn(Domain) -> io::Result<Socket>,
) -> io::Result<Socket> {
    let socket = new(Domain::for_address(address))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // A restart must not wait for the former connections to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::testing::json_lines;

    /// What a kernel without IPv6 says.
    const NO_SUCH_FAMILY: i32 = 97;

    fn without_ipv6(domain: Domain) -> io::Result<Socket> {
        if domain == Domain::IPV6 {
            return Err(io::Error::from_raw_os_error(NO_SUCH_FAMILY));
        }
        Socket::new(domain, Type::STREAM, Some(Protocol::TCP))
    }

    #[test]
    fn a_machine_without_ipv6_listens_on_ipv4_and_says_so_once() {
        let lines = json_lines(|| {
            let socket = with_fallback("[::]:0".parse().unwrap(), BACKLOG, without_ipv6).unwrap();
            let address = socket.local_addr().unwrap().as_socket_ipv4().unwrap();
            assert!(address.ip().is_unspecified());
        });
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(line["event"], "listen.ipv4_only");
        assert_eq!(
            line["message"],
            "this machine has no IPv6: listening on 0.0.0.0:0 instead of [::]:0"
        );
    }

    #[test]
    fn only_the_address_of_all_falls_back_and_only_where_ipv4_works() {
        let error = with_fallback("[::1]:0".parse().unwrap(), BACKLOG, without_ipv6).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(NO_SUCH_FAMILY), "that one was asked for by name");

        let taken = with_fallback("0.0.0.0:0".parse().unwrap(), BACKLOG, without_ipv6).unwrap();
        let port = taken.local_addr().unwrap().as_socket_ipv4().unwrap().port();
        let same = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        let error = with_fallback(same, BACKLOG, without_ipv6).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(NO_SUCH_FAMILY), "IPv4 did not work either");

        // Without files for a socket, neither family is at fault.
        let none = |_| Err(io::Error::from_raw_os_error(24));
        let error = with_fallback("[::]:0".parse().unwrap(), BACKLOG, none).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(24));
    }
}
