//! What became of shares: since the start, and lately.

mod book;
mod meter;
mod norm;

pub use book::{Book, Totals, WorkSum};
pub use meter::{Measured, Minute, RateMeter, WINDOWS, WindowRates};
pub use norm::{AgainstNorm, Norm};
