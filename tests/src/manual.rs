//! The Rust blocks of the documents, compiled and run as tests. `tests/tests/manual.rs` looks after
//! all other blocks, and that no document is forgotten here.

#[doc = include_str!("../../ARCHITECTURE.md")]
mod architecture {}
#[doc = include_str!("../../CHANGELOG.md")]
mod changelog {}
#[doc = include_str!("../../CONTRIBUTING.md")]
mod contributing {}
#[doc = include_str!("../../README.md")]
mod readme {}
#[doc = include_str!("../../SECURITY.md")]
mod security {}
#[doc = include_str!("../../docs/add-a-coin.md")]
mod add_a_coin {}
#[doc = include_str!("../../docs/aion.md")]
mod aion {}
#[doc = include_str!("../../docs/api.md")]
mod api {}
#[doc = include_str!("../../docs/benchmarks.md")]
mod benchmarks {}
#[doc = include_str!("../../docs/embedding.md")]
mod embedding {}
#[doc = include_str!("../../docs/failover.md")]
mod failover {}
#[doc = include_str!("../../docs/firmware.md")]
mod firmware {}
#[doc = include_str!("../../docs/handshake.md")]
mod handshake {}
#[doc = include_str!("../../docs/operating.md")]
mod operating {}
#[doc = include_str!("../../docs/reliability.md")]
mod reliability {}
#[doc = include_str!("../../docs/verify.md")]
mod verify {}
#[doc = include_str!("../../fuzz/README.md")]
mod fuzz {}
