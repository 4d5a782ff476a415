//! A folder of a test's own, which is gone afterwards.

use std::fs;
use std::path::PathBuf;

pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    file: &'static str,
}

impl Folder {
    /// For tests of this file.
    pub(crate) fn new(name: &str, file: &'static str) -> Self {
        let path = std::env::temp_dir().join(format!("orepass-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self { path, file }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.path.join(self.file)
    }

    /// The names of what is in it.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.path).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
