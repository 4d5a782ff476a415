//! Zcash: no solution can be made up, so where a rig is played its shares go unchecked; the seeds hold the
//! proof of a block.

use orepass_stratum::downstream::Verify;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::job::JobId;
use orepass_zcash::Zcash;
use orepass_zcash::job::Job;
use orepass_zcash::pow::SOLUTION_SIZE;
use orepass_zcash::share::Share;

use super::Coin;

/// The parameters of a notify of mainnet's block 415,000.
const BLOCK: &str = r#"["cccd","04000000","5274b43b9e4ad8f43e93f78463d24dcfe531aeb4719819f4f97f7e0300000000","663073bc4bfa95c9bec36aad7268a573049797bdfc5aa4c743fbe4820aa393ce","0000000000000000000000000000000000000000000000000000000000000000","a8becc5b","e1ab031c",true]"#;
/// And of block 1,687,121.
const OTHER: &str = r#"["ccce","04000000","7605df9ee66f6cfb78e2ab05017f060dfa3892955a450fe4f0e1cf0000000000","c683414a5817ef3da22b88245e98f4fa0517556b857ed85e8052db3208b7f110","9cfef90b13396ee098034296de1ce2b71afb5e86a566eb0c7843a655dc397e38","b85d9662","400e021c",true]"#;

impl Coin for Zcash {
    const NOTIFIES: &'static [&'static str] = &[BLOCK, OTHER];
    /// The block's nonce goes on with zeros, as the first lease's prefix is.
    const GREETING: &'static [&'static str] = &[
        r#"{"id":1,"result":[null,"c2fd607c776a7a"],"error":null}"#,
        r#"{"id":2,"result":true,"error":null}"#,
        r#"{"id":null,"method":"mining.set_target","params":["ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"]}"#,
    ];
    const PLAYED: Verify = Verify::Off;
    const EXTRANONCE1: &'static [u8] = &[0xc2, 0xfd, 0x60, 0x7c, 0x77, 0x6a, 0x7a, 0x00];
    const HASH_MEETS_ITSELF: bool = true;
    const MAX_EXTRANONCE2: usize = 32;

    fn submit(id: JobId, job: &Job, extranonce2_size: usize, nonce: u64) -> String {
        // The lowest digits are in front, so that none is lost where there is little room.
        let digits = (0..extranonce2_size).map(|byte| nonce.checked_shr(8 * byte as u32));
        let extranonce2: String =
            digits.map(|byte| format!("{:02x}", byte.unwrap_or(0) as u8)).collect();
        let (time, solution) = (job.time.swap_bytes(), "00".repeat(SOLUTION_SIZE));
        format!("\"{id}\",\"{time:08x}\",\"{extranonce2}\",\"fd4005{solution}\"")
    }

    fn content(job: &Job) -> String {
        format!("{:?}", (job.prev_hash, job.merkle_root, job.reserved, job.time, job.bits))
    }

    fn header(job: &Job, extranonce1: &Extranonce, share: &Share) -> Option<Vec<u8>> {
        share.header(job, extranonce1).ok().map(Vec::from)
    }

    fn extranonce2(share: &Share) -> &[u8] {
        share.extranonce2.as_bytes()
    }

    fn found(share: &Share) -> String {
        format!("{:?}", (share.time, share.solution))
    }
}
