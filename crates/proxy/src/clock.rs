//! The clocks that the program reads: the runtime's, which tests may stop and wind on, and the
//! calendar's, for what outlives a run.

use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use orepass_stratum::time::Instant;
use tokio::time::{Instant as RuntimeInstant, Sleep};

/// When the runtime's clock was first read…
static FIRST_READING: OnceLock<RuntimeInstant> = OnceLock::new();
/// …which is so long after the origin of sessions' time: what was earlier can be said too, and a
/// stopped clock may begin a little before another one's first reading.
const BEFORE: Duration = Duration::from_secs(365 * 24 * 3600);
/// Past it no timer is set: it would ring in some thirty years.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// The present instant.
#[must_use]
pub fn now() -> Instant {
    let now = RuntimeInstant::now();
    let first = *FIRST_READING.get_or_init(|| now);
    let since = now.saturating_duration_since(first);
    let until = first.saturating_duration_since(now);
    Instant::after_origin(BEFORE + since - until)
}

/// An instant on the clock of the runtime.
#[must_use]
pub fn on_runtime(at: Instant) -> RuntimeInstant {
    let first = *FIRST_READING.get_or_init(RuntimeInstant::now);
    match at.since_origin().checked_sub(BEFORE) {
        Some(since) => first + since.min(FAR),
        None => first.checked_sub(BEFORE - at.since_origin()).unwrap_or(first),
    }
}

/// The present time in Unix seconds; 0 with a clock that was never set.
#[must_use]
pub fn unix_seconds() -> u64 {
    unix_millis() / 1000
}

/// The same in milliseconds.
#[expect(clippy::disallowed_methods, reason = "this is where the calendar is read")]
#[must_use]
pub fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A time of the calendar as RFC 3339 has it: `2026-11-21T03:12:07.123Z`. Later ones are said as the
/// last moment of the year 9999.
#[must_use]
pub fn rfc3339(unix_millis: u64) -> String {
    const LAST: u64 = 253_402_300_799_999;
    let unix_millis = unix_millis.min(LAST);
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let (mut year, mut month) = (1970, 1);
    let mut day = unix_millis / 86_400_000;
    loop {
        let days = if is_leap(year) { 366 } else { 365 };
        if day < days {
            break;
        }
        day -= days;
        year += 1;
    }
    loop {
        let days = match month {
            2 if is_leap(year) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if day < days {
            break;
        }
        day -= days;
        month += 1;
    }
    let (seconds, millis) = (unix_millis / 1000, unix_millis % 1000);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z", day + 1)
}

/// Sleeps until an instant, or for ever without one.
pub(crate) async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(on_runtime(at)).await,
        None => std::future::pending().await,
    }
}

/// A task's timer, which costs nothing as long as what it is set to only moves away: it is moved
/// when it must ring earlier, and where it rings too early it is wound on.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready when an instant has come; the task is woken for it. Never ready without one.
    pub(crate) fn poll(&mut self, at: Option<Instant>, context: &mut Context<'_>) -> Poll<()> {
        let Some(at) = at else { return Poll::Pending };
        if at <= now() {
            return Poll::Ready(());
        }
        let sleep =
            self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(on_runtime(at))));
        if sleep.deadline() > on_runtime(at) {
            sleep.as_mut().reset(on_runtime(at));
        }
        while sleep.as_mut().poll(context).is_ready() {
            if at <= now() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(on_runtime(at));
        }
        Poll::Pending
    }

    /// Forgets the runtime that it was set in.
    pub(crate) fn stop(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[test]
    fn the_calendar_has_leap_years() {
        let known = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_001, "2000-03-01T00:00:00.001Z"),
            (1_795_230_727_123, "2026-11-21T03:12:07.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (u64::MAX, "9999-12-31T23:59:59.999Z"),
        ];
        for (unix_millis, said) in known {
            assert_eq!(rfc3339(unix_millis), said);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_rings_at_what_it_was_last_set_to_whichever_way_it_was_moved() {
        let (start, mut alarm) = (now(), Alarm::default());
        let at = |seconds| Some(start + Duration::from_secs(seconds));
        for moves in [[9, 3], [3, 9], [5, 5]] {
            let start = now();
            let [first, last] = moves.map(|seconds| Some(start + Duration::from_secs(seconds)));
            poll_fn(|context| {
                assert!(alarm.poll(first, context).is_pending());
                assert!(alarm.poll(None, context).is_pending());
                Poll::Ready(())
            })
            .await;
            poll_fn(|context| alarm.poll(last, context)).await;
            assert_eq!(Some(now()), last);
        }
        poll_fn(|context| alarm.poll(at(0), context)).await;
    }
}
