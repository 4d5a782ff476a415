//! Job ids never repeat, whatever becomes of the process and its clock.

use std::fs;

use orepass::store::{RESERVED_IDS, Store};
use orepass_stratum::job::JobIds;
use proptest::prelude::*;

use crate::{Folder, NOW, folder};

/// Copies a state file that is in use to another folder, as a killed process would leave it.
fn crashed(folder: &Folder, copy: &Folder) {
    for name in ["orepass.db", "orepass.db-wal"] {
        fs::copy(folder.path.join(name), copy.path.join(name)).unwrap();
    }
}

#[tokio::test]
async fn job_ids_count_from_the_clock_and_past_all_that_were_told() {
    let memory = Store::fleeting();
    let first = memory.route("hns").first_job_id();
    assert_eq!(first, memory.route("aion").first_job_id(), "routes count for themselves");
    assert!(u64::from(memory.route("hns").first_job_id()) >= u64::from(first + RESERVED_IDS));

    let folder = folder("ids");
    let now = NOW as u32;
    let memory = Store::open_at(&folder.file(), NOW);
    assert_eq!(memory.route("hns").first_job_id(), now);
    memory.route("hns").reserve(now + 200_000);
    memory.close().await;
    let memory = Store::open_at(&folder.file(), NOW);
    let past = now + 200_000 + RESERVED_IDS;
    assert_eq!(memory.route("hns").first_job_id(), past);
    memory.close().await;
    let later = NOW + 1_000_000;
    let memory = Store::open_at(&folder.file(), later);
    assert_eq!(u64::from(memory.route("hns").first_job_id()), later, "the clock is further");

    memory.route("hns").reserve(u32::MAX - 5);
    memory.close().await;
    let memory = Store::open_at(&folder.file(), later);
    assert_eq!(u64::from(memory.route("hns").first_job_id()), later, "32 bits are used up");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// The process is killed again and again, and its clock may go back.
    #[test]
    fn no_crash_makes_a_job_id_repeat(
        runs in prop::collection::vec(
            (0_u64..100, prop::collection::vec(1_u32..49_000, 0..6)), 1..6,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut folders = vec![folder("crash")];
        let mut told = 0;
        for (clock, bursts) in runs {
            let memory = Store::open_at(&folders[folders.len() - 1].file(), NOW + clock);
            prop_assert!(memory.is_kept());
            let route = memory.route("hns");
            let ids = JobIds::new(route.first_job_id());
            for burst in bursts {
                for _ in 0..burst {
                    let id = ids.next().get();
                    prop_assert!(id > told, "{id} was told before");
                    told = id;
                }
                // What is asked for during a burst is in the file before the next one ends.
                route.reserve(ids.peek().get());
                prop_assert!(runtime.block_on(memory.flush()));
            }
            // A last burst, of which the file hears nothing any more.
            told = (0..49_000).map(|_| ids.next().get()).last().unwrap();
            let next = folder(&format!("crash-{}", folders.len()));
            crashed(&folders[folders.len() - 1], &next);
            runtime.block_on(memory.close());
            folders.push(next);
        }
    }
}
