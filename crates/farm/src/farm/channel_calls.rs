//! What a farm is told of channels, and of the pools that they lead to.

use orepass_stratum::error::Reject;
use orepass_stratum::habits::Learnt;
use orepass_stratum::time::Instant;

use super::channels::News;
use super::{Act, ChannelId, Ending, Farm, Shown};
use crate::pools::{Cause, PoolIndex};

impl Farm {
    /// A channel's connection has been made.
    pub fn handle_connected(&mut self, id: ChannelId, now: Instant) {
        self.now = now;
        if let Some(channel) = self.channels.get(id) {
            self.habits.refresh(channel.pool, now);
        }
    }

    /// A channel shows something new.
    pub fn handle_view(&mut self, id: ChannelId, shown: &Shown<'_>, now: Instant) {
        self.now = now;
        let Some(channel) = self.channels.get_mut(id) else { return };
        let (link, News { concerns_rigs, room, serves }) =
            (channel.link(), channel.show(shown, now));
        self.room |= room;
        if concerns_rigs {
            self.unsettled.extend(&channel.rigs);
        }
        if let Some(block) = shown.block {
            self.pools.block(link.pool, block, now);
        }
        if serves {
            self.pools.up(link, now);
            self.acts.push_back(Act::News(link.pool));
            self.directs = true;
        }
        self.directs |= self.pools.has_news();
    }

    /// Shares that were sent on a channel have verdicts that
    /// [weigh](orepass_stratum::upstream::UpstreamEvent::Verdict), in their order.
    pub fn handle_verdicts<'a>(
        &mut self,
        id: ChannelId,
        verdicts: impl IntoIterator<Item = &'a Result<(), Reject>>,
        now: Instant,
    ) {
        self.now = now;
        let Some(channel) = self.channels.get(id) else { return };
        let link = channel.link();
        verdicts.into_iter().for_each(|verdict| self.pools.verdict(link, verdict, now));
        self.directs |= self.pools.has_news();
    }

    /// A connection to a pool has shown something of the pool.
    pub fn handle_learnt(&mut self, pool: PoolIndex, learnt: Learnt, now: Instant) {
        self.now = now;
        self.acts.extend(self.habits.learnt(pool, learnt, now).map(Act::Remember));
    }

    /// The pool gave a channel the extranonce1 of another one. That gives way where it serves a
    /// single rig, and this one many.
    pub fn handle_clash(&mut self, id: ChannelId, with: Option<ChannelId>, now: Instant) {
        self.now = now;
        let serves_many = self.channels.get(id).is_some_and(|channel| !channel.dedicated);
        let other = with.and_then(|with| self.channels.get(with)).filter(|other| other.dedicated);
        if let Some(other) = other.filter(|_| serves_many) {
            self.acts.push_back(Act::GiveWay(other.id));
        }
    }

    /// A channel's connection has ended, or could not be made.
    pub fn handle_ended(&mut self, id: ChannelId, how: Ending, now: Instant) {
        self.now = now;
        let Some(channel) = self.channels.get_mut(id) else { return };
        channel.ended();
        let link = channel.link();
        match how {
            Ending::GivenUp(cause) => self.pools.down(link, cause, now),
            Ending::Failed => self.pools.down(link, Cause::Connection, now),
            Ending::Lost | Ending::SentAway => self.pools.lost(link, now),
        }
        if how != Ending::SentAway {
            let left =
                self.channels.iter().filter(|other| other.pool == link.pool && other.id != id);
            let live = left.filter(|other| other.is_live());
            self.acts.extend(live.map(|other| Act::Doubt(other.id)));
        }
        self.directs = true;
    }

    /// A channel has ended for good.
    pub fn handle_closed(&mut self, id: ChannelId, now: Instant) {
        self.now = now;
        let Some(mut channel) = self.channels.remove(id) else { return };
        self.pools.released(channel.link(), now);
        self.unsettled.append(&mut channel.rigs);
        (self.directs, self.room) = (true, true);
    }
}
