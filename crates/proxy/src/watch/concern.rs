//! What may need somebody: each by its name, with what it means and what to do.

use serde::Serialize;
use utoipa::ToSchema;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// It costs income, or will.
    Warning,
    /// Nothing is earned there until somebody acts.
    Error,
}

impl Severity {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A kind of thing that somebody should know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Concern {
    /// No pool serves a route.
    NoPool,
    /// A pool refuses the account.
    PoolAccount,
    /// A pool is of no use.
    PoolDown,
    /// A pool refuses shares.
    PoolRejects,
    /// A pool gets more shares than it should, and credits less than rigs do.
    Braked,
    /// Rigs mine at a pool that is not the first choice.
    OnBackup,
    /// A pool tells no new jobs.
    OldJob,
    /// The calendar and the pools' jobs disagree.
    ClockOff,
    /// Nothing of a pool's extranonce can be split off.
    Undivided,
    /// Rigs wait for a place at a pool.
    RigsWait,
    /// Places at a pool run short.
    PlacesShort,
    /// Most shares of rigs are bad.
    RigsQuarantined,
    /// Something is wrong with rigs' firmware or settings.
    RigsMisfit,
    /// Rigs are connected and send no shares.
    RigsSilent,
    /// Workers are gone.
    WorkersOffline,
    /// Workers do less than they usually do.
    RateLow,
    /// Shares of rigs are refused here.
    SharesRefused,
    /// A limit was met.
    LimitMet,
    /// The system lets the process open too few files.
    FilesLow,
    /// A certificate is near its end, or past it.
    CertificateEnds,
    /// A certificate cannot be used.
    CertificateUnusable,
    /// The state file is not written.
    StateFile,
    /// The history is not written.
    HistoryFile,
    /// A sink cannot deliver.
    SinkFailing,
    /// A config was not accepted.
    ReloadRefused,
    /// A part of the program has failed.
    Panicked,
}

impl Concern {
    /// All of them, the worst first.
    pub const ALL: [Self; 26] = [
        Self::NoPool,
        Self::PoolAccount,
        Self::PoolDown,
        Self::PoolRejects,
        Self::Braked,
        Self::OnBackup,
        Self::OldJob,
        Self::ClockOff,
        Self::Undivided,
        Self::RigsWait,
        Self::PlacesShort,
        Self::RigsQuarantined,
        Self::RigsMisfit,
        Self::RigsSilent,
        Self::WorkersOffline,
        Self::RateLow,
        Self::SharesRefused,
        Self::LimitMet,
        Self::FilesLow,
        Self::CertificateEnds,
        Self::CertificateUnusable,
        Self::StateFile,
        Self::HistoryFile,
        Self::SinkFailing,
        Self::ReloadRefused,
        Self::Panicked,
    ];

    /// Its name, which does not change.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.facts().0
    }

    /// How much it matters.
    #[must_use]
    pub const fn severity(self) -> Severity {
        self.facts().1
    }

    /// What it means.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        self.facts().2
    }

    /// What to do.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        self.facts().3
    }

    const fn facts(self) -> (&'static str, Severity, &'static str, &'static str) {
        use Severity::{Error, Info, Warning};
        match self {
            Self::NoPool => (
                "no_pool",
                Error,
                "no pool of the route serves: its rigs earn nothing",
                "look at the route's pools below and at the network; add a pool to fall back to",
            ),
            Self::PoolAccount => (
                "pool_account",
                Error,
                "the pool refuses the account, or has no room for it",
                "look at `user` and `password` of the pool",
            ),
            Self::PoolDown => (
                "pool_down",
                Warning,
                "the pool is of no use",
                "`orepass check` tries it step by step; others serve meanwhile if there are any",
            ),
            Self::PoolRejects => (
                "pool_rejects",
                Warning,
                "the pool refuses more shares than is usual",
                "its words stand in the log as pool.failed or share.refused; the route's \
                 `difficulty_scale`, the way to the pool and its own page come next",
            ),
            Self::Braked => (
                "braked",
                Warning,
                "more shares come than the pool should get: rigs are told a harder target than the \
                 pool's, and it credits less than they do",
                "set the pool's `start_difficulty` so that it asks for more by each share; where it \
                 bears so many, raise `max_pool_shares_per_second`",
            ),
            Self::OnBackup => (
                "on_backup",
                Info,
                "rigs mine at a pool that is not the first choice",
                "nothing: they go back once the better pool has been healthy for a while; `orepass \
                 ctl switch` goes at once",
            ),
            Self::OldJob => (
                "old_job",
                Warning,
                "the pool has told no new job for long",
                "look whether its coin has blocks; where it has, the pool is ill: put another one \
                 before it",
            ),
            Self::ClockOff => (
                "clock_off",
                Warning,
                "this machine's clock and the pool's jobs are far apart: shares may be refused for \
                 their time",
                "set the clock (chrony, systemd-timesyncd); where it is right, the pool's is not",
            ),
            Self::Undivided => (
                "undivided",
                Info,
                "the pool's extranonce is too short to be divided: each rig has a connection of its \
                 own",
                "nothing, as long as the pool bears so many connections",
            ),
            Self::RigsWait => (
                "rigs_wait",
                Warning,
                "rigs wait for a place at a pool",
                "raise the route's `max_channels`, or set `prefix_bytes` to 2",
            ),
            Self::PlacesShort => (
                "places_short",
                Warning,
                "nearly all places at the pool are taken, and the route may open no more connections",
                "raise the route's `max_channels`, or set `prefix_bytes` to 2",
            ),
            Self::RigsQuarantined => (
                "rigs_quarantined",
                Warning,
                "most shares of these rigs are bad: they are checked, and not counted as good before \
                 they are",
                "look at the guess beside it, at the rig's coin and algorithm, and at its boards",
            ),
            Self::RigsMisfit => (
                "rigs_misfit",
                Warning,
                "these rigs do not do what they were told",
                "see the advice beside it, and docs/firmware.md",
            ),
            Self::RigsSilent => (
                "rigs_silent",
                Warning,
                "these rigs are connected and have sent no share for long",
                "restart them; where many fall silent at once, look at the pool's difficulty",
            ),
            Self::WorkersOffline => (
                "workers_offline",
                Warning,
                "these workers mined, and no rig of theirs is connected any more",
                "look at their power and network; `orepass ctl forget` where one has left for good",
            ),
            Self::RateLow => (
                "rate_low",
                Warning,
                "these workers do less than 70 % of what they usually do",
                "look at their boards and temperatures; where that is meant, set `hashrate` in a \
                 [[route.profile]], or `orepass ctl forget` them",
            ),
            Self::SharesRefused => (
                "shares_refused",
                Warning,
                "more than 2 % of the rigs' work is refused here: it is stale, low, twice or invalid",
                "see by `result` what it is: stale comes of a slow way between rig and pool, all else of \
                 rigs' firmware and boards",
            ),
            Self::LimitMet => (
                "limit_met",
                Info,
                "a limit has turned somebody away in the last ten minutes",
                "see the remedy beside it if these are your rigs",
            ),
            Self::FilesLow => (
                "files_low",
                Warning,
                "the process may open too few files for the rigs that the config allows",
                "raise LimitNOFILE in the service, or `ulimit -n`",
            ),
            Self::CertificateEnds => (
                "certificate_ends",
                Warning,
                "the certificate that rigs are shown is near its end, or past it",
                "renew it: the files are read again within a minute",
            ),
            Self::CertificateUnusable => (
                "certificate_unusable",
                Error,
                "the certificate that rigs are to be shown cannot be used",
                "mend `tls_certificate` and `tls_key`: they are read again within a minute",
            ),
            Self::StateFile => (
                "state_file",
                Warning,
                "what is learnt of rigs is not kept",
                "look at the disk, and at who may write the `file` of [state]",
            ),
            Self::HistoryFile => (
                "history_file",
                Warning,
                "the history of workers is not kept",
                "look at the disk, and at who may write the `file` of [history]",
            ),
            Self::SinkFailing => (
                "sink_failing",
                Warning,
                "a file, webhook or stream does not take what it should: records wait, and the oldest \
                 are dropped where there is no room",
                "look at the reason beside it, and at that [[file]], [[webhook]] or [[nats]]",
            ),
            Self::ReloadRefused => (
                "reload_refused",
                Warning,
                "the config was changed, and what it says now is not in force",
                "`orepass check` names what is wrong with it; then `orepass ctl reload`",
            ),
            Self::Panicked => (
                "panicked",
                Error,
                "a part of the program has failed, and cost one rig or one connection its session",
                "report it, with the lines `panic` of the log",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_code_of_its_own() {
        let mut codes = Concern::ALL.map(Concern::code);
        codes.sort_unstable();
        assert!(codes.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(Concern::ALL.is_sorted(), "in their order");
    }
}
