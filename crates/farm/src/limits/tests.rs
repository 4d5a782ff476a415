//! Stories of connections at made-up times.

use std::net::{Ipv4Addr, Ipv6Addr};

use orepass_stratum::testing::start;
use proptest::prelude::*;

use super::*;

const DAY: Duration = HALVED_AFTER;

/// An address that is nobody's own network.
fn public(n: u32) -> IpAddr {
    Ipv4Addr::from_bits(0xcb00_0000 + n).into()
}

struct Story {
    limits: Limits,
    access: Access,
    now: Instant,
    inside: Vec<(IpAddr, Stay)>,
}

impl Story {
    fn new(wishes: LimitWishes) -> Self {
        let (now, access) = (start(), Access::default());
        Self { limits: Limits::new(wishes, now), access, now, inside: Vec::new() }
    }

    fn come(&mut self, address: IpAddr) -> Result<Trust, Limit> {
        let entered = self.limits.enter(address, &self.access, self.now);
        entered.map_err(|refusal| refusal.limit).map(|stay| {
            self.inside.push((address, stay));
            stay.trust
        })
    }

    /// How many of so many are let in.
    fn crowd(&mut self, address: IpAddr, count: usize) -> usize {
        (0..count).filter(|_| self.come(address).is_ok()).count()
    }

    fn all_prove(&mut self) {
        for (address, stay) in &mut self.inside {
            self.limits.proven(*address, stay, self.now);
        }
    }

    fn all_leave(&mut self) {
        for (address, stay) in self.inside.drain(..) {
            self.limits.leave(address, stay, self.now);
        }
        assert_eq!(self.limits.open(), 0);
    }
}

fn few() -> LimitWishes {
    LimitWishes { unproven_per_address: 10, ..LimitWishes::default() }
}

#[test]
fn an_address_may_have_so_many_that_have_proven_nothing_and_any_number_that_have() {
    let mut story = Story::new(few());
    assert_eq!(story.crowd(public(1), 50), 10);
    assert_eq!(story.come(public(1)), Err(Limit::UnprovenPerAddress));
    assert_eq!(story.come(public(2)), Ok(Trust::Stranger), "another address is not concerned");
    for round in 1..=5 {
        story.all_prove();
        assert!(story.crowd(public(1), 10 * round) >= 10);
    }
    assert!(story.limits.open() >= 160);
}

#[test]
fn ten_thousand_rigs_of_one_address_come_back_at_once_and_none_is_refused() {
    let mut story = Story::new(LimitWishes::default());
    let home = public(7);
    // On the first day they come as they prove work.
    while story.inside.len() < 10_000 {
        let missing = 10_000 - story.inside.len();
        assert!(story.crowd(home, missing) > 0);
        story.all_prove();
    }
    for pause in [Duration::ZERO, Duration::from_secs(5), Duration::from_secs(12 * 3600), DAY] {
        story.all_leave();
        story.now += pause;
        assert_eq!(story.crowd(home, 10_000), 10_000);
        assert!(story.inside.iter().all(|(_, stay)| stay.trust == Trust::Known));
        story.all_prove();
    }
}

#[test]
fn what_an_address_has_proven_is_forgotten_by_halves() {
    let mut story = Story::new(few());
    story.crowd(public(1), 10);
    story.all_prove();
    story.all_leave();
    assert_eq!(story.crowd(public(1), 100), 10 + 2 * 10);
    story.all_leave();
    story.now += DAY;
    assert_eq!(story.crowd(public(1), 100), 10 + 2 * 5);
    story.all_leave();
    story.now += 10 * DAY;
    assert_eq!(story.crowd(public(1), 100), 10);
    story.all_leave();
    assert_eq!(story.limits.addresses(), 0);
}

#[test]
fn a_farm_that_mined_before_a_restart_comes_back_whole() {
    let mut story = Story::new(few());
    (0..3000).for_each(|_| story.limits.handle_remembered(public(1), 1, story.now));
    assert_eq!(story.crowd(public(1), 3000), 3000);
    assert_eq!(story.crowd(public(2), 3000), 10);
    story.all_leave();
}

#[test]
fn one_cheap_share_opens_no_door_for_a_crowd() {
    let mut story = Story::new(few());
    story.crowd(public(1), 1);
    story.all_prove();
    assert_eq!(story.crowd(public(1), 1000), 10 + 2);
    let known = story.inside.iter().filter(|(_, stay)| stay.trust == Trust::Known).count();
    assert_eq!(known, 2);
}

#[test]
fn networks_of_ones_own_are_not_limited_by_address_unless_a_key_says_so() {
    let own = ["127.0.0.1", "10.0.0.1", "192.168.3.4", "172.16.0.1", "169.254.1.1"];
    let own = own.into_iter().chain(["::1", "fd00::1", "fe80::1", "::ffff:10.0.0.1"]);
    let own: Vec<IpAddr> = own.map(|address| address.parse().unwrap()).collect();
    let mut story = Story::new(few());
    for address in &own {
        assert_eq!(story.crowd(*address, 100), 100, "{address}");
        assert_eq!(story.come(*address), Ok(Trust::Known));
    }
    let mut story = Story::new(LimitWishes { limit_private: true, ..few() });
    assert_eq!(story.crowd(own[0], 100), 10);
    assert_eq!(story.inside[0].1.trust, Trust::Stranger);
    for public in ["8.8.8.8", "172.32.0.1", "2001:db8::1"] {
        assert!(!is_private(public.parse().unwrap()), "{public}");
    }
}

#[test]
fn ipv6_is_counted_by_64_bits() {
    let mut story = Story::new(few());
    let host = |n: u128| IpAddr::from(Ipv6Addr::from_bits((0x2001_0db8 << 96) + n));
    let mut entered = 0;
    for n in 0..1000 {
        entered += usize::from(story.come(host(n)).is_ok());
    }
    assert_eq!(entered, 10);
    assert_eq!(story.crowd(host(1 << 64), 1000), 10, "the next /64 is somebody else");
}

#[test]
fn ranges_are_let_in_refused_and_trusted() {
    let mut story = Story::new(LimitWishes { accepts_per_second: 1, ..few() });
    let nets = |text: &str| vec![text.parse().unwrap()];
    story.access = Access::new(vec![], nets("203.0.113.0/25"), nets("203.0.113.128/25"));
    let (denied, trusted) = ("203.0.113.1".parse().unwrap(), "203.0.113.200".parse().unwrap());
    assert_eq!(story.come(denied), Err(Limit::Deny));
    assert_eq!(story.limits.knock(denied, &story.access, story.now), Knock::Denied);
    assert_eq!(story.crowd(trusted, 1000), 1000);
    assert_eq!(story.come(trusted), Ok(Trust::Trusted));
    for _ in 0..100 {
        assert_eq!(story.limits.knock(trusted, &story.access, story.now), Knock::Enter);
    }
    story.access = Access::new(nets("203.0.113.0/24"), vec![], vec![]);
    assert_eq!(story.come(public(1)), Err(Limit::Allow));
    // What stands between rigs and us need not be among the rigs' own ranges.
    assert_eq!(story.limits.knock(public(1), &story.access, story.now), Knock::Enter);
}

#[test]
fn more_than_so_many_a_second_wait_and_none_is_refused() {
    let mut story = Story::new(LimitWishes { accepts_per_second: 100, ..few() });
    let (began, mut waits) = (story.now, 0);
    for n in 0..1000 {
        if let Knock::Later(wait) = story.limits.knock(public(n), &story.access, story.now) {
            waits += 1;
            story.now += wait;
        }
    }
    assert_eq!(waits, 900);
    assert_eq!(story.now - began, Duration::from_secs(9));
}

#[test]
fn strangers_leave_a_part_of_all_places_to_those_that_are_known() {
    let mut story = Story::new(LimitWishes { connections: Some(100), ..few() });
    let strangers = (0..1000).filter(|n| story.come(public(*n)).is_ok()).count();
    assert_eq!(strangers, 90);
    assert_eq!(story.come(public(5)), Err(Limit::Connections));
    let own = "10.0.0.1".parse().unwrap();
    assert_eq!(story.crowd(own, 1000), 10);
    assert_eq!(story.come(own), Err(Limit::Connections));
    // Changed while they are in, which closes nobody.
    story.limits.handle_wishes(LimitWishes { connections: Some(50), ..few() });
    assert_eq!((story.limits.open(), story.come(own)), (100, Err(Limit::Connections)));
    story.limits.handle_wishes(few());
    assert_eq!(story.come(own), Ok(Trust::Known));
    story.all_leave();
}

#[test]
fn the_table_is_bounded_and_forgets_strangers_first_and_nobody_who_is_in() {
    let mut story = Story::new(few());
    let (at_work, away) = (public(1), public(2));
    story.crowd(away, 5);
    story.all_prove();
    story.all_leave();
    story.now += Duration::from_secs(1);
    story.crowd(at_work, 5);
    story.all_prove();
    // Who comes and goes without work leaves nothing.
    for n in 0..200_000 {
        let address = public(1000 + n);
        let stay = story.limits.enter(address, &story.access, story.now).unwrap();
        story.limits.leave(address, stay, story.now);
    }
    assert_eq!(story.limits.addresses(), 2);
    // Who stays takes the places of those that are away, and no others.
    for n in 0..70_000 {
        assert_eq!(story.come(public(1000 + n)), Ok(Trust::Stranger));
    }
    assert_eq!(story.limits.addresses(), MAX_ADDRESSES);
    assert_eq!(story.crowd(at_work, 100), 10 + 2 * 5);
    assert_eq!(story.come(away), Ok(Trust::Stranger), "it was forgotten");
    story.all_leave();
    assert_eq!(story.limits.addresses(), 1, "of {at_work} it is known that it mines");
}

proptest! {
    /// Against a model that counts who is in.
    #[test]
    fn whatever_happens_the_counts_are_those_of_who_is_in(
        steps in prop::collection::vec((0u8..4, 0u32..5, 0u64..100_000), 1..300)
    ) {
        let mut story = Story::new(LimitWishes { connections: Some(40), ..few() });
        for (what, who, pause) in steps {
            story.now += Duration::from_secs(pause);
            let mine = |story: &Story| {
                story.inside.iter().rposition(|(address, _)| *address == public(who))
            };
            match what {
                0 | 1 => { let _ = story.come(public(who)); }
                2 => if let Some(at) = mine(&story) {
                    let (address, stay) = &mut story.inside[at];
                    story.limits.proven(*address, stay, story.now);
                },
                _ => if let Some(at) = mine(&story) {
                    let (address, stay) = story.inside.remove(at);
                    story.limits.leave(address, stay, story.now);
                },
            }
            prop_assert_eq!(story.limits.open(), story.inside.len());
            for (origin, known) in &story.limits.addresses {
                let of = |proven| story.inside.iter().filter(|(address, stay)| {
                    Origin::of(*address) == *origin && stay.proven == proven
                }).count() as u32;
                prop_assert_eq!((known.unproven, known.proven), (of(false), of(true)));
                let idle = story.limits.idle.contains(&(known.left, *origin));
                prop_assert_eq!(idle, known.unproven + known.proven == 0);
            }
        }
        story.all_leave();
    }
}
