//! Whether a backend may speak: it shows the service key, or has signed with it (WIRE §0.2).

use super::signature::{Signed, Stamp};
use super::{AuthFailure, Keys, LEEWAY};
use crate::time::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How old a signature may be.
pub const SIGNATURE_AGE_MAX: Duration = Duration::from_secs(300);

/// What a backend shows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shown {
    /// What stands behind `Bearer`.
    Key(String),
    /// A signature in place of the key.
    Signature(Box<SignedRequest>),
}

/// A request that bears a signature.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedRequest {
    /// The time and the signature, as the header says them.
    pub stamp: Stamp,
    /// `POST`, …
    pub method: String,
    /// Path and query as they came.
    pub target: String,
    /// The body.
    pub body: Bytes,
}

/// Says what it is for, not how it is signed.
impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedRequest({})", self.method)
    }
}

/// Checks what a backend shows. In: the key as it came, or the request with its signature; the service key and the
/// time. Out: nothing, or why not. The key and the signature (RFC 2104) are compared in constant time. Whether a
/// signature was good once before is not known here.
pub fn verify_service(shown: &Shown, keys: &Keys, now: Timestamp) -> Result<(), AuthFailure> {
    let key = keys.service_key.as_ref().ok_or(AuthFailure::NotConfigured)?;
    let is_good = match shown {
        Shown::Key(bearer) if bearer.is_empty() => return Err(AuthFailure::Missing),
        Shown::Key(bearer) => bool::from(bearer.as_bytes().ct_eq(key.as_bytes())),
        Shown::Signature(request) => {
            let SignedRequest { stamp, method, target, body } = &**request;
            let signed = Signed { at: stamp.at, method, target, body };
            if !signed.is_signature(key, &stamp.hex) {
                return Err(AuthFailure::Bad);
            }
            return in_time(stamp.at, now.unix_seconds());
        }
    };
    if is_good { Ok(()) } else { Err(AuthFailure::Bad) }
}

fn in_time(at: u64, now: u64) -> Result<(), AuthFailure> {
    if now.saturating_sub(at) > SIGNATURE_AGE_MAX.as_secs() {
        return Err(AuthFailure::Expired);
    }
    match at.saturating_sub(now) > LEEWAY.as_secs() {
        true => Err(AuthFailure::Claim("a signature of the future".into())),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

    fn keys() -> Keys {
        Keys { service_key: Some("key".into()), ..Keys::default() }
    }

    fn signed(at: u64, key: &str) -> Shown {
        let (method, target, body) = ("POST".to_string(), "/api/events?a=1".to_string(), Bytes::from("{}"));
        let header = Signed { at, method: &method, target: &target, body: &body }.header(key);
        let stamp = Stamp::parse(&header).expect("it was just written");
        Shown::Signature(Box::new(SignedRequest { stamp, method, target, body }))
    }

    #[test]
    fn the_key_is_the_key_and_nothing_else() {
        let check = |bearer: &str| verify_service(&Shown::Key(bearer.into()), &keys(), NOW);
        assert_eq!(check("key"), Ok(()));
        assert_eq!(check(""), Err(AuthFailure::Missing));
        for wrong in ["ke", "keys", "Key", " key", "KEY"] {
            assert_eq!(check(wrong), Err(AuthFailure::Bad), "{wrong}");
        }
        let none = verify_service(&Shown::Key("key".into()), &Keys::default(), NOW);
        assert_eq!(none, Err(AuthFailure::NotConfigured));
    }

    #[test]
    fn a_signature_is_good_for_five_minutes_and_half_a_minute_ahead() {
        let at = |at: u64| verify_service(&signed(at, "key"), &keys(), NOW);
        assert_eq!((at(1_800_000_000), at(1_799_999_700), at(1_800_000_030)), (Ok(()), Ok(()), Ok(())));
        assert_eq!(at(1_799_999_699), Err(AuthFailure::Expired));
        assert!(matches!(at(1_800_000_031), Err(AuthFailure::Claim(_))));
        assert!(matches!(at(u64::MAX), Err(AuthFailure::Claim(_))));
        assert_eq!(at(0), Err(AuthFailure::Expired));
        assert_eq!(verify_service(&signed(0, "another"), &keys(), NOW), Err(AuthFailure::Bad));
        let none = verify_service(&signed(1_800_000_000, "key"), &Keys::default(), NOW);
        assert_eq!(none, Err(AuthFailure::NotConfigured));
    }
}
