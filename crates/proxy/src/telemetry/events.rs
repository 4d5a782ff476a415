//! The last events that have an id, kept in memory for whoever asks, whatever the log shows of them.

mod ring;

use std::fmt::{self, Write};
use std::sync::{Arc, LazyLock};

use serde::ser::{Serialize, SerializeMap, Serializer};
use tokio::sync::broadcast;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::clock::{rfc3339, unix_millis};
use ring::EventRing;

/// The most bytes of a text; what is longer is cut, and ends in `…`.
const MAX_TEXT: usize = 256;
/// The end of a text that was cut.
const CUT: &str = "…";

/// What the log of this process goes through.
static RING: LazyLock<Arc<EventRing>> = LazyLock::new(Arc::default);

/// The events that fit, the oldest first: those that follow the one that is named as `after`, or the
/// last ones; at most so many.
#[must_use]
pub fn recent(filter: &EventFilter, limit: usize) -> Vec<Arc<KeptEvent>> {
    RING.recent(filter, limit)
}

/// All events from now on. Who is more than 256 behind is told how many were missed.
///
/// Whoever wants what was before too subscribes first, asks for the [`recent`] ones then, and leaves out
/// what comes twice, by its [`sequence`](KeptEvent::sequence).
#[must_use]
pub fn subscribe() -> broadcast::Receiver<Arc<KeptEvent>> {
    RING.subscribe()
}

/// An event, as it was logged or would have been. Its texts are data, with any control characters.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct KeptEvent {
    /// Its number in this process, from 1.
    pub sequence: u64,
    /// When it was, in Unix milliseconds; said as RFC 3339.
    #[serde(rename = "at", serialize_with = "as_rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at_ms: u64,
    /// How much it matters.
    #[serde(serialize_with = "in_lower_case")]
    #[schema(value_type = String)]
    pub level: Level,
    /// Its stable id, such as `pool.down`.
    #[schema(value_type = String)]
    pub id: Box<str>,
    /// What it says.
    #[schema(value_type = String)]
    pub message: Box<str>,
    /// On which route.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub route: Option<Box<str>>,
    /// Which pool it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub pool: Option<Box<str>>,
    /// Which worker it concerns, where it is not the rig's first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub worker: Option<Box<str>>,
    /// Which rig it concerns, by its first worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub rig: Option<Box<str>>,
    /// All else that it tells.
    #[serde(serialize_with = "as_map")]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub fields: Box<[(&'static str, Box<str>)]>,
}

/// Which events are asked for: those that fit in all that is said here.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Those behind the one of this number.
    pub after: Option<u64>,
    /// Those that matter as much, or more.
    pub level: Option<Level>,
    /// Those whose id begins so.
    pub id_prefix: Option<String>,
    /// Those of this route.
    pub route: Option<String>,
    /// Those that hold this anywhere in their texts, in capitals or not.
    pub text: Option<String>,
}

impl KeptEvent {
    /// All its texts.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let named = [&self.route, &self.pool, &self.worker, &self.rig].into_iter().flatten();
        let fields = self.fields.iter().map(|(_, value)| value);
        [&self.id, &self.message].into_iter().chain(named).chain(fields).map(AsRef::as_ref)
    }

    /// How many bytes of memory it takes.
    pub(crate) fn size(&self) -> usize {
        let texts: usize = self.texts().map(str::len).sum();
        size_of::<Self>() + size_of_val(&*self.fields) + texts
    }
}

/// The layer that fills the ring.
pub(super) struct KeepEvents(Arc<EventRing>);

impl KeepEvents {
    /// The one of this process.
    pub(super) fn of_process() -> Self {
        Self(Arc::clone(&RING))
    }
}

impl<S: Subscriber> Layer<S> for KeepEvents {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO || metadata.fields().field("event").is_none() {
            return;
        }
        let mut reading = EventReading::default();
        event.record(&mut reading);
        if let Some(event) = reading.finish(*metadata.level(), unix_millis()) {
            self.0.push(event);
        }
    }
}

/// An event whose fields are being read.
#[derive(Default)]
struct EventReading {
    id: Option<Box<str>>,
    message: Box<str>,
    named: [Option<Box<str>>; NAMED.len()],
    fields: Vec<(&'static str, Box<str>)>,
}

/// What is looked for by name.
const NAMED: [&str; 4] = ["route", "pool", "worker", "rig"];

impl EventReading {
    fn put(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let value = short(value);
        match field.name() {
            "event" => self.id = Some(value),
            "message" => self.message = value,
            name => match NAMED.iter().position(|named| *named == name) {
                Some(place) => self.named[place] = Some(value),
                None => self.fields.push((name, value)),
            },
        }
    }

    fn finish(self, level: Level, at_ms: u64) -> Option<KeptEvent> {
        let [route, pool, worker, rig] = self.named;
        let (id, message, fields) = (self.id?, self.message, self.fields.into());
        Some(KeptEvent { sequence: 0, at_ms, level, id, message, route, pool, worker, rig, fields })
    }
}

impl Visit for EventReading {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format_args!("{value:?}"));
    }
}

/// A text up to [`MAX_TEXT`]; what comes behind that is not even formatted.
fn short(value: fmt::Arguments<'_>) -> Box<str> {
    let mut text = ShortText(String::new());
    if text.write_fmt(value).is_err() {
        text.0.truncate(text.0.floor_char_boundary(MAX_TEXT - CUT.len()));
        text.0.push_str(CUT);
    }
    text.0.into_boxed_str()
}

/// Takes so much text, and fails then.
struct ShortText(String);

impl Write for ShortText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_TEXT - self.0.len();
        self.0.push_str(&text[..text.floor_char_boundary(room)]);
        if text.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}

fn as_rfc3339<S: Serializer>(at_ms: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    rfc3339(*at_ms).serialize(serializer)
}

fn in_lower_case<S: Serializer>(level: &Level, serializer: S) -> Result<S::Ok, S::Error> {
    level.as_str().to_ascii_lowercase().serialize(serializer)
}

fn as_map<S: Serializer>(
    fields: &[(&'static str, Box<str>)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(fields.len()))?;
    for (name, value) in fields {
        map.serialize_entry(name, value)?;
    }
    map.end()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// What the ring has of what is logged in `story`.
    fn kept(story: impl FnOnce()) -> Vec<Arc<KeptEvent>> {
        let ring: Arc<EventRing> = Arc::default();
        let subscriber = tracing_subscriber::registry().with(KeepEvents(Arc::clone(&ring)));
        tracing::subscriber::with_default(subscriber, story);
        ring.recent(&EventFilter::default(), usize::MAX)
    }

    #[test]
    fn what_has_an_id_and_matters_is_kept_field_by_field() {
        let events = kept(|| {
            tracing::warn!(
                event = "pool.failed", route = "hns", pool = "a", refused = 3,
                lost = None::<u64>, words = %"a\nb", "pool is of no use"
            );
            tracing::debug!(event = "share", "of no interest here");
            tracing::warn!("without an id");
            tracing::info!(event = "rig.up", rig = "r12", worker = "w", "rig up");
        });
        assert_eq!(events.len(), 2);
        let mut event = serde_json::to_value(&*events[0]).unwrap();
        let at = event["at"].take();
        let at = at.as_str().unwrap();
        assert!(at.starts_with("20") && at.len() == "2026-11-21T03:12:07.123Z".len(), "{at}");
        let expected = json!({
            "sequence": 1, "at": null, "level": "warn", "id": "pool.failed",
            "message": "pool is of no use", "route": "hns", "pool": "a",
            "fields": {"refused": "3", "words": "a\nb"},
        });
        assert_eq!(event, expected);
        assert_eq!(
            (events[1].rig.as_deref(), events[1].worker.as_deref()),
            (Some("r12"), Some("w"))
        );
    }

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        assert_eq!(&*short(format_args!("{}", "x".repeat(MAX_TEXT))), "x".repeat(MAX_TEXT));
        assert_eq!(
            &*short(format_args!("{}{}", "x".repeat(MAX_TEXT), 1)),
            "x".repeat(MAX_TEXT - CUT.len()) + CUT
        );
        let cut = short(format_args!("a{}", "ü".repeat(1000)));
        assert!(cut.len() <= MAX_TEXT && cut.ends_with("ü…"), "{cut}");
    }
}
