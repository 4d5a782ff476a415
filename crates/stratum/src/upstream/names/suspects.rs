//! Names with which connections were lost.

use crate::time::Instant;

/// The most names that are remembered since a connection was lost while they were asked about…
const MAX_SUSPECTS: usize = 32;
/// …and how often that may be.
const LOST_WITH: u8 = 3;

/// Why the pool is not asked about names, whichever connection it is.
#[derive(Default)]
pub(in crate::upstream) struct Suspects {
    /// Before when the first name is not tried again.
    rest_until: Option<Instant>,
    /// Names with which connections were lost, and how many; at most [`MAX_SUSPECTS`].
    names: Vec<(Box<str>, u8)>,
}

impl Suspects {
    /// A connection was lost that had asked about this name, and `waits` for the answer.
    pub(super) fn lost_with(&mut self, name: Box<str>, waits: bool) {
        if !waits {
            self.names.retain(|(suspect, _)| *suspect != name);
        } else if let Some((_, times)) = self.names.iter_mut().find(|(s, _)| *s == name) {
            *times = times.saturating_add(1);
        } else if self.names.len() < MAX_SUSPECTS {
            // Past the cap the next name has its three times later.
            self.names.push((name, 1));
        }
    }

    /// Whether too many connections were lost with a name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|(suspect, times)| **suspect == *name && *times >= LOST_WITH)
    }

    /// The first name is not tried again before then.
    pub(super) const fn rest(&mut self, until: Instant) {
        self.rest_until = Some(until);
    }

    pub(super) fn rests(&self, now: Instant) -> bool {
        self.rest_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_whose_answer_came_is_no_suspect() {
        let mut suspects = Suspects::default();
        for _ in 1..LOST_WITH {
            suspects.lost_with("rig".into(), true);
            assert!(!suspects.has("rig"));
        }
        suspects.lost_with("rig".into(), true);
        assert!(suspects.has("rig") && !suspects.has("other"));
        suspects.lost_with("rig".into(), false);
        assert!(!suspects.has("rig"));
    }
}
