//! The limits by their names, and what to change about each.

/// What a connection can be refused, slowed or closed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// Connections of rigs in all.
    Connections,
    /// What the system lets the process open.
    OpenFiles,
    /// Connections to one route.
    Route,
    /// Connections of one address without a proven share.
    UnprovenPerAddress,
    /// New connections a second.
    AcceptsPerSecond,
    /// Ranges that may connect.
    Allow,
    /// Ranges that may not.
    Deny,
    /// The password of a route's rigs.
    AccessPassword,
    /// Time to subscribe.
    SubscribeSeconds,
    /// Time to authorize.
    AuthorizeSeconds,
    /// The length of a line.
    LineBytes,
    /// Requests of one rig a second.
    RequestsPerSecond,
    /// Lines without sense.
    BadLines,
    /// What is written to a rig that does not read.
    UnwrittenBytes,
    /// Seats, of which rigs without a proven share make way.
    Seats,
}

impl Limit {
    /// All of them, each at the place of its number.
    pub const ALL: [Self; 15] = [
        Self::Connections,
        Self::OpenFiles,
        Self::Route,
        Self::UnprovenPerAddress,
        Self::AcceptsPerSecond,
        Self::Allow,
        Self::Deny,
        Self::AccessPassword,
        Self::SubscribeSeconds,
        Self::AuthorizeSeconds,
        Self::LineBytes,
        Self::RequestsPerSecond,
        Self::BadLines,
        Self::UnwrittenBytes,
        Self::Seats,
    ];

    /// Its name: the key that sets it, where one does.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::OpenFiles => "open_files",
            Self::Route => "max_channels",
            Self::UnprovenPerAddress => "unproven_per_address",
            Self::AcceptsPerSecond => "accepts_per_second",
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::AccessPassword => "access_password",
            Self::SubscribeSeconds => "subscribe_seconds",
            Self::AuthorizeSeconds => "authorize_seconds",
            Self::LineBytes => "line_bytes",
            Self::RequestsPerSecond => "requests_per_second",
            Self::BadLines => "bad_lines",
            Self::UnwrittenBytes => "unwritten_bytes",
            Self::Seats => "seats",
        }
    }

    /// What an operator changes who finds that it meets the wrong ones.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Connections => "raise `connections` in [limits] if these are your rigs",
            Self::OpenFiles => "raise the open-file limit (LimitNOFILE)",
            Self::Route => "raise the route's `max_channels`",
            Self::UnprovenPerAddress => {
                "if these are your rigs, put their range into `trusted`, or raise \
                 `unproven_per_address` in [limits]; behind a proxy set `proxy_protocol`"
            }
            Self::AcceptsPerSecond => {
                "raise `accepts_per_second` in [limits] if these are your rigs"
            }
            Self::Allow => "add its range to `allow` if it is one of yours",
            Self::Deny => "take its range out of `deny` if it is one of yours",
            Self::AccessPassword => {
                "set the rig's password to the route's `access_password` if it is one of yours"
            }
            Self::SubscribeSeconds => {
                "raise `subscribe_seconds` in [limits] or [route.limits] if the rig is only slow"
            }
            Self::AuthorizeSeconds => {
                "raise `authorize_seconds` in [limits] or [route.limits] if the rig is only slow"
            }
            Self::LineBytes => {
                "raise `line_bytes` in [limits] or [route.limits] if the rig needs it"
            }
            Self::RequestsPerSecond => {
                "raise `requests_per_second` in [limits] or [route.limits] if the rig needs it"
            }
            Self::BadLines => {
                "raise `bad_lines` in [limits] or [route.limits] if the rig mines well"
            }
            Self::UnwrittenBytes => {
                "look at the rig's network; raise `unwritten_bytes` in [limits] or [route.limits] \
                 if it is only slow"
            }
            Self::Seats => {
                "raise the route's `max_channels` if these are your rigs, or put their \
                 range into `trusted`"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_place_and_a_name_of_its_own() {
        let mut names = Vec::new();
        for (place, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, place);
            assert!(!names.contains(&limit.name()) && !limit.remedy().is_empty());
            names.push(limit.name());
        }
    }
}
