//! The figures of workers, for those who want a series of each.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::sheet::Sheet;
use super::window_name;
use crate::watch::views::{NormView, WorkerView};
use crate::watch::{AtWork, WorkerState};
use orepass_stratum::verdict::Verdict;

/// The most workers with series of their own: those with the most work of late. The rest is one, `other`.
pub(super) const MAX_WORKERS: usize = 5000;

#[derive(Debug)]
pub(super) struct WorkerCollector {
    workers: Vec<WorkerView>,
    others: Vec<WorkerView>,
}

impl WorkerCollector {
    pub(super) fn new(at_work: &AtWork) -> Self {
        let routes = at_work.routes();
        let mut workers: Vec<_> = routes
            .iter()
            .flat_map(|route| {
                let workers = route.workers().into_iter();
                workers.map(|worker| route.worker_view(&worker)).collect::<Vec<_>>()
            })
            .collect();
        let mut others = Vec::new();
        if workers.len() > MAX_WORKERS {
            workers.sort_by(|one, other| present(other).total_cmp(&present(one)));
            others = workers.split_off(MAX_WORKERS);
        }
        Self { workers, others }
    }
}

fn present(worker: &WorkerView) -> f64 {
    worker.hashrate.get(2).map_or(0.0, |hour| hour.accepted_hs)
}

impl Collector for WorkerCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let mut sheet = Sheet::new(encoder);
        let of = |value: fn(&WorkerView) -> Option<f64>| {
            self.workers.iter().filter_map(move |worker| Some((labels(worker), value(worker)?)))
        };
        let help = "Whether the worker has a rig that sends shares";
        let up = |worker: &WorkerView| Some(f64::from(worker.state == WorkerState::Online));
        sheet.gauge("worker_up", help, of(up))?;
        let help = "What the worker usually does, in hashes per second";
        sheet.gauge("worker_norm_hs", help, of(|worker| worker.norm_hs))?;
        let low = |worker: &WorkerView| Some(f64::from(worker.against_norm == NormView::Low));
        sheet.gauge("worker_low", "Whether it does less than 70 % of that", of(low))?;
        let rows = self.workers.iter().flat_map(|worker| {
            worker.hashrate.iter().flat_map(move |rate| {
                super::kinds_of(rate).map(|(kind, per_second)| {
                    let [route, name] = labels(worker);
                    ([route, name, ("kind", kind), ("window", window_name(rate))], per_second)
                })
            })
        });
        let help = "Hashes per second: claimed by its rigs, accepted here, credited by pools";
        sheet.gauge("worker_hashrate_hs", help, rows)?;
        let rows = self.workers.iter().flat_map(|worker| {
            // Most workers have shares of two or three kinds.
            let kinds = Verdict::ALL.into_iter();
            let kinds = kinds.filter(|verdict| worker.shares.kinds.get(*verdict) > 0);
            kinds.map(|verdict| {
                let [route, name] = labels(worker);
                ([route, name, ("result", verdict.name())], worker.shares.kinds.get(verdict))
            })
        });
        sheet.counter("worker_shares", "Its shares, by what became of them", rows)?;
        let others: f64 = self.others.iter().map(present).sum();
        let help =
            "Hashes per second of the workers that have no series of their own, in the last hour";
        sheet.gauge("workers_other_hashrate_hs", help, [([], others)])?;
        let help = "How many those are";
        sheet.gauge("workers_other", help, [([], self.others.len() as f64)])
    }
}

fn labels(worker: &WorkerView) -> [(&'static str, &str); 2] {
    [("route", &worker.route), ("worker", &worker.name)]
}
