//! Where the config file is looked for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::ConfigError;

/// The file that `-c` named, else the one that `$OREPASS_CONFIG` names, else the first that is
/// there of `./orepass.toml`, `$XDG_CONFIG_HOME/orepass/orepass.toml` and
/// `/etc/orepass/orepass.toml`.
///
/// # Errors
/// [`ConfigError::NotFound`] with the places that were looked at. A file that was named is not
/// looked for.
pub fn find(named: Option<&Path>) -> Result<PathBuf, ConfigError> {
    search(named, |name| std::env::var_os(name), Path::is_file)
}

fn search(
    named: Option<&Path>,
    variable: impl Fn(&str) -> Option<OsString>,
    exists: impl Fn(&Path) -> bool,
) -> Result<PathBuf, ConfigError> {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(named) = named.map(Path::to_owned).or_else(|| set("OREPASS_CONFIG")) {
        return Ok(named);
    }
    let user = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")));
    let mut places = vec![PathBuf::from("orepass.toml")];
    places.extend(user.map(|folder| folder.join("orepass/orepass.toml")));
    places.push("/etc/orepass/orepass.toml".into());
    let found = places.iter().position(|place| exists(place));
    match found {
        Some(index) => Ok(places.swap_remove(index)),
        None => Err(ConfigError::NotFound(places)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn searched(named: Option<&str>, variables: &[(&str, &str)], files: &[&str]) -> String {
        let variable = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let exists = |path: &Path| files.iter().any(|file| Path::new(file) == path);
        match search(named.map(Path::new), variable, exists) {
            Ok(path) => path.display().to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_nearest_place_wins() {
        let variables = [("OREPASS_CONFIG", "e.toml"), ("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")];
        let files = ["orepass.toml", "/x/orepass/orepass.toml", "/etc/orepass/orepass.toml"];
        assert_eq!(searched(Some("c.toml"), &variables, &files), "c.toml");
        assert_eq!(searched(None, &variables, &files), "e.toml");
        assert_eq!(searched(None, &variables[1..], &files), "orepass.toml");
        assert_eq!(searched(None, &variables[1..], &files[1..]), "/x/orepass/orepass.toml");
        assert_eq!(searched(None, &variables[1..], &files[2..]), "/etc/orepass/orepass.toml");
        assert_eq!(
            searched(None, &variables[2..], &[]),
            "no config file: name one with -c, or the pool with -o URL -u USER --dialect NAME; \
             looked for orepass.toml, /h/.config/orepass/orepass.toml, /etc/orepass/orepass.toml"
        );
    }
}
