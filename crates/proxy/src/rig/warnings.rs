//! Warnings that one fault of a pool makes of a thousand rigs at once: the first few rigs have a line
//! each, and all others have one together.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use orepass_stratum::dialect::Diagnosis;
use orepass_stratum::time::Instant;
use orepass_stratum::verdict::Verdict;
use tracing::warn;

use crate::repeated_warnings::{Fold, nonzero};

/// How long alike warnings of a route's rigs are gathered for one line.
const GATHER_FOR: Duration = Duration::from_secs(10);
/// So many rigs have a line of their own in that time.
const AT_ONCE: u32 = 3;
/// So many of the others are named.
const MAX_NAMED: usize = 8;
/// The most kinds of warnings that are gathered at a time; past them each has its own line.
const MAX_KINDS: usize = 64;

/// What a rig is the subject of a warning for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RigWarning {
    /// The line's event.
    event: &'static str,
    /// The verdict, or the name of what may be wrong.
    what: &'static str,
}

/// All warnings about the rigs of one route.
#[derive(Debug, Default)]
pub(crate) struct RigWarnings(Mutex<HashMap<RigWarning, FoldedWarning>>);

#[derive(Debug)]
struct FoldedWarning {
    own_lines: Fold,
    others: Option<Others>,
}

/// The rigs that had no line of their own.
#[derive(Debug, Default, PartialEq, Eq)]
struct Others {
    rigs: u64,
    /// How often these rigs had been warned of before without a line.
    left_out: u64,
    /// Some of them.
    named: Vec<String>,
    /// What there was to say of one of them.
    example: String,
}

impl RigWarning {
    /// A connection's first share was refused.
    pub(crate) const fn first_share(verdict: Verdict) -> Self {
        Self { event: "rig.first_share", what: verdict.name() }
    }

    /// A share was refused.
    pub(crate) const fn refused(verdict: Verdict) -> Self {
        Self { event: "share.refused", what: verdict.name() }
    }

    /// Something may be wrong with the rig.
    pub(crate) const fn diagnosis(diagnosis: Diagnosis) -> Self {
        Self { event: "rig.diagnosis", what: diagnosis.name() }
    }

    /// Its shares are looked at closely.
    pub(crate) const QUARANTINE: Self = Self { event: "rig.quarantine", what: "quarantine" };
}

impl RigWarnings {
    /// Whether a rig has a line of its own now; else it is one of those of whom one line tells. `about`
    /// gives its name and what there is to say, `left_out` how often that was not said of it before.
    pub(crate) fn may_say(
        &self,
        warning: RigWarning,
        left_out: u64,
        about: impl FnOnce() -> (String, String),
        now: Instant,
    ) -> bool {
        let mut folded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if folded.len() >= MAX_KINDS && !folded.contains_key(&warning) {
            return true;
        }
        let own_lines = Fold::new(GATHER_FOR).times(AT_ONCE);
        let warning_kind =
            folded.entry(warning).or_insert(FoldedWarning { own_lines, others: None });
        if warning_kind.own_lines.say(now).is_some() {
            return true;
        }
        let (whose, text) = about();
        let others = warning_kind.others.get_or_insert_default();
        others.rigs += 1;
        others.left_out += left_out;
        others.example = text;
        if others.named.len() < MAX_NAMED {
            others.named.push(whose);
        }
        false
    }

    /// Writes the lines whose time has come.
    pub(crate) fn write_due(&self, route: &str, now: Instant) {
        self.write(route, |warning_kind| warning_kind.own_lines.is_over(now));
    }

    /// Writes all lines, since the route ends.
    pub(crate) fn write_rest(&self, route: &str) {
        self.write(route, |_| true);
    }

    fn write(&self, route: &str, is_due: impl Fn(&FoldedWarning) -> bool) {
        for (RigWarning { event, what }, others) in self.take(is_due) {
            let whose = others.whose();
            let Others { rigs, left_out, example, .. } = others;
            warn!(
                event,
                route,
                rigs,
                whose,
                what,
                more_since_last = nonzero(left_out),
                "the same of {rigs} more rigs, such as: {example}"
            );
        }
    }

    fn take(&self, is_due: impl Fn(&FoldedWarning) -> bool) -> Vec<(RigWarning, Others)> {
        let mut folded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = folded.extract_if(|_, warning_kind| is_due(warning_kind));
        due.filter_map(|(of, warning_kind)| Some((of, warning_kind.others?))).collect()
    }
}

impl Others {
    fn whose(&self) -> String {
        let unnamed = self.rigs - self.named.len() as u64;
        let named = self.named.join(", ");
        if unnamed == 0 { named } else { format!("{named} and {unnamed} more") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::testing::json_lines;

    const LOST: RigWarning = RigWarning::refused(Verdict::LostOnFailover);

    fn warn_of(warnings: &RigWarnings, warning: RigWarning, rig: u32, now: Instant) -> bool {
        let about = || (format!("rig{rig}"), "share refused: the pool was lost".to_owned());
        warnings.may_say(warning, 2, about, now)
    }

    #[test]
    fn of_300_rigs_three_have_lines_and_all_others_one_that_names_some() {
        let (warnings, start) = (RigWarnings::default(), crate::clock::now());
        let own = (0..300).filter(|rig| warn_of(&warnings, LOST, *rig, start)).count();
        assert_eq!(own, AT_ONCE as usize);
        let invalid = RigWarning::refused(Verdict::Invalid);
        assert!(warn_of(&warnings, invalid, 7, start), "another fault is not silenced");
        let written = |seconds| {
            let at = start + Duration::from_secs(seconds);
            json_lines(|| warnings.write_due("hns", at))
        };
        assert!(written(9).is_empty());
        let lines = written(10);
        assert_eq!(lines.len(), 1, "{lines:?}");
        let line = &lines[0];
        assert_eq!(line["event"], "share.refused");
        assert_eq!((&line["rigs"], &line["more_since_last"]), (&297.into(), &594.into()));
        assert_eq!(line["what"], "lost_on_failover");
        assert_eq!(line["whose"], "rig3, rig4, rig5, rig6, rig7, rig8, rig9, rig10 and 289 more");
        assert_eq!(
            line["message"],
            "the same of 297 more rigs, such as: share refused: the pool was lost"
        );
        assert!(written(60).is_empty(), "once");
        assert!(warn_of(&warnings, LOST, 1, start + GATHER_FOR), "and it may be said again");
    }

    #[test]
    fn what_is_gathered_at_the_end_is_said_and_kinds_are_bounded() {
        let (warnings, now) = (RigWarnings::default(), crate::clock::now());
        for rig in 0..5 {
            warn_of(&warnings, LOST, rig, now);
        }
        let lines = json_lines(|| warnings.write_rest("hns"));
        assert_eq!(lines[0]["whose"], "rig3, rig4");
        let names: Vec<&'static str> = (0..MAX_KINDS + 9).map(|n| &*n.to_string().leak()).collect();
        for what in names {
            let warning = RigWarning { event: "rig.diagnosis", what };
            assert!(warn_of(&warnings, warning, 0, now));
        }
        assert_eq!(warnings.0.lock().unwrap().len(), MAX_KINDS);
    }
}
