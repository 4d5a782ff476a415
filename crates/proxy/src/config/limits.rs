//! `[limits]`, and what of it a route says otherwise in `[route.limits]`.

use std::time::Duration;

use ipnet::IpNet;
use orepass_farm::limits::{Access, LimitWishes};
use orepass_stratum::downstream::{DownstreamConfig, SessionLimits};

use super::front::networks;
use super::table::TableReader;
use crate::net::listen::BACKLOG;

/// `[limits]`: what holds for all rigs together, and what each route starts from.
#[derive(Debug, Clone, Default)]
pub(super) struct LimitsConfig {
    pub(super) wishes: LimitWishes,
    pub(super) route: RouteLimits,
}

/// What a route may say otherwise.
#[derive(Debug, Clone)]
pub(super) struct RouteLimits {
    pub(super) backlog: u32,
    subscribe_within: Duration,
    authorize_within: Duration,
    session: SessionLimits,
    allow: Vec<IpNet>,
    deny: Vec<IpNet>,
    trusted: Vec<IpNet>,
}

impl Default for RouteLimits {
    fn default() -> Self {
        let rigs = DownstreamConfig::default();
        Self {
            backlog: BACKLOG,
            subscribe_within: rigs.subscribe_within,
            authorize_within: rigs.authorize_within,
            session: rigs.limits,
            allow: Vec::new(),
            deny: Vec::new(),
            trusted: Vec::new(),
        }
    }
}

impl LimitsConfig {
    pub(super) fn read(table: &mut TableReader<'_, '_>) -> Self {
        let usual = LimitWishes::default();
        let wishes = LimitWishes {
            connections: table.whole("connections", 1..=10_000_000),
            unproven_per_address: table
                .whole("unproven_per_address", 1..=10_000_000)
                .unwrap_or(usual.unproven_per_address),
            accepts_per_second: table
                .whole("accepts_per_second", 1..=1_000_000)
                .unwrap_or(usual.accepts_per_second),
            limit_private: table.flag("limit_private").unwrap_or(usual.limit_private),
        };
        Self { wishes, route: RouteLimits::default().read(table) }
    }
}

impl RouteLimits {
    /// The same with what a table says otherwise.
    pub(super) fn read(&self, table: &mut TableReader<'_, '_>) -> Self {
        let session = &self.session;
        Self {
            backlog: table.whole("backlog", 1..=65_535).unwrap_or(self.backlog),
            subscribe_within: table
                .seconds("subscribe_seconds", 1..=3600)
                .unwrap_or(self.subscribe_within),
            authorize_within: table
                .seconds("authorize_seconds", 1..=3600)
                .unwrap_or(self.authorize_within),
            session: SessionLimits {
                requests_per_second: table
                    .whole("requests_per_second", 1..=1_000_000)
                    .unwrap_or(session.requests_per_second),
                bad_lines: table.whole("bad_lines", 1..=65_535).unwrap_or(session.bad_lines),
                line_bytes: table.whole("line_bytes", 1024..=1 << 20).unwrap_or(session.line_bytes),
                unwritten_bytes: table
                    .whole("unwritten_bytes", 4096..=1 << 26)
                    .unwrap_or(session.unwritten_bytes),
                access_password: None,
            },
            allow: networks(table, "allow").unwrap_or_else(|| self.allow.clone()),
            deny: networks(table, "deny").unwrap_or_else(|| self.deny.clone()),
            trusted: networks(table, "trusted").unwrap_or_else(|| self.trusted.clone()),
        }
    }

    /// The ranges.
    pub(super) fn access(&self) -> Access {
        Access::new(self.allow.clone(), self.deny.clone(), self.trusted.clone())
    }

    /// What concerns sessions, put into the wishes for them.
    pub(super) fn apply(&self, rigs: &mut DownstreamConfig) {
        rigs.subscribe_within = self.subscribe_within;
        rigs.authorize_within = self.authorize_within;
        rigs.limits = self.session.clone();
    }
}
