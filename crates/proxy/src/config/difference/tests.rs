use std::path::Path;

use super::*;
use crate::registry::Registry;

const CONFIG: &str = r#"
[[route]]
name = "hns"
dialect = "hstratum"
listen = ["127.0.0.1:3008"]
[[route.pool]]
name = "first"
url = "stratum+tcp://pool.example:3008"
user = "account"
password = "hunter2"
[[route.pool]]
name = "second"
url = "stratum+tcp://other.example:3008"
user = "account"
[[route]]
name = "old"
dialect = "hstratum"
listen = ["127.0.0.1:3009"]
[[route.pool]]
url = "stratum+tcp://pool.example:3008"
user = "account"
"#;

fn parse(text: &str) -> Config {
    Config::parse("orepass.toml", text, &Registry::default()).unwrap()
}

/// What is said where `from` is replaced by `to`.
fn edited(from: &str, to: &str) -> Difference {
    assert!(CONFIG.contains(from), "{from}");
    Difference::between(&parse(CONFIG), &parse(&CONFIG.replacen(from, to, 1)))
}

#[test]
fn a_comment_and_other_line_numbers_are_no_difference() {
    let found = edited("[[route]]", "# a comment\n\n[[route]]");
    assert!(found.is_none(), "{found:?}");
    assert_eq!(found.routes, [Step::Keep; 2]);
    let options = "user = \"account\"\n[route.pool.options]\nnames = \"auto\"";
    let (with, moved) = (format!("{CONFIG}[route.pool.options]\nnames = \"auto\"\n"), options);
    let again = with.replacen("[[route]]", "\n[[route]]", 1);
    let found = Difference::between(&parse(&with), &parse(&again));
    assert!(found.is_none(), "{found:?} {moved}");
}

#[test]
fn each_change_has_its_line_and_touches_its_route_alone() {
    for (from, to, line) in [
        (
            "[[route.pool]]",
            "[route.vardiff]\nshares_per_minute = 20\n[[route.pool]]",
            "vardiff.shares_per_minute 10 \u{2192} 20",
        ),
        ("listen", "reply = \"local\"\nlisten", "reply pool \u{2192} local"),
        (
            "password = \"hunter2\"",
            "password = \"hunter3\"",
            "pool first: password changed; a new connection takes over",
        ),
        (
            "pool.example:3008",
            "pool.example:4008",
            "pool first: url stratum+tcp://pool.example:3008 \u{2192} \
             stratum+tcp://pool.example:4008; a new connection takes over",
        ),
        ("3008\"]", "3008\", \"127.0.0.1:3010\"]", "listens on 127.0.0.1:3010 too"),
    ] {
        let found = edited(from, to);
        assert_eq!(found.lines, [format!("route hns: {line}")]);
        assert_eq!(found.routes, [Step::Change, Step::Keep]);
        assert!(found.at_restart.is_empty() && found.removed.is_empty());
    }
}

#[test]
fn what_splits_the_work_starts_the_route_anew() {
    let found = edited("listen", "prefix_bytes = 2\nlisten");
    assert_eq!(found.routes, [Step::Restart, Step::Keep]);
    assert!(found.lines[0].starts_with("route hns: prefix_bytes auto \u{2192} 2: starts anew"));
}

#[test]
fn pools_come_leave_and_change_places() {
    let found = edited("\"first\"", "\"third\"");
    let lines: Vec<&str> = found.lines.iter().map(String::as_str).collect();
    assert_eq!(
        lines,
        [
            "route hns: pool first leaves: its rigs go to the others",
            "route hns: pool third comes: stratum+tcp://pool.example:3008 as account",
        ]
    );
    let swapped =
        CONFIG.replace("first", "x").replace("second", "first").replace("\"x", "\"second");
    let found = Difference::between(&parse(CONFIG), &parse(&swapped));
    assert!(found.lines.contains(&"route hns: pools first, second \u{2192} second, first".into()));
}

#[test]
fn routes_come_and_go_and_some_things_wait_for_a_start() {
    let found = edited("name = \"old\"", "name = \"new\"");
    assert_eq!(found.routes, [Step::Keep, Step::Start]);
    assert_eq!(found.removed, ["old".parse().unwrap()]);
    let head = "workers = 7\n[log]\nlevel = \"debug\"\nformat = \"json\"\n[control]\nsocket = \"s\"\n\
                [history]\nfile = \"h\"\nmax_mib = 7\n";
    let mut old = parse(CONFIG);
    (old.workers, old.control, old.history.file) = (1, None, None);
    let found = Difference::between(&old, &parse(&format!("{head}{CONFIG}")));
    assert_eq!(found.lines, ["log.level info \u{2192} debug"]);
    let put_off = |line: &str| format!("{line}: at the next start or upgrade");
    assert_eq!(
        found.at_restart,
        [
            put_off("log.format text \u{2192} json"),
            put_off("workers 1 \u{2192} 7"),
            put_off("history.max_mib 1024 \u{2192} 7"),
            put_off("history.file none \u{2192} h"),
            put_off(&format!("control.socket none \u{2192} {}", Path::new("s").display())),
        ]
    );
}

#[test]
fn a_rotated_secret_is_a_difference_though_the_text_is_the_same() {
    let file = std::env::temp_dir().join(format!("orepass-secret-{}", std::process::id()));
    let text = CONFIG.replace("hunter2", &format!("file:{}", file.display()));
    std::fs::write(&file, "hunter2").unwrap();
    let old = parse(&text);
    std::fs::write(&file, "hunter3").unwrap();
    let found = Difference::between(&old, &parse(&text));
    std::fs::remove_file(&file).unwrap();
    assert_eq!(found.lines.len(), 1);
    assert!(!format!("{found:?}").contains("hunter"), "{found:?}");
}
