//! What a session with a pool is told beforehand.

use crate::target::Difficulty;

/// What an upstream is told about its pool and route.
#[derive(Clone)]
pub struct UpstreamConfig {
    /// The account.
    pub user: String,
    /// Its password. Never logged.
    pub password: String,
    /// The name that the proxy gives itself.
    pub agent: String,
    /// The connection's number among those to its pool.
    pub number: u64,
    /// How many bytes tell rigs apart; the dialect's own choice when absent.
    pub prefix_bytes: Option<usize>,
    /// The most rigs on this connection.
    pub max_rigs: usize,
    /// Whether shares that a connection is lost with are sent once more on the next, instead of
    /// being lost.
    pub resubmit: bool,
    /// The difficulty that the pool is asked for, on its own scale.
    pub start_difficulty: Option<Difficulty>,
    /// How many shares a second the pool gets before rigs are told a harder target than its own;
    /// at least 1.
    pub max_shares_per_second: u32,
}

impl UpstreamConfig {
    /// A connection as this account, with the usual limits.
    pub fn new(
        user: impl Into<String>,
        password: impl Into<String>,
        agent: impl Into<String>,
    ) -> Self {
        Self {
            user: user.into(),
            password: password.into(),
            agent: agent.into(),
            number: 0,
            prefix_bytes: None,
            max_rigs: 250,
            resubmit: false,
            start_difficulty: None,
            max_shares_per_second: 50,
        }
    }
}
