//! Stories of a route between rigs and a pool, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

// The slowest first: tests start in the order of their names.
mod absent_verdicts;
mod bitcoin;
mod brake;
mod bursts;
mod chains;
mod changing_pool;
mod checks;
mod door;
mod farm;
mod faulty_pool;
mod firmware;
mod generations;
mod habits;
mod jobs;
mod lost_pool;
mod options;
mod panics;
mod proxy_protocol;
mod reconciled;
mod reconnect;
mod remembered;
mod resubmit;
mod rubbish;
mod seats;
mod serving;
mod socks;
mod stop;
mod tls;
mod two_pools;
mod vardiff;
mod worker_names;
