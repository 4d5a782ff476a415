//! What dialects of stratum's first version share: functions that a dialect calls with what it does
//! not say in its own way, and the names of the calls, which are spelt here alone.
//!
//! A dialect's last match arm is one of them, so that nothing can be lost by forgetting it.

mod rigs;

pub use rigs::{agent, hear_rig, query, submit, tell_rig};

/// A rig, or we, want an extranonce.
pub const SUBSCRIBE: &str = "mining.subscribe";
/// A rig, or we, say who works.
pub const AUTHORIZE: &str = "mining.authorize";
/// A share.
pub const SUBMIT: &str = "mining.submit";
/// A wish for extensions.
pub const CONFIGURE: &str = "mining.configure";
/// A wish for a difficulty.
pub const SUGGEST_DIFFICULTY: &str = "mining.suggest_difficulty";
/// A wish to be told another extranonce where that is needed.
pub const EXTRANONCE_SUBSCRIBE: &str = "mining.extranonce.subscribe";
/// A wish for any answer.
pub const PING: &str = "mining.ping";
/// A job.
pub const NOTIFY: &str = "mining.notify";
/// The difficulty of the jobs that follow.
pub const SET_DIFFICULTY: &str = "mining.set_difficulty";
/// The target of the jobs that follow.
pub const SET_TARGET: &str = "mining.set_target";
/// The extranonce of the jobs that follow.
pub const SET_EXTRANONCE: &str = "mining.set_extranonce";
