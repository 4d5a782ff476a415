//! What comes of the events of a rig's session: for the books, the log and the farm.

use std::sync::Arc;

use orepass_farm::farm::{Farm, RigId};
use orepass_farm::limits::Trust;
use orepass_stratum::conduct::Turn;
use orepass_stratum::dialect::{Diagnosis, Dialect};
use orepass_stratum::downstream::{CloseReason, Event};
use orepass_stratum::evidence::ShareEvidence;
use orepass_stratum::target::Difficulty;
use orepass_stratum::verdict::Verdict;
use tracing::trace;

use super::roster::RosterEntry;
use super::task::ServedRig;
use crate::books::ShareBooks;
use crate::clock::now;
use crate::config::UserTemplate;
use crate::evidence::RefusedShare;
use crate::route::Route;
use crate::route::channel::Channel;
use crate::sinks::PendingShare;
use crate::sinks::record::EndedShare;

/// A rig's place in its route's farm, left when it is dropped: after the rig's session, whose seat
/// goes back before.
pub(super) struct Registration<D: Dialect> {
    route: Arc<Route<D>>,
    rig: RigId,
    /// The farm knows that the rig can be told another extranonce.
    follows: bool,
    /// What will be of use when the rig comes back; only now that it goes.
    last: Option<Box<LastSeen>>,
}

/// The difficulty that a rig has proven and the number of its lease, as far as it has them.
#[derive(Default)]
struct LastSeen {
    difficulty: Option<Difficulty>,
    slot: Option<u64>,
}

impl<D: Dialect> Registration<D> {
    pub(super) fn new(route: &Arc<Route<D>>, entry: &RosterEntry, trust: Trust) -> Self {
        let (rig, address) = (RigId(entry.rig().serial), entry.rig().peer.ip());
        let work = Arc::clone(&entry.rig().work);
        route.tell(|farm, now| {
            farm.handle_rig(rig, address, work, now);
            match trust {
                Trust::Stranger => farm.handle_stranger(rig, now),
                Trust::Known => {}
                Trust::Trusted => farm.handle_trust(rig, now),
            }
        });
        Self { route: Arc::clone(route), rig, follows: false, last: None }
    }
}

impl<D: Dialect> Drop for Registration<D> {
    fn drop(&mut self) {
        let (rig, last) = (self.rig, self.last.take().unwrap_or_default());
        self.route.tell(|farm, now| farm.handle_gone(rig, last.difficulty, last.slot, now));
    }
}

impl<D: Dialect> ServedRig<D> {
    /// Books and logs what happened, and has the farm know; tells whether anything did.
    pub(super) fn take_events(&mut self) -> bool {
        let mut any = false;
        while let Some(event) = self.session.poll_event() {
            any = true;
            match event {
                Event::WantsSeat => self.subscribed(),
                // The farm knows by the channel's view.
                Event::LostSeat => {}
                Event::Sent => self.route.book.book().sent(),
                Event::Ended { verdict, hashes, complaint, worker } => {
                    self.book_end(verdict, hashes, worker.as_ref());
                    if verdict.proves_work() && verdict != Verdict::Quarantined {
                        self.entry.rig().work.add(hashes);
                        self.has_proven();
                    }
                    let evidence =
                        complaint.as_ref().and_then(|why| Some((why, why.evidence.as_ref()?)));
                    if let Some((why, evidence)) = evidence {
                        self.show_evidence(verdict, &why.reason, evidence);
                    }
                    let own = self.has_own_connection();
                    self.log.ended(verdict, complaint.as_deref(), own, &self.route.warnings);
                }
                Event::Subscribed => self.introduce(),
                Event::Authorized(worker) => {
                    self.authorized(&worker);
                    self.introduce();
                    self.remark_on_name(&worker);
                }
                Event::Conduct(turn, guess) => self.sentence(turn, guess),
                Event::Misfit(diagnosis) => {
                    self.entry.rig().show(|rig| rig.diagnosis = Some(diagnosis));
                    self.tell(|farm, rig| farm.handle_misfit(rig, diagnosis, now()));
                }
                Event::Told(job) => {
                    trace!(%job, "told");
                    if let Some(came) = self.fresh.take() {
                        self.route.times.fanout.add(now().saturating_duration_since(came));
                    }
                    let difficulty = self.session.difficulty();
                    self.entry.rig().show(|rig| rig.difficulty = difficulty);
                    self.log.told(difficulty);
                }
                Event::Diagnosed(diagnosis) => {
                    self.entry.rig().show(|rig| rig.diagnosis = Some(diagnosis));
                    self.log.diagnosed(diagnosis, &self.route.warnings);
                }
                Event::Proven(merit) => self.tell(|farm, rig| farm.handle_merit(rig, merit, now())),
                Event::BadLine(what) => self.log.bad_line(what),
                Event::Remark(remark) => self.log.remark(&remark),
                Event::Closed(reason) => {
                    if reason == CloseReason::Flood {
                        self.tell(|farm, rig| farm.handle_flood(rig, now()));
                    }
                    self.remember();
                    self.leave(reason);
                }
            }
        }
        self.fresh = None;
        // Also where that was all that it said.
        self.tell_whether_it_follows();
        any
    }

    /// The books of a share that a worker sent for a job of this channel.
    pub(super) fn books_of(&mut self, worker: &Arc<str>, channel: &Channel<D>) -> ShareBooks {
        ShareBooks {
            route: Arc::clone(&self.route.book),
            pool: Arc::clone(&channel.to.book),
            worker: self.route.roster.worker(worker, &mut self.books),
            rig: Arc::clone(self.entry.rig().book()),
        }
    }

    /// Books a share that ended here.
    pub(super) fn book_end(&mut self, verdict: Verdict, hashes: f64, worker: Option<&Arc<str>>) {
        self.route.book.book().ended(verdict, hashes);
        let pool = self.place.as_ref().map(|place| Arc::clone(&place.channel().to.book));
        let of_worker = worker.map(|name| self.route.roster.worker(name, &mut self.books));
        let rig = Some(self.entry.rig().book());
        for book in [pool.as_ref(), of_worker.as_ref(), rig].into_iter().flatten() {
            book.book().sent();
            book.book().ended(verdict, hashes);
        }
        if self.route.around.process.sinks.tap().is_wanted() {
            self.tell_end(verdict, hashes, worker);
        }
    }

    /// Shows what a share was made from that was refused here.
    #[cold]
    fn show_evidence(&self, verdict: Verdict, reason: &str, evidence: &ShareEvidence) {
        let Some(place) = &self.place else { return };
        let account = &place.channel().to.account;
        let share = RefusedShare {
            kind: verdict.name(),
            rig: self.session.worker().map_or("", |worker| worker),
            pool: account.name.as_str(),
            reason,
            pool_options: &account.options,
            evidence,
        };
        self.route.evidence.write(&share, &self.route.now().config);
    }

    /// Tells the sinks of a share that ended here.
    #[cold]
    fn tell_end(&self, verdict: Verdict, hashes: f64, worker: Option<&Arc<str>>) {
        let pool = self.place.as_ref().map(|place| place.channel().to.account.name.shared());
        self.route.around.process.sinks.tap().tell(EndedShare {
            route: self.route.name.shared(),
            pool,
            worker: worker.cloned(),
            verdict,
            hashes,
            credited_hashes: 0.0,
            block: false,
        });
    }

    /// Of a share that goes to the pool, what the sinks are told when it has ended; none where none of them
    /// wants shares.
    pub(super) fn told(
        &self,
        worker: &Arc<str>,
        channel: &Channel<D>,
        block: bool,
    ) -> Option<PendingShare> {
        let tap = self.route.around.process.sinks.tap();
        tap.is_wanted().then(|| PendingShare {
            tap: tap.clone(),
            route: self.route.name.shared(),
            pool: channel.to.account.name.shared(),
            worker: Arc::clone(worker),
            block,
        })
    }

    /// Keeps what will be of use when the rig comes back.
    pub(super) fn remember(&mut self) {
        let (difficulty, slot) = (self.session.proven_difficulty(), self.session.slot());
        self.registration.last = Some(Box::new(LastSeen { difficulty, slot }));
    }

    /// Has the farm note the same now, since the process may not be there when the rig goes.
    pub(super) fn save(&self) {
        let (difficulty, slot) = (self.session.proven_difficulty(), self.session.slot());
        self.tell(|farm, rig| farm.handle_state(rig, difficulty, slot, now()));
    }

    /// It has had a good share: the first one counts.
    pub(super) fn has_proven(&mut self) {
        if std::mem::replace(&mut self.unproven, false) {
            self.first_proof();
        }
    }

    #[cold]
    fn first_proof(&mut self) {
        let address = self.entry.rig().peer.ip();
        if let Some(inside) = &mut self.inside {
            self.route.around.process.admission.proven(address, &mut inside.stay);
        }
        if self.log.is_known() {
            self.tell(|farm, rig| farm.handle_proven(rig, now()));
        }
    }

    pub(super) fn tell(&self, what: impl FnOnce(&mut Farm, RigId)) {
        self.route.tell(|farm, _| what(farm, self.registration.rig));
    }

    /// The route has other wishes. A rig that they do not let in is closed in its turn.
    pub(super) fn take_config(&mut self) {
        let now_at_work = self.route.now();
        let (before, wanted) = (self.session.config(), &now_at_work.downstream);
        let password = &wanted.limits.access_password;
        let is_locked_out = password.is_some()
            && *password != before.limits.access_password
            && self.session.worker().is_some();
        let access = &now_at_work.config.access;
        if is_locked_out || !access.admits(self.entry.rig().peer.ip()) {
            self.tell(|farm, rig| farm.handle_barred(rig, now()));
        }
        self.session.handle_config(Arc::clone(wanted), now());
    }

    /// The rig has said what software it is.
    fn subscribed(&self) {
        if self.session.wants_seat() {
            let by_login = self.session.firmware();
            let agent = self.session.agent().map_or("", |agent| agent);
            self.tell(|farm, rig| farm.handle_subscribe(rig, agent, by_login, now()));
        }
    }

    /// The rig has said who it is, or who besides.
    fn authorized(&self, worker: &Arc<str>) {
        let by_login = self.session.firmware();
        self.tell(|farm, rig| farm.handle_worker(rig, worker, by_login, now()));
    }

    /// Says so where a pool sees the account twice in the name of the rig's first worker.
    fn remark_on_name(&self, worker: &Arc<str>) {
        if self.session.worker() != Some(worker) {
            return;
        }
        let agent = self.session.agent().map(|agent| &**agent);
        let rendered = |user: &UserTemplate| self.accounts.name(user, worker, agent, &self.log);
        let at_work = self.route.now();
        let users = at_work.pools.iter().map(|pool| &pool.account.user);
        let twice = users.map(|user| (user, rendered(user).name));
        let twice = twice.into_iter().find(|(user, name)| user.repeats_account(name));
        if let Some((user, name)) = twice {
            self.log.remark(&format!(
                "the pool sees {name:?}, with the account twice: the rig's own name begins with it; \
                 {{rig}} in place of {{worker}} in `user` ({user}) leaves it out"
            ));
        }
    }

    fn tell_whether_it_follows(&mut self) {
        let follows = self.session.takes_set_extranonce();
        if std::mem::replace(&mut self.registration.follows, follows) != follows {
            self.tell(|farm, rig| farm.handle_follows(rig, follows, now()));
        }
    }

    /// The rig enters or leaves quarantine.
    fn sentence(&mut self, turn: Turn, guess: Option<Diagnosis>) {
        self.log.turn(turn, guess, &self.route.warnings);
        self.entry.rig().show(|rig| {
            rig.quarantined = turn == Turn::Quarantined;
            rig.diagnosis = guess.or(rig.diagnosis);
        });
        if turn == Turn::Quarantined {
            self.tell(|farm, rig| farm.handle_quarantine(rig, now()));
        }
    }

    /// Puts the rig on the roster and into the log.
    fn introduce(&mut self) {
        let (worker, agent) = (self.session.worker(), self.session.agent());
        self.entry.rig().show(|rig| {
            (rig.worker, rig.agent) = (worker.cloned(), agent.cloned());
        });
        let channel = self.place.as_ref().map(|place| place.channel().id.0);
        let own = self.has_own_connection();
        self.log.up(&self.session, channel, own);
    }
}
