//! Serves one rig: a task with one source of wake-ups beside its connection and its timer.

mod leaving;
mod reading;

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arrayvec::ArrayVec;
use bytes::Buf;
use orepass_farm::limits::Trust;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::downstream::{CloseReason, Downstream};
use orepass_stratum::job::Generation;
use orepass_stratum::time::Instant;
use orepass_stratum::verdict::Verdict;

use leaving::LeavingRig;

use super::account::Accounts;
use super::events::Registration;
use super::lines::RigLines;
use super::listener::Inside;
use super::log::RigLog;
use super::roster::{HeldBooks, RosterEntry};
use super::seat::TakenSeat;
use crate::admission::limit_of;
use crate::bell::Calls;
use crate::clock::{Alarm, now};
use crate::net::wire::{Wire, poll_write_all};
use crate::route::Route;
use crate::route::channel::Channel;
use crate::route::mailbox::{CONFIG, MAIL, Mail, Mailbox, ORDERS, ROOM, SAVE, STOP, VIEW};
use crate::worker_threads::WorkerThread;

/// The most places that a rig has left whose channels are remembered, for blocks that it still finds.
const MAX_FORMER: usize = 4;
/// How long a rig may leave anything of what is written to it unread…
const WRITE_WITHIN: Duration = Duration::from_secs(60);
/// …and for how long it may be more than the limit.
const FULL_WITHIN: Duration = Duration::from_secs(10);

/// A rig's session, its connection, and where it sits.
pub(crate) struct ServedRig<D: Dialect> {
    pub(super) session: Downstream<D>,
    wire: Option<Box<dyn Wire>>,
    /// The worker's runtime tells when there is something to read.
    is_at_home: bool,
    lines: RigLines,
    alarm: Alarm,
    /// What the task was called for and could not do yet.
    calls: Calls,
    /// Its turn to leave has come, since the route stops: nothing more is read.
    pub(super) stopping: bool,
    /// A share of the rig has found no room; it is not read until that is taken.
    corked: bool,
    /// When the job came that it was called for, until it is told.
    pub(super) fresh: Option<Instant>,
    /// It has had no good share.
    pub(super) unproven: bool,
    /// Since when there has been something unwritten at every moment.
    unwritten_since: Option<Instant>,
    /// Why it is let go, and until when it may take its last words.
    leaving: Option<Box<LeavingRig>>,
    pub(super) log: RigLog,
    pub(super) accounts: Accounts,
    /// The books of its workers.
    pub(super) books: HeldBooks,
    pub(super) place: Option<TakenSeat<D>>,
    /// The channels that the rig sat on before, for what it finds of the jobs that it was told there,
    /// the last one last. Most rigs stay where they are.
    former: Option<Box<FormerChannels<D>>>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) registration: Registration<D>,
    pub(super) entry: RosterEntry,
    pub(super) route: Arc<Route<D>>,
    /// Its places, while it has them.
    pub(super) inside: Option<Inside>,
    worker: WorkerThread,
}

type FormerChannels<D> = ArrayVec<(Generation, Arc<Channel<D>>), MAX_FORMER>;

/// Why a rig's task stops to serve it.
pub(super) enum Leave {
    /// The rig goes, or has gone.
    Close(CloseReason),
    /// Its channel is with another worker.
    Move(WorkerThread),
}

impl<D: Dialect> ServedRig<D> {
    /// A rig that came to a local port.
    pub(super) fn new(
        route: Arc<Route<D>>,
        wire: Box<dyn Wire>,
        peer: SocketAddr,
        port: u16,
        inside: Inside,
        worker: WorkerThread,
    ) -> Self {
        let entry = route.roster().enter(peer);
        let serial = entry.rig().serial;
        let mailbox = Arc::new(Mailbox::default());
        // It is called for other wishes that come after this.
        route.rigs().join(serial, &mailbox);
        let now_at_work = route.now();
        let trust = inside.stay.trust;
        let stranger = (trust == Trust::Stranger).then(|| Arc::clone(&route.junk));
        let mut session = Downstream::new(
            Arc::clone(&now_at_work.any_pool().dialect),
            Arc::clone(&now_at_work.downstream),
            format!("{:08x}", serial as u32),
            now(),
        );
        if trust == Trust::Trusted {
            session.handle_trust();
        }
        Self {
            session,
            wire: Some(wire),
            // Whoever accepted it did so there, as a rule.
            is_at_home: route.workers().is_here(worker),
            lines: RigLines::new(now_at_work.downstream.limits.line_bytes),
            alarm: Alarm::default(),
            // It may stop already, or have other wishes than those by which the rig was let in.
            calls: STOP | CONFIG,
            stopping: false,
            corked: false,
            fresh: None,
            unproven: true,
            unwritten_since: None,
            leaving: None,
            log: RigLog::new(
                route.name.clone(),
                Arc::clone(entry.rig()),
                stranger,
                Arc::clone(&route.crowd),
            ),
            accounts: Accounts::new(port),
            books: HeldBooks::default(),
            place: None,
            former: None,
            mailbox,
            registration: Registration::new(&route, &entry, trust),
            entry,
            route,
            inside: Some(inside),
            worker,
        }
    }

    /// Where it is to be served.
    pub(super) const fn worker(&self) -> WorkerThread {
        self.worker
    }

    /// Serves the rig until it goes, or until its channel is with another worker.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Leave> {
        if !self.is_at_home {
            match self.wire.take().map(Wire::adopt) {
                Some(Ok(wire)) => self.wire = Some(wire),
                _ => return Poll::Ready(Leave::Close(CloseReason::Gone)),
            }
            self.is_at_home = true;
        }
        self.turn(context)
    }

    /// The rig goes, or has gone.
    pub(super) fn end(&mut self, reason: &CloseReason) {
        if !self.session.is_closed() {
            self.remember();
        }
        if let Some(limit) = limit_of(reason) {
            self.route.around.process.admission.count(limit);
        }
        self.route.traffic.closed(reason);
        self.log.down(&self.route, reason);
    }

    /// From now on another worker serves the rig.
    pub(super) fn go_to(&mut self, worker: WorkerThread) {
        self.alarm.stop();
        self.is_at_home = false;
        self.worker = worker;
    }

    /// Does all that there is to do.
    fn turn(&mut self, context: &mut Context<'_>) -> Poll<Leave> {
        loop {
            let at = now();
            self.calls |= self.mailbox.bell.answer(context.waker());
            let mut went_on = self.take_calls();
            self.take_events();
            match self.read(context) {
                Ok(read) => went_on |= read,
                Err(gone) => return Poll::Ready(Leave::Close(gone)),
            }
            self.conclude();
            went_on |= self.take_events();
            let held = self.calls.has(VIEW) || self.is_full();
            match self.write(context) {
                Ok(wrote) => went_on |= wrote && held,
                Err(gone) => return Poll::Ready(Leave::Close(gone)),
            }
            if let Some(gone) = self.take_leave(context) {
                return Poll::Ready(Leave::Close(gone));
            }
            if let Some(worker) = self.belongs_to() {
                return Poll::Ready(Leave::Move(worker));
            }
            let deadline = self.deadline(at);
            if self.alarm.poll(deadline, context).is_ready() {
                if let Some(gone) = self.on_time() {
                    return Poll::Ready(Leave::Close(gone));
                }
            } else if !went_on {
                return Poll::Pending;
            }
        }
    }

    /// The other worker that the rig's channel is with.
    fn belongs_to(&self) -> Option<WorkerThread> {
        let place = self.place.as_ref().filter(|_| self.leaving.is_none())?;
        Some(place.channel().worker).filter(|worker| *worker != self.worker)
    }

    /// Does what the task was called for; tells whether it was for anything.
    fn take_calls(&mut self) -> bool {
        let calls = std::mem::take(&mut self.calls);
        if calls.has(MAIL) {
            while let Some(Mail { number, verdict }) = self.mailbox.take() {
                self.session.handle_verdict(number, &verdict, now());
                if verdict.is_ok() {
                    self.has_proven();
                }
                self.log.verdict(&verdict, &self.route.warnings);
                if verdict.is_err_and(|reject| reject.verdict == Verdict::Overflow) {
                    self.tell(|farm, rig| farm.handle_overflow(rig, now()));
                }
            }
        }
        if calls.has(ROOM) {
            self.corked = false;
        }
        if calls.has(SAVE)
            && let Some(saving) = self.mailbox.take_saving()
        {
            self.save();
            drop(saving);
        }
        if calls.has(ORDERS) {
            self.take_orders();
        }
        if calls.has(CONFIG) {
            self.take_config();
        }
        if self.leaving() {
            return calls != Calls::NONE;
        }
        if calls.has(VIEW) {
            // A rig that reads slowly is told what is new when it has read what was.
            let gone = self.place.as_ref().is_some_and(|place| place.channel().is_gone());
            if self.session.transmit().has_remaining() && !gone {
                self.calls |= VIEW;
            } else {
                self.look();
                self.fresh = self.place.as_ref().and_then(|place| place.channel().job_came());
            }
        }
        if calls.has(STOP) {
            self.stopping |= self.route.stopping().is_cancelled();
            if self.route.closing_now().is_cancelled() {
                self.session.handle_close(CloseReason::Shutdown);
            }
        }
        calls.without(VIEW) != Calls::NONE
    }

    /// The rig leaves a place; blocks of jobs that it was told there still go to its channel.
    pub(super) fn leave_behind(&mut self, generation: Generation, channel: Arc<Channel<D>>) {
        let former = self.former.get_or_insert_default();
        if former.is_full() {
            former.remove(0);
        }
        former.push((generation, channel));
    }

    /// Writes what the rig is told; tells whether anything was written.
    fn write(&mut self, context: &mut Context<'_>) -> Result<bool, CloseReason> {
        let Some(wire) = &mut self.wire else { return Err(CloseReason::Gone) };
        let written = match poll_write_all(&mut **wire, self.session.transmit(), context) {
            Poll::Ready(Ok(written)) => written,
            Poll::Ready(Err(_)) => return Err(CloseReason::Gone),
            Poll::Pending => 0,
        };
        if written > 0 {
            self.route.traffic.rigs.add_written(written);
        }
        if !self.session.transmit().has_remaining() {
            self.unwritten_since = None;
        } else if self.unwritten_since.is_none() {
            // Also a rig that takes a byte now and then has to take all of it in time.
            self.unwritten_since = Some(now());
        }
        Ok(written > 0)
    }

    /// When [`on_time`](Self::on_time) wants to be called, in a turn that began at an instant.
    fn deadline(&mut self, began: Instant) -> Option<Instant> {
        if let Some(leaving) = &self.leaving {
            return Some(leaving.until);
        }
        // What had passed by then has been acted on; only the session sets its own again.
        let reads = self.session.reads_at().filter(|reads| *reads > began);
        let slow = self.unwritten_since.map(|since| since + self.write_within());
        [reads, slow, self.session.poll_timeout()].into_iter().flatten().min()
    }

    /// The time has come for something; gives why the rig is given up, where it is.
    fn on_time(&mut self) -> Option<CloseReason> {
        let at = now();
        if let Some(leaving) = self.leaving.take() {
            // A rig that does not listen to its last words is closed all the same.
            return Some(leaving.reason);
        }
        let within = self.write_within();
        if self.unwritten_since.is_some_and(|since| since + within <= at) {
            return Some(CloseReason::SlowReader(within));
        }
        self.session.handle_timeout(at);
        None
    }

    /// How long what is unwritten now may be so.
    fn write_within(&mut self) -> Duration {
        if self.is_full() { FULL_WITHIN } else { WRITE_WITHIN }
    }
}

impl<D: Dialect> Drop for ServedRig<D> {
    fn drop(&mut self) {
        self.step_out();
        self.mailbox.close();
        self.route.rigs().leave(self.entry.rig().serial);
    }
}
