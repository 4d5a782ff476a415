//! One process hands the file to another, and may have it back.

use orepass::store::{RESERVED_IDS, Store};
use orepass_farm::knowledge::{Change, WorkerRecord};

use crate::{NOW, folder};

fn worker(slot: u64) -> Change {
    Change::Worker("rig".into(), Some(WorkerRecord { slot: Some(slot), ..WorkerRecord::default() }))
}

fn slot(memory: &Store) -> Option<u64> {
    memory.route("hns").take().workers.first().and_then(|(_, known)| known.slot)
}

#[tokio::test]
async fn another_process_has_all_that_was_known_and_tells_other_job_ids() {
    let folder = folder("hand-over");
    let old = Store::open_at(&folder.file(), NOW);
    let first = old.route("hns").first_job_id();
    old.route("hns").note(worker(7), NOW);
    let refused = Store::take_over(Some(&folder.file()), 0).unwrap_err();
    assert!(refused.contains("another process uses the state file"), "{refused}");

    let mark = old.hand_over().await.unwrap();
    assert!(mark >= u64::from(first + 2 * RESERVED_IDS), "room for what the old one tells yet");
    let new = Store::take_over(Some(&folder.file()), mark).unwrap();
    assert!(u64::from(new.route("hns").first_job_id()) >= mark);
    assert_eq!(slot(&new), Some(7));
    // The old one goes on for a while, and does not fall over its feet.
    old.route("hns").note(worker(8), NOW);
    old.route("hns").reserve(first + RESERVED_IDS);
    new.close().await;
}

#[tokio::test]
async fn without_a_file_the_mark_alone_goes_over() {
    let old = Store::fleeting();
    let mark = old.hand_over().await.unwrap();
    let new = Store::take_over(None, mark).unwrap();
    assert_eq!(u64::from(new.route("hns").first_job_id()), mark);
    old.reopen().unwrap();
}

#[tokio::test]
async fn what_was_noted_while_the_file_was_away_is_written_when_it_is_back() {
    let folder = folder("back");
    let old = Store::open_at(&folder.file(), NOW);
    let mark = old.hand_over().await.unwrap();
    old.route("hns").note(worker(9), NOW);
    let new = Store::take_over(Some(&folder.file()), mark).unwrap();
    let told = new.route("hns").first_job_id();
    assert!(old.reopen().is_err(), "the other one has it");
    new.close().await;
    old.reopen().unwrap();
    assert!(old.flush().await);
    old.close().await;
    let next = Store::open_at(&folder.file(), NOW);
    assert_eq!(slot(&next), Some(9));
    assert!(next.route("hns").first_job_id() > told, "the other may have told that");
    next.close().await;
}
