//! Who may connect at all, and who is not limited, by ranges of addresses.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};

/// The ranges of a route. What is not allowed or is denied is not let in; what is trusted is never
/// limited, slowed or banned, but a range that is denied as well is denied.
///
/// ```
/// use orepass_farm::limits::{Access, Admittance};
///
/// let nets = |text: &[&str]| text.iter().map(|net| net.parse().unwrap()).collect::<Vec<_>>();
/// let access = Access::new(nets(&[]), nets(&["192.0.2.0/24"]), nets(&["198.51.100.0/24"]));
/// let of = |address: &str| access.of(address.parse().unwrap());
/// assert_eq!(of("192.0.2.7"), Admittance::Denied);
/// assert_eq!(of("::ffff:198.51.100.7"), Admittance::Trusted);
/// assert_eq!(of("203.0.113.7"), Admittance::Free);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// All, where it is empty.
    allow: Ranges,
    deny: Ranges,
    trusted: Ranges,
}

/// What the ranges say of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admittance {
    /// Nothing in particular.
    Free,
    /// It is not limited.
    Trusted,
    /// It is in a range that is denied.
    Denied,
    /// It is in no range that is allowed, and some are.
    NotAllowed,
}

impl Access {
    /// The ranges of each list, by its name; those that lie beside each other are one.
    #[must_use]
    pub fn lists(&self) -> [(&'static str, &[IpNet]); 3] {
        [("allow", &*self.allow.0), ("deny", &*self.deny.0), ("trusted", &*self.trusted.0)]
    }

    /// By the ranges that may come, all where there are none; those that may not; and those that are
    /// trusted, which may come in any case unless they are denied.
    #[must_use]
    pub fn new(allow: Vec<IpNet>, deny: Vec<IpNet>, trusted: Vec<IpNet>) -> Self {
        Self { allow: Ranges::new(allow), deny: Ranges::new(deny), trusted: Ranges::new(trusted) }
    }

    /// What is said of an address.
    #[must_use]
    pub fn of(&self, address: IpAddr) -> Admittance {
        let address = address.to_canonical();
        if self.deny.contains(address) {
            Admittance::Denied
        } else if self.trusted.contains(address) {
            Admittance::Trusted
        } else if self.allow.is_empty() || self.allow.contains(address) {
            Admittance::Free
        } else {
            Admittance::NotAllowed
        }
    }

    /// Whether rigs of an address may connect.
    #[must_use]
    pub fn admits(&self, address: IpAddr) -> bool {
        matches!(self.of(address), Admittance::Free | Admittance::Trusted)
    }

    /// Whether an address is trusted.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.of(address) == Admittance::Trusted
    }
}

/// Ranges that do not overlap, in their order: however many there are, an address is found by halves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Ranges(Arc<[IpNet]>);

impl Ranges {
    fn new(nets: Vec<IpNet>) -> Self {
        let nets: Vec<IpNet> = nets.into_iter().map(canonical).collect();
        let mut nets = IpNet::aggregate(&nets);
        nets.sort_unstable_by_key(IpNet::network);
        Self(nets.into())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn contains(&self, address: IpAddr) -> bool {
        let after = self.0.partition_point(|net| net.network() <= address);
        after.checked_sub(1).is_some_and(|at| self.0[at].contains(&address))
    }
}

/// A range of IPv4 addresses that is written as one of IPv6.
fn canonical(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let address = v6.addr().to_ipv4_mapped();
    let v4 = address.zip(v6.prefix_len().checked_sub(96));
    v4.and_then(|(address, bits)| Ipv4Net::new(address, bits).ok()).map_or(net, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn of(access: &Access, address: &str) -> Admittance {
        access.of(address.parse().unwrap())
    }

    #[test]
    fn denied_weighs_more_than_trusted_and_trusted_more_than_not_allowed() {
        let access = Access::new(
            nets(&["203.0.113.0/24"]),
            nets(&["203.0.113.7/32", "10.1.0.0/16"]),
            nets(&["10.0.0.0/8"]),
        );
        assert_eq!(of(&access, "203.0.113.1"), Admittance::Free);
        assert_eq!(of(&access, "203.0.113.7"), Admittance::Denied);
        assert_eq!(of(&access, "10.2.0.1"), Admittance::Trusted);
        assert_eq!(of(&access, "10.1.0.1"), Admittance::Denied);
        assert_eq!(of(&access, "198.51.100.1"), Admittance::NotAllowed);
        assert_eq!(of(&access, "2001:db8::1"), Admittance::NotAllowed);
        assert!(access.trusts("10.2.0.1".parse().unwrap()));
        assert_eq!(of(&Access::default(), "2001:db8::1"), Admittance::Free);
    }

    #[test]
    fn ipv4_is_the_same_in_both_families() {
        let access = Access::new(vec![], nets(&["::ffff:192.0.2.0/120"]), vec![]);
        for address in ["192.0.2.9", "::ffff:192.0.2.9"] {
            assert_eq!(of(&access, address), Admittance::Denied);
        }
        assert_eq!(of(&access, "192.0.3.9"), Admittance::Free);
    }

    proptest! {
        #[test]
        fn what_is_found_by_halves_is_what_some_range_contains(
            ranges in prop::collection::vec((any::<u8>(), 4u8..=32), 0..20),
            address: u8,
        ) {
            // Few addresses, so that ranges overlap and touch.
            let at = |high: u8| IpAddr::from([high, high / 2, 7, high]);
            let nets: Vec<IpNet> =
                ranges.iter().map(|(high, bits)| IpNet::new(at(*high), *bits).unwrap()).collect();
            let expected = nets.iter().any(|net| net.contains(&at(address)));
            prop_assert_eq!(Ranges::new(nets).contains(at(address)), expected);
        }
    }
}
