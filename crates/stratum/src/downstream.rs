//! A session with a rig, where the proxy plays the pool.
//!
//! [`Downstream`] takes the rig's lines, the channel's views and verdicts, and the time; it gives
//! back bytes to write, shares to forward, and events to log and count. Whoever drives it calls,
//! after each input, [`poll_submission`](Downstream::poll_submission),
//! [`poll_event`](Downstream::poll_event) and [`transmit`](Downstream::transmit) until they are
//! empty, and [`handle_timeout`](Downstream::handle_timeout) at
//! [`poll_timeout`](Downstream::poll_timeout).

mod config;
mod events;
mod login;
mod options;
mod submit;
mod work;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;

use crate::channel::{ChannelView, Seat, Submission};
use crate::conduct::Conduct;
use crate::dialect::Dialect;
use crate::error::Reject;
use crate::firmware::{Firmware, Hello, Merit};
use crate::flood::Flood;
use crate::line::LineError;
use crate::margin::Margin;
use crate::quiet::Quiet;
use crate::rpc::{self, Id, Message};
use crate::space::WorkNumber;
use crate::strikes::{Patience, Strikes};
use crate::target::Difficulty;
use crate::transmit::Transmit;
use crate::vardiff::VardiffConfig;
use crate::verdict::Verdict;

#[cfg(test)]
mod tests;

pub use events::{CloseReason, Event, Wait};
pub use login::StartSource;

use login::Login;
pub use options::LoginOptions;
use submit::Pending;
use work::Bench;

/// The most shares of one rig that may wait for the pool's verdict.
pub const MAX_IN_FLIGHT: usize = 64;
/// The most blocks of places that the rig has left that are remembered.
const MAX_LATE_BLOCKS: usize = 8;
/// The most worker names on one connection.
pub const MAX_WORKERS: usize = 16;
/// How many failed shares of one rig are looked into: a guess costs several hashes.
const DIAGNOSES: Patience =
    Patience { limit: 16, good_deeds: u16::MAX, every: Duration::from_secs(60) };
/// How many lines without sense are borne; the last of them ends the session.
pub const BAD_LINES: Patience =
    Patience { limit: 5, good_deeds: 100, every: Duration::from_secs(60) };

/// The wishes of a route for its rigs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DownstreamConfig {
    /// Whether shares are checked here, or left to the pool.
    pub verify: Verify,
    /// Whose verdict a rig is told.
    pub reply: Reply,
    /// The difficulty of the rigs.
    pub vardiff: VardiffConfig,
    /// Whether a rig that sends too many bad shares is quarantined.
    pub quarantine: bool,
    /// Whether a rig that has authorized is told no work before its driver has welcomed it
    /// ([`Downstream::handle_welcome`]), for drivers that remember rigs.
    pub await_welcome: bool,
    /// How long a rig may take to subscribe.
    pub subscribe_within: Duration,
    /// How long it may then take to authorize.
    pub authorize_within: Duration,
    /// How long a rig waits for a channel before it is let go.
    pub park_for: Duration,
}

impl Default for DownstreamConfig {
    fn default() -> Self {
        Self {
            verify: Verify::Full,
            reply: Reply::Pool,
            vardiff: VardiffConfig::default(),
            quarantine: true,
            await_welcome: false,
            subscribe_within: Duration::from_secs(10),
            authorize_within: Duration::from_secs(60),
            park_for: Duration::from_secs(15),
        }
    }
}

/// Whether shares are checked here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// Each share's proof of work is checked, and only good ones are forwarded.
    Full,
    /// The proof is left to the pool; rigs then get the pool's own target, since shares below it
    /// could not be told apart.
    Off,
}

/// Whose verdict a rig is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// The pool's, when it comes.
    Pool,
    /// Our own, at once.
    Local,
}

/// A session with a rig.
pub struct Downstream<D: Dialect> {
    dialect: Arc<D>,
    config: Arc<DownstreamConfig>,
    transmit: Transmit,
    events: VecDeque<Event>,
    submission: Option<Submission<D>>,
    login: Login,
    bench: Bench<D>,
    in_flight: ArrayVec<Pending, MAX_IN_FLIGHT>,
    /// Blocks that were forwarded though their duplicate filter is gone, the newest last.
    late_blocks: ArrayVec<(WorkNumber, u64), MAX_LATE_BLOCKS>,
    shares: u64,
    scratch: D::Scratch,
    conduct: Conduct,
    quiet: Quiet,
    flood: Flood,
    margin: Margin,
    /// What its good shares have shown.
    merits: ArrayVec<Merit, 3>,
    /// Failed shares that were looked into.
    diagnoses: Strikes,
    bad_lines: Strikes,
    closed: bool,
}

impl<D: Dialect> Downstream<D> {
    /// A rig has connected. `session` is a fresh id in hex, which some dialects show the rig.
    #[must_use]
    pub fn new(
        dialect: Arc<D>,
        config: Arc<DownstreamConfig>,
        session: String,
        now: Instant,
    ) -> Self {
        Self {
            bench: Bench::new(config.vardiff, now),
            login: Login::new(session, !config.await_welcome, now),
            conduct: Conduct::new(config.quarantine),
            dialect,
            config,
            transmit: Transmit::new(),
            events: VecDeque::new(),
            submission: None,
            in_flight: ArrayVec::new(),
            late_blocks: ArrayVec::new(),
            shares: 0,
            scratch: D::Scratch::default(),
            quiet: Quiet::default(),
            flood: Flood::default(),
            margin: Margin::default(),
            merits: ArrayVec::new(),
            diagnoses: Strikes::new(DIAGNOSES),
            bad_lines: Strikes::new(BAD_LINES),
            closed: false,
        }
    }

    /// A line came from the rig.
    pub fn handle_line(&mut self, line: &[u8], now: Instant) {
        if self.closed {
            return;
        }
        let Ok(message) = Message::parse(line) else {
            return self.bad_line("not a JSON object", now);
        };
        let Some(id) = Id::new(message.id) else {
            return self.bad_line("an id that is no number, string or null, or is too long", now);
        };
        let Some(method) = &message.method else {
            // An answer to something we told it; nothing that we send needs one.
            if message.result.is_none() && message.error.is_none() {
                self.bad_line("no method", now);
            }
            return;
        };
        self.bad_lines.good_deed();
        match &**method {
            "mining.submit" => self.submit(&id, message.params, now),
            "mining.subscribe" => self.subscribe(id, message.params, now),
            "mining.authorize" => self.authorize(&id, message.params, now),
            "mining.extranonce.subscribe" => self.extranonce_subscribe(&id),
            "mining.configure" => self.configure(&id, message.params),
            "mining.suggest_difficulty" => self.suggest_difficulty(&id, message.params, now),
            "mining.ping" => self.transmit.write(|out| rpc::put_result(out, &id, "\"pong\"")),
            method if Some(method) == D::JOB_QUERY => self.job_query(&id, message.params),
            method => {
                self.login.note_call(D::LOGIN_CALLS, method);
                self.flood.nuisance(now);
                let reason = format!("unknown method {}", crate::error::shown(method));
                self.refuse(&id, &Reject::invalid(reason));
            }
        }
    }

    /// The bytes from the rig were no line.
    pub fn handle_line_error(&mut self, error: LineError) {
        self.close(CloseReason::Line(error));
    }

    /// What is known of the rig's firmware. To be told when it subscribes, before its seat.
    pub fn handle_firmware(&mut self, firmware: &Firmware, now: Instant) {
        self.login.firmware = *firmware;
        if let Some(difficulty) = firmware.difficulty {
            self.start_at(difficulty, StartSource::Profile, now);
        }
    }

    /// The driver knows the rig's worker now, and which difficulty it had last; work may be told.
    pub fn handle_welcome(&mut self, remembered: Option<Difficulty>, now: Instant) {
        if let Some(difficulty) = remembered {
            self.start_at(difficulty, StartSource::Remembered, now);
        }
        self.login.welcome = true;
        self.tell_work(now);
    }

    /// The channel shows something new. Call it also right after [`handle_seat`](Self::handle_seat).
    pub fn handle_view(&mut self, view: &ChannelView<D>, now: Instant) {
        if self.closed {
            return;
        }
        if !view.live {
            self.quiet.excused();
        }
        if self.bench.notice(view) {
            self.events.push_back(Event::WantsSeat);
            return;
        }
        self.tell_work(now);
        self.answer_questions();
    }

    /// The rig gets a place on a channel: its first, or another one.
    pub fn handle_seat(&mut self, seat: Seat, now: Instant) {
        if self.closed {
            return;
        }
        match seat.extranonce1() {
            Ok(extranonce1) => self.sit_down(seat, extranonce1, now),
            Err(error) => self.close(CloseReason::Refused(error.to_string().into())),
        }
    }

    /// The rig waits for a seat; for what, as far as the driver knows.
    pub const fn handle_wait(&mut self, wait: Wait) {
        self.login.waits_for = wait;
    }

    /// No channel will ever serve this rig; the reason is told to it.
    pub fn handle_no_seat(&mut self, reason: String) {
        if let Some(id) = self.login.pending_subscribe.take() {
            self.refuse(&id, &Reject::invalid(reason.clone()));
        }
        self.close(CloseReason::NoRoom(reason.into()));
    }

    /// The pool, or whoever stands between, has judged a share that was forwarded.
    pub fn handle_verdict(&mut self, number: u64, verdict: &Result<(), Reject>) {
        let Some(at) = self.in_flight.iter().position(|pending| pending.number == number) else {
            return;
        };
        let pending = self.in_flight.remove(at);
        if pending.unchecked {
            self.judged_by_pool(verdict);
        }
        match verdict {
            Err(reject) if reject.verdict != Verdict::BelowPoolTarget => {
                self.refuse(&pending.id, reject);
            }
            // It did what it was told.
            _ => self.transmit.write(|out| rpc::put_result(out, &pending.id, true)),
        }
    }

    /// The proxy is about to stop, or the driver must end the session.
    pub fn handle_close(&mut self, reason: CloseReason) {
        self.close(reason);
    }

    /// The time has come that [`poll_timeout`](Self::poll_timeout) gave.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        if let Some(reason) = self.login.overdue(&self.config, now) {
            return self.close(reason);
        }
        self.bench.leave_former(now);
        self.bench.check_vardiff(now);
        if self.is_silent(now) {
            return self.close(CloseReason::Silent(self.quiet.limit().unwrap_or_default()));
        }
        self.conclude(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        let login = self.login.deadline(&self.config);
        let vardiff = self.bench.has_work().then(|| self.bench.vardiff.poll_timeout()).flatten();
        let rig = [self.silent_at(), self.conduct.poll_timeout(), self.bench.former_until()];
        rig.into_iter().flatten().chain(login).chain(vardiff).min()
    }

    /// A share to be forwarded. At most one per line.
    pub fn poll_submission(&mut self) -> Option<Submission<D>> {
        self.submission.take()
    }

    /// Something to log, count or do.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The bytes to be written to the rig.
    pub fn transmit(&mut self) -> &mut Transmit {
        &mut self.transmit
    }

    /// Whether the session is over; what [`transmit`](Self::transmit) holds is still written.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Before when nothing more should be read from the rig, since it sends nothing but rubbish.
    #[must_use]
    pub const fn reads_at(&self) -> Option<Instant> {
        self.flood.reads_at()
    }

    /// How many shares wait for the pool's verdict.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether the rig has subscribed and waits for its first seat.
    #[must_use]
    pub const fn wants_seat(&self) -> bool {
        self.login.pending_subscribe.is_some()
    }

    /// Whether the rig can move to another extranonce without being closed.
    #[must_use]
    pub const fn takes_set_extranonce(&self) -> bool {
        self.login.takes_set_extranonce()
    }

    /// Whether the rig can take this seat without being closed.
    #[must_use]
    pub fn can_move(&self, seat: &Seat) -> bool {
        let told = self.bench.told_extranonce();
        let fits = told.is_some_and(|(_, size)| size == seat.split.rig_extranonce2);
        fits && self.login.takes_set_extranonce()
    }

    /// The name that the rig's software gives itself.
    #[must_use]
    pub fn agent(&self) -> Option<&str> {
        self.login.agent.as_deref()
    }

    /// What it has shown of itself so far.
    #[must_use]
    pub fn hello(&self) -> Hello<'_> {
        Hello { agent: self.agent(), calls: self.login.calls }
    }

    /// What is wrong with the rig, as far as its shares showed.
    #[must_use]
    pub const fn diagnosis(&self) -> Option<crate::dialect::Diagnosis> {
        self.conduct.diagnosis()
    }

    /// Whether shares of the rig that nobody checked are held back.
    #[must_use]
    pub const fn is_quarantined(&self) -> bool {
        self.conduct.is_quarantined()
    }

    /// The rig's first worker name.
    #[must_use]
    pub fn worker(&self) -> Option<&Arc<str>> {
        self.login.first_worker()
    }

    /// What a worker of this rig gave as its password; none where it gave none, or one that is too
    /// long to be kept.
    #[must_use]
    pub fn password(&self, worker: &str) -> Option<&crate::secret::Secret> {
        self.login.password(worker)
    }

    /// What the rig was told: its extranonce1 and the size of its extranonce2.
    #[must_use]
    pub fn told_extranonce(&self) -> Option<(&crate::extranonce::Extranonce, usize)> {
        self.bench.told_extranonce()
    }

    /// The difficulty to start with when the rig comes back: that of its level, or what it was told
    /// if that is easier. None before it has sent a good share.
    #[must_use]
    pub fn proven_difficulty(&self) -> Option<Difficulty> {
        let told = self.bench.told_difficulty().filter(|_| self.conduct.is_proven())?;
        let level = self.bench.level_difficulty().unwrap_or(told);
        Some(if level.get() < told.get() { level } else { told })
    }

    /// The number of the rig's lease.
    #[must_use]
    pub fn slot(&self) -> Option<u64> {
        self.bench.slot()
    }

    /// The difficulty of the rig's present target, on the scale that it is told.
    #[must_use]
    pub fn difficulty(&self) -> Option<Difficulty> {
        self.bench.told_difficulty()
    }

    fn bad_line(&mut self, what: &'static str, now: Instant) {
        self.events.push_back(Event::BadLine(what));
        if self.bad_lines.strike(now) {
            self.close(CloseReason::BadLines(what));
        }
    }

    fn refuse(&mut self, id: &Id, reject: &Reject) {
        self.transmit.write(|out| rpc::put_error(out, id, reject, D::ERROR_DATA));
    }

    fn close(&mut self, reason: CloseReason) {
        if !self.closed {
            self.closed = true;
            self.events.push_back(Event::Closed(reason));
        }
    }
}
