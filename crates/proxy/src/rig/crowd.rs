//! Rigs that come and go: each has its lines in the log, and many at once have one in all.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orepass_stratum::time::Instant;

/// So many lines within [`WINDOW`] are told one by one.
const MAX_LINES: u32 = 20;
/// For how long lines are counted.
const WINDOW: Duration = Duration::from_secs(10);

/// What there is to say of a rig that is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RigNews {
    /// It is up.
    Came,
    /// It is down.
    Left,
    /// Its first share was good.
    FirstShare,
    /// Something about its login.
    Remark,
}

/// Decides for a route whether news of its rigs are told one by one.
///
/// A window with more than [`MAX_LINES`] tells the first of them, and then one line for all that
/// happened in it. The next one tells that one line only, and so on until it has gone quiet.
#[derive(Debug, Default)]
pub(crate) struct Crowd(Mutex<CrowdWindow>);

#[derive(Debug, Default)]
struct CrowdWindow {
    begun: Option<Instant>,
    /// Only one line is told at its end.
    folds: bool,
    /// How many there would have been.
    lines: u32,
    count: CrowdCount,
}

/// What happened in a window.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CrowdCount {
    pub(crate) came: u64,
    pub(crate) left: u64,
    pub(crate) first_shares: u64,
    pub(crate) remarks: u64,
}

impl Crowd {
    /// Counts news of a rig; tells whether they have a line of their own. `may_say` is whether they
    /// would have one if they were alone.
    pub(super) fn tell(&self, news: RigNews, may_say: bool, now: Instant) -> bool {
        let mut window = self.lock();
        if window.is_over(now) && !window.folds {
            *window = CrowdWindow::default();
        }
        window.begun.get_or_insert(now);
        let count = &mut window.count;
        *match news {
            RigNews::Came => &mut count.came,
            RigNews::Left => &mut count.left,
            RigNews::FirstShare => &mut count.first_shares,
            RigNews::Remark => &mut count.remarks,
        } += 1;
        if may_say {
            window.lines = window.lines.saturating_add(1);
            window.folds |= window.lines > MAX_LINES;
        }
        may_say && !window.folds
    }

    /// What the one line has to say, when it is time for it.
    pub(crate) fn poll(&self, now: Instant) -> Option<CrowdCount> {
        let mut window = self.lock();
        if !window.folds || !window.is_over(now) {
            return None;
        }
        let folds = window.lines > MAX_LINES;
        let CrowdWindow { lines, count, .. } =
            std::mem::replace(&mut *window, CrowdWindow { folds, ..CrowdWindow::default() });
        (lines > 0).then_some(count)
    }

    /// The same at the end, when nothing more can come.
    pub(crate) fn finish(&self) -> Option<CrowdCount> {
        let window = std::mem::take(&mut *self.lock());
        (window.folds && window.lines > 0).then_some(window.count)
    }

    fn lock(&self) -> MutexGuard<'_, CrowdWindow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CrowdWindow {
    fn is_over(&self, now: Instant) -> bool {
        self.begun.is_none_or(|begun| now.saturating_duration_since(begun) >= WINDOW)
    }
}

impl fmt::Display for CrowdCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { came, left, first_shares, remarks } = *self;
        let parts = [
            (came, "rigs came"),
            (left, if came > 0 { "left" } else { "rigs left" }),
            (first_shares, "first shares were good"),
            (remarks, "remarks"),
        ];
        for (place, (count, what)) in parts.iter().filter(|(count, _)| *count > 0).enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            write!(f, "{comma}{count} {what}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A crowd and its clock, in seconds.
    struct Story(Crowd, Instant);

    impl Story {
        fn new() -> Self {
            Self(Crowd::default(), crate::clock::now())
        }

        /// How many of so many news have a line.
        fn told(&self, news: RigNews, count: u32, second: u64) -> usize {
            let at = self.at(second);
            (0..count).filter(|_| self.0.tell(news, true, at)).count()
        }

        fn line(&self, second: u64) -> Option<String> {
            self.0.poll(self.at(second)).map(|count| count.to_string())
        }

        fn at(&self, second: u64) -> Instant {
            self.1 + Duration::from_secs(second)
        }
    }

    #[test]
    fn a_few_rigs_have_their_own_lines_however_long_it_goes_on() {
        let story = Story::new();
        for second in (0..600).step_by(10) {
            assert_eq!(story.told(RigNews::Came, 10, second), 10);
            assert_eq!(story.told(RigNews::Left, 10, second + 9), 10);
            assert_eq!(story.line(second + 9), None);
        }
    }

    #[test]
    fn many_have_one_line_until_it_is_quiet_again() {
        let story = Story::new();
        assert_eq!(story.told(RigNews::Came, 120, 0), 20);
        assert_eq!(story.told(RigNews::Left, 3, 8), 0);
        assert_eq!(story.line(9), None);
        assert_eq!(story.line(10).as_deref(), Some("120 rigs came, 3 left"));
        // It goes on, and nobody has a line.
        assert_eq!(story.told(RigNews::FirstShare, 118, 11), 0);
        assert_eq!(story.told(RigNews::Remark, 2, 11), 0);
        let line = story.line(25);
        let said = "118 first shares were good, 2 remarks";
        assert_eq!(line.as_deref(), Some(said));
        // A few: they are still in one line.
        assert_eq!(story.told(RigNews::Left, 2, 26), 0);
        assert_eq!(story.line(36).as_deref(), Some("2 rigs left"));
        // And from then on not.
        assert_eq!(story.told(RigNews::Left, 2, 40), 2);
        assert_eq!(story.line(60), None);
    }

    #[test]
    fn who_may_not_be_told_of_is_counted() {
        let story = Story::new();
        let at = story.at(0);
        assert!((0..100).all(|_| !story.0.tell(RigNews::Came, false, at)));
        assert_eq!(story.told(RigNews::Left, 21, 0), 20);
        assert_eq!(story.line(10).as_deref(), Some("100 rigs came, 21 left"));
    }

    #[test]
    fn the_end_tells_what_is_left() {
        let story = Story::new();
        assert_eq!(story.0.finish(), None);
        assert_eq!(story.told(RigNews::Left, 30, 0), 20);
        assert_eq!(story.0.finish().unwrap().left, 30);
        assert_eq!(story.0.finish(), None);
    }
}
