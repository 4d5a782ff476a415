//! How a pool says a job and a rig a share, and back: SV1, in JSON.

pub mod configure;
pub mod notify;
pub mod submit;
