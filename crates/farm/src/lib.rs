#![doc = include_str!("../README.md")]
//!
//! ## Where to start
//!
//! It knows of the protocol what [`orepass_stratum`] knows, and stands above it. Start with
//! [`farm::Farm`]. What it is made of serves alone too: [`pools::Pools`] (which pool now),
//! [`assignment::Assignment`] (which rig at which pool), [`penalties::Penalties`],
//! [`kinds::Kinds`] (what firmware of one kind has shown), [`backoff::Backoff`] (when a lost
//! connection is made anew), [`drain::Drain`] (who leaves when, at the end) and [`stats::Book`]
//! (what became of shares).
//!
//! ## How a farm is driven
//!
//! A farm belongs to one route. One task, or one lock, holds it. Whoever does tells it what happens,
//! by the methods `handle_…`, then takes what is to be done from [`Farm::poll`](farm::Farm::poll)
//! until there is nothing, and calls [`handle_timeout`](farm::Farm::handle_timeout) at
//! [`poll_timeout`](farm::Farm::poll_timeout). Several things may be told before acts are taken:
//! what follows from them together is decided once.
//!
//! * **Rigs** have a serial that the driver counts. It tells when one has connected, subscribed,
//!   authorized its first worker and gone; and what its session says of it: that it can be told
//!   another extranonce, that a share found no room, a misfit, a merit, a quarantine, a flood. The
//!   farm lends the leases: a rig's seat comes in [`Order::Seat`](farm::Order::Seat), and goes back by
//!   being dropped, which has to be done before the farm is told that the rig has gone. An act for a
//!   rig that has gone meanwhile is dropped, and its seat with it. A session that has not had its
//!   first seat ends by itself when it has waited for too long.
//! * **Channels** have a number that the farm gives in [`Act::Open`](farm::Act::Open). The driver
//!   keeps one connection after the other until [`Act::Close`](farm::Act::Close), with a
//!   [`Backoff`](backoff::Backoff) between them that [`Act::News`](farm::Act::News) and
//!   [`Act::Urgent`](farm::Act::Urgent) may shorten. It tells each connection's making and end, each
//!   view, the verdicts that weigh, and at last that the channel has ended for good, also where its
//!   task has panicked. A view costs the farm nothing for each rig, unless it moves them.
//! * **Pools** have slots: the places of the first config, and the next ones for those that
//!   [come later](farm::Farm::handle_wishes). A slot never becomes another pool's, so that whatever names
//!   one goes on to mean it. Their habits' books are the [farm's](farm::Farm::habits), which all channels
//!   share.
//! * **The state file** is read whole into [`Remembered`](knowledge::Remembered), and whatever
//!   changes comes in [`Act::Remember`](farm::Act::Remember).
//!
//! At a stop no acts are taken any more: that channels end then is no outage.
//!
//! ```
//! use std::collections::HashMap;
//! use std::net::IpAddr;
//! use std::sync::Arc;
//! use orepass_stratum::time::Instant;
//!
//! use orepass_farm::farm::{
//!     Act, ChannelId, Ending, Farm, FarmConfig, Order, PoolTerms, RigId, Shown,
//! };
//! use orepass_farm::knowledge::Remembered;
//! use orepass_stratum::channel::ChannelView;
//! use orepass_stratum::dialect::Dialect;
//! use orepass_stratum::downstream::{Downstream, Event};
//! use orepass_stratum::upstream::{Upstream, UpstreamEvent};
//!
//! /// All sessions of a route on one thread.
//! struct Route<D: Dialect> {
//!     farm: Farm,
//!     rigs: HashMap<RigId, Downstream<D>>,
//!     channels: HashMap<ChannelId, Upstream<D, u64>>,
//! }
//!
//! impl<D: Dialect> Route<D> {
//!     /// A rig's session has something to say.
//!     fn rig_says(&mut self, id: RigId, now: Instant) {
//!         let Some(rig) = self.rigs.get_mut(&id) else { return };
//!         while let Some(event) = rig.poll_event() {
//!             let (agent, worker) = (rig.agent().cloned(), rig.worker().cloned());
//!             // What the dialect knows of such a login.
//!             let known = Default::default();
//!             match event {
//!                 Event::WantsSeat if rig.wants_seat() => {
//!                     self.farm.handle_subscribe(id, &agent.unwrap_or_default(), known, now);
//!                 }
//!                 Event::Authorized(name) if Some(&name) == worker.as_ref() => {
//!                     self.farm.handle_worker(id, &name, known, now);
//!                 }
//!                 Event::Misfit(diagnosis) => self.farm.handle_misfit(id, diagnosis, now),
//!                 Event::Proven(merit) => self.farm.handle_merit(id, merit, now),
//!                 // And so on: quarantine, flood, the books, the log.
//!                 _ => {}
//!             }
//!         }
//!         self.farm.handle_follows(id, rig.takes_set_extranonce(), now);
//!         if rig.is_closed()
//!             && let Some(rig) = self.rigs.remove(&id)
//!         {
//!             let (difficulty, slot) = (rig.proven_difficulty(), rig.slot());
//!             drop(rig);
//!             self.farm.handle_gone(id, difficulty, slot, now);
//!         }
//!     }
//!
//!     /// A channel's session has something to say.
//!     fn channel_says(&mut self, id: ChannelId, now: Instant) {
//!         let Some(upstream) = self.channels.get_mut(&id) else { return };
//!         while let Some(event) = upstream.poll_event() {
//!             match event {
//!                 UpstreamEvent::View => {
//!                     let view: ChannelView<D> = upstream.view();
//!                     let shown = Shown::of(&view, upstream.serves());
//!                     self.farm.handle_view(id, &shown, now);
//!                     // The sessions that sit there are shown it too.
//!                 }
//!                 UpstreamEvent::Verdict { outcome, weighs: true, .. } => {
//!                     self.farm.handle_verdicts(id, [&outcome.told], now);
//!                 }
//!                 // Its connection is closed, and made anew after a while.
//!                 UpstreamEvent::Down(_) => self.farm.handle_ended(id, Ending::Failed, now),
//!                 _ => {}
//!             }
//!         }
//!     }
//!
//!     /// After all that has happened, and at `farm.poll_timeout()`.
//!     fn act(&mut self, now: Instant) {
//!         if self.farm.poll_timeout().is_some_and(|at| at <= now) {
//!             self.farm.handle_timeout(now);
//!         }
//!         while let Some(act) = self.farm.poll() {
//!             match act {
//!                 Act::Open { channel, pool, dedicated } => {
//!                     println!("to be opened: {channel:?} to {pool}, alone: {dedicated}");
//!                 }
//!                 Act::Rig { rig, order } => self.obey(rig, order, now),
//!                 // And so on: close, doubt, give way, news, report, remember.
//!                 other => println!("{other:?}"),
//!             }
//!         }
//!     }
//!
//!     fn obey(&mut self, id: RigId, order: Order, now: Instant) {
//!         let Some(rig) = self.rigs.get_mut(&id) else { return };
//!         match order {
//!             Order::Know(firmware) => rig.handle_firmware(&firmware, now),
//!             Order::Seat { channel, seat } => {
//!                 if let Some(channel) = self.channels.get(&channel) {
//!                     rig.handle_seat(*seat, &channel.view(), now);
//!                 }
//!             }
//!             Order::Welcome { firmware, difficulty } => {
//!                 rig.handle_welcome(&firmware, difficulty, now);
//!             }
//!             Order::Wait(wait) => rig.handle_wait(wait),
//!             Order::Refuse(reason) => rig.handle_no_seat(reason.to_string()),
//!             Order::Difficulty(difficulty) => rig.handle_difficulty(difficulty, now),
//!             Order::Leave(reason) => rig.handle_close(reason),
//!         }
//!     }
//! }
//!
//! # use orepass_stratum::testing::{TestCoin, start};
//! # let now = start();
//! let pools = vec![PoolTerms::new("main", "pool.example:3008")];
//! let farm = Farm::new(FarmConfig::new(pools), Remembered::default(), 7, now);
//! # let mut route: Route<TestCoin> =
//! #     Route { farm, rigs: HashMap::new(), channels: HashMap::new() };
//! let address = IpAddr::from([192, 0, 2, 7]);
//! route.farm.handle_rig(RigId(1), address, Arc::default(), now);
//! route.act(now);
//! # route.rig_says(RigId(1), now);
//! # route.channel_says(ChannelId(1), now);
//! ```

pub mod assignment;
pub mod backoff;
pub mod drain;
pub mod farm;
pub mod kinds;
pub mod knowledge;
pub mod limits;
pub mod penalties;
pub mod pools;
pub mod stats;
