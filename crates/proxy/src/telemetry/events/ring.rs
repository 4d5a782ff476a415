//! The ring in which events are kept: the oldest make room.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use super::{EventFilter, KeptEvent};

/// The most events that are kept.
const MAX_EVENTS: usize = 4096;
/// The most bytes of them in all.
const MAX_BYTES: usize = 2 << 20;
/// How many events a listener may be behind.
const MAX_BEHIND: usize = 256;

/// The last events. Who pushes one waits for no more than a push of somebody else.
#[derive(Debug)]
pub(super) struct EventRing {
    state: Mutex<RingState>,
    live: broadcast::Sender<Arc<KeptEvent>>,
}

#[derive(Debug, Default)]
struct RingState {
    events: VecDeque<Arc<KeptEvent>>,
    bytes: usize,
    last: u64,
}

impl EventRing {
    /// Numbers an event and keeps it.
    pub(super) fn push(&self, mut event: KeptEvent) {
        let size = event.size();
        let mut state = self.lock();
        state.last += 1;
        event.sequence = state.last;
        let event = Arc::new(event);
        state.events.push_back(Arc::clone(&event));
        state.bytes += size;
        while state.events.len() > MAX_EVENTS || state.bytes > MAX_BYTES {
            let Some(oldest) = state.events.pop_front() else { break };
            state.bytes -= oldest.size();
        }
        // Under the lock, so that listeners hear them in order. Often there are none.
        let _ = self.live.send(event);
    }

    /// The events that fit; see [`recent`](super::recent).
    pub(super) fn recent(&self, filter: &EventFilter, limit: usize) -> Vec<Arc<KeptEvent>> {
        // Looked through without the lock.
        let all: Vec<_> = self.lock().events.iter().map(Arc::clone).collect();
        let text = filter.text.as_deref().map(str::to_lowercase);
        let fits = |event: &&Arc<KeptEvent>| filter.fits(event, text.as_deref());
        if filter.after.is_some() {
            return all.iter().filter(fits).take(limit).cloned().collect();
        }
        let mut last: Vec<_> = all.iter().rev().filter(fits).take(limit).cloned().collect();
        last.reverse();
        last
    }

    /// All events from now on.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<Arc<KeptEvent>> {
        self.live.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, RingState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for EventRing {
    fn default() -> Self {
        Self { state: Mutex::default(), live: broadcast::Sender::new(MAX_BEHIND) }
    }
}

impl EventFilter {
    /// Whether an event fits, with the text that is looked for in lower case.
    fn fits(&self, event: &KeptEvent, text: Option<&str>) -> bool {
        self.after.is_none_or(|after| event.sequence > after)
            && self.level.is_none_or(|level| event.level <= level)
            && self.id_prefix.as_deref().is_none_or(|prefix| event.id.starts_with(prefix))
            && self.route.as_deref().is_none_or(|route| event.route.as_deref() == Some(route))
            && text.is_none_or(|text| event.texts().any(|own| own.to_lowercase().contains(text)))
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::broadcast::error::TryRecvError;
    use tracing::Level;

    use super::*;

    fn event(level: Level, id: &str, route: &str, message: &str) -> KeptEvent {
        KeptEvent {
            sequence: 0,
            at_ms: 0,
            level,
            id: id.into(),
            message: message.into(),
            route: Some(route.into()),
            pool: None,
            worker: None,
            rig: None,
            fields: [("why", "Because".into())].into(),
        }
    }

    fn sequences(ring: &EventRing, filter: &EventFilter, limit: usize) -> Vec<u64> {
        ring.recent(filter, limit).iter().map(|event| event.sequence).collect()
    }

    #[test]
    fn the_oldest_make_room_by_count_and_by_size() {
        let ring = EventRing::default();
        for _ in 0..5000 {
            ring.push(event(Level::INFO, "a", "r", "short"));
        }
        let kept = sequences(&ring, &EventFilter::default(), usize::MAX);
        assert_eq!((kept.len(), kept[0], kept[MAX_EVENTS - 1]), (MAX_EVENTS, 905, 5000));
        for _ in 0..5000 {
            ring.push(event(Level::INFO, "a", "r", &"x".repeat(2000)));
        }
        let state = ring.lock();
        let bytes: usize = state.events.iter().map(|event| event.size()).sum();
        assert_eq!(state.bytes, bytes);
        assert!((MAX_BYTES - 3000..=MAX_BYTES).contains(&bytes), "{bytes}");
        assert!(state.events.len() < MAX_EVENTS);
    }

    #[test]
    fn it_is_asked_by_all_that_is_known_of_an_event() {
        let ring = EventRing::default();
        ring.push(event(Level::INFO, "pool.up", "hns", "pool up"));
        ring.push(event(Level::WARN, "pool.down", "hns", "pool down"));
        ring.push(event(Level::ERROR, "panic", "aion", "panicked"));
        ring.push(event(Level::INFO, "rig.up", "aion", "Rig up"));
        let all = EventFilter::default();
        assert_eq!(sequences(&ring, &all, 2), [3, 4], "the last ones, in order");
        let after = |after| EventFilter { after: Some(after), ..EventFilter::default() };
        assert_eq!(sequences(&ring, &after(1), 2), [2, 3], "what comes next");
        assert!(sequences(&ring, &after(4), 2).is_empty());
        let level = EventFilter { level: Some(Level::WARN), ..EventFilter::default() };
        assert_eq!(sequences(&ring, &level, 9), [2, 3]);
        let id = EventFilter { id_prefix: Some("pool.".into()), ..EventFilter::default() };
        assert_eq!(sequences(&ring, &id, 9), [1, 2]);
        let route = EventFilter { route: Some("aion".into()), ..EventFilter::default() };
        assert_eq!(sequences(&ring, &route, 9), [3, 4]);
        let text = |text: &str| EventFilter { text: Some(text.into()), ..EventFilter::default() };
        assert_eq!(sequences(&ring, &text("RIG UP"), 9), [4]);
        assert_eq!(sequences(&ring, &text("because"), 9), [1, 2, 3, 4]);
        let both = EventFilter { text: Some("up".into()), ..route };
        assert_eq!(sequences(&ring, &both, 9), [4]);
    }

    #[test]
    fn a_slow_listener_is_told_how_many_it_missed_and_holds_nobody_up() {
        let ring = EventRing::default();
        let mut live = ring.subscribe();
        for _ in 0..MAX_BEHIND + 10 {
            ring.push(event(Level::INFO, "a", "r", "m"));
        }
        assert_eq!(live.try_recv().unwrap_err(), TryRecvError::Lagged(10));
        assert_eq!(live.try_recv().unwrap().sequence, 11);
    }
}
