//! What of a route needs somebody at this moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use orepass_farm::pools::{Cause, Gate, PoolHealth};
use orepass_farm::stats::{AgainstNorm, WindowRates};
use orepass_stratum::dialect::{Dialect, Work};
use orepass_stratum::verdict::Verdict;

use super::Watched;
use super::concern::Concern;
use super::diagnostics::{Finding, MAX_NAMED};
use super::route::{FarmSays, against_norm};
use super::state::WorkerState;
use super::worker::{WatchedWorker, age};
use crate::clock::unix_seconds;
use crate::hash_rate::HashRate;
use crate::rig::roster::OnlineRig;
use crate::route::Route;
use crate::route::channel::Channel;

/// From this part of what a pool was sent in ten minutes on, its refusals are worth a look…
const REJECTS: f64 = 0.02;
/// …where it got so many times the work of one share.
const FEW_SHARES: f64 = 20.0;
/// Blocks of most coins are ten minutes apart at most, on average: three of them are seldom waited for
/// longer than that.
const OLD_JOB_S: f64 = 3600.0;
/// How far apart the calendar and a job's time may be. Servers take times two hours ahead, and a job may be
/// some minutes old when it comes.
const CLOCK_OFF_S: u64 = 900;
/// From this part of all places on they run short.
const PLACES: f64 = 0.9;
/// For so many days a certificate is good at least, or somebody should know.
const CERTIFICATE_DAYS: i64 = 14;

impl<D: Dialect> Route<D> {
    pub(super) fn all_findings(&self) -> Vec<Finding> {
        let channels: Vec<_> = self.channels().values().map(Arc::clone).collect();
        let mut found = self.of_pools(&channels);
        found.extend(self.of_places(&channels));
        found.extend(self.of_rigs());
        found.extend(self.of_workers());
        found.extend(self.of_certificate());
        found
    }

    fn of_pools(&self, channels: &[Arc<Channel<D>>]) -> Vec<Finding> {
        let mut found = Vec::new();
        let at_work = self.now();
        let FarmSays { gate, health, shares } =
            self.ask(|farm| FarmSays::of(farm, at_work.pools.len()));
        if gate != Gate::Open {
            let detail = match gate {
                Gate::Closed => "the rigs are let go to their own backup",
                _ => "the rigs are held",
            };
            found.push(Finding::new(Concern::NoPool, "", detail));
        }
        let first =
            at_work.in_order().iter().map(|slot| at_work.pools[*slot].account.standing.rank);
        let first = first.min().unwrap_or_default();
        for &slot in at_work.in_order() {
            let (pool, name) = (&at_work.pools[slot], at_work.name_of(slot));
            match health[slot] {
                PoolHealth::Down(Cause::Account) | PoolHealth::Benched(_, Cause::Account) => {
                    found.push(Finding::new(
                        Concern::PoolAccount,
                        name,
                        pool.account.url.authority(),
                    ));
                }
                PoolHealth::Down(cause) | PoolHealth::Benched(_, cause) => {
                    found.push(Finding::new(Concern::PoolDown, name, cause.name()));
                }
                _ => {}
            }
            let part = shares.get(slot).copied().unwrap_or_default();
            if pool.account.standing.rank > first && part > 0.0 {
                let detail = format!("{:.0} % of the work", 100.0 * part);
                found.push(Finding::new(Concern::OnBackup, name, detail));
            }
            let [_, ten, ..] = pool.book.reading().rates();
            found.extend(rejects(name, &ten));
            let own = channels.iter().filter(|channel| channel.pool == slot && channel.is_live());
            let braked = own.clone().filter(|channel| channel.view().floor.is_some()).count();
            if braked > 0 {
                let detail = format!("on {braked} of its connections");
                found.push(Finding::new(Concern::Braked, name, detail));
            }
            let newest = own.filter_map(|channel| channel.view().work.clone());
            if let Some(newest) = newest.max_by_key(|work| work.arrived) {
                let old = age(newest.arrived);
                if old > OLD_JOB_S {
                    let detail = format!("the newest is {:.0} minutes old", old / 60.0);
                    found.push(Finding::new(Concern::OldJob, name, detail));
                }
                found.extend(newest.job.time().and_then(|time| clock(name, time, old)));
            }
        }
        found
    }

    fn of_places(&self, channels: &[Arc<Channel<D>>]) -> Vec<Finding> {
        let (mut found, at_work) = (Vec::new(), self.now());
        let waiting = self.ask(|farm| farm.waiting().count());
        if waiting > 0 && channels.iter().any(|channel| channel.is_live()) {
            let detail = format!("{waiting} rigs wait");
            found.push(Finding { count: waiting, ..Finding::new(Concern::RigsWait, "", detail) });
        }
        let shared = || channels.iter().filter(|channel| !channel.dedicated);
        let (mut used, mut total, mut undivided) = (0, 0, 0);
        for channel in shared() {
            if let Some(ground) = &channel.view().ground {
                used += ground.space.lent();
                total += ground.space.capacity();
                undivided += usize::from(ground.split.prefix_bytes == 0);
            }
        }
        let is_last = shared().count() >= at_work.config.max_channels;
        if is_last && total > 0 && used as f64 > PLACES * total as f64 {
            let detail = format!("{used} of {total} are taken");
            found.push(Finding::new(Concern::PlacesShort, "", detail));
        }
        if undivided > 0 && at_work.config.prefix_bytes != Some(0) {
            let detail = format!("{undivided} connections");
            found.push(Finding::new(Concern::Undivided, "", detail));
        }
        found
    }

    fn of_rigs(&self) -> Vec<Finding> {
        let (mut silent, mut quarantined) = (Vec::new(), Vec::new());
        let mut misfits: BTreeMap<&'static str, (_, Vec<String>)> = BTreeMap::new();
        for rig in self.roster.rigs() {
            let (shown, name) = (rig.shown(), name_of(&rig));
            if let Some(diagnosis) = shown.diagnosis {
                misfits
                    .entry(diagnosis.name())
                    .or_insert((diagnosis, Vec::new()))
                    .1
                    .push(name.clone());
            }
            match WorkerState::now_of(&rig) {
                WorkerState::Silent => silent.push(name),
                WorkerState::Quarantined => quarantined.push(name),
                _ => {}
            }
        }
        let mut found = Vec::new();
        found.extend(about(Concern::RigsQuarantined, "", quarantined, "rigs"));
        for (name, (diagnosis, rigs)) in misfits {
            let finding = about(Concern::RigsMisfit, name, rigs, "rigs");
            found.extend(finding.map(|finding| Finding {
                detail: format!("{}: {diagnosis}; {}", finding.detail, diagnosis.advice()),
                ..finding
            }));
        }
        found.extend(about(Concern::RigsSilent, "", silent, "rigs"));
        found
    }

    fn of_workers(&self) -> Vec<Finding> {
        let (mut offline, mut low) = (Vec::new(), Vec::new());
        for WatchedWorker { name, rigs, book } in Watched::workers(self) {
            let Some(book) = book else { continue };
            if rigs.is_empty() {
                // Names that never mined are nobody's.
                if book.seen().is_some_and(|seen| seen.last_share.is_some()) {
                    offline.push(name.as_ref().to_owned());
                }
                continue;
            }
            let reading = book.reading();
            let expected = self.expected_hashrate(&name, &[], rigs.len());
            let (norm, against) = against_norm(&reading, expected);
            if against == AgainstNorm::Low {
                let [norm, present] =
                    [norm.unwrap_or_default(), reading.present().per_second].map(HashRate::new);
                low.push(format!("{name} ({present} of {norm})"));
            }
        }
        let mut found = Vec::new();
        found.extend(about(Concern::WorkersOffline, "", offline, "workers"));
        found.extend(about(Concern::RateLow, "", low, "workers"));
        let [_, ten, ..] = self.book.reading().rates();
        found.extend(refused(&ten));
        found
    }

    fn of_certificate(&self) -> Option<Finding> {
        match self.front().certificate()? {
            Err(trouble) => Some(Finding::new(Concern::CertificateUnusable, "", trouble)),
            Ok(facts) if facts.days_left < CERTIFICATE_DAYS => {
                let detail = format!("{}: good until {}", facts.name(), facts.until);
                Some(Finding::new(Concern::CertificateEnds, "", detail))
            }
            Ok(_) => None,
        }
    }
}

fn rejects(pool: &str, rates: &WindowRates) -> Option<Finding> {
    let of = |verdict: Verdict| rates.kinds[verdict as usize];
    let refused = of(Verdict::RejectedByPool);
    let sent = refused + of(Verdict::AcceptedByPool) + of(Verdict::Unanswered);
    let detail = || format!("{:.1} % of the last ten minutes", 100.0 * refused / sent);
    (shares(rates) >= FEW_SHARES && refused > REJECTS * sent)
        .then(|| Finding::new(Concern::PoolRejects, pool, detail()))
}

/// Of the work that rigs claim, what is refused here.
fn refused(rates: &WindowRates) -> Option<Finding> {
    let refused = Verdict::ALL.into_iter().filter(|verdict| {
        // A further solution is real work, and what is held back was told of.
        !verdict.passed_checks()
            && !matches!(verdict, Verdict::SecondSolution | Verdict::Quarantined)
    });
    let refused: Vec<_> =
        refused.map(|verdict| (rates.kinds[verdict as usize], verdict.name())).collect();
    let sum: f64 = refused.iter().map(|(rate, _)| rate).sum();
    let all: f64 = rates.kinds.iter().sum();
    let (_, most) = refused.into_iter().max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    let detail =
        || format!("{:.1} % of the last ten minutes, most of it {most}", 100.0 * sum / all);
    (shares(rates) >= FEW_SHARES && sum > REJECTS * all)
        .then(|| Finding::new(Concern::SharesRefused, "", detail()))
}

/// From how many shares rates are known, about: by its error a rate tells.
fn shares(rates: &WindowRates) -> f64 {
    (rates.accepted.per_second / rates.accepted.error.max(f64::MIN_POSITIVE)).powi(2)
}

fn clock(pool: &str, time: u64, age: f64) -> Option<Finding> {
    let (ours, theirs) = (unix_seconds(), time.saturating_add(age as u64));
    let off = ours.abs_diff(theirs);
    let way = if ours < theirs { "behind" } else { "ahead of" };
    let detail = || format!("our clock is {} minutes {way} the pool's jobs", off / 60);
    (off > CLOCK_OFF_S).then(|| Finding::new(Concern::ClockOff, pool, detail()))
}

/// A finding about rigs or workers, if there are any.
fn about(concern: Concern, subject: &str, mut named: Vec<String>, what: &str) -> Option<Finding> {
    let count = named.len();
    named.sort_unstable();
    named.truncate(MAX_NAMED);
    let detail = if count == 1 { named[0].clone() } else { format!("{count} {what}") };
    (count > 0).then(|| Finding { count, named, ..Finding::new(concern, subject, detail) })
}

/// Its worker's name, or where it comes from.
fn name_of(rig: &OnlineRig) -> String {
    rig.shown().worker.map_or_else(|| rig.peer.to_string(), |worker| worker.as_ref().to_owned())
}
