//! The program in a process of its own, between a simulated pool and a rig of the test's own.

pub(crate) mod edited;

use std::fmt::Debug;
use std::io::{BufRead, BufReader as StdReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orepass_sim::net::{PoolServer, RigFarm};
use orepass_sim::pool::PoolConfig;
use orepass_sim::rig::{RigConfig, RigStats};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

/// How long anything may take. Generous, since it is reached only when something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Looks at `read` until it satisfies `wanted`, and gives that.
pub(crate) async fn until<T: Debug>(
    what: &str,
    mut read: impl FnMut() -> T,
    mut wanted: impl FnMut(&T) -> bool,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let state = read();
        if wanted(&state) {
            return state;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}; the last was {state:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A pool that listens, and where.
pub(crate) async fn pool() -> (PoolServer, String) {
    pool_of(PoolConfig::default()).await
}

/// A pool of shares that are found in 43 hashes.
pub(crate) async fn easy_pool() -> (PoolServer, String) {
    pool_of(PoolConfig { difficulty: 1e-8, ..PoolConfig::default() }).await
}

pub(crate) async fn pool_of(config: PoolConfig) -> (PoolServer, String) {
    let pool = PoolServer::new(PoolConfig { fixed_time: Some(1_700_000_000), ..config });
    let address = pool.listen("127.0.0.1:0").await.unwrap();
    (pool, address.to_string())
}

/// An address that nobody listens on.
pub(crate) async fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

/// How to start the program.
pub(crate) struct Plan {
    /// Where rigs connect to.
    pub(crate) listen: String,
    /// Where the pool is.
    pub(crate) pool: String,
    /// More of the route's table.
    pub(crate) route: &'static str,
    /// More routes.
    pub(crate) more: String,
    /// Where the API listens.
    pub(crate) api: String,
    /// More of the API's table, and behind it.
    pub(crate) after: String,
    /// More arguments.
    pub(crate) arguments: &'static [&'static str],
    /// How many files it may have open.
    pub(crate) files: Option<u32>,
    /// Another copy of the program.
    pub(crate) program: Option<PathBuf>,
    /// What the environment says.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// A socket on which it is to listen, as systemd gives it.
    pub(crate) socket: Option<std::net::TcpListener>,
}

impl Plan {
    /// A route from a free address to this pool.
    pub(crate) async fn new(pool: &str) -> Self {
        let (listen, pool) = (free_address().await, pool.to_owned());
        Self {
            listen,
            pool,
            route: "",
            more: String::new(),
            api: "off".to_owned(),
            after: String::new(),
            arguments: &[],
            files: None,
            program: None,
            environment: Vec::new(),
            socket: None,
        }
    }

    /// Starts it with a log that the test reads.
    pub(crate) fn start(self) -> Orepass {
        let (mut orepass, stderr) = self.start_unread();
        orepass.read(stderr);
        orepass
    }

    /// Starts it with a log that nobody reads until the test does.
    pub(crate) fn start_unread(self) -> (Orepass, ChildStderr) {
        let mut orepass = self.start_with_log(Stdio::piped());
        let stderr = orepass.child.stderr.take().unwrap();
        (orepass, stderr)
    }

    /// Starts it with a log that goes there.
    pub(crate) fn start_with_log(self, stderr: Stdio) -> Orepass {
        let address = self.listen.clone();
        let (mut command, config) = self.command("run");
        let child = command.stderr(stderr).spawn().unwrap();
        Orepass { child, address, _config: Some(config), log: Arc::default(), is_read: false }
    }

    /// Has the config checked: the exit code, and what is said on standard output.
    pub(crate) async fn check(self) -> (Option<i32>, String) {
        let (mut command, config) = self.command("check");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        drop(config);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    fn command(&self, command: &str) -> (Command, ConfigFile) {
        let Self {
            listen,
            pool,
            route,
            more,
            api,
            after,
            arguments,
            files,
            program,
            environment,
            socket,
        } = self;
        let config = ConfigFile::write(&format!(
            "[[route]]\nname = \"hns\"\ndialect = \"hstratum\"\nlisten = [\"{listen}\"]\n{route}\n\
             [[route.pool]]\nname = \"pool\"\nurl = \"stratum+tcp://{pool}\"\nuser = \"account\"\n\
             {more}\n[api]\nlisten = \"{api}\"\n{after}"
        ));
        let usual = Path::new(env!("CARGO_BIN_EXE_orepass"));
        let binary = program.as_deref().unwrap_or(usual);
        let mut process = match (files, socket) {
            (None, None) => Command::new(binary),
            (None, Some(socket)) => {
                let mut shell = Command::new("sh");
                // The shell's process becomes the program's.
                let script = "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\" 3<&0";
                shell.args(["-c", script]).arg(binary);
                shell.stdin(Stdio::from(std::os::fd::OwnedFd::from(socket.try_clone().unwrap())));
                shell
            }
            (Some(files), _) => {
                let mut shell = Command::new("sh");
                let script = format!("ulimit -n {files} && exec \"$0\" \"$@\"");
                shell.args(["-c", &script]).arg(binary);
                shell
            }
        };
        process.args([command, "-c"]).arg(&config.0).args(*arguments);
        for variable in ["OREPASS_CONFIG", "OREPASS_LOG", "RUST_LOG", "STATE_DIRECTORY"] {
            process.env_remove(variable);
        }
        process.envs(environment.iter().map(|(name, value)| (name, value)));
        (process, config)
    }
}

/// A config file, which is deleted when this is dropped.
struct ConfigFile(PathBuf);

impl ConfigFile {
    fn write(text: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("orepass-process-{}-{number}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for ConfigFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The running program. It is killed when this is dropped.
pub(crate) struct Orepass {
    child: Child,
    /// Where rigs connect to.
    pub(crate) address: String,
    _config: Option<ConfigFile>,
    log: Arc<Mutex<Vec<String>>>,
    is_read: bool,
}

impl Orepass {
    /// Starts it with a log that the test reads, as a command that says where its log goes.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (address, log) = (String::new(), Arc::default());
        let mut orepass = Self { child, address, _config: None, log, is_read: false };
        orepass.read(stderr);
        orepass
    }

    fn read(&mut self, stderr: ChildStderr) {
        let log = Arc::clone(&self.log);
        std::thread::spawn(move || {
            for line in StdReader::new(stderr).lines() {
                log.lock().unwrap().push(line.unwrap());
            }
        });
        self.is_read = true;
    }

    /// Tells it to stop.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        signal(name, self.child.id());
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    pub(crate) async fn ends(&mut self) -> ExitStatus {
        let ended = until("the end", || self.child.try_wait().unwrap(), Option::is_some).await;
        ended.unwrap()
    }

    /// The lines of the log so far that contain all of `words`.
    pub(crate) fn lines(&self, words: &[&str]) -> Vec<String> {
        assert!(self.is_read);
        let log = self.log.lock().unwrap();
        log.iter().filter(|line| words.iter().all(|word| line.contains(word))).cloned().collect()
    }

    /// Waits for a line that contains all of `words`.
    pub(crate) async fn says(&self, words: &[&str]) -> String {
        let what = format!("{words:?} in the log");
        let mut lines = until(&what, || self.lines(words), |lines| !lines.is_empty()).await;
        lines.remove(0)
    }
}

impl Drop for Orepass {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process.
pub(crate) fn signal(name: &str, process: u32) {
    let (name, process) = (format!("-{name}"), process.to_string());
    assert!(Command::new("kill").args([name, process]).status().unwrap().success());
}

/// A folder of a test's own, which is gone afterwards.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("orepass-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The number that follows a word in a line.
pub(crate) fn number(line: &str, word: &str) -> u64 {
    let rest = line.split(word).nth(1).unwrap_or_default().trim_start();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no number after {word:?}: {line}"))
}

/// Simulated rigs that find a share in about two seconds.
pub(crate) fn rigs(count: usize, address: &str) -> RigFarm {
    RigFarm::start(count, address, Duration::ZERO, |number| RigConfig {
        worker: format!("rig{number}"),
        hashrate: 20.0,
        reconnect_min: Duration::from_millis(50),
        reconnect_max: Duration::from_millis(500),
        max_pending: 8,
        seed: number as u64,
        ..RigConfig::default()
    })
}

/// How many rigs have had a good share: so many workers are remembered at least.
pub(crate) fn earners(farm: &RigFarm) -> usize {
    farm.rigs().iter().filter(|rig| rig.stats().accepted > 0).count()
}

/// Waits until all rigs mine and have earned something more.
pub(crate) async fn all_mine(farm: &RigFarm) {
    let rigs = farm.rigs().len() as u64;
    until("rigs mine", || farm.stats(), |stats: &RigStats| stats.mining == rigs).await;
    let before = farm.stats().accepted;
    until("shares", || farm.stats().accepted, |accepted| *accepted > before + rigs / 4).await;
}

/// A rig whose every line the test writes and reads.
pub(crate) struct Rig(BufReader<TcpStream>);

impl Rig {
    /// Connects as soon as somebody listens.
    pub(crate) async fn connect(address: &str) -> Self {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match TcpStream::connect(address).await {
                Ok(stream) => return Self(BufReader::new(stream)),
                Err(error) => assert!(Instant::now() < deadline, "{address}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Connects, subscribes and authorizes.
    pub(crate) async fn login(address: &str, worker: &str) -> Self {
        let mut rig = Self::connect(address).await;
        rig.send(r#"{"id":"in","method":"mining.subscribe","params":["test/1"]}"#).await;
        assert_eq!(rig.answer("in").await["error"], Value::Null);
        let call =
            format!(r#"{{"id":"in","method":"mining.authorize","params":["{worker}","x"]}}"#);
        rig.send(&call).await;
        assert_eq!(rig.answer("in").await["result"], true);
        rig
    }

    /// Sends a line.
    pub(crate) async fn send(&mut self, line: &str) {
        self.0.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// The next line; `None` at the connection's end.
    pub(crate) async fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.0.read_line(&mut line)).await.expect("a line comes");
        // A reset is an end too.
        (read.unwrap_or(0) > 0).then(|| serde_json::from_str(&line).unwrap())
    }

    /// The answer to the call of this id; other lines are passed over.
    pub(crate) async fn answer(&mut self, id: &str) -> Value {
        loop {
            let line = self.line().await.expect("an answer comes before the end");
            if line["id"] == id {
                return line;
            }
        }
    }
}
