//! The notify: `[job id, previous block, coinb1, coinb2, branches, version, nbits, ntime, clean]`, all of
//! it hex but the id and the last. Numbers have their most significant digit first; of the previous
//! block's hash each four bytes are reversed; branches are in the order of hashing.

use std::fmt;

use orepass_stratum::error::ParseError;
use orepass_stratum::field::Field;
use orepass_stratum::rpc::{self, Hex, Quoted};
use serde_json::value::RawValue;

use crate::job::{Job, JobParts, PoolJobId};
use crate::terms::CoinbaseRoom;

/// The most siblings on the way up from the coinbase: more leaves than any block has room for.
const MAX_BRANCHES: usize = 32;
const FIELDS: usize = 9;

impl Job {
    /// Reads the parameters of a `mining.notify`, of a pool whose coinbases have this room for the
    /// extranonce.
    ///
    /// ```
    /// use orepass_bitcoin::job::Job;
    /// use orepass_stratum::dialect::Work;
    /// use serde_json::value::RawValue;
    ///
    /// let zeros = "00".repeat(32);
    /// let notify =
    ///     format!(r#"["bf","{zeros}","01","02",[],"20000000","1c2ac4af","504e86b9",true]"#);
    /// let job = Job::parse(&RawValue::from_string(notify)?, None)?;
    /// assert_eq!((job.id(), Work::time(&job)), ("bf", Some(0x504e_86b9)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`ParseError`] that names the number of parameters, or the field and its value.
    pub fn parse(params: &RawValue, room: Option<CoinbaseRoom>) -> Result<Self, ParseError> {
        let (fields, count) = rpc::array::<FIELDS>(params)
            .ok_or_else(|| ParseError::field("params", "an array", params.get()))?;
        let &[id, prev_block, coinbase1, coinbase2, branches, version, bits, time, clean] =
            &fields[..]
        else {
            return Err(ParseError::arity("mining.notify", "9", count));
        };
        let id = Field::new("job id", id);
        let wrong_id = || id.wrong("a string of up to 64 bytes");
        let parts = JobParts {
            id: PoolJobId::from(&id.text()?).map_err(|_| wrong_id())?,
            prev_block: reversed_words(Field::new("prevhash", prev_block).hash()?),
            coinbase1: Field::new("coinb1", coinbase1).blob()?,
            coinbase2: Field::new("coinb2", coinbase2).blob()?,
            branches: Field::new("merkle_branch", branches)
                .hashes(MAX_BRANCHES, "up to 32 hashes")?,
            version: Field::new("version", version).hex_u32()?,
            bits: Field::new("nbits", bits).hex_u32()?,
            time: Field::new("ntime", time).hex_u32()?,
            clean: Field::new("clean_jobs", clean).boolean()?,
        };
        Self::new(parts, room)
    }

    /// Displays as the parameters of a notify under another id.
    pub fn notify(&self, id: impl fmt::Display, clean: bool) -> impl fmt::Display {
        fmt::from_fn(move |f| {
            let JobParts { coinbase1, coinbase2, branches, version, bits, time, .. } = self.parts();
            let prev_block = reversed_words(self.parts().prev_block);
            write!(f, "[\"{id}\",\"{}\"", Hex(&prev_block))?;
            write!(f, ",\"{}\",\"{}\",[", Hex(coinbase1), Hex(coinbase2))?;
            for (index, branch) in branches.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                write!(f, "{comma}\"{}\"", Hex(branch))?;
            }
            write!(f, "],\"{version:08x}\",\"{bits:08x}\",\"{time:08x}\",{clean}]")
        })
    }

    /// The pool's name for it, as a JSON text.
    pub(crate) fn quoted_id(&self) -> Quoted<'_> {
        Quoted(&self.parts().id)
    }
}

/// Each four bytes of a hash the other way round: so a notify has the previous block's, which its first
/// server took for eight numbers.
#[must_use]
pub fn reversed_words(mut hash: [u8; 32]) -> [u8; 32] {
    for word in hash.as_chunks_mut::<4>().0 {
        word.reverse();
    }
    hash
}
