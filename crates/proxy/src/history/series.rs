//! Whose history it is.

use std::sync::Arc;

use crate::sqlite::cut;

/// What a series is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SeriesKind {
    /// A worker of a route.
    Worker,
    /// A whole route.
    Route,
    /// A pool of a route.
    Pool,
}

/// A series' name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey {
    kind: SeriesKind,
    route: Arc<str>,
    /// None for a route's own.
    name: Arc<str>,
}

impl SeriesKey {
    /// That of a route.
    #[must_use]
    pub fn route(route: &str) -> Self {
        Self::new(SeriesKind::Route, route, "")
    }

    /// That of a worker.
    #[must_use]
    pub fn worker(route: &str, worker: &str) -> Self {
        Self::new(SeriesKind::Worker, route, worker)
    }

    /// That of a pool.
    #[must_use]
    pub fn pool(route: &str, pool: &str) -> Self {
        Self::new(SeriesKind::Pool, route, pool)
    }

    /// The route and the worker, where it is a worker's.
    #[must_use]
    pub fn as_worker(&self) -> Option<(&Arc<str>, &Arc<str>)> {
        (self.kind == SeriesKind::Worker).then_some((&self.route, &self.name))
    }

    /// A name that is too long for the file is cut here, so that it is the same everywhere.
    fn new(kind: SeriesKind, route: &str, name: &str) -> Self {
        Self { kind, route: cut(route).into(), name: cut(name).into() }
    }

    /// How it stands in the file: the kind, the route and the name.
    pub(super) fn columns(&self) -> (i64, &str, &str) {
        let kind = match self.kind {
            SeriesKind::Worker => 0,
            SeriesKind::Route => 1,
            SeriesKind::Pool => 2,
        };
        (kind, &self.route, &self.name)
    }

    /// None for a kind that another version knew.
    pub(super) fn of_columns(kind: i64, route: &str, name: &str) -> Option<Self> {
        let kind = match kind {
            0 => SeriesKind::Worker,
            1 => SeriesKind::Route,
            2 => SeriesKind::Pool,
            _ => return None,
        };
        Some(Self::new(kind, route, name))
    }
}
