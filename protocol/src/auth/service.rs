//! Whether a backend may speak: the service key (WIRE §0.2).

use super::{AuthFailure, Keys};
use subtle::ConstantTimeEq;

/// Checks `Authorization: Bearer <SERVICE_API_KEY>` in constant time.
pub fn verify_service(bearer: &str, keys: &Keys) -> Result<(), AuthFailure> {
    let key = keys.service_key.as_ref().ok_or(AuthFailure::NotConfigured)?;
    if bearer.is_empty() {
        return Err(AuthFailure::Missing);
    }
    match bool::from(bearer.as_bytes().ct_eq(key.as_bytes())) {
        true => Ok(()),
        false => Err(AuthFailure::Bad),
    }
}
