//! The jobs of a pool of one's own, as its sessions are shown them.
//!
//! Behind a proxy the views come from an [`Upstream`](crate::upstream::Upstream). A pool makes its jobs
//! itself, and has no other pool's extranonce to divide.

use std::sync::Arc;

use crate::channel::{ChannelView, Ground};
use crate::dialect::{Dialect, Price, Split, Work};
use crate::job::{Epoch, Frames, JobFrames, JobIds, Serial};
use crate::time::Instant;

/// Makes views of jobs, for [`Downstream::handle_view`](crate::downstream::Downstream::handle_view).
///
/// ```
/// use std::sync::Arc;
///
/// use orepass_stratum::dialect::{Dialect, Price, Split};
/// use orepass_stratum::downstream::Downstream;
/// use orepass_stratum::own_jobs::OwnJobs;
/// use orepass_stratum::time::Instant;
///
/// /// A pool of at most 10,000 rigs, each with 4 bytes to tell it from the others and 4 to count in.
/// fn open<D: Dialect>(dialect: Arc<D>, unix_seconds: u32) -> OwnJobs<D> {
///     let split = Split { prefix_bytes: 4, rig_extranonce2: 4, ..Split::default() };
///     OwnJobs::new(dialect, split, 10_000, unix_seconds)
/// }
///
/// fn tell<D: Dialect>(
///     jobs: &mut OwnJobs<D>,
///     rigs: &mut [Downstream<D>],
///     job: D::Job,
///     price: Price,
///     now: Instant,
/// ) {
///     let view = jobs.tell(job, price, now);
///     for rig in rigs {
///         rig.handle_view(view, now);
///     }
/// }
/// ```
pub struct OwnJobs<D: Dialect> {
    dialect: Arc<D>,
    ground: Ground,
    terms: D::Terms,
    serial: Serial,
    epoch: Epoch,
    view: ChannelView<D>,
}

impl<D: Dialect> OwnJobs<D> {
    /// Of at most `max_rigs` at a time, whose extranonces are made by `split`. Job ids begin at `start`:
    /// the greater of Unix seconds and the last id of an earlier run, since rigs idle when an id comes to
    /// them a second time.
    #[must_use]
    pub fn new(dialect: Arc<D>, split: Split, max_rigs: usize, start: u32) -> Self {
        let ids = Arc::new(JobIds::new(start));
        let generation = ids.next_generation();
        let ground = Ground::new(split, max_rigs, ids);
        let view = ChannelView {
            live: true,
            generation,
            ground: Some(ground.clone()),
            ..ChannelView::unborn()
        };
        let terms = D::Terms::default();
        Self { dialect, ground, terms, serial: Serial(0), epoch: Epoch(0), view }
    }

    /// With what rigs are granted where they ask for it, as bits of the version to roll; nothing without.
    #[must_use]
    pub fn with_terms(mut self, terms: D::Terms) -> Self {
        self.terms = terms;
        self
    }

    /// There is a new job: what all sessions are to be shown. Shares of jobs that it
    /// [supersedes](Work::supersedes) are stale from now on. A share that meets the price's target
    /// becomes a submission; one that meets its block passes every cap.
    pub fn tell(&mut self, job: D::Job, price: Price, now: Instant) -> &ChannelView<D> {
        let Price { wanted, block } = price;
        self.serial.0 += 1;
        let former = self.view.work.as_ref();
        self.epoch.0 += u64::from(former.is_some_and(|former| job.supersedes(&former.job)));
        self.view.wanted = Arc::new(wanted);
        self.view.work = Some(Arc::new(JobFrames {
            dialect: Arc::clone(&self.dialect),
            id: self.ground.ids.next(),
            serial: self.serial,
            // Work that comes back has its former number, and what was sent for it is known.
            work: self.ground.space.number(job.key()),
            epoch: self.epoch,
            generation: self.view.generation,
            job: Arc::new(job),
            terms: self.terms.clone(),
            wanted,
            block,
            arrived: now,
            frames: Frames::default(),
        }));
        &self.view
    }

    /// What was told last; without a work before the first.
    #[must_use]
    pub const fn view(&self) -> &ChannelView<D> {
        &self.view
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Wanted;
    use crate::downstream::{Downstream, DownstreamConfig, Event};
    use crate::space::Wish;
    use crate::target::{Difficulty, Target};
    use crate::testing::{TestCoin, TestJob, scale, start, written};
    use crate::verdict::Verdict;

    fn job(previous: &str, work: &str) -> TestJob {
        TestJob { id: work.into(), previous: previous.into(), work: work.into(), clean: false }
    }

    fn price(target: Target) -> Price {
        Price { wanted: Wanted::sure(target), block: None }
    }

    fn pool() -> OwnJobs<TestCoin> {
        let split = Split { prefix_bytes: 1, rig_extranonce2: 3, ..Split::default() };
        OwnJobs::new(Arc::default(), split, 250, 0x6b00_0000)
    }

    /// The id under which the rig was told this job, the last thing that it was told.
    fn told(rig: &mut Downstream<TestCoin>, previous: &str, work: &str) -> String {
        let said = written(rig.transmit());
        let (before, _) = said.split_once(&format!("\",\"{previous}\",\"{work}\"")).expect(&said);
        before.rsplit('"').next().unwrap().to_owned()
    }

    #[test]
    fn a_rig_is_told_each_job_and_its_shares_come_as_submissions() {
        let (mut jobs, now) = (pool(), start());
        let target = scale().target(Difficulty::ONE);
        let mut rig = Downstream::new(
            Arc::default(),
            Arc::new(DownstreamConfig::default()),
            "2a".into(),
            now,
        );
        rig.handle_line(b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}", now, &mut ());
        let view = jobs.tell(job("p1", "w1"), price(target), now);
        rig.handle_seat(view.seat(&Wish::default()).unwrap(), view, now);
        rig.handle_line(
            b"{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"r1\",\"x\"]}",
            now,
            &mut (),
        );
        let first = told(&mut rig, "p1", "w1");
        let submit = |rig: &mut Downstream<TestCoin>, job: &str, extranonce2: &str| {
            let hash = "01".repeat(32);
            let params = format!("[\"r1\",\"{job}\",\"{extranonce2}\",\"{hash}\"]");
            let line = format!("{{\"id\":9,\"method\":\"mining.submit\",\"params\":{params}}}");
            rig.handle_line(line.as_bytes(), now, &mut ())
        };
        assert!(submit(&mut rig, &first, "000001").is_some());

        rig.handle_view(jobs.tell(job("p2", "w2"), price(target), now), now);
        let second = told(&mut rig, "p2", "w2");
        assert!(submit(&mut rig, &second, "000001").is_some());
        while rig.poll_event().is_some() {}
        // Of the block before.
        assert!(submit(&mut rig, &first, "000002").is_none());
        let stale = std::iter::from_fn(|| rig.poll_event())
            .any(|event| matches!(event, Event::Ended { verdict: Verdict::Stale, .. }));
        assert!(stale);
    }

    #[test]
    fn each_job_is_told_on_the_pools_terms() {
        let (mut jobs, now) = (pool().with_terms(0x6000), start());
        for work in ["w1", "w2"] {
            let view = jobs.tell(job("p1", work), price(Target::MAX), now);
            assert_eq!(view.work.as_ref().unwrap().terms, 0x6000);
        }
    }

    #[test]
    fn a_work_that_comes_back_has_its_number_and_a_new_serial() {
        let (mut jobs, now) = (pool(), start());
        assert!(jobs.view().work.is_none());
        let mut tell = |previous, work| {
            let view = jobs.tell(job(previous, work), price(Target::MAX), now);
            let told = view.work.as_ref().unwrap();
            (told.serial, told.epoch, told.work, told.id)
        };
        let (first, second, again) = (tell("p1", "w1"), tell("p1", "w2"), tell("p1", "w1"));
        assert_eq!((first.0, second.0, again.0), (Serial(1), Serial(2), Serial(3)));
        assert_eq!((first.1, again.1), (Epoch(0), Epoch(0)));
        assert_eq!(first.2, again.2);
        assert_ne!(first.2, second.2);
        assert_ne!(first.3, again.3);
        assert_eq!(tell("p2", "w3").1, Epoch(1));
    }
}
