//! One page of a long list.

use super::problem::{ApiProblem, ProblemKind};

/// How many there are on a page unless asked otherwise.
const USUAL: usize = 100;
/// The most on a page.
const MAX: usize = 1000;
/// The most that are passed over.
const MAX_OFFSET: usize = 1_000_000_000;

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    pub(super) offset: usize,
    pub(super) limit: usize,
}

impl Page {
    /// As it is asked for.
    pub(super) fn asked(offset: Option<usize>, limit: Option<usize>) -> Result<Self, ApiProblem> {
        let (offset, limit) = (offset.unwrap_or(0), limit.unwrap_or(USUAL));
        for (key, value, most) in [("limit", limit, MAX), ("offset", offset, MAX_OFFSET)] {
            if value > most {
                let detail = format!("`{key}` is {value}, and {most} at most");
                return Err(ProblemKind::BadQuery.problem(detail));
            }
        }
        Ok(Self { offset, limit })
    }

    /// That part of a list.
    pub(super) fn of<T>(self, list: Vec<T>) -> impl Iterator<Item = T> {
        list.into_iter().skip(self.offset).take(self.limit)
    }
}
