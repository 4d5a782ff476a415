//! Stories of a session with a pool.

mod answers;
mod blocks;
mod brake;
mod calls;
mod evidence;
mod grounds;
mod jobless;
mod jobs;
mod login;
mod names;
mod pace;
mod reconnect;
mod resubmit;
mod resume;
mod sequences;
mod silence;
mod targets;
mod terms;
mod weight;
mod words;
mod works;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::channel::ShareOutcome;
use crate::evidence::EvidenceWish;
use crate::extranonce::Extranonce;
use crate::habits::HabitBook;
use crate::job::{Generation, JobFrames, JobIds, Serial};
use crate::target::PowHash;
use crate::testing::{Coin, TestShare, start, written};
use crate::time::Instant;
use crate::verdict::Verdict;

/// A hash that meets difficulty 256.
const GOOD: [u8; 2] = [0x00, 0x80];
/// A hash that meets difficulty 2 at most.
const POOR: [u8; 2] = [0x70, 0x00];
/// The route's own user.
const OWN: &str = "acct.farm";
/// The pool's usual answer to a subscribe.
const GIVEN: &str = "[\"s1\",\"aabbccdd\",4]";

/// A session with a pool that is played by hand.
struct Story<const LATE: bool = false> {
    pool: Upstream<Coin<LATE>, u32>,
    now: Instant,
    /// The id of the last line that the session wrote.
    asked: u64,
}

impl Story {
    fn new() -> Self {
        Self::with(Coin::default())
    }

    /// Logged in, with a first job `j1` of previous block `p1` and work `w1`.
    fn mining() -> Self {
        Self::mining_with(Coin::default())
    }

    fn mining_with(coin: Coin<false>) -> Self {
        let mut story = Self::with(coin);
        story.log_in(GIVEN);
        story.notify("j1", "p1", "w1");
        story.told();
        story
    }
}

impl<const LATE: bool> Story<LATE> {
    fn with(coin: Coin<LATE>) -> Self {
        let config =
            UpstreamConfig::new(OWN, "hunter2", "orepass/1").with_evidence(EvidenceWish::Off);
        let ids = Arc::new(JobIds::new(0x6b00_0000));
        Self { pool: Upstream::new(Arc::new(coin), config, ids), now: start(), asked: 0 }
    }

    /// Whether shares are sent again after a lost connection; before the first one.
    fn resubmit(&mut self, resubmit: bool) {
        self.change(|config| config.resubmit = resubmit);
    }

    /// A new session, of another config.
    fn change(&mut self, change: impl FnOnce(&mut UpstreamConfig)) {
        let mut config = self.pool.setup.config.clone();
        change(&mut config);
        let (dialect, ids) =
            (Arc::clone(&self.pool.setup.dialect), Arc::clone(self.pool.jobs.ids()));
        self.pool = Upstream::new(dialect, config, ids);
    }

    /// A new session, at a pool of which the operator says this.
    fn configure(&mut self, habits: Habits) {
        let shared = PoolShared::from(Arc::clone(self.pool.jobs.ids()));
        let shared = PoolShared { habits: HabitBook::new(habits, Habits::default()), ..shared };
        let (dialect, config) =
            (Arc::clone(&self.pool.setup.dialect), self.pool.setup.config.clone());
        self.pool = Upstream::new(dialect, config, shared);
    }

    fn connect(&mut self) -> String {
        self.pool.handle_connected(self.now);
        self.hears()
    }

    fn log_in(&mut self, given: &str) {
        self.connect();
        self.answers(given);
        self.answers("true");
        assert!(self.pool.is_live(), "{:?}", self.told());
    }

    fn lose(&mut self) {
        self.pool.handle_disconnected(self.now);
    }

    /// The pool says this; what the session writes to that.
    fn says(&mut self, line: &str) -> String {
        self.pool.handle_line(line.as_bytes(), self.now);
        self.hears()
    }

    /// The pool answers the last line with this result.
    fn answers(&mut self, result: &str) -> String {
        self.result(self.asked, result)
    }

    fn result(&mut self, id: u64, result: &str) -> String {
        self.says(&format!("{{\"id\":{id},\"result\":{result},\"error\":null}}"))
    }

    /// The pool answers the last line with this error.
    fn refuses(&mut self, error: &str) -> String {
        self.refuses_id(self.asked, error)
    }

    fn refuses_id(&mut self, id: u64, error: &str) -> String {
        self.says(&format!("{{\"id\":{id},\"result\":null,\"error\":{error}}}"))
    }

    fn calls(&mut self, method: &str, params: &str) -> String {
        self.says(&format!("{{\"id\":null,\"method\":\"{method}\",\"params\":{params}}}"))
    }

    fn notify(&mut self, id: &str, previous: &str, work: &str) -> String {
        self.calls("mining.notify", &format!("[\"{id}\",\"{previous}\",\"{work}\",false]"))
    }

    fn difficulty(&mut self, difficulty: u32) -> String {
        self.calls("mining.set_difficulty", &format!("[{difficulty}]"))
    }

    /// A share of the work that is shown now.
    fn submit(&mut self, ticket: u32) -> String {
        let work = self.pool.view().work.unwrap();
        self.submit_for(ticket, &work, GOOD)
    }

    /// A share whose extranonce2 is its ticket.
    fn submit_for(
        &mut self,
        ticket: u32,
        frames: &Arc<JobFrames<Coin<LATE>>>,
        hash: [u8; 2],
    ) -> String {
        self.hand_over(ticket, share(ticket, frames, hash))
    }

    fn hand_over(&mut self, ticket: u32, submission: Submission<Coin<LATE>>) -> String {
        self.pool.handle_submission(submission, ticket, self.now);
        self.hears()
    }

    fn hears(&mut self) -> String {
        let text = written(self.pool.transmit());
        if let Some(last) = text.lines().last() {
            self.asked = id_of(last);
        }
        text
    }

    /// All events in words.
    fn told(&mut self) -> Vec<String> {
        let events = std::iter::from_fn(|| self.pool.poll_event());
        events
            .map(|event| match event {
                UpstreamEvent::View => "view".into(),
                UpstreamEvent::Verdict { ticket, outcome, .. } => match outcome.booked {
                    Verdict::AcceptedByPool => format!("{ticket} accepted"),
                    other => format!("{ticket} {other}"),
                },
                UpstreamEvent::Evidence { worker, .. } => format!("evidence of {worker}"),
                UpstreamEvent::LateVerdict => "late verdict".into(),
                UpstreamEvent::Resent => "resent".into(),
                UpstreamEvent::ResentDuplicate => "duplicate of a resent".into(),
                UpstreamEvent::Reconnect { .. } => "reconnect".into(),
                UpstreamEvent::Down(reason) => format!("down: {reason}"),
                UpstreamEvent::Notice(Notice::Ground { split, capacity }) => {
                    format!("ground {} for {capacity}", split.extranonce1)
                }
                UpstreamEvent::Notice(Notice::Target(target)) => {
                    format!("difficulty {}", crate::testing::scale().difficulty_lossy(target))
                }
                UpstreamEvent::Notice(notice) => format!("{notice:?}"),
            })
            .collect()
    }

    /// The events without the views.
    fn news(&mut self) -> Vec<String> {
        self.told().into_iter().filter(|event| event != "view").collect()
    }

    fn work(&self) -> Option<Arc<JobFrames<Coin<LATE>>>> {
        self.pool.view().work
    }

    /// The serial, the id and the epoch of the present work.
    fn shown(&self) -> (Serial, String, u64) {
        let work = self.work().unwrap();
        (work.serial, work.id.to_string(), work.epoch.0)
    }

    fn later(&mut self, time: Duration) {
        self.now += time;
        self.pool.handle_timeout(self.now);
        if let Some(at) = self.pool.poll_timeout() {
            assert!(at > self.now, "the timer would fire again at once");
        }
    }
}

/// A share whose extranonce2 is its ticket.
fn share<const LATE: bool>(
    ticket: u32,
    frames: &Arc<JobFrames<Coin<LATE>>>,
    hash: [u8; 2],
) -> Submission<Coin<LATE>> {
    let mut be_bytes = [0; 32];
    be_bytes[..2].copy_from_slice(&hash);
    let hash = PowHash::from_be_bytes(be_bytes);
    let extranonce2 = Extranonce::from_slice(&ticket.to_be_bytes()[1..]).unwrap();
    Submission {
        number: u64::from(ticket),
        frames: Arc::clone(frames),
        prefix: [0x2a].into_iter().collect(),
        share: TestShare { extranonce2, hash },
        hash: Some(hash),
        is_block: false,
        probe: None,
        worker: "r1".into(),
        account: None,
        hashes: 256.0,
        credit: 256.0,
    }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The id of a line, where that is a number.
fn id_of(line: &str) -> u64 {
    let line: Value = serde_json::from_str(line).unwrap();
    line["id"].as_u64().unwrap_or_default()
}

/// The pool's job id that a submit names.
fn job_of(line: &str) -> String {
    let line: Value = serde_json::from_str(line).unwrap_or_default();
    line["params"][1].as_str().unwrap_or_default().into()
}
