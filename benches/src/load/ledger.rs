//! The pool's own judgement of a share.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use super::roll::{Roll, ShareName};

/// What the first job's time is counted from, in Unix seconds. A job's number is in its time,
/// which no proxy changes.
const FIRST_TIME: u32 = 1_700_000_000;
/// A block target that no hash here meets.
const BITS: &str = "1a06e782";
/// The most bytes of extranonce2 that are taken, and the least: its last two are the rig's own.
const EXTRANONCE2: std::ops::RangeInclusive<usize> = 2..=8;

/// How many branches a job of Bitcoin's has.
const BRANCHES: usize = 12;

/// The coins whose rigs need no solver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoadCoin {
    /// Handshake, of the deployed generation.
    #[default]
    Hstratum,
    /// Bitcoin, with 12 branches and no version rolling.
    Bitcoin,
}

impl LoadCoin {
    /// The coin of a dialect's name.
    #[must_use]
    pub fn of(dialect: &str) -> Self {
        if dialect == "bitcoin" { Self::Bitcoin } else { Self::Hstratum }
    }

    /// The size of extranonce2 that pools announce: with Handshake that of the whole header field.
    #[must_use]
    pub const fn announced(self) -> usize {
        match self {
            Self::Hstratum => 24,
            Self::Bitcoin => 8,
        }
    }
}

/// The jobs that are open, and the shares that came for them.
#[derive(Debug, Default)]
pub struct Ledger {
    coin: LoadCoin,
    job: u32,
    block: u32,
    open: HashMap<u32, HashSet<Key>>,
}

/// What makes a share the same as another one of its job.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    /// extranonce1 and extranonce2, each with its length.
    extranonce: [u8; 14],
    time: u32,
    nonce: u32,
}

/// Why a share is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It came before.
    Duplicate,
    /// Its job was never told, or a block has closed it.
    UnknownJob,
    /// It is not as its rig made it; the field.
    Altered(&'static str),
}

impl Refusal {
    /// The error of the answer: a code and a reason.
    #[must_use]
    pub fn error(self) -> (u32, &'static str) {
        match self {
            Self::Duplicate => (22, "duplicate"),
            Self::UnknownJob => (21, "job not found"),
            Self::Altered(field) => (20, field),
        }
    }
}

impl Ledger {
    /// Of a coin, without a job.
    #[must_use]
    pub fn of(coin: LoadCoin) -> Self {
        Self { coin, ..Self::default() }
    }

    /// Makes a job; one of a new block closes those before. Gives its number.
    pub fn new_job(&mut self, block: bool) -> u32 {
        self.job += 1;
        if block {
            self.block += 1;
            self.open.clear();
        }
        self.open.insert(self.job, HashSet::new());
        self.job
    }

    /// Judges the parameters of a submit, `[worker, job, extranonce2, time, nonce]`, on a connection
    /// with this extranonce1. Gives a good share's name.
    ///
    /// # Errors
    /// When it is not good.
    pub fn judge(
        &mut self,
        roll: &Roll,
        extranonce1: [u8; 4],
        [_, job, extranonce2, time, nonce]: [&str; 5],
    ) -> Result<ShareName, Refusal> {
        let job = u32::from_str_radix(job, 16).map_err(|_| Refusal::UnknownJob)?;
        let seen = self.open.get_mut(&job).ok_or(Refusal::UnknownJob)?;

        let size = extranonce2.len() / 2;
        if !EXTRANONCE2.contains(&size) {
            return Err(Refusal::Altered("extranonce2's length"));
        }
        let mut whole = [0; 12];
        whole[..4].copy_from_slice(&extranonce1);
        const_hex::decode_to_slice(extranonce2, &mut whole[4..4 + size])
            .map_err(|_| Refusal::Altered("extranonce2"))?;
        let whole = &whole[..4 + size];
        let time = number(time).ok_or(Refusal::Altered("time"))?;
        let nonce = number(nonce).ok_or(Refusal::Altered("nonce"))?;

        let tail = u16::from_be_bytes([whole[size + 2], whole[size + 3]]);
        let name = ShareName::read(nonce, tail);
        let given = roll.extranonce1(name.rig).ok_or(Refusal::Altered("nonce"))?;
        if !whole.starts_with(given) {
            return Err(Refusal::Altered("extranonce"));
        }
        if roll.sent_at(name).is_none() {
            return Err(Refusal::Altered("nonce"));
        }
        if time != time_of(job) {
            return Err(Refusal::Altered("time"));
        }
        let mut extranonce = [0; 14];
        extranonce[..whole.len()].copy_from_slice(whole);
        extranonce[13] = size as u8;
        if seen.insert(Key { extranonce, time, nonce }) {
            Ok(name)
        } else {
            Err(Refusal::Duplicate)
        }
    }

    /// The line that tells the latest job.
    #[must_use]
    pub fn notify(&self) -> String {
        match self.coin {
            LoadCoin::Hstratum => self.notify_hstratum(),
            LoadCoin::Bitcoin => self.notify_bitcoin(),
        }
    }

    /// `[job, previous block, coinb1, coinb2, branches, version, bits, time, clean]`. A block closes those
    /// before it whatever the last says.
    fn notify_bitcoin(&self) -> String {
        let (job, block, time) = (self.job, self.block, time_of(self.job));
        let branches: Vec<String> =
            (0..BRANCHES).map(|branch| format!("\"{branch:064x}\"")).collect();
        // As long as coinbases are: what pays, and what proves the witnesses.
        let (coinbase1, coinbase2) = (format!("{job:0160x}"), "ab".repeat(150));
        format!(
            "{{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"{job:x}\",\"{block:064x}\",\
             \"{coinbase1}\",\"{coinbase2}\",[{}],\"20000000\",\"{BITS}\",\"{time:08x}\",false]}}\n",
            branches.join(",")
        )
    }

    /// Of the deployed generation: `[job, previous block, merkle
    /// root, witness root, tree root, reserved root, version, bits, time]`.
    fn notify_hstratum(&self) -> String {
        let (job, block) = (self.job, self.block);
        let mut line = String::with_capacity(512);
        // Writing to a text cannot fail.
        let _ = writeln!(
            line,
            "{{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"{job:x}\",\
             \"{:016x}{block:08x}{:040x}\",\"{:064x}\",\"{:064x}\",\"{:064x}\",\"{:064x}\",\
             \"00000000\",\"{BITS}\",\"{:08x}\"]}}",
            0,
            1,
            u64::from(job) << 32 | 2,
            u64::from(job) << 32 | 3,
            4,
            0,
            time_of(job)
        );
        line
    }
}

/// The time of a job, in Unix seconds.
#[must_use]
pub fn time_of(job: u32) -> u32 {
    FIRST_TIME + job
}

/// The job of a time.
#[must_use]
pub fn job_of(time: u32) -> u32 {
    time.wrapping_sub(FIRST_TIME)
}

/// Eight hex digits.
fn number(text: &str) -> Option<u32> {
    (text.len() == 8).then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POOL: [u8; 4] = [0, 0, 0, 1];

    /// A ledger with one job, and a rig that has made a share.
    fn story() -> (Ledger, Roll) {
        let roll = Roll::new(4);
        roll.seat(3, &[0, 0, 0, 1, 9]);
        roll.send(ShareName { rig: 3, number: 0 }, 1);
        let mut ledger = Ledger::default();
        assert_eq!(ledger.new_job(true), 1);
        (ledger, roll)
    }

    fn judge(
        ledger: &mut Ledger,
        roll: &Roll,
        job: &str,
        extranonce2: &str,
        nonce: &str,
    ) -> Result<ShareName, Refusal> {
        let time = format!("{:08x}", time_of(1));
        ledger.judge(roll, POOL, ["rig", job, extranonce2, &time, nonce])
    }

    #[test]
    fn a_duplicate_is_noticed() {
        let (mut ledger, roll) = story();
        let share = |ledger: &mut Ledger| judge(ledger, &roll, "1", "09000000", "00030000");
        assert_eq!(share(&mut ledger), Ok(ShareName { rig: 3, number: 0 }));
        assert_eq!(share(&mut ledger), Err(Refusal::Duplicate));
        // A longer extranonce2 with the same beginning is another share.
        let longer = judge(&mut ledger, &roll, "1", "0900000000", "00030000");
        assert_eq!(longer, Ok(ShareName { rig: 3, number: 0 }));
    }

    #[test]
    fn an_unknown_job_is_noticed() {
        let (mut ledger, roll) = story();
        let share =
            |ledger: &mut Ledger, job: &str| judge(ledger, &roll, job, "09000000", "00030000");
        assert_eq!(share(&mut ledger, "2"), Err(Refusal::UnknownJob));
        assert_eq!(share(&mut ledger, "x"), Err(Refusal::UnknownJob));
        ledger.new_job(false);
        assert!(share(&mut ledger, "1").is_ok(), "a job of the same block closes none");
        ledger.new_job(true);
        assert_eq!(share(&mut ledger, "1"), Err(Refusal::UnknownJob));
    }

    #[test]
    fn a_share_that_is_not_as_it_was_made_is_noticed() {
        let (mut ledger, roll) = story();
        let mut share = |extranonce2: &str, nonce: &str| {
            let refusal = judge(&mut ledger, &roll, "1", extranonce2, nonce).unwrap_err();
            assert!(matches!(refusal, Refusal::Altered(_)), "{refusal:?}");
        };
        share("08000000", "00030000"); // another rig's space
        share("09000000", "00030001"); // a number that was not made
        share("09000000", "00040000"); // a rig that is not there
        share("09000000", "3");
        share("09", "00030000");
        let late = format!("{:08x}", time_of(2));
        let late = ledger.judge(&roll, POOL, ["rig", "1", "09000000", &late, "00030000"]);
        assert_eq!(late, Err(Refusal::Altered("time")));
    }
}
