//! What keys do.

use std::collections::VecDeque;
use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::lists::{EventFeed, ListPlace};
use super::state::{TopState, TopView, WorkerPage};
use super::wants::{Deed, EventsFilter, WorkerId};

/// The longest text that is searched for: the API takes no longer one.
const MAX_TEXT: usize = 256;
/// For how long a worker is banned.
const BAN_MINUTES: u32 = 10;

/// What comes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyOutcome {
    Stay,
    Quit,
}

impl TopState {
    pub(super) fn key(&mut self, key: KeyEvent, now: Duration) -> KeyOutcome {
        if key.kind == KeyEventKind::Release {
            return KeyOutcome::Stay;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            let quits = matches!(key.code, KeyCode::Char('c' | 'd'));
            return if quits { KeyOutcome::Quit } else { KeyOutcome::Stay };
        }
        if self.is_typing {
            self.typed(key.code, now);
        } else if let Some(deed) = self.asked_back.take() {
            match key.code {
                KeyCode::Char('y' | 'Y') => self.act(deed, now),
                _ => self.say("Nothing was done.".into(), now),
            }
        } else if self.shows_help {
            self.shows_help = false;
        } else if key.code == KeyCode::Char('q') {
            return KeyOutcome::Quit;
        } else {
            self.pressed(key.code, now);
        }
        KeyOutcome::Stay
    }

    fn pressed(&mut self, code: KeyCode, now: Duration) {
        match code {
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.shows_help = true,
            KeyCode::Char('1') => self.look_at(TopView::Now, now),
            KeyCode::Char('2') => self.look_at(TopView::Workers, now),
            KeyCode::Char('3') => self.look_at(TopView::Events, now),
            KeyCode::Char('r') => self.pace.ask_now(now),
            KeyCode::Tab => self.turn_route(true, now),
            KeyCode::BackTab => self.turn_route(false, now),
            _ => match self.view {
                TopView::Now => self.pressed_in_now(code, now),
                TopView::Workers => self.pressed_in_list(code, now),
                TopView::Worker => self.pressed_in_page(code, now),
                TopView::Events => self.pressed_in_events(code, now),
            },
        }
    }

    fn pressed_in_now(&mut self, code: KeyCode, now: Duration) {
        match code {
            KeyCode::Enter => self.look_at(TopView::Workers, now),
            _ => {
                let end = self.scroll_end.get();
                let place = ListPlace { cursor: self.scroll.min(end), top: 0 };
                let wanted = moved(place, code, 10, end + 1);
                self.scroll = wanted.unwrap_or(self.scroll).min(end);
            }
        }
    }

    fn pressed_in_list(&mut self, code: KeyCode, now: Duration) {
        let list = &mut self.list;
        match code {
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Char('f') => list.next_state(),
            KeyCode::Char('s') => list.next_order(false),
            KeyCode::Char('S') => list.next_order(true),
            KeyCode::Esc if list.is_default() => return self.look_at(TopView::Now, now),
            KeyCode::Esc => {
                list.search.clear();
                list.route = None;
                list.all_states();
            }
            KeyCode::Enter => {
                let chosen = list.row(list.place.cursor);
                let chosen = chosen.map(|worker| WorkerId {
                    route: worker.route.clone(),
                    name: worker.name.clone(),
                });
                if let Some(id) = chosen {
                    self.page = WorkerPage { id, ..WorkerPage::default() };
                    self.look_at(TopView::Worker, now);
                }
                return;
            }
            _ => {
                let total = list.total().unwrap_or(0);
                let Some(row) = moved(list.place, code, list.fit, total) else { return };
                list.go(row);
                if !list.lacks_rows() {
                    return;
                }
            }
        }
        self.pace.hurry(now);
    }

    fn pressed_in_page(&mut self, code: KeyCode, now: Duration) {
        let id = &self.page.id;
        let rigs = self.page.rigs.as_ref().map_or(&[][..], |rigs| &rigs.rigs);
        match code {
            KeyCode::Esc | KeyCode::Backspace | KeyCode::Left => {
                self.look_at(TopView::Workers, now);
            }
            KeyCode::Char('b') => {
                let worker = id.clone();
                self.asked_back = Some(Deed::Ban { worker, minutes: BAN_MINUTES });
            }
            KeyCode::Char('u') => self.asked_back = Some(Deed::Unban { worker: id.clone() }),
            KeyCode::Char('x') => match rigs.get(self.page.place.cursor) {
                Some(rig) => self.asked_back = Some(Deed::Kick { rig: rig.id.clone() }),
                None => self.say("No rig of it is connected.".into(), now),
            },
            _ => {
                if let Some(row) = moved(self.page.place, code, 5, rigs.len()) {
                    self.page.place.cursor = row.min(rigs.len().saturating_sub(1));
                }
            }
        }
    }

    fn pressed_in_events(&mut self, code: KeyCode, now: Duration) {
        let feed = &mut self.feed;
        match code {
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Char('l') => feed.next_level(),
            KeyCode::Esc if feed.filter() == EventsFilter::default() => {
                return self.look_at(TopView::Now, now);
            }
            KeyCode::Esc => {
                *feed = EventFeed::with_room_for(feed.fit);
            }
            _ => {
                let total = feed.events().map_or(0, VecDeque::len);
                if let Some(row) = moved(feed.place, code, feed.fit, total) {
                    feed.go(row);
                }
                return;
            }
        }
        self.pace.hurry(now);
    }

    /// What is typed narrows the list at once.
    fn typed(&mut self, code: KeyCode, now: Duration) {
        let (text, place) = match self.view {
            TopView::Events => (&mut self.feed.text, &mut self.feed.place),
            _ => (&mut self.list.search, &mut self.list.place),
        };
        match code {
            KeyCode::Enter | KeyCode::Tab => self.is_typing = false,
            KeyCode::Esc => {
                text.clear();
                self.is_typing = false;
            }
            KeyCode::Backspace => drop(text.pop()),
            KeyCode::Char(c) if !c.is_control() && text.len() + c.len_utf8() <= MAX_TEXT => {
                text.push(c);
            }
            _ => return,
        }
        *place = ListPlace::default();
        self.pace.hurry(now);
    }

    /// The next route, or that before it; lists have all of them too.
    fn turn_route(&mut self, onwards: bool, now: Duration) {
        let routes = self.routes();
        if routes.len() < 2 {
            return;
        }
        let next = |at: usize, count: usize| (at + if onwards { 1 } else { count - 1 }) % count;
        let turned = |known: &Option<String>| {
            let at = known.as_ref().and_then(|known| routes.iter().position(|name| name == known));
            let at = next(at.map_or(0, |at| at + 1), routes.len() + 1);
            at.checked_sub(1).map(|at| routes[at].clone())
        };
        match self.view {
            TopView::Now => {
                let shown = self.known.route(self.route.as_deref()).map(|route| &route.name);
                let at = shown.and_then(|shown| routes.iter().position(|name| name == shown));
                self.route = Some(routes[next(at.unwrap_or(0), routes.len())].clone());
                self.scroll = 0;
            }
            TopView::Workers => {
                self.list.route = turned(&self.list.route);
                self.list.place = ListPlace::default();
            }
            TopView::Events => {
                self.feed.route = turned(&self.feed.route);
                self.feed.place = ListPlace::default();
            }
            TopView::Worker => return,
        }
        self.pace.hurry(now);
    }
}

/// To which row a key goes; none where it is no such key.
fn moved(place: ListPlace, code: KeyCode, page: usize, total: usize) -> Option<usize> {
    let page = page.max(1);
    Some(match code {
        KeyCode::Up | KeyCode::Char('k') => place.cursor.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => place.cursor + 1,
        KeyCode::PageUp => place.cursor.saturating_sub(page),
        KeyCode::PageDown | KeyCode::Char(' ') => place.cursor + page,
        KeyCode::Home | KeyCode::Char('g') => 0,
        KeyCode::End | KeyCode::Char('G') => total.saturating_sub(1),
        _ => return None,
    })
}
