//! The ground that a session stands on: the pool's extranonce, and how it is divided. It outlives
//! the connections, so that rigs go on where the next one is given the same.

use std::sync::Arc;

use super::jobs::{Jobs, TellingPlace};
use super::out::{UpstreamOut, UpstreamTimer};
use super::setup::Setup;
use super::{DownReason, JOB_WITHIN, Notice, UpstreamEvent};
use crate::channel::Ground;
use crate::dialect::{Dialect, Split, Subscribed};
use crate::grounds::{Claim, Grounds};
use crate::habits::{Answer, Habit};
use crate::job::Generation;
use crate::space::Space;
use crate::time::Instant;

/// Where a session stands.
pub(super) struct Footing {
    grounds: Grounds,
    /// What the pool gave last.
    subscribed: Option<Subscribed>,
    held: Option<Holding>,
    generation: Generation,
    /// Shares that the pool took in the present generation.
    accepted: u64,
}

struct Holding {
    ground: Ground,
    /// The right to the ground's extranonce1.
    claim: Claim,
}

impl Footing {
    pub(super) const fn new(grounds: Grounds) -> Self {
        let (subscribed, held, generation) = (None, None, Generation(0));
        Self { grounds, subscribed, held, generation, accepted: 0 }
    }

    pub(super) const fn generation(&self) -> Generation {
        self.generation
    }

    pub(super) const fn subscribed(&self) -> Option<&Subscribed> {
        self.subscribed.as_ref()
    }

    pub(super) fn ground(&self) -> Option<&Ground> {
        Some(&self.held.as_ref()?.ground)
    }

    /// Where works are told now.
    pub(super) fn place<D: Dialect>(&self, setup: &Setup<D>) -> Option<TellingPlace<'_>> {
        let space = &self.ground()?.space;
        Some(TellingPlace { known: setup.known(), space, generation: self.generation })
    }

    /// The pool took a share.
    pub(super) const fn accepted(&mut self) {
        self.accepted += 1;
    }

    /// The pool was asked to resume a session and has not answered: perhaps it does not like that.
    pub(super) fn forget_session(&mut self) {
        if let Some(given) = &mut self.subscribed {
            given.session = None;
        }
    }

    /// The session that the pool may resume.
    pub(super) fn session(&self) -> Option<&str> {
        self.subscribed.as_ref()?.session.as_deref()
    }

    /// Whether the pool gave the session again that it was asked for.
    pub(super) fn is_former(&self, given: &Subscribed) -> bool {
        let Some(former) = &self.subscribed else { return false };
        former.session.is_some()
            && given.session == former.session
            && given.extranonce1 == former.extranonce1
    }

    /// The pool takes shares.
    ///
    /// # Errors
    /// Where another connection that was given the same has come first.
    pub(super) fn go_live(&self) -> Result<(), DownReason> {
        let claim = self.held.as_ref().map(|held| &held.claim);
        claim.map_or(Ok(()), Claim::go_live).map_err(DownReason::SameExtranonce)
    }

    /// The connection is lost.
    pub(super) fn rest(&self) {
        if let Some(held) = &self.held {
            held.claim.rest();
        }
    }

    /// Makes what the pool gave the present ground; a new generation unless it is the same.
    ///
    /// # Errors
    /// When there is no room in it, or it is somebody else's.
    pub(super) fn settle<D: Dialect, T>(
        &mut self,
        given: Subscribed,
        is_live: bool,
        setup: &Setup<D>,
        jobs: &mut Jobs<D>,
        out: &mut UpstreamOut<T>,
        now: Instant,
    ) -> Result<(), DownReason> {
        let Setup { dialect, config, .. } = setup;
        let known = setup.known().get(Habit::Split);
        let split = dialect.splits(&given, config.prefix_bytes).choose(known);
        self.subscribed = Some(given);
        let split = split.map_err(DownReason::NoRoom)?;
        let same = self.ground().is_some_and(|ground| ground.split.divides_as(&split));
        if let Some(held) = self.held.as_mut().filter(|held| same && held.claim.holds()) {
            held.ground.split = Arc::new(split);
            return Ok(());
        }
        let own = self.held.as_ref().map(|held| &held.claim);
        let claimed = self.grounds.claim(&split, config.max_rigs, config.number, own);
        let (claim, space) = claimed.map_err(DownReason::SameExtranonce)?;
        if is_live {
            claim.go_live().map_err(DownReason::SameExtranonce)?;
        }
        // A space that was left and claimed again is the same, with all that was told in it.
        match &mut self.held {
            Some(held) if same && held.ground.space.is_same(&space) => held.claim = claim,
            _ => {
                out.timers.set(UpstreamTimer::Job, is_live.then(|| now + JOB_WITHIN));
                self.begin_generation(split, space, claim, setup, jobs, out);
            }
        }
        Ok(())
    }

    fn begin_generation<D: Dialect, T>(
        &mut self,
        split: Split,
        space: Space,
        claim: Claim,
        setup: &Setup<D>,
        jobs: &mut Jobs<D>,
        out: &mut UpstreamOut<T>,
    ) {
        let capacity = space.capacity();
        self.generation = jobs.ids().next_generation();
        self.accepted = 0;
        // What was found under the former leases is the pool's as long as it has the same extranonce1
        // and takes what is so long.
        let length = |split: &Split| split.prefix_bytes + split.rig_extranonce2;
        let counts = |Ground { split: former, .. }: &Ground| {
            former.extranonce1 == split.extranonce1 && length(former) <= length(&split)
        };
        jobs.leave(self.ground().is_some_and(counts));
        let split = Arc::new(split);
        let (ids, habits) = (Arc::clone(jobs.ids()), setup.habits.clone());
        let ground = Ground { split: Arc::clone(&split), space, ids, habits };
        self.held = Some(Holding { ground, claim });
        out.notice(Notice::Ground { split, capacity });
        out.event(UpstreamEvent::View);
    }

    /// The pool refused a share for its form, and said this. Whether a split that stricter pools do
    /// not take may be the reason: then the stricter one should be used from now on.
    pub(super) fn should_fall_back<D: Dialect, T>(
        &self,
        why: &str,
        setup: &Setup<D>,
        out: &mut UpstreamOut<T>,
    ) -> bool {
        let wide = self.ground().is_some_and(|ground| ground.split.needs == Some(Answer::Other));
        if !wide || self.accepted > 0 {
            return false;
        }
        let learnt = setup.habits.learn(Habit::Split, Answer::Usual);
        if learnt.is_none() && setup.known().get(Habit::Split) != Some(Answer::Usual) {
            // The operator insists.
            return false;
        }
        out.learnt(learnt, why);
        true
    }
}
