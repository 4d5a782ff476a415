//! TLS, to pools and from rigs.
//!
//! The cryptography is named wherever a session is made, and never taken from the process, so that
//! no other crate can put another one in its place.

pub mod client;
pub mod facts;
pub mod fingerprint;
pub mod own_certificate;
pub mod server;
mod verifier;

use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;

/// The cryptography of all sessions.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));
    Arc::clone(&PROVIDER)
}

#[cfg(test)]
mod tests;
