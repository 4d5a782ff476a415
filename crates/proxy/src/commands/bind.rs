//! The addresses that rigs connect to: bound by `run`, and by `check` to see whether they can be.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::CommandError;
use crate::config::RouteConfig;
use crate::net::listen::listen;

/// Listens on every address of a route, each on its own: what cannot be listened on does not keep
/// the others from it. Gives the address that is listened on.
pub(super) fn bind(
    route: &RouteConfig,
) -> impl Iterator<Item = Result<(SocketAddr, TcpListener), CommandError>> {
    route.listen.iter().map(|address| {
        let address = address.get();
        let listener = listen(address, route.backlog)
            .map_err(|error| CommandError::Bind { address, error })?;
        Ok((listener.local_addr().unwrap_or(address), listener))
    })
}

/// Whether somebody listens there already, perhaps the Orepass that runs with the same config.
pub(super) fn is_taken(error: &CommandError) -> bool {
    matches!(error, CommandError::Bind { error, .. } if error.kind() == io::ErrorKind::AddrInUse)
}
