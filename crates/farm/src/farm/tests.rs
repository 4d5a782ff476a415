//! Stories of rigs and pools, told in lines at made-up times.

#![allow(clippy::unwrap_used, reason = "a story ends where something fails")]
#![cfg_attr(not(test), allow(dead_code, unused_imports, reason = "most of it is for stories"))]

mod checks;
mod dice;
#[cfg(test)]
mod firmware;
#[cfg(test)]
mod operator;
#[cfg(test)]
mod pools;
mod reconfigure;
#[cfg(test)]
mod seats;
mod storm;
#[cfg(test)]
mod strangers;
mod wishes;

#[cfg(feature = "testing")]
pub use storm::night;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use orepass_stratum::channel::{Ground, Seat};
use orepass_stratum::dialect::{Split, WorkKey};
use orepass_stratum::downstream::{CloseReason, Wait};
use orepass_stratum::error::Reject;
use orepass_stratum::extranonce::Extranonce;
use orepass_stratum::firmware::Firmware;
use orepass_stratum::job::{Generation, JobIds};
use orepass_stratum::space::WorkNumber;
use orepass_stratum::target::Difficulty;
use orepass_stratum::testing::start;

use super::rigs::Stand;
use super::*;
use crate::knowledge::{Change, Needs};
use crate::pools::{PoolsEvent, Standing};
use crate::stats::WorkSum;

/// How long sessions keep a seat that their rig has left.
const FORMER_FOR: Duration = Duration::from_secs(10);

/// A farm, with what its driver would have: the sessions' seats, and what the channels show.
struct Story {
    farm: Farm,
    now: Instant,
    ids: Arc<JobIds>,
    /// How pools divide what they give: extranonce2 of rigs, in bytes.
    rig_extranonce2: usize,
    max_rigs: usize,
    prefix_bytes: usize,
    channels: BTreeMap<ChannelId, Upstream>,
    seats: BTreeMap<RigId, (ChannelId, Box<Seat>)>,
    /// Seats that rigs have left, and until when they are kept for late shares.
    former: Vec<(Instant, Box<Seat>)>,
    /// When a lease went back last of which the farm was told nothing.
    quietly_back: Instant,
    work: BTreeMap<RigId, Arc<WorkSum>>,
    /// Rigs that were told to leave, or were refused.
    dismissed: Vec<RigId>,
    /// How many acts there were since the farm was told something.
    busy: usize,
    /// What was done with rigs and channels, in lines.
    acts: Vec<String>,
    /// What was said about pools.
    reports: Vec<String>,
    changes: Vec<Change>,
    grounds: u8,
    works: u64,
    /// The most channels to a pool that there ever might be.
    most_channels: usize,
    most_dedicated: usize,
}

/// What a channel shows.
struct Upstream {
    /// How many bytes tell its rigs apart.
    prefix_bytes: usize,
    live: bool,
    generation: Generation,
    ground: Option<Ground>,
    work: Option<WorkNumber>,
}

impl Story {
    /// One pool, with room for so many rigs on a connection.
    fn new(max_rigs: usize) -> Self {
        Self::with(config(1), max_rigs)
    }

    fn with(mut config: FarmConfig, max_rigs: usize) -> Self {
        config.max_rigs_per_channel = max_rigs;
        Self::after(config, Remembered::default())
    }

    /// After earlier runs.
    fn after(config: FarmConfig, remembered: Remembered) -> Self {
        let now = start();
        let max_rigs = config.max_rigs_per_channel;
        let prefix_bytes = config.prefix_bytes.unwrap_or(1);
        let (most_channels, most_dedicated) = (config.max_channels, config.max_dedicated);
        let mut story = Self {
            prefix_bytes,
            farm: Farm::new(config, remembered, 7, now),
            now,
            ids: Arc::new(JobIds::new(1)),
            rig_extranonce2: 3,
            max_rigs,
            channels: BTreeMap::new(),
            seats: BTreeMap::new(),
            former: Vec::new(),
            quietly_back: now,
            work: BTreeMap::new(),
            dismissed: Vec::new(),
            busy: 0,
            acts: Vec::new(),
            reports: Vec::new(),
            changes: Vec::new(),
            grounds: 0,
            works: 0,
            most_channels,
            most_dedicated,
        };
        story.run();
        story
    }

    /// With its channels to all pools serving, and nothing told yet.
    fn serving(config: FarmConfig, max_rigs: usize) -> Self {
        let mut story = Self::with(config, max_rigs);
        (1..=story.channels.len() as u64).for_each(|channel| story.serve(channel));
        story.acts.clear();
        story.reports.clear();
        story
    }

    /// A channel is connected and told a job, under another extranonce1 than before.
    fn serve(&mut self, channel: u64) {
        self.connect(channel);
        self.job(channel);
    }

    fn connect(&mut self, channel: u64) {
        self.grounds += 1;
        let id = ChannelId(channel);
        let prefix_bytes = self.channels[&id].prefix_bytes;
        let split = Split {
            extranonce1: Extranonce::from_slice(&[0, 0, 0, self.grounds]).unwrap(),
            prefix_bytes,
            rig_extranonce2: self.rig_extranonce2 + 1 - prefix_bytes,
            needs: None,
            probe: None,
            remark: None,
        };
        let upstream = self.channels.get_mut(&id).unwrap();
        upstream.ground = Some(Ground::new(split, self.max_rigs, Arc::clone(&self.ids)));
        upstream.generation = self.ids.next_generation();
        (upstream.live, upstream.work) = (true, None);
        self.farm.handle_connected(id, self.now);
        self.show(channel);
    }

    /// A channel is connected again, under the extranonce1 and with the job that it had.
    fn resume(&mut self, channel: u64) {
        self.channels.get_mut(&ChannelId(channel)).unwrap().live = true;
        self.show(channel);
    }

    /// A channel is told a new job, and so are its rigs.
    fn job(&mut self, channel: u64) {
        self.works += 1;
        let upstream = self.channels.get_mut(&ChannelId(channel)).unwrap();
        let ground = upstream.ground.as_ref().unwrap();
        let work = ground.space.number(WorkKey::of(self.works));
        upstream.work = Some(work);
        let generation = upstream.generation;
        for (_, seat) in self.seats.values_mut().filter(|(_, seat)| seat.generation == generation) {
            assert!(seat.lease.tell(work, 6));
        }
        self.show(channel);
    }

    fn show(&mut self, channel: u64) {
        let id = ChannelId(channel);
        let Upstream { live, generation, ground, work, .. } = &self.channels[&id];
        let shown = Shown {
            live: *live,
            serves: *live && work.is_some(),
            generation: *generation,
            ground: ground.as_ref(),
            work: *work,
            block: None,
        };
        self.farm.handle_view(id, &shown, self.now);
        self.run();
    }

    /// A channel's connection ends.
    fn end(&mut self, channel: u64, how: Ending) {
        let id = ChannelId(channel);
        self.channels.get_mut(&id).unwrap().live = false;
        self.farm.handle_ended(id, how, self.now);
        self.show(channel);
    }

    /// A rig comes and subscribes; one that takes `mining.set_extranonce`, or not.
    fn come(&mut self, rig: u64, follows: bool) {
        self.connects(rig);
        self.farm.handle_follows(RigId(rig), follows, self.now);
        self.subscribes(rig, Firmware::default());
        self.authorizes(rig);
    }

    fn connects(&mut self, rig: u64) {
        let work = Arc::clone(self.work.entry(RigId(rig)).or_default());
        self.farm.handle_rig(RigId(rig), address(rig), work, self.now);
        self.run();
    }

    fn subscribes(&mut self, rig: u64, by_login: Firmware) {
        self.farm.handle_subscribe(RigId(rig), "asic/1", by_login, self.now);
        self.run();
    }

    fn authorizes(&mut self, rig: u64) {
        self.works_as(rig, &format!("rig{rig}"));
    }

    fn works_as(&mut self, rig: u64, worker: &str) {
        self.farm.handle_worker(RigId(rig), &worker.into(), Firmware::default(), self.now);
        self.run();
    }

    /// A rig goes.
    fn go(&mut self, rig: u64) {
        let seat = self.seats.remove(&RigId(rig));
        let slot = seat.map(|(_, seat)| seat.lease.number());
        self.farm.handle_gone(RigId(rig), None, slot, self.now);
        self.run();
    }

    /// Lets time pass, waking up whenever asked to.
    fn sleep(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        self.keep_former_until(end);
        while let Some(wake) = self.farm.poll_timeout().filter(|wake| *wake <= end) {
            self.now = self.now.max(wake);
            self.farm.handle_timeout(self.now);
            self.run();
            let next = self.farm.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "it would wake up all the time");
        }
        self.now = end;
    }

    /// Gives seats up that rigs have left some time before.
    fn keep_former_until(&mut self, now: Instant) {
        let before = self.former.len();
        self.former.retain(|(until, _)| *until > now);
        if self.former.len() < before {
            self.quietly_back = now;
        }
    }

    /// Does what is to be done.
    fn run(&mut self) {
        self.busy = 0;
        while let Some(act) = self.farm.poll() {
            self.busy += 1;
            self.check(&act);
            self.act(act);
        }
        self.check_all();
    }

    fn act(&mut self, act: Act) {
        let line = match act {
            Act::Open { channel, pool, dedicated } => {
                let upstream = Upstream {
                    prefix_bytes: if dedicated { 0 } else { self.prefix_bytes },
                    live: false,
                    generation: Generation(0),
                    ground: None,
                    work: None,
                };
                self.channels.insert(channel, upstream);
                let alone = if dedicated { " alone" } else { "" };
                format!("open {} at {}{alone}", channel.0, letter(pool))
            }
            Act::Close(channel) => {
                self.channels.remove(&channel);
                self.farm.handle_closed(channel, self.now);
                format!("close {}", channel.0)
            }
            Act::Doubt(channel) => format!("doubt {}", channel.0),
            Act::GiveWay(channel) => format!("give way {}", channel.0),
            Act::Rig { rig, order } => return self.obey(rig, order),
            Act::Remember(change) => return self.changes.push(change),
            Act::News(pool) => return self.reports.push(format!("news {}", letter(pool))),
            Act::Urgent(urgent) => return self.reports.push(format!("urgent {urgent}")),
            Act::Report(report) => return self.reports.push(told(&report)),
        };
        self.acts.push(line);
    }

    fn obey(&mut self, rig: RigId, order: Order) {
        let line = match order {
            Order::Seat { channel, mut seat } => {
                let upstream = &self.channels[&channel];
                assert_eq!(seat.generation, upstream.generation);
                assert!(seat.lease.tell(upstream.work.unwrap(), 6));
                if let Some((_, left)) = self.seats.insert(rig, (channel, seat)) {
                    self.former.push((self.now + FORMER_FOR, left));
                }
                format!("seat {} on {}", rig.0, channel.0)
            }
            Order::Wait(Wait::Pool) => format!("wait {} for a pool", rig.0),
            Order::Wait(Wait::Lease) => format!("wait {} for a lease", rig.0),
            Order::Difficulty(difficulty) => {
                format!("difficulty {}: {:?}", rig.0, difficulty.map(Difficulty::get))
            }
            Order::Leave(reason) => {
                self.dismissed.push(rig);
                format!("leave {}: {reason}", rig.0)
            }
            Order::Refuse(reason) => {
                self.dismissed.push(rig);
                format!("refuse {}: {reason}", rig.0)
            }
            Order::Know(firmware) => return self.know(rig, &firmware),
            Order::Welcome { firmware, difficulty } => {
                self.know(rig, &firmware);
                let Some(difficulty) = difficulty else { return };
                format!("welcome {} at {}", rig.0, difficulty.get())
            }
        };
        self.acts.push(line);
    }

    fn know(&mut self, rig: RigId, firmware: &Firmware) {
        if *firmware != Firmware::default() {
            let Firmware { dedicated, extranonce2, set_extranonce, .. } = firmware;
            let line = format!("know {}: {dedicated} {extranonce2:?} {set_extranonce:?}", rig.0);
            self.acts.push(line);
        }
    }

    /// What was done since the last time.
    fn acts(&mut self) -> Vec<String> {
        std::mem::take(&mut self.acts)
    }

    fn reports(&mut self) -> Vec<String> {
        std::mem::take(&mut self.reports)
    }

    /// On which channel rigs sit, of those of a range; 0 where one sits nowhere.
    fn channels_of(&self, rigs: std::ops::RangeInclusive<u64>) -> Vec<u64> {
        rigs.map(|rig| self.seats.get(&RigId(rig)).map_or(0, |(channel, _)| channel.0)).collect()
    }
}

/// Pools in strict order.
fn config(pools: usize) -> FarmConfig {
    let terms = |rank: usize| PoolTerms {
        standing: Standing { rank, weight: 1.0 },
        ..PoolTerms::new(letter(rank).to_string(), format!("{}:3008", letter(rank)))
    };
    FarmConfig::new((0..pools).map(terms).collect())
}

fn letter(pool: PoolIndex) -> char {
    char::from(b'A' + pool as u8)
}

/// The pool of a rank, where each has one of its own; pools that leave have one that no config has.
fn of_rank(rank: usize) -> String {
    if rank < 26 { letter(rank).to_string() } else { "what leaves".to_owned() }
}

fn address(rig: u64) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + rig as u32))
}

fn told(report: &Report) -> String {
    match report {
        Report::Barred { rigs } => format!("barred {rigs}"),
        Report::Unused { channel, .. } => format!("unused {}", channel.0),
        Report::Rebalance { rigs, .. } => format!("rebalance {rigs}"),
        Report::Pools(PoolsEvent::Up(pool)) => format!("up {}", letter(*pool)),
        Report::Pools(PoolsEvent::Down { pool, cause, .. }) => {
            format!("down {}: {}", letter(*pool), cause.name())
        }
        Report::Pools(PoolsEvent::Switched { to, .. }) => format!("switch {}", of_rank(*to)),
        Report::Pools(PoolsEvent::Trial { to }) => format!("trial {}", of_rank(*to)),
        Report::Pools(event) => format!("{event:?}"),
    }
}
