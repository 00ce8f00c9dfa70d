//! The event hook of a backend (WIRE §5.3).

use super::{CallFailure, Said, seconds};
use std::time::Duration;

/// How long one delivery may take as a whole.
pub const HOOK_WAIT_MAX: Duration = Duration::from_secs(10);

/// Reads what the hook answered. Whatever is no success is worth another attempt: events are delivered at least
/// once, and a backend that is being repaired answers with anything.
pub fn read_hook(status: u16, retry_after: Option<&str>) -> Said {
    match status {
        200..=299 => Said::Delivered,
        _ => Said::Failed(CallFailure::Passing { retry_after: seconds(retry_after) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_success_is_a_delivery_and_everything_else_is_tried_again() {
        for status in [200, 202, 204, 299] {
            assert_eq!(read_hook(status, Some("7")), Said::Delivered);
        }
        for status in [101, 199, 300, 302, 400, 401, 404, 500, 503] {
            let retry_after = Some(Duration::from_secs(7));
            assert_eq!(read_hook(status, Some("7")), Said::Failed(CallFailure::Passing { retry_after }));
        }
    }
}
