//! Reads the config again, and changes what is different.
//!
//! First it is read and checked whole, beside the work; then all is made that can fail: sockets and
//! dialects. Until then nothing has changed, and a refusal leaves all as it was. What comes after
//! that cannot fail; where it panics, that is one route's, and the others change all the same.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};
use tracing::{error, info, warn};

use super::{MAX_REQUESTS, Supervisor, serving_api};
use crate::api::ReloadChanges;
use crate::commands::CommandError;
use crate::config::difference::{Difference, Step};
use crate::config::{Config, ConfigError, Invalid, ListenAddr, RouteConfig};
use crate::running::{PreparedRoute, RunningRoute};
use crate::telemetry;
use crate::watch::{self, Concern};

/// How long reading may take: a secret's file may be somewhere that does not answer.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// Why a config is not taken. Nothing has changed then.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReloadRefusal {
    /// Others wait already.
    #[error("too many reloads wait already; ask again")]
    Busy,
    /// This process is about to end.
    #[error("this process is handing over to a new one; ask that one, when it serves")]
    HandingOver,
    /// There is no file.
    #[error("the config came with the command line: there is nothing to read again")]
    NoFile,
    /// It cannot be read, or is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It took too long to read it.
    #[error("reading the config and its secrets took longer than {READ_WITHIN:?}")]
    Slow,
    /// An address cannot be listened on, or a dialect cannot be made.
    #[error(transparent)]
    Prepare(#[from] CommandError),
    /// Something broke.
    #[error("reading the config failed: {0}")]
    Broken(#[from] JoinError),
}

impl ReloadRefusal {
    /// What is wrong with the config's text, where that is it.
    #[must_use]
    pub const fn invalid(&self) -> Option<&Invalid> {
        match self {
            Self::Config(ConfigError::Invalid(invalid))
            | Self::Prepare(CommandError::Config(ConfigError::Invalid(invalid))) => Some(invalid),
            _ => None,
        }
    }
}

/// Who wants the config read again.
#[derive(Debug)]
pub(super) enum Asker {
    /// SIGHUP: the log has the answer.
    Signal,
    /// Somebody who waits, or has left; the log has it too.
    Request(oneshot::Sender<Result<ReloadChanges, ReloadRefusal>>),
}

impl Asker {
    fn answer(self, answer: Result<ReloadChanges, ReloadRefusal>) {
        match &answer {
            Ok(ReloadChanges { changed, at_restart, faults }) => {
                for line in changed {
                    info!(event = "reload.changed", "{line}");
                }
                for line in at_restart {
                    warn!(event = "reload.put_off", "{line}");
                }
                for line in faults {
                    error!(event = "reload.fault", "{line}");
                }
                let (changed, put_off) = (changed.len(), at_restart.len());
                info!(event = "reload", changed, put_off, "the config was read again");
                watch::settle(Concern::ReloadRefused, "");
            }
            Err(refusal) => {
                warn!(
                    event = "reload.refused",
                    "the config is not taken, nothing changes: {refusal}"
                );
                watch::raise(Concern::ReloadRefused, "", refusal.to_string());
            }
        }
        if let Self::Request(asker) = self {
            // It may be gone.
            let _ = asker.send(answer);
        }
    }
}

pub(super) type Loaded = Result<Config, ReloadRefusal>;

/// A config that is being read.
#[derive(Debug)]
pub(super) struct Loading {
    reading: JoinHandle<Loaded>,
    asker: Asker,
    /// Those who asked meanwhile: what they changed may have been read, or not.
    next: VecDeque<Asker>,
}

impl Loading {
    pub(super) async fn finished(&mut self) -> Loaded {
        (&mut self.reading).await.unwrap_or_else(|error| Err(error.into()))
    }
}

/// Everything of a new config that could fail, made.
struct PreparedReload {
    config: Config,
    difference: Difference,
    /// Of the new config's routes, those that are not kept.
    routes: Vec<Option<Box<dyn PreparedRoute>>>,
}

/// What there is of a route when the config has had its way with it.
struct AppliedRoute {
    at_work: Option<Arc<dyn RunningRoute>>,
    /// Another one took its place.
    leaves: Option<Arc<dyn RunningRoute>>,
}

impl Supervisor<'_> {
    /// Begins to read the config again, or waits until it was read that was asked for before.
    pub(super) fn load(&mut self, asker: Asker) {
        let Some(file) = self.file.clone() else { return asker.answer(Err(ReloadRefusal::NoFile)) };
        if let Some(loading) = &mut self.loading {
            if loading.next.len() >= MAX_REQUESTS {
                return asker.answer(Err(ReloadRefusal::Busy));
            }
            return loading.next.push_back(asker);
        }
        let registry = self.registry.clone();
        let reading = tokio::spawn(async move {
            let reading = tokio::task::spawn_blocking(move || Config::load(&file, &registry));
            let config = tokio::time::timeout(READ_WITHIN, reading).await;
            Ok(config.map_err(|_| ReloadRefusal::Slow)???)
        });
        self.loading = Some(Loading { reading, asker, next: VecDeque::new() });
    }

    /// The config was read.
    pub(super) fn reload(&mut self, config: Loaded) {
        let Some(Loading { asker, mut next, .. }) = self.loading.take() else { return };
        let prepared = config.and_then(|config| self.prepare_all(config));
        asker.answer(prepared.map(|prepared| self.apply(prepared)));
        if let Some(asker) = next.pop_front() {
            self.load(asker);
            if let Some(loading) = &mut self.loading {
                loading.next = next;
            }
        }
    }

    /// Makes everything that can fail.
    fn prepare_all(&mut self, config: Config) -> Result<PreparedReload, ReloadRefusal> {
        let mut difference = Difference::between(&self.config, &config);
        let mut routes = Vec::new();
        for (route, step) in config.routes.iter().zip(&mut difference.routes) {
            let here = self.route(&route.name);
            if self.broken.contains(&route.name) {
                let line = format!("route {}: starts anew, after the fault before", route.name);
                difference.lines.push(line);
                *step = Step::Restart;
            } else if *step == Step::Change && here.is_none_or(|here| !here.can_change_to(route)) {
                *step = Step::Restart;
            }
            let wanted = *step != Step::Keep;
            routes.push(wanted.then(|| self.prepare(route, config.source())).transpose()?);
        }
        let mut opened: Vec<(&RouteConfig, ListenAddr)> = Vec::new();
        for (route, &address) in all_addresses(&config) {
            if self.listeners.has(route, address) {
                continue;
            }
            if let Err(error) = self.listeners.open(route, address) {
                opened.iter().for_each(|(route, address)| self.listeners.close(route, *address));
                return Err(CommandError::Bind { address: address.get(), error }.into());
            }
            opened.push((route, address));
        }
        // The last that can fail: where it does, it leaves itself as it was.
        if let Err(error) = serving_api::bind(&mut self.listeners, config.api.listen) {
            opened.iter().for_each(|(route, address)| self.listeners.close(route, *address));
            return Err(error.into());
        }
        Ok(PreparedReload { config, difference, routes })
    }

    /// Changes what is different. Nothing of it can fail; a route in which something panics all the same
    /// stays as far as it was there before, and the next reload starts it anew.
    fn apply(&mut self, prepared: PreparedReload) -> ReloadChanges {
        let PreparedReload { mut config, difference, routes } = prepared;
        let mut before = mem::take(&mut self.routes);
        let (mut leaving, mut faults, mut unserved) = (Vec::new(), Vec::new(), Vec::new());
        let mut changed = difference.lines;
        // Whoever comes finds somebody all the time: a socket that goes to another route is listened
        // on by that before the former one leaves it.
        let steps = difference.routes.into_iter().zip(routes);
        for (route, (step, prepared)) in mem::take(&mut config.routes).into_iter().zip(steps) {
            let at = before.iter().position(|here| here.name() == route.name.as_str());
            let here = at.map(|at| before.remove(at));
            let former = here.clone();
            if prepared.is_none()
                && let Some(here) = &here
                && let Some(pool) = here.preferred()
            {
                Arc::clone(here).prefer(None);
                changed.push(format!("route {}: pool {pool} is preferred no more", route.name));
            }
            let apply = || self.apply_to(&route, step, here, prepared);
            let at_work = match catch_unwind(AssertUnwindSafe(apply)) {
                Ok(AppliedRoute { at_work, leaves }) => {
                    self.broken.remove(&route.name);
                    leaving.extend(leaves);
                    at_work
                }
                Err(_) => {
                    faults.push(fault(&route, former.is_some()));
                    if former.is_some() {
                        self.broken.insert(route.name.clone());
                    }
                    former
                }
            };
            match at_work {
                Some(at_work) => {
                    self.routes.push(at_work);
                    config.routes.push(route);
                }
                None => unserved.push(route),
            }
        }
        leaving.append(&mut before);
        self.leave_sockets(&config, &leaving, &unserved);
        for route in leaving {
            self.broken.retain(|name| name.as_str() != route.name());
            self.drain(route);
        }
        if self.config.log.level != config.log.level && !telemetry::set_level(config.log.level) {
            changed.push("log.level stays: the command line or $OREPASS_LOG beats it".into());
        }
        self.process.admission.set_wishes(config.limits);
        self.change_api(&config.api);
        if let Some(sinks) = &mut self.sinks {
            sinks.change(&config.sinks);
        }
        // What is put off stays different, and is said with the next reload too.
        config.workers = self.config.workers;
        config.state.clone_from(&self.config.state);
        config.history.clone_from(&self.config.history);
        config.control.clone_from(&self.config.control);
        config.log.format = self.config.log.format;
        self.config = config;
        self.process.reloads.fetch_add(1, Ordering::Relaxed);
        ReloadChanges { changed, at_restart: difference.at_restart, faults }
    }

    /// Has a route be as the config wants it.
    fn apply_to(
        &self,
        route: &RouteConfig,
        step: Step,
        here: Option<Arc<dyn RunningRoute>>,
        prepared: Option<Box<dyn PreparedRoute>>,
    ) -> AppliedRoute {
        match (step, here, prepared) {
            (Step::Change, Some(here), Some(prepared)) => {
                prepared.change(Arc::clone(&here));
                let former = self.config.routes.iter().find(|old| old.name == route.name);
                let is_new = |address: &&ListenAddr| {
                    former.is_none_or(|former| !former.listen.contains(address))
                };
                let new: Vec<_> = route.listen.iter().filter(is_new).copied().collect();
                self.listen(&here, route, &new);
                AppliedRoute { at_work: Some(here), leaves: None }
            }
            (_, here, Some(prepared)) => {
                if let Some(here) = &here {
                    here.hand_on();
                }
                AppliedRoute { at_work: Some(self.start_route(route, prepared)), leaves: here }
            }
            // Every route is at work, or was prepared.
            (_, here, None) => AppliedRoute { at_work: here, leaves: None },
        }
    }

    /// Leaves the sockets that the new config does not have, or has for others, or for routes that are
    /// not at work.
    fn leave_sockets(
        &mut self,
        config: &Config,
        leaving: &[Arc<dyn RunningRoute>],
        unserved: &[RouteConfig],
    ) {
        for route in &self.config.routes {
            for address in &route.listen {
                let stays = config.routes.iter().find(|other| other.name == route.name);
                let has_it = stays.is_some_and(|stays| stays.listen.contains(address));
                let here = self.route(&route.name).filter(|_| !has_it);
                if let Some(here) = here {
                    here.unlisten(address);
                }
                let left = leaving.iter().filter(|left| left.name() == route.name.as_str());
                left.for_each(|left| left.unlisten(address));
            }
        }
        let wanted: Vec<(&RouteConfig, &ListenAddr)> = all_addresses(config).collect();
        let unserved = unserved.iter().flat_map(addresses);
        for (route, address) in all_addresses(&self.config).chain(unserved) {
            let any_port = address.get().port() == 0;
            let is_wanted = wanted.iter().any(|(other, wanted)| {
                wanted.get() == address.get() && (!any_port || other.name == route.name)
            });
            if !is_wanted {
                self.listeners.close(route, *address);
            }
        }
    }
}

fn all_addresses(config: &Config) -> impl Iterator<Item = (&RouteConfig, &ListenAddr)> {
    config.routes.iter().flat_map(addresses)
}

fn addresses(route: &RouteConfig) -> impl Iterator<Item = (&RouteConfig, &ListenAddr)> {
    route.listen.iter().map(move |at| (route, at))
}

/// What there is to say of a route in which something has panicked, which the log tells in full.
fn fault(route: &RouteConfig, is_there: bool) -> String {
    let what = if is_there {
        "may have only a part of its changes; the next reload starts it anew"
    } else {
        "is not at work; the next reload tries again"
    };
    format!("route {}: a fault in orepass, see `panic` in the log: it {what}", route.name)
}
