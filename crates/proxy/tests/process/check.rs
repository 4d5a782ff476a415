//! `orepass check` and the addresses that rigs connect to.

use std::net::TcpListener;

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
