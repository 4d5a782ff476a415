//! Pools, rigs and what passes between them and the proxy.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use orepass_sim::pool::PoolFault;
use tokio::io::ReadBuf;
use tokio::sync::Notify;

use super::checks::{self, Idle, LOOK_EVERY, ToldWorks};
use super::pipe::{End, Wire};
use super::plan::Plan;
use super::pool::Pool;
use super::rig::Rig;
use super::setting::{Event, Setting, tell, violation};
use super::weather::LATEST_BLOCK;

/// How long a block takes in the mean, a pool to learn of it, and a pool to make another job.
const BLOCK: Duration = Duration::from_secs(600);
const LEARN_WITHIN: Duration = Duration::from_secs(3);
/// How much later a pool learns of it that trails.
const TRAIL: (Duration, Duration) = (Duration::from_secs(30), LATEST_BLOCK);
const JOB: (Duration, Duration) = (Duration::from_secs(40), Duration::from_secs(100));
/// The rigs come within this time.
const COME_WITHIN: Duration = Duration::from_secs(30);
/// How long nothing goes wrong in the beginning.
const PEACE: Duration = Duration::from_secs(60);

/// Everything but the proxy.
#[derive(Debug)]
pub(super) struct World {
    pub(super) setting: Setting,
    pub(super) pools: Vec<Pool>,
    pub(super) rigs: Vec<Rig>,
    pub(super) told: ToldWorks,
    pub(super) idle: Vec<Idle>,
    /// Rigs that are to be let in.
    pub(super) comers: Vec<(usize, u32)>,
    /// When a rig last came.
    pub(super) came: Duration,
    /// Wakes whoever does what the agenda says, since that has become shorter.
    pub(super) hurry: Arc<Notify>,
    /// When that wakes by itself.
    pub(super) wakes: Option<Duration>,
    calm: Duration,
    max_channels: usize,
}

impl World {
    /// A world of which everything is still to come.
    #[must_use]
    pub(super) fn new(mut setting: Setting, plan: &Plan) -> Self {
        let pool = |index| Pool::new(index, plan);
        let pools: Vec<Pool> = (0..plan.route.pools.len()).map(pool).collect();
        let rig = |(index, &(kind, speed, at_once))| Rig::new(index, kind, speed, at_once);
        let rigs: Vec<Rig> = plan.rigs.iter().enumerate().map(rig).collect();
        tell!(setting, "{plan:?}");
        for rig in 0..rigs.len() {
            let wait = setting.between(Duration::ZERO, COME_WITHIN);
            setting.after(wait, Event::Come { rig });
        }
        for pool in 0..pools.len() {
            let wait = setting.between(JOB.0, JOB.1);
            setting.after(wait, Event::Job { pool });
            let wait = setting.about(plan.calm) + PEACE;
            setting.after(wait, Event::Worse { pool });
        }
        setting.after(LOOK_EVERY, Event::Look);
        let wait = setting.about(BLOCK);
        setting.after(wait, Event::Block);
        Self {
            setting,
            idle: vec![Idle::default(); rigs.len()],
            pools,
            rigs,
            told: ToldWorks::new(plan.route.max_rigs_per_channel < plan.rigs.len()),
            comers: Vec::new(),
            came: Duration::ZERO,
            hurry: Arc::default(),
            wakes: None,
            calm: plan.calm,
            max_channels: plan.route.max_channels,
        }
    }

    /// Has everything happen that is due; whether one was to look at everything.
    pub(super) fn go_on(&mut self) -> bool {
        let mut looked = false;
        while let Some(event) = self.setting.agenda.due(self.setting.now()) {
            looked |= event == Event::Look;
            self.happen(event);
        }
        self.wakes = self.setting.agenda.next();
        looked
    }

    fn happen(&mut self, event: Event) {
        let Self { setting, pools, rigs, idle, told, .. } = self;
        match event {
            Event::Look => {
                checks::look(setting, pools, rigs, idle, told);
                setting.after(LOOK_EVERY, Event::Look);
            }
            Event::Block => {
                setting.height += 1;
                tell!(setting, "block {}", setting.height);
                for pool in 0..pools.len() {
                    let wait = setting.between(Duration::ZERO, LEARN_WITHIN);
                    let height = setting.height;
                    setting.after(wait, Event::Learn { pool, height, late: false });
                }
                // All pools learn of it before the next one: blocks are known to the proxy by their
                // hashes alone, and of two that pools tell in a different order it cannot say which
                // is newer.
                let wait = setting.about(BLOCK) + 2 * LEARN_WITHIN;
                setting.after(wait, Event::Block);
            }
            Event::Learn { pool, height, late } => match &pools[pool].fault {
                Some(PoolFault::Lag) => {}
                Some(PoolFault::Trail(_)) if !late => {
                    let wait = setting.between(TRAIL.0, TRAIL.1);
                    setting.after(wait, Event::Learn { pool, height, late: true });
                }
                // The proxy cannot know that a block is old which no other pool has told.
                Some(PoolFault::Trail(_)) if !setting.has_told(height) => {}
                _ if pools[pool].work.height < height => {
                    pools[pool].new_work(setting, height, true);
                }
                _ => {}
            },
            Event::Job { pool } => {
                let height = pools[pool].work.height;
                pools[pool].new_work(setting, height, false);
                let wait = setting.between(JOB.0, JOB.1);
                setting.after(wait, Event::Job { pool });
            }
            Event::Say { pool, conn, line, mark } => pools[pool].say(conn, &line, mark),
            Event::Worse { pool } => {
                if !setting.over {
                    pools[pool].worsen(setting);
                    told.calm_since = None;
                }
            }
            Event::Heal { pool } => {
                pools[pool].heal(setting);
                let wait = setting.about(self.calm);
                setting.after(wait, Event::Worse { pool });
                self.listen(pool);
            }
            Event::Come { rig } => {
                if !setting.over && rigs[rig].current.is_none() {
                    let conn = rigs[rig].come(setting);
                    self.comers.push((rig, conn));
                    self.came = setting.now();
                }
            }
            Event::Whim { rig } => rigs[rig].whim(setting),
            Event::Find { rig, token } => rigs[rig].find(setting, token),
        }
    }

    /// Nobody starts anything any more, and the pools are well.
    pub(super) fn calm_down(&mut self) {
        self.setting.over = true;
        tell!(self.setting, "it is over");
        for pool in 0..self.pools.len() {
            self.pools[pool].heal(&mut self.setting);
            self.listen(pool);
        }
    }

    /// A connection to a pool is wanted: how it fares, and when that is known.
    pub(super) fn dial(&mut self, pool: usize) -> (Duration, Result<(), io::ErrorKind>) {
        let latency = self.setting.between(Duration::from_millis(5), Duration::from_millis(60));
        match &self.pools[pool].fault {
            Some(PoolFault::RefuseConnections) => (latency, Err(io::ErrorKind::ConnectionRefused)),
            Some(PoolFault::Hang) => (Duration::from_secs(5), Err(io::ErrorKind::TimedOut)),
            _ => (latency, Ok(())),
        }
    }

    /// A pool takes a connection.
    pub(super) fn accept(&mut self, pool: usize) -> u32 {
        let number = self.pools[pool].accept(&mut self.setting);
        let held = self.pools[pool].conns.len();
        if held > self.max_channels {
            violation!(self.setting, "{held} connections to pool {pool}");
        }
        number
    }

    /// How many rig connections the proxy holds.
    #[must_use]
    pub(super) fn sessions(&self) -> usize {
        let held = |rig: &Rig| rig.conns.values().filter(|conn| conn.wire.is_held()).count();
        self.rigs.iter().map(held).sum()
    }

    fn wire(&mut self, end: End) -> Option<&mut Wire> {
        match end {
            End::Pool { pool, conn } => Some(&mut self.pools[pool].conns.get_mut(&conn)?.wire),
            End::Rig { rig, conn } => Some(&mut self.rigs[rig].conns.get_mut(&conn)?.wire),
        }
    }

    pub(super) fn poll_read(
        &mut self,
        end: End,
        context: &Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(wire) = self.wire(end) else { return Poll::Ready(Ok(())) };
        let polled = wire.poll_read(context, buffer);
        while let Some(mark) = self.wire(end).and_then(Wire::read_mark) {
            match end {
                End::Pool { pool, conn } => self.pools[pool].read(&mut self.setting, conn, mark),
                End::Rig { rig, conn } => self.rigs[rig].read(&mut self.setting, conn, mark),
            }
        }
        polled
    }

    pub(super) fn poll_write(
        &mut self,
        end: End,
        context: &Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let now = self.setting.now();
        let polled = self.wire(end).map(|wire| wire.poll_write(context, bytes, now));
        self.hear(end);
        polled.unwrap_or_else(|| Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())))
    }

    /// Has a pool take in what was said to it while it did not listen.
    fn listen(&mut self, pool: usize) {
        let conns: Vec<u32> = self.pools[pool].conns.keys().copied().collect();
        for conn in conns {
            self.hear(End::Pool { pool, conn });
        }
    }

    /// Takes in what the proxy has said on a connection.
    fn hear(&mut self, end: End) {
        while let Some((line, came)) = self.wire(end).and_then(Wire::hear) {
            let Self { setting, pools, rigs, told, .. } = self;
            match end {
                End::Pool { pool, conn } => pools[pool].hear(setting, conn, &line, came),
                End::Rig { rig, conn } => rigs[rig].hear(setting, conn, &line, told),
            }
        }
        self.hurry_up();
    }

    pub(super) fn shut(&mut self, end: End) {
        if let Some(wire) = self.wire(end) {
            wire.shut();
            if let End::Rig { rig, conn } = end {
                self.rigs[rig].dropped(&mut self.setting, conn, false);
            }
        }
        self.hurry_up();
    }

    pub(super) fn drop_half(&mut self, end: End) {
        let Some(wire) = self.wire(end) else { return };
        wire.drop_half();
        let gone = !wire.is_held();
        match end {
            End::Pool { pool, conn } if gone => self.pools[pool].dropped(&mut self.setting, conn),
            End::Pool { .. } => {}
            End::Rig { rig, conn } => self.rigs[rig].dropped(&mut self.setting, conn, gone),
        }
        self.hurry_up();
    }

    fn hurry_up(&mut self) {
        let next = self.setting.agenda.next();
        if next.is_some() && (self.wakes.is_none() || next < self.wakes) {
            self.wakes = next;
            self.hurry.notify_one();
        }
    }
}
