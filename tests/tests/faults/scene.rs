//! The program, a pool, and rigs that mine while something else goes wrong.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use orepass::clock::now;
use orepass_sim::net::{PoolServer, RigFarm, RigHandle};
use orepass_sim::pool::PoolStats;
use orepass_sim::rig::{RigConfig, RigStats};
use orepass_stratum::time::Instant;
use orepass_tests::check::{answers, bad_submits};
use orepass_tests::client::Client;
use orepass_tests::proxy::ProxyProcess;
use orepass_tests::site::{Plan, mixed_rig};
use orepass_tests::wait::{until, within};

/// Rigs that do as they should.
const HONEST: usize = 300;
/// Each of them finds about five shares a second.
const HASHRATE: f64 = 200.0;
/// How often it is looked whether they are answered.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A share that waits for so long is not answered in its usual time, however busy the machine is
/// with what the test does beside; without a fault it takes milliseconds.
const TOO_LONG: Duration = Duration::from_secs(4);
/// A peak may be so much above another, in parts of it and in KiB: what the allocator keeps at hand.
const SAME_PEAK: (f64, u64) = (1.1, 1024);

pub(crate) struct Scene {
    pub(crate) proxy: ProxyProcess,
    pub(crate) pool: PoolServer,
    honest: Arc<RigFarm>,
}

/// How a scene is set.
#[derive(Default)]
pub(crate) struct Setting {
    /// Further keys of the route.
    pub(crate) route: &'static str,
    /// Further tables of the config.
    pub(crate) tables: &'static str,
    /// A command that starts others, such as `unshare -m`.
    pub(crate) through: &'static [&'static str],
    /// What a shell does before it becomes the program, such as `ulimit -n 500;`.
    pub(crate) before: &'static str,
    /// Where the program's log goes, such as `2>/dev/full`; to the test unless it is said.
    pub(crate) log: &'static str,
}

impl Scene {
    pub(crate) async fn set(setting: Setting) -> Self {
        let pool = Plan::deployed().make_pool();
        let at = pool.listen("127.0.0.1:0").await.unwrap();
        Self::before(pool, at, setting).await
    }

    /// With something between the proxy and the pool.
    pub(crate) async fn before(pool: PoolServer, at: SocketAddr, setting: Setting) -> Self {
        let shell = format!("{} exec \"$0\" \"$@\" {}", setting.before, setting.log);
        let words = [&["env"], setting.through, &["sh", "-c", &shell, env!("CARGO_BIN_EXE_proxy")]];
        let words = words.concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        let proxy = ProxyProcess::start(command, at, [setting.route, setting.tables]).await;
        let honest = RigFarm::start(HONEST, &proxy.address, Duration::ZERO, |number| RigConfig {
            hashrate: HASHRATE,
            ..mixed_rig(number)
        });
        until("rigs mine", || honest.stats().mining, |mining| *mining == HONEST as u64).await;
        let scene = Self { proxy, pool, honest: Arc::new(honest) };
        scene.all_earn().await;
        scene
    }

    /// Waits until the honest rigs have earned something more.
    pub(crate) async fn all_earn(&self) {
        let before: Vec<u64> = self.honest.rigs().iter().map(|rig| rig.stats().accepted).collect();
        let behind = || {
            let rigs = self.honest.rigs().iter().zip(&before);
            rigs.filter(|(rig, before)| rig.stats().accepted == **before).count()
        };
        until("shares of all", behind, |behind| *behind == 0).await;
    }

    /// So many other rigs come, log in, and leave.
    pub(crate) async fn come_and_go(&self, rigs: usize) {
        let address = self.proxy.address.clone();
        all((0..rigs).map(move |number| {
            let address = address.clone();
            async move {
                Client::login(&address, &format!("guest{number}")).await;
            }
        }))
        .await;
    }

    /// Has something go wrong twice, and looks how the honest rigs fare meanwhile.
    pub(crate) async fn twice<F: Future<Output = ()>>(&self, what: &str, fault: impl Fn() -> F) {
        let quiet = self.slowest(self.all_earn()).await;
        let mut peaks = Vec::new();
        for _ in 0..2 {
            self.proxy.forget_peak();
            let slowest = self.slowest(async {
                within_reason(what, fault()).await;
                self.all_earn().await;
            });
            let slowest = slowest.await;
            assert!(slowest <= TOO_LONG, "{what}: a share waited for {slowest:?}, else {quiet:?}");
            println!("{what}: slowest answer {slowest:?}, without {quiet:?}");
            peaks.push(self.proxy.peak());
        }
        if let [Some(first), Some(second)] = peaks[..] {
            println!("{what}: at most {first} KiB, the second time {second} KiB");
            let most = (first as f64 * SAME_PEAK.0) as u64 + SAME_PEAK.1;
            assert!(second <= most, "{what}: {second} KiB after {first} KiB");
        }
    }

    /// The longest time for which a rig waited for an answer while something went on.
    async fn slowest(&self, meanwhile: impl Future<Output = ()>) -> Duration {
        let over = Arc::new(AtomicBool::new(false));
        let (honest, ended) = (Arc::clone(&self.honest), Arc::clone(&over));
        let watching = tokio::spawn(async move {
            let mut waiting: Vec<Waiting> = honest.rigs().iter().map(Waiting::new).collect();
            let mut slowest = Duration::ZERO;
            while !ended.load(Ordering::Relaxed) {
                tokio::time::sleep(LOOK_EVERY).await;
                for (rig, waiting) in honest.rigs().iter().zip(&mut waiting) {
                    slowest = slowest.max(waiting.look(&rig.stats()));
                }
            }
            slowest
        });
        meanwhile.await;
        over.store(true, Ordering::Relaxed);
        watching.await.unwrap()
    }

    /// Ends it: each share was answered, but for those that crossed the end of their rig's connection,
    /// and the program goes as it is told to.
    pub(crate) async fn close(mut self) -> Ended {
        let honest = Arc::into_inner(self.honest).expect("nobody else watches");
        honest.stop_mining();
        until("answers", || honest.stats().pending, |pending| *pending == 0).await;
        let rigs = honest.close().await;
        answers(&rigs).assert_none();
        self.proxy.signal("TERM");
        assert!(self.proxy.ended().await.success());
        Ended { rigs, pool: self.pool.stats() }
    }
}

/// The accounts of a scene that is over.
pub(crate) struct Ended {
    rigs: RigStats,
    pool: PoolStats,
}

impl Ended {
    /// The honest rigs noticed nothing, and the pool saw nothing bad.
    pub(crate) fn unnoticed(&self) {
        bad_submits(&self.pool).assert_none();
        self.unnoticed_by_rigs();
    }

    /// They noticed nothing but that what is in flight when a block comes is stale.
    pub(crate) fn unnoticed_by_rigs(&self) {
        let RigStats { disconnects, unanswered, .. } = self.rigs;
        let noticed = (disconnects, unanswered, refused(&self.rigs, &[21]));
        assert_eq!(noticed, (0, 0, 0), "{:?}", self.rigs);
    }
}

/// Shares that were refused for another reason than these.
pub(crate) fn refused(rigs: &RigStats, but_for: &[i64]) -> u64 {
    let others = rigs.rejected_by_code.iter().filter(|(code, _)| !but_for.contains(code));
    others.map(|(_, count)| count).sum()
}

/// A rig that may wait for an answer.
struct Waiting {
    answered: u64,
    since: Option<Instant>,
}

impl Waiting {
    fn new(rig: &RigHandle) -> Self {
        Self { answered: answered(&rig.stats()), since: None }
    }

    /// For how long it has waited.
    fn look(&mut self, stats: &RigStats) -> Duration {
        let answered = answered(stats);
        if stats.pending == 0 || answered != self.answered {
            *self = Self { answered, since: None };
        }
        if stats.pending == 0 {
            return Duration::ZERO;
        }
        now().saturating_duration_since(*self.since.get_or_insert_with(now))
    }
}

fn answered(stats: &RigStats) -> u64 {
    stats.accepted + stats.rejected + stats.unanswered
}

/// A fault takes as long as it takes, but ends.
async fn within_reason(what: &str, fault: impl Future<Output = ()>) {
    let ended = tokio::time::timeout(Duration::from_secs(300), fault).await;
    ended.unwrap_or_else(|_| panic!("{what} does not end"));
}

/// Awaits all of them at once.
pub(crate) async fn all(futures: impl Iterator<Item = impl Future<Output = ()> + Send + 'static>) {
    let mut tasks: tokio::task::JoinSet<()> = futures.collect();
    while let Some(ended) = within("one of many", tasks.join_next()).await {
        ended.unwrap();
    }
}
