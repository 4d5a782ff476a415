//! The ground that a session stands on: the pool's extranonce, how it is divided, and what is found out
//! about the pool.

use std::sync::Arc;
use std::time::Instant;

use super::jobs::Place;
use super::{DownReason, Notice, Upstream, UpstreamEvent};
use crate::channel::Ground;
use crate::dialect::{Dialect, Split, Subscribed};
use crate::grounds::Claim;
use crate::habits::{Answer, Habit, Learnt};
use crate::rpc::PoolError;
use crate::space::Space;

impl<D: Dialect, T> Upstream<D, T> {
    /// Makes what the pool gave the present ground; a new generation unless it is the same.
    /// `false` when there is no room in it: the connection is down then.
    pub(super) fn settle_on(&mut self, given: Subscribed, now: Instant) -> bool {
        let known = self.habits.known().get(Habit::Split);
        let split = self.dialect.split(&given, self.config.prefix_bytes, known);
        self.subscribed = Some(given);
        let split = match split {
            Ok(split) => split,
            Err(error) => {
                self.down(DownReason::NoRoom(error), now);
                return false;
            }
        };
        let same = self.ground.as_ref().is_some_and(|ground| ground.split.divides_as(&split));
        if same && self.claim.as_ref().is_some_and(Claim::holds) {
            if let Some(ground) = &mut self.ground {
                ground.split = Arc::new(split);
            }
            return true;
        }
        let (number, own) = (self.config.number, self.claim.as_ref());
        match self.grounds.claim(&split, self.config.max_rigs, number, own) {
            Ok((claim, space)) => {
                if self.is_live()
                    && let Err(clash) = claim.go_live()
                {
                    self.down(DownReason::SameExtranonce(clash), now);
                    return false;
                }
                self.claim = Some(claim);
                // A space that was left and claimed again is the same, with all that was told in it.
                if !same || self.ground.as_ref().is_none_or(|g| !g.space.is_same(&space)) {
                    if let Some(connection) = self.link.connection_mut() {
                        connection.owes_job_since = Some(now);
                    }
                    self.new_ground(split, space);
                }
                true
            }
            Err(clash) => {
                self.down(DownReason::SameExtranonce(clash), now);
                false
            }
        }
    }

    fn new_ground(&mut self, split: Split, space: Space) {
        let capacity = space.capacity();
        self.generation = self.jobs.ids().next_generation();
        self.accepted = 0;
        // What was found under the former leases is the pool's as long as it has the same extranonce1
        // and takes what is so long.
        let length = |split: &Split| split.prefix_bytes + split.rig_extranonce2;
        let counts = |Ground { split: former, .. }: &Ground| {
            former.extranonce1 == split.extranonce1 && length(former) <= length(&split)
        };
        let counts = self.ground.as_ref().is_some_and(counts);
        self.jobs.leave(counts);
        let split = Arc::new(split);
        let (ids, habits) = (Arc::clone(self.jobs.ids()), self.habits.clone());
        self.ground = Some(Ground { split: Arc::clone(&split), space, ids, habits });
        self.notice(Notice::Ground { split, capacity });
        self.events.push_back(UpstreamEvent::View);
    }

    /// The pool refused a share for its form. If the split is one that stricter pools do not take,
    /// and none was taken so far, the stricter one is used from now on; `true` then.
    pub(super) fn fall_back(&mut self, error: &PoolError, now: Instant) -> bool {
        let wide = self.ground.as_ref().is_some_and(|ground| ground.split.wide);
        if !wide || self.accepted > 0 {
            return false;
        }
        let Some(given) = self.subscribed.clone() else { return false };
        let learnt = self.habits.learn(Habit::Split, Answer::Usual);
        if learnt.is_none() && self.habits.known().get(Habit::Split) != Some(Answer::Usual) {
            // The operator insists.
            return false;
        }
        self.learn(learnt, &error.to_string());
        if let Some(connection) = self.link.connection_mut() {
            connection.divides_anew = false;
        }
        // The work goes on under the new leases: its shares were worth nothing under the old.
        let before = self.generation;
        let work = self.jobs.latest();
        // The same ground again would have the same leases, to which the work was told already.
        if self.settle_on(given, now)
            && self.generation != before
            && let (Some(work), Some(ground)) = (work, &self.ground)
        {
            let known = self.habits.known();
            let place = Place { known, space: &ground.space, generation: self.generation };
            self.jobs.readopt(work, &place);
        }
        true
    }

    /// Says what was found out about the pool, and acts on it.
    pub(super) fn learn(&mut self, learnt: Option<Learnt>, why: &str) {
        if let Some(learnt) = learnt {
            self.notice(Notice::Learnt { learnt, why: why.to_owned() });
        }
        self.follow_habits();
    }

    /// Acts on what has been found out about the pool, here or on another connection to it.
    pub(super) fn follow_habits(&mut self) {
        let known = self.habits.known();
        let before = std::mem::replace(&mut self.followed, known);
        if known == before {
            return;
        }
        let news = |habit| known.get(habit) != before.get(habit);
        if news(Habit::Names) {
            self.follow_names();
        }
        if let Some(connection) = self.link.connection_mut() {
            connection.divides_anew |= news(Habit::Split);
        }
        let at_once = known.get(Habit::DifficultyFrom) == Some(Answer::Other);
        let enforced = at_once && self.jobs.enforce();
        if enforced || news(Habit::NotifyTarget) || news(Habit::DifficultyScale) {
            self.target_changed();
        }
    }
}
