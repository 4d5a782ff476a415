//! Pools whose connections do not last.

use super::*;
use PoolsEvent::Up;

/// A connection is lost and back a moment later; what was decided at its loss.
fn breaks(night: &mut Night, link: Link) -> Vec<PoolsEvent> {
    night.pools.lost(link, night.now);
    let events = night.events();
    night.now += Duration::from_millis(60);
    night.pools.up(link, night.now);
    night.events();
    events
}

/// A share is lost with the pool's connection, which comes back after so many seconds.
fn loses_a_share(night: &mut Night, seconds: u64) -> Vec<PoolsEvent> {
    night.judges(0, 1, &Err(Reject::lost()));
    breaks(night, link(0));
    night.sleep(seconds)
}

#[test]
fn a_pool_that_closes_again_and_again_is_left_with_the_sixth_time_in_a_minute() {
    let mut night = Night::calm();
    for _ in 0..5 {
        night.judges(0, 1, &Ok(()));
        assert_eq!(breaks(&mut night, link(0)), [], "five are borne");
    }
    assert_eq!(bare(breaks(&mut night, link(0))), [down(0, Cause::Losses), switched(0, 1)]);
    assert!(!night.pools.serves(0), "however often it comes back");
    assert_eq!(night.sleep(300), [Up(0)]);

    let mut night = Night::calm();
    for _ in 0..100 {
        assert_eq!(breaks(&mut night, link(0)), []);
        night.sleep(12);
    }
}

#[test]
fn a_server_that_starts_again_loses_all_its_connections_once() {
    let mut night = Night::calm();
    let links = || (0..16).map(|number| numbered(0, 100 + number));
    links().for_each(|link| night.pools.up(link, night.now));
    for _ in 0..5 {
        for link in links() {
            (0..64).for_each(|_| night.pools.verdict(link, &Err(Reject::lost()), night.now));
            night.pools.lost(link, night.now);
        }
        assert_eq!(night.events(), []);
        night.now += Duration::from_millis(200);
        links().for_each(|link| night.pools.up(link, night.now));
        links().for_each(|link| night.pools.verdict(link, &Ok(()), night.now));
        night.sleep(10);
    }
    assert!(night.pools.serves(0));
}

#[test]
fn one_connection_that_breaks_all_the_time_is_not_the_pool() {
    let mut night = Night::calm();
    let own = Link { pool: 0, number: 7, dedicated: true };
    let siblings = [own, numbered(0, 8)];
    siblings.iter().for_each(|link| night.pools.up(*link, night.now));
    for _ in 0..100 {
        for link in siblings {
            night.pools.verdict(own, &Err(Reject::lost()), night.now);
            assert_eq!(breaks(&mut night, link), []);
        }
    }
    assert!(night.pools.serves(0));
}

#[test]
fn a_pool_that_loses_most_shares_slowly_is_left_too() {
    let mut night = Night::calm();
    let mut events = Vec::new();
    for _ in 0..19 {
        events.extend(loses_a_share(&mut night, 30));
    }
    assert_eq!(events, []);
    let events = night.judges(0, 1, &Err(Reject::lost()));
    let PoolsEvent::Down { cause: Cause::Losses, evidence, .. } = &events[0] else {
        panic!("{events:?}");
    };
    assert_eq!((evidence.lost, evidence.refused, evidence.of), (20, 0, 20));
    assert_eq!(events[1], switched(0, 1));
}

#[test]
fn shares_that_were_lost_at_once_are_one_loss() {
    let mut night = Night::calm();
    for _ in 0..2 {
        assert_eq!(night.judges(0, 200, &Err(Reject::lost())), []);
        night.sleep(5);
    }
    assert_eq!(night.judges(0, 1, &Ok(())), []);
}

#[test]
fn a_sole_pool_that_closes_all_the_time_is_kept_and_that_is_said() {
    let mut night = Night::new(PoolsConfig::in_order(2));
    night.up(0);
    let mut events = Vec::new();
    for _ in 0..100 {
        events.extend(breaks(&mut night, link(0)));
        events.extend(night.sleep(1));
    }
    assert_eq!(bare(events), [kept(0, Cause::Losses)]);
    assert_eq!(night.pools.shares(), [1.0, 0.0]);
}

#[test]
fn of_two_pools_that_close_all_the_time_the_one_that_is_connected_is_used() {
    let mut night = Night::calm();
    (0..6).for_each(|_| drop(breaks(&mut night, link(0))));
    (0..5).for_each(|_| assert_eq!(breaks(&mut night, link(1)), []));
    night.pools.lost(link(1), night.now);
    let events = [down(1, Cause::Losses), Up(0), switched(1, 0)];
    assert_eq!(bare(night.events()), events);
}
