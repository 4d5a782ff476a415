//! Which of a name's addresses is tried when (RFC 8305): so that one that is dead, or swallows
//! packets, does not stand before one that answers.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use orepass_stratum::time::Instant;

/// The wait for an answer before the next address is tried beside this one.
pub const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// The most addresses of a name that are tried; a server has a few, a mistake may have hundreds.
pub const MAX_ADDRESSES: usize = 8;

/// Attempts to reach one server by its addresses. The first that succeeds wins, and whoever drives
/// this drops the others.
///
/// Whoever drives it calls [`poll_start`](Self::poll_start) until it gives none, and again at
/// [`poll_timeout`](Self::poll_timeout) and after each failure.
#[derive(Debug)]
pub struct Race {
    waiting: VecDeque<SocketAddr>,
    running: Vec<SocketAddr>,
    failed: Vec<Failure>,
    next_at: Instant,
    until: Instant,
}

/// An address that could not be connected to.
#[derive(Debug)]
pub struct Failure {
    /// Which one.
    pub address: SocketAddr,
    /// Why; `None` where no answer came in time.
    pub error: Option<io::Error>,
}

impl Race {
    /// A race between addresses in the resolver's order, which ends at `until`.
    #[must_use]
    pub fn new(
        addresses: impl IntoIterator<Item = SocketAddr>,
        now: Instant,
        until: Instant,
    ) -> Self {
        let waiting = interleaved(addresses);
        Self { waiting, running: Vec::new(), failed: Vec::new(), next_at: now, until }
    }

    /// An address that is to be tried now.
    pub fn poll_start(&mut self, now: Instant) -> Option<SocketAddr> {
        if now < self.next_at || now >= self.until {
            return None;
        }
        let address = self.waiting.pop_front()?;
        self.running.push(address);
        self.next_at = now + ATTEMPT_DELAY;
        Some(address)
    }

    /// An attempt failed: the next one need not wait.
    pub fn handle_failed(&mut self, address: SocketAddr, error: io::Error, now: Instant) {
        self.running.retain(|running| *running != address);
        self.failed.push(Failure { address, error: Some(error) });
        self.next_at = now;
    }

    /// When the next attempt is due, or the race ends; `None` once it is lost.
    #[must_use]
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let over = now >= self.until || self.waiting.is_empty() && self.running.is_empty();
        let next = if self.waiting.is_empty() { self.until } else { self.next_at.min(self.until) };
        (!over).then_some(next)
    }

    /// What became of the addresses that were tried, those last that did not answer.
    #[must_use]
    pub fn into_failures(mut self) -> Vec<Failure> {
        let silent = self.running.into_iter().map(|address| Failure { address, error: None });
        self.failed.extend(silent);
        self.failed
    }
}

/// The addresses, each once, families in turn: where one of them does not work at all, the second
/// attempt is of the other. The resolver's first goes first.
fn interleaved(addresses: impl IntoIterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let mut addresses = addresses.into_iter().peekable();
    let v6_first = addresses.peek().is_some_and(SocketAddr::is_ipv6);
    let mut families: [VecDeque<SocketAddr>; 2] = Default::default();
    for address in addresses {
        let family = &mut families[usize::from(address.is_ipv6() != v6_first)];
        if !family.contains(&address) && family.len() < MAX_ADDRESSES {
            family.push_back(address);
        }
    }
    let mut order = VecDeque::new();
    while order.len() < MAX_ADDRESSES && families.iter().any(|family| !family.is_empty()) {
        order.extend(families.iter_mut().filter_map(VecDeque::pop_front));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_secs(5);

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 3008)).collect()
    }

    fn refused() -> io::Error {
        io::ErrorKind::ConnectionRefused.into()
    }

    /// What is tried when, in milliseconds, where nothing ever answers; and when it is over.
    fn silent(texts: &[&str]) -> (Vec<(u128, String)>, u128) {
        let start = crate::clock::now();
        let mut race = Race::new(addresses(texts), start, start + WITHIN);
        let (mut tried, mut now) = (Vec::new(), start);
        loop {
            while let Some(address) = race.poll_start(now) {
                tried.push(((now - start).as_millis(), address.ip().to_string()));
            }
            match race.poll_timeout(now) {
                Some(at) => now = at,
                None => return (tried, (now - start).as_millis()),
            }
        }
    }

    fn at(millis: u128, address: &str) -> (u128, String) {
        (millis, address.to_owned())
    }

    #[test]
    fn an_address_that_swallows_packets_does_not_stand_before_the_next() {
        let (tried, over) = silent(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
        assert_eq!(tried, [at(0, "192.0.2.1"), at(250, "192.0.2.2"), at(500, "192.0.2.3")]);
        assert_eq!(over, 5000);
    }

    #[test]
    fn families_are_tried_in_turn_and_the_resolvers_first_goes_first() {
        let given = ["2001:db8::1", "2001:db8::2", "2001:db8::1", "192.0.2.1", "192.0.2.2"];
        let (tried, _) = silent(&given);
        let order: Vec<&str> = tried.iter().map(|(_, address)| &**address).collect();
        assert_eq!(order, ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"]);
    }

    #[test]
    fn of_many_addresses_eight_are_tried_of_both_families() {
        let many: Vec<String> = (1..=100).map(|n| format!("192.0.2.{n}")).collect();
        let mut many: Vec<&str> = many.iter().map(|text| &**text).collect();
        many.push("2001:db8::1");
        let (tried, _) = silent(&many);
        assert_eq!(tried.len(), MAX_ADDRESSES);
        assert_eq!(tried[1], at(250, "2001:db8::1"));
    }

    #[test]
    fn a_failure_has_the_next_tried_at_once_and_all_are_named_in_the_end() {
        let start = crate::clock::now();
        let all = addresses(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
        let mut race = Race::new(all.clone(), start, start + WITHIN);
        assert_eq!(race.poll_start(start), Some(all[0]));
        assert_eq!(race.poll_start(start), None, "it has its quarter of a second");
        race.handle_failed(all[0], refused(), start);
        assert_eq!(race.poll_start(start), Some(all[1]));
        let later = race.poll_timeout(start).unwrap();
        assert_eq!(race.poll_start(later), Some(all[2]));
        race.handle_failed(all[2], refused(), later);
        // The second may still answer.
        assert_eq!(race.poll_timeout(later), Some(start + WITHIN));
        assert_eq!(race.poll_timeout(start + WITHIN), None);
        let failures = race.into_failures();
        let named: Vec<_> = failures.iter().map(|failure| failure.address).collect();
        assert_eq!(named, [all[0], all[2], all[1]]);
        assert!(failures[2].error.is_none());
    }

    #[test]
    fn a_race_is_lost_when_all_have_failed_or_there_was_nobody() {
        let start = crate::clock::now();
        let all = addresses(&["192.0.2.1"]);
        let mut race = Race::new(all.clone(), start, start + WITHIN);
        race.poll_start(start);
        race.handle_failed(all[0], refused(), start);
        assert_eq!(race.poll_timeout(start), None);
        assert_eq!(Race::new([], start, start + WITHIN).poll_timeout(start), None);
    }
}
