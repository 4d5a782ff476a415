//! A session with a rig, where the proxy plays the pool.
//!
//! [`Downstream`] takes the rig's lines, the channel's views and verdicts, and the time; it gives
//! back bytes to write, shares to forward, and events to log and count. Whoever drives it calls,
//! after each input, [`poll_submission`](Downstream::poll_submission),
//! [`poll_event`](Downstream::poll_event) and [`transmit`](Downstream::transmit) until they are
//! empty, and [`handle_timeout`](Downstream::handle_timeout) at
//! [`poll_timeout`](Downstream::poll_timeout).

mod login;
mod options;
mod submit;
mod work;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;
use thiserror::Error;

use crate::channel::{ChannelView, Seat, Submission};
use crate::dialect::{Diagnosis, Dialect};
use crate::error::{Fault, Reject};
use crate::job::JobId;
use crate::line::LineError;
use crate::rpc::{self, Id, Message};
use crate::transmit::Transmit;
use crate::vardiff::VardiffConfig;
use crate::verdict::Verdict;

#[cfg(test)]
mod tests;

use login::Login;
pub use options::LoginOptions;
use submit::Pending;
use work::Bench;

/// The most shares of one rig that may wait for the pool's verdict.
pub const MAX_IN_FLIGHT: usize = 64;
/// The most worker names on one connection.
pub const MAX_WORKERS: usize = 16;
/// The most failed shares of one rig that are looked into: a guess costs several hashes.
const MAX_DIAGNOSES: u8 = 16;
/// The most lines without sense that are borne; the last of them ends the session.
pub const MAX_BAD_LINES: u8 = 5;

/// The wishes of a route for its rigs.
#[derive(Debug, Clone)]
pub struct DownstreamConfig {
    /// Whether shares are checked here, or left to the pool.
    pub verify: Verify,
    /// Whose verdict a rig is told.
    pub reply: Reply,
    /// The difficulty of the rigs.
    pub vardiff: VardiffConfig,
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
    shares: u64,
    scratch: D::Scratch,
    /// How many failed shares may still be looked into.
    diagnoses: u8,
    bad_lines: u8,
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
            login: Login::new(session, now),
            dialect,
            config,
            transmit: Transmit::new(),
            events: VecDeque::new(),
            submission: None,
            in_flight: ArrayVec::new(),
            shares: 0,
            scratch: D::Scratch::default(),
            diagnoses: MAX_DIAGNOSES,
            bad_lines: 0,
            closed: false,
        }
    }

    /// A line came from the rig.
    pub fn handle_line(&mut self, line: &[u8], now: Instant) {
        if self.closed {
            return;
        }
        let Ok(message) = Message::parse(line) else {
            return self.bad_line("not a JSON object");
        };
        let Some(id) = Id::new(message.id) else {
            return self.bad_line("an id that is no number, string or null, or is too long");
        };
        let Some(method) = &message.method else {
            // An answer to something we told it; nothing that we send needs one.
            if message.result.is_none() && message.error.is_none() {
                self.bad_line("no method");
            }
            return;
        };
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
                let reason = format!("unknown method {}", crate::error::shown(method));
                self.refuse(&id, &Reject::invalid(reason));
            }
        }
    }

    /// The bytes from the rig were no line.
    pub fn handle_line_error(&mut self, error: LineError) {
        self.close(CloseReason::Line(error));
    }

    /// The channel shows something new. Call it also right after [`handle_seat`](Self::handle_seat).
    pub fn handle_view(&mut self, view: &ChannelView<D>, now: Instant) {
        if self.closed {
            return;
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
        match verdict {
            Ok(()) => self.transmit.write(|out| rpc::put_result(out, &pending.id, true)),
            Err(reject) => self.refuse(&pending.id, reject),
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
        self.bench.check_vardiff(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        let login = self.login.deadline(&self.config);
        let vardiff = self.bench.has_work().then(|| self.bench.vardiff.poll_timeout()).flatten();
        login.into_iter().chain(vardiff).min()
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

    /// The name that the rig's software gives itself.
    #[must_use]
    pub fn agent(&self) -> Option<&str> {
        self.login.agent.as_deref()
    }

    /// The rig's first worker name.
    #[must_use]
    pub fn worker(&self) -> Option<&Arc<str>> {
        self.login.workers.first()
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

    /// The difficulty of the rig's present target, on the scale that it is told.
    #[must_use]
    pub fn difficulty(&self) -> Option<crate::target::Difficulty> {
        self.bench.told_difficulty()
    }

    fn bad_line(&mut self, what: &'static str) {
        self.bad_lines += 1;
        self.events.push_back(Event::BadLine(what));
        if self.bad_lines >= MAX_BAD_LINES {
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

/// What happened in a session with a rig.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The rig subscribed, or its channel changed its extranonce: it needs a seat.
    WantsSeat,
    /// The rig's subscribe was answered.
    Subscribed,
    /// A worker authorized.
    Authorized(Arc<str>),
    /// A share came. Each is followed by its end: here by [`Ended`](Self::Ended), or by the
    /// verdict of its [`Submission`].
    Sent,
    /// A share ended in this session.
    Ended {
        /// How.
        verdict: Verdict,
        /// The work that it stands for, in hashes; 0 where it proves none.
        hashes: f64,
        /// Why, where it was refused.
        reason: Option<Cow<'static, str>>,
        /// What may be wrong with the rig.
        diagnosis: Option<Diagnosis>,
        /// Whose share it was.
        worker: Option<Arc<str>>,
    },
    /// A share is a block.
    Block {
        /// The job that the rig was told.
        job: JobId,
        /// The hash.
        hash: crate::target::PowHash,
    },
    /// The rig was told a work.
    Told(JobId),
    /// A line made no sense.
    BadLine(&'static str),
    /// Something that the operator should know once.
    Remark(String),
    /// The session is over.
    Closed(CloseReason),
}

/// Why a session with a rig ends.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// What came was no line of stratum.
    #[error("{0}")]
    Line(LineError),
    /// Too many lines without sense.
    #[error("{MAX_BAD_LINES} lines made no sense, the last one: {0}")]
    BadLines(&'static str),
    /// No subscribe in time.
    #[error("no subscribe within {0:?}")]
    SubscribeTimeout(Duration),
    /// No authorize in time.
    #[error("no authorize within {0:?} of the subscribe")]
    AuthorizeTimeout(Duration),
    /// No pool connection in time; nothing was answered.
    #[error("no pool connection within {0:?}; the rig will come back")]
    Parked(Duration),
    /// Every channel is full.
    #[error("{0}")]
    NoRoom(Box<str>),
    /// The rig is to have another extranonce, and cannot be told so.
    #[error("the rig is to have another extranonce and must subscribe again")]
    ExtranonceChanged,
    /// No pool serves, for so long that the rig should go to its own backup.
    #[error("no pool serves; the rig may go to its own backup")]
    Outage,
    /// The rig was refused.
    #[error("{0}")]
    Refused(Box<str>),
    /// The rig closed the connection, or it broke.
    #[error("the rig closed the connection")]
    Gone,
    /// The rig does not read what it is sent.
    #[error("the rig did not read for {0:?}")]
    SlowReader(Duration),
    /// The proxy stops.
    #[error("orepass stops")]
    Shutdown,
}

impl CloseReason {
    /// Who has to act on it.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Line(_)
            | Self::BadLines(_)
            | Self::SubscribeTimeout(_)
            | Self::AuthorizeTimeout(_)
            | Self::Refused(_)
            | Self::Gone
            | Self::SlowReader(_) => Fault::Miner,
            Self::Parked(_) | Self::ExtranonceChanged | Self::Outage => Fault::Pool,
            Self::NoRoom(_) | Self::Shutdown => Fault::Operator,
        }
    }
}
