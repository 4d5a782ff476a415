//! Long lists of which the API gives a part at a time.

use std::collections::VecDeque;

use super::data::{EventSeen, EventsSeen, WorkerRow, WorkersSeen};
use super::wants::{EventsFilter, Want, WorkersFilter};
use super::words::STATES;

/// The most workers that are asked for at a time.
const MOST_ROWS: usize = 600;
/// The most events that are kept.
const KEPT: usize = 500;

/// By what workers are sorted, and in which words that is said.
const ORDERS: [(&str, &str); 7] = [
    ("name", "name"),
    ("-accepted_10m_hs", "rate, largest first"),
    ("accepted_10m_hs", "rate, smallest first"),
    ("-last_share_age_s", "last share, oldest first"),
    ("state", "state"),
    ("-rigs", "rigs, most first"),
    ("-stale", "stale shares, most first"),
];

/// Of which level events are shown.
const EVENT_LEVELS: [(Option<&str>, &str); 3] =
    [(None, "all"), (Some("warn"), "warnings and errors"), (Some("error"), "errors")];

/// Where somebody is in a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ListPlace {
    /// The chosen row.
    pub(super) cursor: usize,
    /// The first row that is shown.
    pub(super) top: usize,
}

impl ListPlace {
    /// Goes to a row, as near as there is one.
    pub(super) fn go(&mut self, row: usize, total: usize, fit: usize) {
        let fit = fit.max(1);
        self.cursor = row.min(total.saturating_sub(1));
        self.top = self.top.clamp((self.cursor + 1).saturating_sub(fit), self.cursor);
        self.top = self.top.min(total.saturating_sub(fit));
    }
}

/// The table of workers.
#[derive(Debug, Default)]
pub(super) struct WorkerTable {
    /// 0 for all, else one more than a state's place.
    state: usize,
    pub(super) route: Option<String>,
    pub(super) search: String,
    order: usize,
    pub(super) place: ListPlace,
    /// How many rows there is room for.
    pub(super) fit: usize,
    got: Option<(WorkersFilter, WorkersSeen)>,
}

impl WorkerTable {
    pub(super) fn filter(&self) -> WorkersFilter {
        WorkersFilter {
            state: self.state(),
            route: self.route.clone(),
            search: self.search.clone(),
            sort: ORDERS[self.order].0.to_owned(),
        }
    }

    /// The state that is shown; all where there is none.
    pub(super) fn state(&self) -> Option<&'static str> {
        let place = self.state.checked_sub(1)?;
        Some(["online", "silent", "quarantined", "offline"][place])
    }

    pub(super) fn next_state(&mut self) {
        self.state = (self.state + 1) % (STATES.len() + 1);
        self.place = ListPlace::default();
    }

    pub(super) fn all_states(&mut self) {
        self.state = 0;
        self.place = ListPlace::default();
    }

    /// In which order they are, in words.
    pub(super) fn order(&self) -> &'static str {
        ORDERS[self.order].1
    }

    pub(super) fn next_order(&mut self, back: bool) {
        let step = if back { ORDERS.len() - 1 } else { 1 };
        self.order = (self.order + step) % ORDERS.len();
        self.place = ListPlace::default();
    }

    pub(super) fn is_default(&self) -> bool {
        self.state == 0 && self.search.is_empty() && self.route.is_none()
    }

    /// What is asked for: what is on the screen, and as much before and behind it.
    pub(super) fn want(&self) -> Want {
        let fit = self.fit.clamp(1, MOST_ROWS / 3);
        let offset = self.place.top.saturating_sub(fit);
        Want::Workers { filter: self.filter(), offset, limit: 3 * fit }
    }

    pub(super) fn take(&mut self, filter: WorkersFilter, seen: WorkersSeen) {
        if filter == self.filter() {
            self.got = Some((filter, seen));
            self.go(self.place.cursor);
        }
    }

    fn seen(&self) -> Option<&WorkersSeen> {
        let (filter, seen) = self.got.as_ref()?;
        (*filter == self.filter()).then_some(seen)
    }

    /// How many there are; none before that is known.
    pub(super) fn total(&self) -> Option<usize> {
        self.seen().map(|seen| seen.total)
    }

    /// The one of this row, where it has been told.
    pub(super) fn row(&self, row: usize) -> Option<&WorkerRow> {
        let seen = self.seen()?;
        seen.workers.get(row.checked_sub(seen.offset)?)
    }

    pub(super) fn go(&mut self, row: usize) {
        let total = self.total().unwrap_or(0);
        self.place.go(row, total, self.fit);
    }

    /// Whether a row is on the screen that has not been told.
    pub(super) fn lacks_rows(&self) -> bool {
        let end = self.place.top + self.fit;
        let end = self.total().map_or(end, |total| end.min(total));
        (self.place.top..end).any(|row| self.row(row).is_none())
    }
}

/// Events, the newest first.
#[derive(Debug, Default)]
pub(super) struct EventFeed {
    level: usize,
    pub(super) route: Option<String>,
    pub(super) text: String,
    pub(super) place: ListPlace,
    pub(super) fit: usize,
    /// Of which run of the proxy they are.
    run: String,
    /// By which filter they were asked for.
    got: Option<EventsFilter>,
    events: VecDeque<EventSeen>,
}

impl EventFeed {
    /// All events, in so many rows.
    pub(super) fn with_room_for(fit: usize) -> Self {
        Self { fit, ..Self::default() }
    }

    pub(super) fn filter(&self) -> EventsFilter {
        let level = EVENT_LEVELS[self.level].0;
        EventsFilter { level, route: self.route.clone(), text: self.text.clone() }
    }

    pub(super) fn next_level(&mut self) {
        self.level = (self.level + 1) % EVENT_LEVELS.len();
        self.place = ListPlace::default();
    }

    /// Which levels are shown, in words.
    pub(super) fn level(&self) -> &'static str {
        EVENT_LEVELS[self.level].1
    }

    fn is_of_filter(&self) -> bool {
        self.got.as_ref() == Some(&self.filter())
    }

    pub(super) fn want(&self) -> Want {
        let known = self.is_of_filter().then(|| self.events.front()).flatten();
        Want::Events { filter: self.filter(), after: known.map(|event| event.sequence) }
    }

    /// Takes what has happened; whether all is to be asked for again, since another process tells it.
    pub(super) fn take(
        &mut self,
        filter: EventsFilter,
        after: Option<u64>,
        seen: EventsSeen,
    ) -> bool {
        if filter != self.filter() {
            return false;
        }
        let restarted = seen.started_at != self.run;
        if after.is_some() && restarted {
            self.got = None;
            return true;
        }
        if after.is_none() {
            self.events.clear();
        }
        let newest = self.events.front().map_or(0, |event| event.sequence);
        let news = seen.events.into_iter().filter(|event| event.sequence > newest);
        let before = self.events.len();
        news.for_each(|event| self.events.push_front(event));
        let came = self.events.len() - before;
        self.events.truncate(KEPT);
        (self.run, self.got) = (seen.started_at, Some(filter));
        // Who looks at one goes on looking at it.
        if self.place.cursor > 0 && after.is_some() {
            self.place.top += came;
            self.go(self.place.cursor + came);
        }
        false
    }

    /// Those that are known; none before they are told.
    pub(super) fn events(&self) -> Option<&VecDeque<EventSeen>> {
        self.is_of_filter().then_some(&self.events)
    }

    pub(super) fn go(&mut self, row: usize) {
        let total = self.events().map_or(0, VecDeque::len);
        self.place.go(row, total, self.fit);
    }
}
