//! A session with a pool, where the proxy plays the miner.
//!
//! [`Upstream`] outlives its connections: it keeps the generation, the epoch and the present work
//! from one to the next, so that rigs can go on when the pool gives the same extranonce1 again.
//! `T` is whatever the driver wants back with a share's verdict.
//!
//! The driver connects, calls [`handle_connected`](Upstream::handle_connected), feeds lines and
//! submissions, writes what [`transmit`](Upstream::transmit) holds, and shows
//! [`view`](Upstream::view) to the sessions whenever [`UpstreamEvent::View`] comes.

mod answers;
mod brake;
mod config;
mod courtesy;
mod events;
mod footing;
mod held_shares;
mod jobs;
mod link;
mod names;
mod out;
mod pace;
mod pool_calls;
mod recent;
mod requests;
mod setup;
mod shown;
mod silence;
#[cfg(test)]
mod tests;
mod weight;
mod words;
mod writing;

use std::sync::Arc;
use std::time::Duration;

use crate::channel::{ChannelView, PoolShared, Submission};
use crate::dialect::Dialect;
use crate::error::{Reject, shown};
use crate::habits::{Answer, Habit, Habits, Learnt, Probe};
use crate::rpc::Message;
use crate::strikes::Patience;
use crate::target::Target;
use crate::time::Instant;
use crate::transmit::Transmit;

pub use brake::{BRAKE_FOR, BRAKE_REST, BrakeEnd};
pub use config::UpstreamConfig;
use courtesy::Courtesy;
pub use events::{DownReason, LoginCall, Notice, UpstreamEvent};
use footing::Footing;
use held_shares::HeldShares;
use jobs::Jobs;
use link::{Connection, Interrupted, LinkPhase, Past};
pub use names::{MAX_NAMES, MAX_NAMES_PER_SECOND};
use out::{UpstreamOut, UpstreamTimer};
use setup::Setup;
use writing::Bar;

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

/// How long a pool may take from the login, or from another extranonce, to a job that can be
/// mined. Servers tell one right behind the authorize's answer; one that tells none is given up,
/// since being connected earns nothing.
pub const JOB_WITHIN: Duration = Duration::from_secs(30);

/// A session with a pool.
pub struct Upstream<D: Dialect, T> {
    setup: Setup<D>,
    out: UpstreamOut<T>,
    link: LinkPhase<D, T>,
    footing: Footing,
    jobs: Jobs<D>,
    held: HeldShares<D, T>,
    courtesy: Courtesy,
    /// The habits that have been acted on.
    followed: Habits,
}

impl<D: Dialect, T> Upstream<D, T> {
    /// So many shares a second from its next connection on, as
    /// [configured](UpstreamConfig::max_shares_per_second).
    pub const fn set_max_shares_per_second(&mut self, most: u32) {
        self.setup.config.max_shares_per_second = most;
    }

    /// A session that has no connection yet. The route's job ids are enough of what connections
    /// share where there is only one.
    #[must_use]
    pub fn new(dialect: Arc<D>, config: UpstreamConfig, shared: impl Into<PoolShared>) -> Self {
        let PoolShared { ids, habits, grounds } = shared.into();
        Self {
            followed: habits.known(),
            setup: Setup { dialect, config, habits },
            out: UpstreamOut::new(),
            link: LinkPhase::Offline(Past::default()),
            footing: Footing::new(grounds),
            jobs: Jobs::new(ids),
            held: HeldShares::new(),
            courtesy: Courtesy::new(),
        }
    }

    /// A connection to the pool is there.
    pub fn handle_connected(&mut self, now: Instant) {
        if self.link.is_online() {
            self.handle_disconnected(now);
        }
        self.followed = self.setup.known();
        self.link.begin(self.footing.generation(), &self.setup);
        let Some(connection) = self.link.connection_mut() else { return };
        connection.subscribe(self.footing.session(), &self.setup, &mut self.out, now);
    }

    /// The connection is lost, or is being given up. Every share that waits gets its verdict, or
    /// is held to be sent again.
    pub fn handle_disconnected(&mut self, now: Instant) {
        if self.link.is_subscribing() {
            self.footing.forget_session();
        }
        // Before its jobs are closed.
        let reached = self.reached();
        if let Some(interrupted) = self.link.end(reached, &mut self.out) {
            self.footing.rest();
            self.out.hang_up();
            self.jobs.close_all();
            self.give_up(interrupted, now);
        }
        self.resubmit(now);
        self.out.event(UpstreamEvent::View);
    }

    fn give_up(&mut self, interrupted: Interrupted<D, T>, now: Instant) {
        let Interrupted { written, queued, name } = interrupted;
        let mut asked = name;
        for (ticket, terms) in written.into_shares() {
            let weighs = terms.probe.is_none();
            asked = terms.probe.map(|(probe, _)| probe).or(asked);
            if let Some(ticket) = self.held.hold_written(ticket, terms.kept, now) {
                self.out.verdict(ticket, Reject::lost(), weighs);
            }
        }
        for queued in queued.into_queued() {
            if let Some(ticket) = self.held.hold_queued(queued, &self.setup.config, now) {
                self.out.verdict(ticket, Reject::lost(), false);
            }
        }
        let learnt = asked.and_then(Probe::undecided);
        self.learn(learnt, "it closes the connection instead of an answer");
    }

    /// A line came from the pool.
    pub fn handle_line(&mut self, line: &[u8], now: Instant) {
        let Some(connection) = self.link.connection_mut() else { return };
        connection.silence.heard(now);
        let message = Message::parse(line);
        let too_many = match message {
            Ok(_) => {
                connection.bad_lines.good_deed();
                false
            }
            Err(_) => connection.bad_lines.strike(now),
        };
        self.follow_habits();
        let taken = match message {
            Ok(message) => match &message.method {
                Some(method) => self.handle_call(method, &message, now),
                None => self.handle_answer(&message, line, now),
            },
            Err(_) => {
                // More than is shown, so that it is seen to be cut off.
                let start = shown(&String::from_utf8_lossy(&line[..line.len().min(512)]));
                self.out.notice(Notice::BadLine(start));
                if too_many { Err(DownReason::BadLines) } else { Ok(()) }
            }
        };
        self.conclude(taken, now);
    }

    /// A line from the pool was too long and has been skipped.
    pub fn handle_overlong(&mut self, cap: usize, now: Instant) {
        let Some(connection) = self.link.connection_mut() else { return };
        connection.silence.heard(now);
        let again = connection.overlong(now);
        self.out.notice(Notice::Overlong { cap });
        self.conclude(if again { Err(DownReason::Overlong { cap }) } else { Ok(()) }, now);
    }

    /// A share is to be forwarded.
    pub fn handle_submission(&mut self, submission: Submission<D>, ticket: T, now: Instant) {
        if self.is_live() {
            self.follow_habits();
        }
        let target = self.flow_target();
        let Some(connection) = self.link.live_mut() else {
            return self.out.verdict(ticket, Reject::lost(), false);
        };
        connection.brake.count(submission.hashes, now);
        connection.brake.look(target, &mut self.out, now);
        match connection.pacer.enqueue(submission, ticket) {
            Ok(()) => self.write_submissions(now),
            Err(ticket) => self.out.verdict(ticket, Reject::saturated(), false),
        }
    }

    /// Another connection to the same pool has failed: it is asked at once whether it lives, since
    /// it may be gone whole.
    pub fn handle_doubt(&mut self, now: Instant) {
        if let Some(connection) = self.link.live_mut() {
            let Connection { silence, requests, .. } = connection;
            silence.ask(&self.setup, requests, &mut self.out, now);
            self.await_silence();
        }
    }

    /// The time has come that [`poll_timeout`](Self::poll_timeout) gave.
    pub fn handle_timeout(&mut self, now: Instant) {
        let taken = if self.link.is_online() { self.time_out(now) } else { Ok(()) };
        self.conclude(taken, now);
    }

    fn time_out(&mut self, now: Instant) -> Result<(), DownReason> {
        self.follow_habits();
        if self.out.timers.is_due(UpstreamTimer::Target, now) {
            self.publish(now);
        }
        self.look_at_flow(now);
        self.expire_requests(now)?;
        let Some(connection) = self.link.connection_mut() else { return Ok(()) };
        if self.out.timers.is_due(UpstreamTimer::Job, now) {
            if !connection.is_grounded {
                return Err(DownReason::NoExtranonce);
            }
            let unusable = connection.unusable.take();
            return Err(DownReason::NoJob { unusable, dialect: D::NAME });
        }
        if self.out.timers.is_due(UpstreamTimer::Silence, now) {
            let Connection { silence, requests, .. } = connection;
            silence.ask(&self.setup, requests, &mut self.out, now);
        }
        self.write_submissions(now);
        Ok(())
    }

    /// The first call of the login that the pool owes an answer to: what it hung up at, where it does.
    #[must_use]
    pub fn open_login(&self) -> Option<LoginCall> {
        self.link.connection()?.requests.open_login()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.out.timers.next()
    }

    /// What sessions should see now.
    #[must_use]
    pub fn view(&self) -> ChannelView<D> {
        let generation = self.footing.generation();
        ChannelView {
            live: self.is_live(),
            generation,
            ground: self.footing.ground().cloned(),
            work: self.jobs.latest_of(generation),
            wanted: Arc::new(self.jobs.in_force()),
            floor: self.link.connection().and_then(|connection| connection.brake.floor()),
        }
    }

    /// Something to log, show or pass on.
    pub fn poll_event(&mut self) -> Option<UpstreamEvent<T>> {
        let mut event = self.out.poll_event()?;
        words::mask(&mut event, &self.setup.config.password);
        Some(event)
    }

    /// The bytes to be written to the pool.
    pub fn transmit(&mut self) -> &mut Transmit {
        &mut self.out.transmit
    }

    /// Says what was found out about the pool, and acts on it.
    fn learn(&mut self, learnt: Option<Learnt>, why: &str) {
        self.out.learnt(learnt, why);
        self.follow_habits();
    }

    /// Acts on what has been found out about the pool, here or on another connection to it.
    fn follow_habits(&mut self) {
        let known = self.setup.known();
        let before = std::mem::replace(&mut self.followed, known);
        if known == before {
            return;
        }
        let news = |habit| known.get(habit) != before.get(habit);
        if let Some(connection) = self.link.connection_mut() {
            if news(Habit::Names) {
                connection.names.follow(&self.setup, &mut self.out);
            }
            connection.divides_anew |= news(Habit::Split);
        }
        let at_once = known.get(Habit::DifficultyFrom) == Some(Answer::Other);
        let enforced = at_once && self.jobs.enforce();
        if enforced || news(Habit::NotifyTarget) || news(Habit::DifficultyScale) {
            self.jobs.target_changed(&self.setup, &mut self.out);
        }
    }

    /// What the pool's next works come with.
    fn flow_target(&self) -> Target {
        self.jobs.announced().surely(self.setup.known())
    }

    /// Sees to it that the pool gets no more shares than it should.
    fn look_at_flow(&mut self, now: Instant) {
        let target = self.flow_target();
        if let Some(connection) = self.link.connection_mut() {
            connection.brake.look(target, &mut self.out, now);
        }
    }

    fn write_submissions(&mut self, now: Instant) {
        let (setup, jobs, generation) = (&self.setup, &self.jobs, self.footing.generation());
        if let Some(connection) = self.link.live_mut() {
            connection.write_submissions(&Bar { setup, jobs, generation }, &mut self.out, now);
        }
    }

    /// Decides about the shares of a connection that was lost.
    fn resubmit(&mut self, now: Instant) {
        let (pacer, present) =
            (self.link.live_mut().map(|there| &mut there.pacer), self.footing.generation());
        if self.held.decide(pacer, &self.jobs, present, &mut self.out, now) {
            self.write_submissions(now);
        }
    }

    /// When the pool is to be asked whether it lives: only where it has let us in and a request
    /// more finds room.
    fn await_silence(&mut self) {
        let live = self.link.live().filter(|there| there.requests.has_room(false));
        self.out.timers.set(UpstreamTimer::Silence, live.and_then(|there| there.silence.asks_at()));
    }

    /// What came has been taken in, or is the end of the connection: from there on the session is as
    /// good as disconnected.
    fn conclude(&mut self, taken: Result<(), DownReason>, now: Instant) {
        match taken {
            Ok(()) => self.resubmit(now),
            Err(reason) => {
                self.out.event(UpstreamEvent::Down(reason));
                self.handle_disconnected(now);
            }
        }
        self.await_silence();
    }
}
