//! Trying a pool out: connect, subscribe, authorize, and see what it gives.

use std::future::Future;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use orepass_stratum::channel::{Ground, PoolShared};
use orepass_stratum::dialect::{Rules, Split, Subscribed};
use orepass_stratum::error::shown;
use orepass_stratum::habits::{Habit, HabitBook, Habits};
use orepass_stratum::job::JobIds;
use orepass_stratum::target::Target;
use orepass_stratum::upstream::{Upstream, UpstreamConfig, UpstreamEvent};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::clock::now;
use crate::config::{OptionError, PoolAccount, RouteConfig};
use crate::net::connect::{Connector, PoolConnection, Tcp};
use crate::net::tls::facts::TlsFacts;
use crate::pool::AGENT;
use crate::pool::pump::{End, pump};
use crate::registry::{Configured, FromConfig, configured};
use crate::route::ticket::Ticket;
use crate::route::traffic::ByteCounts;
use crate::route::window::ShareWindow;

/// What was found out about a pool.
#[derive(Debug, Clone)]
pub struct Findings {
    /// The addresses that its name stands for; none where a proxy looks it up.
    pub addresses: Vec<SocketAddr>,
    /// Which of them answered; the proxy's, where there is one.
    pub peer: SocketAddr,
    /// What is known of its TLS.
    pub tls: Option<Box<TlsFacts>>,
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
    /// Its share target; the harder one where there is a doubt.
    pub target: Target,
    /// The difficulty that rigs would be told for that, before vardiff.
    pub difficulty: f64,
    /// What its job says, in lines with titles.
    pub job: Vec<(&'static str, String)>,
    /// The habit that the target depends on and nobody knows, with the easier difficulty.
    pub doubt: Option<(Habit, f64)>,
    /// What the operator says of its habits.
    pub configured: Habits,
    /// What the dialect says of it in plain numbers.
    pub rules: Rules,
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
    /// It wants us elsewhere.
    #[error("the pool sends us to {0}")]
    SentAway(String),
}

/// A probe of a pool of whatever dialect.
pub type Probing<'a> = Pin<Box<dyn Future<Output = Result<Findings, ProbeError>> + Send + 'a>>;

/// Tries a pool out, of which this is remembered. The session has a time limit for everything that it
/// waits for, so this ends.
#[must_use]
pub fn probe<'a, D: FromConfig>(
    route: &'a RouteConfig,
    pool: &'a PoolAccount,
    remembered: Habits,
) -> Probing<'a> {
    Box::pin(try_out::<D>(route, pool, remembered, &Tcp))
}

async fn try_out<D: FromConfig>(
    route: &RouteConfig,
    pool: &PoolAccount,
    remembered: Habits,
    connector: &dyn Connector,
) -> Result<Findings, ProbeError> {
    let Configured { dialect, habits: configured } =
        configured::<D>(&route.options, &pool.options).map_err(ProbeError::Options)?;
    let habits = HabitBook::new(configured, remembered);
    let mut addresses = Vec::new();
    // A proxy is asked by name, and nobody else is to learn that.
    if pool.reach.proxy.is_none() {
        let host = (pool.url.host(), pool.url.port());
        let resolved = tokio::net::lookup_host(host).await;
        addresses.extend(
            resolved
                .map_err(|error| ProbeError::Resolve { host: pool.url.host().into(), error })?,
        );
    }

    let started = now();
    let connection = connector.connect(&pool.url, &pool.reach).await;
    let PoolConnection { reader, writer, peer, tls } =
        connection.map_err(|error| ProbeError::Ended(End::Connect(error)))?;
    let connected = now();

    let config = UpstreamConfig::new(pool.user.own(), pool.password.reveal(), AGENT)
        .with_prefix_bytes(route.prefix_bytes)
        .with_max_rigs(route.max_rigs_per_channel)
        .with_start_difficulty(pool.start_difficulty);
    let user = config.user.clone();
    let shared =
        PoolShared { habits: habits.clone(), ..PoolShared::from(Arc::new(JobIds::new(1))) };
    let mut upstream: Upstream<D, Ticket> = Upstream::new(Arc::new(dialect), config, shared);
    upstream.handle_connected(connected);

    let mut logged_in = None;
    let mut sent_away = None;
    let (window, ending) = (ShareWindow::default(), CancellationToken::new());
    // Events lag behind the session, which has taken in all that came with them: it is asked.
    let on_event = |upstream: &Upstream<D, Ticket>, event| {
        if upstream.is_live() {
            logged_in.get_or_insert_with(now);
        }
        match event {
            _ if upstream.serves() => return ControlFlow::Break(End::Stopped),
            UpstreamEvent::Down(reason) => return ControlFlow::Break(End::Down(reason)),
            UpstreamEvent::Reconnect { host, port, wait } => {
                let host = host.unwrap_or_else(|| pool.url.host().to_owned());
                let port = port.unwrap_or_else(|| pool.url.port());
                sent_away = Some(format!("{}:{port}", shown(&host)));
                return ControlFlow::Break(End::Reconnect(wait));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    };
    let bytes = ByteCounts::default();
    let end = pump(&mut upstream, reader, writer, &window, &bytes, &ending, on_event).await;
    let view = upstream.view();
    match (upstream.subscribed(), view.ground, view.work, logged_in) {
        (Some(given), Some(Ground { split, space, .. }), Some(work), Some(logged_in))
            if upstream.serves() =>
        {
            let known = habits.known();
            let scale = work.dialect.scale(&work.job);
            let difficulty = |target: &Target| scale.difficulty_lossy(*target).get();
            let target = work.wanted.surely(known);
            let easier = difficulty(&work.wanted.perhaps(known));
            Ok(Findings {
                addresses,
                peer,
                tls,
                connect: connected - started,
                login: logged_in - connected,
                given: given.clone(),
                split,
                rigs: space.capacity(),
                user,
                target,
                difficulty: difficulty(&target),
                job: work.dialect.about(&work.job),
                doubt: work.wanted.doubt(known).map(|(habit, _)| (habit, easier)),
                configured,
                rules: work.dialect.rules(),
            })
        }
        _ => Err(sent_away.map_or(ProbeError::Ended(end), ProbeError::SentAway)),
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use orepass_hstratum::Hstratum;
    use orepass_sim::net::PoolServer;
    use orepass_sim::pool::{PoolConfig, PoolFault};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};

    use super::*;
    use crate::config::{Config, PoolUrl};
    use crate::net::connect::{ConnectError, Reach};
    use crate::registry::Registry;

    /// A pool in memory.
    enum Wire {
        Simulated(PoolServer),
        /// Says all of this when it has heard something, and then nothing more.
        Says(&'static [&'static str]),
    }

    #[async_trait]
    impl Connector for Wire {
        async fn connect(&self, _: &PoolUrl, _: &Reach) -> Result<PoolConnection, ConnectError> {
            let near = match self {
                Self::Simulated(pool) => pool.connect(),
                Self::Says(lines) => {
                    let (near, mut far) = duplex(64 * 1024);
                    let said = lines.join("\n") + "\n";
                    tokio::spawn(async move {
                        let mut heard = [0; 1024];
                        let _ = far.read(&mut heard).await;
                        let _ = far.write_all(said.as_bytes()).await;
                        while far.read(&mut heard).await.is_ok_and(|read| read > 0) {}
                    });
                    near
                }
            };
            let (reader, writer) = split(near);
            let peer = ([127, 0, 0, 1], 3008).into();
            Ok(PoolConnection::new(Box::new(reader), Box::new(writer), peer))
        }
    }

    /// A real pool's.
    const NOTIFY: &str = concat!(
        r#"{"id":null,"method":"mining.notify","params":["1795208343:0","#,
        r#""ae3895cf597eff05b19e02a70ceeeecb9dc72dbfe6504a50e9343a72f06a87c5","#,
        r#""e5e54d651697330d03265e73f0b2073d3ad1e76437445c31c37da7383d71d005","#,
        r#""c27447bf21f4cb4a426a7c1050f74a213fd8cee690e30c3c2d22bc5a085d515e","#,
        r#""0000000000000000000000000000000000000000000000000000000000000000","#,
        r#""0000000000000000000000000000000000000000000000000000000000000000","#,
        r#""00000000","207fffff","6b00b497","#,
        r#""a076a93e45bf3841b48a55c258848001e1c97468785f33b7796b57e4d0431e8e"]}"#,
    );

    async fn tried(wire: Wire) -> Result<Findings, String> {
        let text = r#"[[route]]
            name = "hns"
            dialect = "hstratum"
            listen = ["127.0.0.1:3008"]
            [[route.pool]]
            url = "stratum+tcp://127.0.0.1:3008"
            user = "account""#;
        let config = Config::parse("t", text, &Registry::default()).unwrap();
        let route = &config.routes[0];
        let found = try_out::<Hstratum>(route, &route.pools[0], Habits::default(), &wire).await;
        found.map_err(|error| error.to_string())
    }

    async fn with_fault(fault: PoolFault) -> Result<Findings, String> {
        let pool = PoolServer::new(PoolConfig::default());
        pool.fault(fault);
        tried(Wire::Simulated(pool)).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_sound_pool_is_found_so_however_its_lines_come() {
        for notify_before_authorize in [false, true] {
            let config = PoolConfig { notify_before_authorize, ..PoolConfig::default() };
            let found = tried(Wire::Simulated(PoolServer::new(config))).await.unwrap();
            assert_eq!((found.rigs, &*found.user), (250, "account"));
            assert!(found.difficulty > 0.0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pool_that_says_everything_at_once_is_sound() {
        // A server that answers the authorize before it comes, and all in one packet.
        let said = &[
            r#"{"id":1,"result":[[["mining.notify","s"]],"0000000a",4],"error":null}"#,
            r#"{"id":2,"result":true,"error":null}"#,
            r#"{"id":null,"method":"mining.set_difficulty","params":[1]}"#,
            NOTIFY,
        ];
        let found = tried(Wire::Says(said)).await.unwrap();
        assert_eq!(found.split.extranonce1.to_string(), "0000000a");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pool_without_jobs_or_of_another_coin_fails_with_the_reason() {
        let error = with_fault(PoolFault::Jobless).await.unwrap_err();
        assert_eq!(error, "the pool told no job within 30s");
        let error = with_fault(PoolFault::UnusableJobs).await.unwrap_err();
        assert!(error.contains("expected"), "{error}");
        assert!(error.ends_with("is this a pool of hstratum?"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn every_failure_has_its_own_reason() {
        let error = with_fault(PoolFault::ReconnectAtLogin).await.unwrap_err();
        assert_eq!(error, "the pool sends us to 127.0.0.1:3008");
        let error = with_fault(PoolFault::RefuseConnections).await.unwrap_err();
        assert_eq!(error, "the pool closed the connection instead of answering the subscribe");
        let error = with_fault(PoolFault::RefuseWorker("*".into())).await.unwrap_err();
        assert!(error.contains("check `user` and `password`"), "{error}");
        let error = with_fault(PoolFault::Stall).await.unwrap_err();
        assert!(error.contains("did not answer the subscribe"), "{error}");
    }
}
