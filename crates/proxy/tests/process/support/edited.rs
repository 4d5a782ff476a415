//! The program with a config that is edited while it runs, and somebody who looks whether rigs can
//! connect all the time.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;

use super::{Folder, Orepass};

/// A config in a folder of its own.
pub(crate) struct Edited(Folder);

impl Edited {
    pub(crate) fn new(name: &str) -> Self {
        Self(Folder::new(name))
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0.0
    }

    fn file(&self) -> PathBuf {
        self.folder().join("orepass.toml")
    }

    pub(crate) fn write(&self, text: &str) {
        std::fs::write(self.file(), format!("{text}\n[api]\nlisten = \"off\"\n")).unwrap();
    }

    pub(crate) fn start(&self) -> Orepass {
        let mut command = self.command("run");
        Orepass::start(command.stderr(Stdio::piped()))
    }

    /// Asks for something by `orepass ctl`.
    pub(crate) async fn ctl(&self, arguments: &[&str]) -> Output {
        let mut command = self.command("ctl");
        command.args(arguments);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    fn command(&self, what: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orepass"));
        command.arg(what).arg("-c").arg(self.file());
        for variable in
            ["OREPASS_CONFIG", "OREPASS_LOG", "RUST_LOG", "STATE_DIRECTORY", "RUNTIME_DIRECTORY"]
        {
            command.env_remove(variable);
        }
        command
    }
}

/// What a program has said.
pub(crate) fn text(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).unwrap()
}

/// A route of Handshake with pools of these addresses.
pub(crate) fn route(name: &str, listen: &str, more: &str, pools: &[&str]) -> String {
    let mut text = format!(
        "[[route]]\nname = \"{name}\"\ndialect = \"hstratum\"\nlisten = [\"{listen}\"]\n{more}\n"
    );
    for (number, pool) in pools.iter().enumerate() {
        text += &format!(
            "[[route.pool]]\nname = \"pool{number}\"\nurl = \"stratum+tcp://{pool}\"\n\
             user = \"account\"\npassword = \"hunter2\"\n"
        );
    }
    text
}

/// Somebody who tries all the time whether he can connect.
pub(crate) struct Knocker {
    stops: Arc<AtomicBool>,
    refused: Arc<AtomicU64>,
    came_in: Arc<AtomicU64>,
}

impl Knocker {
    pub(crate) fn start(address: &str) -> Self {
        let (stops, refused, came_in) = (
            Arc::<AtomicBool>::default(),
            Arc::<AtomicU64>::default(),
            Arc::<AtomicU64>::default(),
        );
        let knocker = Self {
            stops: Arc::clone(&stops),
            refused: Arc::clone(&refused),
            came_in: Arc::clone(&came_in),
        };
        let address = address.to_owned();
        tokio::spawn(async move {
            while !stops.load(Ordering::Relaxed) {
                let counted = match TcpStream::connect(&address).await {
                    Ok(_) => &came_in,
                    Err(_) => &refused,
                };
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        knocker
    }

    pub(crate) fn stop(&self) {
        self.stops.store(true, Ordering::Relaxed);
        assert_eq!(self.refused.load(Ordering::Relaxed), 0, "connections refused");
        assert!(self.came_in.load(Ordering::Relaxed) > 10);
    }
}
