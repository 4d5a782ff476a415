//! Jobs, and their notify.

use std::fmt;

use arrayvec::ArrayString;
use orepass_stratum::dialect::{Work, WorkKey};
use orepass_stratum::error::ParseError;
use orepass_stratum::rpc::{self, Hex};
use orepass_stratum::target::Target;
use serde_json::value::RawValue;

use crate::field::Field;
use crate::share::Share;

/// The longest job id of a pool, in bytes.
pub const MAX_JOB_ID: usize = 64;

/// A pool's name for a job: an opaque string, given back as it came.
pub type PoolJobId = ArrayString<MAX_JOB_ID>;

/// A pool's job: the parameters of a `mining.notify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The pool's name for it.
    pub id: PoolJobId,
    /// The pool's flag: shares of former jobs are worth nothing any more.
    pub clean: bool,
    /// The network's target with every known server: a share below it is a block. Whether it is
    /// the shares' target too depends on what else the pool announces. All zeros, which a server
    /// sends where its difficulty 1 overflows, is read as the easiest target.
    pub target: Target,
    /// BLAKE2b-256 of the block's header without nonce and solution, in the order in which it is
    /// hashed. The block's time is in it, so nothing but the nonce can vary.
    pub header_hash: [u8; 32],
}

impl Job {
    /// Reads the parameters of a `mining.notify`: `[job id, clean, target, header hash]`. The flag
    /// may be a string; the target is 64 hex digits, most significant first, with or without `0x`;
    /// the header hash is 64 hex digits in hashing order.
    ///
    /// ```
    /// use orepass_aion::job::Job;
    /// use serde_json::value::RawValue;
    ///
    /// let (target, header) = ("00ff".repeat(16), "5a".repeat(32));
    /// let notify = format!(r#"["000120c9",true,"{target}","{header}"]"#);
    /// let job = Job::parse(&RawValue::from_string(notify)?)?;
    /// assert_eq!((&*job.id, job.clean, job.header_hash), ("000120c9", true, [0x5a; 32]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`ParseError`] that names the number of parameters if it is not four, or the field and
    /// its value.
    pub fn parse(params: &RawValue) -> Result<Self, ParseError> {
        const EXPECTED: &str = "4: job id, clean, target, header hash";
        let (fields, count) = rpc::array::<4>(params)
            .ok_or_else(|| ParseError::field("params", "an array", params.get()))?;
        let (4, &[id, clean, target, header_hash]) = (count, &fields[..]) else {
            return Err(ParseError::arity("mining.notify", EXPECTED, count));
        };
        let id = Field::new("job id", id);
        Ok(Self {
            id: PoolJobId::from(&id.text()?).map_err(|_| id.wrong("a string of up to 64 bytes"))?,
            clean: Field::new("clean", clean).boolean()?,
            target: Field::new("target", target).target()?,
            header_hash: Field::new("header hash", header_hash).bytes("64 hex digits")?,
        })
    }

    /// Displays as the parameters of a `mining.notify` of this work. The form is the one that
    /// miners were built for: four parameters, a bare boolean, lower-case hex without `0x`.
    pub fn notify(&self, id: impl fmt::Display, target: &Target, clean: bool) -> impl fmt::Display {
        let header_hash = Hex(&self.header_hash);
        fmt::from_fn(move |f| write!(f, "[\"{id}\",{clean},\"{target}\",\"{header_hash}\"]"))
    }
}

impl Work<Share> for Job {
    fn id(&self) -> &str {
        &self.id
    }

    /// Neither of the id nor of the target.
    fn key(&self) -> WorkKey {
        WorkKey::of(self.header_hash)
    }

    fn parent(&self) -> Option<u64> {
        None
    }

    /// A notify does not say which block it builds on; the flag is all there is.
    fn supersedes(&self, _old: &Self) -> bool {
        self.clean
    }

    fn serves(&self, _share: &Share) -> bool {
        true
    }

    fn is_complete(&self) -> bool {
        true
    }
}
