//! Why a process at work was not asked, or did not do what it was asked.

use std::io;

use thiserror::Error;

use crate::api::ApiProblem;
use crate::config::SecretError;

/// Why a process at work was not asked, or did not do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AskError {
    /// Nobody answers.
    #[error("no orepass answers at {}: {error}{}", tried.join(", "), remedy(.error))]
    Nobody {
        /// Where it was looked for.
        tried: Vec<String>,
        /// What the system says of the first of these that is there, or of the last.
        error: io::Error,
    },
    /// It does not do it.
    #[error("{}{}", .0.detail, what_helps(.0))]
    Refused(Box<ApiProblem>),
    /// What came is no answer.
    #[error("what answers at {place} is no orepass: {what}")]
    Answer {
        /// Where.
        place: String,
        /// What is wrong with it.
        what: String,
    },
    /// What is asked for can mean several things, or none.
    #[error("{0}")]
    Unclear(String),
    /// The token is not where it should be.
    #[error("`--token`: {0}")]
    Token(#[from] SecretError),
}

impl AskError {
    /// The exit code: 1 refused, 69 nobody there, 75 busy.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Nobody { .. } | Self::Answer { .. } => 69,
            Self::Refused(problem) if problem.code == "busy" => 75,
            Self::Refused(_) | Self::Unclear(_) | Self::Token(_) => 1,
        }
    }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; ask as root, or as the user that it runs as",
        _ => "",
    }
}

/// What is refused for what was said tells enough; what is refused for who says it does not.
fn what_helps(problem: &ApiProblem) -> String {
    let of_the_asker = problem.code.starts_with("token_") || problem.code == "host_not_allowed";
    if of_the_asker { format!("; {}", problem.remedy) } else { String::new() }
}
