//! What refused shares were made from.

use super::*;
use crate::evidence::ShareEvidence;

/// A session that is logged in and shows such shares, with a first job `j1`.
fn showing(wish: EvidenceWish, resubmit: bool) -> Story {
    let mut story = Story::with(Coin::default());
    story.change(|config| (config.evidence, config.resubmit) = (wish, resubmit));
    story.log_in(GIVEN);
    story.calls("test.set_mask", "[6]");
    story.notify("j1", "p1", "w1");
    story.told();
    story
}

fn evidence(story: &mut Story) -> Vec<(String, ShareEvidence)> {
    let events = std::iter::from_fn(|| story.pool.poll_event());
    let shown = events.filter_map(|event| match event {
        UpstreamEvent::Evidence { reason, evidence, .. } => Some((reason, *evidence)),
        _ => None,
    });
    shown.collect()
}

#[test]
fn a_share_that_the_pool_refuses_is_shown_as_the_pool_has_it() {
    for resubmit in [false, true] {
        let mut story = showing(EvidenceWish::First, resubmit);
        let submit = story.submit(1);
        story.refuses("[20,\"wrong, hunter2\"]");
        let mut shown = evidence(&mut story);
        assert_eq!(shown.len(), 1);
        let (reason, evidence) = shown.remove(0);
        assert!(reason.starts_with("pool: wrong") && !reason.contains("hunter2"), "{reason}");
        let line: Value = serde_json::from_str(&submit).unwrap();
        let said: Value = serde_json::from_str(&evidence.submit).unwrap();
        // Under the rig's own name, whatever the pool has seen.
        assert_eq!(said[0], "r1");
        assert_eq!(said.as_array().unwrap()[1..], line["params"].as_array().unwrap()[1..]);
        assert_eq!(evidence.submit_job.as_deref(), Some("j1"));
        assert_eq!(evidence.version_mask, Some(6));
        let ground = story.pool.view().ground.unwrap();
        assert_eq!(evidence.extranonce1, ground.split.extranonce1);
        assert_eq!(evidence.target, story.work().unwrap().wanted.surely(Habits::default()));
        assert!(evidence.notify.starts_with('['), "{}", evidence.notify);
    }
}

#[test]
fn of_each_kind_of_refusal_the_first_is_shown_or_all_and_none_that_was_to_be_expected() {
    const REFUSALS: [&str; 5] = [
        "[20,\"first\"]",
        "[20,\"second\"]",
        "[22,\"duplicate share\"]",
        "[21,\"job not found\"]",
        "[24,\"unauthorized user\"]",
    ];
    for (wish, expected) in
        [(EvidenceWish::First, 2), (EvidenceWish::All, 3), (EvidenceWish::Off, 0)]
    {
        let mut story = showing(wish, false);
        let mut shown = 0;
        for (ticket, refusal) in (1..).zip(REFUSALS) {
            story.submit(ticket);
            story.refuses(refusal);
            shown += evidence(&mut story).len();
        }
        assert_eq!(shown, expected, "{wish}");
    }
}

#[test]
fn shares_that_are_answered_late_are_not_known_any_more() {
    let mut story = showing(EvidenceWish::First, false);
    let work = story.work().unwrap();
    story.submit_for(1, &work, GOOD);
    let first = story.asked;
    (2..=33).for_each(|ticket| drop(story.submit_for(ticket, &work, GOOD)));
    story.refuses_id(first, "[20,\"too late\"]");
    assert_eq!(evidence(&mut story).len(), 0);
    story.refuses("[20,\"in time\"]");
    assert_eq!(evidence(&mut story).len(), 1);
}
