//! `orepass top`: the farm in a terminal, from the API of a process at work, here or elsewhere.
//!
//! What is on the screen is `state`, which keys, answers and times go into, and `draw`, which is pure.
//! This file only moves things between them, the terminal and a thread that asks.

mod data;
mod draw;
pub(super) mod format;
mod keys;
mod known;
mod lists;
mod pace;
mod sentence;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;
mod wants;
pub(super) mod words;

use std::io::{self, IsTerminal};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use thiserror::Error;
use tokio::sync::mpsc;

use self::draw::{Look, draw};
use self::keys::KeyOutcome;
use self::state::{NotAnswered, TopState};
use self::wants::Want;
use super::Outcome;
use super::asking::{ApiClient, ApiRequest, AskError};
use crate::cli::Top;
use crate::clock::now;
use crate::signals::Signals;

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How seldom the screen is drawn at the least: ages grow.
const DRAW_EVERY: Duration = Duration::from_millis(500);
/// How long it rests between two drawings, where no key and no answer comes.
const REST: Duration = Duration::from_millis(20);
/// How many keys and answers may wait to be taken in.
const MAX_NEWS: usize = 64;

/// Why nothing can be shown.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TopError {
    /// Nobody answers, or not to us.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// There is nothing to draw on.
    #[error("standard output is no terminal: `orepass top --json` prints all of it once")]
    NoTerminal,
    /// The terminal does not do what it should.
    #[error("the terminal cannot be used: {0}")]
    Terminal(#[from] io::Error),
    /// A part of this program has ended.
    #[error("a fault in orepass: the part that asks has ended")]
    Broken,
}

impl TopError {
    /// The exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Ask(error) => error.exit_code(),
            Self::NoTerminal => 2,
            Self::Terminal(_) | Self::Broken => 1,
        }
    }
}

/// Something that the screen is to know of.
enum TopNews {
    Terminal(Event),
    Told(Want, Result<String, NotAnswered>),
    /// All that was asked is answered, or nobody is there.
    Asked(Option<String>),
}

/// Shows the farm until somebody has seen enough; with `--json` once, as JSON.
///
/// # Errors
/// A [`TopError`], which knows its exit code.
pub async fn top(arguments: Top) -> Result<Outcome, TopError> {
    let asker = ApiClient::new(&arguments.ask, ANSWER_WITHIN)?;
    if arguments.json {
        snapshot::print(&asker)?;
        return Ok(Outcome::Success);
    }
    if !io::stdout().is_terminal() {
        return Err(TopError::NoTerminal);
    }
    // A wrong address or token is told before the screen is taken.
    asker.ask(&ApiRequest::get("workers?limit=0"))?;
    let mut signals = Signals::install()?;
    let (news, mut takes) = mpsc::channel(MAX_NEWS);
    let asks = start_asking(asker.clone(), news.clone())?;
    let mut screen = Screen::open()?;
    start_reading(news)?;
    let look = Look { colour: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) };
    let mut state = TopState::new(asker.place());
    let began = now();
    loop {
        let at = now().saturating_duration_since(began);
        state.resize(screen.0.size()?.height);
        let wants = state.ask(at);
        if !wants.is_empty() {
            asks.send(wants).map_err(|_| TopError::Broken)?;
        }
        screen.0.draw(|frame| draw(frame, &state, look, at))?;
        let wait = DRAW_EVERY.min(state.wait(at).max(REST));
        let mut next = tokio::select! {
            next = takes.recv() => next,
            // Each of them ends what only looks.
            _ = signals.next() => break,
            () = tokio::time::sleep(wait) => None,
        };
        let at = now().saturating_duration_since(began);
        while let Some(news) = next {
            match news {
                TopNews::Terminal(Event::Key(key)) if state.key(key, at) == KeyOutcome::Quit => {
                    return Ok(Outcome::Success);
                }
                TopNews::Terminal(_) => {}
                TopNews::Told(want, answer) => state.take(want, answer, at),
                TopNews::Asked(lost) => state.asked(lost, at),
            }
            next = takes.try_recv().ok();
        }
    }
    Ok(Outcome::Success)
}

/// The terminal as long as it is ours; it is given back however that ends, by a panic too.
struct Screen(DefaultTerminal);

impl Screen {
    fn open() -> io::Result<Self> {
        ratatui::try_init().map(Self)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Where that fails there is no terminal any more.
        let _ = ratatui::try_restore();
    }
}

/// Starts what asks: one thing after the other, so that a slow proxy is not asked more than it answers.
fn start_asking(
    asker: ApiClient,
    news: mpsc::Sender<TopNews>,
) -> io::Result<SyncSender<Vec<Want>>> {
    let (asks, batches) = sync_channel(1);
    let ask = move || ask_all(&asker, &batches, &news);
    thread::Builder::new().name("asks".into()).spawn(ask)?;
    Ok(asks)
}

fn ask_all(asker: &ApiClient, batches: &Receiver<Vec<Want>>, news: &mpsc::Sender<TopNews>) {
    while let Ok(wants) = batches.recv() {
        let mut lost = None;
        for want in wants {
            let answer = match asker.ask(&want.request()) {
                Ok(answered) => Ok(answered.text),
                Err(error @ AskError::Refused(_)) => Err(NotAnswered::Refused(error.to_string())),
                Err(AskError::Nobody { error, .. }) => Err(NotAnswered::Lost(error.to_string())),
                Err(error) => Err(NotAnswered::Lost(error.to_string())),
            };
            if let Err(NotAnswered::Lost(why)) = &answer {
                lost = Some(why.clone());
            }
            if news.blocking_send(TopNews::Told(want, answer)).is_err() {
                return;
            }
            if lost.is_some() {
                break;
            }
        }
        if news.blocking_send(TopNews::Asked(lost)).is_err() {
            return;
        }
    }
}

/// Starts what reads keys, until the terminal is gone.
fn start_reading(news: mpsc::Sender<TopNews>) -> io::Result<()> {
    let read = move || {
        while let Ok(event) = event::read() {
            if news.blocking_send(TopNews::Terminal(event)).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("keys".into()).spawn(read)?;
    Ok(())
}
