//! Any bytes as a row of a history file that is damaged: it is refused, or says something that is packed and
//! taken apart again as the same.
//!
//! Input: the resolution, then the row.

use orepass::history::pack::{HourParts, pack, unpack};
use orepass::history::{HistoryPart, Resolution};

/// Takes an input as the head of this file says, and gives how many parts of time were in it.
///
/// # Panics
/// When what is packed is not what was there.
pub fn history_row(data: &[u8]) -> usize {
    let [resolution, row @ ..] = data else { return 0 };
    let resolution = Resolution::ALL[usize::from(*resolution) % Resolution::ALL.len()];
    let Ok(parts) = unpack(resolution, row) else { return 0 };
    let packed = pack(resolution, &parts);
    let again = unpack(resolution, &packed).expect("what was packed");
    assert!(are_alike(&parts, &again), "{parts:?} and {again:?}");
    parts.len()
}

fn are_alike(one: &HourParts, other: &HourParts) -> bool {
    let is_like = |one: &HistoryPart, other: &HistoryPart| {
        let ended = one.ended().iter().zip(other.ended());
        one.seconds_online == other.seconds_online
            && (one.credited() - other.credited()).abs() <= one.credited() * 1e-8
            && one.ended().len() == other.ended().len()
            && ended.into_iter().all(|(one, other)| {
                (one.verdict, one.count) == (other.verdict, other.count)
                    && (one.work - other.work).abs() <= one.work * 1e-8
            })
    };
    one.keys().eq(other.keys()) && one.values().zip(other.values()).all(|(a, b)| is_like(a, b))
}
