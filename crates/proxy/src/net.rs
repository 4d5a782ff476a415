//! Sockets: how they are made and secured, and what is refused at the door.

pub mod connect;
pub mod front;
pub mod junk;
pub mod listen;
pub mod proxy_protocol;
pub mod race;
pub mod socks;
pub mod tls;
pub mod wire;
