//! `[control]`: the socket through which a process at work is asked for things.

use std::env::var_os;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::table::TableReader;

/// The socket's name, unless configured.
const SOCKET: &str = "orepass.sock";
/// Where systemd has the folders of a service of our name.
const USUAL_FOLDERS: [&str; 2] = ["/run/orepass", "/var/lib/orepass"];

/// The longest path of a socket, in bytes: Linux takes no longer one.
const MAX_PATH: usize = 107;

/// Reads `[control]` of a config in `folder`.
pub(super) fn read(
    table: &mut TableReader<'_, '_>,
    folder: &Path,
    state: Option<&Path>,
) -> Option<PathBuf> {
    let Some(name) = table.text("socket") else { return default_socket(state) };
    let path = folder.join(name);
    let length = path.as_os_str().len();
    if name.is_empty() || name.ends_with(std::path::is_separator) {
        table.note_at("socket", "expected the name of a socket, such as \"orepass.sock\"");
    } else if length > MAX_PATH {
        let message = format!("the path has {length} bytes, and a socket's {MAX_PATH} at most");
        table.note_at("socket", message);
    }
    Some(path)
}

/// In the folder that systemd made for what is at work, else beside the state; none where there is
/// neither.
pub(super) fn default_socket(state: Option<&Path>) -> Option<PathBuf> {
    let runtime = var_os("RUNTIME_DIRECTORY").and_then(|folders| first_of(&folders));
    Some(runtime.or_else(|| Some(state?.parent()?.to_owned()))?.join(SOCKET))
}

/// Where the socket of a process with the config `file` may be, the likeliest first. Of the file only
/// what names the socket is looked at: who asks need not be able to read its secrets.
#[must_use]
pub fn sockets(file: Option<&Path>) -> Vec<PathBuf> {
    let text = file.and_then(|file| std::fs::read_to_string(file).ok());
    let document: Option<toml::Table> = text.and_then(|text| text.parse().ok());
    let folder = file.and_then(Path::parent).unwrap_or_else(|| Path::new(""));
    let named = |table: &str, key: &str| {
        let value = document.as_ref()?.get(table)?.get(key)?;
        Some(folder.join(value.as_str()?))
    };
    if let Some(socket) = named("control", "socket") {
        return vec![socket];
    }
    let mut found: Vec<PathBuf> = default_socket(None).into_iter().collect();
    found.extend(USUAL_FOLDERS.iter().map(|folder| Path::new(folder).join(SOCKET)));
    let state = named("state", "file").or_else(super::state::default_file);
    found.extend(state.and_then(|state| Some(state.parent()?.join(SOCKET))));
    found
}

/// The first of the folders, which are separated as in `$PATH`.
fn first_of(folders: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(folders).next().filter(|folder| folder.is_absolute())
}
