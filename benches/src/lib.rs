//! What the benchmarks measure on: real jobs, a pool that is played by hand, and rigs before it.
//!
//! Nothing here has a socket; the sessions are driven as the proxy drives them, with a time that
//! the benchmark makes up.

#![warn(missing_docs, unreachable_pub, clippy::unwrap_used)]

pub mod bitcoin;
#[expect(clippy::disallowed_methods, reason = "real time is measured")]
pub mod load;
pub mod played;
pub mod share_path;
pub mod stage;
pub mod vectors;
pub mod zcash;

use bytes::Buf;
use orepass_stratum::transmit::Transmit;

/// Takes everything that waits to be written, as a socket that is always ready would, and counts
/// it.
pub fn drain(transmit: &mut Transmit) -> usize {
    let total = transmit.remaining();
    while transmit.has_remaining() {
        let step = transmit.chunk().len();
        transmit.advance(step);
    }
    total
}
