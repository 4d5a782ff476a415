//! Which rig sits on which channel.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use orepass_stratum::channel::Seat;
use orepass_stratum::dialect::Dialect;
use orepass_stratum::space::NoLease;
use tokio::sync::watch;

use super::Route;
use super::channel::Channel;

/// The most connections that are being opened at once.
const MAX_OPENING: usize = 8;
/// The least time between two rigs that are closed because their extranonce changed: 500 a second.
const CLOSE_EVERY: Duration = Duration::from_millis(2);
/// Spread over this much more, so that they do not come back in step.
const CLOSE_JITTER: Duration = Duration::from_millis(250);

/// What a rig that wants a seat is told.
pub enum Answer<D: Dialect> {
    /// Here is one.
    Seat(Seat, Arc<Channel<D>>),
    /// There may be one soon: ask again when the route changes.
    Wait,
    /// There is none, and there will be none.
    Full(String),
}

/// A rig that waits for a seat; counted, so that as many connections are opened as are needed.
pub struct Waiting<D: Dialect> {
    route: Arc<Route<D>>,
    changed: watch::Receiver<u64>,
}

impl<D: Dialect> Waiting<D> {
    /// Resolves when asking again may help.
    pub async fn changed(&mut self) {
        // The sender lives as long as the route, which this holds.
        let _ = self.changed.changed().await;
    }
}

impl<D: Dialect> Drop for Waiting<D> {
    fn drop(&mut self) {
        self.route.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<D: Dialect> Route<D> {
    /// Joins the rigs that wait for a seat.
    pub fn wait(self: &Arc<Self>) -> Waiting<D> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting { route: Arc::clone(self), changed: self.changed.subscribe() }
    }

    /// A seat on the first channel that has one: rigs are spread over as few channels as hold
    /// them. `patient` rigs wait for leases that come free with the next work before another
    /// connection is opened for them.
    pub fn seat(self: &Arc<Self>, patient: bool) -> Answer<D> {
        let mut channels = self.channels();
        channels.retain(|channel| !channel.is_gone());
        let mut opening = 0;
        let mut resting = false;
        for channel in channels.iter() {
            let view = channel.view();
            if !view.live {
                opening += 1;
                continue;
            }
            match view.seat() {
                Ok(seat) => return Answer::Seat(seat, Arc::clone(channel)),
                Err(NoLease::Resting) => resting = true,
                Err(NoLease::Full) => {}
            }
        }
        if resting && patient {
            return Answer::Wait;
        }
        let capacity = self.channel_capacity();
        let waiting = self.waiting.load(Ordering::Relaxed).max(1);
        let wanted = waiting.div_ceil(capacity).min(MAX_OPENING);
        let (open, most) = (channels.len(), self.config.max_channels);
        drop(channels);
        if opening < wanted && open < most {
            self.open_channel();
            return Answer::Wait;
        }
        if opening > 0 || resting {
            return Answer::Wait;
        }
        Answer::Full(format!(
            "no room: {open} of {most} pool connections are full with {capacity} rigs each; raise \
             `max_channels` or `max_rigs_per_channel`"
        ))
    }

    /// Opens another connection where the route may have one more, since one is overloaded.
    pub(crate) fn relieve(self: &Arc<Self>) {
        let channels = self.channels();
        let opening = channels.iter().any(|channel| !channel.is_live());
        let room = channels.len() < self.config.max_channels;
        drop(channels);
        if room && !opening {
            self.open_channel();
        }
    }

    /// Tells waiting rigs to ask again.
    pub(crate) fn bump(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    pub(super) fn open_channel(self: &Arc<Self>) {
        let number = self.next_channel.fetch_add(1, Ordering::Relaxed);
        let channel = Channel::open(self, number);
        self.channels().push(channel);
    }

    pub(super) fn channels(&self) -> MutexGuard<'_, Vec<Arc<Channel<D>>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many rigs a channel is known, or expected, to hold.
    fn channel_capacity(&self) -> usize {
        let prefixes = match self.config.prefix_bytes {
            Some(bytes @ 0..4) => 1_usize << (8 * bytes),
            _ => usize::MAX,
        };
        prefixes.min(self.config.max_rigs_per_channel).max(1)
    }
}

/// Spreads the closing of many rigs over time.
#[derive(Debug, Default)]
pub(crate) struct Pacer(Mutex<Option<Instant>>);

impl Pacer {
    /// How long the next rig to be closed has to wait; `jitter` is from 0 to 1.
    pub(crate) fn delay(&self, now: Instant, jitter: f64) -> Duration {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = next.map_or(now, |next| next.max(now));
        *next = Some(slot + CLOSE_EVERY);
        slot.saturating_duration_since(now) + CLOSE_JITTER.mul_f64(jitter.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_500_rigs_a_second_are_closed() {
        let pacer = Pacer::default();
        let now = Instant::now();
        let delays: Vec<_> = (0..1000).map(|_| pacer.delay(now, 0.0)).collect();
        let first_second = delays.iter().filter(|delay| **delay < Duration::from_secs(1)).count();
        assert_eq!(first_second, 500);
        assert_eq!(pacer.delay(now + Duration::from_secs(9), 0.0), Duration::ZERO);
    }
}
