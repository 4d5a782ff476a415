//! The farm's figures for Prometheus. They are read from the books when somebody asks: nothing is
//! registered where shares pass.
//!
//! Labels are bounded: routes, pools, verdicts, windows. Never an address; workers on a page of their
//! own, and at most 5,000 of them.

pub(crate) mod process;
mod sheet;
mod sinks;
mod workers;

use std::sync::atomic::Ordering;

use orepass_stratum::verdict::Verdict;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text};
use prometheus_client::registry::Registry;

use crate::histogram::Counts;
use crate::process::Process;
use crate::route::traffic::TrafficView;
use crate::telemetry;
use crate::watch::views::{
    ChannelHealth, ChannelState, PoolHealthView, PoolView, RateView, RouteView,
};
use crate::watch::{self, AtWork, Concern, Diagnostics, WorkerState};
use sheet::Sheet;

/// What the answer is made of.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the figures are read from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The routes.
    pub at_work: AtWork,
    /// What they share.
    pub process: Process,
    /// What needs somebody.
    pub diagnostics: Diagnostics,
}

/// The figures of routes, pools and the process.
#[must_use]
pub fn all(sources: Sources) -> String {
    encoded(FarmCollector { sources })
}

/// The figures of workers.
#[must_use]
pub fn of_workers(at_work: &AtWork) -> String {
    encoded(workers::WorkerCollector::new(at_work))
}

fn encoded(collector: impl Collector) -> String {
    let mut registry = Registry::with_prefix("orepass");
    registry.register_collector(Box::new(collector));
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = prometheus_text::encode(&mut page, &registry);
    page
}

#[derive(Debug)]
struct FarmCollector {
    sources: Sources,
}

/// A route and what else is known of it.
struct RouteFigures {
    view: RouteView,
    workers: [(WorkerState, usize); 4],
    check: Counts,
    fanout: Counts,
    latency: Vec<(String, Counts)>,
    switches: Vec<(String, String, u64)>,
}

impl Collector for FarmCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let Sources { at_work, process, diagnostics } = &self.sources;
        let routes: Vec<_> = at_work
            .routes()
            .iter()
            .map(|route| RouteFigures {
                view: route.view(),
                workers: route.worker_states(),
                check: route.share_check(),
                fanout: route.job_fanout(),
                latency: route.share_latency(),
                switches: route.switches(),
            })
            .collect();
        let mut sheet = Sheet::new(encoder);
        shares(&mut sheet, &routes)?;
        rates(&mut sheet, &routes)?;
        downstream(&mut sheet, &routes)?;
        upstream(&mut sheet, &routes)?;
        histograms(&mut sheet, &routes)?;

        let limits = process.admission.counts();
        let limits = limits.iter().map(|(limit, count)| ([("limit", limit.name())], *count));
        sheet.counter("limits_met", "How often a limit turned somebody away", limits)?;
        let findings = diagnostics.all();
        let findings = findings.iter().map(|finding| {
            let route = finding.route.as_deref().unwrap_or_default();
            let labels = [
                ("code", finding.code),
                ("severity", finding.severity.name()),
                ("route", route),
                ("subject", &finding.subject),
            ];
            (labels, finding.count.max(1) as f64)
        });
        let help = "What needs somebody now: how many rigs or workers it concerns, at least 1";
        sheet.gauge("diagnostic", help, findings)?;
        sinks::encode(&mut sheet, &process.sinks.counts())?;
        let count = process.reloads.load(Ordering::Relaxed);
        let good = !watch::is_raised(Concern::ReloadRefused);
        sheet.counter(
            "config_reloads",
            "Configs that were accepted while at work",
            [([], count)],
        )?;
        let help = "Whether the config that was read last was accepted";
        sheet.gauge("config_last_reload_successful", help, [([], f64::from(good))])?;
        let help = "Panics since the start; each has ended one session";
        sheet.counter("panics", help, [([], telemetry::panics())])?;
        let version = [([("version", env!("CARGO_PKG_VERSION"))], 1.0)];
        sheet.gauge("build_info", "The program", version)?;
        process::encode(&mut sheet)
    }
}

/// A row for each route.
fn each_route<V>(
    routes: &[RouteFigures],
    value: fn(&RouteView) -> V,
) -> impl Iterator<Item = ([(&'static str, &str); 1], V)> {
    routes.iter().map(move |route| ([("route", &*route.view.name)], value(&route.view)))
}

type Pools<'a> = Box<dyn Iterator<Item = (&'a RouteView, &'a PoolView)> + 'a>;

fn pools(routes: &[RouteFigures]) -> Pools<'_> {
    Box::new(
        routes.iter().flat_map(|route| route.view.pools.iter().map(|pool| (&route.view, pool))),
    )
}

fn shares(sheet: &mut Sheet<'_>, routes: &[RouteFigures]) -> std::fmt::Result {
    let by_verdict = routes.iter().flat_map(|RouteFigures { view, .. }| {
        let of = |verdict| (view, verdict, view.shares.kinds.get(verdict));
        Verdict::ALL.map(of)
    });
    let rows = by_verdict.map(|(view, verdict, count)| {
        ([("route", &*view.name), ("result", verdict.name())], count)
    });
    sheet.counter("shares", "Shares of rigs, by what became of them", rows)?;
    let rows = pools(routes).flat_map(|(route, pool)| {
        Verdict::ALL.map(|verdict| {
            let labels =
                [("route", &*route.name), ("pool", &*pool.name), ("result", verdict.name())];
            (labels, pool.shares.kinds.get(verdict))
        })
    });
    sheet.counter("pool_shares", "Shares for a pool's jobs, by what became of them", rows)?;
    let of_route = |of: fn(&RouteView) -> u64| each_route(routes, of);
    let help = "Shares on their way to a pool or back";
    let in_flight = each_route(routes, |view| view.shares.in_flight as f64);
    sheet.gauge("shares_in_flight", help, in_flight)?;
    let help = "Shares forwarded without a full check";
    sheet.counter("shares_unchecked", help, of_route(|view| view.shares.unchecked))?;
    let help = "Answers of pools to shares that had been given up";
    sheet.counter("late_verdicts", help, of_route(|view| view.shares.late_verdicts))?;
    sheet.counter("blocks_found", "Blocks that pools took", of_route(|view| view.shares.blocks))?;
    let best = each_route(routes, |view| view.shares.best_share_hashes);
    sheet.gauge("best_share_hashes", "The best share, as the hashes that it stands for", best)?;
    let credited = pools(routes).map(|(route, pool)| {
        ([("route", &*route.name), ("pool", &*pool.name)], pool.shares.credited_hashes)
    });
    sheet.counter("credited_hashes", "Work that the pool credited, at its own target", credited)
}

fn rates(sheet: &mut Sheet<'_>, routes: &[RouteFigures]) -> std::fmt::Result {
    let rows = routes.iter().flat_map(|RouteFigures { view, .. }| {
        view.hashrate.iter().flat_map(move |rate| {
            kinds_of(rate).map(|(kind, per_second)| {
                let labels =
                    [("route", &*view.name), ("kind", kind), ("window", window_name(rate))];
                (labels, per_second)
            })
        })
    });
    let help = "Hashes per second: claimed by rigs, accepted here, credited by pools";
    sheet.gauge("hashrate_hs", help, rows)?;
    let rows = pools(routes).flat_map(|(route, pool)| {
        pool.hashrate.iter().flat_map(move |rate| {
            kinds_of(rate).map(|(kind, per_second)| {
                let labels = [
                    ("route", &*route.name),
                    ("pool", &*pool.name),
                    ("kind", kind),
                    ("window", window_name(rate)),
                ];
                (labels, per_second)
            })
        })
    });
    sheet.gauge("pool_hashrate_hs", "The same for each pool's jobs", rows)?;
    let rows = routes.iter().flat_map(|RouteFigures { view, .. }| {
        view.hashrate.iter().flat_map(move |rate| {
            Verdict::ALL.map(|verdict| {
                let labels = [
                    ("route", &*view.name),
                    ("result", verdict.name()),
                    ("window", window_name(rate)),
                ];
                (labels, rate.kinds_hs.get(verdict))
            })
        })
    });
    sheet.gauge("work_hs", "Where the claimed work went, in hashes per second", rows)
}

fn kinds_of(rate: &RateView) -> [(&'static str, f64); 3] {
    [("claimed", rate.claimed_hs), ("accepted", rate.accepted_hs), ("credited", rate.credited_hs)]
}

/// As operators call them.
fn window_name(rate: &RateView) -> &'static str {
    match rate.window_s {
        60 => "1m",
        600 => "10m",
        3600 => "1h",
        _ => "24h",
    }
}

fn downstream(sheet: &mut Sheet<'_>, routes: &[RouteFigures]) -> std::fmt::Result {
    let of = |value: fn(&RouteView) -> f64| each_route(routes, value);
    sheet.gauge(
        "downstream_connections",
        "Rigs that are connected",
        of(|view| view.rigs as f64),
    )?;
    let help = "Rigs that wait for a place at a pool";
    sheet.gauge("rigs_waiting", help, of(|view| view.rigs_waiting as f64))?;
    sheet.counter("rigs_came", "Rigs that connected", each_route(routes, |view| view.rigs_came))?;
    sheet.counter("rigs_went", "Rigs that left", each_route(routes, |view| view.rigs_went))?;
    let rows = routes.iter().flat_map(|RouteFigures { view, workers, .. }| {
        workers
            .map(|(state, count)| ([("route", &*view.name), ("state", state.name())], count as f64))
    });
    sheet.gauge("workers", "Workers by how they are", rows)?;
    let rows = routes.iter().flat_map(|RouteFigures { view, .. }| {
        let TrafficView { rigs_banned, rigs_penalised, .. } = view.traffic;
        [("operator", rigs_banned), ("conduct", rigs_penalised)]
            .map(|(why, count)| ([("route", &*view.name), ("why", why)], count))
    });
    let help =
        "Rigs that were closed since they are refused, by the operator or for what they sent";
    sheet.counter("bans", help, rows)?;
    let rows = routes.iter().flat_map(|RouteFigures { view, .. }| {
        let traffic = view.traffic;
        [
            ("rigs", "in", traffic.from_rigs_bytes),
            ("rigs", "out", traffic.to_rigs_bytes),
            ("pools", "in", traffic.from_pools_bytes),
            ("pools", "out", traffic.to_pools_bytes),
        ]
        .map(|(side, direction, bytes)| {
            ([("route", &*view.name), ("side", side), ("direction", direction)], bytes)
        })
    });
    sheet.counter("bytes", "Bytes of stratum, without what TLS adds", rows)
}

fn upstream(sheet: &mut Sheet<'_>, routes: &[RouteFigures]) -> std::fmt::Result {
    let of = |value: fn(&PoolView) -> Option<f64>| {
        pools(routes).filter_map(move |(route, pool)| {
            Some(([("route", &*route.name), ("pool", &*pool.name)], value(pool)?))
        })
    };
    let serves = |pool: &PoolView| Some(f64::from(pool.health == PoolHealthView::Serves));
    sheet.gauge("upstream_up", "Whether the pool serves", of(serves))?;
    let help = "The part of the work that the pool should have now";
    sheet.gauge("upstream_share_wanted", help, of(|pool| Some(pool.share_wanted)))?;
    sheet.gauge(
        "upstream_rigs",
        "Rigs that mine at the pool",
        of(|pool| Some(pool.rigs as f64)),
    )?;
    let help = "How old the pool's newest job is";
    sheet.gauge("job_age_seconds", help, of(|pool| pool.job_age_s))?;
    let states = [
        (ChannelHealth::Live, "live"),
        (ChannelHealth::Connecting, "connecting"),
        (ChannelHealth::Closing, "closing"),
    ];
    let rows = pools(routes).flat_map(|(route, pool)| {
        states.map(|(state, name)| {
            let own = route.channels.iter().filter(|channel| channel.pool == pool.name);
            let count = own.filter(|channel| channel.state == state).count();
            let labels = [("route", &*route.name), ("pool", &*pool.name), ("state", name)];
            (labels, count as f64)
        })
    });
    sheet.gauge("upstream_connections", "Connections to the pool", rows)?;
    let slots = |of: fn(&ChannelState) -> u64| {
        pools(routes).map(move |(route, pool)| {
            let own = route.channels.iter().filter(|channel| channel.pool == pool.name);
            let sum: u64 = own.map(of).sum();
            ([("route", &*route.name), ("pool", &*pool.name)], sum as f64)
        })
    };
    let help = "Places for rigs that are taken, on the pool's connections";
    sheet.gauge("slots_used", help, slots(|channel| channel.leases_used))?;
    sheet.gauge("slots", "Places for rigs on the pool's connections", slots(|c| c.leases_total))?;
    let rows = routes.iter().flat_map(|RouteFigures { view, switches, .. }| {
        switches.iter().map(|(from, to, count)| {
            ([("route", &*view.name), ("from", &**from), ("to", &**to)], *count)
        })
    });
    sheet.counter("upstream_failovers", "How often rigs were moved to other pools", rows)
}

fn histograms(sheet: &mut Sheet<'_>, routes: &[RouteFigures]) -> std::fmt::Result {
    let rows = routes.iter().flat_map(|RouteFigures { view, latency, .. }| {
        latency.iter().map(|(pool, counts)| ([("route", &*view.name), ("pool", &**pool)], counts))
    });
    let help = "From a share's writing to the pool's verdict";
    sheet.histogram("share_latency_seconds", help, rows)?;
    let of = |of: fn(&RouteFigures) -> &Counts| {
        routes.iter().map(move |route| ([("route", &*route.view.name)], of(route)))
    };
    let help = "Reading and checking a share; one in sixteen is measured";
    sheet.histogram("share_check_seconds", help, of(|route| &route.check))?;
    let help = "From a pool's notify to a rig's";
    sheet.histogram("job_fanout_seconds", help, of(|route| &route.fanout))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::sync::Arc;

    use orepass_hstratum::{Hstratum, Options};
    use orepass_stratum::dialect::Dialect;

    use super::*;
    use crate::config::{PoolAccount, RouteConfig};
    use crate::net::connect::Tcp;
    use crate::route::{Route, Surroundings};
    use crate::running::RunningRoute;

    /// A route with one rig that has sent nothing, and both pages about it.
    async fn pages() -> [String; 2] {
        let url = "stratum+tcp://127.0.0.1:1".parse().unwrap();
        let pool = PoolAccount::new("pool-a".parse().unwrap(), url, "account".parse().unwrap());
        let config = RouteConfig::new("hns".parse().unwrap(), Hstratum::NAME, vec![pool]);
        let dialects = vec![Arc::new(Hstratum::new(Options::default()))];
        let around = Surroundings::new(Arc::new(Tcp));
        let route = Route::start(config, dialects, around, vec![]);
        let entry = route.roster.enter("10.1.2.3:5".parse().unwrap());
        entry.rig().show(|rig| rig.worker = Some("r1\"\n{}".into()));
        let at_work = AtWork::default();
        at_work.set([Arc::clone(&route) as Arc<dyn RunningRoute>]);
        let sources = Sources {
            at_work: at_work.clone(),
            process: Process::default(),
            diagnostics: Diagnostics::default(),
        };
        let pages = [all(sources), of_workers(&at_work)];
        drop(entry);
        route.stop().await;
        pages
    }

    #[tokio::test]
    async fn every_series_has_its_route_and_no_label_is_an_address() {
        let [page, workers] = pages().await;
        for row in [
            "orepass_shares_total{route=\"hns\",result=\"stale\"} 0",
            "orepass_upstream_up{route=\"hns\",pool=\"pool-a\"} 0.0",
            "orepass_downstream_connections{route=\"hns\"} 1.0",
            "orepass_workers{route=\"hns\",state=\"online\"} 1.0",
            "orepass_config_reloads_total 0",
            "orepass_share_latency_seconds_bucket{route=\"hns\",pool=\"pool-a\",le=\"+Inf\"} 0",
            "# HELP orepass_shares_total Shares of rigs, by what became of them",
        ] {
            assert!(page.lines().any(|line| line == row), "{row} is not in\n{page}");
        }
        let row = "orepass_worker_up{route=\"hns\",worker=\"r1\\\"\\n{}\"} 1.0";
        assert!(workers.lines().any(|line| line == row), "{workers}");
        assert!(![page, workers].iter().any(|page| page.contains("10.1.2.3")));
    }

    /// All words of a text that are names of metrics.
    fn names_in(text: &str) -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let ours = words.filter_map(|word| Some(word.strip_prefix("orepass_")?.to_owned()));
        ours.collect()
    }

    #[tokio::test]
    async fn the_manual_knows_each_metric_and_rules_and_dashboard_ask_for_none_that_is_not_there() {
        let pages = pages().await;
        let types = pages.iter().flat_map(|page| page.lines());
        let types = types.filter_map(|line| line.strip_prefix("# TYPE orepass_"));
        let there: BTreeSet<String> =
            types.map(|line| line.split(' ').next().unwrap().to_owned()).collect();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
        assert_eq!(names_in(&read("docs/monitoring.md")), there);
        for file in ["configs/prometheus/orepass.rules.yml", "configs/grafana/orepass.json"] {
            let asked = names_in(&read(file));
            assert!(asked.len() > 8, "{file} asks for {asked:?}");
            for name in asked {
                let family = name.strip_suffix("_bucket").unwrap_or(&name);
                assert!(there.contains(family), "{file} asks for {name}");
            }
        }
        let dashboard: serde_json::Value =
            serde_json::from_str(&read("configs/grafana/orepass.json")).unwrap();
        assert!(dashboard["panels"].as_array().unwrap().len() > 15);
    }
}
