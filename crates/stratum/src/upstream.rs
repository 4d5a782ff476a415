//! A session with a pool, where the proxy plays the miner.
//!
//! [`Upstream`] outlives its connections: it keeps the generation, the epoch and the present work
//! from one to the next, so that rigs can go on when the pool gives the same extranonce1 again.
//! `T` is whatever the driver wants back with a share's verdict.
//!
//! The driver connects, calls [`handle_connected`](Upstream::handle_connected), feeds lines and
//! submissions, writes what [`transmit`](Upstream::transmit) holds, and shows
//! [`view`](Upstream::view) to the sessions whenever [`UpstreamEvent::View`] comes.

mod brake;
mod calls;
mod config;
mod events;
mod ground;
mod jobless;
mod jobs;
mod link;
mod names;
mod pace;
mod requests;
mod resubmit;
mod silence;
#[cfg(test)]
mod tests;
mod weight;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::channel::{ChannelView, Ground, PoolShared, ShareOutcome, Submission};
use crate::dialect::{Dialect, PoolEvent, Subscribed};
use crate::error::{Reject, shown};
use crate::grounds::{Claim, Grounds};
use crate::habits::{HabitBook, Habits};
use crate::job::Generation;
use crate::rpc::{Id, Message};
use crate::strikes::{Patience, Strikes};
use crate::transmit::Transmit;

use brake::Brake;
pub use brake::{BRAKE_FOR, BRAKE_REST, BrakeEnd};
pub use config::UpstreamConfig;
pub use events::{DownReason, Notice, UpstreamEvent};
pub use jobless::JOB_WITHIN;
use jobs::Jobs;
use link::{Link, Reached};
use names::Names;
pub use names::{MAX_NAMES, MAX_NAMES_PER_SECOND};
use pace::Pacer;
use requests::{Request, Requests};
use resubmit::Resubmit;
use silence::Silence;

/// How long a pool may take to answer a subscribe. A proxy may keep us waiting for a place.
const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(20);
/// How long it may take to answer an authorize.
const AUTHORIZE_WITHIN: Duration = Duration::from_secs(10);
/// How long a pool may take to judge a share.
pub const VERDICT_WITHIN: Duration = Duration::from_secs(30);
/// So many shares in a row without an answer mean that the pool is gone.
const MAX_UNANSWERED: u32 = 3;
/// How many lines without sense are borne on one connection.
const BAD_LINES: Patience = Patience { limit: 5, good_deeds: 100, every: Duration::from_secs(60) };
/// A second overlong line within this time ends the connection.
const OVERLONG_PARDON: Duration = Duration::from_secs(60);

/// A session with a pool.
pub struct Upstream<D: Dialect, T> {
    dialect: Arc<D>,
    config: UpstreamConfig,
    link: Link<D::Job>,
    transmit: Transmit,
    events: VecDeque<UpstreamEvent<T>>,
    requests: Requests<D, T>,
    pacer: Pacer<D, T>,
    names: Names,
    brake: Brake,
    silence: Silence,
    resubmit: Resubmit<D, T>,
    jobs: Jobs<D>,
    habits: HabitBook,
    /// The habits that have been acted on.
    followed: Habits,
    grounds: Grounds,
    subscribed: Option<Subscribed>,
    ground: Option<Ground>,
    /// The right to the ground's extranonce1.
    claim: Option<Claim>,
    generation: Generation,
    /// Shares that the pool took in the present generation.
    accepted: u64,
    /// Calls of the pool that were answered.
    answers: Strikes,
}

impl<D: Dialect, T> Upstream<D, T> {
    /// A session that has no connection yet. The route's job ids are enough of what connections
    /// share where there is only one.
    #[must_use]
    pub fn new(dialect: Arc<D>, config: UpstreamConfig, shared: impl Into<PoolShared>) -> Self {
        let PoolShared { ids, habits, grounds } = shared.into();
        Self {
            brake: Brake::new(config.max_shares_per_second),
            pacer: Pacer::new(dialect.pace()),
            jobs: Jobs::new(ids),
            followed: habits.known(),
            habits,
            grounds,
            resubmit: Resubmit::new(config.resubmit),
            dialect,
            config,
            link: Link::Offline(Reached::default()),
            transmit: Transmit::new(),
            events: VecDeque::new(),
            requests: Requests::new(),
            names: Names::default(),
            silence: Silence::default(),
            subscribed: None,
            ground: None,
            claim: None,
            generation: Generation(0),
            accepted: 0,
            answers: Strikes::new(&calls::ANSWERS),
        }
    }

    /// A connection to the pool is there.
    pub fn handle_connected(&mut self, now: Instant) {
        if self.link.is_online() {
            self.handle_disconnected(now);
        }
        self.link = Link::begin(self.generation);
        self.silence.begin();
        self.followed = self.habits.known();
        let id = self.requests.push(Request::Subscribe, now);
        let former = self.subscribed.as_ref().and_then(|given| given.session.as_deref());
        let agent = &self.config.agent;
        self.transmit.write(|out| self.dialect.put_subscribe(id, agent, former, out));
    }

    /// The connection is lost, or is being given up. Every share that waits gets its verdict, or
    /// is held to be sent again.
    pub fn handle_disconnected(&mut self, now: Instant) {
        if self.link.is_subscribing() {
            // Perhaps the pool does not like the session that was to be resumed.
            if let Some(given) = &mut self.subscribed {
                given.session = None;
            }
        }
        // Before its jobs are closed.
        self.link = Link::Offline(self.reached());
        if let Some(claim) = &self.claim {
            claim.rest();
        }
        self.transmit.clear();
        if let Some(notice) = self.brake.release() {
            self.notice(notice);
        }
        self.jobs.close_all();
        let resubmit = &mut self.resubmit;
        let mut asked = None;
        let mut lost: Vec<(T, bool)> = Vec::new();
        for (id, ticket, probe) in self.requests.drain_shares() {
            let weighs = probe.is_none();
            asked = probe.or(asked);
            lost.extend(resubmit.hold_written(id, ticket, now).map(|ticket| (ticket, weighs)));
        }
        let queued = self.pacer.drain().filter_map(|queued| resubmit.hold_queued(queued, now));
        lost.extend(queued.map(|ticket| (ticket, false)));
        for (ticket, weighs) in lost {
            self.give_verdict(ticket, Reject::lost(), weighs);
        }
        let name = self.names.lose();
        if let Some(probe) = asked.or(name) {
            self.learn(probe.undecided(), "it closes the connection instead of an answer");
        }
        self.resubmit(now);
        self.events.push_back(UpstreamEvent::View);
    }

    /// A line came from the pool.
    pub fn handle_line(&mut self, line: &[u8], now: Instant) {
        let Some(connection) = self.link.connection_mut() else { return };
        let message = Message::parse(line);
        let too_many = match message {
            Ok(_) => {
                connection.bad_lines.good_deed();
                false
            }
            Err(_) => connection.bad_lines.strike(now),
        };
        self.silence.heard(now);
        self.follow_habits();
        let Ok(message) = message else {
            let start = shown(&String::from_utf8_lossy(&line[..line.len().min(64)]));
            self.notice(Notice::BadLine(start));
            if too_many {
                self.down(DownReason::BadLines, now);
            }
            return;
        };
        match &message.method {
            Some(method) => self.handle_call(method, &message, now),
            None => self.handle_answer(&message, line, now),
        }
        self.resubmit(now);
    }

    fn handle_call(&mut self, method: &str, message: &Message<'_>, now: Instant) {
        let empty = serde_json::value::RawValue::NULL;
        match self.dialect.parse_event(method, message.params.unwrap_or(empty)) {
            Ok(PoolEvent::Unknown) => {
                let wants_answer = message.id.and_then(|id| Id::new(Some(id)));
                if let Some(id) = wants_answer.filter(|_| self.answers.is_patient(now)) {
                    self.answers.strike(now);
                    calls::answer(&id, method, &self.config.agent, &mut self.transmit);
                }
            }
            Ok(event) => {
                self.handle_event(event, now);
                self.look_at_flow(now);
            }
            Err(error) => {
                self.note_unusable(method, &error);
                self.notice(Notice::Unusable { method: shown(method), error });
            }
        }
    }

    /// A line from the pool was too long and has been skipped.
    pub fn handle_overlong(&mut self, cap: usize, now: Instant) {
        let Some(connection) = self.link.connection_mut() else { return };
        let again = connection.overlong(now);
        self.silence.heard(now);
        self.notice(Notice::Overlong { cap });
        if again {
            self.down(DownReason::Overlong { cap }, now);
        }
    }

    /// A share is to be forwarded.
    pub fn handle_submission(&mut self, submission: Submission<D>, ticket: T, now: Instant) {
        if self.is_live() {
            self.follow_habits();
            self.brake.count(submission.hashes, now);
            self.look_at_flow(now);
        }
        match self.pacer.enqueue(submission, ticket) {
            Ok(()) => self.write_submissions(now),
            Err(ticket) => self.give_verdict(ticket, Reject::saturated(), false),
        }
    }

    /// How many more shares would be taken now: those that may wait to be written, and where the
    /// pool sets no pace, those that may wait for its verdict.
    #[must_use]
    pub fn room(&self) -> usize {
        self.pacer.room() + if self.pacer.is_paced() { 0 } else { self.requests.room() }
    }

    /// The time has come that [`poll_timeout`](Self::poll_timeout) gave.
    pub fn handle_timeout(&mut self, now: Instant) {
        if !self.link.is_online() {
            return self.resubmit(now);
        }
        self.follow_habits();
        self.publish_settled(now);
        self.look_at_flow(now);
        self.expire_requests(now);
        self.give_up_jobless(now);
        self.probe_if_silent(now);
        self.write_submissions(now);
        self.resubmit(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if !self.link.is_online() {
            return self.resubmit.gives_up_at();
        }
        let times = [
            self.jobs.settles_at(),
            self.requests.next_deadline(),
            self.pacer.next_slot(),
            self.names.gives_up_at(),
            self.brake.next_look(),
            self.probes_at(),
            self.jobless_until(),
            self.resubmit.gives_up_at(),
        ];
        times.into_iter().flatten().min()
    }

    /// What sessions should see now.
    #[must_use]
    pub fn view(&self) -> ChannelView<D> {
        ChannelView {
            live: self.is_live(),
            generation: self.generation,
            ground: self.ground.clone(),
            work: self.jobs.latest_of(self.generation),
            wanted: self.jobs.in_force(),
            floor: self.brake.floor(),
        }
    }

    /// Something to log, show or pass on.
    pub fn poll_event(&mut self) -> Option<UpstreamEvent<T>> {
        self.events.pop_front()
    }

    /// The bytes to be written to the pool.
    pub fn transmit(&mut self) -> &mut Transmit {
        &mut self.transmit
    }

    /// Whether the pool takes shares.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.link.is_live()
    }

    /// Whether [`handle_submission`](Self::handle_submission) would take one more share now. Shares
    /// wait in one window: 256 in the queue, and behind it as many as have no answer, up to 1,024;
    /// its last place is a block's.
    #[must_use]
    pub fn has_room(&self, is_block: bool) -> bool {
        self.pacer.has_room(is_block)
    }

    /// How many shares are written, queued or held and have no verdict yet.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.requests.shares() + self.pacer.queued() + self.resubmit.held()
    }

    /// What the pool gave at its last subscribe.
    #[must_use]
    pub const fn subscribed(&self) -> Option<&Subscribed> {
        self.subscribed.as_ref()
    }

    fn handle_event(&mut self, event: PoolEvent<D::Job>, now: Instant) {
        if matches!(event, PoolEvent::Notify(_)) {
            self.silence.notified(now);
        }
        let Some(connection) = self.link.connection_mut() else { return };
        match event {
            PoolEvent::Notify(job) => match &mut self.link {
                Link::Subscribing(_, early) => *early = Some(job),
                _ => self.take_job(job, now),
            },
            PoolEvent::Difficulty(target) => {
                connection.announced.difficulty = Some(target);
                self.target_announced(false);
            }
            PoolEvent::Target(target) => {
                connection.announced.target = Some(target);
                if self.jobs.settles_at().is_some() {
                    self.publish_pending(now);
                } else {
                    self.target_announced(D::TARGET_FOLLOWS_NOTIFY.is_some());
                }
            }
            PoolEvent::Extranonce { extranonce1, size } => {
                connection.next_extranonce = Some((extranonce1, size));
            }
            PoolEvent::Reconnect { host, port, wait } => {
                self.events.push_back(UpstreamEvent::Reconnect { host, port, wait });
            }
            PoolEvent::Message(text) => self.notice(Notice::Message(text)),
            PoolEvent::Unknown => {}
        }
    }

    /// A share has a verdict that the pool did not give; whether that counts against the pool.
    fn give_verdict(&mut self, ticket: T, outcome: impl Into<ShareOutcome>, weighs: bool) {
        let (outcome, after) = (outcome.into(), None);
        self.events.push_back(UpstreamEvent::Verdict { ticket, outcome, after, weighs });
    }

    /// Gives the connection up, once: from here on the session is as good as disconnected.
    fn down(&mut self, reason: DownReason, now: Instant) {
        self.events.push_back(UpstreamEvent::Down(reason));
        self.handle_disconnected(now);
    }

    fn notice(&mut self, notice: Notice) {
        self.events.push_back(UpstreamEvent::Notice(notice));
    }
}
