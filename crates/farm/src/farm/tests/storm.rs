//! Nights of random rigs and pools, which the rules of all stories are held against.

use orepass_stratum::dialect::Diagnosis;
use orepass_stratum::error::RejectCode;
use orepass_stratum::firmware::Merit;
use orepass_stratum::verdict::Verdict;

use super::dice::Dice;
use super::*;
use crate::pools::Cause;

#[cfg(test)]
const SEEDS: u64 = 1000;
/// What happens in a night.
const HAPPENINGS: usize = 150;
/// The most slots that there are for pools.
const MAX_POOLS: usize = 12;
/// A rig that has waited for so long gives up.
const PARKED_FOR: Duration = Duration::from_secs(15);

struct Night {
    story: Story,
    rng: Dice,
    /// Which pools are there.
    up: Vec<bool>,
    /// When channels without a connection try again.
    tries: BTreeMap<ChannelId, Instant>,
    /// Rigs without a seat, and since when.
    parked: BTreeMap<u64, Instant>,
    rigs: u64,
}

impl Night {
    fn new(mut rng: Dice) -> Self {
        let mut config = config(rng.usize(1..=3));
        for pool in &mut config.pools {
            pool.standing.rank = rng.usize(0..3);
        }
        config.prefix_bytes = (rng.u8(0..4) == 0).then_some(0);
        config.max_channels = rng.usize(1..=4);
        config.max_dedicated = rng.usize(1..=3);
        config.hold_for = Some(Duration::from_secs(rng.u64(1..300)));
        let max_rigs = rng.usize(1..=6);
        let up = vec![true; config.pools.len()];
        let mut story = Story::with(config, max_rigs);
        story.rig_extranonce2 = rng.usize(3..=4);
        Self { story, rng, up, tries: BTreeMap::new(), parked: BTreeMap::new(), rigs: 0 }
    }

    fn happening(&mut self) {
        match self.rng.u8(0..100) {
            0..25 => self.come(),
            25..33 => {
                if let Some(rig) = self.some_rig() {
                    self.go(rig);
                }
            }
            33..43 => {
                let pool = self.rng.usize(0..self.up.len());
                self.jobs(Some(pool));
            }
            43..50 => {
                if let Some(channel) = self.some_channel() {
                    let how = [Ending::Lost, Ending::SentAway][self.rng.usize(0..2)];
                    self.lose(channel, how);
                }
            }
            50..55 => {
                let pool = self.rng.usize(0..self.up.len());
                self.up[pool] ^= true;
                let there = self.live().into_iter().filter(|id| self.pool_of(*id) == pool);
                for channel in there.filter(|_| !self.up[pool]).collect::<Vec<_>>() {
                    self.lose(channel, Ending::GivenUp(Cause::Connection));
                }
            }
            55..60 => {
                let Some(rig) = self.some_rig() else { return };
                self.story.farm.handle_overflow(RigId(rig), self.story.now);
            }
            60..63 => {
                let Some(rig) = self.some_rig() else { return };
                let diagnosis = [
                    Diagnosis::TRUNCATES_EXTRANONCE1,
                    Diagnosis::IGNORES_EXTRANONCE2_SIZE,
                    Diagnosis::IGNORES_SET_EXTRANONCE,
                ][self.rng.usize(0..3)];
                self.story.farm.handle_misfit(RigId(rig), diagnosis, self.story.now);
                self.go(rig);
            }
            63..66 => {
                let Some(rig) = self.some_rig() else { return };
                let merit = [Merit::Shares, Merit::Sizes, Merit::Follows][self.rng.usize(0..3)];
                self.story.farm.handle_merit(RigId(rig), merit, self.story.now);
            }
            66..68 => {
                let Some(rig) = self.some_rig() else { return };
                self.story.farm.handle_quarantine(RigId(rig), self.story.now);
            }
            68..69 => {
                let Some(channel) = self.some_channel() else { return };
                self.story.channels.remove(&channel);
                self.story.farm.handle_closed(channel, self.story.now);
            }
            69..72 => {
                let Some(channel) = self.some_channel() else { return };
                let refusal = Reject::new(RejectCode::Other, "no", Verdict::RejectedByPool);
                let verdicts: Vec<_> = (0..self.rng.usize(0..40))
                    .map(|_| if self.rng.bool() { Ok(()) } else { Err(refusal.clone()) })
                    .collect();
                self.story.farm.handle_verdicts(channel, &verdicts, self.story.now);
            }
            72..74 => {
                let Some(rig) = self.some_rig() else { return };
                let follows = self.rng.bool();
                self.story.farm.handle_follows(RigId(rig), follows, self.story.now);
            }
            74..77 => self.edit(),
            _ => {
                let millis = self.rng.u64(0..8_000);
                self.sleep(millis);
            }
        }
        self.story.run();
        self.tidy();
    }

    /// The operator edits the config.
    fn edit(&mut self) {
        let rng = &mut self.rng;
        let pools = self.up.len();
        let stays: Vec<PoolIndex> = (0..pools)
            .filter(|&pool| self.story.farm.config.pools[pool].leaving.is_none())
            .collect();
        let (some, rank) = (rng.choice(stays.clone()), rng.usize(0..3));
        let (what, weight) = (rng.u8(0..6), rng.f64() + 0.1);
        let seconds = rng.u64(1..300);
        self.story.wishes(|config| match (what, some) {
            (0, _) if pools < MAX_POOLS => {
                wishes::add(config, rank);
            }
            // Another password.
            (1, Some(pool)) if pools < MAX_POOLS => {
                let rank = config.pools[pool].standing.rank;
                let new = wishes::add(config, rank);
                wishes::remove(config, pool, Some(new));
            }
            (2, Some(pool)) if stays.len() > 1 => wishes::remove(config, pool, None),
            (3, Some(pool)) => config.pools[pool].standing.rank = rank,
            (4, Some(pool)) => config.pools[pool].standing.weight = weight,
            _ => {
                config.max_channels = 1 + rank;
                config.healthy_for = Duration::from_secs(seconds);
                config.hold_for = Some(Duration::from_secs(seconds));
            }
        });
        self.up.resize(self.story.farm.config.pools.len(), true);
    }

    fn come(&mut self) {
        self.rigs += 1;
        let rig = self.rigs;
        let story = &mut self.story;
        // Some come from the address, and as the worker, of one that was there before.
        let worker = if self.rng.bool() { rig } else { self.rng.u64(1..=rig) };
        let work = Arc::clone(story.work.entry(RigId(rig)).or_default());
        story.farm.handle_rig(RigId(rig), address(worker), work, story.now);
        story.farm.handle_follows(RigId(rig), self.rng.u8(0..3) > 0, story.now);
        let by_login = match self.rng.u8(0..12) {
            0 => Firmware { dedicated: true, ..Firmware::default() },
            1 => Firmware { extranonce2: Some(4), ..Firmware::default() },
            _ => Firmware::default(),
        };
        let authorizes_first = self.rng.bool();
        let name = format!("rig{worker}").into();
        if authorizes_first {
            story.farm.handle_worker(RigId(rig), &name, by_login, story.now);
        }
        story.farm.handle_subscribe(RigId(rig), "asic/1", by_login, story.now);
        story.run();
        if !authorizes_first {
            story.farm.handle_worker(RigId(rig), &name, by_login, story.now);
        }
        self.parked.insert(rig, self.story.now);
    }

    fn go(&mut self, rig: u64) {
        self.parked.remove(&rig);
        self.story.go(rig);
    }

    fn lose(&mut self, channel: ChannelId, how: Ending) {
        if self.rng.u8(0..3) == 0 {
            // It will have another extranonce1.
            self.story.channels.get_mut(&channel).unwrap().work = None;
        }
        self.story.end(channel.0, how);
    }

    /// Pools tell jobs: one of them, or all.
    fn jobs(&mut self, pool: Option<PoolIndex>) {
        for channel in self.live() {
            if pool.is_none_or(|pool| pool == self.pool_of(channel)) {
                self.story.job(channel.0);
            }
        }
    }

    fn sleep(&mut self, millis: u64) {
        let end = self.story.now + Duration::from_millis(millis);
        self.tidy();
        while let Some(&due) = self.tries.values().min().filter(|due| **due <= end) {
            let pause = due.saturating_duration_since(self.story.now);
            self.story.sleep(pause.as_millis() as u64 + 1);
            self.tidy();
        }
        let rest = end.saturating_duration_since(self.story.now);
        self.story.sleep(rest.as_millis() as u64);
    }

    /// Rigs that were told to leave go, those that have waited for too long too, and channels try to
    /// connect.
    fn tidy(&mut self) {
        for rig in std::mem::take(&mut self.story.dismissed) {
            self.go(rig.0);
        }
        self.parked.retain(|rig, _| !self.story.seats.contains_key(&RigId(*rig)));
        let now = self.story.now;
        let over = |since: &Instant| now.saturating_duration_since(*since) >= PARKED_FOR;
        let over: Vec<u64> =
            self.parked.iter().filter(|(_, since)| over(since)).map(|(rig, _)| *rig).collect();
        over.into_iter().for_each(|rig| self.go(rig));
        self.tries.retain(|id, _| self.story.channels.get(id).is_some_and(|c| !c.live));
        let away: Vec<ChannelId> =
            self.story.channels.iter().filter(|(_, c)| !c.live).map(|(id, _)| *id).collect();
        for channel in away {
            let in_a_while = now + Duration::from_millis(self.rng.u64(1..4_000));
            let due = *self.tries.entry(channel).or_insert(in_a_while);
            if due > now {
                continue;
            }
            self.tries.remove(&channel);
            if !self.up[self.pool_of(channel)] {
                self.story.end(channel.0, Ending::Failed);
            } else if self.story.channels[&channel].work.is_some() {
                self.story.resume(channel.0);
            } else {
                self.story.serve(channel.0);
            }
        }
        self.story.run();
    }

    fn live(&self) -> Vec<ChannelId> {
        self.story.channels.iter().filter(|(_, c)| c.live).map(|(id, _)| *id).collect()
    }

    fn some_channel(&mut self) -> Option<ChannelId> {
        let live = self.live();
        self.rng.choice(live)
    }

    fn some_rig(&mut self) -> Option<u64> {
        let rigs: Vec<u64> = self.story.farm.rigs.keys().map(|rig| rig.0).collect();
        self.rng.choice(rigs)
    }

    fn pool_of(&self, channel: ChannelId) -> PoolIndex {
        self.story.farm.channels.get(channel).unwrap().pool
    }

    /// The weather clears up; what is asked for after an hour of that.
    fn morning(&mut self) -> Vec<String> {
        self.up.fill(true);
        for _ in 0..720 {
            self.sleep(10_000);
            self.jobs(None);
        }
        self.story.acts();
        self.story.reports();
        for _ in 0..60 {
            self.sleep(10_000);
            self.jobs(None);
        }
        let mut asked = self.story.acts();
        asked.extend(self.story.reports());
        asked
    }
}

/// A night in which happens what these bytes say, held against the rules of all stories; how many seats
/// there were.
///
/// # Panics
/// Where a rule is broken.
#[must_use]
pub fn night(happenings: &[u8]) -> usize {
    through(Dice::of(happenings)).1
}

/// How many rigs had a seat in the morning, and how many seats there were in the night.
fn through(dice: Dice) -> (usize, usize) {
    let mut night = Night::new(dice);
    let mut seats = 0;
    for _ in 0..HAPPENINGS {
        if night.rng.is_spent() {
            break;
        }
        night.happening();
        seats += night.story.acts().iter().filter(|act| act.starts_with("seat")).count();
    }
    let asked = night.morning();
    assert_eq!(asked, [] as [&str; 0], "more is asked");
    assert_eq!(night.story.farm.waiting().count(), 0, "rigs wait");
    let mut astray = night.story.farm.astray.iter();
    assert!(astray.all(|rig| !night.story.could_sit(*rig)), "rigs are astray without need");
    (night.story.seats.len(), seats)
}

#[test]
fn whatever_comes_the_rules_hold_and_in_the_morning_all_is_quiet() {
    let (mut rigs, mut seats) = (0, 0);
    for seed in 0..SEEDS {
        let night = std::panic::catch_unwind(|| through(Dice::seeded(seed)));
        let night = night.unwrap_or_else(|_| panic!("in the night of seed {seed}"));
        (rigs, seats) = (rigs + night.0, seats + night.1);
    }
    assert!(rigs > 1000 && seats > 10_000, "{rigs} rigs, {seats} seats: nothing happened");
}
