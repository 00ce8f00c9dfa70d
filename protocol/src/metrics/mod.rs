//! What is counted, in the form in which Prometheus reads it (WIRE §0.11). The core gives a [`Snapshot`] of its numbers, the
//! driver adds what only it can measure ([`Measured`]), and [`text()`] writes both, outside the lock.

mod by;
mod snapshot;
mod spread;
mod text;

pub use by::{App, ByApp, ByLimit, Limit};
pub use snapshot::{JobsWaiting, Measured, Snapshot};
pub use spread::{Buckets, Spread};
pub use text::{MEDIA_TYPE, text};

use bytes::Bytes;

/// Statistics (WIRE §5.4) with what the driver measured, as they are sent.
pub fn statistics(counted: &serde_json::Value, measured: &Measured) -> Bytes {
    let mut whole = counted.clone();
    whole["memoryBytes"] = measured.memory_bytes.into();
    whole["messages"]["dropped"] = measured.dropped.total().into();
    whole.to_string().into()
}
