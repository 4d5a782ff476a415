//! A route's wishes for its rigs.

use std::time::Duration;

use super::SessionLimits;
use crate::evidence::EvidenceWish;
use crate::vardiff::VardiffConfig;

/// The wishes of a route for its rigs, said one by one.
///
/// ```
/// use orepass_stratum::downstream::{DownstreamConfig, Reply};
///
/// let config = DownstreamConfig::default().with_reply(Reply::Local).with_quarantine(false);
/// assert_eq!((config.reply, config.quarantine), (Reply::Local, false));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DownstreamConfig {
    /// Whether shares are checked here, or left to the pool.
    pub verify: Verify,
    /// Whose verdict a rig is told.
    pub reply: Reply,
    /// The difficulty of the rigs.
    pub vardiff: VardiffConfig,
    /// Whether a rig that sends too many bad shares is quarantined.
    pub quarantine: bool,
    /// Whether a rig that has authorized is told no work before its driver has welcomed it
    /// ([`Downstream::handle_welcome`](super::Downstream::handle_welcome)), for drivers that remember rigs.
    pub await_welcome: bool,
    /// How long a rig may take to subscribe.
    pub subscribe_within: Duration,
    /// How long it may then take to authorize.
    pub authorize_within: Duration,
    /// How long a rig waits for a channel before it is let go.
    pub park_for: Duration,
    /// What is borne of one rig.
    pub limits: SessionLimits,
    /// After how long without a line a rig that has work is told its target again, up to 65,535
    /// seconds; never when absent.
    pub keepalive: Option<Duration>,
    /// Of which shares that are refused here there is evidence
    /// ([`Complaint::evidence`](super::Complaint::evidence)).
    pub evidence: EvidenceWish,
}

impl Default for DownstreamConfig {
    fn default() -> Self {
        Self {
            verify: Verify::Full,
            reply: Reply::Pool,
            vardiff: VardiffConfig::default(),
            quarantine: true,
            await_welcome: false,
            subscribe_within: Duration::from_secs(10),
            authorize_within: Duration::from_secs(60),
            park_for: Duration::from_secs(15),
            limits: SessionLimits::default(),
            keepalive: Some(Duration::from_secs(60)),
            evidence: EvidenceWish::First,
        }
    }
}

/// Whether shares are checked here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// Each share's proof of work is checked, and only good ones are forwarded.
    Full,
    /// The proof is left to the pool; rigs then get the pool's own target, since shares below it
    /// could not be told apart.
    Off,
}

/// Whose verdict a rig is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// The pool's, when it comes.
    Pool,
    /// Our own, at once.
    Local,
}

impl DownstreamConfig {
    /// With shares checked here, or left to the pool.
    #[must_use]
    pub const fn with_verify(mut self, verify: Verify) -> Self {
        self.verify = verify;
        self
    }

    /// With this one's verdict told to rigs.
    #[must_use]
    pub const fn with_reply(mut self, reply: Reply) -> Self {
        self.reply = reply;
        self
    }

    /// With other difficulties.
    #[must_use]
    pub const fn with_vardiff(mut self, vardiff: VardiffConfig) -> Self {
        self.vardiff = vardiff;
        self
    }

    /// With rigs that send too many bad shares quarantined, or not.
    #[must_use]
    pub const fn with_quarantine(mut self, quarantine: bool) -> Self {
        self.quarantine = quarantine;
        self
    }

    /// With no work told before the driver has welcomed a rig, or at once.
    #[must_use]
    pub const fn with_await_welcome(mut self, await_welcome: bool) -> Self {
        self.await_welcome = await_welcome;
        self
    }

    /// With so much time for a subscribe.
    #[must_use]
    pub const fn with_subscribe_within(mut self, subscribe_within: Duration) -> Self {
        self.subscribe_within = subscribe_within;
        self
    }

    /// With so much time for an authorize after it.
    #[must_use]
    pub const fn with_authorize_within(mut self, authorize_within: Duration) -> Self {
        self.authorize_within = authorize_within;
        self
    }

    /// With so much time that a rig waits for a channel.
    #[must_use]
    pub const fn with_park_for(mut self, park_for: Duration) -> Self {
        self.park_for = park_for;
        self
    }

    /// With so much borne of one rig.
    #[must_use]
    pub fn with_limits(mut self, limits: SessionLimits) -> Self {
        self.limits = limits;
        self
    }

    /// With rigs told their target again after so long without a line, or never.
    #[must_use]
    pub const fn with_keepalive(mut self, keepalive: Option<Duration>) -> Self {
        self.keepalive = keepalive;
        self
    }

    /// With evidence of these refused shares.
    #[must_use]
    pub const fn with_evidence(mut self, evidence: EvidenceWish) -> Self {
        self.evidence = evidence;
        self
    }
}
