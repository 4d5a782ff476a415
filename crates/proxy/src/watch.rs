//! A value that is watched: the newest alone counts, and those who wait for another are woken in the
//! order in which they began to wait.
//!
//! The runtime's own tosses coins for that order, so that no run could be told again.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::Notify;

struct Shared<T> {
    value: RwLock<T>,
    /// How often it was changed. Moves while the value is locked alone.
    version: AtomicU64,
    closed: AtomicBool,
    moved: Notify,
}

/// Who changes the value. With it goes the last change.
pub(crate) struct Sender<T>(Arc<Shared<T>>);

/// Who watches it.
pub(crate) struct Receiver<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

/// The value will not change any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what is watched does not change any more")]
pub(crate) struct Closed;

/// A value with one who watches it.
pub(crate) fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(value);
    let receiver = sender.subscribe();
    (sender, receiver)
}

impl<T> Sender<T> {
    /// A value that nobody watches yet.
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(Shared {
            value: RwLock::new(value),
            version: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            moved: Notify::new(),
        }))
    }

    /// One more who watches; to it the present value is not new.
    #[must_use]
    pub(crate) fn subscribe(&self) -> Receiver<T> {
        let seen = self.0.version.load(Ordering::Acquire);
        Receiver { shared: Arc::clone(&self.0), seen }
    }

    /// Changes the value.
    pub(crate) fn send_modify(&self, change: impl FnOnce(&mut T)) {
        self.send_if_modified(|value| {
            change(value);
            true
        });
    }

    /// Changes the value, perhaps: `change` says whether it did, and so does this.
    pub(crate) fn send_if_modified(&self, change: impl FnOnce(&mut T) -> bool) -> bool {
        let mut value = self.0.write();
        let changed = change(&mut value);
        if changed {
            self.0.version.fetch_add(1, Ordering::Release);
        }
        drop(value);
        if changed {
            self.0.moved.notify_waiters();
        }
        changed
    }

    /// Puts another value in its place, and gives the former.
    pub(crate) fn send_replace(&self, next: T) -> T {
        let mut former = next;
        self.send_modify(|value| std::mem::swap(value, &mut former));
        former
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Release);
        self.0.moved.notify_waiters();
    }
}

impl<T> Receiver<T> {
    /// The present value, locked; it must not be held for long.
    pub(crate) fn borrow(&self) -> RwLockReadGuard<'_, T> {
        self.shared.read()
    }

    /// The present value, which is not new any more.
    pub(crate) fn borrow_and_update(&mut self) -> RwLockReadGuard<'_, T> {
        let value = self.shared.read();
        self.seen = self.shared.version.load(Ordering::Acquire);
        value
    }

    /// Lets the present value be new no more.
    pub(crate) fn mark_unchanged(&mut self) {
        self.seen = self.shared.version.load(Ordering::Acquire);
    }

    /// Whether there is a value that was not looked at.
    ///
    /// # Errors
    /// [`Closed`] when it does not change any more.
    pub(crate) fn has_changed(&self) -> Result<bool, Closed> {
        if self.shared.closed.load(Ordering::Acquire) {
            return Err(Closed);
        }
        Ok(self.shared.version.load(Ordering::Acquire) != self.seen)
    }

    /// Waits for a value that was not looked at, which this does.
    ///
    /// # Errors
    /// [`Closed`] when there is none and will be none.
    pub(crate) async fn changed(&mut self) -> Result<(), Closed> {
        let Self { shared, seen } = self;
        loop {
            // From here on no change is missed.
            let moved = shared.moved.notified();
            let closed = shared.closed.load(Ordering::Acquire);
            let version = shared.version.load(Ordering::Acquire);
            if std::mem::replace(seen, version) != version {
                return Ok(());
            }
            if closed {
                return Err(Closed);
            }
            moved.await;
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), seen: self.seen }
    }
}

impl<T> Shared<T> {
    // A value is swapped or counted up; a panic leaves it whole.
    fn read(&self) -> RwLockReadGuard<'_, T> {
        self.value.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.value.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&*self.0.read()).finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&*self.borrow()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn the_newest_value_is_new_once() {
        let (sender, mut receiver) = channel(0);
        assert_eq!(receiver.has_changed(), Ok(false));
        sender.send_modify(|value| *value += 1);
        assert_eq!(sender.send_replace(7), 1);
        assert!(!sender.send_if_modified(|_| false));
        assert_eq!(receiver.changed().await, Ok(()));
        assert_eq!((*receiver.borrow(), receiver.has_changed()), (7, Ok(false)));
        sender.send_replace(8);
        drop(sender);
        assert_eq!(receiver.has_changed(), Err(Closed));
        assert_eq!(receiver.changed().await, Ok(()));
        assert_eq!(receiver.changed().await, Err(Closed));
    }

    #[tokio::test]
    async fn who_waits_first_is_woken_first() {
        let sender = Sender::new(0);
        let order = Arc::new(Mutex::new(Vec::new()));
        let waits = (0..20).map(|number| {
            let (mut receiver, order) = (sender.subscribe(), Arc::clone(&order));
            tokio::spawn(async move {
                let _ = receiver.changed().await;
                order.lock().unwrap().push(number);
            })
        });
        let waits: Vec<_> = waits.collect();
        tokio::task::yield_now().await;
        sender.send_replace(1);
        for wait in waits {
            wait.await.unwrap();
        }
        assert!(order.lock().unwrap().is_sorted());
    }
}
