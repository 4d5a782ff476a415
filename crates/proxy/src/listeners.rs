//! The sockets that rigs connect to, apart from the routes that take their connections.
//!
//! A socket is open for as long as it is here, whoever accepts on it at the moment, or nobody:
//! who connects meanwhile waits in the system's queue.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};

use crate::config::{ListenAddr, Name, RouteConfig};
use crate::net::listen::listen;

/// What a route's config says of a socket, whatever is spoken on it. Port 0 is another socket in every
/// route.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    address: SocketAddr,
    route: Option<Name>,
}

impl Place {
    fn new(route: &RouteConfig, address: ListenAddr) -> Self {
        let any_port = address.get().port() == 0;
        Self { address: address.get(), route: any_port.then(|| route.name.clone()) }
    }
}

/// All listening sockets of the process, by what the config says of them.
#[derive(Debug, Default)]
pub struct Listeners(HashMap<Place, TcpListener>);

impl Listeners {
    /// Listens on an address of a route, unless it does so already; what was listened on at first
    /// stays as it is. Gives the address that the system chose.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(&mut self, route: &RouteConfig, address: ListenAddr) -> io::Result<SocketAddr> {
        let place = Place::new(route, address);
        if let Some(socket) = self.0.get(&place) {
            return socket.local_addr();
        }
        let socket = listen(address.get())?.into_std()?;
        let bound = socket.local_addr()?;
        self.0.insert(place, socket);
        Ok(bound)
    }

    /// Whether an address of a route is listened on.
    #[must_use]
    pub fn has(&self, route: &RouteConfig, address: ListenAddr) -> bool {
        self.0.contains_key(&Place::new(route, address))
    }

    /// Takes a socket that somebody else has bound.
    pub fn insert(&mut self, route: &RouteConfig, address: ListenAddr, socket: TcpListener) {
        self.0.insert(Place::new(route, address), socket);
    }

    /// A handle of a socket, for those who accept on it.
    ///
    /// # Errors
    /// What the system says, or that there is no such socket.
    pub fn socket(&self, route: &RouteConfig, address: ListenAddr) -> io::Result<TcpListener> {
        let none = || io::Error::from(io::ErrorKind::NotFound);
        self.0.get(&Place::new(route, address)).ok_or_else(none)?.try_clone()
    }

    /// Closes a socket, once nobody has a handle of it any more.
    pub fn close(&mut self, route: &RouteConfig, address: ListenAddr) {
        self.0.remove(&Place::new(route, address));
    }

    /// All sockets, by configured address.
    pub fn iter(&self) -> impl Iterator<Item = (SocketAddr, &TcpListener)> {
        self.0.iter().map(|(place, socket)| (place.address, socket))
    }
}
