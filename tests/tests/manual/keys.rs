//! docs/config.md has every key that the program reads, and no other; each default that it names changes
//! nothing where it is set, and its ranges and words are those of the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use orepass::config::{Config, Dialects};
use orepass::registry::Registry;

use super::ROOT;

/// The first line of a table of keys.
const HEAD: &str = "| key | default | value | meaning |";
/// What a heading says of options that are not one dialect's alone.
const EVERY: &str = "every dialect";
/// Where a dialect's options stand.
const OPTIONS: [&str; 2] = ["route.options", "route.pool.options"];

/// A table of a config: its path, as in `route.pool`, and whose options they are, where they are some.
type Table = (String, String);

/// A row of the page.
struct Row {
    place: String,
    table: Table,
    key: String,
    default: String,
    value: String,
}

fn path_of(header: &str) -> &str {
    header.trim_matches(['[', ']'])
}

/// The pieces of code in a text.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The tables that a heading is about.
fn tables(heading: &str) -> Vec<Table> {
    let (_, whose) = heading.split_once(" for ").unwrap_or_default();
    let whose = code(whose).next().unwrap_or(whose);
    let headers: Vec<&str> = code(heading).filter(|code| code.starts_with('[')).collect();
    // Keys without a header stand at the top.
    let headers = if headers.is_empty() { vec![""] } else { headers };
    headers.into_iter().map(|header| (path_of(header).to_owned(), whose.to_owned())).collect()
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(Path::new(ROOT).join("docs/config.md")).unwrap();
    let (mut heading, mut is_of_keys) = ("", false);
    let mut rows = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.starts_with('#') {
            heading = line;
        }
        is_of_keys = line == HEAD || (is_of_keys && line.starts_with('|'));
        if !is_of_keys || line == HEAD || line.starts_with("|-") {
            continue;
        }
        let place = format!("docs/config.md:{}", number + 1);
        let cells: Vec<&str> = line.trim_matches('|').splitn(4, " | ").map(str::trim).collect();
        let [key, default, value, _] = cells[..] else { panic!("{place} has four cells") };
        let key = code(key).next().unwrap_or_else(|| panic!("{place} begins with a key"));
        for table in tables(heading) {
            rows.push(Row {
                place: place.clone(),
                table,
                key: key.to_owned(),
                default: default.to_owned(),
                value: value.to_owned(),
            });
        }
    }
    rows
}

/// What the program knows.
fn known() -> BTreeMap<Table, BTreeSet<String>> {
    let registry = Registry::default();
    let keys = Config::keys(&registry);
    let paths: BTreeSet<&str> = keys.iter().map(|(header, _)| path_of(header)).collect();
    let mut known = BTreeMap::new();
    for (header, keys) in &keys {
        let path = path_of(header);
        let is_table = |key: &str| {
            let whole = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            paths.contains(&*whole)
        };
        let keys = keys.iter().filter(|key| !is_table(key)).map(|&key| key.to_owned());
        if !OPTIONS.contains(&path) {
            known.insert((path.to_owned(), String::new()), keys.collect::<BTreeSet<_>>());
        }
    }
    let all = registry.option_names();
    for (at, path) in OPTIONS.into_iter().enumerate() {
        let mut common: BTreeSet<String> = all[at].iter().map(|&key| key.to_owned()).collect();
        for entry in registry.entries() {
            let own = if at == 0 { entry.route_options } else { entry.pool_options };
            own.iter().for_each(|key| _ = common.remove(*key));
            let own = own.iter().map(|&key| key.to_owned()).collect();
            known.insert((path.to_owned(), entry.name.to_owned()), own);
        }
        known.insert((path.to_owned(), EVERY.to_owned()), common);
    }
    known.retain(|_, keys| !keys.is_empty());
    known
}

#[test]
fn the_reference_has_every_key_and_no_other() {
    let mut described = BTreeMap::<Table, BTreeSet<String>>::new();
    for Row { place, table, key, .. } in rows() {
        assert!(described.entry(table).or_default().insert(key.clone()), "{place}: {key} again");
    }
    let known = known();
    for (table, keys) in &known {
        let here = described.get(table).cloned().unwrap_or_default();
        let missing: Vec<_> = keys.difference(&here).collect();
        assert!(missing.is_empty(), "docs/config.md does not have {missing:?} of {table:?}");
        let more: Vec<_> = here.difference(keys).collect();
        assert!(more.is_empty(), "docs/config.md has {more:?} of {table:?}, which nobody reads");
    }
    let strange: Vec<_> = described.keys().filter(|table| !known.contains_key(*table)).collect();
    assert!(strange.is_empty(), "docs/config.md has tables that nobody reads: {strange:?}");
}

/// What a table cannot be without.
fn needed(path: &str) -> &'static [(&'static str, &'static str)] {
    match path {
        "route" => &[("name", "\"r\""), ("dialect", ""), ("listen", "[\"127.0.0.1:3008\"]")],
        "route.pool" => &[("url", "\"stratum+tcp://pool.example:1\""), ("user", "\"account\"")],
        "route.profile" => &[("agent", "\"x\""), ("hashrate", "\"5TH\"")],
        "api.token" => &[("name", "\"t\""), ("token", "\"0123456789abcdef\""), ("may", "\"read\"")],
        "file" => &[("path", "\"shares.ndjson\"")],
        "webhook" => &[("url", "\"https://chat.example/hook\"")],
        "nats" => &[("url", "\"nats://127.0.0.1:4222\""), ("site", "\"north\"")],
        _ => &[],
    }
}

/// A config with a table, and with a key set there.
fn config((path, whose): &Table, header: &str, set: Option<(&str, &str)>) -> String {
    let dialect = if matches!(&**whose, "" | EVERY) { "hstratum" } else { whose };
    let lines = |of: &str| {
        let set = set.filter(|_| of == path);
        let mut lines: BTreeMap<&str, String> =
            needed(of).iter().map(|&(key, value)| (key, value.to_owned())).collect();
        if of == "route" {
            lines.insert("dialect", format!("\"{dialect}\""));
        }
        if let Some((key, value)) = set {
            lines.insert(key, value.to_owned());
        }
        if set.is_some_and(|(key, value)| key == "proxy_protocol" && value != "\"off\"") {
            lines.insert("proxy_from", "[\"10.0.0.5\"]".to_owned());
        }
        let lines = lines.iter().map(|(key, value)| format!("{key} = {value}\n"));
        lines.collect::<String>()
    };
    let own = format!("{header}\n{}", lines(path));
    let is_in = |of: &str| path.starts_with(of) && path.len() > of.len();
    let in_pool = if is_in("route.pool.") { &*own } else { "" };
    let in_route = (is_in("route.") && !path.starts_with("route.pool")).then_some(&*own);
    let outside = !path.is_empty() && !path.starts_with("route");
    format!(
        "{}[[route]]\n{}{}[[route.pool]]\n{}{in_pool}{}",
        lines(""),
        lines("route"),
        in_route.unwrap_or_default(),
        lines("route.pool"),
        if outside { &own } else { "" },
    )
}

/// Both ends of a range such as `seconds, 1 to 3,600`.
fn range(value: &str) -> Option<[i64; 2]> {
    let numbers = value.rsplit_once(", ").map_or(value, |(_, numbers)| numbers);
    let (from, to) = numbers.split_once(" to ")?;
    Some([from.replace(',', "").parse().ok()?, to.replace(',', "").parse().ok()?])
}

/// The words of a cell that has nothing else.
fn words(value: &str) -> Vec<&str> {
    let between: String = value.split('`').step_by(2).collect();
    let is_list = between.split([',', ' ']).all(|word| matches!(word, "" | "or"));
    let words: Vec<&str> = code(value).collect();
    if is_list && words.len() > 1 { words } else { Vec::new() }
}

#[tokio::test]
async fn its_defaults_ranges_and_words_are_those_of_the_program() {
    let registry = Registry::default();
    let keys = Config::keys(&registry);
    let header_of = |path: &str| {
        let header = keys.iter().map(|(header, _)| *header).find(|it| path_of(it) == path);
        header.unwrap_or_else(|| panic!("{path} is a table"))
    };
    let [mut defaults, mut ranges, mut of_words] = [0; 3];
    for Row { place, table, key, default, value } in rows() {
        let header = header_of(&table.0);
        let read = |set: Option<&str>| {
            let text = config(&table, header, set.map(|value| (&*key, value)));
            let read = Config::parse("c", &text, &registry);
            read.map(|config| config.shown()).map_err(|error| format!("{error}\nin\n{text}"))
        };
        let accept = |value: &str| {
            read(Some(value)).unwrap_or_else(|error| panic!("{place}: {key} = {value}: {error}"))
        };
        let refuse = |value: &str| assert!(read(Some(value)).is_err(), "{place}: {key} = {value}");
        // A default that is nothing but a piece of code is a value.
        let of_code = default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
        if let Some(default) = of_code.filter(|code| !code.contains('`')) {
            let shown = accept(default);
            // Options are shown as they were written.
            if !OPTIONS.contains(&&*table.0) {
                assert_eq!(shown, read(None).unwrap(), "{place}: {key} = {default}");
            }
            defaults += 1;
        }
        if let Some([from, to]) = range(&value) {
            [from, to].iter().for_each(|end| _ = accept(&end.to_string()));
            [from - 1, to + 1].iter().for_each(|past| refuse(&past.to_string()));
            ranges += 1;
        }
        let words = words(&value);
        if !words.is_empty() {
            words.iter().for_each(|word| _ = accept(word));
            refuse("\"no-such-word\"");
            of_words += 1;
        }
    }
    assert!(defaults > 40 && ranges > 30 && of_words > 15, "{defaults}, {ranges}, {of_words}");
}
