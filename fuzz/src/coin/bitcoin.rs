//! Bitcoin: any hash is good, and checked.

use orepass_bitcoin::Bitcoin;
use orepass_bitcoin::job::Job;
use orepass_bitcoin::share::{self, Share};
use orepass_stratum::downstream::Verify;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::job::JobId;

use super::Coin;

/// The parameters of the notify of the protocol's first description.
const PLAIN: &str = r#"["bf","4d16b6f85af6e2198f44ae2a6de67f78487ae5611b77c6c0440b921e00000000","01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff20020862062f503253482f04b8864e5008","072f736c7573682f000000000100f2052a010000001976a914d23fcdf86f7e756a64a7a9688ef9903327048ed988ac00000000",[],"00000002","1c2ac4af","504e86b9",false]"#;
/// The same with branches, a later version and no way to decode its coinbase.
const BRANCHES: &str = r#"["c0","4d16b6f85af6e2198f44ae2a6de67f78487ae5611b77c6c0440b921e00000000","0100","02",["2b77d9e413e8121cd7a17ff46029591051d0922bd90b2b2a38811af1cb57a2b2","5c8874cef00f3a233939516950e160949ef327891c9090467cead995441d22c5"],"20000004","1705ae3a","647025b5",true]"#;

impl Coin for Bitcoin {
    const NOTIFIES: &'static [&'static str] = &[PLAIN, BRANCHES];
    const GREETING: &'static [&'static str] = &[
        r#"{"id":1,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000"},"error":null}"#,
        r#"{"id":2,"result":[[["mining.notify","ae68"]],"08000002",5],"error":null}"#,
        r#"{"id":3,"result":true,"error":null}"#,
        r#"{"id":null,"method":"mining.set_difficulty","params":[1e-12]}"#,
    ];
    const PLAYED: Verify = Verify::Full;
    const EXTRANONCE1: &'static [u8] = &[0x08, 0, 0, 0x02, 0x2f];
    const HASH_MEETS_ITSELF: bool = true;
    const MAX_EXTRANONCE2: usize = 32;

    fn submit(id: JobId, job: &Job, extranonce2_size: usize, nonce: u64) -> String {
        let (extranonce2, time) = ("00".repeat(extranonce2_size), job.parts().time);
        let nonce = nonce as u32;
        format!("\"{id}\",\"{extranonce2}\",\"{time:08x}\",\"{nonce:08x}\"")
    }

    fn content(job: &Job) -> String {
        format!("{:?}", (job.parts().time, job.parts().bits, job.parts().version))
    }

    fn header(job: &Job, extranonce1: &Extranonce, share: &Share) -> Option<Vec<u8>> {
        Some(share::header(job, extranonce1.as_bytes(), share).into())
    }

    fn extranonce2(share: &Share) -> &[u8] {
        share.extranonce2.as_bytes()
    }

    fn found(share: &Share) -> String {
        format!("{:?}", share.rolled())
    }
}
