use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::dialect::Fingerprint;
use crate::seen::Sighting;

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7));
const ANYONE: Wish<'static> = Wish { slot: None, address: None, worker: None };
const OPEN: usize = 6;

fn key(work: &str) -> WorkKey {
    WorkKey::of(work)
}

fn wish(slot: u64) -> Wish<'static> {
    Wish { slot: Some(slot), ..ANYONE }
}

fn from(worker: &str) -> Wish<'_> {
    Wish { address: Some(HOME), worker: Some(worker), ..ANYONE }
}

/// The verdict of the lease's filter on a share for a work, which it remembers.
fn sent(lease: &mut Lease, work: WorkNumber, share: u64) -> Sighting {
    let print = Fingerprint { share, nonce: None };
    let seen = lease.filters_mut().of_mut(work).unwrap();
    let sighting = seen.look_up(print);
    seen.insert(print);
    sighting
}

#[test]
fn a_used_prefix_rests_until_other_work() {
    let space = Space::new(0, 10);
    let (a, b) = (space.number(key("a")), space.number(key("b")));
    let mut lease = space.lease(&ANYONE, Some(a)).unwrap();
    assert!(lease.prefix().is_empty());
    assert_eq!(lease.may_tell(a), Permission::First);
    assert!(lease.tell(a, OPEN));
    assert_eq!(lease.may_tell(a), Permission::Again, "what is sent for it is known");
    assert_eq!(space.lease(&ANYONE, Some(a)).unwrap_err(), NoLease::Full);
    drop(lease);
    assert_eq!(space.lease(&ANYONE, Some(a)).unwrap_err(), NoLease::Resting);
    assert_eq!(space.lease(&ANYONE, None).unwrap_err(), NoLease::Resting);
    assert!(space.lease(&ANYONE, Some(b)).is_ok());
}

#[test]
fn a_rig_gets_its_former_prefix_again_if_it_is_free_and_rested() {
    let space = Space::new(1, 250);
    let a = space.number(key("a"));
    let work = Some(a);
    let mut former = space.lease(&wish(5), work).unwrap();
    assert_eq!((former.number(), &former.prefix()[..]), (5, &[5][..]));
    assert_ne!(space.lease(&wish(5), work).unwrap().number(), 5, "it is lent");
    assert!(former.tell(a, OPEN));
    drop(former);
    assert_ne!(space.lease(&wish(5), work).unwrap().number(), 5, "it rests");
    let next = Some(space.number(key("b")));
    assert_eq!(space.lease(&wish(5), next).unwrap().number(), 5);
    assert!(space.lease(&wish(256), next).unwrap().number() < 250, "there is no such");
    assert!((0..5).contains(&space.lease(&wish(3), next).unwrap().number()));
}

#[test]
fn a_lease_comes_back_from_a_panicking_thread() {
    let space = Space::new(1, 250);
    let inner = space.clone();
    let panicked = std::thread::spawn(move || {
        let _lease = inner.lease(&ANYONE, None).unwrap();
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    assert_eq!(space.lent(), 0);
}

#[test]
fn a_work_that_comes_back_is_the_same_work() {
    let space = Space::new(1, 250);
    let a = space.number(key("a"));
    let b = space.number(key("b"));
    assert_eq!(space.number(key("a")), a);
    let mut lease = space.lease(&ANYONE, Some(a)).unwrap();
    assert!(lease.tell(a, OPEN) && lease.tell(b, OPEN));
    assert_eq!(lease.may_tell(a), Permission::Again);
    for other in 0..MAX_WORKS {
        let _ = space.number(key(&format!("other {other}")));
    }
    assert_ne!(space.number(key("a")), a, "it is forgotten after so many others");
}

#[test]
fn a_rig_has_another_lease_for_a_work_that_comes_back_while_there_are_plenty() {
    let space = Space::new(1, 250);
    let (a, b) = (space.number(key("a")), space.number(key("b")));
    let mut rigs: Vec<Lease> = (0..100).map(|_| space.lease(&ANYONE, Some(a)).unwrap()).collect();
    assert!(rigs.iter_mut().all(|rig| rig.tell(a, OPEN) && rig.tell(b, OPEN)));
    let mut moved = Vec::new();
    for rig in &rigs {
        let Some(mut other) = rig.exchange(a) else { break };
        assert_eq!(other.may_tell(a), Permission::First);
        assert!(other.tell(a, OPEN));
        moved.push(other);
    }
    assert_eq!(moved.len(), 156 - 64, "until a quarter of the 256 is left");
    assert_eq!(rigs[0].may_tell(a), Permission::Again);
}

#[test]
fn a_work_that_comes_back_is_not_told_where_another_rig_was_told_it() {
    let space = Space::new(1, 250);
    let [a, b, c] = ["a", "b", "c"].map(|work| space.number(key(work)));
    let (first, second): (Arc<str>, Arc<str>) = ("farm.1".into(), "farm.2".into());
    let mut lease = space.lease(&from(&first), Some(a)).unwrap();
    lease.belongs_to(HOME, Some(&first));
    assert!(lease.tell(a, OPEN));
    drop(lease);
    let mut lease = space.lease(&from(&second), Some(b)).unwrap();
    lease.belongs_to(HOME, Some(&second));
    assert_eq!(lease.number(), 0, "one that was used before goes first");
    assert!(lease.tell(b, OPEN));
    assert_eq!((lease.may_tell(a), lease.may_tell(b)), (Permission::Never, Permission::Again));
    assert!(!lease.tell(a, OPEN), "the pool has gone back to it");
    assert_eq!(lease.exchange(a).unwrap().may_tell(a), Permission::First);
    drop(lease);
    // That holds too when it is lent to its last tenant again.
    let mut lease = space.lease(&Wish { slot: Some(0), ..from(&second) }, Some(c)).unwrap();
    lease.belongs_to(HOME, Some(&second));
    assert_eq!((lease.may_tell(a), lease.may_tell(b)), (Permission::Never, Permission::Again));
}

#[test]
fn a_rig_that_comes_back_is_no_other_and_a_lease_that_was_not_used_is_as_before() {
    let space = Space::new(0, 1);
    let [a, b] = ["a", "b"].map(|work| space.number(key(work)));
    let (rig, other): (Arc<str>, Arc<str>) = ("farm.1".into(), "farm.2".into());
    // Firmware that subscribes first says only then who works.
    let come = |worker: &Arc<str>, work| {
        let wish = Wish { address: Some(HOME), ..ANYONE };
        let mut lease = space.lease(&wish, Some(work)).unwrap();
        lease.belongs_to(HOME, None);
        lease.belongs_to_worker(worker);
        lease
    };
    assert!(come(&rig, a).tell(a, OPEN));
    drop(come(&other, b));
    let mut lease = come(&rig, b);
    assert!(lease.tell(b, OPEN));
    assert_eq!(lease.may_tell(a), Permission::Again, "its own");
    drop(lease);
    let c = space.number(key("c"));
    assert_eq!(come(&other, c).may_tell(b), Permission::Never);
}

#[test]
fn rigs_that_come_back_within_a_work_get_their_own_leases_and_filters() {
    let space = Space::new(1, 250);
    let work = space.number(key("a"));
    let names: Vec<Arc<str>> = (0..250).map(|rig| format!("farm.{rig}").into()).collect();
    let mut rigs = Vec::new();
    for (name, share) in names.iter().zip(0..) {
        let mut lease = space.lease(&from(name), Some(work)).unwrap();
        lease.belongs_to(HOME, Some(name));
        assert!(lease.tell(work, OPEN));
        assert_eq!(sent(&mut lease, work, share), Sighting::New);
        rigs.push(lease);
    }
    let numbers: Vec<u64> = rigs.iter().map(Lease::number).collect();
    drop(rigs);
    // All 250, where only six were never lent.
    for (at, name) in names.iter().enumerate().rev() {
        let mut lease = space.lease(&from(name), Some(work)).unwrap();
        assert_eq!(lease.number(), numbers[at], "{name}");
        assert!(lease.tell(work, OPEN));
        assert_eq!(sent(&mut lease, work, at as u64), Sighting::Duplicate);
        std::mem::forget(lease);
    }
}

#[test]
fn a_rig_that_has_not_said_who_it_is_gets_a_lease_of_its_address() {
    let space = Space::new(1, 250);
    let work = space.number(key("a"));
    let elsewhere = Wish { address: "10.0.0.8".parse().ok(), ..ANYONE };
    for _ in 0..250 {
        let mut lease = space.lease(&ANYONE, Some(work)).unwrap();
        assert!(lease.tell(work, OPEN));
        lease.belongs_to(HOME, None);
    }
    let there = Wish { address: Some(HOME), ..ANYONE };
    let lease = space.lease(&there, Some(work)).unwrap();
    assert_eq!(lease.may_tell(work), Permission::Again);
    let stranger: Vec<_> =
        std::iter::from_fn(|| space.lease(&elsewhere, Some(work)).ok()).take(300).collect();
    assert_eq!(stranger.len(), 6, "a stranger gets what was never lent");
}

#[test]
fn a_lease_whose_filter_cannot_be_kept_rests() {
    let space = Space::new(0, 1);
    let work = space.number(key("a"));
    let there = Wish { address: Some(HOME), ..ANYONE };
    let mut lease = space.lease(&there, Some(work)).unwrap();
    lease.belongs_to(HOME, None);
    assert!(lease.tell(work, OPEN));
    for share in 0..MAX_KEPT as u64 + 1 {
        sent(&mut lease, work, share);
    }
    drop(lease);
    assert_eq!(space.lease(&there, Some(work)).unwrap_err(), NoLease::Resting);
    let next = space.number(key("b"));
    let mut lease = space.lease(&there, Some(next)).unwrap();
    assert!(lease.tell(next, OPEN));
    assert_eq!(lease.may_tell(work), Permission::Never);
    assert!(!lease.tell(work, OPEN));
}

#[test]
fn a_million_connections_cost_no_more_than_those_of_one_work() {
    let space = Space::new(4, 250);
    for number in 0..1000 {
        let work = space.number(key(&format!("{number}")));
        for _ in 0..100 {
            assert!(space.lease(&ANYONE, Some(work)).unwrap().tell(work, OPEN));
        }
    }
    assert!(space.ledger().len() <= 100, "{}", space.ledger().len());
}

#[test]
fn what_was_sent_for_works_that_cannot_come_back_is_forgotten() {
    let space = Space::new(2, 1000);
    let work = space.number(key("first"));
    let mut leases: Vec<_> = (0..1000).map(|_| space.lease(&ANYONE, Some(work)).unwrap()).collect();
    for (share, lease) in (0..).zip(&mut leases) {
        assert!(lease.tell(work, OPEN));
        sent(lease, work, share);
    }
    drop(leases);
    let mut kept = Vec::new();
    for number in 0..MAX_WORKS + 4 {
        let _ = space.number(key(&format!("{number}")));
        kept.push(space.ledger().kept());
    }
    assert_eq!(kept[MAX_WORKS - 2], 1000, "it may still come back");
    assert_eq!(kept[MAX_WORKS - 1..MAX_WORKS + 3], [744, 488, 232, 0], "some at a time");
}

/// What a rig has been told under which prefix, and what it has sent.
#[derive(Default)]
struct Witness {
    told: BTreeMap<Prefix, BTreeSet<WorkNumber>>,
    sent: BTreeSet<(Prefix, WorkNumber, u64)>,
}

proptest! {
    /// Whatever the order of leasing, telling, sending, coming back and releasing: no prefix is out
    /// twice, and nothing that was sent for a work under a prefix passes a second time.
    #[test]
    fn nothing_is_done_twice(steps in prop::collection::vec((0_u8..6, any::<prop::sample::Index>(), 0_usize..5), 1..300)) {
        let space = Space::new(1, 40);
        let mut current = space.number(key("0"));
        let mut out: Vec<Lease> = Vec::new();
        let mut witness = Witness::default();
        for (step, index, small) in steps {
            match step {
                0 | 1 => {
                    let address = [None, Some(HOME)][small % 2];
                    let wish = Wish { address, slot: (small == 4).then_some(7), worker: None };
                    if let Ok(mut lease) = space.lease(&wish, Some(current)) {
                        prop_assert!(out.iter().all(|other| other.prefix() != lease.prefix()));
                        prop_assert_ne!(lease.may_tell(current), Permission::Never);
                        lease.belongs_to(HOME, None);
                        out.push(lease);
                    }
                }
                2 if !out.is_empty() => drop(out.swap_remove(index.index(out.len()))),
                3 => current = space.number(key(&small.to_string())),
                4 => current = space.number(key(&format!("{index:?}"))),
                _ => for lease in &mut out {
                    let permission = lease.may_tell(current);
                    let told = witness.told.entry(lease.prefix().clone()).or_default();
                    if permission == Permission::First {
                        prop_assert!(!told.contains(&current), "told twice as if new");
                    }
                    if lease.tell(current, OPEN) {
                        told.insert(current);
                        let what = (lease.prefix().clone(), current, small as u64);
                        let new = witness.sent.insert(what);
                        let sighting = sent(lease, current, small as u64);
                        prop_assert_eq!(sighting == Sighting::New, new);
                    }
                },
            }
            prop_assert_eq!(space.lent(), out.len() as u64);
        }
    }
}
