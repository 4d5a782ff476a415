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
    segments: VecDeque<Segment>,
    remaining: usize,
}

#[derive(Debug)]
enum Segment {
    /// So many bytes at the front of `own`.
    Own(usize),
    Shared(Bytes),
}

impl Transmit {
    /// Nothing to write.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends text that `write` puts into the buffer it is given. It may only append.
    pub fn write(&mut self, write: impl FnOnce(&mut BytesMut)) {
        let before = self.own.len();
        write(&mut self.own);
        let added = self.own.len().saturating_sub(before);
        if added == 0 {
            return;
        }
        self.remaining += added;
        match self.segments.back_mut() {
            Some(Segment::Own(len)) => *len += added,
            _ => self.segments.push_back(Segment::Own(added)),
        }
    }

    /// Appends a frame without copying it.
    pub fn share(&mut self, frame: Bytes) {
        if !frame.is_empty() {
            self.remaining += frame.len();
            self.segments.push_back(Segment::Shared(frame));
        }
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remaining == 0
    }

    /// Forgets everything; for a connection that is gone.
    pub fn clear(&mut self) {
        self.own.clear();
        self.segments.clear();
        self.remaining = 0;
    }
}

impl Buf for Transmit {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        match self.segments.front() {
            Some(Segment::Own(len)) => &self.own[..*len],
            Some(Segment::Shared(frame)) => frame,
            None => &[],
        }
    }

    fn chunks_vectored<'a>(&'a self, dst: &mut [IoSlice<'a>]) -> usize {
        let mut own = &self.own[..];
        let mut filled = 0;
        for (slot, segment) in dst.iter_mut().zip(&self.segments) {
            *slot = IoSlice::new(match segment {
                Segment::Own(len) => {
                    let (head, tail) = own.split_at(*len);
                    own = tail;
                    head
                }
                Segment::Shared(frame) => frame,
            });
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.remaining, "advanced past the end");
        self.remaining -= count;
        while count > 0 {
            let Some(segment) = self.segments.front_mut() else { return };
            let done = match segment {
                Segment::Own(len) => {
                    let step = count.min(*len);
                    self.own.advance(step);
                    *len -= step;
                    count -= step;
                    *len == 0
                }
                Segment::Shared(frame) => {
                    let step = count.min(frame.len());
                    frame.advance(step);
                    count -= step;
                    frame.is_empty()
                }
            };
            if done {
                self.segments.pop_front();
            }
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
        ) {
            let mut transmit = Transmit::new();
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
