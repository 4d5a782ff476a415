//! How a task is called: one waker, and marks that say what for.

use std::ops::{BitOr, BitOrAssign};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// What a task may be called for; several at once are told together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Calls(u8);

impl Calls {
    /// Nothing.
    pub(crate) const NONE: Self = Self(0);

    /// One of eight kinds.
    pub(crate) const fn of_kind(kind: u8) -> Self {
        Self(1 << kind)
    }

    /// Whether one of these is among them.
    pub(crate) const fn has(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// All but these.
    pub(crate) const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

impl BitOr for Calls {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Calls {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

/// The bell of one task. Whoever has something for it leaves that where the task finds it, and
/// rings; the task is woken once for all that it has not looked at yet.
#[derive(Debug, Default)]
pub(crate) struct Bell(Mutex<Rung>);

#[derive(Debug, Default)]
struct Rung {
    calls: Calls,
    waker: Option<Waker>,
}

impl Bell {
    /// Calls the task.
    pub(crate) fn ring(&self, calls: Calls) {
        let mut rung = self.rung();
        let known = rung.calls;
        rung.calls |= calls;
        if rung.calls != known
            && let Some(waker) = &rung.waker
        {
            waker.wake_by_ref();
        }
    }

    /// What the task was called for since it last asked. It is woken by the next call.
    pub(crate) fn answer(&self, waker: &Waker) -> Calls {
        let mut rung = self.rung();
        if !rung.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            rung.waker = Some(waker.clone());
        }
        std::mem::take(&mut rung.calls)
    }

    fn rung(&self) -> MutexGuard<'_, Rung> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;

    const A: Calls = Calls::of_kind(0);
    const B: Calls = Calls::of_kind(1);

    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_task_is_woken_once_for_what_it_has_not_looked_at_and_loses_nothing() {
        let (bell, woken) = (Bell::default(), Arc::new(Woken::default()));
        let waker = Waker::from(Arc::clone(&woken));
        bell.ring(A);
        assert_eq!(bell.answer(&waker), A, "called before it ever listened");
        bell.ring(B);
        bell.ring(B);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        bell.ring(A);
        let calls = bell.answer(&waker);
        assert!(calls.has(A) && calls.has(B));
        assert_eq!(bell.answer(&waker), Calls::NONE);
        bell.ring(A | B);
        assert_eq!(bell.answer(&waker).without(A), B);
    }
}
