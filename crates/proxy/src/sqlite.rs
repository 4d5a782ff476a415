//! A SQLite file that this process has to itself: opened with care, set aside when it is broken, and
//! written behind by a thread of its own. What stands in it is for others to know.

pub(crate) mod file;
mod open;
mod writer;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) use self::open::{FileFormat, OpenError, column, cut, number, open};
pub(crate) use self::writer::{Batch, BatchFile, BatchWriter};

/// What is locked is whole whenever it is free, also after a panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
