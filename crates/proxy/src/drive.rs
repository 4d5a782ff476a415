//! Pumps the sessions of the core over any stream: TCP, or the in-memory pipes of tests.

mod accounts;
pub mod downstream;
pub mod upstream;
