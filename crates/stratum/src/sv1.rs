//! What the stratum dialects with JSON lines share, after the first of them: how their calls are
//! named, and how the usual ones are spelt.
//!
//! A library, not a form that a dialect inherits: a [`Dialect`](crate::dialect::Dialect) matches what
//! it says or hears in its own way, and calls these with the rest.

mod pools;
mod rigs;

pub use pools::{
    extranonce1, first, hear_answer, hear_pool, learnt, read_subscribed, set_difficulty,
    set_extranonce, set_target, size, subscribed, tell_pool, verdict,
};
pub use rigs::{agent, hear_rig, query, submit, suggest_target, tell_rig};

/// Rigs ask for an extranonce; `[agent]` or `[agent, session]`.
pub const SUBSCRIBE: &str = "mining.subscribe";
/// Who works; `[user, password]`.
pub const AUTHORIZE: &str = "mining.authorize";
/// A share.
pub const SUBMIT: &str = "mining.submit";
/// A job.
pub const NOTIFY: &str = "mining.notify";
/// Shares' target as a difficulty; `[difficulty]`.
pub const SET_DIFFICULTY: &str = "mining.set_difficulty";
/// Shares' target; `[64 hex digits]`.
pub const SET_TARGET: &str = "mining.set_target";
/// Another extranonce1 from the next job on; `[extranonce1, extranonce2_size]`.
pub const SET_EXTRANONCE: &str = "mining.set_extranonce";
/// A rig can be told another extranonce1.
pub const EXTRANONCE_SUBSCRIBE: &str = "mining.extranonce.subscribe";
/// A wish for extensions; `[names, their options]`.
pub const CONFIGURE: &str = "mining.configure";
/// A wish for a difficulty; `[difficulty]`.
pub const SUGGEST_DIFFICULTY: &str = "mining.suggest_difficulty";
/// A wish for a difficulty as a target; `[64 hex digits]`.
pub const SUGGEST_TARGET: &str = "mining.suggest_target";
/// Is anybody there?
pub const PING: &str = "mining.ping";
