//! Who may come in: how many connections there are, in all and of each address, and how fast new ones
//! are taken.
//!
//! An address is a farm behind one router as often as it is a stranger. What tells them apart is work:
//! a rig that has had a share taken as good no longer counts against its address, and an address whose
//! rigs have mined lately may have as many again that have not yet.

mod access;
mod limit;
mod origin;

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use orepass_stratum::bucket::Bucket;
use orepass_stratum::time::Instant;

pub use access::{Access, Admittance};
pub use limit::Limit;
pub use origin::{Origin, is_private};

/// The most addresses that are kept. One that has connections is never forgotten.
pub const MAX_ADDRESSES: usize = 65_536;
/// How long an address keeps what its rigs have proven before it is halved.
const HALVED_AFTER: Duration = Duration::from_secs(24 * 3600);
/// The part of all places that strangers leave free for those that are known.
const KEPT_PERCENT: usize = 10;

/// The wishes of an operator for all routes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitWishes {
    /// The most connections of rigs; no limit but that of the system where there is none.
    pub connections: Option<usize>,
    /// The most of one address that have proven no work.
    pub unproven_per_address: u32,
    /// How many new ones a second.
    pub accepts_per_second: u32,
    /// Whether networks of one's own are limited by address too.
    pub limit_private: bool,
}

impl Default for LimitWishes {
    fn default() -> Self {
        Self {
            connections: None,
            unproven_per_address: 1000,
            accepts_per_second: 2000,
            limit_private: false,
        }
    }
}

/// How far somebody is trusted who comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// It has shown nothing, nor has its address.
    Stranger,
    /// It has proven work, its address has lately, or it is of a network of one's own.
    #[default]
    Known,
    /// The operator trusts its range: it is never slowed or banned.
    Trusted,
}

/// What becomes of a connection that was just made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knock {
    /// It is looked at.
    Enter,
    /// The same, after so long; others wait meanwhile.
    Later(Duration),
    /// It is closed.
    Denied,
}

/// Somebody's stay, to be given back at its end.
#[derive(Debug, Clone, Copy)]
pub struct Stay {
    /// How far it was trusted when it came.
    pub trust: Trust,
    /// It has proven work.
    proven: bool,
    /// Its address has an entry, in which it is counted.
    counted: bool,
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitRefusal {
    /// By which limit.
    pub limit: Limit,
    /// How many that allows, where it counts.
    pub most: usize,
    /// How far the one who came is trusted.
    pub trust: Trust,
}

/// What is kept of an address that is limited.
#[derive(Debug, Clone, Copy)]
struct Address {
    /// Connections that have proven no work.
    unproven: u32,
    /// Connections that have.
    proven: u32,
    /// The most that had at a time, halved for every day.
    peak: u32,
    /// When the peak was reached, or halved last.
    since: Instant,
    /// When its last connection ended.
    left: Instant,
}

/// Who is in, by address.
#[derive(Debug)]
pub struct Limits {
    wishes: LimitWishes,
    open: usize,
    accepts: Bucket,
    addresses: HashMap<Origin, Address>,
    /// Those without connections, that left longest ago first.
    idle: BTreeSet<(Instant, Origin)>,
}

impl Limits {
    /// With nobody in.
    #[must_use]
    pub fn new(wishes: LimitWishes, now: Instant) -> Self {
        let (addresses, idle) = (HashMap::new(), BTreeSet::new());
        Self { wishes, open: 0, accepts: Bucket::new(now), addresses, idle }
    }

    /// From now on other wishes hold, for those who come.
    pub const fn handle_wishes(&mut self, wishes: LimitWishes) {
        self.wishes = wishes;
    }

    /// A connection was made by `peer`, which may stand between rigs and us. To be asked before
    /// anything else is done for it.
    pub fn knock(&mut self, peer: IpAddr, access: &Access, now: Instant) -> Knock {
        match access.of(peer) {
            Admittance::Denied => return Knock::Denied,
            Admittance::Trusted => return Knock::Enter,
            Admittance::Free | Admittance::NotAllowed => {}
        }
        let rate = self.wishes.accepts_per_second;
        match self.accepts.take(rate, rate, now) {
            Duration::ZERO => Knock::Enter,
            wait => Knock::Later(wait),
        }
    }

    /// A rig wants in, from this address. What it gets is to be given to [`leave`](Self::leave) at its
    /// end.
    ///
    /// # Errors
    /// By which limit it is not let in.
    pub fn enter(
        &mut self,
        address: IpAddr,
        access: &Access,
        now: Instant,
    ) -> Result<Stay, LimitRefusal> {
        let admittance = access.of(address);
        let refusal = |limit, most, trust| Err(LimitRefusal { limit, most, trust });
        match admittance {
            Admittance::Denied => return refusal(Limit::Deny, 0, Trust::Stranger),
            Admittance::NotAllowed => return refusal(Limit::Allow, 0, Trust::Stranger),
            Admittance::Free | Admittance::Trusted => {}
        }
        let trusted = admittance == Admittance::Trusted;
        let free = trusted || (is_private(address) && !self.wishes.limit_private);
        let origin = Origin::of(address);
        let known = self.addresses.get_mut(&origin).map(|known| {
            known.age(now);
            *known
        });
        let (unproven, promised) =
            known.map_or((0, 0), |known| (known.unproven, known.peak.saturating_mul(2)));
        let trust = if trusted {
            Trust::Trusted
        } else if free || unproven < promised {
            Trust::Known
        } else {
            Trust::Stranger
        };
        if let Some(most) = self.wishes.connections {
            let kept = if trust == Trust::Stranger { most * KEPT_PERCENT / 100 } else { 0 };
            if self.open >= most - kept {
                return refusal(Limit::Connections, most, trust);
            }
        }
        let most = self.wishes.unproven_per_address.saturating_add(promised);
        if !free && unproven >= most {
            return refusal(Limit::UnprovenPerAddress, most as usize, trust);
        }
        self.open += 1;
        // Whom no count limits needs no entry.
        let counted = !free && self.count(origin, now);
        Ok(Stay { trust, proven: false, counted })
    }

    /// The first good share of a connection.
    pub fn proven(&mut self, address: IpAddr, stay: &mut Stay, now: Instant) {
        if std::mem::replace(&mut stay.proven, true) || !stay.counted {
            return;
        }
        if let Some(known) = self.addresses.get_mut(&Origin::of(address)) {
            known.unproven = known.unproven.saturating_sub(1);
            known.proven += 1;
            known.age(now);
            if known.proven >= known.peak {
                (known.peak, known.since) = (known.proven, now);
            }
        }
    }

    /// A connection has ended.
    pub fn leave(&mut self, address: IpAddr, stay: Stay, now: Instant) {
        self.open = self.open.saturating_sub(1);
        let origin = Origin::of(address);
        let Some(known) = self.addresses.get_mut(&origin).filter(|_| stay.counted) else { return };
        let count = if stay.proven { &mut known.proven } else { &mut known.unproven };
        *count = count.saturating_sub(1);
        if known.unproven + known.proven > 0 {
            return;
        }
        // Of one that has proven nothing there is nothing to be kept.
        if known.peak == 0 {
            self.addresses.remove(&origin);
        } else {
            known.left = now;
            self.idle.insert((now, origin));
        }
    }

    /// So many rigs of an address have mined here before this process began.
    pub fn handle_remembered(&mut self, address: IpAddr, rigs: u32, now: Instant) {
        let origin = Origin::of(address);
        if rigs == 0 || !self.addresses.contains_key(&origin) && !self.make_room() {
            return;
        }
        let known = self.addresses.entry(origin).or_insert_with(|| {
            self.idle.insert((now, origin));
            Address::new(now)
        });
        (known.peak, known.since) = (known.peak.saturating_add(rigs), now);
    }

    /// How many are in.
    #[must_use]
    pub const fn open(&self) -> usize {
        self.open
    }

    /// How many addresses are known.
    #[must_use]
    pub fn addresses(&self) -> usize {
        self.addresses.len()
    }

    /// Counts one of an address; `false` where there is no room for another address.
    fn count(&mut self, origin: Origin, now: Instant) -> bool {
        if let Some(known) = self.addresses.get_mut(&origin) {
            if known.unproven + known.proven == 0 {
                self.idle.remove(&(known.left, origin));
            }
            known.unproven += 1;
            return true;
        }
        let room = self.make_room();
        if room {
            self.addresses.insert(origin, Address { unproven: 1, ..Address::new(now) });
        }
        room
    }

    /// Forgets the address that has been away for longest, where there are too many.
    fn make_room(&mut self) -> bool {
        if self.addresses.len() < MAX_ADDRESSES {
            return true;
        }
        let oldest = self.idle.pop_first();
        oldest.is_some_and(|(_, origin)| self.addresses.remove(&origin).is_some())
    }
}

impl Address {
    const fn new(now: Instant) -> Self {
        Self { unproven: 0, proven: 0, peak: 0, since: now, left: now }
    }

    /// Halves the peak for every day since it was reached.
    fn age(&mut self, now: Instant) {
        while self.peak > self.proven && now.saturating_duration_since(self.since) >= HALVED_AFTER {
            self.peak = self.proven.max(self.peak / 2);
            self.since += HALVED_AFTER;
        }
    }
}

#[cfg(test)]
mod tests;
