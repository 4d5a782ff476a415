//! What a pool grants, told with its jobs.

use super::*;

#[test]
fn a_work_has_the_terms_that_stood_when_it_was_told() {
    let mut story = Story::mining();
    let first = story.work().unwrap();
    assert_eq!(first.terms, 0);
    story.calls("test.set_mask", "[6]");
    assert!(Arc::ptr_eq(&first, &story.work().unwrap()), "they come with the next work");
    story.notify("j2", "p1", "w2");
    assert_eq!(story.work().unwrap().terms, 6);
    story.calls("test.set_mask", "[2]");
    story.notify("j3", "p1", "w3");
    assert_eq!(story.work().unwrap().terms, 2);
}
