//! The arguments of the commands that ask an orepass at work.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::commands::ApiUrl;
use crate::config::SecretRef;

/// The arguments of `ctl`.
#[derive(Debug, Args)]
pub struct Ctl {
    /// What to ask for.
    #[command(subcommand)]
    pub command: CtlCommand,
    /// Who is asked.
    #[command(flatten)]
    pub ask: AskArgs,
    /// Print the answer as it comes, as JSON.
    #[arg(long, global = true)]
    pub json: bool,
}

/// The arguments of `top`.
#[derive(Debug, Clone, Args)]
pub struct Top {
    /// Who is asked.
    #[command(flatten)]
    pub ask: AskArgs,
    /// Print all of it once, as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Which orepass at work is asked, and how.
#[derive(Debug, Clone, Args)]
pub struct AskArgs {
    /// The config of the one that is asked, which names its socket; looked for as by `run`.
    #[arg(short = 'c', long = "config", value_name = "FILE", global = true)]
    pub of: Option<PathBuf>,
    /// Its socket, instead.
    #[arg(short, long, value_name = "PATH", global = true)]
    pub socket: Option<PathBuf>,
    /// The address of its API, instead: http://host:9099.
    #[arg(long, value_name = "URL", global = true, conflicts_with_all = ["of", "socket"])]
    pub url: Option<ApiUrl>,
    /// The token for that, or env:NAME or file:PATH to look it up [default: $OREPASS_TOKEN].
    #[arg(long, value_name = "TOKEN", global = true)]
    pub token: Option<SecretRef>,
}

/// What an orepass at work may be asked for.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum CtlCommand {
    /// Read the config again and change what is different; a wrong config changes nothing.
    Reload,
    /// Hand over to a new process of the program that lies there now.
    Upgrade,
    /// Say what is at work.
    Status,
    /// Show routes and pools with their rates.
    Summary,
    /// Show workers.
    Workers {
        /// Which ones.
        #[command(flatten)]
        list: ListArgs,
        /// By which column of the table, with - before it from the largest down.
        #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
        sort: Option<String>,
        /// Those whose name has this in it.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Show connected rigs.
    Rigs {
        /// Which ones.
        #[command(flatten)]
        list: ListArgs,
        /// Those of this worker.
        #[arg(long, value_name = "NAME")]
        worker: Option<String>,
    },
    /// Close a rig's connection; it may come back.
    Kick {
        /// Its id, as `rigs` shows it.
        rig: String,
    },
    /// Set a rig's difficulty until it leaves.
    Difficulty {
        /// Its id, as `rigs` shows it.
        rig: String,
        /// The difficulty, or `auto` to have it follow the rig's hashrate again.
        difficulty: WantedLevel,
    },
    /// Refuse a worker for a while, and close its rigs.
    Ban {
        /// Which one.
        #[command(flatten)]
        worker: WorkerArg,
        /// For how long.
        #[arg(long, value_name = "MINUTES", default_value_t = 10)]
        minutes: u32,
    },
    /// Let a worker in again that is refused.
    Unban {
        /// Which one.
        #[command(flatten)]
        worker: WorkerArg,
    },
    /// Forget a worker of which no rig is connected.
    Forget {
        /// Which one.
        #[command(flatten)]
        worker: WorkerArg,
    },
    /// Prefer a pool to all others of its route, until the config is read again.
    Switch {
        /// Its name.
        pool: String,
        /// Of which route, where several have such a pool.
        #[arg(long, value_name = "NAME")]
        route: Option<String>,
        /// Back to the config's order.
        #[arg(long)]
        back: bool,
    },
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ListArgs {
    /// Those of this route.
    #[arg(long, value_name = "NAME")]
    pub route: Option<String>,
    /// Those that are online, silent, offline or quarantined.
    #[arg(long, value_name = "STATE")]
    pub state: Option<String>,
    /// So many at most.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
    /// So many are passed over.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub offset: usize,
}

/// A worker.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct WorkerArg {
    /// Its name.
    #[arg(value_name = "WORKER")]
    pub name: String,
    /// On this route; on all where it is absent.
    #[arg(long, value_name = "NAME")]
    pub route: Option<String>,
}

/// A difficulty, or none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WantedLevel(pub Option<f64>);

impl std::str::FromStr for WantedLevel {
    type Err = std::num::ParseFloatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" { Ok(Self(None)) } else { text.parse().map(Some).map(Self) }
    }
}
