//! What the log says of one pool connection.
//!
//! Connections to one pool mostly say the same at the same time, and a broken pool says it for
//! ever, so each thing is said once or a few times a minute, with the count of those left out.

#[cfg(test)]
mod tests;
mod topic;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orepass_stratum::dialect::Dialect;
use orepass_stratum::error::{Fault, shown};
use orepass_stratum::habits::{Answer, Habit, Learnt};
use orepass_stratum::upstream::{BRAKE_FOR, LoginCall, Notice};
use tracing::{error, info, warn};

use super::address::RedirectRefused;
use super::pump::End;
use crate::clock::now;
use crate::config::PoolUrl;
use crate::repeated_warnings::{Folds, nonzero};
use crate::route::Route;
use crate::route::channel::Channel;

use topic::Topic;

/// How often the same is said of one pool.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// The most things that are remembered to have been said of one pool.
const MAX_THINGS: usize = 256;
/// A wait that is not worth a word.
const NO_WAIT: Duration = Duration::from_millis(100);

/// What was said of one pool lately, by all connections to it.
#[derive(Debug)]
pub(crate) struct Said(Mutex<Folds<Topic>>);

impl Said {
    /// Whether it may be said now, and how often it was not since it was said last.
    fn say(&self, thing: Topic) -> Option<u64> {
        let times = thing.times();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).say_times(thing, times, now())
    }
}

impl Default for Said {
    fn default() -> Self {
        Self(Mutex::new(Folds::new(SAY_EVERY, MAX_THINGS)))
    }
}

/// The operator's view of a channel.
pub(crate) struct ChannelLog {
    route: String,
    pool: String,
    pub(crate) channel: u64,
    /// Where the present connection leads; `None` before the first.
    pub(crate) address: Option<SocketAddr>,
    /// The dialect's words for its scales of difficulties.
    scales: [&'static str; 2],
    said: Arc<Said>,
}

/// How a connection ended, as far as the log tells it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lost<'a> {
    /// Why.
    pub(crate) end: &'a End,
    /// Whether it took shares.
    pub(crate) was_live: bool,
    /// Whether others to the same pool do.
    pub(crate) others_live: bool,
    /// When it is tried again.
    pub(crate) wait: Duration,
}

impl ChannelLog {
    /// The log of one of the route's connections.
    pub(crate) fn new<D: Dialect>(route: &Route<D>, channel: &Channel<D>) -> Self {
        let pool = &channel.to;
        Self {
            route: route.name().to_owned(),
            pool: pool.account.name.to_string(),
            channel: channel.id.0,
            address: None,
            scales: pool.dialect.rules().scale_names,
            said: Arc::clone(&pool.said),
        }
    }

    /// The connection ended, or was never made.
    pub(crate) fn lost(&self, lost: Lost<'_>) {
        let Lost { end, was_live, others_live, wait } = lost;
        let Some(more) = self.said.say(Topic::down(end, was_live)) else { return };
        let Self { route, pool, channel, .. } = self;
        let (again, more_since_last, fault) = (again(wait), nonzero(more), end.fault());
        if matches!(end, End::Reconnect(_)) {
            return info!(
                event = "pool.reconnect",
                route, pool, channel, more_since_last, "the pool asks us to reconnect; {again}"
            );
        }
        let what = match end {
            _ if fault == Fault::Operator => end.to_string(),
            End::Closed | End::Hangup(_) if !was_live => format!(
                "{}: {}",
                match end {
                    End::Hangup(_) => end.to_string(),
                    _ => format!("{end} before the login was done"),
                },
                match end {
                    _ if others_live =>
                        "since others to it are up, it may allow no more connections from our \
                         address; lower `max_channels`",
                    End::Hangup(LoginCall::Configure) =>
                        "it may not know that call, which the pool's options can leave out; or it \
                         refuses our address, or wants TLS",
                    _ => "it may refuse our version of the protocol or our address, or want TLS",
                }
            ),
            _ if was_live => format!("connection lost: {end}; the rigs stay"),
            _ => format!("cannot connect: {end}"),
        };
        if fault == Fault::Operator {
            error!(
                event = "pool.down",
                route, pool, channel, %fault, more_since_last, "{what}; {again}"
            );
        } else {
            warn!(
                event = "pool.down",
                route, pool, channel, %fault, more_since_last, "{what}; {again}"
            );
        }
    }

    /// The pool wants us on a server that is not followed to.
    pub(crate) fn elsewhere(
        &self,
        host: Option<&str>,
        port: Option<u16>,
        refused: RedirectRefused,
    ) {
        let Some(more) = self.said.say(Topic::Pool("pool.reconnect_refused")) else { return };
        let Self { route, pool, channel, .. } = self;
        let (host, more_since_last) = (host.map(shown), nonzero(more));
        warn!(
            event = "pool.reconnect_refused",
            route,
            pool,
            channel,
            host,
            port,
            more_since_last,
            "the pool wants us on another server; not followed: {refused}"
        );
    }

    /// The pool sent us to another place, and we go there.
    pub(crate) fn redirected(&self, to: &PoolUrl) {
        let Some(more) = self.said.say(Topic::Pool("pool.redirected")) else { return };
        let Self { route, pool, channel, .. } = self;
        info!(
            event = "pool.redirected",
            route,
            pool,
            channel,
            more_since_last = nonzero(more),
            "the pool sends us to {to}"
        );
    }

    /// The place where the pool sent us is of no use.
    pub(crate) fn went_back(&self, left: &PoolUrl, to: &PoolUrl) {
        let Some(more) = self.said.say(Topic::Pool("pool.redirected back")) else { return };
        let Self { route, pool, channel, .. } = self;
        warn!(
            event = "pool.redirected",
            route,
            pool,
            channel,
            more_since_last = nonzero(more),
            "{left}, where the pool sent us, does not serve us; back to {to}"
        );
    }

    /// Something that the session noticed.
    pub(crate) fn notice(&self, notice: &Notice) {
        let more_since_last = match Topic::noticed(notice, self.channel) {
            None => None,
            Some(thing) => match self.said.say(thing) {
                None => return,
                Some(more) => nonzero(more),
            },
        };
        let Self { route, pool, channel, address, .. } = self;
        match notice {
            Notice::Ground { split, capacity } => {
                let rigs = if *capacity == 1 { "rig" } else { "rigs" };
                info!(
                    event = "pool.extranonce", route, pool, channel,
                    extranonce1 = %split.extranonce1, prefix_bytes = split.prefix_bytes,
                    rig_extranonce2 = split.rig_extranonce2, rigs = capacity,
                    "the pool's extranonce space holds {capacity} {rigs}"
                );
                if let Some(remark) = &split.remark {
                    info!(event = "pool.split", route, pool, channel, "{remark}");
                }
            }
            Notice::Live => {
                let address = address.map(tracing::field::display);
                info!(event = "pool.up", route, pool, channel, address, "connected and authorized");
            }
            Notice::AuthorizeUnanswered => warn!(
                event = "pool.up",
                route,
                pool,
                channel,
                more_since_last,
                "the pool has not answered the authorize, and tells jobs: they are mined all the \
                 same"
            ),
            Notice::Learnt { learnt, why } => self.learnt(*learnt, why),
            Notice::Unusable { method, error } => warn!(
                event = "pool.unusable",
                route,
                pool,
                channel,
                method,
                more_since_last,
                "skipped a line that cannot be used: {error}"
            ),
            Notice::UnusableAnswer(error) => warn!(
                event = "pool.unusable",
                route, pool, channel, more_since_last, "skipped an answer: {error}"
            ),
            Notice::BadLine(start) => warn!(
                event = "pool.bad_line",
                route, pool, channel, start, more_since_last, "a line makes no sense"
            ),
            Notice::Overlong { cap } => warn!(
                event = "pool.overlong",
                route, pool, channel, more_since_last, "skipped a line of more than {cap} bytes"
            ),
            Notice::Target(target) => info!(
                event = "pool.target",
                route, pool, channel, share_target = %target, more_since_last,
                "share target changed"
            ),
            Notice::BrakeOn { shares_per_second, limit, floor } => warn!(
                event = "pool.brake",
                route, pool, channel, limit, %floor, more_since_last,
                "{shares_per_second:.0} shares a second are too many for the pool: with the next \
                 job rigs get a harder target, until the pool has retargeted, for {BRAKE_FOR:?} \
                 at most"
            ),
            Notice::BrakeOff { forgone_hashes, held, why } => info!(
                event = "pool.brake_off",
                route,
                pool,
                channel,
                forgone_hashes,
                more_since_last,
                "rigs get the pool's own target again after {} s: {why}; {forgone_hashes:.3e} \
                 hashes were proven and not credited",
                held.as_secs()
            ),
            Notice::Job(text) => warn!(
                event = "pool.job",
                route, pool, channel, more_since_last, "of the pool's jobs: {text}"
            ),
            Notice::Message(text) => info!(
                event = "pool.message",
                route, pool, channel, more_since_last, "the pool says: {text}"
            ),
        }
    }

    /// Something was found out about the pool: said once, and kept.
    fn learnt(&self, learnt: Learnt, why: &str) {
        let Self { route, pool, channel, .. } = self;
        let Learnt { habit, answer } = learnt;
        let value = habit.word_among(answer, self.scales);
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
            (Habit::Split, Answer::Usual) => "it takes no longer extranonce2: the narrow split",
            (Habit::Split, Answer::Other) => {
                "it takes a longer extranonce2: the wide split, from the next new job on"
            }
            (Habit::DifficultyScale, _) => "its difficulties are on this scale",
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

/// When it is tried again, in words.
fn again(wait: Duration) -> String {
    if wait < NO_WAIT {
        return "again at once".to_owned();
    }
    format!("again in {:.1} s", wait.as_secs_f64())
}
