//! Trying a pool out: connect, subscribe, authorize, and see what it gives.

use std::future::Future;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use orepass_stratum::dialect::{Split, Subscribed};
use orepass_stratum::habits::Habits;
use orepass_stratum::job::JobIds;
use orepass_stratum::target::Target;
use orepass_stratum::upstream::{Notice, Upstream, UpstreamConfig, UpstreamEvent};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::now;
use crate::config::{OptionError, Pool, Route};
use crate::drive::upstream::{End, Signals, pump};
use crate::net::connect::{Connection, Connector, Tcp};
use crate::registry::{Configured, FromConfig, configured};
use crate::route::channel::AGENT;
use crate::ticket::Ticket;

/// How long a pool may take from the connection to its first job.
const FIRST_JOB_WITHIN: Duration = Duration::from_secs(15);

/// What was found out about a pool.
#[derive(Debug, Clone)]
pub struct Found {
    /// The addresses that its name stands for.
    pub addresses: Vec<SocketAddr>,
    /// Which of them answered.
    pub peer: SocketAddr,
    /// How long the connection took to make.
    pub connect: Duration,
    /// How long it took to answer the subscribe and the authorize, together.
    pub login: Duration,
    /// What it gave.
    pub given: Subscribed,
    /// How that is divided.
    pub split: Arc<Split>,
    /// How many rigs fit on a connection.
    pub rigs: u64,
    /// The account that it authorized.
    pub user: String,
    /// Its share target and the difficulty that rigs would be told, if a job came.
    pub target: Option<(Target, f64)>,
}

/// Why a pool is of no use.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The dialect's options are wrong.
    #[error("{0:?}")]
    Options(OptionError),
    /// Its name stands for no address.
    #[error("cannot resolve {host}: {error}")]
    Resolve {
        /// The name.
        host: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// The connection failed or ended.
    #[error("{0}")]
    Ended(End),
}

/// A probe of a pool of whatever dialect.
pub type Probing<'a> = Pin<Box<dyn Future<Output = Result<Found, ProbeError>> + Send + 'a>>;

/// Tries a pool out.
#[must_use]
pub fn probe<'a, D: FromConfig>(route: &'a Route, pool: &'a Pool) -> Probing<'a> {
    Box::pin(try_out::<D>(route, pool))
}

async fn try_out<D: FromConfig>(route: &Route, pool: &Pool) -> Result<Found, ProbeError> {
    let Configured { dialect, .. } =
        configured::<D>(&route.options, &pool.options).map_err(ProbeError::Options)?;
    let host = (pool.url.host(), pool.url.port());
    let resolved = tokio::net::lookup_host(host).await;
    let addresses = resolved
        .map_err(|error| ProbeError::Resolve { host: pool.url.host().into(), error })?
        .collect();

    let started = now();
    let connection = Tcp.connect(&pool.url).await;
    let Connection { reader, writer, peer } =
        connection.map_err(|error| ProbeError::Ended(End::Connect(error)))?;
    let connect = started.elapsed();

    let config = UpstreamConfig {
        prefix_bytes: route.prefix_bytes,
        max_rigs: route.max_rigs_per_channel,
        start_difficulty: pool.start_difficulty,
        ..UpstreamConfig::new(pool.user.own(), pool.password.reveal().to_owned(), AGENT)
    };
    let user = config.user.clone();
    let mut upstream: Upstream<D, Ticket> =
        Upstream::new(Arc::new(dialect), config, Arc::new(JobIds::new(1)));
    let subscribed = now();
    upstream.handle_connected(subscribed);

    let mut ground = None;
    let mut login = None;
    let mut failure = None;
    let mut target = None;
    let (_sender, mut inbox) = mpsc::channel(1);
    let ending = CancellationToken::new();
    let on_event = |upstream: &Upstream<D, Ticket>, event| {
        match event {
            UpstreamEvent::Notice(Notice::Ground { split, capacity }) => {
                ground = Some((split, capacity));
            }
            UpstreamEvent::Notice(Notice::Live) => login = Some(subscribed.elapsed()),
            UpstreamEvent::Down(reason) => return ControlFlow::Break(End::Down(reason)),
            _ => {}
        }
        let view = upstream.view();
        if let (true, Some(work)) = (view.live, &view.work) {
            let pool_target = work.wanted.surely(Habits::default());
            let difficulty = work.dialect.rig_difficulty(&work.job, &pool_target);
            target = Some((pool_target, difficulty.get()));
            return ControlFlow::Break(End::Stopped);
        }
        ControlFlow::Continue(())
    };
    let signals = Signals::default();
    let pumping = pump(&mut upstream, reader, writer, &mut inbox, &signals, &ending, on_event);
    match tokio::time::timeout(FIRST_JOB_WITHIN, pumping).await {
        Ok(End::Stopped) | Err(_) => {}
        Ok(end) => failure = Some(end),
    }
    let given = upstream.subscribed().cloned();
    match (failure, given, ground, login) {
        (None, Some(given), Some((split, rigs)), Some(login)) => {
            Ok(Found { addresses, peer, connect, login, given, split, rigs, user, target })
        }
        (failure, ..) => Err(ProbeError::Ended(failure.unwrap_or(End::Closed))),
    }
}
