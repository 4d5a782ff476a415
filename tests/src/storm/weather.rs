//! What goes wrong with pools, and when.

use std::time::Duration;

use super::pool::Pool;
use super::sky::{Event, Sky, tell};

/// How long the proxy may need to come back to a pool that is well again: the longest wait between
/// attempts, half as much again for jitter, and an attempt that was cut off by its time limit.
const RECONNECT: Duration = Duration::from_secs(45 + 10 + 5);
/// How long the proxy may leave a pool alone: an hour, if it has had to again and again, and the last
/// 20 shares that it looks at take some minutes.
const BENCHED: Duration = Duration::from_secs(3600 + 1800);
/// How long a pool that dropped its connections has to be back.
const BACK: Duration = Duration::from_secs(10);

/// A state in which a pool is for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It refuses connections, and drops those that it has.
    Refuse,
    /// Connections to it are not made, nor refused.
    Hang,
    /// It says nothing and hears nothing.
    Stall,
    /// It takes connections and never says anything on them.
    BlackHole,
    /// Its verdicts come late.
    Late,
    /// Its verdicts do not come.
    Mute,
    /// It rejects every share.
    Reject,
    /// It does not learn of new blocks.
    Lag,
    /// It learns of them late.
    Trail,
    /// It gives one extranonce1 to all.
    SameExtranonce,
    /// It logs us in and tells no job.
    Jobless,
    /// It answers logins with `client.reconnect`, and tells no job.
    Redirect,
    /// It takes every share for stale.
    Disown,
    /// It closes a connection with each share that it answers on it.
    Hasty,
}

impl Fault {
    /// Whether most shares come to nothing, so that the proxy may leave the pool alone for long.
    pub(super) const fn refuses(self) -> bool {
        matches!(self, Self::Reject | Self::Disown | Self::Late | Self::Mute)
    }

    /// Whether the proxy may leave the pool alone for long; one that stalls is behind as well.
    const fn benches(self) -> bool {
        self.refuses() || matches!(self, Self::Hasty | Self::Lag | Self::Trail | Self::Stall)
    }

    /// Whether no job is told.
    pub(super) const fn is_jobless(self) -> bool {
        matches!(self, Self::Jobless | Self::Redirect)
    }
}

impl Pool {
    /// Something goes wrong, for a moment or for a while.
    pub(super) fn worsen(&mut self, sky: &mut Sky) {
        use Fault::{
            BlackHole, Disown, Hang, Hasty, Jobless, Lag, Late, Mute, Redirect, Refuse, Reject,
            SameExtranonce, Stall, Trail,
        };
        let now = sky.now();
        let lasting = match sky.rng.u8(..25) {
            0 => Some((Refuse, 120)),
            1 => Some((Hang, 60)),
            2 | 3 => Some((Stall, 120)),
            4 => Some((BlackHole, 120)),
            5 => Some((Late, 300)),
            6 => Some((Mute, 120)),
            7 => Some((Reject, 300)),
            8 => Some((Lag, 600)),
            9 => Some((SameExtranonce, 120)),
            10 => Some((Trail, 1800)),
            11 => Some((Jobless, 120)),
            12 => Some((Redirect, 120)),
            13 => Some((Disown, 300)),
            14 => Some((Hasty, 300)),
            _ => None,
        };
        let Some((fault, seconds)) = lasting else {
            self.trusted = self.trusted.max(now + BACK);
            self.mishap(sky);
            let wait = sky.between(Duration::from_secs(1), Duration::from_secs(60));
            return sky.after(wait, Event::Heal { pool: self.index });
        };
        // Now and then it takes long.
        let longer = if sky.chance(0.1) { 6 } else { 1 };
        let wait = sky.about(Duration::from_secs(seconds * longer));
        tell!(sky, "pool {}: {fault:?} for {wait:?}", self.index);
        self.fault = Some(fault);
        self.since = now;
        self.wasted = 0;
        if matches!(fault, Refuse | Hang | Stall | BlackHole | SameExtranonce | Hasty)
            || fault.is_jobless()
        {
            self.crowded = now + wait + RECONNECT;
        }
        match fault {
            Refuse | Hang => {
                if sky.chance(0.8) {
                    self.drop_all(sky);
                }
            }
            Stall => self.set_deaf(true),
            BlackHole | Jobless | Redirect => self.drop_all(sky),
            SameExtranonce => {
                if sky.chance(0.5) {
                    self.drop_all(sky);
                }
            }
            Lag | Trail => {
                if sky.chance(0.3) {
                    self.drop_all(sky);
                }
            }
            Late | Mute | Reject | Disown | Hasty => {}
        }
        sky.after(wait, Event::Heal { pool: self.index });
    }

    /// Something that is over as soon as it has happened.
    fn mishap(&mut self, sky: &mut Sky) {
        match sky.rng.u8(..12) {
            0 => self.drop_all(sky),
            1 => self.restart(sky),
            2 | 3 => {
                let clash = sky.chance(0.2);
                self.change_extranonces(sky, clash);
                if sky.chance(0.5) {
                    let height = self.work.height;
                    self.new_work(sky, height, true);
                }
            }
            4 => {
                let difficulty = sky.rng.i32(12..=17);
                self.set_difficulty(sky, difficulty);
            }
            5 => self.repeat_work(sky),
            6 => self.say_all(sky, "some proxy's error page, or half a line"),
            7 => self.say_all(sky, r#"{"id":null,"method":"client.reconnect","params":[]}"#),
            8 => {
                let (height, clean) = (self.work.height, sky.chance(0.5));
                self.new_work(sky, height, clean);
                self.go_back(sky, clean);
            }
            9 => {
                let clean = sky.chance(0.5);
                self.go_back(sky, clean);
            }
            10 => self.use_ids_again(sky),
            _ => {
                let garbage = [
                    r#"{"id":null,"method":"mining.notify","params":["1","2"]}"#,
                    r#"{"id":null,"method":"mining.set_difficulty","params":["x"]}"#,
                    r#"{"id":null,"method":"client.show_message","params":["hello"]}"#,
                    r#"{"id":99999999,"result":true,"error":null}"#,
                ];
                let line = sky.pick(&garbage);
                self.say_all(sky, line);
            }
        }
    }

    /// All is well again, until the next time.
    pub(super) fn heal(&mut self, sky: &mut Sky) {
        let now = sky.now();
        let fault = self.fault.take();
        if let Some(fault) = fault {
            tell!(sky, "pool {}: {fault:?} is over", self.index);
        }
        let mistrusted = if fault.is_some() { RECONNECT } else { Duration::ZERO };
        self.trusted = self.trusted.max(now + mistrusted);
        if let Some(fault) = fault {
            let surely = if fault.benches() { BENCHED } else { RECONNECT };
            self.sure_from = self.sure_from.max(now + surely);
        }
        match fault {
            Some(Fault::Stall) => {
                self.set_deaf(false);
                self.say_held();
                self.repeat_work(sky);
            }
            Some(Fault::Jobless | Fault::Redirect) => self.repeat_work(sky),
            Some(Fault::BlackHole) => {
                for conn in self.conns.values_mut().filter(|_| sky.chance(0.5)) {
                    conn.wire.end();
                }
            }
            Some(Fault::Lag | Fault::Trail) if self.work.height < sky.height => {
                let height = sky.height;
                self.new_work(sky, height, true);
            }
            _ => {}
        }
    }
}
