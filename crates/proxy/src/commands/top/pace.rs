//! When the API is asked next. Times come as arguments, counted from the start.

use std::time::Duration;

/// How often it is asked while all is well.
const USUAL: Duration = Duration::from_secs(1);
/// How seldom at the most, while nobody answers.
const LONGEST: Duration = Duration::from_secs(15);

/// When the API is asked next.
#[derive(Debug, Default)]
pub(super) struct AskPace {
    failures: u32,
    /// Since when nobody answers, and why; none while all is well.
    lost: Option<(Duration, String)>,
    due: Duration,
}

impl AskPace {
    /// All that was asked has been answered.
    pub(super) fn succeeded(&mut self, now: Duration) {
        self.failures = 0;
        self.lost = None;
        self.due = now + USUAL;
    }

    /// There is nothing to ask at the moment.
    pub(super) fn rest(&mut self, now: Duration) {
        self.due = now + USUAL;
    }

    /// Nobody has answered.
    pub(super) fn failed(&mut self, why: String, now: Duration) {
        let since = self.lost.take().map_or(now, |(since, _)| since);
        self.lost = Some((since, why));
        self.due = now + LONGEST.min(USUAL * 2_u32.saturating_pow(self.failures.min(8)));
        self.failures += 1;
    }

    /// Somebody does not want to wait.
    pub(super) fn hurry(&mut self, now: Duration) {
        if self.lost.is_none() {
            self.due = now;
        }
    }

    /// Somebody asks for it.
    pub(super) fn ask_now(&mut self, now: Duration) {
        self.due = now;
    }

    /// Whether it is time.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        now >= self.due
    }

    /// How long it is until then.
    pub(super) fn wait(&self, now: Duration) -> Duration {
        self.due.saturating_sub(now)
    }

    /// For how long nobody has answered, and why.
    pub(super) fn lost(&self, now: Duration) -> Option<(Duration, &str)> {
        self.lost.as_ref().map(|(since, why)| (now.saturating_sub(*since), why.as_str()))
    }
}
