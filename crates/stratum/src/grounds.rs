//! Which extranonces a pool has given to which of our connections.
//!
//! Two connections with one extranonce1 would have their rigs do the same work, and some servers
//! count their extranonces from zero again when they start. So a connection claims what it was given
//! before anything of it is shown to rigs, under one lock for all connections to the pool. A claim
//! holds as long as the connection is live, and as long as rigs still hash under it; until the
//! connection is live another may take it over, which it notices then.
//!
//! An extranonce1 that comes back has its former [`Space`], so that what was told in it is not told
//! again as if it were new.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use thiserror::Error;

use crate::dialect::Split;
use crate::extranonce::Extranonce;
use crate::space::Space;

/// The most spaces that are remembered of extranonces that nobody has.
const MAX_FORMER: usize = 16;

/// The extranonces of one pool, shared by all connections to it.
#[derive(Debug, Clone, Default)]
pub struct Grounds(Arc<Mutex<GroundsState>>);

#[derive(Debug, Default)]
struct GroundsState {
    /// The one claimed last is the last.
    entries: Vec<GroundEntry>,
    claims: u64,
    /// What rigs of another process work under, each for as long as it is held.
    foreign: Vec<(Extranonce, Weak<()>)>,
}

#[derive(Debug)]
struct GroundEntry {
    extranonce1: Extranonce,
    prefix_bytes: usize,
    rig_extranonce2: usize,
    space: Space,
    holder: Option<Holder>,
}

#[derive(Debug, Clone, Copy)]
struct Holder {
    claim: u64,
    connection: u64,
    live: bool,
}

/// Another connection to the pool, or the rigs that it had, work under this extranonce1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the pool gave the extranonce1 of another of our connections again")]
pub struct Clash {
    /// The connection that has it, by its number; none where it has another by now, and only its
    /// rigs have not followed yet.
    pub connection: Option<u64>,
}

impl Grounds {
    /// Claims what a connection was given: the space of it, and the claim to be kept with it, in
    /// the place of the one that it has, if any.
    ///
    /// # Errors
    /// [`Clash`] where somebody else works under that extranonce1.
    pub fn claim(
        &self,
        split: &Split,
        max_rigs: usize,
        connection: u64,
        own: Option<&Claim>,
    ) -> Result<(Claim, Space), Clash> {
        let mut state = self.state();
        state.foreign.retain(|(_, held)| held.strong_count() > 0);
        if state.foreign.iter().any(|(foreign, _)| *foreign == split.extranonce1) {
            return Err(Clash { connection: None });
        }
        for entry in state.entries.iter_mut().filter(|e| e.extranonce1 == split.extranonce1) {
            let is_own = entry.holder.is_some_and(|h| own.is_some_and(|own| own.claim == h.claim));
            if entry.is_in_use() && !is_own {
                return Err(Clash { connection: entry.holder.map(|holder| holder.connection) });
            }
            entry.holder = None;
        }
        state.claims += 1;
        let claim = state.claims;
        let fits = |entry: &GroundEntry| {
            entry.extranonce1 == split.extranonce1
                && entry.prefix_bytes == split.prefix_bytes
                && entry.rig_extranonce2 == split.rig_extranonce2
        };
        let former = state.entries.iter().position(fits);
        let mut entry = former.map_or_else(
            || GroundEntry {
                extranonce1: split.extranonce1.clone(),
                prefix_bytes: split.prefix_bytes,
                rig_extranonce2: split.rig_extranonce2,
                space: Space::new(split.prefix_bytes, max_rigs),
                holder: None,
            },
            |at| state.entries.remove(at),
        );
        entry.holder = Some(Holder { claim, connection, live: false });
        let space = entry.space.clone();
        state.entries.push(entry);
        state.forget_surplus();
        Ok((Claim { grounds: self.clone(), claim }, space))
    }

    /// Rigs of another process, which is handing over to this one, work under this extranonce1 or did
    /// lately: nobody may claim it until what `held` leads to is dropped.
    pub fn hold(&self, extranonce1: Extranonce, held: Weak<()>) {
        self.state().foreign.push((extranonce1, held));
    }

    fn state(&self) -> MutexGuard<'_, GroundsState> {
        // What is locked is whole at every unlock, also where a session panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GroundsState {
    fn forget_surplus(&mut self) {
        let unused = |entry: &GroundEntry| entry.holder.is_none() && !entry.is_in_use();
        let mut surplus =
            self.entries.iter().filter(|entry| unused(entry)).count().saturating_sub(MAX_FORMER);
        self.entries.retain(|entry| {
            let goes = surplus > 0 && unused(entry);
            surplus -= usize::from(goes);
            !goes
        });
    }

    fn held_by(&mut self, claim: u64) -> Option<&mut Holder> {
        self.entries.iter_mut().filter_map(|entry| entry.holder.as_mut()).find(|h| h.claim == claim)
    }
}

impl GroundEntry {
    /// Whether its holder is live, or anybody's rigs hash under it.
    fn is_in_use(&self) -> bool {
        self.holder.is_some_and(|holder| holder.live) || self.space.lent() > 0
    }
}

/// A connection's right to an extranonce1, until it is dropped.
#[derive(Debug)]
pub struct Claim {
    grounds: Grounds,
    claim: u64,
}

impl Claim {
    /// Whether nobody else has taken it over. That happens while its connection is not live and has
    /// no rigs.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.grounds.state().held_by(self.claim).is_some()
    }

    /// Its connection takes shares.
    ///
    /// # Errors
    /// [`Clash`] where another connection has taken it over meanwhile.
    pub fn go_live(&self) -> Result<(), Clash> {
        match self.grounds.state().held_by(self.claim) {
            Some(holder) => holder.live = true,
            None => return Err(Clash { connection: None }),
        }
        Ok(())
    }

    /// Its connection takes no shares any more.
    pub fn rest(&self) {
        if let Some(holder) = self.grounds.state().held_by(self.claim) {
            holder.live = false;
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut state = self.grounds.state();
        let claim = self.claim;
        for entry in &mut state.entries {
            entry.holder = entry.holder.filter(|holder| holder.claim != claim);
        }
        state.forget_surplus();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::WorkKey;
    use crate::space::{Permission, Wish};

    fn split(extranonce1: u8) -> Split {
        Split {
            extranonce1: Extranonce::from_slice(&[extranonce1]).unwrap(),
            prefix_bytes: 1,
            rig_extranonce2: 3,
            needs: None,
            probe: None,
            remark: None,
        }
    }

    #[test]
    fn one_extranonce1_is_one_connections() {
        let grounds = Grounds::default();
        let (one, _) = grounds.claim(&split(7), 250, 1, None).unwrap();
        one.go_live().unwrap();
        assert_eq!(grounds.claim(&split(7), 250, 2, None).unwrap_err().connection, Some(1));
        assert!(grounds.claim(&split(8), 250, 2, None).is_ok());
        one.rest();
        let (other, _) = grounds.claim(&split(7), 250, 2, None).unwrap();
        assert!(other.holds() && !one.holds(), "it was not live, and had no rigs");
        drop(one);
        assert!(other.holds());
    }

    #[test]
    fn what_another_process_works_under_is_nobodys_until_it_is_let_go_of() {
        let grounds = Grounds::default();
        let held = Arc::new(());
        grounds.hold(split(7).extranonce1, Arc::downgrade(&held));
        assert_eq!(grounds.claim(&split(7), 250, 1, None).unwrap_err().connection, None);
        assert!(grounds.claim(&split(8), 250, 1, None).is_ok());
        drop(held);
        assert!(grounds.claim(&split(7), 250, 1, None).is_ok());
    }

    #[test]
    fn rigs_that_still_hash_under_it_hold_it() {
        let grounds = Grounds::default();
        let (claim, space) = grounds.claim(&split(7), 250, 1, None).unwrap();
        let rig = space.lease(&Wish::default(), None).unwrap();
        assert_eq!(grounds.claim(&split(7), 250, 2, None).unwrap_err().connection, Some(1));
        drop(claim);
        assert_eq!(grounds.claim(&split(7), 250, 2, None).unwrap_err().connection, None);
        drop(rig);
        assert!(grounds.claim(&split(7), 250, 2, None).is_ok());
    }

    #[test]
    fn an_extranonce1_that_comes_back_remembers_what_was_told_in_it() {
        let grounds = Grounds::default();
        let work = |space: &Space| space.number(WorkKey::of("a"));
        let (claim, space) = grounds.claim(&split(7), 250, 1, None).unwrap();
        let mut lease = space.lease(&Wish::default(), Some(work(&space))).unwrap();
        assert!(lease.tell(work(&space), 6));
        drop((lease, claim));
        let others: Vec<_> =
            (8..20).map(|other| grounds.claim(&split(other), 250, 1, None)).collect();
        drop(others);
        let (_claim, space) = grounds.claim(&split(7), 250, 1, None).unwrap();
        let again = Wish { slot: Some(0), ..Wish::default() };
        let lease = space.lease(&again, Some(work(&space))).unwrap();
        assert_eq!((lease.number(), lease.may_tell(work(&space))), (1, Permission::First));
    }

    #[test]
    fn a_connection_may_divide_its_own_extranonce1_anew() {
        let grounds = Grounds::default();
        let (narrow, space) = grounds.claim(&split(7), 250, 1, None).unwrap();
        narrow.go_live().unwrap();
        let _rig = space.lease(&Wish::default(), None).unwrap();
        let wide = Split { rig_extranonce2: 4, ..split(7) };
        let (_claim, space) = grounds.claim(&wide, 250, 1, Some(&narrow)).unwrap();
        assert_eq!(space.lent(), 0);
    }

    #[test]
    fn no_more_than_so_many_are_remembered() {
        let grounds = Grounds::default();
        for extranonce1 in 0..200 {
            drop(grounds.claim(&split(extranonce1), 250, 1, None).unwrap());
        }
        assert_eq!(grounds.state().entries.len(), MAX_FORMER);
    }
}
