//! What systemd sees, played by the test.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::support::{Folder, PATIENCE, Plan, Rig, pool};

/// The service manager's end of `NOTIFY_SOCKET`.
struct Manager {
    socket: UnixDatagram,
    _folder: Folder,
    address: String,
}

impl Manager {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let path = folder.0.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, _folder: folder, address: path.display().to_string() }
    }

    /// The next message; none within the time that is waited for.
    fn next(&self) -> Option<String> {
        let mut bytes = [0; 4096];
        let count = self.socket.recv(&mut bytes).ok()?;
        Some(String::from_utf8(bytes[..count].to_vec()).unwrap())
    }

    /// Waits for a message that contains this.
    fn hears(&self, wanted: &str) -> String {
        loop {
            let message = self.next().unwrap_or_else(|| panic!("{wanted} does not come"));
            if message.contains(wanted) {
                return message;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_is_ready_when_it_listens_feeds_the_watchdog_and_says_that_it_stops() {
    let (pool, at_pool) = pool().await;
    let manager = Manager::new("notify");
    let mut plan = Plan::new(&at_pool).await;
    plan.environment =
        vec![("NOTIFY_SOCKET", manager.address.clone()), ("WATCHDOG_USEC", "600000".to_owned())];
    let mut orepass = plan.start();
    manager.hears("READY=1");
    // It listens already.
    tokio::net::TcpStream::connect(&orepass.address).await.unwrap();
    for _ in 0..3 {
        let told = manager.hears("WATCHDOG=1");
        assert!(told.contains("STATUS=") && told.contains("pool connections, 1 routes"), "{told}");
    }
    // A process that does not do its work is not said to.
    orepass.signal("STOP");
    manager.socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    while manager.next().is_some() {}
    manager.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    orepass.signal("CONT");
    manager.hears("WATCHDOG=1");

    orepass.signal("HUP");
    assert!(manager.hears("RELOADING=1").contains("MONOTONIC_USEC="));
    manager.hears("READY=1");
    orepass.terminate();
    assert!(manager.hears("STOPPING=1").contains("EXTEND_TIMEOUT_USEC="));
    assert!(orepass.ends().await.success());
    pool.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_an_upgrade_the_new_process_becomes_the_service() {
    let (pool, at_pool) = pool().await;
    let manager = Manager::new("mainpid");
    let mut plan = Plan::new(&at_pool).await;
    plan.environment =
        vec![("NOTIFY_SOCKET", manager.address.clone()), ("WATCHDOG_USEC", "600000".to_owned())];
    let mut orepass = plan.start();
    orepass.says(&["pool.up"]).await;
    manager.hears("READY=1");
    orepass.signal("USR2");
    let main = manager.hears("MAINPID=");
    let new: u32 = main.trim_start_matches("MAINPID=").trim().parse().unwrap();
    assert_ne!(new, orepass.id());
    assert!(orepass.ends().await.success());
    // The datagrams that were under way while there were two have come.
    for _ in 0..5 {
        manager.hears("WATCHDOG=1");
    }
    crate::support::signal("TERM", new);
    manager.hears("STOPPING=1");
    pool.close();
}

#[tokio::test]
async fn a_socket_of_systemd_is_listened_on_with_what_waits_in_its_queue() {
    let (pool, at_pool) = pool().await;
    let mut plan = Plan::new(&at_pool).await;
    let socket = std::net::TcpListener::bind(&plan.listen).unwrap();
    plan.socket = Some(socket.try_clone().unwrap());
    // It has come before the program.
    let mut early = Rig::connect(&plan.listen).await;
    let mut orepass = plan.start();
    early.send(r#"{"id":"in","method":"mining.subscribe","params":["test/1"]}"#).await;
    assert_eq!(early.answer("in").await["error"], serde_json::Value::Null);
    drop(early);
    orepass.terminate();
    assert!(orepass.ends().await.success());
    // It is systemd's still: nobody is refused.
    tokio::net::TcpStream::connect(socket.local_addr().unwrap()).await.unwrap();
    pool.close();
}
