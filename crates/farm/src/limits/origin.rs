//! Whom an address belongs to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whom an address belongs to, as far as it can be told: one IPv6 host has a whole /64, and an IPv4
/// address is the same one however it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// The first half of an IPv6 address.
    V6(u64),
}

impl Origin {
    /// Of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6((Ipv6Addr::to_bits(address) >> 64) as u64),
        }
    }
}

/// Whether an address is of a network of one's own: loopback, private, link-local or unique local.
#[must_use]
pub const fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}
