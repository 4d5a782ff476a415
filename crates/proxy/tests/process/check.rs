//! `orepass check`: the addresses that rigs connect to, and the habits of pools.

use std::net::TcpListener;

use orepass::store::Store;
use orepass_farm::knowledge::Change;
use orepass_stratum::habits::{Answer, Habit};

use crate::support::{Plan, Rig, pool};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_orepass_itself_listens_on_is_a_remark_in_its_own_words() {
    let (_pool, at_pool) = pool().await;
    let (plan, same) = (Plan::new(&at_pool).await, Plan::new(&at_pool).await);
    let same = Plan { listen: plan.listen.clone(), ..same };
    let listen = plan.listen.clone();
    let orepass = plan.start();
    Rig::login(&orepass.address, "rig1").await;
    let (code, said) = same.check().await;
    let expected = format!(
        "  note: cannot listen on {listen}: Address already in use (os error 98); another program, \
         or another orepass, listens there; that is as it should be while orepass runs\n"
    );
    assert!(said.contains(&expected), "{said}");
    assert!(said.contains(&format!("    address      {at_pool}\n")), "{said}");
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_this_machine_does_not_have_fails_and_a_free_port_is_let_go_of() {
    let (_pool, at_pool) = pool().await;
    let free = Plan::new(&at_pool).await;
    let listen = free.listen.clone();
    let (code, said) = free.check().await;
    assert_eq!((code, said.contains("listen")), (Some(0), false), "{said}");
    TcpListener::bind(&listen).unwrap();

    let foreign = Plan { listen: "192.0.2.1:3008".into(), ..Plan::new(&at_pool).await };
    let (code, said) = foreign.check().await;
    let expected = "  FAILED: cannot listen on 192.0.2.1:3008: Cannot assign requested address (os \
                    error 99); this machine does not have the address\n";
    assert!(said.contains(expected), "{said}");
    // The pool is tried all the same.
    assert!(said.contains("  pool pool ok\n"), "{said}");
    assert_eq!(code, Some(1));
}

/// What the operator says of them, what was found out, and nothing while somebody uses the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_habits_of_a_pool_are_shown_with_where_they_are_known_from() {
    let (_pool, at_pool) = pool().await;
    let file = std::env::temp_dir().join(format!("orepass-check-{}.db", std::process::id()));
    let _ = std::fs::remove_file(&file);
    let plan = async || Plan {
        more: format!(
            "[route.pool.options]\nnames = false\n[state]\nfile = \"{}\"\n",
            file.display()
        ),
        ..Plan::new(&at_pool).await
    };
    let (code, said) = plan().await.check().await;
    let own = "    habits       names = false, as configured\n";
    assert!(code == Some(0) && said.contains(own), "{said}");
    assert!(!file.exists(), "it only looks");

    let now = orepass::clock::unix_seconds();
    let memory = Store::open(&file);
    let route = memory.route("hns");
    let found = |habit, answer| Change::Habit { server: at_pool.as_str().into(), habit, answer };
    route.note(found(Habit::Split, Answer::Other), now - 3 * 86_400 - 60);
    route.note(found(Habit::Names, Habit::Names.of_word("true").unwrap()), now);
    let (_, said) = plan().await.check().await;
    let note = "  note: what it has of the pools' habits cannot be shown: another process uses it";
    assert!(said.contains(note), "{said}");
    memory.close().await;
    let (code, said) = plan().await.check().await;
    let found = "                 split = wide, found out 3 days ago\n";
    assert!(code == Some(0) && said.contains(&format!("{own}{found}")), "{said}");
    // It divides as `run` would.
    assert!(said.contains("rigs are told 5 + 4 bytes"), "{said}");
    std::fs::remove_file(file).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rigs_that_do_not_fit_and_a_memory_that_cannot_be_written_fail() {
    let (_pool, at_pool) = pool().await;
    let few = Plan { arguments: &["--rigs", "4000"], ..Plan::new(&at_pool).await };
    let (code, said) = few.check().await;
    assert_eq!(code, Some(0), "{said}");
    let many = Plan { arguments: &["--rigs", "5000"], ..Plan::new(&at_pool).await };
    let (code, said) = many.check().await;
    assert!(said.contains("4000 fit (250 on each of 16 connections): max_channels = 20 is needed"));
    assert_eq!(code, Some(1), "{said}");
    let files =
        Plan { arguments: &["--rigs", "300"], files: Some(256), ..Plan::new(&at_pool).await };
    let (code, said) = files.check().await;
    assert!(said.contains("may have 256 open files"), "{said}");
    assert_eq!(code, Some(1));

    // A folder cannot be written as a file, whoever asks.
    let state = format!("[state]\nfile = \"{}\"", std::env::temp_dir().display());
    let forgetful = Plan { more: state, arguments: &["--json"], ..Plan::new(&at_pool).await };
    let (code, said) = forgetful.check().await;
    let found: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &found["good"]), (Some(1), &false.into()), "{said}");
    assert!(found["failures"][0].as_str().unwrap().contains("cannot be written"), "{said}");
}
