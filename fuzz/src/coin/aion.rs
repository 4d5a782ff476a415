//! Aion: no solution can be made up, so where a rig is played its shares go unchecked; the seeds hold a
//! share of a real miner.

use orepass_aion::Aion;
use orepass_aion::job::Job;
use orepass_aion::share::{self, SOLUTION_SIZE, Share};
use orepass_stratum::downstream::Verify;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::job::JobId;

use super::Coin;

/// The parameters of a recorded notify, whose target every hash is below.
const EASY: &str = r#"["1",true,"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff","0eea30365c42971098271924343be7a4965615a2b8a1d139a9907a65bcd240f2"]"#;
/// The same work, soft and with a target that few hashes are below.
const HARD: &str = r#"["2",false,"0000ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff","0eea30365c42971098271924343be7a4965615a2b8a1d139a9907a65bcd240f2"]"#;

impl Coin for Aion {
    const NOTIFIES: &'static [&'static str] = &[EASY, HARD];
    const GREETING: &'static [&'static str] = &[
        r#"{"id":1,"result":[null,"0000"],"error":null}"#,
        r#"{"id":2,"result":true,"error":null}"#,
    ];
    const PLAYED: Verify = Verify::Off;
    const EXTRANONCE1: &'static [u8] = &[0, 0, 0, 0, 0, 0, 0, 2];
    const HASH_MEETS_ITSELF: bool = false;
    const MAX_EXTRANONCE2: usize = 32;

    fn submit(id: JobId, _job: &Job, extranonce2_size: usize, nonce: u64) -> String {
        // The lowest digits are in front, so that none is lost where there is little room.
        let digits = (0..extranonce2_size).map(|byte| nonce.checked_shr(8 * byte as u32));
        let extranonce2: String =
            digits.map(|byte| format!("{:02x}", byte.unwrap_or(0) as u8)).collect();
        let solution = "00".repeat(SOLUTION_SIZE);
        format!("\"{id}\",\"000000006b00b3a4\",\"{extranonce2}\",\"{solution}\"")
    }

    fn content(job: &Job) -> String {
        format!("{:?}", job.header_hash)
    }

    fn header(job: &Job, extranonce1: &Extranonce, share: &Share) -> Option<Vec<u8>> {
        share::header(job, extranonce1.as_bytes(), share)
    }

    fn extranonce2(share: &Share) -> &[u8] {
        share.extranonce2.as_bytes()
    }

    fn found(share: &Share) -> String {
        format!("{:?}", (share.time, share.solution))
    }
}
