//! A way to the pool that the test opens and shuts.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use orepass::config::PoolUrl;
use orepass::net::connect::{ConnectError, Connector, PoolConnection, Reach, Tcp};

/// Connects over TCP while it is open. Clones are handles to the same gate.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    open: Arc<AtomicBool>,
    attempts: Arc<AtomicU64>,
}

impl Gate {
    /// Lets connections through from now on.
    pub fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }

    /// How many connections were wanted.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.attempts.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Connector for Gate {
    async fn connect(&self, pool: &PoolUrl, reach: &Reach) -> Result<PoolConnection, ConnectError> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        if !self.open.load(Ordering::SeqCst) {
            return Err(io::Error::new(io::ErrorKind::ConnectionRefused, "the gate is shut").into());
        }
        Tcp.connect(pool, reach).await
    }
}
