//! Rigs that leave one after the other, and what is noted of them before.

use std::time::Duration;

use orepass_farm::drain::Drain;
use orepass_farm::farm::{Order, RigId};
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::CloseReason;
use orepass_stratum::extranonce::Extranonce;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::Route;
use crate::clock::{now, sleep_until};

/// How long rigs' tasks may take to note their state.
const SAVE_WITHIN: Duration = Duration::from_secs(2);

impl<D: Dialect> Route<D> {
    /// Has the difficulty and the slot of each connected rig noted for the state file, as if it went
    /// now; false where that took more than 2 s.
    pub async fn save(&self) -> bool {
        let saving = TaskTracker::new();
        self.rigs.save(&saving);
        saving.close();
        timeout(SAVE_WITHIN, saving.wait()).await.is_ok()
    }

    /// Under which extranonces rigs work, each with its pool's host and port.
    pub(crate) fn extranonces(&self) -> Vec<(String, Extranonce)> {
        let channels: Vec<_> = self.channels().values().cloned().collect();
        let given = channels.iter().filter_map(|channel| {
            let extranonce1 = channel.view().ground.as_ref()?.split.extranonce1.clone();
            Some((channel.to.account.url.authority().to_string(), extranonce1))
        });
        given.collect()
    }

    /// Lets the rigs that are connected leave one after the other, within `over`. Until its turn each
    /// is served as ever; then nothing more is read from it, and it is closed when its shares have
    /// their verdicts. This ends when all have had their turn; when it is dropped, the others stay.
    /// Rigs that come meanwhile are served too: whoever calls this sees to it that none do.
    pub async fn empty(&self, over: Duration) {
        let rigs = self.rigs.serials().into_iter().map(RigId).collect();
        let mut drain = Drain::new(rigs, over, now());
        while let Some(turn) = drain.poll_timeout() {
            sleep_until(Some(turn)).await;
            while let Some(RigId(rig)) = drain.poll(now()) {
                self.rigs.give(rig, Order::Leave(CloseReason::Shutdown));
            }
        }
    }
}
