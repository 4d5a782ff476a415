//! What the log says of one pool connection.

use std::time::Duration;

use orepass_stratum::error::{Fault, shown};
use orepass_stratum::habits::{Answer, Habit, Learnt};
use orepass_stratum::upstream::{BRAKE_FOR, Notice};
use tracing::{error, info, warn};

use crate::config::PoolUrl;
use crate::drive::upstream::End;
use crate::route::reconnect::Refused;

/// The operator's view of a channel.
pub(super) struct Log {
    pub(super) route: String,
    pub(super) pool: String,
    pub(super) channel: u64,
}

impl Log {
    pub(super) fn lost(&self, end: &End, was_live: bool, wait: Duration) {
        let Self { route, pool, channel } = self;
        let wait = format!("{:.1} s", wait.as_secs_f64());
        let fault = end.fault();
        if matches!(end, End::Reconnect(_)) {
            info!(
                event = "pool.reconnect",
                route, pool, channel, "the pool asks us to reconnect; again in {wait}"
            );
        } else if fault == Fault::Operator {
            error!(event = "pool.down", route, pool, channel, %fault, "{end}; again in {wait}");
        } else if matches!(end, End::Closed) && !was_live {
            warn!(
                event = "pool.down", route, pool, channel, %fault,
                "the pool closed the connection before the login was done: it may refuse our \
                 version of the protocol or our address, or want TLS; again in {wait}"
            );
        } else if was_live {
            warn!(event = "pool.down", route, pool, channel, %fault, "connection lost: {end}; the rigs stay, again in {wait}");
        } else {
            warn!(event = "pool.down", route, pool, channel, %fault, "cannot connect: {end}; again in {wait}");
        }
    }

    pub(super) fn elsewhere(&self, host: Option<&str>, port: Option<u16>, refused: Refused) {
        let Self { route, pool, channel } = self;
        let host = host.map(shown);
        warn!(
            event = "pool.reconnect_refused",
            route,
            pool,
            channel,
            host,
            port,
            "the pool wants us on another server; not followed: {refused}"
        );
    }

    pub(super) fn redirected(&self, to: &PoolUrl) {
        let Self { route, pool, channel } = self;
        info!(event = "pool.redirected", route, pool, channel, "the pool sends us to {to}");
    }

    pub(super) fn went_back(&self, left: &PoolUrl, to: &PoolUrl) {
        let Self { route, pool, channel } = self;
        warn!(
            event = "pool.redirected",
            route, pool, channel, "{left}, where the pool sent us, does not serve us; back to {to}"
        );
    }

    /// `scales` are the dialect's words for its scales of difficulties.
    pub(super) fn notice(&self, notice: &Notice, scales: [&str; 2]) {
        let Self { route, pool, channel } = self;
        match notice {
            Notice::Ground { split, capacity } => {
                info!(
                    event = "pool.extranonce", route, pool, channel,
                    extranonce1 = %split.extranonce1, prefix_bytes = split.prefix_bytes,
                    rig_extranonce2 = split.rig_extranonce2, rigs = capacity,
                    "the pool's extranonce space holds {capacity} rigs"
                );
                if let Some(remark) = &split.remark {
                    info!(event = "pool.split", route, pool, channel, "{remark}");
                }
            }
            Notice::Live => {
                info!(event = "pool.up", route, pool, channel, "connected and authorized");
            }
            Notice::AuthorizeUnanswered => warn!(
                event = "pool.up",
                route,
                pool,
                channel,
                "the pool has not answered the authorize, and tells jobs: they are mined all the same"
            ),
            Notice::Learnt { learnt, why } => self.learnt(*learnt, why, scales),
            Notice::Unusable { method, error } => warn!(
                event = "pool.unusable",
                route, pool, channel, method, "skipped a line that cannot be used: {error}"
            ),
            Notice::UnusableAnswer(error) => {
                warn!(event = "pool.unusable", route, pool, channel, "skipped an answer: {error}");
            }
            Notice::BadLine(start) => {
                warn!(
                    event = "pool.bad_line",
                    route, pool, channel, start, "a line makes no sense"
                );
            }
            Notice::Overlong { cap } => warn!(
                event = "pool.overlong",
                route, pool, channel, "skipped a line of more than {cap} bytes"
            ),
            Notice::Target(target) => {
                info!(event = "pool.target", route, pool, channel, %target, "share target changed");
            }
            Notice::BrakeOn { shares_per_second, limit, floor } => warn!(
                event = "pool.brake",
                route, pool, channel, limit, %floor,
                "{shares_per_second:.0} shares a second are too many for the pool: with the next job rigs get a harder target, until the pool has retargeted, for {BRAKE_FOR:?} at most"
            ),
            Notice::BrakeOff { forgone_hashes, held, why } => info!(
                event = "pool.brake_off",
                route,
                pool,
                channel,
                forgone_hashes,
                "rigs get the pool's own target again after {} s: {why}; {forgone_hashes:.3e} hashes were proven and not credited",
                held.as_secs()
            ),
            Notice::Message(text) => {
                info!(event = "pool.message", route, pool, channel, "the pool says: {text}");
            }
        }
    }

    /// Something was found out about the pool: said once, and kept.
    fn learnt(&self, learnt: Learnt, why: &str, scales: [&str; 2]) {
        let Self { route, pool, channel } = self;
        let Learnt { habit, answer } = learnt;
        let value = match (habit, answer) {
            (Habit::DifficultyScale, Answer::Usual) => scales[0],
            (Habit::DifficultyScale, Answer::Other) => scales[1],
            _ => habit.word(answer),
        };
        let means = match (habit, answer) {
            (Habit::Names, Answer::Usual) => "it takes workers under names of their own",
            (Habit::Names, Answer::Other) => {
                "it takes no worker beside the account, under which all shares go out from now on"
            }
            (Habit::NotifyTarget, Answer::Usual) => {
                "shares are judged by the announced difficulty, and the notify's target is the network's"
            }
            (Habit::NotifyTarget, Answer::Other) => "shares are judged by the notify's target",
            (Habit::DifficultyFrom, Answer::Usual) => {
                "an announced difficulty is in force from the next notify on"
            }
            (Habit::DifficultyFrom, Answer::Other) => "an announced difficulty is in force at once",
            (Habit::Split, Answer::Usual) => {
                "it takes an extranonce2 of the announced size alone: the narrow split, with new leases"
            }
            (Habit::Split, Answer::Other) => {
                "it takes a longer extranonce2: the wide split, from the next new job on"
            }
            (Habit::DifficultyScale, _) => "so it means difficulties",
        };
        let key = habit.name();
        warn!(
            event = "pool.habit",
            route,
            pool,
            channel,
            habit = key,
            value,
            "found out about the pool: {means} ({why}); kept for 30 days, and said beforehand by \
             `{key} = \"{value}\"` in the pool's options"
        );
    }
}
