//! What is kept of the farm beyond the run: minute by minute for the history, and when workers were seen.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use orepass_farm::pools::{Gate, PoolHealth};
use orepass_stratum::dialect::Dialect;

use super::AtWork;
use super::concern::Concern;
use super::diagnostics::{raise, settle};
use super::route::FarmSays;
use crate::books::MeteredBook;
use crate::clock::unix_seconds;
use crate::history::{FORGET_SEEN_AFTER, History, HistoryPart, SeriesKey, WorkerSeen};
use crate::rig::roster::OnlineRig;
use crate::route::Route;
use crate::sinks::Sinks;

/// How long a part of the history is that is noted at once, in seconds.
const MINUTE: u64 = 60;

/// Notes each minute until it is dropped.
pub async fn keep(at_work: AtWork, history: History, sinks: Sinks) {
    loop {
        // At the end of the calendar's minute, whose shares they then are.
        let into = unix_seconds() % MINUTE;
        tokio::time::sleep(Duration::from_secs(MINUTE - into)).await;
        note(&at_work, &history, &sinks).await;
    }
}

/// Notes what has happened since this was last done, for the history and the sinks.
pub async fn note(at_work: &AtWork, history: &History, sinks: &Sinks) {
    // What has just ended belongs to the minute before.
    let at = unix_seconds().saturating_sub(1);
    let mut minutes = Vec::new();
    for route in at_work.routes().iter() {
        let name: Arc<str> = route.name().into();
        let seen = route.seen().into_iter();
        history.note_seen(seen.map(|(worker, seen)| (Arc::clone(&name), worker, seen)));
        minutes.extend(route.minutes());
        tokio::task::yield_now().await;
    }
    sinks.note_minutes(at, &minutes);
    // With it all is written.
    history.note(at, minutes);
    match history.trouble() {
        Some(trouble) => raise(Concern::HistoryFile, "", trouble),
        None => settle(Concern::HistoryFile, ""),
    }
}

/// Has routes know who was there in earlier runs.
pub fn recall(at_work: &AtWork, history: &History) {
    for (route, worker, seen) in history.take_seen() {
        if let Some(route) = at_work.route(&route) {
            route.recall(&worker, seen);
        }
    }
}

impl<D: Dialect> Route<D> {
    pub(super) fn all_minutes(&self) -> Vec<(SeriesKey, HistoryPart)> {
        let (name, at_work) = (self.name(), self.now());
        let FarmSays { gate, health, .. } =
            self.ask(|farm| FarmSays::of(farm, at_work.pools.len()));
        let mut parts = Vec::new();
        let mut put = |key, book: &MeteredBook, is_there: bool| {
            let minute = book.take_minute();
            if is_there || !minute.is_empty() {
                let seconds = if is_there { MINUTE as u16 } else { 0 };
                parts.push((key, HistoryPart::new(&minute, seconds)));
            }
        };
        put(SeriesKey::route(name), &self.book, gate == Gate::Open);
        for (pool, health) in at_work.pools.iter().zip(health) {
            let serves = matches!(health, PoolHealth::Serves(_));
            put(SeriesKey::pool(name, pool.account.name.as_str()), &pool.book, serves);
        }
        let there = workers_of(&self.roster.rigs());
        for (worker, book) in self.roster.books() {
            put(SeriesKey::worker(name, &worker), &book, there.contains(&worker));
        }
        parts
    }

    pub(super) fn all_seen(&self) -> Vec<(Arc<str>, WorkerSeen)> {
        let oldest = unix_seconds().saturating_sub(FORGET_SEEN_AFTER);
        let books = self.roster.books().into_iter();
        let seen = books.filter_map(|(worker, book)| Some((worker, book.seen()?)));
        seen.filter(|(_, seen)| seen.last_seen >= oldest).collect()
    }
}

/// The workers of these rigs.
pub(super) fn workers_of(rigs: &[Arc<OnlineRig>]) -> HashSet<Arc<str>> {
    rigs.iter().filter_map(|rig| rig.shown().worker).collect()
}
