//! The program's exit codes, and what it says to a wrong config.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::PathBuf;
use std::process::{Command, Output};

fn orepass(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_orepass"))
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .env_remove("OREPASS_CONFIG")
        .env_remove("OREPASS_LOG")
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("orepass-{name}-{}.toml", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn usage_errors_exit_with_2() {
    for arguments in [&["frobnicate"][..], &["-o", "x"], &["-c", "a", "check"], &["-v", "-q"]] {
        assert_eq!(orepass(arguments).status.code(), Some(2), "{arguments:?}");
    }
    for arguments in ["-h", "--help", "-V"] {
        assert_eq!(orepass(&[arguments]).status.code(), Some(0), "{arguments}");
    }
}

#[test]
fn a_wrong_config_exits_with_78_and_shows_the_place() {
    let wrong = "[[route]]\nnam = \"hns\"\ndialect = \"hstratum\"\nlisten = [\":3008\"]\n\
                 [[route.pool]]\nurl = \"stratum+tcp://pool.example:3008\"\nuser = \"account\"\n";
    let path = file("wrong", wrong);
    let path_text = path.display().to_string();
    for arguments in
        [&["-c", &path_text][..], &["check", "-c", &path_text], &["-t", "-c", &path_text]]
    {
        let output = orepass(arguments);
        assert_eq!(output.status.code(), Some(78), "{arguments:?}");
        let expected = format!(
            "{path_text}:2:1: unknown key `nam`, did you mean `name`?\n 2 | nam = \"hns\"\n   | ^^^\n"
        );
        assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
    }
    std::fs::remove_file(&path).unwrap();
    let output = orepass(&["-c", &path_text]);
    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with(&format!("orepass: cannot read the config file {path_text}")),
        "{said}"
    );
}

#[test]
fn log_directives_are_checked() {
    let pool = ["check", "-o", "stratum+tcp://127.0.0.1:1", "-u", "a", "--dialect", "hstratum"];
    let output = Command::new(env!("CARGO_BIN_EXE_orepass"))
        .args(pool)
        .env("OREPASS_LOG", "orepass=loud")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("orepass: $OREPASS_LOG: "), "{said}");
}

#[test]
fn a_config_that_is_not_utf_8_exits_with_78_and_shows_the_place_but_no_secret() {
    let path = std::env::temp_dir().join(format!("orepass-latin-{}.toml", std::process::id()));
    std::fs::write(&path, b"[[route]]\nname = \"hns\"\npassword = \"h\xfcnter2\"\n").unwrap();
    let output = orepass(&["check", "-c", &path.display().to_string()]);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!(
            "{}:3:14: this character is not UTF-8; save the file as UTF-8\n 3 | password =…\n   \
             |           ^\n",
            path.display()
        )
    );
}
