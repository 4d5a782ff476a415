//! Under which names the pools see a rig's workers.

use std::sync::Arc;

use orepass_farm::pools::PoolIndex;
use orepass_stratum::channel::Account;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::Downstream;

use super::log::RigLog;
use crate::config::{PoolAccount, Rendered, RigFacts, UserTemplate};

/// The accounts of one rig's workers, each made with its first share for a pool. There are as many
/// as the rig has workers at most, for each pool.
pub(super) struct Accounts {
    /// The local port that the rig came to.
    port: u16,
    made: Vec<Made>,
}

struct Made {
    pool: PoolIndex,
    worker: Arc<str>,
    account: Arc<Account>,
}

impl Accounts {
    pub(super) const fn new(port: u16) -> Self {
        Self { port, made: Vec::new() }
    }

    /// Under which account a pool should see this worker; none where the pool knows the route's
    /// own user alone.
    pub(super) fn of<D: Dialect>(
        &mut self,
        worker: &Arc<str>,
        (pool, config): (PoolIndex, &PoolAccount),
        session: &Downstream<D>,
        log: &mut RigLog,
    ) -> Option<Arc<Account>> {
        if !config.user.names_workers() {
            return None;
        }
        let is_it = |made: &&Made| made.pool == pool && Arc::ptr_eq(&made.worker, worker);
        if let Some(made) = self.made.iter().find(is_it) {
            return Some(Arc::clone(&made.account));
        }
        let agent = session.agent().map(|agent| &**agent);
        let Rendered { name, changed } = self.name(&config.user, worker, agent, log);
        if changed {
            log.renamed(worker, &name);
        }
        let password = config.pass_password.then(|| session.password(worker).cloned()).flatten();
        let account = Arc::new(Account { name: name.into(), password });
        let worker = Arc::clone(worker);
        self.made.push(Made { pool, worker, account: Arc::clone(&account) });
        Some(account)
    }

    /// The name that a pool with this template sees of a worker.
    pub(super) fn name(
        &self,
        user: &UserTemplate,
        worker: &str,
        agent: Option<&str>,
        log: &RigLog,
    ) -> Rendered {
        user.render(&RigFacts { worker, ip: log.rig().peer.ip(), agent, port: self.port })
    }
}
