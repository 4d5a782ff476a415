//! Any JSON as the result, or the error, of a pool's answer: to a subscribe, an authorize, a share, or a
//! question about a job.
//!
//! Input: what is answered, and whether with a result or an error; then the value.

use orepass_stratum::dialect::{PoolAnswer, PoolQuestion};
use orepass_stratum::rpc::RpcReply;
use serde_json::value::RawValue;

use crate::coin::{Coin, job};

/// Takes an input as the head of this file says, and gives 1 for a yes or an extranonce, else 0.
///
/// # Panics
/// When an extranonce that is taken cannot be divided as it is said to be, or a no is none.
pub fn answer<D: Coin>(data: &[u8]) -> usize {
    let [options, value @ ..] = data else { return 0 };
    let Ok(value) = std::str::from_utf8(value) else { return 0 };
    let Ok(value) = RawValue::from_string(value.into()) else { return 0 };
    let dialect = D::default();
    let job = job::<D>(D::NOTIFIES[D::NOTIFIES.len() - 1]);
    let to = match options & 7 {
        0 => PoolQuestion::Subscribe { former: None },
        1 => PoolQuestion::Subscribe { former: Some("5e55") },
        2 => PoolQuestion::Configure,
        3 => PoolQuestion::Login,
        4 => PoolQuestion::Name,
        5 => PoolQuestion::Share,
        _ => PoolQuestion::Job(&job),
    };
    let is_error = options & 8 != 0;
    let line = format!("{{\"id\":1,\"{}\":{value}}}", if is_error { "error" } else { "result" });
    // As the parser of lines does.
    let given = Some(&*value).filter(|value| value.get() != "null");
    let reply = RpcReply {
        result: given.filter(|_| !is_error),
        error: given.filter(|_| is_error),
        line: line.as_bytes(),
    };
    let prefix_bytes = usize::from(options >> 4) % 5;
    match dialect.hear_answer(to, &reply, &mut D::Terms::default()) {
        PoolAnswer::Subscribed { given, .. } => {
            let Some(given) = given else { return 1 };
            let announced = given.announced_size.unwrap_or(usize::MAX);
            let given_bytes = given.extranonce1.len();
            match dialect.splits(&given, Some(prefix_bytes)).choose(None) {
                Ok(split) => {
                    assert_eq!(split.prefix_bytes, prefix_bytes);
                    assert_eq!(split.extranonce1.len(), given_bytes, "all of the pool's");
                    assert!(
                        split.rig_extranonce2 <= announced.max(D::MAX_EXTRANONCE2),
                        "{split:?}"
                    );
                }
                Err(no_room) => assert!(no_room.to_string().len() <= 1024),
            }
            1
        }
        PoolAnswer::Yes => 1,
        PoolAnswer::No(_, error) => {
            assert!(error.to_string().len() <= 1024, "an error quotes too much");
            0
        }
        PoolAnswer::Unusable(error) => {
            assert!(error.to_string().len() <= 1024, "an error quotes too much");
            0
        }
        PoolAnswer::Nothing => 0,
    }
}
