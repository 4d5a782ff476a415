//! What an operator asks of a route at work, whatever its dialect.

use std::sync::Arc;
use std::time::Duration;

use orepass_farm::farm::RigId;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::target::Difficulty;

use super::Route;

/// What an operator may ask of a route at work.
pub trait Operated: Send + Sync {
    /// Has rigs mine at a pool as long as that serves, until the config is read again; without one the
    /// config's order holds again. Whether the route has such a pool.
    fn prefer(self: Arc<Self>, pool: Option<&str>) -> bool;
    /// The pool that was asked for so.
    fn preferred(&self) -> Option<String>;
    /// Closes a rig, which may come back. Whether it is there.
    fn kick(self: Arc<Self>, serial: u64) -> bool;
    /// Sets a rig's difficulty until it leaves; none gives it back to its vardiff. Whether it is there.
    fn set_difficulty(self: Arc<Self>, serial: u64, difficulty: Option<Difficulty>) -> bool;
    /// Refuses a worker for a while, and closes its rigs. How many that are.
    fn ban(self: Arc<Self>, worker: &str, lasts: Duration) -> usize;
    /// Lets a worker in again; whether it was refused.
    fn pardon(self: Arc<Self>, worker: &str) -> bool;
    /// Forgets a worker of which no rig is connected; whether anything was known of it.
    fn forget(self: Arc<Self>, worker: &str) -> bool;
}

impl<D: Dialect> Operated for Route<D> {
    fn prefer(self: Arc<Self>, pool: Option<&str>) -> bool {
        Self::prefer(&self, pool)
    }

    fn preferred(&self) -> Option<String> {
        self.now().preferred.as_ref().map(ToString::to_string)
    }

    fn kick(self: Arc<Self>, serial: u64) -> bool {
        let mut is_here = false;
        self.tell(|farm, now| is_here = farm.handle_kick(RigId(serial), now));
        is_here
    }

    fn set_difficulty(self: Arc<Self>, serial: u64, difficulty: Option<Difficulty>) -> bool {
        let mut is_here = false;
        self.tell(|farm, now| is_here = farm.handle_difficulty(RigId(serial), difficulty, now));
        is_here
    }

    fn ban(self: Arc<Self>, worker: &str, lasts: Duration) -> usize {
        let mut closed = 0;
        self.tell(|farm, now| closed = farm.handle_ban(&worker.into(), lasts, now));
        closed
    }

    fn pardon(self: Arc<Self>, worker: &str) -> bool {
        let mut was_refused = false;
        self.tell(|farm, now| was_refused = farm.handle_pardon(worker, now));
        was_refused
    }

    fn forget(self: Arc<Self>, worker: &str) -> bool {
        let booked = self.roster.forget(worker);
        let mut known = false;
        self.tell(|farm, now| known = farm.handle_forget(worker, now));
        booked || known
    }
}
