//! Sockets: how they are made, and what is refused at the door.

pub mod connect;
pub mod junk;
pub mod listen;
pub mod race;
pub mod wire;
