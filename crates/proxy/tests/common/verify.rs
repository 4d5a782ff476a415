//! `orepass verify`, run as a program.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What the program answers to lines on its standard input, and its exit code.
pub(crate) fn verify(lines: impl AsRef<[u8]>) -> (Vec<Value>, i32) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_orepass"))
        .arg("verify")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, lines) = (child.stdin.take().unwrap(), lines.as_ref().to_vec());
    let writer = std::thread::spawn(move || stdin.write_all(&lines));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let answers = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (answers, output.status.code().unwrap())
}
