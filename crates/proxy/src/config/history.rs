//! `[history]`: where is kept what became of shares, and how much of it.

use std::path::{Path, PathBuf};

use super::state::KeptFile;
use super::table::TableReader;

/// The name of the file, unless configured.
const FILE_NAME: &str = "history.db";
/// How large it may be, unless configured.
const MAX_MIB: u32 = 1024;
/// The largest that may be configured.
const MOST_MIB: u32 = 1 << 20;

/// `[history]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryConfig {
    /// The file; none to keep no history.
    pub file: Option<PathBuf>,
    /// How large it may be; 0 to keep no history.
    pub max_mib: u32,
}

impl HistoryConfig {
    /// The file and how large it may be, in MiB; `None` where no history is kept.
    #[must_use]
    pub fn kept(&self) -> Option<(&Path, u32)> {
        self.file.as_deref().filter(|_| self.max_mib > 0).map(|file| (file, self.max_mib))
    }

    /// Where nothing is configured: beside the state file, none where there is none.
    pub(super) fn beside(state: Option<&Path>) -> Self {
        let file = state.map(|state| state.with_file_name(FILE_NAME));
        // Unless the state is kept under that name.
        Self { file: file.filter(|file| Some(&**file) != state), max_mib: MAX_MIB }
    }

    /// Reads it in the config `config`, which is in `folder`.
    pub(super) fn read(
        table: &mut TableReader<'_, '_>,
        folder: &Path,
        config: &Path,
        state: Option<&Path>,
    ) -> Self {
        let usual = Self::beside(state);
        let file = match table.text("file") {
            None => usual.file,
            Some(name) => {
                let kept = KeptFile { what: "the history", example: FILE_NAME, folder };
                let others = [
                    Some(("the config file", config)),
                    state.map(|state| ("the state file", state)),
                ];
                let others: Vec<_> = others.into_iter().flatten().collect();
                let path = kept.path(name, &others);
                path.map_err(|error| table.note_at("file", error.to_string())).ok()
            }
        };
        Self { file, max_mib: table.whole("max_mib", 0..=MOST_MIB).unwrap_or(usual.max_mib) }
    }
}
