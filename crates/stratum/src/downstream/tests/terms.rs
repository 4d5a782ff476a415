//! What a rig negotiates and a pool grants.

use super::*;

const CONFIGURE: &str = "{\"id\":7,\"method\":\"test.configure\",\"params\":[6]}";

impl Story {
    /// A work that the pool tells with a mask.
    fn masked(&mut self, work: &str, mask: u32) -> String {
        self.work("p1", work, 256.0);
        let frames = self.view.work.take().and_then(Arc::into_inner).unwrap();
        self.view.work = Some(Arc::new(JobFrames { terms: mask, ..frames }));
        self.show()
    }
}

fn mask(bits: u32) -> String {
    format!("{{\"id\":null,\"method\":\"test.set_mask\",\"params\":[{bits}]}}\n")
}

#[test]
fn a_rig_is_told_the_terms_before_the_first_job_that_has_them() {
    let mut story = Story::new(DownstreamConfig::default());
    assert_eq!(story.masked("w1", 3), "");
    let heard = story.says(CONFIGURE);
    assert_eq!(heard, "{\"id\":7,\"result\":{\"rolls\":6},\"error\":null}\n");
    let heard = story.log_in();
    let (terms, work) =
        heard.split_once("{\"id\":null,\"method\":\"mining.set_difficulty\"").unwrap();
    assert!(terms.ends_with(&mask(2)), "{heard}");
    assert!(work.contains("test.notify"), "{heard}");

    assert!(!story.masked("w2", 3).contains("test.set_mask"), "it has them");
    let heard = story.masked("w3", 7);
    assert!(heard.starts_with(&mask(6)) && heard.contains("w3"), "{heard}");
    let heard = story.masked("w4", 0);
    assert!(heard.starts_with(&mask(0)), "{heard}");
}

#[test]
fn a_rig_that_negotiates_nothing_is_told_no_terms() {
    let mut story = Story::new(DownstreamConfig::default());
    story.masked("w1", 3);
    assert!(!story.log_in().contains("mask"));
    assert!(story.masked("w2", 1).starts_with("{\"id\":null,\"method\":\"mining.notify\""));
}

#[test]
fn a_rig_that_negotiates_late_is_told_the_terms_with_the_next_work() {
    let mut story = Story::new(DownstreamConfig::default());
    story.masked("w1", 3);
    story.log_in();
    assert_eq!(story.says(CONFIGURE), "{\"id\":7,\"result\":{\"rolls\":6},\"error\":null}\n");
    let heard = story.masked("w2", 3);
    assert!(heard.starts_with(&mask(2)) && heard.contains("test.notify"), "{heard}");
}

#[test]
fn a_share_is_judged_by_the_terms_of_its_job() {
    let mut story = Story::new(DownstreamConfig::default());
    story.says(CONFIGURE);
    story.masked("w1", 6);
    story.log_in();
    story.masked("w2", 2);
    let mut rolled = |id, job, extranonce2, bits| {
        story.says(&format!(
            "{{\"id\":{id},\"method\":\"mining.submit\",\"params\":[\"farm.r1\",\"{job}\",\"{extranonce2}\",{GOOD},\"{bits}\"]}}"
        ))
    };
    assert_eq!(rolled(10, "6b000000", "000001", 4), "");
    assert!(rolled(11, "6b000001", "000002", 4).contains("[20,\"bits 4 are not of the mask 2\""));
    assert_eq!(rolled(12, "6b000001", "000003", 2), "");
    assert!(rolled(13, "6b000001", "000004", 1).contains("[20,\"bits 1 are not of the mask 2\""));
    let shown = std::iter::from_fn(|| story.rig.poll_event()).find_map(|event| match event {
        Event::Ended { complaint, .. } => complaint?.evidence,
        _ => None,
    });
    assert_eq!(shown.expect("the first refused one").version_mask, Some(2));
}

#[test]
fn rigs_of_one_flavour_share_a_frame() {
    let mut story = Story::new(DownstreamConfig::default());
    story.work("p1", "w1", 256.0);
    let frames = story.view.work.clone().unwrap();
    let frame = |flavour| frames.frame(Target::MAX, NotifyForm { clean: true, flavour });
    let (plain, rolling) = (frame(0), frame(1));
    assert!(plain != rolling, "{plain:?}");
    assert_eq!((frame(0).as_ptr(), frame(1).as_ptr()), (plain.as_ptr(), rolling.as_ptr()));
}

#[test]
fn what_a_rig_misses_of_the_terms_is_told_with_the_first_job_under_them() {
    let mut story = Story::new(DownstreamConfig::default());
    story.masked("w1", 0);
    story.says(CONFIGURE);
    story.log_in();
    let missed = |story: &mut Story| {
        let missed = Event::Diagnosed(crate::testing::ROLLS_NOTHING);
        story.events().into_iter().filter(|event| *event == missed).count()
    };
    assert_eq!(missed(&mut story), 1);
    story.masked("w2", 0);
    assert_eq!(missed(&mut story), 0, "it was told them");
    story.masked("w3", 3);
    assert_eq!(missed(&mut story), 0, "it misses nothing");
    story.masked("w4", 1);
    assert_eq!(missed(&mut story), 1);

    let mut modest = Story::new(DownstreamConfig::default());
    modest.masked("w1", 0);
    modest.log_in();
    assert_eq!(missed(&mut modest), 0, "it asked for nothing");
}

#[test]
fn a_rig_is_told_no_easier_difficulty_than_it_can_work_at() {
    let mut config = DownstreamConfig::default();
    config.vardiff.start = Difficulty::new(4.0);
    let told = |configure: &str| {
        let mut story = Story::new(config.clone());
        story.masked("w1", 0);
        story.says(&CONFIGURE.replace("[6]", configure));
        story.log_in();
        story.rig.difficulty().map(Difficulty::get)
    };
    assert_eq!(told("[0]"), Some(4.0));
    assert_eq!(told("[0,32]"), Some(32.0));
    assert_eq!(told("[0,1]"), Some(4.0), "it can do more");
    assert_eq!(told("[0,4096]"), Some(4096.0), "also where the pool would take less");
}
