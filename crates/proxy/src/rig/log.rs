//! What the log says of one rig.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use orepass_farm::limits::Limit;
use orepass_stratum::channel::ShareOutcome;
use orepass_stratum::conduct::{LOOKED_AT, MAX_BAD, Turn};
use orepass_stratum::dialect::{Diagnosis, Dialect};
use orepass_stratum::downstream::{CloseReason, Complaint, Downstream};
use orepass_stratum::error::Reject;
use orepass_stratum::firmware::Firmware;
use orepass_stratum::job::JobId;
use orepass_stratum::target::{Difficulty, PowHash};
use orepass_stratum::verdict::Verdict;
use tracing::{debug, info, warn};

use super::crowd::{Crowd, RigNews};
use super::roster::OnlineRig;
use super::warnings::{RigWarning, RigWarnings};
use crate::admission::limit_of;
use crate::clock::now;
use crate::config::Name;
use crate::net::junk::JunkLog;
use crate::repeated_warnings::{Fold, nonzero};
use crate::route::Route;

/// How often one rig's refused shares are logged, each time with the count since.
const REFUSED_EVERY: Duration = Duration::from_secs(60);

/// By so many times a rig's difficulty must change to be worth a line.
const MUCH: f64 = 4.0;

/// Logs news of a rig that is as it should be: at level info those that have a line of their own.
macro_rules! news {
    ($own_line:expr, $($line:tt)*) => {
        if $own_line { info!($($line)*) } else { debug!($($line)*) }
    };
}

/// Tells the story of one rig: it came, its first share, why its shares are refused, it left.
pub(crate) struct RigLog {
    whose: Whose,
    /// What is said of a rig that has shown no work is counted by its address.
    stranger: Option<Arc<JunkLog>>,
    /// Where many come and go at once, they have one line in all.
    crowd: Arc<Crowd>,
    is_up: bool,
    first_share_told: bool,
    renamed: bool,
    /// Most rigs need none.
    refused: Option<Box<Fold>>,
    diagnosis: Option<Diagnosis>,
    bad_lines: u32,
    /// What the log said last, or would have.
    difficulty: Option<Difficulty>,
}

/// Whose story it is.
#[derive(Debug, Clone)]
struct Whose {
    route: Name,
    rig: Arc<OnlineRig>,
    /// Its first worker, once it is up.
    worker: Option<Arc<str>>,
}

impl Whose {
    /// The fields of each line: the route, the rig, and where it connects from.
    fn fields(&self) -> (&str, &str, SocketAddr) {
        (self.route.as_str(), self.worker.as_deref().unwrap_or_default(), self.rig.peer)
    }

    /// The rig's name among others.
    fn name(&self) -> String {
        self.worker.as_deref().map_or_else(|| self.rig.peer.to_string(), str::to_owned)
    }
}

impl RigLog {
    /// A rig has connected; with the log of strangers where it is one.
    #[must_use]
    pub(crate) const fn new(
        route: Name,
        rig: Arc<OnlineRig>,
        stranger: Option<Arc<JunkLog>>,
        crowd: Arc<Crowd>,
    ) -> Self {
        Self {
            whose: Whose { route, rig, worker: None },
            stranger,
            crowd,
            is_up: false,
            first_share_told: false,
            renamed: false,
            refused: None,
            diagnosis: None,
            bad_lines: 0,
            difficulty: None,
        }
    }

    /// It has shown work; tells whether it was a stranger before.
    pub(super) fn is_known(&mut self) -> bool {
        self.stranger.take().is_some()
    }

    /// Whether a line about it may be written now: of strangers one for each address and minute.
    fn may_say(&self) -> bool {
        let address = self.whose.rig.peer.ip();
        self.stranger.as_ref().is_none_or(|junk| junk.may_log(address, now()).is_some())
    }

    /// Whether such news have a line of their own, if they are of a stranger or not.
    fn has_line(&self, news: RigNews) -> bool {
        self.crowd.tell(news, self.may_say(), now())
    }

    /// Whose story it is.
    pub(super) const fn rig(&self) -> &Arc<OnlineRig> {
        &self.whose.rig
    }

    /// It subscribed or authorized; with both it is up.
    pub(crate) fn up<D: Dialect>(
        &mut self,
        session: &Downstream<D>,
        channel: Option<u64>,
        own_connection: bool,
    ) {
        let (Some(worker), Some((extranonce1, size)), false) =
            (session.worker(), session.told_extranonce(), self.is_up)
        else {
            return;
        };
        self.is_up = true;
        self.whose.worker = Some(Arc::clone(worker));
        let own_line = self.has_line(RigNews::Came);
        let (route, rig, peer) = self.whose.fields();
        let agent = session.agent().map_or("unknown", |agent| agent);
        let how =
            if own_connection { "rig up, with a pool connection of its own" } else { "rig up" };
        news!(
            own_line, event = "rig.up", route, rig, %peer, agent,
            %extranonce1, extranonce2_size = size, channel,
            difficulty = session.difficulty().map(Difficulty::get), "{how}"
        );
    }

    /// It was told a work with this difficulty.
    pub(super) fn told(&mut self, difficulty: Option<Difficulty>) {
        let Some(difficulty) = difficulty else { return };
        let Some(before) = self.difficulty else {
            self.difficulty = Some(difficulty);
            return;
        };
        let (from, to) = (before.get(), difficulty.get());
        if from.max(to) < MUCH * from.min(to) {
            return;
        }
        self.difficulty = Some(difficulty);
        let own_line = self.is_up && self.has_line(RigNews::Remark);
        let (route, rig, peer) = self.whose.fields();
        news!(
            own_line, event = "rig.difficulty", route, rig, %peer, difficulty = to, before = from,
            "its difficulty has changed much"
        );
    }

    /// A share ended within the session.
    pub(crate) fn ended(
        &mut self,
        verdict: Verdict,
        complaint: Option<&Complaint>,
        own_connection: bool,
        warnings: &RigWarnings,
    ) {
        let reason = complaint.map_or("good, below the pool's target", |why| &*why.reason);
        let diagnosis = complaint.and_then(|why| why.diagnosis);
        let diagnosis = diagnosis.filter(|diagnosis| self.diagnosis != Some(*diagnosis));
        let diagnosis = diagnosis.filter(|_| self.may_say());
        if let Some(diagnosis) = diagnosis {
            self.diagnosis = Some(diagnosis);
            let consequence = consequence(diagnosis, own_connection);
            let text = format!("{reason}: {diagnosis}; {consequence}");
            if self.has_own_line(warnings, RigWarning::diagnosis(diagnosis), 0, &text) {
                let (route, rig, peer) = self.whose.fields();
                warn!(event = "rig.diagnosis", route, rig, %peer, "{text}");
            }
        }
        // Such a line stands for one that says that the share was refused.
        self.share(verdict, reason, diagnosis.is_some(), warnings);
    }

    /// It enters or leaves quarantine.
    pub(crate) fn turn(&self, turn: Turn, guess: Option<Diagnosis>, warnings: &RigWarnings) {
        if !self.may_say() {
            return;
        }
        let (route, rig, peer) = self.whose.fields();
        match turn {
            Turn::Quarantined => {
                let guess = guess.map_or_else(|| "no known cause fits".into(), |d| d.to_string());
                let text = format!(
                    "quarantined: more than {MAX_BAD} of its last {LOOKED_AT} shares were bad \
                     ({guess}); good ones go to the pool, and what cannot be checked does not until \
                     {LOOKED_AT} in a row hold fewer bad ones"
                );
                if self.has_own_line(warnings, RigWarning::QUARANTINE, 0, &text) {
                    warn!(event = "rig.quarantine", route, rig, %peer, "{text}");
                }
            }
            Turn::Released => {
                info!(event = "rig.released", route, rig, %peer, "out of quarantine: its shares count again");
            }
        }
    }

    /// The pool's verdict on a share.
    pub(crate) fn verdict(&mut self, verdict: &Result<(), Reject>, warnings: &RigWarnings) {
        match verdict {
            Ok(()) => self.share(Verdict::AcceptedByPool, "accepted", false, warnings),
            Err(reject) => self.share(reject.verdict, &reject.reason, false, warnings),
        }
    }

    /// A share that is a block by its hash goes to the pool.
    pub(crate) fn candidate(&self, job: JobId, hash: PowHash) -> Candidate {
        let (route, rig, peer) = self.whose.fields();
        debug!(event = "share.candidate", route, rig, %peer, %job, %hash, "a block, if the pool takes it");
        Candidate { whose: self.whose.clone(), job, hash }
    }

    /// Something is wrong with the rig, though its shares are good.
    pub(crate) fn diagnosed(&mut self, diagnosis: Diagnosis, warnings: &RigWarnings) {
        if self.diagnosis.replace(diagnosis) == Some(diagnosis) || !self.may_say() {
            return;
        }
        let text = format!("{diagnosis}; {}", consequence(diagnosis, false));
        if self.has_own_line(warnings, RigWarning::diagnosis(diagnosis), 0, &text) {
            let (route, rig, peer) = self.whose.fields();
            warn!(event = "rig.diagnosis", route, rig, %peer, "{text}");
        }
    }

    /// A line made no sense.
    pub(crate) fn bad_line(&mut self, what: &str) {
        self.bad_lines = self.bad_lines.saturating_add(1);
        let bad_lines = self.bad_lines;
        let (route, rig, peer) = self.whose.fields();
        debug!(event = "rig.bad_line", route, rig, %peer, bad_lines, what, "a line makes no sense");
    }

    /// A worker's name was changed to be fit for a pool. Said once for each rig.
    pub(crate) fn renamed(&mut self, worker: &str, name: &str) {
        if std::mem::replace(&mut self.renamed, true) {
            return;
        }
        let own_line = self.has_line(RigNews::Remark);
        let (route, rig, peer) = self.whose.fields();
        news!(
            own_line, event = "rig.renamed", route, rig, %peer, worker, name,
            "pools see another name: letters, digits and . _ - are kept, 64 bytes of each part, \
             128 in all"
        );
    }

    /// Something to know about this rig.
    pub(crate) fn remark(&self, remark: &str) {
        let own_line = self.has_line(RigNews::Remark);
        let (route, rig, peer) = self.whose.fields();
        news!(own_line, event = "rig.remark", route, rig, %peer, "{remark}");
    }

    /// It left, or was let go.
    pub(crate) fn down<D: Dialect>(&self, route: &Route<D>, reason: &CloseReason) {
        let (name, rig, peer) = self.whose.fields();
        let limit = limit_of(reason);
        let (remedy, limit) = (limit.map_or("", Limit::remedy), limit.map(Limit::name));
        let but = if remedy.is_empty() { "" } else { "; " };
        if self.is_up {
            let (own_line, fault) = (self.has_line(RigNews::Left), reason.fault());
            news!(
                own_line, event = "rig.down", route = name, rig, %peer, %fault, limit,
                "rig down: {reason}{but}{remedy}"
            );
        } else if matches!(reason, CloseReason::Gone | CloseReason::Shutdown) {
            // A port check, or a rig that never said who it is.
            debug!(event = "rig.down", route = name, %peer, "{reason}");
        } else if let Some(more) = route.junk.may_log(peer.ip(), now()) {
            let more_since_last = nonzero(more);
            warn!(
                event = "rig.refused", route = name, %peer, limit, more_since_last,
                "closed: {reason}{but}{remedy}"
            );
        }
    }

    /// A share has its verdict; `told` where the log has said more of it than that already.
    fn share(&mut self, verdict: Verdict, reason: &str, told: bool, warnings: &RigWarnings) {
        let (route, rig, peer) = self.whose.fields();
        debug!(event = "share", route, rig, %verdict, reason);
        if verdict == Verdict::SecondSolution {
            // Real work, and nobody's fault that no pool counts it.
            return;
        }
        let first = !std::mem::replace(&mut self.first_share_told, true) && !told;
        let good = matches!(verdict, Verdict::AcceptedByPool | Verdict::BelowPoolTarget);
        if good {
            if first {
                // It is no stranger's.
                let own_line = self.crowd.tell(RigNews::FirstShare, true, now());
                let difficulty = self.difficulty.map(Difficulty::get);
                news!(
                    own_line, event = "rig.first_share", route, rig, %peer, %verdict, difficulty,
                    "first share: {reason}"
                );
            }
            return;
        }
        if !self.may_say() {
            return;
        }
        if first {
            let text = format!("first share refused: {reason}");
            if self.has_own_line(warnings, RigWarning::first_share(verdict), 0, &text) {
                warn!(event = "rig.first_share", route, rig, %peer, %verdict, "{text}");
            }
        }
        // Stale shares come with every block and are in the summary.
        if verdict == Verdict::Stale {
            return;
        }
        let refused = self.refused.get_or_insert_with(|| Box::new(Fold::new(REFUSED_EVERY)));
        let Some(more) = refused.say(now()) else { return };
        if first || (told && more == 0) {
            return;
        }
        let text = format!("share refused: {reason}");
        if self.has_own_line(warnings, RigWarning::refused(verdict), more, &text) {
            let (route, rig, peer) = self.whose.fields();
            warn!(
                event = "share.refused", route, rig, %peer, %verdict,
                more_since_last = nonzero(more), "{text}"
            );
        }
    }

    /// Whether a warning about this rig has a line of its own; else it is one of many.
    fn has_own_line(
        &self,
        warnings: &RigWarnings,
        warning: RigWarning,
        left_out: u64,
        text: &str,
    ) -> bool {
        warnings.may_say(warning, left_out, || (self.whose.name(), text.to_owned()), now())
    }
}

/// A share that is a block by its hash, on its way to the pool.
#[derive(Debug)]
pub(crate) struct Candidate {
    whose: Whose,
    job: JobId,
    hash: PowHash,
}

impl Candidate {
    /// The pool has decided, or nobody will.
    pub(crate) fn judged(&self, outcome: &ShareOutcome) {
        let Self { whose, job, hash } = self;
        let (route, rig, peer) = whose.fields();
        let verdict = outcome.booked;
        match outcome.reason() {
            None => {
                info!(event = "share.block", route, rig, %peer, %job, %hash, "found a block: the pool took it");
            }
            Some(reason) => warn!(
                event = "share.block_lost", route, rig, %peer, %job, %hash, %verdict,
                "a share that is a block by its hash was not taken: {reason}"
            ),
        }
    }
}

/// What Orepass does about what a rig does wrong, or what the operator can do.
fn consequence(diagnosis: Diagnosis, own_connection: bool) -> &'static str {
    let Some(remedy) = Firmware::remedy(diagnosis) else { return diagnosis.advice() };
    if !remedy.is_particular() {
        "it is closed after three such shares, and from now on closed instead of told another \
         extranonce1"
    } else if own_connection {
        "it has a pool connection of its own already, so that only another firmware helps"
    } else {
        "after 20 shares or 60 s it is closed, and gets a pool connection of its own when it comes \
         back"
    }
}
