//! A route's decisions in a night of whatever happens, held against the rules of all its stories: one
//! seat for a rig, no two that hash the same, nobody forgotten, no more connections than there may be, and
//! quiet in the morning.
//!
//! Input: what happens, as the night draws it.

/// Takes an input as the head of this file says, and gives how many seats were given.
///
/// # Panics
/// When a rule is broken.
pub fn farm(data: &[u8]) -> usize {
    orepass_farm::farm::night(data)
}
