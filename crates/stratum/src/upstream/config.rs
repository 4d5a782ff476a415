//! What a session with a pool is told beforehand.

use crate::evidence::EvidenceWish;
use crate::target::Difficulty;

/// What an upstream is told about its pool and route.
///
/// ```
/// use orepass_stratum::upstream::UpstreamConfig;
///
/// let watch = UpstreamConfig::new("account", "x", "watch/0.1").with_prefix_bytes(0).with_max_rigs(1);
/// assert_eq!((watch.prefix_bytes, watch.resubmit), (Some(0), false));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct UpstreamConfig {
    /// The account.
    pub user: String,
    /// Its password. Never logged.
    pub password: String,
    /// The name that the proxy gives itself.
    pub agent: String,
    /// The connection's number among those to its pool.
    pub number: u64,
    /// The pool's host and port, which some dialects want to be told.
    pub server: Option<(String, u16)>,
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
    /// Of which shares that the pool refuses there is evidence
    /// ([`UpstreamEvent::Evidence`](super::UpstreamEvent::Evidence)).
    pub evidence: EvidenceWish,
}

impl UpstreamConfig {
    /// The most rigs on a connection, unless said otherwise: a lost one touches no more than these,
    /// and a one-byte prefix tells them apart with a few to spare.
    pub const MAX_RIGS: usize = 250;
    /// The shares a second that a pool gets, unless said otherwise: far more than pools retarget for.
    pub const MAX_SHARES_PER_SECOND: u32 = 50;

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
            server: None,
            prefix_bytes: None,
            max_rigs: Self::MAX_RIGS,
            resubmit: false,
            start_difficulty: None,
            max_shares_per_second: Self::MAX_SHARES_PER_SECOND,
            evidence: EvidenceWish::First,
        }
    }

    /// With its number among the connections to its pool.
    #[must_use]
    pub const fn with_number(mut self, number: u64) -> Self {
        self.number = number;
        self
    }

    /// With the pool's own host and port.
    #[must_use]
    pub fn with_server(mut self, host: impl Into<String>, port: u16) -> Self {
        self.server = Some((host.into(), port));
        self
    }

    /// With so many bytes that tell rigs apart; `None` for the dialect's own choice.
    #[must_use]
    pub fn with_prefix_bytes(mut self, prefix_bytes: impl Into<Option<usize>>) -> Self {
        self.prefix_bytes = prefix_bytes.into();
        self
    }

    /// With at most so many rigs on this connection.
    #[must_use]
    pub const fn with_max_rigs(mut self, max_rigs: usize) -> Self {
        self.max_rigs = max_rigs;
        self
    }

    /// With shares of a lost connection sent once more, or not.
    #[must_use]
    pub const fn with_resubmit(mut self, resubmit: bool) -> Self {
        self.resubmit = resubmit;
        self
    }

    /// With a difficulty that the pool is asked for, on its own scale.
    #[must_use]
    pub fn with_start_difficulty(
        mut self,
        start_difficulty: impl Into<Option<Difficulty>>,
    ) -> Self {
        self.start_difficulty = start_difficulty.into();
        self
    }

    /// With so many shares a second before rigs are told a harder target; at least 1.
    #[must_use]
    pub const fn with_max_shares_per_second(mut self, max_shares_per_second: u32) -> Self {
        self.max_shares_per_second = max_shares_per_second;
        self
    }

    /// With evidence of these refused shares.
    #[must_use]
    pub const fn with_evidence(mut self, evidence: EvidenceWish) -> Self {
        self.evidence = evidence;
        self
    }
}
