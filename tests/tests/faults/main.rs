//! What breaks, or is broken on purpose, beside 300 rigs that mine: their shares are all answered
//! within their usual time, the books close, and a second time takes no more memory than the first.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

mod machine;
mod pools;
mod rigs;
mod scene;
