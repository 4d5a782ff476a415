//! The log for machines.

use orepass_sim::pool::PoolFault;
use serde_json::Value;

use crate::support::{Plan, Rig, pool};

#[tokio::test]
async fn each_line_is_an_object_without_a_key_that_is_there_twice() {
    let (pool, at_pool) = pool().await;
    let plan = Plan { arguments: &["-vv", "--log-format", "json"], ..Plan::new(&at_pool).await };
    let mut orepass = plan.start();
    let mut rig = Rig::login(&orepass.address, "rig1").await;
    orepass.says(&["pool.up", &format!("\"address\":\"{at_pool}\"")]).await;
    let difficulty = |text: &str| pool.fault(text.parse::<PoolFault>().unwrap());
    difficulty("difficulty-now:2e-6");
    orepass.says(&["pool.target"]).await;
    rig.send(r#"{"id":"s","method":"mining.submit","params":["rig1","1","0","0","0"]}"#).await;
    rig.answer("s").await;
    pool.fault(PoolFault::DropConnections);
    orepass.says(&["pool.down"]).await;
    orepass.terminate();
    assert!(orepass.ends().await.success());
    orepass.says(&["\"stopped\""]).await;
    for line in orepass.lines(&[]) {
        let object: Value = serde_json::from_str(&line).unwrap();
        // A key that is there twice is lost, and with it the line's length.
        assert_eq!(object.to_string().len(), line.len(), "{line}");
    }
}
