//! Records as lines of JSON in a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use async_trait::async_trait;

use super::record::SinkRecord;
use super::rotation::aside;
use super::sink::{Sink, SinkError};
use crate::clock::unix_millis;
use crate::config::FileSinkConfig;

/// Writes to a file, on a thread that may hang with its disk.
pub(super) struct FileSink {
    config: Arc<FileSinkConfig>,
    open: Option<OpenFile>,
    /// Another process writes the file; what this one still has goes into one beside it.
    is_handed_over: bool,
}

/// A file that is being written.
struct OpenFile {
    file: File,
    path: PathBuf,
    bytes: u64,
    begun_ms: u64,
    /// A pipe or a device is neither set aside nor cut.
    is_regular: bool,
    /// It ends in a part of a line.
    is_torn: bool,
}

impl FileSink {
    pub(super) fn new(config: FileSinkConfig) -> Self {
        Self { config: Arc::new(config), open: None, is_handed_over: false }
    }
}

#[async_trait]
impl Sink for FileSink {
    async fn deliver(&mut self, records: &[Arc<SinkRecord>]) -> Result<(), SinkError> {
        let (config, open, records) =
            (Arc::clone(&self.config), self.open.take(), records.to_vec());
        let is_handed_over = self.is_handed_over;
        let writing = tokio::task::spawn_blocking(move || {
            let mut open = open;
            let wrote = write(&config, &mut open, is_handed_over, &records);
            (open, wrote.map_err(|error| said(&config.path, &error)))
        });
        let (open, wrote) =
            writing.await.map_err(|error| SinkError::unavailable(error.to_string()))?;
        self.open = open;
        wrote.map_err(SinkError::unavailable)
    }

    async fn hand_over(&mut self, to_another: bool) {
        self.open = None;
        self.is_handed_over = to_another;
    }
}

/// Writes all of them, or as if it had written none.
fn write(
    config: &FileSinkConfig,
    open: &mut Option<OpenFile>,
    is_handed_over: bool,
    records: &[Arc<SinkRecord>],
) -> io::Result<()> {
    let now_ms = unix_millis();
    let mut file = match open.take().filter(OpenFile::is_there) {
        Some(file) => file,
        None if is_handed_over => {
            let mark = format!("-{}", std::process::id());
            OpenFile::open(&aside(&config.path, now_ms, &mark), now_ms)?
        }
        None => OpenFile::open(&config.path, now_ms)?,
    };
    let is_due = file.is_regular && config.rotation.is_due(file.bytes, file.begun_ms, now_ms);
    if is_due && !is_handed_over {
        set_aside(config, now_ms)?;
        file = OpenFile::open(&config.path, now_ms)?;
    }
    let mut lines = String::new();
    if file.is_torn {
        lines.push('\n');
    }
    for record in records {
        lines.push_str(&record.to_json(None));
        lines.push('\n');
    }
    let wrote = file.append(lines.as_bytes());
    *open = Some(file);
    wrote
}

/// Gives the file the name of one that was set aside, and deletes those that are too many.
fn set_aside(config: &FileSinkConfig, now_ms: u64) -> io::Result<()> {
    let free = |number: u32| {
        let mark = if number == 1 { String::new() } else { format!("-{number}") };
        Some(aside(&config.path, now_ms, &mark)).filter(|path| !path.exists())
    };
    let Some(to) = (1..100).find_map(free) else {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "no name is free"));
    };
    fs::rename(&config.path, to)?;
    let folder = config.path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    // That there are more than there should be harms nobody.
    if let Ok(entries) = fs::read_dir(folder) {
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        for name in config.rotation.too_many(&config.path, names.collect()) {
            let _ = fs::remove_file(folder.join(name));
        }
    }
    Ok(())
}

impl OpenFile {
    fn open(path: &Path, now_ms: u64) -> io::Result<Self> {
        if let Ok(known) = fs::metadata(path)
            && !known.is_file()
            && !is_character_device(&known)
        {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no file"));
        }
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        let known = file.metadata()?;
        let (bytes, is_regular) = (known.len(), known.is_file());
        let begun = known.created().or_else(|_| known.modified()).ok();
        let begun = begun.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let begun_ms = begun.map_or(now_ms, |at| at.as_millis() as u64);
        let begun_ms = if bytes == 0 { now_ms } else { begun_ms };
        // Whoever wrote it before may have been cut off.
        let is_torn = is_regular && bytes > 0 && {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            last != *b"\n"
        };
        Ok(Self { file, path: path.to_owned(), bytes, begun_ms, is_regular, is_torn })
    }

    /// Whether what stands at its path is it still: somebody may have moved or deleted it.
    fn is_there(&self) -> bool {
        let (Ok(own), Ok(there)) = (self.file.metadata(), fs::metadata(&self.path)) else {
            return false;
        };
        is_same(&own, &there)
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let wrote = self.file.write_all(lines);
        if wrote.is_ok() {
            self.bytes += lines.len() as u64;
            self.is_torn = false;
        } else if self.is_regular {
            // What was written in part is written again.
            self.is_torn |= self.file.set_len(self.bytes).is_err();
        }
        wrote
    }
}

#[cfg(unix)]
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

#[cfg(unix)]
fn is_character_device(known: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    known.file_type().is_char_device()
}

#[cfg(not(unix))]
fn is_character_device(_: &fs::Metadata) -> bool {
    false
}

/// What is wrong, and what to do about it.
fn said(path: &Path, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "; its folder is not there: make it",
        io::ErrorKind::PermissionDenied => "; let the user of the service write there",
        io::ErrorKind::StorageFull => "; make room, or set a smaller `max_mib` or `keep`",
        _ => "",
    };
    format!("cannot write {}: {error}{remedy}", path.display())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sinks::record::stale_share;
    use crate::sinks::rotation::Rotation;

    fn records(numbers: std::ops::Range<u64>) -> Vec<Arc<SinkRecord>> {
        numbers.map(|number| Arc::new(stale_share("hns", number))).collect()
    }

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("orepass-file-sink-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn sink(path: &Path, max_bytes: u64, keep: usize) -> FileSink {
        let rotation = Rotation { max_bytes, max_age: Duration::from_secs(3600), keep };
        FileSink::new(FileSinkConfig {
            name: "f".parse().unwrap(),
            path: path.to_owned(),
            wants: Default::default(),
            rotation,
            queue_bytes: 1 << 20,
        })
    }

    fn numbers(path: &Path) -> Vec<u64> {
        let text = fs::read_to_string(path).unwrap();
        let number = |line: &str| {
            let record: serde_json::Value = serde_json::from_str(line).ok()?;
            record["id"].as_str()?.split('-').nth(1)?.parse().ok()
        };
        text.lines().filter_map(number).collect()
    }

    fn asides(folder: &Path) -> Vec<PathBuf> {
        let mut paths: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.file_name().unwrap() != "s.ndjson");
        paths.sort();
        paths
    }

    #[tokio::test]
    async fn a_full_file_is_set_aside_and_the_oldest_are_deleted() {
        let folder = folder("rotation");
        let path = folder.join("s.ndjson");
        let mut sink = sink(&path, 300, 2);
        for number in 0..8 {
            sink.deliver(&records(2 * number..2 * number + 2)).await.unwrap();
        }
        let asides = asides(&folder);
        assert_eq!((asides.len(), numbers(&path)), (2, [14, 15].into()));
        let kept: Vec<u64> = asides.iter().flat_map(|path| numbers(path)).collect();
        assert_eq!(kept.len(), 4);
        fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_line_that_was_cut_off_harms_no_other_and_a_file_that_was_moved_is_begun_anew() {
        let folder = folder("torn");
        let path = folder.join("s.ndjson");
        fs::write(&path, "{\"v\":1,\"ki").unwrap();
        let mut sink = sink(&path, 1 << 20, 2);
        sink.deliver(&records(0..2)).await.unwrap();
        assert_eq!(numbers(&path), [0, 1]);
        fs::rename(&path, folder.join("moved")).unwrap();
        sink.deliver(&records(2..3)).await.unwrap();
        assert_eq!(numbers(&path), [2]);
        fs::remove_dir_all(&folder).unwrap();
        let error = sink.deliver(&records(3..4)).await.unwrap_err();
        assert!(error.reason.contains("its folder is not there"), "{error}");
        fs::create_dir_all(&folder).unwrap();
        sink.deliver(&records(3..4)).await.unwrap();
        assert_eq!(numbers(&path), [3]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_full_disk_is_said() {
        let error = sink(Path::new("/dev/full"), 1, 2).deliver(&records(0..1)).await.unwrap_err();
        assert!(error.reason.contains("make room"), "{error}");
        assert_eq!(error.delivered, 0);
    }

    #[tokio::test]
    async fn what_comes_after_a_handover_goes_beside_the_file() {
        let folder = folder("handover");
        let path = folder.join("s.ndjson");
        let mut sink = sink(&path, 1 << 20, 2);
        sink.deliver(&records(0..1)).await.unwrap();
        sink.hand_over(true).await;
        sink.deliver(&records(1..2)).await.unwrap();
        sink.deliver(&records(2..3)).await.unwrap();
        assert_eq!(numbers(&path), [0]);
        let asides = asides(&folder);
        assert_eq!((asides.len(), numbers(&asides[0])), (1, [1, 2].into()));
        sink.hand_over(false).await;
        sink.deliver(&records(3..4)).await.unwrap();
        assert_eq!(numbers(&path), [0, 3]);
        fs::remove_dir_all(folder).unwrap();
    }
}
