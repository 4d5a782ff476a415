//! Handshake: any hash is good, and checked.

use orepass_hstratum::Hstratum;
use orepass_hstratum::job::Job;
use orepass_hstratum::share::{self, Share};
use orepass_stratum::downstream::Verify;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::job::JobId;

use super::Coin;

/// The parameters of a mainnet notify.
const DEPLOYED: &str = r#"["gTvmBBIuLW","00000000000005a6d2c1716b4ce0077d06cf6d6337ac2392f9e75821183fdea8","791dcae1813b2cd031208efad11c8dbc735195869e126cccd9eda08674eb0b0f","2716257b59d2ec7784efa547dc9cf035b489b9349477918303952458e7bd9714","1e2b44242c8ee57154496f66e9941d20aca69a3a239cb55a622f9b5d162a53ff","0000000000000000000000000000000000000000000000000000000000000000","00000000","1a06e782","5e49aa25"]"#;
/// The parameters of a seed-generation notify with its leaves: all that a check needs.
const SEED: &str = r#"["1795208754:4","fc30cf4b2fd4155aea98bedbdd115840a4292455ebd3b927b9bab31538ecf4d6","00000000010000000000000000000000000000000000000000000000000000000000000000ffffffffb688132701009435770000000000146bb5dca053ae9d10a5344d7ab99db4c2a8daf604000005000000030c6d696e65642062792068736408b818c8de5f9dd45108","",[],[],"0000000000000000000000000000000000000000000000000000000000000000","0000000000000000000000000000000000000000000000000000000000000000","0000000000000000000000000000000000000000000000000000000000000000","00000000","207fffff","6b00b632",false]"#;
/// The parameters of a seed-generation notify without leaves: it cannot be checked before the
/// pool tells the transactions.
const SEED_UNCHECKABLE: &str = r#"["1795208778:5","bebbced85058b00d7046c7b006ec8debdf49bb102a9ab0c1a0841d6fd47eb925","00000000010000000000000000000000000000000000000000000000000000000000000000ffffffffd3478cf80141a138770000000000146bb5dca053ae9d10a5344d7ab99db4c2a8daf604000006000000030c6d696e656420627920687364089dd9f54c4a83e69908","",["fe9cd3f4a3807b1e9bbb333db319f800cd3443a41f599b0810078dec3ea50c41","dad67a0b82043b7c2fefbc63985c91fd3a37f7af95ad9f18392e8e5fee5563ef"],"0000000000000000000000000000000000000000000000000000000000000000","0000000000000000000000000000000000000000000000000000000000000000","0000000000000000000000000000000000000000000000000000000000000000","00000000","207fffff","6b00b64a",false]"#;

impl Coin for Hstratum {
    const NOTIFIES: &'static [&'static str] = &[DEPLOYED, SEED, SEED_UNCHECKABLE];
    const GREETING: &'static [&'static str] = &[
        r#"{"id":1,"result":[[["mining.notify","02c05bfd"]],"02c05bfd",4],"error":null}"#,
        r#"{"id":2,"result":true,"error":null}"#,
        r#"{"id":null,"method":"mining.set_difficulty","params":[1e-12]}"#,
    ];
    const PLAYED: Verify = Verify::Full;
    const EXTRANONCE1: &'static [u8] = &[0x02, 0xc0, 0x5b, 0xfd, 0x2f];
    const HASH_MEETS_ITSELF: bool = true;
    const MAX_EXTRANONCE2: usize = 24;

    fn submit(id: JobId, job: &Job, extranonce2_size: usize, nonce: u64) -> String {
        let digits = if matches!(job, Job::Deployed(_)) { 8 } else { 64 };
        let (extranonce2, time) = ("00".repeat(extranonce2_size), job.time());
        format!("\"{id}\",\"{extranonce2}\",\"{time:08x}\",\"{nonce:0digits$x}\"")
    }

    fn content(job: &Job) -> String {
        format!("{:?}", (job.time(), job.bits(), job.block_target()))
    }

    fn header(job: &Job, extranonce1: &Extranonce, share: &Share) -> Option<Vec<u8>> {
        share::header(job, extranonce1.as_bytes(), share)
    }

    fn extranonce2(share: &Share) -> &[u8] {
        share.extranonce2()
    }

    fn found(share: &Share) -> String {
        format!("{:?}", (share.time, share.nonce, share.mask))
    }
}
