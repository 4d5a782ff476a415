//! Writing shares: each is looked at again, since its job may have been replaced or the pool's
//! target may have become harder while it waited.

use std::sync::Arc;

use super::UpstreamEvent;
use super::held_shares::Attempt;
use super::jobs::Jobs;
use super::link::Connection;
use super::names::SentAs;
use super::out::UpstreamOut;
use super::pace::Queued;
use super::requests::{Request, ShareTerms};
use super::setup::Setup;
use super::weight::ForWork;
use crate::channel::{ShareOutcome, Submission};
use crate::dialect::{Dialect, PoolCall, Wanted};
use crate::error::Reject;
use crate::habits::Habits;
use crate::job::Generation;
use crate::target::Target;
use crate::time::Instant;

/// What became of a share that was to be written.
enum Written<D: Dialect, T> {
    /// It was, or has its verdict.
    Done,
    /// It waits for a name.
    Waits(Queued<D, T>),
    /// It waits for the window's bytes.
    TooLong(Queued<D, T>),
}

/// By what a share is judged once more.
pub(super) struct Bar<'a, D: Dialect> {
    pub(super) setup: &'a Setup<D>,
    pub(super) jobs: &'a Jobs<D>,
    /// The present generation.
    pub(super) generation: Generation,
}

impl<D: Dialect, T> Connection<D, T> {
    /// Writes queued shares as far as the window allows; only where the pool takes shares.
    pub(super) fn write_submissions(
        &mut self,
        bar: &Bar<'_, D>,
        out: &mut UpstreamOut<T>,
        now: Instant,
    ) {
        self.pacer.expire(!out.transmit.is_empty(), now);
        while let Some(queued) = self.next_to_write(bar, out, now) {
            match self.write_submission(queued, bar, out, now) {
                Written::Done => {}
                // Another turn brings on what it waits for.
                Written::Waits(queued) => self.pacer.put_back(queued),
                Written::TooLong(queued) => {
                    self.pacer.put_back(queued);
                    break;
                }
            }
        }
        self.pacer.await_slot(out);
    }

    /// Takes out the share that may be written now. Without one, what shares would wait for is
    /// brought on all the same.
    fn next_to_write(
        &mut self,
        bar: &Bar<'_, D>,
        out: &mut UpstreamOut<T>,
        now: Instant,
    ) -> Option<Queued<D, T>> {
        let Self { names, requests, pacer, .. } = self;
        let next = pacer.next_is_block();
        let is_block = next.unwrap_or(false);
        let passes = names.let_pass(is_block, bar.setup, requests, pacer, out, now);
        next.filter(|_| passes && pacer.has_slot(is_block) && requests.has_room(is_block))?;
        pacer.take_next()
    }

    /// Writes a share, or decides that it is worth nothing any more.
    fn write_submission(
        &mut self,
        queued: Queued<D, T>,
        bar: &Bar<'_, D>,
        out: &mut UpstreamOut<T>,
        now: Instant,
    ) -> Written<D, T> {
        let Bar { setup, jobs, .. } = bar;
        let job = match bar.still_worth(&queued.submission, self.former, now) {
            Ok(job) => job,
            Err(outcome) => {
                out.verdict(queued.ticket, outcome, false);
                return Written::Done;
            }
        };
        let Submission { frames, prefix, share, account, hash, .. } = &queued.submission;
        let name = if queued.submission.is_block && self.names.is_asking() {
            SentAs::Own
        } else {
            self.names.name_for(account.as_ref(), setup, out, now)
        };
        let named = match name {
            SentAs::Own => None,
            SentAs::Worker(account) => Some(Arc::clone(account)),
            SentAs::Waits => return Written::Waits(queued),
        };
        let user = named.as_ref().map_or(&*setup.config.user, |account| &*account.name);
        let id = self.requests.next_id();
        let call = PoolCall::Submit { id, worker: user, job: &*job, prefix, share };
        let put = |line: &mut _| frames.dialect.tell_pool(call, line);
        if !self.pacer.write(id, true, put, out, now) {
            return Written::TooLong(queued);
        }
        let (in_force, announced) = (jobs.in_force(), jobs.announced());
        let misses =
            |hash| !frames.dialect.rules().good.meets(hash, &announced.surely(setup.known()));
        let misses_announced = in_force != announced && hash.as_ref().is_some_and(misses);
        let forgone = self.brake.forgone(queued.submission.hashes);
        let work = ForWork::of(frames);
        let Queued { mut submission, ticket, attempt } = queued;
        let account = submission.account.clone();
        let probe = submission.probe.take().map(|probe| (probe, submission.hash));
        let (is_block, is_again) = (submission.is_block, attempt == Attempt::Again);
        let has_chance = setup.config.resubmit && probe.is_none() && attempt == Attempt::First;
        let kept = if has_chance {
            Some(Box::new(submission))
        } else {
            self.recent.note(id, submission, setup.config.evidence);
            None
        };
        let terms = ShareTerms {
            account: named,
            forgone,
            probe,
            misses_announced,
            work,
            is_block,
            is_again,
            kept,
        };
        self.requests.push(Request::Share(ticket, terms), out, now);
        if is_again {
            out.event(UpstreamEvent::Resent);
        }
        if let Some(account) = account {
            let Self { names, requests, pacer, .. } = self;
            names.introduce(&account, setup, requests, pacer, out, now);
        }
        Written::Done
    }
}

impl<D: Dialect> Bar<'_, D> {
    /// The pool's job under which a share is worth submitting, on a connection before which the
    /// generation was `former`. A block is, as long as the pool knows its work on this connection.
    fn still_worth(
        &self,
        submission: &Submission<D>,
        former: Generation,
        now: Instant,
    ) -> Result<Arc<D::Job>, ShareOutcome> {
        let Self { setup, jobs, generation: present } = self;
        let Submission { frames, share, .. } = submission;
        let generation = frames.generation;
        if generation <= former && generation != *present {
            return Err(Reject::lost().into());
        }
        let replaced = || Reject::stale(format!("job {} has been replaced", frames.id)).into();
        if submission.is_block {
            return jobs.perhaps_serving(frames, share).cloned().ok_or_else(replaced);
        }
        if !jobs.is_open(frames, now) {
            return Err(replaced());
        }
        let known = setup.known();
        let wanted = |target: fn(&Wanted, Habits) -> Target| {
            target(&frames.wanted, known).harder(target(&jobs.in_force(), known))
        };
        let wanted = match submission.probe {
            // A refusal shows something only where nothing else explains it.
            Some(_) => wanted(Wanted::perhaps).harder(jobs.announced().perhaps(known)),
            None => wanted(Wanted::surely),
        };
        if submission.hash.is_some_and(|hash| !frames.dialect.rules().good.meets(&hash, &wanted)) {
            return Err(ShareOutcome::below_pool_target("the pool's target became harder"));
        }
        jobs.serving(frames, share).cloned().ok_or_else(replaced)
    }
}
