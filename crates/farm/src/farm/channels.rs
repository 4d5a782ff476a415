//! The route's channels, as far as they matter for who sits where.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use orepass_stratum::channel::{Ground, Seat};
use orepass_stratum::firmware::Firmware;
use orepass_stratum::job::Generation;
use orepass_stratum::space::{NoLease, Wish, WorkNumber};
use orepass_stratum::time::Instant;

use super::{ChannelId, RigId, Shown};
use crate::pools::{Link, PoolIndex};

/// How long a rig stays on a channel without a connection before it looks for another.
const STRANDED_AFTER: Duration = Duration::from_secs(3);

/// All that were opened and have not ended.
#[derive(Debug, Default)]
pub(super) struct Channels {
    all: BTreeMap<ChannelId, OpenChannel>,
    opened: u64,
}

/// A channel.
#[derive(Debug)]
pub(super) struct OpenChannel {
    pub(super) id: ChannelId,
    pub(super) pool: PoolIndex,
    pub(super) dedicated: bool,
    live: bool,
    /// Its present connection has been reported as one that serves.
    serves: bool,
    generation: Generation,
    ground: Option<Ground>,
    work: Option<WorkNumber>,
    /// Since when it has had no connection.
    lost_since: Option<Instant>,
    /// That has been so for long enough, and its rigs have been told to look.
    stranded: bool,
    /// Since when no rig has used it.
    pub(super) unused_since: Option<Instant>,
    /// Since when the route does not have its pool any more.
    pub(super) retired_since: Option<Instant>,
    /// It is to be closed.
    closing: bool,
    /// Who sits there.
    pub(super) rigs: BTreeSet<RigId>,
}

/// What a view has changed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct News {
    /// The rigs there may have to sit elsewhere, or need not any more.
    pub(super) concerns_rigs: bool,
    /// There may be a seat that was not there before.
    pub(super) room: bool,
    /// It has come to serve.
    pub(super) serves: bool,
}

impl Channels {
    pub(super) fn open(&mut self, pool: PoolIndex, dedicated: bool) -> ChannelId {
        self.opened += 1;
        let id = ChannelId(self.opened);
        let channel = OpenChannel {
            id,
            pool,
            dedicated,
            live: false,
            serves: false,
            generation: Generation(0),
            ground: None,
            work: None,
            lost_since: None,
            stranded: false,
            unused_since: None,
            retired_since: None,
            closing: false,
            rigs: BTreeSet::new(),
        };
        self.all.insert(id, channel);
        id
    }

    /// It has ended for good.
    pub(super) fn remove(&mut self, id: ChannelId) -> Option<OpenChannel> {
        self.all.remove(&id)
    }

    pub(super) fn get(&self, id: ChannelId) -> Option<&OpenChannel> {
        self.all.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: ChannelId) -> Option<&mut OpenChannel> {
        self.all.get_mut(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &OpenChannel> {
        self.all.values()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut OpenChannel> {
        self.all.values_mut()
    }

    /// Those of a pool that many rigs share, or that serve one each.
    pub(super) fn of(
        &self,
        pool: PoolIndex,
        dedicated: bool,
    ) -> impl Iterator<Item = &OpenChannel> {
        self.iter().filter(move |channel| channel.pool == pool && channel.dedicated == dedicated)
    }

    /// When the rigs of a channel without a connection look for another, on the next that has not
    /// been seen to.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.iter().filter(|channel| !channel.stranded).filter_map(OpenChannel::stranded_at).min()
    }
}

impl OpenChannel {
    pub(super) const fn link(&self) -> Link {
        Link { pool: self.pool, number: self.id.0, dedicated: self.dedicated }
    }

    /// Takes in what it shows.
    pub(super) fn show(&mut self, shown: &Shown<'_>, now: Instant) -> News {
        let moved =
            self.generation != shown.generation || self.ground.is_some() != shown.ground.is_some();
        if moved {
            self.generation = shown.generation;
            self.ground = shown.ground.cloned();
        }
        let new_work = self.work != shown.work;
        self.work = shown.work;
        let turned = self.live != shown.live;
        self.live = shown.live;
        let was_lost = self.lost_since.is_some();
        if shown.live {
            (self.lost_since, self.stranded) = (None, false);
        } else {
            self.lost_since.get_or_insert(now);
        }
        let serves = shown.serves && !self.serves;
        self.serves |= serves;
        News {
            concerns_rigs: moved && self.ground.is_some() || shown.live && was_lost,
            room: (moved || new_work || turned) && !self.is_full(),
            serves,
        }
    }

    /// Its connection has ended.
    pub(super) const fn ended(&mut self) {
        self.serves = false;
    }

    /// It is to be closed: nobody sits down there any more.
    pub(super) const fn close(&mut self) {
        self.closing = true;
    }

    /// Marks it as seen to when its rigs have to look for another channel since it has no
    /// connection; whether that is so now.
    pub(super) fn strand(&mut self, now: Instant) -> bool {
        let due = !self.stranded && self.is_stranded(now);
        self.stranded |= due;
        due
    }

    /// Whether no share can be taken there, and that for a while.
    pub(super) fn is_stranded(&self, now: Instant) -> bool {
        self.stranded_at().is_some_and(|at| at <= now)
    }

    fn stranded_at(&self) -> Option<Instant> {
        self.lost_since.filter(|_| !self.rigs.is_empty()).map(|since| since + STRANDED_AFTER)
    }

    /// Whether a seat of that generation is none any more.
    pub(super) fn has_moved_from(&self, generation: Generation) -> bool {
        self.ground.is_some() && self.generation != generation
    }

    pub(super) const fn is_live(&self) -> bool {
        self.live
    }

    pub(super) const fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether rigs can sit there; one on which no job has come may be of no use.
    pub(super) const fn is_usable(&self) -> bool {
        self.live && self.work.is_some() && !self.closing
    }

    /// Whether a rig of this firmware can share it; `None` before the first subscribe.
    pub(super) fn suits(&self, firmware: &Firmware) -> Option<bool> {
        Some(self.ground.as_ref()?.suits(firmware))
    }

    /// Lends a part of its space.
    pub(super) fn seat(&self, wish: &Wish<'_>) -> Result<Seat, NoLease> {
        let ground = self.ground.as_ref().ok_or(NoLease::Resting)?;
        ground.seat(wish, self.generation, self.work)
    }

    /// Whether no lease of it is free, nor will be with newer work.
    pub(super) fn is_full(&self) -> bool {
        self.capacity().is_some_and(|capacity| self.lent() >= capacity)
    }

    /// How many rigs it holds, once that is known.
    pub(super) fn capacity(&self) -> Option<usize> {
        Some(self.ground.as_ref()?.space.capacity() as usize)
    }

    /// How many rigs hash under it, those included that have just left.
    pub(super) fn lent(&self) -> usize {
        self.ground.as_ref().map_or(0, |ground| ground.space.lent() as usize)
    }
}
