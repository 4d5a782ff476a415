//! `[[file]]`, `[[webhook]]` and `[[nats]]`: where records of the farm go.

mod nats;
mod webhook;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use self::nats::{NatsAuth, NatsConfig};
pub use self::webhook::WebhookConfig;
use super::state::KeptFile;
use super::table::TableReader;
use super::value::Name;
use crate::sinks::{Rotation, WantedAlerts, Wants};

/// The size from which on a file is set aside, unless configured, and the largest that may be, in MiB.
const MAX_MIB: u32 = 64;
const MOST_MIB: u32 = 1 << 20;
/// The same for its age in hours.
const MAX_AGE_HOURS: u32 = 24;
const MOST_HOURS: u32 = 366 * 24;
/// The same for how many are kept.
const KEEP: usize = 14;
const MOST_KEPT: u32 = 10_000;
/// How much memory may wait for a file or a stream, unless configured, and the most that may be, in MiB.
const QUEUE_MIB: usize = 32;
const MOST_QUEUE_MIB: u32 = 4096;
/// The most sinks of a kind.
const MOST_SINKS: usize = 32;

/// Where records go.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SinksConfig {
    /// Files.
    pub files: Vec<FileSinkConfig>,
    /// Receivers of alerts.
    pub webhooks: Vec<WebhookConfig>,
    /// Streams of NATS.
    pub nats: Vec<NatsConfig>,
}

/// `[[file]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSinkConfig {
    /// What metrics and the log call it.
    pub name: Name,
    /// Where.
    pub path: PathBuf,
    /// What goes there.
    pub wants: Wants,
    /// When it is set aside for a new one.
    pub rotation: Rotation,
    /// How many bytes of memory may wait for it.
    pub queue_bytes: usize,
}

/// What is around the tables that name files.
pub(super) struct SinkSurroundings<'a> {
    /// Where relative paths start.
    pub(super) folder: &'a Path,
    /// Files that others write, and what they are.
    pub(super) taken: Vec<(&'static str, &'a Path)>,
}

impl SinksConfig {
    /// Reads the tables of a document.
    pub(super) fn read(table: &mut TableReader<'_, '_>, around: &SinkSurroundings<'_>) -> Self {
        let folder = around.folder;
        let files = table.tables("[[file]]", |table| file(table, around));
        let webhooks = table.tables("[[webhook]]", |table| webhook::read(table, folder));
        let nats = table.tables("[[nats]]", |table| nats::read(table, folder));
        let all = Self {
            files: files.into_iter().flatten().collect(),
            webhooks: webhooks.into_iter().flatten().collect(),
            nats: nats.into_iter().flatten().collect(),
        };
        all.note_clashes(table);
        all
    }

    /// The names of all, each with its table's key.
    pub(crate) fn names(&self) -> Vec<(&'static str, &Name)> {
        let files = self.files.iter().map(|file| ("file", &file.name));
        let webhooks = self.webhooks.iter().map(|webhook| ("webhook", &webhook.name));
        files.chain(webhooks).chain(self.nats.iter().map(|nats| ("nats", &nats.name))).collect()
    }

    /// Whether one of these is the same in both.
    pub(super) fn has_same(&self, key: &str, name: &Name, other: &Self) -> bool {
        fn same<T: PartialEq>(one: &[T], other: &[T], is_it: impl Fn(&&T) -> bool) -> bool {
            one.iter().find(&is_it) == other.iter().find(&is_it)
        }
        match key {
            "file" => same(&self.files, &other.files, |file| file.name == *name),
            "webhook" => same(&self.webhooks, &other.webhooks, |webhook| webhook.name == *name),
            _ => same(&self.nats, &other.nats, |nats| nats.name == *name),
        }
    }

    fn note_clashes(&self, table: &mut TableReader<'_, '_>) {
        let names = self.names();
        for (at, (key, name)) in names.iter().enumerate() {
            if names[..at].iter().any(|(_, other)| other == name) {
                let clash = format!(
                    "two sinks are named `{name}`: give one of them another name, as in name = \
                     \"other\""
                );
                table.note_at(key, clash);
            }
        }
        for (at, file) in self.files.iter().enumerate() {
            if self.files[..at].iter().any(|other| other.path == file.path) {
                let twice = format!("two of these write {}", file.path.display());
                table.note_at("file", twice);
            }
        }
        for key in ["file", "webhook", "nats"] {
            if names.iter().filter(|(of, _)| *of == key).count() > MOST_SINKS {
                table.note_at(key, format!("there may be {MOST_SINKS} of these at most"));
            }
        }
    }
}

fn file(table: &mut TableReader<'_, '_>, around: &SinkSurroundings<'_>) -> Option<FileSinkConfig> {
    table.needs(&[("path", "\"shares.ndjson\"")]);
    let path = table.text("path").and_then(|name| {
        let kept =
            KeptFile { what: "what is told", example: "shares.ndjson", folder: around.folder };
        let path = kept.path(name, &around.taken);
        path.map_err(|error| table.note_at("path", error.to_string())).ok()
    });
    let name = table.parsed("name");
    let wants = what(table);
    let wants = wants.unwrap_or_else(|| Wants { events: true, shares: true, ..Wants::default() });
    let max_mib = table.whole("max_mib", 1..=MOST_MIB).unwrap_or(MAX_MIB);
    let hours = table.whole("max_age_hours", 1..=MOST_HOURS).unwrap_or(MAX_AGE_HOURS);
    let keep = table.whole::<u32>("keep", 1..=MOST_KEPT).map_or(KEEP, |keep| keep as usize);
    let queue_bytes = queue(table);
    let path = path?;
    let own_name = || {
        let name: String = path.file_name()?.to_string_lossy().chars().take(64).collect();
        name.parse().ok()
    };
    let Some(name) = name.or_else(own_name) else {
        table.note_at("path", "the sink needs a name: write name = \"shares\" beside it");
        return None;
    };
    let rotation = Rotation {
        max_bytes: u64::from(max_mib) << 20,
        max_age: Duration::from_secs(3600 * u64::from(hours)),
        keep,
    };
    Some(FileSinkConfig { name, path, wants, rotation, queue_bytes })
}

/// Reads `queue_mib`, in bytes.
fn queue(table: &mut TableReader<'_, '_>) -> usize {
    let mib = table.whole::<u32>("queue_mib", 1..=MOST_QUEUE_MIB);
    mib.map_or(QUEUE_MIB, |mib| mib as usize) << 20
}

/// The words of `what`.
const WHAT: [&str; 4] = ["events", "minutes", "shares", "alerts"];

/// Reads `what`.
fn what(table: &mut TableReader<'_, '_>) -> Option<Wants> {
    let words = table.texts("what", "[\"events\", \"shares\"]")?;
    let mut wants = Wants::default();
    for (span, word) in &words {
        match *word {
            "events" => wants.events = true,
            "minutes" => wants.minutes = true,
            "shares" => wants.shares = true,
            "alerts" => wants.alerts = WantedAlerts::All,
            other => {
                let message = super::nearest::unknown("value", other, &WHAT);
                table.note(span.clone(), message);
            }
        }
    }
    if words.is_empty() {
        table.note_at("what", format!("expected one of {} at least", WHAT.join(", ")));
    }
    Some(wants)
}

/// The words of `what` that stand for this.
pub(super) fn words_of(wants: &Wants) -> Vec<&'static str> {
    let Wants { events, minutes, shares, alerts } = wants;
    let has = [*events, *minutes, *shares, *alerts != WantedAlerts::None];
    WHAT.into_iter().zip(has).filter_map(|(word, has)| has.then_some(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::registry::Registry;

    fn read(sinks: &str) -> Result<SinksConfig, String> {
        let text = format!(
            "{sinks}\n[[route]]\nname = \"hns\"\ndialect = \"hstratum\"\nlisten = [\"[::]:3008\"]\n\
             [[route.pool]]\nurl = \"stratum+tcp://pool.example:3008\"\nuser = \"account\"\n"
        );
        let config = Config::parse("o.toml", &text, &Registry::default());
        config.map(|config| config.sinks).map_err(|error| error.to_string())
    }

    #[test]
    fn all_has_sensible_defaults() {
        let sinks = read(
            "[[file]]\npath = \"shares.ndjson\"\n\
             [[webhook]]\nurl = \"https://hooks.example/T/hunter2\"\n",
        );
        let SinksConfig { files, webhooks, nats } = sinks.unwrap();
        assert_eq!(
            (files[0].name.as_str(), &*words_of(&files[0].wants)),
            ("shares.ndjson", &["events", "shares"][..])
        );
        assert_eq!((files[0].rotation.max_bytes, files[0].rotation.keep), (64 << 20, 14));
        assert_eq!(webhooks[0].name.as_str(), "hooks.example");
        let WantedAlerts::Of(codes) = &webhooks[0].wants.alerts else { panic!("all") };
        assert!(codes.contains("pool_down") && codes.contains("block_found"));
        assert!(!format!("{webhooks:?}").contains("hunter2"));
        assert!(nats.is_empty());
    }

    #[cfg(feature = "nats")]
    #[test]
    fn a_stream_of_nats_is_given_minutes_and_events_unless_it_is_asked_for_more() {
        let nats = "[[nats]]\nurl = \"nats://hub.example:4222\"\nsite = \"north\"\n";
        let one = read(nats).unwrap().nats.remove(0);
        assert_eq!((one.name.as_str(), one.stream.as_str()), ("nats-north", "orepass"));
        assert_eq!(words_of(&one.wants), ["events", "minutes"]);
        let more = "what = [\"shares\"]\nuser = \"u\"\npassword = \"hunter2\"\ntls = true\n";
        let one = read(&format!("{nats}{more}")).unwrap().nats.remove(0);
        assert_eq!(words_of(&one.wants), ["shares"]);
        assert!(one.trust.is_some() && !format!("{one:?}").contains("hunter2"));
        for (more, wrong) in [
            ("token = \"t\"\nuser = \"u\"\n", "more than one of"),
            ("password = \"hunter2\"\n", "`user` and `password` belong together"),
            ("credentials = \"no-such.creds\"\n", "cannot read"),
            ("stream = \"a.b\"\n", "a stream's name"),
        ] {
            let error = read(&format!("{nats}{more}")).unwrap_err();
            assert!(error.contains(wrong), "{more}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        for (url, wrong) in [
            ("nats://u:hunter2@hub.example", "belongs into `user` and `password`"),
            ("http://hub.example", "starts with nats://"),
        ] {
            let error = read(&nats.replace("nats://hub.example:4222", url)).unwrap_err();
            assert!(error.contains(wrong), "{url}: {error}");
        }
    }

    #[cfg(not(feature = "nats"))]
    #[test]
    fn a_build_without_nats_says_so() {
        let error = read("[[nats]]\nurl = \"nats://h:4222\"\nsite = \"n\"\n").unwrap_err();
        assert!(error.contains("built without NATS"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_said_where_it_stands_and_without_secrets() {
        let file = "[[file]]\npath = \"shares.ndjson\"\n";
        let twice = format!("{file}{file}");
        let other = format!("{file}{}", file.replace("\n", "\nname = \"b\"\n"));
        for (sinks, wrong) in [
            ("[[file]]\n", "the key `path` is missing"),
            ("[[file]]\npath = \"\"\n", "expected the name of a file"),
            ("[[file]]\npath = \"o.toml\"\n", "this is the config file itself"),
            (&twice, "two sinks are named `shares.ndjson`"),
            (&other.replacen("[[file]]\nname = \"b\"\n", "[[file]]\n", 1), "two of these write"),
            (&format!("{file}what = [\"share\"]\n"), "did you mean `shares`?"),
            (&format!("{file}what = []\n"), "expected one of"),
            (&format!("{file}keep = 0\n"), "a number from 1 to 10000"),
            ("[[webhook]]\nname = \"a\"\n", "the key `url` is missing"),
            ("[[webhook]]\nurl = \"ftp://hunter2\"\n", "starts with https://"),
            ("[[webhook]]\nurl = \"env:OREPASS_NO_SUCH\"\n", "is not set"),
            (
                "[[webhook]]\nurl = \"https://h/x\"\non = [\"pool_dwn\"]\n",
                "did you mean `pool_down`?",
            ),
            ("[[webhook]]\nurl = \"https://h/x\"\nheaders = [\"hunter2\"]\n", "Name: value"),
        ] {
            let error = read(sinks).unwrap_err();
            assert!(error.contains(wrong), "{sinks}: {error}");
        }
    }
}
