//! The demo knows the coin.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::process::Command;

#[test]
fn the_books_of_its_demo_close() {
    let demo = ["demo", "--dialect", "toy", "--seconds", "6", "--rigs", "6", "--json"];
    let output = Command::new(env!("CARGO_BIN_EXE_toy-coin")).args(demo).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("\"dialect\":\"toy\""), "{said}");
}
