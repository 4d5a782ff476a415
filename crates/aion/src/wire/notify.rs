//! The notify: `[job id, clean, target, header hash]`.

use std::fmt;

use orepass_stratum::error::ParseError;
use orepass_stratum::field::Field;
use orepass_stratum::rpc::{self, Hex};
use orepass_stratum::target::Target;
use serde_json::value::RawValue;

use crate::job::{Job, PoolJobId};

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
            target: super::target(Field::new("target", target))?,
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
