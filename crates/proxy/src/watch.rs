//! A value that is watched: the newest alone counts, and those who wait for another are woken in the
//! order in which they began to wait.
//!
//! The runtime's own tosses coins for that order, so that no run could be told again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

struct Shared<T> {
    value: Mutex<T>,
    /// How often it was changed. Moves while the value is locked.
    version: AtomicU64,
    moved: Notify,
}

/// Who changes the value.
pub(crate) struct Sender<T>(Arc<Shared<T>>);

/// Who watches it.
pub(crate) struct Receiver<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

impl<T: Copy> Sender<T> {
    /// A value that nobody watches yet.
    pub(crate) fn new(value: T) -> Self {
        let (value, version) = (Mutex::new(value), AtomicU64::new(0));
        Self(Arc::new(Shared { value, version, moved: Notify::new() }))
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

    /// Changes the value, perhaps: `change` says whether it did.
    pub(crate) fn send_if_modified(&self, change: impl FnOnce(&mut T) -> bool) {
        let mut value = self.0.lock();
        if change(&mut value) {
            self.0.version.fetch_add(1, Ordering::Release);
            drop(value);
            self.0.moved.notify_waiters();
        }
    }
}

impl<T: Copy> Receiver<T> {
    /// The present value, which is not new any more.
    pub(crate) fn get_and_update(&mut self) -> T {
        let value = self.shared.lock();
        self.seen = self.shared.version.load(Ordering::Acquire);
        *value
    }

    /// Waits for a value that was not looked at, which this does.
    pub(crate) async fn changed(&mut self) {
        let Self { shared, seen } = self;
        loop {
            // From here on no change is missed.
            let moved = shared.moved.notified();
            let version = shared.version.load(Ordering::Acquire);
            if std::mem::replace(seen, version) != version {
                return;
            }
            moved.await;
        }
    }
}

impl<T> Shared<T> {
    // A value is copied or changed at once; a panic leaves it whole.
    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newest_value_is_new_once() {
        let sender = Sender::new(0);
        let mut receiver = sender.subscribe();
        sender.send_modify(|value| *value += 1);
        sender.send_modify(|value| *value += 1);
        sender.send_if_modified(|_| false);
        receiver.changed().await;
        tokio::select! {
            biased;
            () = receiver.changed() => panic!("it was looked at"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(receiver.get_and_update(), 2);
    }

    #[tokio::test]
    async fn who_waits_first_is_woken_first() {
        let sender = Sender::new(0);
        let woken = Arc::new(Mutex::new(Vec::new()));
        let tasks: Vec<_> = (0..20)
            .map(|number| {
                let (mut receiver, woken) = (sender.subscribe(), Arc::clone(&woken));
                tokio::spawn(async move {
                    receiver.changed().await;
                    woken.lock().unwrap().push(number);
                })
            })
            .collect();
        tokio::task::yield_now().await;
        sender.send_modify(|value| *value = 1);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*woken.lock().unwrap(), (0..20).collect::<Vec<_>>());
    }
}
