//! Dividing a pool's extranonce between rigs.

use std::borrow::Cow;

use orepass_stratum::dialect::{NoRoom, Split, Subscribed};
use orepass_stratum::space::MAX_PREFIX;

use crate::share::NONCE_SIZE;

/// The longest extranonce1 that a rig is told, in bytes: ccminer and its descendants refuse more.
pub const MAX_TOLD: usize = 12;
const DEFAULT_PREFIX: usize = 2;

/// Divides what a pool gave: a nonce has 32 bytes, of which the pool's extranonce1 and the prefix
/// together are at most [`MAX_TOLD`].
///
/// `prefix_bytes` is 2 by default, for 65,536 rigs; behind an extranonce1 of 11 bytes it is 1, and
/// behind one of 12 it is 0: a pool connection for each rig. Where 0 is chosen, extranonce1 may be
/// longer, with a remark: whoever connects a miner to such a pool directly has the same.
///
/// # Errors
/// [`NoRoom`] with the numbers.
pub fn split(given: &Subscribed, prefix_bytes: Option<usize>) -> Result<Split, NoRoom> {
    let extranonce1 = given.extranonce1.len();
    let room = MAX_TOLD.saturating_sub(extranonce1).min(MAX_PREFIX);
    let prefix = prefix_bytes.unwrap_or_else(|| DEFAULT_PREFIX.min(room));
    let remark: Option<Cow<'static, str>> = match (prefix_bytes, extranonce1) {
        (Some(0), NONCE_SIZE..) => return Err(no_room(extranonce1, prefix)),
        (Some(0), ..=MAX_TOLD) => None,
        (Some(0), _) => Some(Cow::Owned(format!(
            "the pool's extranonce1 has {extranonce1} bytes; many miners refuse more than {MAX_TOLD}"
        ))),
        (_, MAX_TOLD) if prefix == 0 => Some(Cow::Borrowed(
            "the pool's extranonce1 has 12 bytes, as many as miners take: nothing is left to split, so \
             each rig needs a pool connection of its own",
        )),
        _ if extranonce1 > MAX_TOLD || prefix > room => return Err(no_room(extranonce1, prefix)),
        _ => None,
    };
    Ok(Split {
        extranonce1: given.extranonce1.clone(),
        prefix_bytes: prefix,
        rig_extranonce2: NONCE_SIZE - extranonce1 - prefix,
        needs: None,
        probe: None,
        remark,
    })
}

fn no_room(extranonce1: usize, prefix: usize) -> NoRoom {
    let remedy = match extranonce1 {
        MAX_TOLD.. => {
            "miners take 12 bytes of extranonce1 and prefix together: set prefix_bytes = 0 for a pool \
             connection per rig, or use another server where they refuse its extranonce1 too"
        }
        9.. => "set a smaller prefix_bytes; extranonce1 and prefix may have 12 bytes together",
        _ => "set a smaller prefix_bytes; a prefix has at most 4 bytes",
    };
    NoRoom { extranonce1, extranonce2: NONCE_SIZE.saturating_sub(extranonce1), prefix, remedy }
}
