//! Work that comes back, and rigs that do.

use super::*;
use crate::conduct::Turn;

/// Which rig extranonce1 stands in an answered subscribe or a `mining.set_extranonce`.
fn given(heard: &str) -> &str {
    let at = heard.find("aabbccdd").unwrap_or_else(|| panic!("{heard}"));
    &heard[at..at + 10]
}

#[test]
fn a_rig_that_comes_back_gets_another_lease_while_there_are_plenty() {
    let mut story = Story::new(DownstreamConfig::default());
    story.work("p1", "w1", 256.0);
    story.log_in();
    assert_eq!(story.rig.slot(), Some(0));
    story.come_back();
    assert_eq!(story.rig.slot(), Some(1));
}

#[test]
fn a_mass_return_gives_each_rig_its_own_lease_with_what_it_sent() {
    let mut story = Story::new(DownstreamConfig::default());
    story.work("p1", "w1", 256.0);
    story.log_in();
    // More than three quarters of the leases have been told the work.
    let quarter = 192;
    let mut others: Vec<_> =
        (0..quarter).map(|_| story.view.seat(&Wish::default()).unwrap()).collect();
    for seat in &mut others {
        assert!(seat.lease.tell(story.view.work.as_ref().unwrap().work, 4));
    }
    drop(others);
    assert_eq!(story.submit(3, "6b000000", "000001", GOOD), "");
    story.judged(&Ok(()));
    story.come_back();
    assert_eq!(story.rig.slot(), Some(0), "its own");
    story.events();
    let heard = story.submit(3, "6b000001", "000001", GOOD);
    assert!(heard.contains("[22,"), "what it repeats does not reach the pool: {heard}");
    for at in 0..1_000 {
        story.submit(at, "6b000001", "000001", GOOD);
    }
    assert!(!story.rig.is_closed());
    let conduct = |event: &Event| matches!(event, Event::Conduct(Turn::Quarantined, _));
    assert!(!story.events().iter().any(conduct), "and counts against nobody");
    assert_eq!(story.submit(4, "6b000001", "000002", GOOD), "", "what is new does");
}

#[test]
fn a_work_that_comes_back_moves_a_rig_that_can_be_moved() {
    for moves in [true, false] {
        let mut story = Story::mining(DownstreamConfig::default());
        if moves {
            story.says("{\"id\":4,\"method\":\"mining.extranonce.subscribe\",\"params\":[]}");
        }
        assert_eq!(story.submit(3, "6b000000", "000001", GOOD), "");
        story.judged(&Ok(()));
        story.work("p1", "w2", 256.0);
        story.show();
        story.work("p1", "w1", 256.0);
        let heard = story.show();
        if moves {
            assert!(heard.contains("mining.set_extranonce"), "{heard}");
            assert_eq!(given(&heard), "aabbccdd01");
        } else {
            assert!(!heard.contains("mining.set_extranonce"), "{heard}");
        }
        assert!(heard.contains("[\"6b000002\",\"p1\",\"w1\""), "{heard}");
        let heard = story.submit(4, "6b000002", "000001", GOOD);
        assert_eq!(heard.contains("[22,"), !moves, "{heard}");
        let prefix = story.forwarded.take().map(|submission| submission.prefix[0]);
        assert_eq!(prefix, moves.then_some(1));
    }
}

#[test]
fn a_rig_that_subscribes_twice_gets_its_job_again() {
    for moves in [true, false] {
        let mut story = Story::mining(DownstreamConfig::default());
        if moves {
            story.says("{\"id\":4,\"method\":\"mining.extranonce.subscribe\",\"params\":[]}");
        }
        story.submit(3, "6b000000", "000001", GOOD);
        story.judged(&Ok(()));
        let heard = story.says("{\"id\":5,\"method\":\"mining.subscribe\",\"params\":[\"rig/1\"]}");
        let lines: Vec<_> = heard.lines().collect();
        assert!(lines[0].starts_with("{\"id\":5,\"result\":[\"2a\",\"aabbccdd00\",3]"), "{heard}");
        assert_eq!(heard.contains("mining.set_extranonce"), moves, "{heard}");
        assert!(heard.contains("mining.set_difficulty"), "{heard}");
        assert!(lines.last().unwrap().contains("[\"6b000001\",\"p1\",\"w1\",true]"), "{heard}");
        let heard = story.submit(6, "6b000001", "000001", GOOD);
        assert_eq!(heard.contains("[22,"), !moves, "{heard}");
        // Shares of what it was told before are still its own.
        assert!(story.submit(7, "6b000000", "000001", GOOD).contains("[22,"));
        assert_eq!(story.submit(8, "6b000000", "000002", GOOD), "");
    }
}
