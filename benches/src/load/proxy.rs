//! The proxy in a process of its own, with a config of its own.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::args::Args;
use super::error::LoadError;

/// So many rigs fit on a channel by default; for more the prefix needs a second byte.
const ONE_BYTE: u32 = 250;
/// So many of the last lines of the log are shown.
const SHOWN: usize = 10;

/// A running proxy, which ends with this; so does its folder.
#[derive(Debug)]
pub struct ProxyProcess {
    child: Child,
    address: SocketAddr,
    folder: Folder,
}

impl ProxyProcess {
    /// Starts `orepass run` to this pool.
    ///
    /// # Errors
    /// When the program is not there or does not start.
    pub fn start(args: &Args, pool: SocketAddr) -> Result<Self, LoadError> {
        let program = program(args)?;
        let what = "the proxy cannot be started";
        let folder = Folder::new().map_err(LoadError::io("no folder for the proxy's config"))?;
        let address = free_address().map_err(LoadError::io(what))?;
        let path = folder.0.join("orepass.toml");
        fs::write(&path, config(args, address, pool)).map_err(LoadError::io(what))?;
        let log = File::create(folder.log()).map_err(LoadError::io(what))?;
        let child = Command::new(program)
            .arg("run")
            .arg("-c")
            .arg(path)
            // The config alone says what it does.
            .env_remove("STATE_DIRECTORY")
            .env_remove("OREPASS_LOG")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(LoadError::io(what))?;
        Ok(Self { child, address, folder })
    }

    /// Sees that it still runs.
    ///
    /// # Errors
    /// When it does not, with what it said.
    pub fn check(&mut self) -> Result<(), LoadError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(LoadError::Ended {
                party: "proxy",
                status: status.to_string(),
                log: self.last_lines(),
            }),
            Err(error) => Err(LoadError::Io { what: "the proxy cannot be watched", error }),
        }
    }

    /// Where rigs connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The last lines of its log, which has warnings and errors only.
    #[must_use]
    pub fn last_lines(&self) -> String {
        let text = fs::read_to_string(self.folder.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(SHOWN)..].join("\n")
    }
}

impl Drop for ProxyProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A temporary folder, removed with this.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("orepass-load-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // Fails where something of that name is there already.
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    fn log(&self) -> PathBuf {
        self.0.join("log")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn program(args: &Args) -> Result<PathBuf, LoadError> {
    let beside = || {
        let own = std::env::current_exe().unwrap_or_default();
        own.parent().unwrap_or_else(|| Path::new(".")).join("orepass")
    };
    let path = args.orepass.clone().unwrap_or_else(beside);
    if path.is_file() { Ok(path) } else { Err(LoadError::NoProgram(path)) }
}

/// A loopback port that nobody has at present.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Every share is checked; rigs get the pool's own target, which every hash meets; nothing slows the
/// rigs down. Unless it is to be watched, nothing is kept.
fn config(args: &Args, listen: SocketAddr, pool: SocketAddr) -> String {
    let (channels, per_channel) = (args.channels() + 1, args.rigs_per_channel);
    let prefix = if per_channel > ONE_BYTE { 2 } else { 1 };
    let dialect = &args.dialect;
    let scheme = if args.tls { "tls://" } else { "" };
    let watched = match args.watched {
        Some(address) => format!("[api]\nlisten = \"{address}\"\n[state]\nfile = \"load.db\"\n"),
        None => "[api]\nlisten = \"off\"\n".to_owned(),
    };
    format!(
        r#"{watched}
[[route]]
name = "load"
dialect = "{dialect}"
listen = ["{scheme}{listen}"]
verify = "full"
prefix_bytes = {prefix}
max_channels = {channels}
max_rigs_per_channel = {per_channel}
max_pool_shares_per_second = 1000000

[route.vardiff]
enabled = false

[[route.pool]]
url = "stratum+tcp://{pool}"
user = "account"

[log]
level = "warn"
"#
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use orepass::registry::Registry;

    use super::*;

    #[test]
    fn the_proxy_takes_the_config() {
        let watched = ["load", "--watched", "127.0.0.1:9299"];
        for args in [&["load"][..], &["load", "--tls", "--rigs-per-channel", "60000"], &watched] {
            let args = Args::parse_from(args);
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 3008));
            let text = config(&args, address, address);
            let read = orepass::config::Config::parse("load", &text, &Registry::default());
            assert!(read.is_ok(), "{read:?}");
        }
    }

    #[test]
    fn a_folder_is_removed() {
        let folder = Folder::new().unwrap();
        let path = folder.0.clone();
        fs::write(folder.log(), "a line").unwrap();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn a_missing_program_says_how_it_is_made() {
        let args = Args::parse_from(["load", "--orepass", "/nowhere/orepass"]);
        let error = program(&args).unwrap_err().to_string();
        assert!(error.contains("cargo build --release -p orepass"), "{error}");
    }
}
