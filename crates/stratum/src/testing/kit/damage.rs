//! Lines that are not what they were.

/// How many of one line.
const TIMES: u64 = 200;
/// What stands in the place of a byte, beside chance.
const TROUBLE: &[u8] = b"\"\\[]{},:0-9eE.nxf\x00\xff";

/// A line, changed in many ways: the same ones each time.
pub(super) fn of(line: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (1..=TIMES).map(|seed| damaged(line, seed))
}

fn damaged(line: &[u8], seed: u64) -> Vec<u8> {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut line = line.to_vec();
    for _ in 0..=chance.below(3) {
        if line.is_empty() {
            break;
        }
        let (at, other) = (chance.below(line.len()), chance.below(line.len()));
        match chance.below(6) {
            0 => line[at] = TROUBLE[chance.below(TROUBLE.len())],
            1 => line[at] ^= 1 << chance.below(8),
            2 => drop(line.remove(at)),
            3 => line.insert(at, TROUBLE[chance.below(TROUBLE.len())]),
            4 => drop(line.drain(at.min(other)..at.max(other))),
            _ => {
                let part = line[at.min(other)..at.max(other)].to_vec();
                line.splice(at..at, part);
            }
        }
    }
    line
}

/// Numbers without a pattern, and without a library: xorshift.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}
