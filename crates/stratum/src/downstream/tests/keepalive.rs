//! Rigs that hang up on silence.

use bytes::Buf;
use proptest::prelude::*;

use super::*;

impl Story {
    /// Time passes, and the session is called when it wants to be; each text that the rig hears, and
    /// how long after the one before.
    fn waits(&mut self, seconds: u64) -> Vec<(Duration, String)> {
        let (end, mut before) = (self.now + Duration::from_secs(seconds), self.now);
        let mut heard = Vec::new();
        while let Some(at) = self.rig.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.rig.handle_timeout(self.now);
            assert!(self.rig.poll_timeout().is_none_or(|next| next > self.now), "it would spin");
            let text = self.hears();
            if !text.is_empty() {
                heard.push((self.now - before, text));
                before = self.now;
            }
        }
        self.now = end;
        heard
    }
}

/// The last of the lines that tell a target.
fn target_line(text: &str) -> Option<&str> {
    text.lines().rfind(|line| line.contains("mining.set_difficulty"))
}

fn silent_config() -> DownstreamConfig {
    DownstreamConfig::default().with_vardiff(crate::vardiff::VardiffConfig {
        start: Difficulty::new(64.0),
        ..Default::default()
    })
}

#[test]
fn a_rig_that_hears_nothing_is_told_its_target_again_and_no_work() {
    let mut story = Story::new(silent_config());
    story.work("p1", "w1", 256.0);
    assert!(story.waits(9).is_empty());
    let told = story.log_in();
    let line = target_line(&told).unwrap();
    assert!(line.contains("[64]"), "{line}");
    story.events();
    // Its level becomes easier meanwhile; it hears of that with the next work.
    let heard = story.waits(600);
    assert!((10..=12).contains(&heard.len()), "{heard:?}");
    for (after, text) in &heard {
        assert!(*after <= Duration::from_secs(60) && *after > Duration::from_secs(52), "{after:?}");
        assert_eq!(text, &format!("{line}\n"));
    }
    let told_again = |event: &Event| matches!(event, Event::Told(_));
    assert!(!story.events().iter().any(told_again), "no work is told twice");
    story.work("p1", "w2", 256.0);
    let easier = story.show();
    assert_ne!(target_line(&easier), Some(line));
    let heard = story.waits(60);
    assert_eq!(heard[0].1.trim_end(), target_line(&easier).unwrap());
}

#[test]
fn whatever_it_hears_is_no_silence() {
    let mut story = Story::mining(DownstreamConfig::default());
    let job = "6b000000";
    for share in 0..20 {
        assert!(story.waits(50).is_empty());
        assert_eq!(story.submit(share, job, &format!("{share:06x}"), GOOD), "");
        assert!(story.waits(1).is_empty());
        assert!(story.judged(&Ok(())).contains("true"));
    }
    // A share of which the pool says nothing is no word to the rig.
    story.waits(30);
    story.submit(90, job, "0000ff", GOOD);
    assert_eq!(story.waits(30).len(), 1);
    // Nor is one that never reads told more and more.
    story.later(60);
    story.rig.handle_timeout(story.now);
    let unread = story.rig.transmit().remaining();
    story.later(600);
    story.rig.handle_timeout(story.now);
    assert_eq!(story.rig.transmit().remaining(), unread);
}

#[test]
fn a_profile_may_ask_for_another_time_or_for_none() {
    let profile =
        |seconds| Firmware { keepalive: Some(Duration::from_secs(seconds)), ..Firmware::default() };
    let mut story = Story::new(DownstreamConfig::default().with_keepalive(None));
    story.work("p1", "w1", 256.0);
    story.log_in();
    assert!(story.waits(200).is_empty());
    story.rig.handle_firmware(&profile(20), story.now);
    story.work("p1", "w2", 256.0);
    story.show();
    assert_eq!(story.waits(61).len(), 3);
    story.rig.handle_firmware(&profile(0), story.now);
    story.work("p1", "w3", 256.0);
    story.show();
    assert!(story.waits(200).is_empty());
}

#[test]
fn another_wish_of_the_route_counts_from_the_beginning_of_the_silence() {
    let mut story = Story::mining(DownstreamConfig::default());
    assert!(story.waits(30).is_empty());
    let wish = |seconds: u64| {
        let keepalive = Some(Duration::from_secs(seconds)).filter(|time| !time.is_zero());
        Arc::new(DownstreamConfig::default().with_keepalive(keepalive))
    };
    story.rig.handle_config(wish(40), story.now);
    assert_eq!(story.waits(10).len(), 1);
    story.rig.handle_config(wish(0), story.now);
    assert!(story.waits(600).is_empty());
    story.rig.handle_config(wish(60), story.now);
    assert_eq!(story.waits(60).len(), 1);
}

#[test]
fn nothing_is_said_before_the_first_work() {
    let mut story = Story::new(DownstreamConfig::default());
    story.log_in();
    assert!(story.waits(3600).is_empty());
}

/// What may happen to a rig between two looks.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Work(u8),
    Block(u8),
    Floor(Option<u8>),
    Share,
    Subscribes,
    Moves,
    Suggests(u8),
    Waits(u8),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        (0_u8..12).prop_map(Happening::Work),
        (0_u8..12).prop_map(Happening::Block),
        prop::option::of(0_u8..12).prop_map(Happening::Floor),
        Just(Happening::Share),
        Just(Happening::Subscribes),
        Just(Happening::Moves),
        (0_u8..12).prop_map(Happening::Suggests),
        (1_u8..=255).prop_map(Happening::Waits),
    ];
    prop::collection::vec(one, 1..40)
}

proptest! {
    /// What a rig is told for its silence is the last target line that it was told, and that alone.
    #[test]
    fn the_line_is_the_last_one(happenings in happenings()) {
        let power = |exponent: u8| 2_f64.powi(exponent.into());
        let mut story = Story::new(silent_config());
        story.work("p1", "w", 256.0);
        let mut last = None;
        let note = |text: &str, last: &mut Option<String>| {
            if let Some(line) = target_line(text) {
                *last = Some(format!("{line}\n"));
            }
        };
        note(&story.log_in(), &mut last);
        story.says("{\"id\":3,\"method\":\"mining.extranonce.subscribe\"}");
        for (number, happening) in happenings.into_iter().enumerate() {
            let heard = match happening {
                Happening::Work(exponent) => {
                    story.work("p1", &format!("w{number}"), power(exponent));
                    story.show()
                }
                Happening::Block(exponent) => {
                    story.work(&format!("p{number}"), "w", power(exponent));
                    story.show()
                }
                Happening::Floor(floor) => {
                    story.view.floor =
                        floor.map(|at| scale().target(Difficulty::new(power(at)).unwrap()));
                    story.show()
                }
                Happening::Share => {
                    let extranonce2 = format!("{number:06x}");
                    let id = story.view.work.as_ref().unwrap().id;
                    story.submit(9, &id.to_string(), &extranonce2, GOOD)
                }
                Happening::Subscribes => {
                    story.says("{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}")
                }
                Happening::Moves => {
                    story.ground("aabbccdd");
                    let heard = story.seat();
                    story.work("p1", &format!("m{number}"), 256.0);
                    heard + &story.show()
                }
                Happening::Suggests(exponent) => story.says(&format!(
                    "{{\"id\":4,\"method\":\"mining.suggest_difficulty\",\"params\":[{}]}}",
                    power(exponent)
                )),
                Happening::Waits(seconds) => {
                    for (_, text) in story.waits(seconds.into()) {
                        prop_assert_eq!(Some(&text), last.as_ref());
                    }
                    continue;
                }
            };
            note(&heard, &mut last);
            if story.rig.is_closed() {
                break;
            }
        }
    }
}
