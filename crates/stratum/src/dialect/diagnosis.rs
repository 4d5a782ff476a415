//! What may be wrong with a rig.

use std::fmt;

/// A guess at what is wrong with a rig: one of those that the core knows, or a dialect's own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Diagnosis(&'static Symptom);

/// The words of a [`Diagnosis`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symptom {
    /// The word for it in metrics and files: lower case, with underscores.
    pub name: &'static str,
    /// What is wrong, as a sentence without an end; the rig is its "it".
    pub text: &'static str,
    /// What the operator can do about it, in the same form.
    pub advice: &'static str,
}

const OTHER_FIRMWARE: &str = "its shares cannot count: another firmware is needed";

impl Diagnosis {
    /// It sends an extranonce2 of its own length.
    pub const IGNORES_EXTRANONCE2_SIZE: Self = Self::own(&Symptom {
        name: "ignores_extranonce2_size",
        text: "its firmware ignores the announced extranonce2 size",
        advice: OTHER_FIRMWARE,
    });
    /// Its shares verify with the pool's extranonce1 alone.
    pub const TRUNCATES_EXTRANONCE1: Self = Self::own(&Symptom {
        name: "truncates_extranonce1",
        text: "its firmware cuts extranonce1 to the length it is used to",
        advice: OTHER_FIRMWARE,
    });
    /// It goes on with the extranonce1 that was replaced by another.
    pub const IGNORES_SET_EXTRANONCE: Self = Self::own(&Symptom {
        name: "ignores_set_extranonce",
        text: "its firmware ignores mining.set_extranonce",
        advice: OTHER_FIRMWARE,
    });
    /// Its shares would be good on another difficulty scale.
    pub const OTHER_DIFFICULTY_SCALE: Self = Self::own(&Symptom {
        name: "other_difficulty_scale",
        text: "its firmware reads difficulties on another scale",
        advice: "check `difficulty_scale` in the pool's options, or set another firmware",
    });
    /// Its shares verify with the nonce's bytes reversed.
    pub const REVERSED_NONCE: Self = Self::own(&Symptom {
        name: "reversed_nonce",
        text: "its firmware sends the nonce with its bytes reversed",
        advice: OTHER_FIRMWARE,
    });
    /// Its shares verify with the time's bytes reversed.
    pub const REVERSED_TIME: Self = Self::own(&Symptom {
        name: "reversed_time",
        text: "its firmware sends the time with its bytes reversed",
        advice: OTHER_FIRMWARE,
    });
    /// Its submits have the form of another coin.
    pub const OTHER_COIN: Self = Self::own(&Symptom {
        name: "other_coin",
        text: "it mines another coin",
        advice: "point it at the port of its coin",
    });
    /// It repeats its shares at every job.
    pub const RESTARTS_COUNTER: Self = Self::own(&Symptom {
        name: "restarts_counter",
        text: "its firmware restarts its counter without a new job",
        advice: "what it repeats is refused and never reaches the pool",
    });
    /// All its shares are far better than it was asked.
    pub const READS_TOO_HARD: Self = Self::own(&Symptom {
        name: "reads_too_hard",
        text: "its firmware asks more of its shares than it was told: it reads difficulties on a \
             harder scale, or has a lowest difficulty of its own",
        advice: "it earns what it finds, and less of its work is seen: set `rig_difficulty_scale` in \
             the route's options, or a lower difficulty in its settings",
    });

    /// A dialect's own, which no other kind of service cures.
    #[must_use]
    pub const fn own(symptom: &'static Symptom) -> Self {
        Self(symptom)
    }

    /// The word for it in metrics and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// What the operator can do about it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        self.0.advice
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.text)
    }
}

impl fmt::Debug for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firmware::Firmware;

    #[test]
    fn a_dialects_own_is_told_apart_and_no_service_cures_it() {
        const ROLLS: Diagnosis = Diagnosis::own(&Symptom {
            name: "rolls_the_version",
            text: "it rolls bits of the version that it was not given",
            advice: "set its version mask",
        });
        assert_eq!(ROLLS.to_string(), "it rolls bits of the version that it was not given");
        assert_eq!((ROLLS.name(), ROLLS.advice()), ("rolls_the_version", "set its version mask"));
        assert_ne!(ROLLS, Diagnosis::OTHER_COIN);
        assert_eq!(Firmware::remedy(ROLLS), None);
        assert_eq!(size_of::<Option<Diagnosis>>(), size_of::<usize>());
    }
}
