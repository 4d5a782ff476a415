//! Config files, right and wrong: what comes of them, and what the operator is told, to the
//! letter.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use orepass::config::{Config, RouteConfig};
use orepass::registry::Registry;
use orepass::telemetry::{LogFormat, LogLevel};
use orepass_farm::limits::{Admittance, LimitWishes};
use orepass_stratum::downstream::{Reply, SessionLimits, Verify};
use orepass_stratum::target::Difficulty;
use proptest::prelude::*;
use wildmatch::WildMatch;

const GOOD: &str = r#"[[route]]
name = "hns"
dialect = "hstratum"
listen = ["[::]:3008"]

[[route.pool]]
url = "stratum+tcp://pool.example:3008"
user = "account.{worker}"
"#;

fn error(text: &str) -> String {
    Config::parse("orepass.toml", text, &Registry::default()).unwrap_err().to_string()
}

/// The good config with one text in it replaced.
fn error_with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    error(&GOOD.replace(from, to))
}

#[test]
fn a_small_config_has_defaults() {
    let config = Config::parse("t", GOOD, &Registry::default()).unwrap();
    assert_eq!((config.log.level, config.log.format), (LogLevel::Info, LogFormat::Text));
    let [route] = &config.routes[..] else { panic!("{config:?}") };
    assert_eq!((route.name.as_str(), route.dialect.as_str()), ("hns", "hstratum"));
    assert_eq!((route.downstream.verify, route.downstream.reply), (Verify::Full, Reply::Pool));
    assert_eq!(route.prefix_bytes, None);
    assert_eq!((route.max_channels, route.max_rigs_per_channel), (16, 250));
    assert_eq!(config.capacity(), 4000);
    assert_eq!(route.max_pool_shares_per_second, 50);
    assert!(route.downstream.vardiff.enabled);
    assert_eq!((route.downstream.vardiff.min, route.downstream.vardiff.max), (None, None));
    assert!((route.downstream.vardiff.shares_per_minute - 10.0).abs() < 1e-9);
    let [pool] = &route.pools[..] else { panic!("{route:?}") };
    assert_eq!(pool.name.as_str(), "pool.example:3008");
    assert_eq!((pool.url.host(), pool.url.port()), ("pool.example", 3008));
    assert_eq!(pool.password.reveal(), "x");
    assert_eq!((pool.pass_password, pool.start_difficulty), (false, None));
    assert!(!pool.resubmit, "a share is sent twice only on request");
}

#[test]
fn everything_can_be_set() {
    let config = Config::parse(
        "t",
        r#"
        workers = 3
        log = { level = "debug", format = "json" }
        state = { file = "farm.db" }
        [[route]]
        name = "hns"
        dialect = "hstratum"
        listen = [":3008", "127.0.0.1:3009"]
        verify = "off"
        reply = "local"
        prefix_bytes = 0
        max_channels = 3
        max_dedicated = 5
        quarantine = false
        failover = { healthy_seconds = 30, trial_percent = 20, trial_seconds = 5 }
        profile = [{ agent = "Old/*", dedicated = true }, { worker = "w?", difficulty = 8 }]
        max_pool_shares_per_second = 10000
        [route.options]
        split = "narrow"
        open_jobs = 2
        [route.vardiff]
        enabled = false
        shares_per_minute = 6
        start = 2
        min = 0.5
        max = 64
        [[route.pool]]
        name = "first"
        url = "stratum+tcp://pool.example:3008"
        user = "account"
        password = "hunter2"
        pass_password = true
        start_difficulty = 4096.5
        resubmit = true
        options = { difficulty_scale = "hstratum" }
        [[route.pool]]
        url = "stratum+tcp://[::1]:3008"
        user = "account"
        "#,
        &Registry::default(),
    )
    .unwrap();
    assert_eq!(config.workers, 3);
    assert_eq!((config.log.level, config.log.format), (LogLevel::Debug, LogFormat::Json));
    assert_eq!(config.state.as_deref(), Some(Path::new("farm.db")));
    let route = &config.routes[0];
    assert_eq!((route.downstream.verify, route.downstream.reply), (Verify::Off, Reply::Local));
    assert_eq!(route.listen[0].to_string(), "[::]:3008");
    assert_eq!(route.prefix_bytes, Some(0));
    assert_eq!(config.capacity(), 3, "without a prefix a rig has a connection to itself");
    assert_eq!(route.max_pool_shares_per_second, 10_000);
    assert!(route.pools[0].pass_password);
    assert_eq!(route.pools[0].start_difficulty.unwrap().get(), 4096.5);
    assert!(!route.downstream.vardiff.enabled);
    assert_eq!(route.downstream.vardiff.start.unwrap().get(), 2.0);
    assert_eq!((route.max_dedicated, route.downstream.quarantine), (5, false));
    assert_eq!(route.failover.healthy_for.as_secs(), 30);
    assert_eq!((route.failover.trial_share, route.failover.trial_for.as_secs()), (0.2, 5));
    let [old, slow] = &route.profiles[..] else { panic!("two profiles") };
    assert!(old.agent == Some(WildMatch::new("Old/*")) && old.firmware.dedicated);
    assert_eq!(slow.firmware.difficulty.map(Difficulty::get), Some(8.0));
    assert_eq!(route.downstream.vardiff.min.unwrap().get(), 0.5);
    assert_eq!(route.pools[0].name.as_str(), "first");
    assert_eq!(route.pools[1].url.authority(), "[::1]:3008");
    assert_eq!(route.pools[0].password.reveal(), "hunter2");
    assert!(route.pools[0].resubmit && !route.pools[1].resubmit);
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_profile_says_for_whom_and_what() {
    let with = |profile: &str| error_with("[[route.pool]]", &format!("{profile}\n[[route.pool]]"));
    let nobody = with("[[route.profile]]\ndedicated = true");
    assert!(nobody.contains("a profile needs an `agent` or a `worker` pattern"), "{nobody}");
    let nothing = with("[[route.profile]]\nagent = \"x\"");
    assert!(nothing.contains("this profile changes nothing"), "{nothing}");
}

#[test]
fn the_state_file_is_looked_for_beside_the_config() {
    let folder = std::env::temp_dir();
    let path = folder.join(format!("orepass-state-{}.toml", std::process::id()));
    std::fs::write(&path, format!("[state]\nfile = \"farm.db\"\n{GOOD}")).unwrap();
    let config = Config::load(&path, &Registry::default());
    std::fs::remove_file(&path).unwrap();
    assert_eq!(config.unwrap().state, Some(folder.join("farm.db")));

    let with = |state: &str| error(&format!("[state]\n{state}\n{GOOD}"));
    assert_eq!(
        with("file = \"\""),
        "orepass.toml:2:8: expected the name of a file, such as \"orepass.db\"\n \
         2 | file = \"\"\n   \
         |        ^^"
    );
    assert_eq!(
        with("file = \"orepass.toml\""),
        "orepass.toml:2:8: this is the config file itself; the state goes into a file of its own\n \
         2 | file = \"orepass.toml\"\n   \
         |        ^^^^^^^^^^^^^^"
    );
    assert_eq!(
        with("db = \"orepass.db\""),
        "orepass.toml:2:1: unknown key `db`, known here: `file`\n \
         2 | db = \"orepass.db\"\n   \
         | ^^"
    );
}

#[test]
fn the_example_configs_are_good() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let config = Config::load(&path, &Registry::default());
            config.unwrap_or_else(|error| panic!("{error}"));
            seen += 1;
        }
    }
    assert!(seen >= 2);
}

#[test]
fn unknown_keys_come_with_the_nearest_known_one() {
    assert_eq!(
        error_with("user =", "pasword = \"hunter2\"\nuser ="),
        "orepass.toml:8:1: unknown key `pasword`, did you mean `password`?\n \
         8 | pasword =…\n   \
         | ^^^^^^^"
    );
    assert_eq!(
        error_with("listen = [", "colour = 1\nlisten = ["),
        "orepass.toml:4:1: unknown key `colour`, known here: `name`, `dialect`, `listen`, \
         `proxy_protocol`, `proxy_from`, `proxy_headers`, `tls_certificate`, `tls_key`, `limits`, \
         `verify`, `reply`, `evidence`, `quarantine`, `keepalive_seconds`, `vardiff`, `access_password`, \
         `prefix_bytes`, `options`, `on_outage`, \
         `hold_seconds`, `failover`, `max_channels`, `max_rigs_per_channel`, `max_dedicated`, \
         `profile`, `max_pool_shares_per_second`, `pool`\n \
         4 | colour = 1\n   \
         | ^^^^^^"
    );
    assert_eq!(
        error_with("[[route.pool]]", "[[route.pools]]"),
        "orepass.toml:6:9: unknown key `pools`, did you mean `pool`?\n \
         6 | [[route.pools]]\n   \
         |         ^^^^^"
    );
}

#[test]
fn missing_keys_name_their_table() {
    assert_eq!(
        error_with("user = \"account.{worker}\"\n", ""),
        "orepass.toml:6:1: the key `user` is missing in this table: write user = \"account.{rig}\"\n \
         6 | [[route.pool]]\n   \
         | ^^^^^^^^^^^^^^"
    );
    assert_eq!(
        error_with("dialect = \"hstratum\"\n", ""),
        "orepass.toml:1:1: the key `dialect` is missing in this table: write dialect = \"aion\" or \
         \"bitcoin\" or \"hstratum\" or \"zcash\"\n \
         1 | [[route]]\n   \
         | ^^^^^^^^^"
    );
    assert_eq!(
        error(GOOD.split("[[route.pool]]").next().unwrap()),
        "orepass.toml:1:1: this route has no pool: add a [[route.pool]] with url and user\n \
         1 | [[route]]\n   \
         | ^^^^^^^^^"
    );
    assert_eq!(
        error("[log]\n"),
        "orepass.toml:1:1: there is no route: add a [[route]] with its [[route.pool]]\n \
         1 | [log]\n   \
         | ^"
    );
}

#[test]
fn wrong_values_are_shown_in_their_place() {
    assert_eq!(
        error_with("[\"[::]:3008\"]", "[\"[::]:3009\", \"localhost:3008\"]"),
        "orepass.toml:4:24: expected an address and a port, such as \"[::]:3008\", \
         \"0.0.0.0:3008\" or \":3008\", with tls:// in front for TLS\n \
         4 | listen = [\"[::]:3009\", \"localhost:3008\"]\n   \
         |                        ^^^^^^^^^^^^^^^^"
    );
    assert_eq!(
        error_with("[\"[::]:3008\"]", "\"[::]:3008\""),
        "orepass.toml:4:10: expected a list of texts, as in [\"[::]:3008\"]: write [\"[::]:3008\"]\n \
         4 | listen = \"[::]:3008\"\n   \
         |          ^^^^^^^^^^^"
    );
    assert_eq!(
        error_with("[\"[::]:3008\"]", "[]"),
        "orepass.toml:4:10: a route needs an address to listen on\n \
         4 | listen = []\n   \
         |          ^^"
    );
    assert_eq!(
        error_with("stratum+tcp://pool.example:3008", "pool.example:3008"),
        "orepass.toml:7:7: a pool URL starts with stratum+tcp://, as in \
         stratum+tcp://pool.example:3008\n \
         7 | url = \"pool.example:3008\"\n   \
         |       ^^^^^^^^^^^^^^^^^^^"
    );
    assert_eq!(
        error_with("listen", "max_channels = 0\nlisten"),
        "orepass.toml:4:16: expected a number from 1 to 1024, found 0\n \
         4 | max_channels = 0\n   \
         |                ^"
    );
    assert_eq!(
        error_with("listen", "max_pool_shares_per_second = 0\nlisten"),
        "orepass.toml:4:30: expected a number from 1 to 1000000, found 0\n \
         4 | max_pool_shares_per_second = 0\n   \
         |                              ^"
    );
    assert_eq!(
        error_with("user =", "start_difficulty = 0\nuser ="),
        "orepass.toml:8:20: expected a number above zero, found 0\n \
         8 | start_difficulty = 0\n   \
         |                    ^"
    );
    assert_eq!(
        error_with("listen", "prefix_bytes = 5\nlisten"),
        "orepass.toml:4:16: expected a number from 0 to 4, found 5\n \
         4 | prefix_bytes = 5\n   \
         |                ^"
    );
    assert_eq!(
        error_with("listen", "verify = \"ful\"\nlisten"),
        "orepass.toml:4:10: unknown value `ful`, did you mean `full`?\n \
         4 | verify = \"ful\"\n   \
         |          ^^^^^"
    );
    assert_eq!(
        error_with("{worker}", "{wrker}"),
        "orepass.toml:8:8: {wrker} is not known in a user; known are {worker}, {user}, {rig}, \
         {ip}, {agent}, {port}\n \
         8 | user = \"account.{wrker}\"\n   \
         |        ^^^^^^^^^^^^^^^^^"
    );
    assert_eq!(
        error_with("[[route.pool]]", "[route.vardiff]\nmin = -1\n[[route.pool]]"),
        "orepass.toml:7:7: expected a number above zero, found -1\n \
         7 | min = -1\n   \
         |       ^^"
    );
}

#[test]
fn syntax_errors_keep_their_place() {
    assert_eq!(
        error_with("name = \"hns\"", "name = hns"),
        "orepass.toml:2:8: a text needs quotes: write \"hns\"\n \
         2 | name = hns\n   \
         |        ^^^"
    );
    assert_eq!(
        error_with("name = \"hns\"", "name = \"hns\"\nname = \"aion\""),
        "orepass.toml:3:1: this key stands in its table for the second time: keep one\n \
         3 | name = \"aion\"\n   \
         | ^^^^"
    );
}

#[test]
fn what_concerns_more_than_one_value_is_found_all_at_once() {
    let second = GOOD
        .replace("[::]:3008", "127.0.0.1:3008")
        .replace("listen", "prefix_bytes = 1\nmax_rigs_per_channel = 300\nlisten")
        + "[[route.pool]]\nurl = \"stratum+tcp://pool.example:3008\"\nuser = \"other\"\n\
           [route.vardiff]\nmin = 8\nmax = 2\n";
    assert_eq!(
        error(&(GOOD.to_owned() + &second)),
        "orepass.toml:10:8: two routes are named `hns`\n \
         10 | name = \"hns\"\n    \
         |        ^^^^^\n\
         orepass.toml:13:24: 300 rigs cannot be told apart by the route's prefix_bytes, which are \
         enough for 256\n \
         13 | max_rigs_per_channel = 300\n    \
         |                        ^^^\n\
         orepass.toml:14:11: 127.0.0.1:3008 is taken by [::]:3008, listed before\n \
         14 | listen = [\"127.0.0.1:3008\"]\n    \
         |           ^^^^^^^^^^^^^^^^\n\
         orepass.toml:20:7: two pools of this route are named `pool.example:3008`: give them a \
         `name` each\n \
         20 | url = \"stratum+tcp://pool.example:3008\"\n    \
         |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n\
         orepass.toml:24:7: `max` (2) is below `min` (8)\n \
         24 | max = 2\n    \
         |       ^"
    );
}

#[test]
fn dialects_and_their_options_are_looked_up() {
    assert_eq!(
        error_with("\"hstratum\"", "\"hstratm\""),
        "orepass.toml:3:11: unknown dialect `hstratm`, did you mean `hstratum`?\n \
         3 | dialect = \"hstratm\"\n   \
         |           ^^^^^^^^^"
    );
    let options =
        "[route.options]\nsplitt = \"wide\"\nopen_jobs = 0\ndifficulty_scale = \"bitcoin\"\n";
    assert_eq!(
        error_with("[[route.pool]]\n", &format!("{options}[[route.pool]]\n")),
        "orepass.toml:7:1: unknown option `splitt`, did you mean `split`?\n \
         7 | splitt = \"wide\"\n   \
         | ^^^^^^\n\
         orepass.toml:8:13: expected a number from 1 to 32, found 0\n \
         8 | open_jobs = 0\n   \
         |             ^\n\
         orepass.toml:9:1: the option `difficulty_scale` belongs into [route.pool.options]\n \
         9 | difficulty_scale = \"bitcoin\"\n   \
         | ^^^^^^^^^^^^^^^^"
    );
}

#[test]
fn passwords_are_in_no_error() {
    for password in [
        "password = hunter2",
        "password = \"hunter2",
        "password = [\"hunter2\"]",
        "password = [\n\"hunter2\"\n]",
        "password = { hunter2 = 3 }",
        "password = \"\"\"\nhunter2\\q\"\"\"",
        "passwort = \"hunter2\"",
        "password = \"hunter2\"\npassword = \"hunter2\"",
        "password = 3\nurl = \"stratum+tcp://me:hunter2@pool.example:3008\"",
    ] {
        let shown = error_with("user =", &format!("{password}\nuser ="));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let url = "stratum+tcp://me:hunter2@pool.example:3008";
    let shown = error_with("stratum+tcp://pool.example:3008", url);
    assert_eq!(
        shown,
        "orepass.toml:7:7: the account belongs into `user` and `password`, not into the URL\n \
         7 | url = \"stratum+tcp://…\n   \
         |       ^^^^^^^^^^^^^^^"
    );
    assert_eq!(
        error_with("user =", "password = 12345\nuser ="),
        "orepass.toml:8:12: expected a text in quotes\n \
         8 | password =…\n   \
         |           ^"
    );
    assert_eq!(
        error_with("user =", "password = \"env:NO_SUCH_VARIABLE\"\nuser ="),
        "orepass.toml:8:12: the environment variable \"NO_SUCH_VARIABLE\" is not set\n \
         8 | password =…\n   \
         |           ^"
    );
}

/// Lines that are right or nearly so, in any order.
fn lines() -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec![
        "[[route]]",
        "[[route.pool]]",
        "[route.options]",
        "[route.vardiff]",
        "[log]",
        "name = \"hns\"",
        "dialect = \"hstratum\"",
        "listen = [\":3008\"]",
        "listen = [\":3008\", \"é\"]",
        "url = \"stratum+tcp://pool.example:3008\"",
        "url = \"stratum+tcp://[\"",
        "user = \"account.{worker}\"",
        "user = \"{\u{301}\"",
        "password = \"\"\"",
        "max = nan",
        "min = 1e400",
        "level = \"\\u00e9\"",
        "\"\\u001b\" = [1, { a = 2 }]",
        "prefix_bytes = 99999999999999999999",
        "\t= \r",
    ]);
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn no_text_panics(text in prop_oneof![any::<String>(), lines(), Just(GOOD.to_owned())]) {
        if let Err(error) = Config::parse("t", &text, &Registry::default()) {
            prop_assert!(error.to_string().starts_with("t:"));
        }
    }

    #[test]
    fn no_cut_or_changed_config_panics(at in 0..GOOD.len(), insert: char, cut: bool) {
        let (head, tail) = GOOD.split_at(at);
        let tail = if cut { "" } else { tail };
        if let Err(error) = Config::parse("t", &format!("{head}{insert}{tail}"), &Registry::default()) {
            prop_assert!(error.to_string().contains('^'));
        }
    }
}

const LIMITED: &str = r#"
[limits]
connections = 5000
unproven_per_address = 7
limit_private = true
accepts_per_second = 11
backlog = 128
subscribe_seconds = 5
line_bytes = 2048
deny = ["198.51.100.0/24", "::ffff:203.0.113.7"]
trusted = ["192.0.2.7"]

[[route]]
name = "one"
dialect = "hstratum"
listen = [":3008"]
access_password = "let me in"
[[route.pool]]
url = "stratum+tcp://pool.example:3008"
user = "account"

[[route]]
name = "two"
dialect = "hstratum"
listen = [":3009"]
[route.limits]
backlog = 64
authorize_seconds = 30
line_bytes = 4096
requests_per_second = 3
bad_lines = 2
unwritten_bytes = 8192
trusted = []
[[route.pool]]
url = "stratum+tcp://pool.example:3008"
user = "account"
"#;

#[test]
fn a_route_has_the_limits_of_all_but_where_it_says_otherwise() {
    let config = Config::parse("t", LIMITED, &Registry::default()).unwrap();
    assert_eq!(
        config.limits,
        LimitWishes {
            connections: Some(5000),
            unproven_per_address: 7,
            accepts_per_second: 11,
            limit_private: true,
        }
    );
    let [one, two] = &config.routes[..] else { panic!("two routes") };
    assert_eq!((one.backlog, two.backlog), (128, 64));
    let seconds = |route: &RouteConfig| {
        [route.downstream.subscribe_within.as_secs(), route.downstream.authorize_within.as_secs()]
    };
    assert_eq!((seconds(one), seconds(two)), ([5, 60], [5, 30]));
    let usual = SessionLimits::default();
    let password = one.downstream.limits.access_password.clone();
    assert_eq!(password.as_ref().unwrap().reveal(), "let me in");
    let limits = SessionLimits { line_bytes: 2048, access_password: password, ..usual };
    assert_eq!(one.downstream.limits, limits);
    let expected = SessionLimits {
        line_bytes: 4096,
        requests_per_second: 3,
        bad_lines: 2,
        unwritten_bytes: 8192,
        access_password: None,
    };
    assert_eq!(two.downstream.limits, expected);
    let of = |route: &RouteConfig, address: &str| route.access.of(address.parse().unwrap());
    for route in [one, two] {
        assert_eq!(of(route, "198.51.100.9"), Admittance::Denied);
        assert_eq!(of(route, "203.0.113.7"), Admittance::Denied);
    }
    assert_eq!(of(one, "192.0.2.7"), Admittance::Trusted);
    assert_eq!(of(two, "192.0.2.7"), Admittance::Free);
    assert!(!format!("{config:?}").contains("let me in"));
}

#[test]
fn limits_that_cannot_be_are_shown_in_their_place() {
    let said = |from: &str, to: &str| {
        let text = LIMITED.replace(from, to);
        assert_ne!(text, LIMITED);
        Config::parse("t", &text, &Registry::default()).unwrap_err().to_string()
    };
    let range = said("\"192.0.2.7\"", "\"192.0.2.7/33\"");
    assert!(range.contains("t:11:12: expected an address or a network"), "{range}");
    assert!(said("connections = 5000", "connections = 0").contains("a number from 1 to"));
    let comma = said("let me in", "let,me,in");
    assert!(comma.contains("nor have a comma"), "{comma}");
    assert!(!comma.contains("let,me,in\" is"), "{comma}");
    let misplaced = said("bad_lines = 2", "connections = 2");
    assert!(misplaced.contains("write it right below [limits]"), "{misplaced}");
    let near = said("line_bytes = 4096", "line_byte = 4096");
    assert!(near.contains("`line_bytes`"), "{near}");
}
