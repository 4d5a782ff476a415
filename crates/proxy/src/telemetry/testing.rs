//! What the log says, for tests.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

/// Bytes that a subscriber writes into. Clones hold the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    /// All lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Buffer {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What this thread logs in `story`, as JSON of which no object has a key twice.
pub(crate) fn json_lines(story: impl FnOnce()) -> Vec<Value> {
    let buffer = Buffer::default();
    let layer = tracing_subscriber::fmt::layer().with_writer(buffer.clone());
    let subscriber = tracing_subscriber::registry().with(super::json(layer));
    tracing::subscriber::with_default(subscriber, story);
    buffer.lines().iter().map(|line| object(line)).collect()
}

/// A line's object. A key that is there twice is lost, and with it the line's length.
fn object(line: &str) -> Value {
    let object: Value = serde_json::from_str(line).unwrap();
    assert_eq!(object.to_string().len(), line.len(), "a key is there twice: {line}");
    object
}

#[test]
#[should_panic = "a key is there twice"]
fn a_field_that_has_the_name_of_one_of_tracings_own_is_found() {
    json_lines(|| tracing::info!(target = "a", "collides"));
}
