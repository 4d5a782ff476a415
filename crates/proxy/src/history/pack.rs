//! How parts of time stand in the file: as few bytes as can be.
//!
//! A row begins with its version. Each part then says in its first number which verdicts it has, whether
//! parts before it are left out, and whether its seconds online are others than the last part's. Of each
//! verdict follows the count, and the work only where it is not the count times the work of a share
//! that was said last; likewise what pools credited, for the shares that they took. So a worker that is
//! always there, at one difficulty, costs two bytes a minute.

use std::collections::BTreeMap;

use orepass_stratum::verdict::Verdict;
use thiserror::Error;

use super::part::{EndedShares, HistoryPart, Resolution};

const VERSION: u8 = 2;
/// Bits of a part's first number; those of verdicts are above.
const SKIPS: u64 = 1;
const ONLINE_CHANGES: u64 = 2;
const VERDICTS_AT: u32 = 2;
/// Above those: what was credited is not what was to be expected.
const CREDIT_CHANGES: u64 = 1 << (VERDICTS_AT + Verdict::ALL.len() as u32);
/// By so much of itself may a work differ from the count times a share's: books add up rounded numbers.
const TOLERANCE: f64 = 1e-9;
/// One bit of a count's number says whether work follows.
const MAX_COUNT: u64 = u64::MAX >> 1;

/// The parts of an hour that are known, by their number.
pub type HourParts = BTreeMap<u8, HistoryPart>;

/// Why bytes are no row of the history: the file is damaged, or a newer version wrote them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UnpackError {
    /// Another version wrote it.
    #[error("it has version {0}; known here is {VERSION}")]
    Version(u8),
    /// It ends in the middle.
    #[error("it ends too early")]
    Short,
    /// Something in it is more than there can be.
    #[error("it has a number that is too large")]
    TooLarge,
}

/// Packs parts of an hour into a row.
#[must_use]
pub fn pack(resolution: Resolution, parts: &HourParts) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    let (mut context, mut next) = (PackContext::new(resolution), 0);
    for (&number, part) in parts {
        context.put(&mut bytes, u64::from(number.saturating_sub(next)), part);
        next = number.saturating_add(1);
    }
    bytes
}

/// Takes a row apart, whatever it is.
///
/// # Errors
/// An [`UnpackError`].
pub fn unpack(resolution: Resolution, row: &[u8]) -> Result<HourParts, UnpackError> {
    let mut bytes = after_version(row)?;
    let mut context = PackContext::new(resolution);
    let (mut parts, mut next) = (HourParts::new(), 0);
    while !bytes.is_empty() {
        let mut part = HistoryPart::online(0);
        let head = context.take(&mut bytes, |ended| part.put(ended))?;
        head.add_to(&mut part);
        let number = head.skipped.saturating_add(next);
        if number >= resolution.parts_per_hour() {
            return Err(UnpackError::TooLarge);
        }
        parts.insert(number as u8, part);
        next = number + 1;
    }
    Ok(parts)
}

/// Packs a minute of many series, by their numbers.
pub(super) fn pack_minute<'p>(parts: impl Iterator<Item = (i64, &'p HistoryPart)>) -> Vec<u8> {
    let (mut bytes, mut next) = (vec![VERSION], 0);
    for (series, part) in parts {
        let skipped = series.saturating_sub(next).cast_unsigned();
        PackContext::new(Resolution::Minute).put(&mut bytes, skipped, part);
        next = series.saturating_add(1);
    }
    bytes
}

/// Reads a minute of many series: calls `take` for those that are within `wanted`.
pub(super) fn unpack_minute(
    row: &[u8],
    wanted: std::ops::Range<i64>,
    mut take: impl FnMut(i64, HistoryPart),
) -> Result<(), UnpackError> {
    let mut bytes = after_version(row)?;
    let mut next = 0_i64;
    while !bytes.is_empty() && next < wanted.end {
        let mut part = HistoryPart::default();
        let mut rest = bytes;
        // Nothing is made of those that are not wanted.
        let context = || PackContext::new(Resolution::Minute);
        let head = context().take(&mut rest, |_| ())?;
        let skipped = i64::try_from(head.skipped).map_err(|_| UnpackError::TooLarge)?;
        let series = next.checked_add(skipped).ok_or(UnpackError::TooLarge)?;
        if wanted.contains(&series) {
            context().take(&mut bytes, |ended| part.put(ended))?;
            head.add_to(&mut part);
            take(series, part);
        }
        (bytes, next) = (rest, series.checked_add(1).ok_or(UnpackError::TooLarge)?);
    }
    Ok(())
}

fn after_version(row: &[u8]) -> Result<&[u8], UnpackError> {
    match row.split_first() {
        Some((&VERSION, bytes)) => Ok(bytes),
        Some((&other, _)) => Err(UnpackError::Version(other)),
        None => Err(UnpackError::Short),
    }
}

/// What the last part of a row has said.
struct PackContext {
    max_online: u16,
    online: u16,
    /// The work of a share by verdict.
    work: [f64; Verdict::ALL.len()],
    /// What a pool credited for a share that it took.
    credit: f64,
}

/// What a part has beside its shares.
struct PartHead {
    /// How many parts are left out before it.
    skipped: u64,
    seconds_online: u16,
    credited: f64,
}

impl PartHead {
    const fn add_to(&self, part: &mut HistoryPart) {
        part.seconds_online = self.seconds_online;
        part.credit(self.credited);
    }
}

impl PackContext {
    fn new(resolution: Resolution) -> Self {
        let max_online = resolution.seconds() as u16;
        Self { max_online, online: max_online, work: [0.0; Verdict::ALL.len()], credit: 0.0 }
    }

    fn put(&mut self, bytes: &mut Vec<u8>, skipped: u64, part: &HistoryPart) {
        let online = part.seconds_online.min(self.max_online);
        let mut first = 0;
        for ended in part.ended() {
            first |= 1 << (ended.verdict as u32 + VERDICTS_AT);
        }
        first |= if skipped > 0 { SKIPS } else { 0 };
        first |= if online == self.online { 0 } else { ONLINE_CHANGES };
        let (taken, credited) = (part.count(Verdict::AcceptedByPool), part.credited());
        let expected = self.credit * taken as f64;
        let is_expected = (credited - expected).abs() <= credited * TOLERANCE;
        first |= if is_expected { 0 } else { CREDIT_CHANGES };
        put_number(bytes, first);
        if skipped > 0 {
            put_number(bytes, skipped);
        }
        if online != self.online {
            put_number(bytes, u64::from(online));
            self.online = online;
        }
        for &EndedShares { verdict, count, work } in part.ended() {
            let count = count.min(MAX_COUNT);
            let expected = self.work[verdict as usize] * count as f64;
            let is_expected = (work - expected).abs() <= work * TOLERANCE;
            put_number(bytes, count << 1 | u64::from(!is_expected));
            if !is_expected {
                bytes.extend(work.to_le_bytes());
                self.note_work(verdict, count, work);
            }
        }
        if !is_expected {
            bytes.extend(credited.to_le_bytes());
            self.note_credit(taken, credited);
        }
    }

    /// Gives a part's shares to `each`, and what it has besides.
    fn take(
        &mut self,
        bytes: &mut &[u8],
        mut each: impl FnMut(EndedShares),
    ) -> Result<PartHead, UnpackError> {
        let first = take_number(bytes)?;
        if first >= CREDIT_CHANGES << 1 {
            return Err(UnpackError::TooLarge);
        }
        let mut taken = 0;
        let skipped = if first & SKIPS == 0 { 0 } else { take_number(bytes)? };
        if first & ONLINE_CHANGES != 0 {
            let online = u16::try_from(take_number(bytes)?).ok();
            let online = online.filter(|online| *online <= self.max_online);
            self.online = online.ok_or(UnpackError::TooLarge)?;
        }
        for verdict in Verdict::ALL {
            if first & 1 << (verdict as u32 + VERDICTS_AT) == 0 {
                continue;
            }
            let number = take_number(bytes)?;
            let count = number >> 1;
            let work = if number & 1 == 0 {
                self.work[verdict as usize] * count as f64
            } else {
                take_work(bytes)?
            };
            if !(0.0..=f64::MAX).contains(&work) {
                return Err(UnpackError::TooLarge);
            }
            if verdict == Verdict::AcceptedByPool {
                taken = count;
            }
            if number & 1 != 0 {
                self.note_work(verdict, count, work);
            }
            each(EndedShares { verdict, count, work });
        }
        let credited = if first & CREDIT_CHANGES == 0 {
            self.credit * taken as f64
        } else {
            take_work(bytes)?
        };
        if !(0.0..=f64::MAX).contains(&credited) {
            return Err(UnpackError::TooLarge);
        }
        if first & CREDIT_CHANGES != 0 {
            self.note_credit(taken, credited);
        }
        Ok(PartHead { skipped, seconds_online: self.online, credited })
    }

    fn note_credit(&mut self, taken: u64, credited: f64) {
        if taken > 0 {
            self.credit = credited / taken as f64;
        }
    }

    fn note_work(&mut self, verdict: Verdict, count: u64, work: f64) {
        if count > 0 {
            self.work[verdict as usize] = work / count as f64;
        }
    }
}

fn take_work(bytes: &mut &[u8]) -> Result<f64, UnpackError> {
    let (work, rest) = bytes.split_first_chunk().ok_or(UnpackError::Short)?;
    *bytes = rest;
    Ok(f64::from_le_bytes(*work))
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_number(bytes: &mut &[u8]) -> Result<u64, UnpackError> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(UnpackError::Short)?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        if part << shift >> shift != part {
            return Err(UnpackError::TooLarge);
        }
        number |= part << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(UnpackError::TooLarge)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    /// Parts of hours in which shares are of a few difficulties, as they are.
    fn hours(resolution: Resolution) -> impl Strategy<Value = HourParts> {
        let numbers = 0..resolution.parts_per_hour() as u8;
        let shares = (0..Verdict::ALL.len(), 0..1_000_u64, 0..3_usize, 0.0..2.0_f64);
        let online = 0..=resolution.seconds() as u16;
        let credit = prop::sample::select(vec![0.0, 4_294_967_296.0, 1e14, 1.234_567e14]);
        let all = (online, vec(shares, 0..6), credit, any::<bool>());
        let part = all.prop_map(|(seconds_online, shares, credit, odd)| {
            let mut part = HistoryPart::online(seconds_online);
            for (verdict, count, difficulty, odd) in shares {
                let share = [4_294_967_296.0, 1e14, 1e14 * odd][difficulty];
                let work = share * count as f64;
                part.put(EndedShares { verdict: Verdict::ALL[verdict], count, work });
            }
            let taken = part.count(Verdict::AcceptedByPool) as f64;
            part.credit(credit * taken + if odd { 1e13 } else { 0.0 });
            part
        });
        btree_map(numbers, part, 0..=resolution.parts_per_hour() as usize)
    }

    pub(in crate::history) fn are_alike(one: &HistoryPart, other: &HistoryPart) -> bool {
        one.seconds_online == other.seconds_online
            && (one.credited() - other.credited()).abs() <= one.credited() * 1e-8
            && Verdict::ALL.into_iter().all(|verdict| {
                let [work, again] = [one, other].map(|part| part.work(verdict));
                one.count(verdict) == other.count(verdict) && (work - again).abs() <= work * 1e-8
            })
    }

    proptest! {
        #[test]
        fn what_is_packed_is_taken_apart_as_the_same(
            (resolution, parts) in prop::sample::select(Resolution::ALL.to_vec())
                .prop_flat_map(|resolution| (Just(resolution), hours(resolution)))
        ) {
            let packed = pack(resolution, &parts);
            let again = unpack(resolution, &packed).unwrap();
            prop_assert!(again.keys().eq(parts.keys()));
            for (number, part) in &parts {
                prop_assert!(are_alike(part, &again[number]), "{part:?} {:?}", again[number]);
            }
            for end in 0..packed.len() {
                // It says so, or gives the parts before.
                if let Ok(fewer) = unpack(resolution, &packed[..end]) {
                    prop_assert!(fewer.len() < parts.len());
                }
            }
        }

        #[test]
        fn any_bytes_are_borne(bytes in vec(any::<u8>(), 0..200)) {
            for resolution in Resolution::ALL {
                let _ = unpack(resolution, &bytes);
            }
            let _ = unpack_minute(&bytes, 0..i64::MAX, |_, _| ());
        }
    }

    #[test]
    fn a_steady_worker_costs_two_bytes_a_minute() {
        let mut part = HistoryPart::online(60);
        part.put(EndedShares { verdict: Verdict::AcceptedByPool, count: 10, work: 1.7e13 });
        part.credit(6.8e13);
        let hour: HourParts = (0..60).map(|number| (number, part.clone())).collect();
        assert_eq!(pack(Resolution::Minute, &hour).len(), 1 + 60 * 2 + 2 + 8 + 8);
    }

    #[test]
    fn a_minute_of_many_series_gives_those_that_are_asked_for() {
        let part = |count| {
            let mut part = HistoryPart::online(7);
            part.put(EndedShares { verdict: Verdict::Stale, count, work: count as f64 });
            part
        };
        let all: Vec<_> = [1_i64, 2, 5, 900].map(|id| (id, part(id.cast_unsigned()))).into();
        let packed = pack_minute(all.iter().map(|(id, part)| (*id, part)));
        for wanted in [0..i64::MAX, 2..900, 5..6, 3..4] {
            let mut found = Vec::new();
            unpack_minute(&packed, wanted.clone(), |id, part| found.push((id, part))).unwrap();
            let expected = all.iter().filter(|(id, _)| wanted.contains(id)).cloned();
            assert_eq!(found, expected.collect::<Vec<_>>(), "{wanted:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (row, error) in [
            (&[][..], UnpackError::Short),
            (&[3, 4], UnpackError::Version(3)),
            (&[2, 4], UnpackError::Short),
            (&[2, 4, 21, 0, 0], UnpackError::Short),
            // No such verdict, no such part, more seconds than there are.
            (&[2, 0x80, 0x80, 4], UnpackError::TooLarge),
            (&[2, 1, 60], UnpackError::TooLarge),
            (&[2, 2, 61], UnpackError::TooLarge),
            (&[2, 4, 3, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f], UnpackError::TooLarge),
            (&[2, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255], UnpackError::TooLarge),
        ] {
            assert_eq!(unpack(Resolution::Minute, row), Err(error), "{row:?}");
        }
    }
}
