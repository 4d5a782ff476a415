//! Other people's programs, where this machine has them.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::wait::until;

/// Whether there is such a program; says aloud that a test is left out where there is none.
#[must_use]
#[expect(clippy::print_stderr, reason = "whoever runs the tests is to see it")]
pub fn has(program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    });
    // Debian keeps daemons out of the path of people.
    let found = found || std::path::Path::new("/usr/sbin").join(program).is_file();
    if !found {
        eprintln!("LEFT OUT: there is no {program} here; `apt-get install {program}` brings it");
    }
    found
}

/// A port that nobody listens on, for a program that cannot be asked which one it took.
#[must_use]
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A program that runs until this is dropped.
pub struct Running(Child);

impl Running {
    /// Starts one that takes connections at this port, and waits until it does.
    pub async fn serving(command: &mut Command, port: u16) -> Self {
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        let command = command.env("PATH", path).stdin(Stdio::null()).stdout(Stdio::null());
        let running = Self(command.stderr(Stdio::null()).spawn().unwrap());
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        until("a program serves", || TcpStream::connect(address).is_ok(), |is| *is).await;
        running
    }

    /// Sends it a signal, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a program that is given these lines, until it has said something with `wanted` in it; gives
/// what it said. Blocks.
#[must_use]
pub fn talk(command: &mut Command, lines: &str, wanted: &str) -> String {
    use std::io::{BufRead, BufReader};
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = Running(command.spawn().unwrap());
    let mut stdin = running.0.stdin.take().unwrap();
    stdin.write_all(lines.as_bytes()).unwrap();
    let mut said = String::new();
    for line in BufReader::new(running.0.stdout.take().unwrap()).lines() {
        said += &line.unwrap();
        if said.contains(wanted) {
            break;
        }
    }
    said
}
