//! What the two processes say to each other: a JSON object a line.

use serde::{Deserialize, Serialize};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HandoverMessage {
    /// From the old one: so many listening sockets come along with this line and the next ones.
    Sockets(usize),
    /// From the new one: it has all sockets that its config wants.
    Bound,
    /// From the old one: the state file is free.
    State(State),
    /// From the new one: its pools serve.
    Warm,
    /// From the old one: it accepts no more.
    Go,
    /// From the new one: it accepts.
    Serving,
    /// From the new one: it will not, for this reason.
    Refused(String),
}

/// What the new one has to know beside the state file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The first job id that the old one does not tell.
    pub(crate) mark: u64,
    /// The routes that have a pool which serves.
    pub(crate) serving: Vec<String>,
    /// The extranonces under which rigs of the old one hash, in hex, with the pool's host and port.
    pub(crate) held: Vec<(String, String)>,
}
