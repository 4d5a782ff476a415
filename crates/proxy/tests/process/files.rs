//! Few files for many rigs.

use orepass_sim::pool::PoolFault;
use tokio::net::TcpStream;

use crate::support::{Plan, Rig, pool, until};

/// A crowd that would take every file.
const CROWD: usize = 200;

#[tokio::test]
async fn a_pool_finds_a_file_for_its_connection_though_rigs_crowd_at_every_port() {
    let (pool, at_pool) = pool().await;
    let mut plan = Plan { files: Some(96), ..Plan::new(&at_pool).await };
    let second = crate::support::free_address().await;
    let first = plan.listen.clone();
    // Two routes have the files of one process.
    plan.more = format!(
        "[[route]]\nname = \"two\"\ndialect = \"hstratum\"\nlisten = [\"{second}\"]\n\
         [[route.pool]]\nurl = \"stratum+tcp://{at_pool}\"\nuser = \"account\"\n"
    );
    let orepass = plan.start();
    let mut rig = Rig::login(&first, "rig1").await;
    pool.wait_for(|stats| stats.connections_open == 2).await.unwrap();

    let mut crowd = Vec::new();
    for number in 0..CROWD {
        let address = if number % 2 == 0 { &first } else { &second };
        // It is taken by the kernel, whatever becomes of it.
        crowd.push(TcpStream::connect(address).await.unwrap());
    }
    let refused = orepass.says(&["rig.refused", "route=hns"]).await;
    assert!(
        refused.contains("no more than 64 connections, those to pools included, fit into")
            && refused.contains("LimitNOFILE"),
        "{refused}"
    );
    orepass.says(&["rig.refused", "route=two"]).await;

    // The crowd is there to take what becomes free.
    pool.fault(PoolFault::DropConnections);
    pool.wait_for(|stats| stats.connections_open == 2).await.unwrap();
    until("two lines up again", || orepass.lines(&["pool.up"]), |lines| lines.len() == 4).await;
    // The rig is to have the new extranonce, and its place is free for it.
    while rig.line().await.is_some() {}
    Rig::login(&first, "rig1").await;
    assert_eq!(orepass.lines(&["Too many open files"]), Vec::<String>::new());
    assert_eq!(orepass.lines(&["rig.refused"]).len(), 2, "one line for each port");
}
