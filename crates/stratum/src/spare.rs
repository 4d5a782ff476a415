//! Memory that a burst took, given back once there is nothing in it: there are many connections, and
//! each has its burst at another time.

use std::collections::VecDeque;

use bytes::BytesMut;

/// The most places of a queue that are kept.
const MAX_PLACES: usize = 64;
/// The most bytes of a buffer that are kept: two reads.
const MAX_BYTES: usize = 32 * 1024;

/// Gives the memory of an empty queue back, if it is much.
pub(crate) fn give_back_queue<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() && queue.capacity() > MAX_PLACES {
        *queue = VecDeque::new();
    }
}

/// Gives the memory of an empty buffer back, if it is much.
pub(crate) fn give_back_buffer(buffer: &mut BytesMut) {
    if buffer.is_empty() && buffer.try_reclaim(MAX_BYTES + 1) {
        *buffer = BytesMut::new();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Buf;

    use super::*;

    #[test]
    fn what_a_burst_took_is_given_back_and_what_is_usual_is_kept() {
        let mut queue: VecDeque<u64> = (0..1000).collect();
        give_back_queue(&mut queue);
        assert_eq!(queue.len(), 1000);
        queue.clear();
        give_back_queue(&mut queue);
        assert_eq!(queue.capacity(), 0);
        queue.extend(0..10);
        queue.clear();
        give_back_queue(&mut queue);
        assert!(queue.capacity() >= 10);

        let mut buffer = BytesMut::new();
        for (size, kept) in [(512 * 1024, false), (8 * 1024, true)] {
            buffer.extend_from_slice(&vec![b' '; size]);
            give_back_buffer(&mut buffer);
            assert_eq!(buffer.len(), size);
            buffer.advance(size);
            give_back_buffer(&mut buffer);
            assert_eq!(buffer.try_reclaim(size), kept, "{size}");
        }
    }
}
