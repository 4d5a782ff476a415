//! The program in a process of its own, between a simulated pool and rigs.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::programs::free_port;
use crate::wait::until;

/// How many of its last lines are kept.
const MAX_LINES: usize = 10_000;

/// The program at work.
pub struct ProxyProcess {
    child: Child,
    /// Where rigs connect to.
    pub address: String,
    /// Where its config is; gone with it.
    pub folder: PathBuf,
    log: ProxyLog,
}

/// The lines that the program has logged, as JSON.
#[derive(Debug, Clone, Default)]
pub struct ProxyLog(Arc<Mutex<VecDeque<String>>>);

impl ProxyLog {
    /// Those that contain all of `words`.
    #[must_use]
    pub fn lines(&self, words: &[&str]) -> Vec<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = |line: &&String| words.iter().all(|word| line.contains(word));
        lines.iter().filter(wanted).cloned().collect()
    }

    /// Waits for a line that contains all of `words`.
    pub async fn says(&self, words: &[&str]) {
        let what = format!("{words:?} in the log");
        until(&what, || self.lines(words).len(), |lines| *lines > 0).await;
    }

    fn follow(&self, stderr: ChildStderr) {
        let log = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut lines = log.0.lock().unwrap_or_else(PoisonError::into_inner);
                if lines.len() == MAX_LINES {
                    lines.pop_front();
                }
                lines.push_back(line);
            }
        });
    }
}

/// A folder that nobody else has.
#[must_use]
pub fn new_folder() -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("orepass-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

impl ProxyProcess {
    /// Starts a command that runs the program, with a config of one Handshake route to `pool`, and
    /// waits until rigs may connect. `route` are further keys of the route, whose vardiff is off, and
    /// `more` further tables. The command finds the config's folder in `$FOLDER`.
    pub async fn start(mut command: Command, pool: SocketAddr, [route, more]: [&str; 2]) -> Self {
        let folder = new_folder();
        let address = format!("127.0.0.1:{}", free_port());
        let api = if more.contains("[api]") { "" } else { "[api]\nlisten = \"off\"\n" };
        let config = format!(
            "[[route]]\nname = \"hns\"\ndialect = \"hstratum\"\nlisten = [\"{address}\"]\n\
             max_pool_shares_per_second = 100000\n{route}\n\
             [route.vardiff]\nenabled = false\n\
             [[route.pool]]\nname = \"pool\"\nurl = \"stratum+tcp://{pool}\"\nuser = \"account\"\n\
             [log]\nformat = \"json\"\n{api}{more}\n"
        );
        fs::write(folder.join("orepass.toml"), config).unwrap();
        command.arg("run").arg("--config").arg(folder.join("orepass.toml"));
        command.env("FOLDER", &folder).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = ProxyLog::default();
        if let Some(stderr) = child.stderr.take() {
            log.follow(stderr);
        }
        let proxy = Self { child, address, folder, log };
        // Where its log goes elsewhere it can be told by nothing else.
        let up = || TcpStream::connect(&proxy.address).is_ok();
        until("the program listens", up, |up| *up).await;
        proxy
    }

    /// Its config.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.join("orepass.toml")
    }

    /// What it has logged.
    #[must_use]
    pub const fn log(&self) -> &ProxyLog {
        &self.log
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that was resident since it was forgotten, in KiB; `None` where the system does not tell.
    #[must_use]
    pub fn peak(&self) -> Option<u64> {
        let status = fs::read_to_string(self.proc("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    }

    /// From now on the peak is counted anew.
    pub fn forget_peak(&self) {
        let _ = fs::write(self.proc("clear_refs"), "5");
    }

    /// How many files it has open; `None` where the system does not tell.
    #[must_use]
    pub fn open_files(&self) -> Option<usize> {
        Some(fs::read_dir(self.proc("fd")).ok()?.count())
    }

    /// Sends it a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let ended = || self.child.try_wait().unwrap();
        until("the program's end", ended, Option::is_some).await.unwrap()
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// A file as the program sees it, which may see another file system.
    #[must_use]
    pub fn sees(&self, name: &str) -> PathBuf {
        let folder = self.folder.strip_prefix("/").unwrap();
        self.proc("root").join(folder).join(name)
    }

    fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.id().to_string()).join(name)
    }
}

impl Drop for ProxyProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
