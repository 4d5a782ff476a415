//! What holds at every moment of every story.

use std::collections::BTreeSet;

use super::*;
use crate::farm::channels::OpenChannel;
use crate::farm::waiting::PATIENCE;

/// In a story with more rigs than that not everything is looked at all the time.
const FEW: usize = 100;

impl Story {
    /// What holds for an act, at the time when it was decided.
    pub(super) fn check(&self, act: &Act) {
        let many = 100 + 20 * (self.farm.rigs.len() + self.channels.len());
        assert!(self.busy <= many, "it finds no end");
        let Act::Rig { rig, order } = act else { return };
        match order {
            Order::Seat { channel, seat } => {
                assert!(self.farm.rigs.contains_key(rig), "a rig that has gone");
                let upstream = &self.channels[channel];
                assert!(upstream.live && upstream.work.is_some(), "{act:?}: of no use");
                assert!(seat.split.prefix_bytes == upstream.prefix_bytes);
            }
            Order::Refuse(reason) => {
                assert!(!self.seats.contains_key(rig), "it has a seat");
                assert!(!self.could_sit(*rig), "refused while there is room: {reason}");
            }
            Order::Leave(CloseReason::ExtranonceChanged) => {
                let (channel, seat) = &self.seats[rig];
                let present = self.channels.get(channel);
                let same = present.is_some_and(|c| c.live && c.generation == seat.generation);
                let home = self.farm.assignment.pool_of(rig.0);
                let right = self.farm.channels.get(*channel).map(|channel| channel.pool) == home;
                let stand = &self.farm.rigs[rig].stand;
                assert!(!same || !right, "rig {} is closed without need: {stand:?}", rig.0);
            }
            _ => {}
        }
    }

    /// What holds whenever there is nothing to be done.
    pub(super) fn check_all(&self) {
        if self.farm.rigs.len() > FEW {
            return;
        }
        self.check_seats();
        self.check_channels();
        self.check_waiting();
    }

    /// Each rig is on one channel, and no two hash the same.
    fn check_seats(&self) {
        let mut seated = BTreeSet::new();
        for channel in self.farm.channels.iter() {
            for rig in &channel.rigs {
                assert!(seated.insert(*rig), "rig {} is on two channels", rig.0);
                assert_eq!(self.farm.rigs[rig].channel(), Some(channel.id));
            }
        }
        for (rig, (channel, _)) in &self.seats {
            assert_eq!(self.farm.rigs[rig].channel(), Some(*channel), "rig {}", rig.0);
        }
        let mut told = BTreeSet::new();
        let former = self.former.iter().map(|(_, seat)| seat);
        for seat in self.seats.values().map(|(_, seat)| seat).chain(former) {
            let extranonce1 = seat.extranonce1().unwrap();
            assert!(told.insert(extranonce1.as_bytes().to_vec()), "{extranonce1:?} twice");
        }
    }

    /// There are no more channels than there may be.
    fn check_channels(&self) {
        for pool in 0..self.farm.config.pools.len() {
            let count = |dedicated| self.farm.channels.of(pool, dedicated).count();
            assert!(count(false) <= self.most_channels);
            assert!(count(true) <= self.most_dedicated);
        }
        assert_eq!(self.farm.channels.iter().count(), self.channels.len());
    }

    /// Nobody waits where there is room, and nobody who waits is forgotten.
    fn check_waiting(&self) {
        let waiting: BTreeSet<RigId> = self.farm.waiting().map(|waiter| waiter.rig).collect();
        let tickets: Vec<Instant> = self.farm.waiting().map(|waiter| waiter.since).collect();
        assert!(tickets.is_sorted(), "out of order");
        let open = self.farm.gate() == Gate::Open;
        let told = self.now.saturating_duration_since(self.quietly_back) > LOOK_EVERY;
        for (id, rig) in &self.farm.rigs {
            if matches!(rig.stand, Stand::Waits) {
                assert!(waiting.contains(id), "rig {} is forgotten", id.0);
                assert!(!open || !told || !self.could_sit(*id), "rig {} could sit", id.0);
            }
        }
        for waiter in self.farm.waiting().filter(|_| open && told) {
            let patient = self.now < waiter.since + PATIENCE;
            let nowhere = !self.seats.contains_key(&waiter.rig);
            let rescued = !patient && nowhere && self.has_refuge(waiter.rig);
            assert!(!rescued, "rig {} has a refuge", waiter.rig.0);
        }
    }

    /// Whether a rig would find a seat now where it belongs, or a channel could be opened for it.
    pub(super) fn could_sit(&self, rig: RigId) -> bool {
        let Some(pool) = self.farm.assignment.pool_of(rig.0) else { return false };
        let Needs { firmware, sure } = self.farm.rigs[&rig].needs();
        let shared = self.farm.channels.of(pool, false).any(|channel| {
            channel.suits(&firmware) == Some(true)
                && channel.suits(&sure) == Some(true)
                && self.has_room(channel)
        });
        shared && self.farm.config.prefix_bytes != Some(0)
    }

    fn has_refuge(&self, rig: RigId) -> bool {
        let sure = self.farm.rigs[&rig].needs().sure;
        let serving =
            |channel: &&OpenChannel| self.farm.pools.serves(channel.pool) && !channel.dedicated;
        let mut others = self.farm.channels.iter().filter(serving);
        others.any(|channel| channel.suits(&sure) == Some(true) && self.has_room(channel))
    }

    /// Whether anybody would get a lease of a channel.
    fn has_room(&self, channel: &OpenChannel) -> bool {
        channel.is_usable() && channel.seat(&Default::default()).is_ok()
    }
}
