//! How a pool says a job and a rig a share, and back: SV1, in JSON.

mod deployed;
pub mod event;
mod seed;
pub mod submit;
pub mod subscribe;

use orepass_stratum::error::ParseError;
use orepass_stratum::field::{Field, Wrong};
use orepass_stratum::rpc;
use serde_json::value::RawValue;

pub(crate) use self::seed::list;
use crate::job::{DeployedJob, Job, PoolJobId, SeedJob};

impl Job {
    /// Reads the parameters of a `mining.notify`. Which generation it is of is told by their
    /// number; a boolean after the fields of the deployed one, also in quotes, is let pass.
    ///
    /// ```
    /// use orepass_hstratum::job::Job;
    /// use orepass_stratum::dialect::Work;
    /// use serde_json::value::RawValue;
    ///
    /// let root = "00".repeat(32);
    /// let notify = format!(
    ///     r#"["7","{root}","{root}","{root}","{root}","{root}","00000000","1a06e782","5e49aa25"]"#
    /// );
    /// let job = Job::parse(&RawValue::from_string(notify)?)?;
    /// assert_eq!((job.id(), job.time()), ("7", 0x5e49_aa25));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A [`ParseError`] that names the number of parameters, or the field and its value.
    pub fn parse(params: &RawValue) -> Result<Self, ParseError> {
        const MAX_FIELDS: usize = 13;
        let (fields, count) = rpc::array::<MAX_FIELDS>(params)
            .ok_or_else(|| ParseError::field("params", "an array", params.get()))?;
        match (count, &fields[..]) {
            (12 | 13, fields) => SeedJob::parse(fields).map(Self::Seed),
            (10 | 11, [fields @ .., clean]) if rpc::boolean(clean).is_some() => {
                DeployedJob::parse(fields).map(Self::Deployed)
            }
            (9 | 10, fields) => DeployedJob::parse(fields).map(Self::Deployed),
            _ => Err(arity(count)),
        }
    }
}

/// A notify with a number of parameters that is no generation's.
fn arity(found: usize) -> ParseError {
    ParseError::arity("mining.notify", "9, 10 (with a mask hash), 12 or 13", found)
}

/// The field that every generation begins with.
fn job_id<'a>(field: Field<'a>) -> Result<PoolJobId, Wrong<'a>> {
    PoolJobId::from(&field.text()?).map_err(|_| field.wrong("a string of up to 64 bytes"))
}
