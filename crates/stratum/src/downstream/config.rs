//! A route's wishes for its rigs, said one by one.

use std::time::Duration;

use super::{DownstreamConfig, Reply, Verify};
use crate::vardiff::VardiffConfig;

/// ```
/// use orepass_stratum::downstream::{DownstreamConfig, Reply};
///
/// let config = DownstreamConfig::default().with_reply(Reply::Local).with_quarantine(false);
/// assert_eq!((config.reply, config.quarantine), (Reply::Local, false));
/// ```
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
}
