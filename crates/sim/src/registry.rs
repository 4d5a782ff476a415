//! The coins that the command line can simulate.

use crate::pool::PoolConfig;
use crate::rig::RigConfig;

/// A coin that is none of this crate's: what `--dialect` calls it, and what its pool and its rigs are
/// like where no option says otherwise.
#[derive(Debug, Clone, Copy)]
pub struct SimCoin {
    /// Its name.
    pub name: &'static str,
    /// Its pool, share difficulty included.
    pub pool: fn() -> PoolConfig,
    /// Each of its rigs, hash rate included. The worker's name and the seed are set by number.
    pub rig: fn() -> RigConfig,
}

/// Coins by name: those of this crate, of which all but Zcash have options of their own, and those that
/// are added.
#[derive(Debug, Clone, Default)]
pub struct SimRegistry {
    others: Vec<SimCoin>,
}

impl SimRegistry {
    /// Adds a coin; one of the same name is replaced.
    #[must_use]
    pub fn with(mut self, coin: SimCoin) -> Self {
        self.others.retain(|other| other.name != coin.name);
        self.others.push(coin);
        self
    }

    /// The name of each coin once.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let own = SimDialect::OWN.iter().map(|(name, _)| *name);
        let mut names: Vec<_> = own.chain(self.others.iter().map(|coin| coin.name)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The coin of a name.
    pub(crate) fn find(&self, name: &str) -> Option<SimDialect> {
        let other = self.others.iter().find(|coin| coin.name == name);
        let own = || SimDialect::OWN.iter().find(|(own, _)| *own == name);
        other.copied().map(SimDialect::Other).or_else(|| own().map(|(_, dialect)| *dialect))
    }
}

const ZCASH: SimCoin = SimCoin { name: "zcash", pool: PoolConfig::zcash, rig: RigConfig::zcash };

/// A coin's variant of stratum.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SimDialect {
    /// Handshake.
    Hstratum,
    /// Aion.
    Aion,
    /// Bitcoin.
    Bitcoin,
    /// One without options of its own, or one that was added.
    Other(SimCoin),
}

impl SimDialect {
    const OWN: [(&'static str, Self); 4] = [
        ("hstratum", Self::Hstratum),
        ("aion", Self::Aion),
        ("bitcoin", Self::Bitcoin),
        ("zcash", Self::Other(ZCASH)),
    ];
}
