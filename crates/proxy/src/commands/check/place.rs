//! Whether what is learnt can be kept where the config says.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Looks whether a file could be written, or made, there. Nothing is left behind, and what is in it stays
/// as it is.
pub(super) fn writable(file: &Path) -> Result<(), String> {
    let wrong = |error: io::Error, place: &Path| {
        format!(
            "{} cannot be written: {error}; orepass would forget all at every restart",
            place.display()
        )
    };
    match OpenOptions::new().append(true).open(file) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(wrong(error, file)),
    }
    // Folders that are missing are made at the start.
    let folders = file.ancestors().skip(1).map(|folder| match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    });
    let Some(folder) = folders.into_iter().find(|folder| folder.exists()) else { return Ok(()) };
    let probe = folder.join(format!(".orepass-check-{}", std::process::id()));
    File::create_new(&probe).map_err(|error| wrong(error, folder))?;
    let _ = fs::remove_file(probe);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_there_and_those_that_can_be_made_are_good_and_others_are_not() {
        let folder = std::env::temp_dir().join(format!("orepass-place-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("a.db");
        assert_eq!(writable(&file), Ok(()));
        assert_eq!(writable(&folder.join("further/down/a.db")), Ok(()));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing is left behind");
        fs::write(&file, "kept").unwrap();
        assert_eq!((writable(&file), fs::read_to_string(&file).unwrap()), (Ok(()), "kept".into()));
        // A folder, and a file in the place of one: also for whoever may write everywhere.
        assert!(writable(&folder).unwrap_err().contains("cannot be written"));
        assert!(writable(&file.join("a.db")).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
