//! A session with a rig, where the proxy plays the pool.
//!
//! [`Downstream`] takes the rig's lines, the channel's views and verdicts, and the time; it gives
//! back bytes to write, shares to forward, and events to log and count. Whoever drives it calls,
//! after each input, [`poll_event`](Downstream::poll_event) and
//! [`transmit`](Downstream::transmit) until they are empty, and
//! [`handle_timeout`](Downstream::handle_timeout) at
//! [`poll_timeout`](Downstream::poll_timeout). It reads no more lines from a rig that
//! [has no room](Downstream::has_room).

mod access;
mod config;
mod events;
mod in_flight;
mod judge;
mod keepalive;
mod limits;
mod login;
mod misdeeds;
mod options;
mod out;
mod reconfigure;
mod shown;
mod submit;
mod work;

use std::sync::Arc;

use crate::channel::{ChannelView, Seat, Submission};
use crate::dialect::{Dialect, JobName, RigCall, RigSay};
use crate::error::Reject;
use crate::firmware::Firmware;
use crate::line::LineError;
use crate::rpc::{Id, Message, RpcCall};
use crate::target::Difficulty;
use crate::time::Instant;
use crate::transmit::Transmit;

#[cfg(test)]
mod tests;

pub use config::{DownstreamConfig, Reply, Verify};
pub use events::{CloseReason, Complaint, Event, Wait};
pub use login::{MAX_WORKER_NAME, StartSource};

pub use in_flight::MAX_IN_FLIGHT;
use judge::Judge;
use keepalive::Keepalive;
pub use limits::SessionLimits;
use login::Login;
pub use misdeeds::BAD_LINES;
use misdeeds::Misdeeds;
pub use options::LoginOptions;
use out::{DownstreamOut, DownstreamTimer};
use work::{Bench, Question};

/// The most worker names on one connection.
pub const MAX_WORKERS: usize = 16;

/// A session with a rig.
pub struct Downstream<D: Dialect> {
    dialect: Arc<D>,
    config: Arc<DownstreamConfig>,
    out: DownstreamOut,
    login: Login<D::Rig>,
    bench: Bench<D>,
    judge: Judge,
    misdeeds: Misdeeds,
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
        let mut session = Self {
            bench: Bench::new(&config.vardiff, now),
            out: DownstreamOut::new(Keepalive::of(&session)),
            login: Login::new(session, !config.await_welcome),
            judge: Judge::new(config.quarantine),
            dialect,
            config,
            misdeeds: Misdeeds::default(),
        };
        session.login.await_step(&session.config, &mut session.out, now);
        session
    }

    /// A line came from the rig. Gives back the share in it that is to be forwarded. `scratch` is any
    /// memory of its kind; drivers have one for many sessions.
    pub fn handle_line(
        &mut self,
        line: &[u8],
        now: Instant,
        scratch: &mut D::Scratch,
    ) -> Option<Submission<D>> {
        if self.out.is_closed() {
            return None;
        }
        let Ok(message) = Message::parse(line) else {
            self.bad_line("not a JSON object", now);
            return None;
        };
        let Some(id) = Id::new(message.id) else {
            self.bad_line("an id that is no number, string or null, or is too long", now);
            return None;
        };
        let Some(method) = &message.method else {
            // An answer to something we told it; nothing that we send needs one.
            if message.result.is_none() && message.error.is_none() {
                self.bad_line("no method", now);
            }
            return None;
        };
        if let Some(misdeeds) = self.misdeeds.known_mut() {
            misdeeds.bad_lines.good_deed();
        }
        let call = RpcCall { method, params: message.params };
        let share = self.handle_call(id, call, now, scratch);
        self.note_said(now);
        share
    }

    fn handle_call(
        &mut self,
        id: Id,
        call: RpcCall<'_>,
        now: Instant,
        scratch: &mut D::Scratch,
    ) -> Option<Submission<D>> {
        let call_of_rig = self.dialect.hear_rig(call, &mut self.login.rig);
        // A share counts when it is known that it is not good.
        if !matches!(call_of_rig, RigCall::Submit(_)) {
            self.request(now);
        }
        match call_of_rig {
            RigCall::Submit(submit) => return self.submit(&id, submit.as_ref(), now, scratch),
            RigCall::Subscribe { agent, verdict } => {
                self.subscribe(id, agent.as_deref(), verdict, now);
            }
            RigCall::Authorize { worker, password } => {
                self.authorize(&id, call.params, worker.as_deref(), password.as_deref(), now);
            }
            RigCall::WantsExtranonce => self.extranonce_subscribe(&id),
            RigCall::Configure => self.say(RigSay::Configured { id: &id, asked: call.params }),
            RigCall::Suggest(difficulty) => {
                self.suggest_difficulty(&id, call.params, difficulty, now);
            }
            RigCall::Ping => self.say(RigSay::Pong(&id)),
            RigCall::Query { job: JobName { id: Some(job), .. }, kind } => {
                let question = Question { id, job, kind };
                self.bench.answer_or_keep(question, &self.dialect, &self.login.rig, &mut self.out);
            }
            RigCall::Query { job, .. } => self.refuse(&id, &Reject::unknown_job(&job.text)),
            RigCall::Unknown => {
                self.misdeeds.noted().flood.nuisance(now);
                let reason = format!("unknown method {}", crate::error::shown(call.method));
                self.refuse(&id, &Reject::invalid(reason));
            }
        }
        None
    }

    fn say(&mut self, say: RigSay<'_, D::Job, D::Terms>) {
        self.out.say(&*self.dialect, &self.login.rig, say);
    }

    fn refuse(&mut self, id: &Id, reject: &Reject) {
        self.say(RigSay::Refused(id, reject));
    }

    /// The bytes from the rig were no line.
    pub fn handle_line_error(&mut self, error: LineError) {
        self.end(CloseReason::Line(error));
    }

    /// The operator trusts the rig's address: it is neither slowed nor let go for what it sends.
    pub fn handle_trust(&mut self) {
        self.misdeeds.trust();
    }

    /// What is known of the rig's firmware by its subscribe, on which depends which seat it can have.
    pub fn handle_firmware(&mut self, firmware: &Firmware, now: Instant) {
        self.login.honours_set_extranonce = firmware.set_extranonce;
        self.out.keepalive.asks_for(firmware.keepalive);
        if let Some(difficulty) = firmware.difficulty {
            self.start_at(difficulty, StartSource::Profile, now);
        }
    }

    /// The driver knows the rig's worker now: what is known of its firmware, and which difficulty it
    /// had last; work may be told.
    pub fn handle_welcome(
        &mut self,
        firmware: &Firmware,
        remembered: Option<Difficulty>,
        now: Instant,
    ) {
        self.handle_firmware(firmware, now);
        if let Some(difficulty) = remembered {
            self.start_at(difficulty, StartSource::Remembered, now);
        }
        self.login.welcome = true;
        self.bench.tell_work(&self.login, &self.config, &mut self.misdeeds, &mut self.out, now);
        self.note_said(now);
    }

    /// The channel on which the rig sits shows something new.
    pub fn handle_view(&mut self, view: &ChannelView<D>, now: Instant) {
        if self.out.is_closed() {
            return;
        }
        if !view.live {
            self.bench.quiet.excused();
        }
        self.bench.await_share(&mut self.out);
        if self.bench.notice(view) {
            self.out.event(Event::LostSeat);
            return;
        }
        self.bench.tell_work(&self.login, &self.config, &mut self.misdeeds, &mut self.out, now);
        self.bench.answer_questions(&self.dialect, &self.login.rig, &mut self.out);
        self.note_said(now);
    }

    /// The rig gets a place, its first or another one, on the channel that shows `view`.
    pub fn handle_seat(&mut self, seat: Seat, view: &ChannelView<D>, now: Instant) {
        if self.out.is_closed() {
            return;
        }
        match seat.extranonce1() {
            Ok(extranonce1) => self.sit_down(seat, extranonce1, now),
            Err(error) => self.out.close(CloseReason::Refused(error.to_string().into())),
        }
        self.handle_view(view, now);
    }

    /// The rig waits for a seat; for what, as far as the driver knows.
    pub const fn handle_wait(&mut self, wait: Wait) {
        self.login.waits(wait);
    }

    /// No channel will ever serve this rig; the reason is told to it.
    pub fn handle_no_seat(&mut self, reason: String) {
        if let Some(id) = self.login.unpark() {
            self.refuse(&id, &Reject::invalid(reason.clone()));
        }
        self.out.close(CloseReason::NoRoom(reason.into()));
    }

    /// The pool, or whoever stands between, has judged a share that was forwarded.
    pub fn handle_verdict(&mut self, number: u64, verdict: &Result<(), Reject>, now: Instant) {
        let Some(pending) = self.judge.in_flight.take(number) else { return };
        if pending.unchecked {
            self.judge.judged_by_pool(verdict, &mut self.out);
        }
        match verdict {
            Ok(()) => self.say(RigSay::Taken(&pending.id)),
            Err(reject) => self.refuse(&pending.id, reject),
        }
        self.note_said(now);
    }

    /// The proxy is about to stop, or the driver must end the session.
    pub fn handle_close(&mut self, reason: CloseReason) {
        self.end(reason);
    }

    /// The time has come that [`poll_timeout`](Self::poll_timeout) gave.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.out.is_closed() {
            return;
        }
        if let Some(reason) = self.login.overdue(&self.config, &self.out, now) {
            return self.end(reason);
        }
        if self.out.timers.is_due(DownstreamTimer::Former, now) {
            self.bench.leave_former();
            self.out.timers.set(DownstreamTimer::Former, None);
        }
        self.bench.check_vardiff(&self.config, &mut self.out, now);
        if self.bench.is_silent(&self.login.rig, &self.config, &mut self.out, now) {
            return self
                .out
                .close(CloseReason::Silent(self.bench.quiet.limit().unwrap_or_default()));
        }
        self.judge.conclude(&mut self.out, now);
        self.keep_awake(now);
        self.note_said(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.out.timers.next().filter(|_| !self.out.is_closed())
    }

    /// Something to log, count or do.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.out.poll_event()
    }

    /// The bytes to be written to the rig.
    pub fn transmit(&mut self) -> &mut Transmit {
        &mut self.out.transmit
    }

    /// Whether the session is over; what [`transmit`](Self::transmit) holds is still written.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.out.is_closed()
    }

    /// Before when nothing more should be read from the rig, since it sends nothing but rubbish.
    #[must_use]
    pub fn reads_at(&self) -> Option<Instant> {
        self.misdeeds.reads_at()
    }

    /// Whether the rig may send a share now. One that comes all the same is refused as overflow unless
    /// it is a block.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.judge.in_flight.has_room(false)
    }

    fn bad_line(&mut self, what: &'static str, now: Instant) {
        self.out.event(Event::BadLine(what));
        if self.misdeeds.bad_line(self.config.limits.bad_lines, now) {
            self.end(CloseReason::BadLines(what));
        }
    }

    /// A call that brings nothing: not more than so many a second are borne. The first few are a
    /// login, for which nothing is noted.
    pub(super) fn request(&mut self, now: Instant) {
        if !self.login.has_called() {
            return;
        }
        let limit = self.config.limits.requests_per_second;
        if self.misdeeds.noted().pace.request(limit, now) && !self.misdeeds.are_borne() {
            self.end(CloseReason::Requests(limit));
        }
    }

    /// The session is over; the rig is told why where that is of use to it.
    fn end(&mut self, reason: CloseReason) {
        if reason.is_told() && !self.out.is_closed() {
            self.refuse(&Id::null(), &Reject::invalid(reason.to_string()));
        }
        self.out.close(reason);
    }
}
