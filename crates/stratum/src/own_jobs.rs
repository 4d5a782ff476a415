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
mod tests;
