//! How nheqminer logs in, and Aion's reference miner, which was made of it.

use std::time::Duration;

use orepass_stratum::rpc::{self, Quoted};
use serde_json::value::RawValue;

use crate::coin::{Allotment, FirmwareHabits, RigError};

/// How often it looks whether there is a new job.
const LINGER: Duration = Duration::from_secs(1);

pub(crate) const HABITS: FirmwareHabits = FirmwareHabits {
    strict_lines: true,
    drops_over_nonsense: true,
    ignores_soft_jobs: true,
    ignores_repeated_id: true,
    ends_when_refused: true,
    follows_reconnect: true,
    mines_once_authorized: true,
    lingers: LINGER,
};

/// The space before `null` and the quotes around the port are the miner's own.
pub(crate) fn subscribe_params(agent: &str, address: &str) -> String {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    format!("[{}, null,{},{}]", Quoted(agent), Quoted(host), Quoted(port))
}

pub(crate) fn parse_subscribed(result: &RawValue) -> Result<Option<Allotment>, RigError> {
    let extranonce1 = rpc::array::<2>(result)
        .and_then(|(elements, _)| rpc::string(elements.get(1)?))
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| RigError::field("subscribe result", result))?;
    Ok(Some(Allotment { extranonce1, size: None, granted: None }))
}
