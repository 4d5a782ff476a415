//! What the API has told of the farm as a whole.

use std::collections::VecDeque;

use super::data::{HistorySeen, MINUTE, NeedSeen, RouteSeen, SummarySeen, over};
use super::words::{STATES, passed};

/// How many samples of a rate are kept, one a second.
const MAX_SAMPLES: usize = 300;
/// How many parts of a history are shown.
const PARTS: u64 = 60;

/// What the API has told of the farm as a whole.
#[derive(Debug, Default)]
pub(super) struct FarmKnown {
    pub(super) summary: Option<SummarySeen>,
    pub(super) needs: Vec<NeedSeen>,
    counts: Option<StateCounts>,
    history: Option<(String, HistorySeen)>,
    /// What a route did lately, by what has been seen of it here.
    samples: VecDeque<f64>,
    samples_of: String,
}

/// How many workers are in which state, of those of a route whose names have something in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StateCounts {
    pub(super) route: Option<String>,
    pub(super) search: String,
    /// As the states stand.
    pub(super) counts: [u64; STATES.len()],
}

/// A rate over time, the newest last; what is not known is a gap.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bars {
    pub(super) values: Vec<Option<f64>>,
    /// How long each of them is.
    pub(super) step_s: u64,
}

impl FarmKnown {
    pub(super) fn route(&self, name: Option<&str>) -> Option<&RouteSeen> {
        let routes = &self.summary.as_ref()?.routes;
        routes.iter().find(|route| Some(&*route.name) == name).or_else(|| routes.first())
    }

    pub(super) fn take_summary(&mut self, summary: SummarySeen, shown: Option<&str>) {
        self.summary = Some(summary);
        let Some(route) = self.route(shown) else { return };
        let (name, rate) = (route.name.clone(), over(&route.hashrate, MINUTE).accepted_hs);
        if self.samples_of != name {
            self.samples.clear();
            self.samples_of = name;
        }
        if self.samples.len() == MAX_SAMPLES {
            self.samples.pop_front();
        }
        self.samples.extend(rate.filter(|rate| rate.is_finite()));
    }

    pub(super) fn take_count(
        &mut self,
        route: Option<String>,
        search: String,
        state: &str,
        count: u64,
    ) {
        let known =
            self.counts.take().filter(|known| known.route == route && known.search == search);
        let mut counted = known.unwrap_or(StateCounts { route, search, counts: [0; STATES.len()] });
        let order = ["online", "silent", "quarantined", "offline"];
        if let Some(place) = order.iter().position(|known| *known == state) {
            counted.counts[place] = count;
        }
        self.counts = Some(counted);
    }

    /// How many workers are in which state, where that was asked.
    pub(super) fn counts(&self, route: Option<&str>, search: &str) -> Option<[u64; STATES.len()]> {
        let counted = self.counts.as_ref()?;
        let fits = counted.route.as_deref() == route && counted.search == search;
        fits.then_some(counted.counts)
    }

    pub(super) fn take_history(&mut self, route: String, history: HistorySeen) {
        self.history = Some((route, history));
    }

    /// A route's rate over time: by its history, or by what has been seen here where there is none.
    pub(super) fn bars(&self, route: &str) -> Option<Bars> {
        let of_history = self.history.as_ref().filter(|(of, _)| of == route);
        let bars = of_history.and_then(|(_, history)| bars(history));
        let own = || {
            let values: Vec<_> = self.samples.iter().copied().map(Some).collect();
            (self.samples_of == route && values.len() > 1).then_some(Bars { values, step_s: 1 })
        };
        bars.or_else(own)
    }
}

/// From the first part on that is known; none where there are too few to be looked at.
fn bars(history: &HistorySeen) -> Option<Bars> {
    let step = history.step_s.max(1);
    let parts = history.points.iter().filter_map(|point| {
        let rate = passed(&point.work_hashes) / step as f64;
        Some((unix_seconds_of(&point.at)? / step, rate))
    });
    let parts: Vec<_> = parts.collect();
    let (first, last) = (parts.first()?.0, parts.last()?.0);
    let first = first.max(last.saturating_sub(PARTS - 1));
    let of = |part| parts.iter().find(|(at, _)| *at == part).map_or(0.0, |(_, rate)| *rate);
    let values: Vec<_> = (first..=last).map(|part| Some(of(part))).collect();
    (values.len() > 2).then_some(Bars { values, step_s: step })
}

/// A moment in RFC 3339 in UTC as Unix seconds.
fn unix_seconds_of(at: &str) -> Option<u64> {
    let number = |from: usize, to: usize| at.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hours, minutes, seconds) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years begin in March here, so that a leap day is the last of its year.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    // The days from March of the year 0 to 1970.
    let days = days.checked_sub(719_468)?;
    Some(86_400 * days + 3600 * hours + 60 * minutes + seconds)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (at, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00.5Z", 951_825_600),
            ("2026-11-21T03:12:07.123Z", 1_795_230_727),
        ] {
            assert_eq!(unix_seconds_of(at), Some(seconds), "{at}");
        }
        for wrong in
            ["", "yesterday", "1969-12-31T23:59:59Z", "2026-13-01T00:00:00Z", "ÄÖÜäöüßÄÖÜäöüß"]
        {
            assert_eq!(unix_seconds_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_history_has_what_passed_and_zeros_between() {
        let point = |minute: u32, passed: f64, stale: f64| {
            json!({"at": format!("2026-11-21T03:{minute:02}:00.000Z"),
                   "work_hashes": {"accepted_by_pool": passed, "below_pool_target": passed, "stale": stale}})
        };
        let history = json!({"step_s": 60, "points": [point(1, 60.0, 60.0), point(2, 30.0, 0.0), point(4, 90.0, 0.0)]});
        let history: HistorySeen = serde_json::from_value(history).unwrap();
        let values = vec![Some(2.0), Some(1.0), Some(0.0), Some(3.0)];
        assert_eq!(bars(&history), Some(Bars { values, step_s: 60 }));
        assert_eq!(bars(&HistorySeen::default()), None);
    }
}
