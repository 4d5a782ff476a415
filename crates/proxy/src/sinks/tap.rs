//! Where shares are told to the sinks: a bounded queue, which nobody touches while no sink wants shares.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use orepass_stratum::verdict::Verdict;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::record::EndedShare;
use crate::clock::unix_millis;

/// How many shares may wait for the hub, which only moves them on.
const MAX_TOLD: usize = 16_384;

/// A share, and when it ended, in Unix milliseconds.
pub(super) type ToldShare = (u64, EndedShare);

/// Where shares are told. A clone is another handle.
#[derive(Debug, Clone)]
pub(crate) struct ShareTap(Arc<TapInner>);

#[derive(Debug)]
struct TapInner {
    wanted: AtomicBool,
    told: Sender<ToldShare>,
    hub: Mutex<Option<Receiver<ToldShare>>>,
    dropped: AtomicU64,
}

impl Default for ShareTap {
    fn default() -> Self {
        let (told, hub) = mpsc::channel(MAX_TOLD);
        let (wanted, dropped) = (AtomicBool::new(false), AtomicU64::new(0));
        Self(Arc::new(TapInner { wanted, told, hub: Mutex::new(Some(hub)), dropped }))
    }
}

impl ShareTap {
    /// Whether any sink wants shares. This is all that a share costs where none does.
    #[inline]
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.wanted.load(Ordering::Relaxed)
    }

    pub(super) fn set_wanted(&self, wanted: bool) {
        self.0.wanted.store(wanted, Ordering::Relaxed);
    }

    /// A share has ended.
    pub(crate) fn tell(&self, share: EndedShare) {
        if self.0.told.try_send((unix_millis(), share)).is_err() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The end at which shares come out, for the one hub; none where that has it.
    pub(super) fn take_end(&self) -> Option<Receiver<ToldShare>> {
        self.0.hub.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// How many found no room since this was last asked.
    pub(super) fn take_dropped(&self) -> u64 {
        self.0.dropped.swap(0, Ordering::Relaxed)
    }
}

/// A share on its way to the pool, of which a sink wants to know the end.
#[derive(Debug)]
pub(crate) struct PendingShare {
    pub(crate) tap: ShareTap,
    pub(crate) route: Arc<str>,
    pub(crate) pool: Arc<str>,
    pub(crate) worker: Arc<str>,
    pub(crate) block: bool,
}

impl PendingShare {
    /// It has its verdict.
    pub(crate) fn ended(self, verdict: Verdict, hashes: f64, credit: f64) {
        let Self { tap, route, pool, worker, block } = self;
        let credited_hashes = if verdict == Verdict::AcceptedByPool { credit } else { 0.0 };
        let (pool, worker) = (Some(pool), Some(worker));
        tap.tell(EndedShare { route, pool, worker, verdict, hashes, credited_hashes, block });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_tells_a_share_does_not_wait_and_what_finds_no_room_is_counted() {
        let tap = ShareTap::default();
        assert!(!tap.is_wanted());
        tap.set_wanted(true);
        let share = || PendingShare {
            tap: tap.clone(),
            route: "hns".into(),
            pool: "a".into(),
            worker: "w".into(),
            block: true,
        };
        for _ in 0..MAX_TOLD + 5 {
            share().ended(Verdict::RejectedByPool, 2.0, 4.0);
        }
        assert_eq!((tap.take_dropped(), tap.take_dropped()), (5, 0));
        let mut end = tap.take_end().unwrap();
        assert!(tap.take_end().is_none());
        let (_, told) = end.try_recv().unwrap();
        assert_eq!((told.hashes, told.credited_hashes, told.block), (2.0, 0.0, true));
    }
}
