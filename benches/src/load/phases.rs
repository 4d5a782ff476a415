//! What is measured of one party between rigs and pool, in the order in which it is done.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::cpu::{Meter, Used, resident_kib};
use super::error::LoadError;
use super::pool::{Pool, Told};
use super::rigs::{Herd, Load};
use super::spread::{Percentiles, Spread};

/// How often it is looked whether something has happened.
const LOOK: Duration = Duration::from_millis(2);
/// What must happen, happens within this.
const PATIENCE: Duration = Duration::from_secs(60);
/// Shares that are not answered for so long at the end of a load are given up.
const LAST_ANSWERS: Duration = Duration::from_secs(35);
/// Quiet between phases, so that all that is due is done.
const SETTLE: Duration = Duration::from_millis(500);
/// New jobs during the loads.
const JOB_EVERY: Duration = Duration::from_secs(5);
/// After so many jobs of the fan-out memory is looked at again.
const JOBS_BEFORE_MEMORY: u32 = 10;

/// A party in its place: the rigs connect to it, it connects to the pool.
#[derive(Debug)]
pub struct Field<'a> {
    /// The pool.
    pub pool: &'a Pool,
    /// The rigs.
    pub herd: &'a Herd,
    /// How many there are.
    pub rigs: u32,
    /// Whether they come by TLS.
    pub tls: bool,
    /// The party's process.
    pub pid: u32,
}

/// One figure of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Its name in JSON.
    pub key: String,
    /// Its name in the table.
    pub label: String,
    /// What was found.
    pub value: f64,
}

/// When a load is over.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// After a time.
    Elapsed(Duration),
    /// When so many shares are answered.
    Answered(u64),
}

/// The figures of one run with one party.
#[derive(Debug, Default)]
pub struct Figures(pub Vec<Figure>);

impl Figures {
    fn add(&mut self, key: impl Into<String>, label: impl Into<String>, value: f64) {
        self.0.push(Figure { key: key.into(), label: label.into(), value });
    }

    fn others(&mut self, phase: &str, used: Used) {
        let label = format!("{phase}: processors busy with something else");
        self.add(format!("{phase}.others"), label, used.others);
    }
}

impl Field<'_> {
    /// The connect storm, and the memory of rigs that have a job.
    ///
    /// # Errors
    /// When not all rigs get in.
    pub async fn connect(
        &self,
        address: std::net::SocketAddr,
        parallel: u32,
        figures: &mut Figures,
    ) -> Result<u64, LoadError> {
        sleep(SETTLE).await;
        let empty = resident_kib(self.pid)?;
        let meter = Meter::start(self.pid)?;
        self.herd.connect(address, parallel, self.tls).await?;
        let wanted = u64::from(self.rigs);
        let ready = || self.herd.tally().ready;
        self.wait("rigs logged in", wanted, PATIENCE, ready).await?;
        let wall = meter.stop()?.wall;
        sleep(SETTLE).await;
        let used = meter.stop()?;
        let rigs = f64::from(self.rigs);
        figures.add("connect.wall_ms", "connect: all rigs, ms", wall.as_secs_f64() * 1e3);
        figures.add(
            "connect.per_second",
            "connect: rigs/s",
            f64::from(self.rigs) / wall.as_secs_f64(),
        );
        figures.add(
            "connect.cpu_us_per_rig",
            "connect: CPU µs per rig",
            used.nanos as f64 / 1e3 / rigs,
        );
        figures.others("connect", used);
        let resident = resident_kib(self.pid)?.saturating_sub(empty) as f64 / rigs;
        figures.add("memory.kib_per_rig", "memory: resident KiB per rig, with a job", resident);
        Ok(empty)
    }

    /// Jobs to all rigs; `empty` is the memory before they came.
    ///
    /// # Errors
    /// When a job does not reach all.
    pub async fn fan_out(
        &self,
        jobs: u32,
        gap: Duration,
        empty: u64,
        figures: &mut Figures,
    ) -> Result<(), LoadError> {
        let mut times: [Vec<f64>; 3] = Default::default();
        let mut after_ten = None;
        let meter = Meter::start(self.pid)?;
        for job in 1..=jobs {
            let mut arrived = self.job_to_all(false).await?;
            arrived.sort_unstable();
            let (half, last) = (arrived.len() / 2, arrived.len() - 1);
            for (times, at) in times.iter_mut().zip([0, half, last]) {
                times.push(arrived[at] as f64 / 1e3);
            }
            sleep(gap).await;
            if job == JOBS_BEFORE_MEMORY {
                after_ten = Some(resident_kib(self.pid)?);
            }
        }
        sleep(SETTLE).await;
        let used = meter.stop()?;
        for (key, times) in ["first", "median", "last"].into_iter().zip(times) {
            let Some(times) = Spread::of(times) else { continue };
            let label = format!("job: µs to the {key} rig");
            figures.add(format!("job.{key}_us"), label, times.median());
        }
        let told = f64::from(jobs) * f64::from(self.rigs);
        let cpu = used.nanos as f64 / 1e3 / told;
        figures.add("job.cpu_us_per_rig", "job: CPU µs per job and rig", cpu);
        figures.others("job", used);
        if let Some(resident) = after_ten {
            let resident = resident.saturating_sub(empty) as f64 / f64::from(self.rigs);
            figures.add(
                "memory.kib_per_rig_after_jobs",
                "memory: resident KiB per rig, after ten jobs",
                resident,
            );
        }
        Ok(())
    }

    /// Shares at a fixed rate.
    ///
    /// # Errors
    /// When the first job of the load does not reach all rigs.
    pub async fn paced(
        &self,
        rate: f64,
        until: Until,
        figures: &mut Figures,
    ) -> Result<(), LoadError> {
        let done = self.load(Load::Paced(rate), until).await?;
        let ways = [
            ("round_trip", "round trip", self.herd.take_round_trips()),
            ("to_pool", "rig to pool", self.pool.take_samples()),
        ];
        for (key, way, samples) in ways {
            let Some(Percentiles { p50, p99, max }) = Percentiles::of(samples) else { continue };
            for (name, value) in [("p50", p50), ("p99", p99), ("max", max)] {
                let label = format!("paced: {way} {name}, µs");
                figures.add(format!("paced.{key}_{name}_us"), label, value as f64 / 1e3);
            }
        }
        done.add_to(figures, "paced", "paced");
        Ok(())
    }

    /// Shares as fast as they are answered, so many in flight per rig.
    ///
    /// # Errors
    /// When the first job of the load does not reach all rigs.
    pub async fn saturating(
        &self,
        in_flight: u32,
        until: Until,
        figures: &mut Figures,
    ) -> Result<(), LoadError> {
        let done = self.load(Load::InFlight(in_flight), until).await?;
        let (key, label) = (format!("in_flight_{in_flight}"), format!("{in_flight} in flight"));
        let rate = done.at_end as f64 / done.load_time.as_secs_f64();
        figures.add(
            format!("{key}.shares_per_second"),
            format!("{label}: accepted shares/s"),
            rate,
        );
        done.add_to(figures, &key, &label);
        Ok(())
    }

    /// One load from its first share to its last answer. It begins with a block, so that what
    /// parties remember of shares begins anew.
    async fn load(&self, load: Load, until: Until) -> Result<Done, LoadError> {
        self.job_to_all(true).await?;
        sleep(SETTLE).await;
        let _ = (self.herd.take_round_trips(), self.pool.take_samples());
        let before = self.herd.tally();
        let meter = Meter::start(self.pid)?;
        let start = Instant::now();
        self.herd.load(load).await?;
        let mut next_job = start + JOB_EVERY;
        let over = |answered: u64| match until {
            Until::Elapsed(time) => start.elapsed() >= time,
            Until::Answered(count) => answered >= count || start.elapsed() >= PATIENCE,
        };
        while !over(self.herd.tally().answered() - before.answered()) {
            sleep(LOOK).await;
            if Instant::now() >= next_job {
                self.pool.new_job(false).await?;
                next_job += JOB_EVERY;
            }
        }
        let load_time = start.elapsed();
        let at_end = self.herd.tally().accepted - before.accepted;
        self.herd.load(Load::Idle).await?;
        let settled = Instant::now() + LAST_ANSWERS;
        // What is sent at the last moment is counted first.
        sleep(LOOK).await;
        while self.herd.tally().answered() < self.herd.tally().sent && Instant::now() < settled {
            sleep(LOOK).await;
        }
        sleep(SETTLE).await;
        let used = meter.stop()?;
        let after = self.herd.tally();
        let _ = self.herd.take_arrivals();
        Ok(Done {
            load_time,
            at_end,
            used,
            sent: after.sent - before.sent,
            accepted: after.accepted - before.accepted,
            refused: after.refused - before.refused,
            held: after.held - before.held,
        })
    }

    /// Tells a job and gives for each rig how long it took, in nanoseconds.
    async fn job_to_all(&self, block: bool) -> Result<Vec<u64>, LoadError> {
        let _ = self.herd.take_arrivals();
        let Told { job, at } = self.pool.new_job(block).await?;
        let mut arrived = Vec::with_capacity(self.rigs as usize);
        let until = Instant::now() + PATIENCE;
        loop {
            let new = self.herd.take_arrivals().into_iter().filter(|(number, _)| *number == job);
            arrived.extend(new.map(|(_, arrival)| arrival.saturating_sub(at)));
            if arrived.len() >= self.rigs as usize {
                return Ok(arrived);
            }
            if Instant::now() >= until {
                let reached = arrived.len() as u64;
                return Err(self.stuck(
                    "rigs with the new job",
                    reached,
                    self.rigs.into(),
                    PATIENCE,
                ));
            }
            sleep(LOOK).await;
        }
    }

    /// Waits for a count.
    async fn wait(
        &self,
        what: &'static str,
        wanted: u64,
        patience: Duration,
        reached: impl Fn() -> u64,
    ) -> Result<(), LoadError> {
        let until = Instant::now() + patience;
        while reached() < wanted {
            if Instant::now() >= until {
                return Err(self.stuck(what, reached(), wanted, patience));
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    fn stuck(&self, what: &'static str, reached: u64, wanted: u64, time: Duration) -> LoadError {
        let refusals = self.herd.tally().refusals.join("\n");
        LoadError::Stuck { what, reached, wanted, seconds: time.as_secs(), refusals }
    }
}

/// What a load came to.
struct Done {
    load_time: Duration,
    /// Shares that were accepted when the load was over.
    at_end: u64,
    /// From the first share to the last answer.
    used: Used,
    sent: u64,
    accepted: u64,
    refused: u64,
    held: u64,
}

impl Done {
    fn add_to(&self, figures: &mut Figures, key: &str, label: &str) {
        let cpu = self.used.nanos as f64 / 1e3 / self.accepted.max(1) as f64;
        figures.add(
            format!("{key}.cpu_ms_per_1000_shares"),
            format!("{label}: CPU ms per 1,000 good shares"),
            cpu,
        );
        let unanswered = self.sent.saturating_sub(self.accepted + self.refused);
        let counts = [
            ("shares", "shares sent", self.sent),
            ("refused", "good shares refused", self.refused),
            ("unanswered", "shares without an answer", unanswered),
            ("held", "turns left out", self.held),
        ];
        for (name, text, count) in counts {
            figures.add(format!("{key}.{name}"), format!("{label}: {text}"), count as f64);
        }
        figures.others(key, self.used);
    }
}
