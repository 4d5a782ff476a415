//! Bytes on their way to a socket.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// What a session wants to write, in order: its own text, and frames shared with other sessions.
///
/// It is a [`Buf`], so any writer can drain it, also with one vectored write. A shared frame is
/// never copied; own text is written into one buffer that is used again, so that a session in
/// steady state allocates nothing.
#[derive(Debug, Default)]
pub struct Transmit {
    own: BytesMut,
    /// Each with how much of the own text goes before it, behind the frame before.
    frames: VecDeque<(usize, Bytes)>,
    remaining: usize,
    is_thrifty: bool,
}

/// The most own text whose memory is kept, in bytes.
const MAX_SPARE_TEXT: usize = 128;
/// The most frames whose places are kept.
const MAX_SPARE_FRAMES: usize = 4;

impl Transmit {
    /// Nothing to write.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, for one of very many sessions: the memory that a burst took is given back when all
    /// is written, so that an idle session holds that of an answer.
    #[must_use]
    pub fn thrifty() -> Self {
        Self { is_thrifty: true, ..Self::default() }
    }

    /// Appends text that `write` puts into the buffer it is given. It may only append.
    pub fn write(&mut self, write: impl FnOnce(&mut BytesMut)) {
        let before = self.own.len();
        write(&mut self.own);
        self.remaining += self.own.len().saturating_sub(before);
    }

    /// Appends a frame without copying it.
    pub fn share(&mut self, frame: Bytes) {
        if frame.is_empty() {
            return;
        }
        self.remaining += frame.len();
        let placed: usize = self.frames.iter().map(|(before, _)| before).sum();
        let before = self.own.len() - placed;
        if self.frames.capacity() == 0 {
            // Most sessions never have more than one work unwritten.
            self.frames.reserve_exact(1);
        }
        self.frames.push_back((before, frame));
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remaining == 0
    }

    /// Forgets everything; for a connection that is gone.
    pub fn clear(&mut self) {
        self.own.clear();
        self.frames.clear();
        self.remaining = 0;
    }

    /// All is written: keeps the memory of an answer, and no more.
    fn shrink(&mut self) {
        if self.own.try_reclaim(MAX_SPARE_TEXT + 1) {
            self.own = BytesMut::new();
        }
        if self.frames.capacity() > MAX_SPARE_FRAMES {
            self.frames = VecDeque::new();
        }
    }
}

impl Buf for Transmit {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        match self.frames.front() {
            Some((0, frame)) => frame,
            Some((before, _)) => &self.own[..*before],
            None => &self.own,
        }
    }

    fn chunks_vectored<'a>(&'a self, dst: &mut [IoSlice<'a>]) -> usize {
        let mut own = &self.own[..];
        let placed = self.frames.iter().flat_map(|(before, frame)| {
            let text;
            (text, own) = own.split_at(*before);
            [text, &frame[..]]
        });
        let mut filled = 0;
        for (slot, chunk) in dst.iter_mut().zip(placed.filter(|chunk| !chunk.is_empty())) {
            *slot = IoSlice::new(chunk);
            filled += 1;
        }
        if let Some(slot) = dst.get_mut(filled).filter(|_| !own.is_empty()) {
            *slot = IoSlice::new(own);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.remaining, "advanced past the end");
        self.remaining -= count;
        while count > 0 {
            match self.frames.front_mut() {
                Some((0, frame)) => {
                    let step = count.min(frame.len());
                    frame.advance(step);
                    count -= step;
                    if frame.is_empty() {
                        self.frames.pop_front();
                    }
                }
                Some((before, _)) => {
                    let step = count.min(*before);
                    self.own.advance(step);
                    *before -= step;
                    count -= step;
                }
                None => {
                    self.own.advance(count);
                    count = 0;
                }
            }
        }
        if self.remaining == 0 && self.is_thrifty {
            self.shrink();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is appended and however it is drained, the bytes keep their order.
        #[test]
        fn order_is_kept(
            parts in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..9)), 0..20),
            steps in prop::collection::vec(1_usize..7, 1..9),
            thrifty: bool,
        ) {
            let mut transmit = if thrifty { Transmit::thrifty() } else { Transmit::new() };
            let mut expected = Vec::new();
            let mut written = Vec::new();
            for ((shared, bytes), step) in parts.iter().zip(steps.iter().cycle()) {
                expected.extend_from_slice(bytes);
                if *shared {
                    transmit.share(Bytes::copy_from_slice(bytes));
                } else {
                    transmit.write(|out| out.extend_from_slice(bytes));
                }
                let take = (*step).min(transmit.chunk().len());
                written.extend_from_slice(&transmit.chunk()[..take]);
                transmit.advance(take);
            }
            let mut slices = [IoSlice::new(&[]); 32];
            let filled = transmit.chunks_vectored(&mut slices);
            let rest: Vec<u8> = slices[..filled].iter().flat_map(|s| s.to_vec()).collect();
            prop_assert_eq!(rest.len(), transmit.remaining());
            written.extend(rest);
            prop_assert_eq!(written, expected);
        }
    }
}
