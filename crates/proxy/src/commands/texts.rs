//! Texts that are made of the command line's definition: completions and manual pages.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;

use super::{CommandError, Outcome};
use crate::cli::Cli;

/// Writes a shell's completions.
pub(super) fn completions(shell: Shell) -> Outcome {
    clap_complete::generate(shell, &mut Cli::command(), "orepass", &mut io::stdout());
    Outcome::Success
}

/// Writes the manual page: the program's own, and one part for each of its commands.
///
/// # Errors
/// A [`CommandError`] when nobody takes it.
pub(super) fn man() -> Result<Outcome, CommandError> {
    let written = page().and_then(|page| io::stdout().write_all(&page));
    written.map_err(|error| CommandError::Failed(format!("cannot write the manual: {error}")))?;
    Ok(Outcome::Success)
}

fn page() -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for part in command.get_subcommands().filter(|part| !part.is_hide_set()) {
        let man = clap_mangen::Man::new(part.clone());
        writeln!(page, ".SH \"{}\"", part.get_name().to_uppercase())?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_tells_of_each_command_and_its_options() {
        let page = String::from_utf8(page().unwrap()).unwrap();
        for word in [".TH orepass", ".SH \"INIT\"", ".SH \"CHECK\"", "untried", "Exit codes"] {
            assert!(page.contains(word), "{word}");
        }
    }
}
