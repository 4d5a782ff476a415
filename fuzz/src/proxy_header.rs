//! Any bytes as what a load balancer says before all else: the header does not depend on how the bytes are
//! cut, keeps its bound, and leaves what follows alone.
//!
//! Input: the size of reads, then the stream.

use orepass::net::proxy_protocol::{HeaderReader, MAX_V2, may_start};

/// Takes an input as the head of this file says, and gives 1 for a header, else 0.
///
/// # Panics
/// When it depends on the cuts, or takes more than it may.
pub fn proxy_header(data: &[u8]) -> usize {
    let [step, stream @ ..] = data else { return 0 };
    let whole = HeaderReader::default().handle(stream);
    let (mut reader, mut taken, mut said) = (HeaderReader::default(), 0, Ok(None));
    for read in stream.chunks(usize::from(*step) + 1) {
        said = reader.handle(read).map(|(count, claim)| {
            taken += count;
            claim
        });
        if !matches!(said, Ok(None)) {
            break;
        }
    }
    match (whole, said) {
        (Ok((count, claim)), Ok(again)) => {
            assert_eq!((count, claim), (taken, again));
            assert!(count <= MAX_V2, "{count} bytes");
            assert!(stream.first().is_none_or(|first| may_start(*first)));
            usize::from(claim.is_some())
        }
        (Err(error), Err(again)) => {
            assert_eq!(error, again);
            assert!(error.to_string().len() <= 1024, "an error quotes too much");
            0
        }
        (whole, said) => panic!("{whole:?} and {said:?}"),
    }
}
