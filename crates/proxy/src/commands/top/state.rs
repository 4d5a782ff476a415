//! What is on the screen, without a terminal, a socket or a clock: keys, answers and times go in, and what
//! to ask next comes out. Times are counted from the start.

use std::cell::Cell;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::data::{
    EventsSeen, HistorySeen, NeedsSeen, RigsSeen, SummarySeen, WorkerRow, WorkersSeen,
};
use super::known::FarmKnown;
use super::lists::{EventFeed, ListPlace, WorkerTable};
use super::pace::AskPace;
use super::wants::{Deed, Want, WorkerId};

/// How long something is said.
const SAID_FOR: Duration = Duration::from_secs(8);
/// What is worked out over everything is asked for so often.
const SELDOM: Duration = Duration::from_secs(5);
/// A history has a new part once a minute.
const HISTORY_EVERY: Duration = Duration::from_secs(20);
/// What is refused is not asked for again for so long.
const REFUSED_FOR: Duration = Duration::from_secs(30);
/// How many answers of what is asked for seldom are remembered.
const MAX_REMEMBERED: usize = 32;

/// The lines of the screen that are not rows of workers.
const AROUND_WORKERS: usize = 5;
/// The lines of the screen that are not rows of events: those show one of them whole.
pub(super) const AROUND_EVENTS: usize = 8;

/// What is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum TopView {
    #[default]
    Now,
    Workers,
    Worker,
    Events,
}

/// One worker, looked at.
#[derive(Debug, Default)]
pub(super) struct WorkerPage {
    pub(super) id: WorkerId,
    pub(super) worker: Option<WorkerRow>,
    pub(super) rigs: Option<RigsSeen>,
    pub(super) events: Option<EventsSeen>,
    /// Of its connections.
    pub(super) place: ListPlace,
}

/// Why something is not answered as it was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotAnswered {
    /// Nobody is there.
    Lost(String),
    /// It is not done, or not for us.
    Refused(String),
}

/// All that is on the screen.
#[derive(Debug, Default)]
pub(super) struct TopState {
    /// Whom it asks.
    pub(super) asks: String,
    pub(super) view: TopView,
    pub(super) shows_help: bool,
    pub(super) known: FarmKnown,
    pub(super) list: WorkerTable,
    pub(super) feed: EventFeed,
    pub(super) page: WorkerPage,
    pub(super) pace: AskPace,
    /// The route that is looked at; the first where none was chosen.
    pub(super) route: Option<String>,
    /// How many lines of what needs somebody are passed over.
    pub(super) scroll: usize,
    /// How many could be, as it was drawn last.
    pub(super) scroll_end: Cell<usize>,
    /// A text is being typed.
    pub(super) is_typing: bool,
    /// What is done if that is confirmed.
    pub(super) asked_back: Option<Deed>,
    /// Why there is nothing to see in this view.
    pub(super) refused: Option<String>,
    said: Option<(String, Duration)>,
    /// What somebody wants done, and has confirmed.
    deeds: Vec<Deed>,
    /// When what is asked for seldom was answered last; later than now where it is not to be asked for.
    answered: Vec<(Want, Duration)>,
    /// Somebody is being asked.
    is_asking: bool,
}

impl TopState {
    pub(super) fn new(asks: String) -> Self {
        Self { asks, ..Self::default() }
    }

    /// How many rows of lists there is room for on a screen of so many lines.
    pub(super) fn resize(&mut self, lines: u16) {
        let lines = usize::from(lines);
        self.list.fit = lines.saturating_sub(AROUND_WORKERS).max(1);
        self.feed.fit = lines.saturating_sub(AROUND_EVENTS).max(1);
        self.list.go(self.list.place.cursor);
        self.feed.go(self.feed.place.cursor);
    }

    pub(super) fn look_at(&mut self, view: TopView, now: Duration) {
        (self.view, self.refused, self.is_typing) = (view, None, false);
        self.answered.retain(|(_, at)| *at <= now);
        self.pace.hurry(now);
    }

    pub(super) fn say(&mut self, text: String, now: Duration) {
        self.said = Some((text, now + SAID_FOR));
    }

    /// What is said at the moment.
    pub(super) fn said(&self, now: Duration) -> Option<&str> {
        self.said.as_ref().filter(|(_, until)| now < *until).map(|(text, _)| text.as_str())
    }

    /// Something is to be done.
    pub(super) fn act(&mut self, deed: Deed, now: Duration) {
        self.deeds.push(deed);
        self.pace.ask_now(now);
    }

    /// The names of the routes.
    pub(super) fn routes(&self) -> Vec<String> {
        let routes = self.known.summary.iter().flat_map(|summary| &summary.routes);
        routes.map(|route| route.name.clone()).collect()
    }

    /// What to ask now; nothing as long as that has time, or the last answers are not there yet.
    pub(super) fn ask(&mut self, now: Duration) -> Vec<Want> {
        if self.is_asking || !self.pace.is_due(now) {
            return Vec::new();
        }
        let deeds = std::mem::take(&mut self.deeds).into_iter().map(Want::Done);
        let wants = deeds.chain(self.wants());
        let wants: Vec<_> = wants.filter(|want| self.is_wanted(want, now)).collect();
        self.is_asking = !wants.is_empty();
        if wants.is_empty() {
            self.pace.rest(now);
        }
        wants
    }

    /// How long nothing is to be asked.
    pub(super) fn wait(&self, now: Duration) -> Duration {
        if self.is_asking { Duration::MAX } else { self.pace.wait(now) }
    }

    /// What this view shows.
    fn wants(&self) -> Vec<Want> {
        match self.view {
            TopView::Now => {
                let mut wants = vec![Want::Summary, Want::Needs];
                if let Some(route) = self.known.route(self.route.as_deref()) {
                    wants.extend(counts(Some(&route.name), ""));
                    wants.push(Want::History { route: route.name.clone() });
                }
                wants
            }
            TopView::Workers => {
                let mut wants = vec![self.list.want(), Want::Summary];
                wants.extend(counts(self.list.route.as_deref(), &self.list.search));
                wants
            }
            TopView::Worker => {
                let id = &self.page.id;
                vec![
                    Want::Worker(id.clone()),
                    Want::Rigs(id.clone()),
                    Want::ItsEvents(id.clone()),
                    Want::Summary,
                ]
            }
            TopView::Events => vec![self.feed.want(), Want::Summary],
        }
    }

    fn is_wanted(&self, want: &Want, now: Duration) -> bool {
        let last = self.answered.iter().find(|(known, _)| known == want);
        if last.is_some_and(|(_, at)| *at > now) {
            return false;
        }
        let every = match want {
            Want::Summary if self.view == TopView::Now => return true,
            Want::Summary | Want::Count { .. } | Want::ItsEvents(_) => SELDOM,
            Want::Needs => Duration::from_secs(2),
            Want::History { .. } => HISTORY_EVERY,
            _ => return true,
        };
        last.is_none_or(|(_, at)| now.saturating_sub(*at) >= every)
    }

    /// All that was asked is answered, or nobody is there.
    pub(super) fn asked(&mut self, lost: Option<String>, now: Duration) {
        self.is_asking = false;
        match lost {
            Some(why) => self.pace.failed(why, now),
            None => {
                let knew = self.pace.lost(now).is_none();
                self.pace.succeeded(now);
                if !knew {
                    self.say(format!("{} answers again.", self.asks), now);
                }
                // What was moved to or chosen meanwhile need not wait.
                let lacks = match self.view {
                    TopView::Now => {
                        let route = self.known.route(self.route.as_deref());
                        route
                            .is_some_and(|route| self.known.counts(Some(&route.name), "").is_none())
                    }
                    TopView::Workers => self.list.lacks_rows(),
                    TopView::Worker => self.page.worker.is_none(),
                    TopView::Events => self.feed.events().is_none(),
                };
                if (lacks && self.refused.is_none()) || !self.deeds.is_empty() {
                    self.pace.hurry(now);
                }
            }
        }
    }

    /// Takes an answer in.
    pub(super) fn take(&mut self, want: Want, answer: Result<String, NotAnswered>, now: Duration) {
        let text = match answer {
            Ok(text) => text,
            // Told once for all that was asked.
            Err(NotAnswered::Lost(_)) => return,
            Err(NotAnswered::Refused(why)) => return self.refuse(&want, why, now),
        };
        if let Err(error) = self.take_text(&want, &text, now) {
            return self.refuse(&want, format!("what it answers cannot be read: {error}"), now);
        }
        self.remember(want, now);
    }

    fn take_text(
        &mut self,
        want: &Want,
        text: &str,
        now: Duration,
    ) -> Result<(), serde_json::Error> {
        fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
            serde_json::from_str(text)
        }
        let is_page = |id: &WorkerId| *id == self.page.id;
        match want.clone() {
            Want::Summary => {
                let summary: SummarySeen = read(text)?;
                self.known.take_summary(summary, self.route.as_deref());
            }
            Want::Needs => self.known.needs = read::<NeedsSeen>(text)?.diagnostics,
            Want::Count { route, search, state } => {
                let total = read::<WorkersSeen>(text)?.total as u64;
                self.known.take_count(route, search, state, total);
            }
            Want::History { route } => {
                self.known.take_history(route, read::<HistorySeen>(text)?);
            }
            Want::Workers { filter, .. } => self.list.take(filter, read(text)?),
            Want::Worker(id) if is_page(&id) => self.page.worker = Some(read(text)?),
            Want::Rigs(id) if is_page(&id) => {
                let rigs: RigsSeen = read(text)?;
                self.page.place.cursor =
                    self.page.place.cursor.min(rigs.rigs.len().saturating_sub(1));
                self.page.rigs = Some(rigs);
            }
            Want::ItsEvents(id) if is_page(&id) => self.page.events = Some(read(text)?),
            Want::Worker(_) | Want::Rigs(_) | Want::ItsEvents(_) => {}
            Want::Events { filter, after } => {
                if self.feed.take(filter, after, read(text)?) {
                    self.pace.hurry(now);
                }
            }
            Want::Done(deed) => self.say(deed.done(), now),
        }
        if self.is_main(want) {
            self.refused = None;
        }
        Ok(())
    }

    /// Whether that is what the view shows in the first place.
    const fn is_main(&self, want: &Want) -> bool {
        matches!(
            (self.view, want),
            (TopView::Now, Want::Summary)
                | (TopView::Workers, Want::Workers { .. })
                | (TopView::Worker, Want::Worker(_))
                | (TopView::Events, Want::Events { .. })
        )
    }

    /// Who may see some workers alone is refused much, and told so where it matters.
    fn refuse(&mut self, want: &Want, why: String, now: Duration) {
        if let Want::Done(_) = want {
            return self.say(format!("Not done: {why}"), now);
        }
        // It would be refused again, and be logged there.
        self.remember(want.clone(), now + REFUSED_FOR);
        if self.is_main(want) {
            if self.view == TopView::Worker {
                self.page.worker = None;
            }
            self.refused = Some(why);
        }
    }

    fn remember(&mut self, want: Want, now: Duration) {
        self.answered.retain(|(known, _)| *known != want);
        if self.answered.len() == MAX_REMEMBERED {
            self.answered.remove(0);
        }
        self.answered.push((want, now));
    }
}

fn counts<'a>(route: Option<&'a str>, search: &'a str) -> impl Iterator<Item = Want> + 'a {
    ["online", "silent", "quarantined", "offline"].into_iter().map(move |state| Want::Count {
        route: route.map(str::to_owned),
        search: search.to_owned(),
        state,
    })
}
