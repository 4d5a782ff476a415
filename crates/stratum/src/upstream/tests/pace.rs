//! The window of unanswered lines.

use super::*;
use crate::dialect::Pace;

fn paced(bytes: usize, submits: usize) -> Story {
    Story::mining_with(Coin { pace: Some(Pace { bytes, submits }), ..Coin::default() })
}

/// The extranonce2s of the submits, in order.
fn tickets(heard: &str) -> Vec<u32> {
    let ticket = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        u32::from_str_radix(&line["params"][2].as_str().unwrap()[2..], 16).unwrap()
    };
    heard.lines().map(ticket).collect()
}

#[test]
fn no_more_than_so_many_lines_wait_for_an_answer() {
    let mut story = paced(9_600, 4);
    let heard: String = (1..=6).map(|ticket| story.submit(ticket)).collect();
    assert_eq!(tickets(&heard), [1, 2, 3], "the last slot is a block's");
    assert_eq!(story.pool.room(), 256 - 3 - 1, "three wait, and the last place is a block's too");
    assert_eq!(tickets(&story.result(4, "true")), [4], "an answer frees one, in any order");
    assert_eq!(tickets(&story.refuses_id(3, "[20,\"invalid solution\"]")), [5]);
    assert_eq!(story.told(), ["2 accepted", "1 rejected_by_pool"]);
    assert_eq!(story.pool.in_flight(), 4);
}

#[test]
fn no_more_than_so_many_bytes_wait_for_an_answer() {
    let line = Story::mining().submit(1).len();
    for (bytes, written) in [(2 * line, vec![1, 2]), (2 * line - 1, vec![1]), (1, vec![1])] {
        let mut story = paced(bytes, 3);
        let heard: String = (1..=5).map(|ticket| story.submit(ticket)).collect();
        assert_eq!(tickets(&heard), written, "{bytes} bytes");
        let heard = story.result(3, "true");
        assert_eq!(tickets(&heard), [written.len() as u32 + 1], "{bytes} bytes");
    }
}

#[test]
fn a_longer_line_than_the_last_one_does_not_slip_through() {
    let line = Story::mining().submit(1).len();
    let mut story = paced(2 * line, 3);
    story.submit(1);
    story.notify(&"j".repeat(40), "p1", "w2");
    assert_eq!(story.submit(2), "");
    assert_eq!(tickets(&story.answers("true")), [2]);
}

#[test]
fn a_slot_frees_by_itself_after_a_second() {
    let mut story = paced(9_600, 1);
    story.submit(1);
    assert_eq!(story.pool.poll_timeout(), Some(story.now + VERDICT_WITHIN), "nobody waits");
    assert_eq!(story.submit(2), "");
    assert_eq!(story.pool.poll_timeout(), Some(story.now + seconds(1)));
    story.later(millis(999));
    assert_eq!(story.hears(), "");
    story.later(millis(1));
    assert_eq!(tickets(&story.hears()), [2]);
    story.now += seconds(1);
    assert_eq!(tickets(&story.submit(3)), [3], "a free slot is seen without a timer");
    assert_eq!(story.pool.in_flight(), 3, "they are still waited for");
    for id in 3..=5 {
        story.result(id, "true");
    }
    assert_eq!(story.told(), ["1 accepted", "2 accepted", "3 accepted"]);
}

#[test]
fn a_slow_pools_slots_free_after_two_round_trips() {
    let mut story = paced(9_600, 1);
    story.submit(1);
    story.now += millis(800);
    story.answers("true");
    story.submit(2);
    story.submit(3);
    assert_eq!(story.pool.poll_timeout(), Some(story.now + millis(1_600)));
    story.later(millis(1_599));
    assert_eq!(story.hears(), "");
    story.later(millis(1));
    assert_eq!(tickets(&story.hears()), [3]);
}

#[test]
fn no_slot_frees_by_itself_while_lines_are_unwritten() {
    let mut story = paced(9_600, 1);
    let work = story.work().unwrap();
    let share = |ticket: u32| Submission {
        number: 0,
        frames: Arc::clone(&work),
        prefix: [0x2a].into_iter().collect(),
        share: TestShare {
            extranonce2: Extranonce::from_slice(&ticket.to_be_bytes()[1..]).unwrap(),
            hash: PowHash::from_be_bytes([0; 32]),
        },
        hash: None,
        is_block: false,
        probe: None,
        worker: "r1".into(),
        account: None,
        hashes: 1.0,
        credit: 1.0,
    };
    story.pool.handle_submission(share(1), 1, story.now);
    story.pool.handle_submission(share(2), 2, story.now);
    story.later(seconds(1));
    assert_eq!(tickets(&story.hears()), [1], "the socket took nothing so far");
    story.later(seconds(1));
    assert_eq!(tickets(&story.hears()), [2]);
}

#[test]
fn a_full_queue_overflows_and_nothing_in_it_is_lost() {
    let mut story = paced(9_600, 4);
    for ticket in 0..3 + 255 {
        story.submit(ticket);
    }
    assert_eq!(story.told(), [""; 0]);
    story.submit(1_000);
    assert_eq!(story.told(), ["1000 overflow"]);
    let mut written = Vec::new();
    for id in 3..3 + 258 {
        written.extend(tickets(&story.result(id, "true")));
    }
    assert_eq!(written, (3..258).collect::<Vec<u32>>());
    assert_eq!(story.told().len(), 258);
    assert_eq!(story.pool.in_flight(), 0);
}

#[test]
fn the_window_is_empty_on_a_new_connection() {
    let mut story = paced(9_600, 1);
    story.submit(1);
    story.submit(2);
    story.lose();
    story.log_in(GIVEN);
    story.notify("k1", "p1", "w1");
    assert_eq!(tickets(&story.submit(3)), [3]);
}

#[test]
fn a_share_given_up_frees_its_slot() {
    let mut story = paced(9_600, 1);
    story.submit(1);
    story.now += seconds(20);
    story.answers("true");
    // The round trip of 20 s lets slots be held for 40 s, longer than a verdict is waited for.
    story.submit(2);
    story.submit(3);
    story.later(seconds(30));
    assert_eq!(tickets(&story.hears()), [3]);
    assert_eq!(story.told(), ["1 accepted", "2 unanswered"]);
}
