//! `orepass init`: makes a config for one pool, tries it, and says what to do next.

mod answers;
mod file;

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use thiserror::Error;

use self::answers::{Answers, Asking};
use super::{CommandError, Outcome, check};
use crate::cli::Init;
use crate::config::Config;
use crate::registry::Registry;

/// Why there is no config.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InitError {
    /// Nobody is there to be asked.
    #[error(
        "what is missing cannot be asked for, since there is no terminal: {}; give {}",
        missing.join(", "),
        flags.join(" ")
    )]
    Missing {
        /// What is missing.
        missing: Vec<&'static str>,
        /// By which flags it can be given.
        flags: Vec<&'static str>,
    },
    /// What was given cannot be used.
    #[error("{what}: {why}")]
    Unusable {
        /// What was given.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// There is such a file.
    #[error("{} exists; --force writes over it, --out FILE writes another", .0.display())]
    Exists(PathBuf),
    /// It cannot be written.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// Where to.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The terminal was closed.
    #[error("cannot ask: {0}")]
    Ask(io::Error),
}

/// Makes a config for one pool, tries it, and writes it.
///
/// # Errors
/// A [`CommandError`] when there is none to be written.
pub async fn init(init: Init, registry: &Registry) -> Result<Outcome, CommandError> {
    let (out, to_stdout) = (init.out.clone(), init.out.as_os_str() == "-");
    if !to_stdout && out.exists() && !init.force {
        return Err(InitError::Exists(out).into());
    }
    let is_terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
    let mut asking = Asking::new(io::stdin().lock(), io::stderr(), is_terminal);
    let untried = init.untried;
    let answers = Answers::gather(init, registry, &mut asking)?;
    let text = answers.config(&out);
    let name = if to_stdout { "config".to_owned() } else { out.display().to_string() };
    let folder = out.parent().unwrap_or_else(|| Path::new(""));
    let config = Config::parse_in(&name, &text, folder, registry)?;
    let pool = (answers.url.host().to_owned(), answers.url.port());
    if !untried && !to_stdout {
        let tried = check::check(config, registry, check::Checking::default()).await?;
        if tried == Outcome::Failure && !asking.confirms("Write it all the same?")? {
            say(&format!("not written; --untried writes {name} without trying the pool\n"));
            return Ok(Outcome::Failure);
        }
    }
    if to_stdout {
        say(&text);
        return Ok(Outcome::Success);
    }
    write(&out, &text).map_err(|error| InitError::Write { path: out.clone(), error })?;
    say(&next(&out, answers.bind.get().port(), outward_address(&pool)));
    Ok(Outcome::Success)
}

/// What to do with the config.
fn next(out: &Path, port: u16, here: Option<IpAddr>) -> String {
    let here = match here {
        Some(address) => SocketAddr::new(address, port).to_string(),
        None => format!("THIS-MACHINE:{port}"),
    };
    // Where a service has its config.
    let start = match out.starts_with("/etc") {
        true => "systemctl start orepass".to_owned(),
        false => format!("orepass run -c {}", out.display()),
    };
    let out = out.display();
    format!(
        "\nwrote {out}\n  start it    {start}\n  in a rig    pool stratum+tcp://{here}, worker \
         farm.NAME (a NAME of its own for each rig), password x\n  look        http://127.0.0.1:9099/ or `orepass top`, \
         once it runs\n"
    )
}

/// The address by which other machines probably reach this one: that from which it would reach the
/// pool. Nothing is sent.
fn outward_address(pool: &(String, u16)) -> Option<IpAddr> {
    let of = |any: &str| {
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect((pool.0.as_str(), pool.1)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    of("0.0.0.0").or_else(|| of("::")).filter(|address| !address.is_loopback())
}

/// Only its owner and group read it: it may have a password in it. The group is the folder's, which a
/// service's user may be in.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o640).open(path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Ok(folder) = std::fs::metadata(folder.unwrap_or_else(|| Path::new("."))) {
        // Where that is not allowed, it is the writer's own.
        let _ = fchown(&file, None, Some(folder.gid()));
    }
    file.write_all(text.as_bytes())
}

#[expect(clippy::print_stdout, reason = "the command's output")]
fn say(text: &str) {
    print!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_next_names_the_file_and_this_machine() {
        let text = next(Path::new("farm.toml"), 3008, Some([10, 0, 0, 5].into()));
        assert!(text.contains("orepass run -c farm.toml\n"), "{text}");
        assert!(text.contains("pool stratum+tcp://10.0.0.5:3008,"), "{text}");
        let text = next(Path::new("farm.toml"), 3008, Some("fd00::5".parse().unwrap()));
        assert!(text.contains("stratum+tcp://[fd00::5]:3008,"), "{text}");
    }
}
