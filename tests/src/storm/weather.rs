//! What goes wrong with pools, and when.

use std::time::Duration;

use orepass_sim::pool::PoolFault;

use super::pool::Pool;
use super::setting::{Event, Setting, tell};

/// How long the proxy may need to come back to a pool that is well again: the longest wait between
/// attempts, half as much again for jitter, and an attempt that was cut off by its time limit.
const RECONNECT: Duration = Duration::from_secs(45 + 10 + 5);
/// How long the proxy may leave a pool alone: an hour, if it has had to again and again, and the last
/// 20 shares that it looks at take some minutes.
const BENCHED: Duration = Duration::from_secs(3600 + 1800);
/// The latest verdicts, and the latest news of a block.
pub(super) const LATEST: Duration = Duration::from_secs(180);
pub(super) const LATEST_BLOCK: Duration = Duration::from_secs(900);
/// How long a pool that dropped its connections has to be back.
const BACK: Duration = Duration::from_secs(10);

/// Whether most shares come to nothing under a fault, so that the proxy may leave the pool alone for
/// long.
pub(super) const fn refuses(fault: &PoolFault) -> bool {
    use PoolFault::{LateVerdicts, NoVerdicts, RefuseShares, StaleVerdicts};
    matches!(fault, RefuseShares | StaleVerdicts | LateVerdicts(_) | NoVerdicts)
}

/// Whether the proxy may leave the pool alone for long; one that froze is behind as well.
const fn benches(fault: &PoolFault) -> bool {
    use PoolFault::{CloseAfterShare, Freeze, Lag, Trail};
    refuses(fault) || matches!(fault, CloseAfterShare | Lag | Trail(_) | Freeze)
}

/// Whether no job is told.
pub(super) const fn is_jobless(fault: &PoolFault) -> bool {
    matches!(fault, PoolFault::Jobless | PoolFault::ReconnectAtLogin)
}

impl Pool {
    /// Something goes wrong, for a moment or for a while.
    pub(super) fn worsen(&mut self, setting: &mut Setting) {
        use PoolFault::{
            BlackHole, CloseAfterShare, Freeze, Hang, Jobless, Lag, LateVerdicts, NoVerdicts,
            ReconnectAtLogin, RefuseConnections, RefuseShares, SameExtranonce1, StaleVerdicts,
            Trail,
        };
        let now = setting.now();
        let lasting = match setting.rng.u8(..25) {
            0 => Some((RefuseConnections, 120)),
            1 => Some((Hang, 60)),
            2 | 3 => Some((Freeze, 120)),
            4 => Some((BlackHole, 120)),
            5 => Some((LateVerdicts(LATEST), 300)),
            6 => Some((NoVerdicts, 120)),
            7 => Some((RefuseShares, 300)),
            8 => Some((Lag, 600)),
            9 => Some((SameExtranonce1, 120)),
            10 => Some((Trail(LATEST_BLOCK), 1800)),
            11 => Some((Jobless, 120)),
            12 => Some((ReconnectAtLogin, 120)),
            13 => Some((StaleVerdicts, 300)),
            14 => Some((CloseAfterShare, 300)),
            _ => None,
        };
        let Some((fault, seconds)) = lasting else {
            self.trusted = self.trusted.max(now + BACK);
            self.mishap(setting);
            let wait = setting.between(Duration::from_secs(1), Duration::from_secs(60));
            return setting.after(wait, Event::Heal { pool: self.index });
        };
        // Now and then it takes long.
        let longer = if setting.chance(0.1) { 6 } else { 1 };
        let wait = setting.about(Duration::from_secs(seconds * longer));
        tell!(setting, "pool {}: {fault:?} for {wait:?}", self.index);
        self.since = now;
        self.wasted = 0;
        if matches!(
            fault,
            RefuseConnections | Hang | Freeze | BlackHole | SameExtranonce1 | CloseAfterShare
        ) || is_jobless(&fault)
        {
            self.crowded = now + wait + RECONNECT;
        }
        match &fault {
            RefuseConnections | Hang if setting.chance(0.8) => self.drop_all(setting),
            Freeze => self.set_deaf(true),
            BlackHole | Jobless | ReconnectAtLogin => self.drop_all(setting),
            SameExtranonce1 if setting.chance(0.5) => self.drop_all(setting),
            Lag | Trail(_) if setting.chance(0.3) => self.drop_all(setting),
            _ => {}
        }
        self.fault = Some(fault);
        setting.after(wait, Event::Heal { pool: self.index });
    }

    /// Something that is over as soon as it has happened.
    fn mishap(&mut self, setting: &mut Setting) {
        match setting.rng.u8(..12) {
            0 => self.drop_all(setting),
            1 => self.restart(setting),
            2 | 3 => {
                let clash = setting.chance(0.2);
                self.change_extranonces(setting, clash);
                if setting.chance(0.5) {
                    self.new_work(setting, self.work.height, true);
                }
            }
            4 => {
                let difficulty = setting.rng.i32(12..=17);
                self.set_difficulty(setting, difficulty);
            }
            5 => self.repeat_work(setting),
            6 => self.say_all(setting, "some proxy's error page, or half a line"),
            7 => self.say_all(setting, r#"{"id":null,"method":"client.reconnect","params":[]}"#),
            8 => {
                let clean = setting.chance(0.5);
                self.new_work(setting, self.work.height, clean);
                self.go_back(setting, clean);
            }
            9 => {
                let clean = setting.chance(0.5);
                self.go_back(setting, clean);
            }
            10 => self.use_ids_again(setting),
            _ => {
                let garbage = [
                    r#"{"id":null,"method":"mining.notify","params":["1","2"]}"#,
                    r#"{"id":null,"method":"mining.set_difficulty","params":["x"]}"#,
                    r#"{"id":null,"method":"client.show_message","params":["hello"]}"#,
                    r#"{"id":99999999,"result":true,"error":null}"#,
                ];
                let line = setting.pick(&garbage);
                self.say_all(setting, line);
            }
        }
    }

    /// All is well again, until the next time.
    pub(super) fn heal(&mut self, setting: &mut Setting) {
        let now = setting.now();
        let fault = self.fault.take();
        if let Some(fault) = &fault {
            tell!(setting, "pool {}: {fault:?} is over", self.index);
        }
        let mistrusted = if fault.is_some() { RECONNECT } else { Duration::ZERO };
        self.trusted = self.trusted.max(now + mistrusted);
        if let Some(fault) = &fault {
            let surely = if benches(fault) { BENCHED } else { RECONNECT };
            self.sure_from = self.sure_from.max(now + surely);
        }
        match fault {
            Some(PoolFault::Freeze) => {
                self.set_deaf(false);
                self.say_held();
                self.repeat_work(setting);
            }
            Some(PoolFault::Jobless | PoolFault::ReconnectAtLogin) => self.repeat_work(setting),
            Some(PoolFault::BlackHole) => {
                for conn in self.conns.values_mut().filter(|_| setting.chance(0.5)) {
                    conn.wire.end();
                }
            }
            Some(PoolFault::Lag | PoolFault::Trail(_)) if self.work.height < setting.height => {
                let height = setting.height;
                self.new_work(setting, height, true);
            }
            _ => {}
        }
    }
}
