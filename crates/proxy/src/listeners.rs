//! The sockets that rigs connect to, apart from the routes that take their connections; and that of the
//! HTTP API.
//!
//! A socket is open for as long as it is here, whoever accepts on it at the moment, or nobody:
//! who connects meanwhile waits in the system's queue.

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener};

use socket2::SockRef;

use crate::config::{ListenAddr, Name, RouteConfig};
use crate::net::listen::{BACKLOG, listen};

/// What a route's config says of a socket, whatever is spoken on it. Port 0 is another socket in every
/// route.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SocketPlace {
    address: SocketAddr,
    route: Option<Name>,
}

impl SocketPlace {
    fn new(route: &RouteConfig, address: ListenAddr) -> Self {
        let any_port = address.get().port() == 0;
        Self { address: address.get(), route: any_port.then(|| route.name.clone()) }
    }
}

/// All listening sockets of the process, by what the config says of them.
#[derive(Debug, Default)]
pub struct Listeners {
    rigs: HashMap<SocketPlace, TcpListener>,
    /// By its configured address.
    api: Option<(SocketAddr, TcpListener)>,
}

impl Listeners {
    /// Listens on an address of a route, unless it does so already; what was listened on at first
    /// stays as it is. Gives the address that the system chose.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(&mut self, route: &RouteConfig, address: ListenAddr) -> io::Result<SocketAddr> {
        let place = SocketPlace::new(route, address);
        if let Some(socket) = self.rigs.get(&place) {
            return socket.local_addr();
        }
        let socket = listen(address.get(), route.backlog)?.into_std()?;
        let bound = socket.local_addr()?;
        self.rigs.insert(place, socket);
        Ok(bound)
    }

    /// Whether an address of a route is listened on.
    #[must_use]
    pub fn has(&self, route: &RouteConfig, address: ListenAddr) -> bool {
        self.rigs.contains_key(&SocketPlace::new(route, address))
    }

    /// Takes a socket that somebody else has bound.
    pub fn insert(&mut self, route: &RouteConfig, address: ListenAddr, socket: TcpListener) {
        self.rigs.insert(SocketPlace::new(route, address), socket);
    }

    /// Takes a socket that was bound elsewhere for the first of the routes' addresses that it stands for
    /// and that is not listened on yet; gives it back where there is none.
    ///
    /// # Errors
    /// The socket.
    pub fn adopt(
        &mut self,
        routes: &[RouteConfig],
        socket: TcpListener,
    ) -> Result<(), TcpListener> {
        let Ok(bound) = socket.local_addr() else { return Err(socket) };
        let places: Vec<_> = routes
            .iter()
            .flat_map(|route| route.listen.iter().map(move |at| (route, *at)))
            .collect();
        // A socket for all addresses is one, whatever it is called.
        let is_like = |wanted: SocketAddr| {
            let all = bound.ip().is_unspecified() && wanted.ip().is_unspecified();
            let port = bound.port() == wanted.port() || wanted.port() == 0;
            port && (all || bound.ip() == wanted.ip())
        };
        let mut free = places.iter().filter(|(route, address)| !self.has(route, *address));
        let exact = free.clone().find(|(_, address)| address.get() == bound);
        let place = exact.or_else(|| free.find(|(_, address)| is_like(address.get())));
        let Some(&(route, address)) = place else { return Err(socket) };
        // Whoever has bound it may have had other wishes.
        let _ = SockRef::from(&socket).listen(i32::try_from(route.backlog).unwrap_or(i32::MAX));
        if socket.set_nonblocking(true).is_err() {
            return Err(socket);
        }
        self.insert(route, address, socket);
        Ok(())
    }

    /// A handle of a socket, for those who accept on it.
    ///
    /// # Errors
    /// What the system says, or that there is no such socket.
    pub fn socket(&self, route: &RouteConfig, address: ListenAddr) -> io::Result<TcpListener> {
        let none = || io::Error::from(io::ErrorKind::NotFound);
        self.rigs.get(&SocketPlace::new(route, address)).ok_or_else(none)?.try_clone()
    }

    /// Closes a socket, once nobody has a handle of it any more.
    pub fn close(&mut self, route: &RouteConfig, address: ListenAddr) {
        self.rigs.remove(&SocketPlace::new(route, address));
    }

    /// All sockets, by configured address.
    pub fn iter(&self) -> impl Iterator<Item = (SocketAddr, &TcpListener)> {
        let rigs = self.rigs.iter().map(|(place, socket)| (place.address, socket));
        rigs.chain(self.api.iter().map(|(address, socket)| (*address, socket)))
    }

    /// Takes a socket that was bound elsewhere for the API, if it stands for that address.
    ///
    /// # Errors
    /// The socket.
    pub fn adopt_api(
        &mut self,
        address: SocketAddr,
        socket: TcpListener,
    ) -> Result<(), TcpListener> {
        let is_it = self.api.is_none()
            && socket.local_addr().is_ok_and(|bound| bound == address)
            && socket.set_nonblocking(true).is_ok();
        if !is_it {
            return Err(socket);
        }
        self.api = Some((address, socket));
        Ok(())
    }

    /// Has the API listen on an address, unless it does so already, and nowhere else. Where that fails
    /// all is as it was.
    ///
    /// # Errors
    /// What the system says.
    pub fn open_api(&mut self, address: SocketAddr) -> io::Result<()> {
        let listen = |address| listen(address, BACKLOG)?.into_std();
        let opened = match &self.api {
            Some((at, _)) if *at == address => return Ok(()),
            // One port cannot be listened on at one address and at all.
            Some((at, socket)) if at.port() == address.port() => {
                SockRef::from(socket).shutdown(Shutdown::Both)?;
                match listen(address) {
                    Ok(opened) => opened,
                    Err(error) => {
                        self.api = Some((*at, listen(*at)?));
                        return Err(error);
                    }
                }
            }
            _ => listen(address)?,
        };
        self.api = Some((address, opened));
        Ok(())
    }

    /// The API listens nowhere, once nobody has a handle of its socket.
    pub fn close_api(&mut self) {
        self.api = None;
    }

    /// A handle of the API's socket, for whoever accepts on it.
    #[must_use]
    pub fn api(&self) -> Option<TcpListener> {
        self.api.as_ref()?.1.try_clone().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PoolAccount;

    fn route(listen: &[&str]) -> RouteConfig {
        let url = "stratum+tcp://127.0.0.1:1".parse().unwrap();
        let pool = PoolAccount::new("pool".parse().unwrap(), url, "account".parse().unwrap());
        let listen = listen.iter().map(|address| address.parse().unwrap()).collect();
        let route = RouteConfig::new("hns".parse().unwrap(), "hstratum", vec![pool]);
        RouteConfig { listen, ..route }
    }

    #[test]
    fn a_socket_from_outside_goes_to_the_address_that_it_stands_for() {
        let bind = |address: &str| TcpListener::bind(address).unwrap();
        let (own, all, other) = (bind("127.0.0.1:0"), bind("0.0.0.0:0"), bind("127.0.0.1:0"));
        let port = all.local_addr().unwrap().port();
        // Where the machine has no IPv6, that is what was bound.
        let routes = [route(&[&own.local_addr().unwrap().to_string(), &format!("[::]:{port}")])];
        let mut listeners = Listeners::default();
        let twin = own.try_clone().unwrap();
        assert!(listeners.adopt(&routes, own).is_ok());
        assert!(listeners.adopt(&routes, all).is_ok());
        assert!(routes[0].listen.iter().all(|address| listeners.has(&routes[0], *address)));
        assert!(listeners.adopt(&routes, twin).is_err(), "that is taken");
        assert!(listeners.adopt(&routes, other).is_err(), "nobody wants it");
    }

    #[tokio::test]
    async fn the_api_moves_from_one_address_to_all_of_the_same_port_and_stays_where_that_fails() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = |ip: &str| SocketAddr::new(ip.parse().unwrap(), port);
        let mut listeners = Listeners::default();
        listeners.open_api(at("127.0.0.1")).unwrap();
        // A handle that somebody still accepts on.
        let _accepting = listeners.api();
        listeners.open_api(at("0.0.0.0")).unwrap();
        assert!(std::net::TcpStream::connect(at("127.0.0.1")).is_ok());
        assert!(listeners.open_api(at("192.0.2.1")).is_err());
        assert_eq!(listeners.api().unwrap().local_addr().unwrap(), at("0.0.0.0"));
        assert!(std::net::TcpStream::connect(at("127.0.0.1")).is_ok());
    }
}
