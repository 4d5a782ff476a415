//! `orepass init`: from nothing to rigs that mine.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use orepass_sim::pool::PoolFault;

use crate::support::{Folder, Orepass, Rig, free_address, pool};

/// Runs it with nobody at its terminal.
async fn init(folder: &Path, arguments: Vec<String>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orepass"));
    command.arg("init").args(arguments).current_dir(folder).stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn flags(pool: &str, listen: &str) -> Vec<String> {
    let url = format!("stratum+tcp://{pool}");
    ["--dialect", "hns", "-o", &url, "-u", "account.{rig}", "-b", listen].map(Into::into).into()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test]
async fn the_config_that_it_writes_serves_rigs_as_it_says() {
    let folder = Folder::new("init");
    let ((_pool, at_pool), listen) = (pool().await, free_address().await);
    let made = init(&folder.0, flags(&at_pool, &listen)).await;
    let text = said(&made);
    assert!(made.status.success(), "{text}");
    for words in ["authorized   account", "wrote orepass.toml", "orepass run -c orepass.toml"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // The page's address is everybody's.
    let file = folder.0.join("orepass.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, config.replace("127.0.0.1:9099", "off")).unwrap();

    let again = init(&folder.0, flags(&at_pool, &listen)).await;
    assert!(!again.status.success() && said(&again).contains("--force"), "{}", said(&again));

    let mut command = Command::new(env!("CARGO_BIN_EXE_orepass"));
    let command = command.args(["run", "-c", "orepass.toml"]).current_dir(&folder.0);
    let mut orepass = Orepass::start(command.stdout(Stdio::null()).stderr(Stdio::piped()));
    orepass.says(&["serving"]).await;
    Rig::login(&listen, "farm.rig1").await;
    orepass.says(&["rig.up", "rig=farm.rig1"]).await;
    orepass.terminate();
    assert!(orepass.ends().await.success());
}

#[tokio::test]
async fn without_a_terminal_or_a_pool_that_serves_nothing_is_written() {
    let folder = Folder::new("init-refused");
    let missing = init(&folder.0, vec!["-u".into(), "account".into()]).await;
    assert_eq!(missing.status.code(), Some(2));
    assert!(said(&missing).contains("give --dialect NAME -o URL"), "{}", said(&missing));

    let ((pool, at_pool), listen) = (pool().await, free_address().await);
    pool.fault(PoolFault::RefuseWorker("*".into()));
    let refused = init(&folder.0, flags(&at_pool, &listen)).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("check `user` and `password`"), "{}", said(&refused));
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);

    let mut untried = flags(&at_pool, &listen);
    untried.push("--untried".into());
    assert!(init(&folder.0, untried).await.status.success());
    assert!(folder.0.join("orepass.toml").exists());
}
