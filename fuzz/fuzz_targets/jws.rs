//! Tokens with public keys. The input is a token, or a header and claims in two lines that are signed here: with the
//! private key, which names somebody where the header names that key, and with the public one as a secret, which never
//! does.

#![no_main]

use jsonwebtoken::{Algorithm, EncodingKey};
use libfuzzer_sys::fuzz_target;
use parlor_protocol::auth::{AuthFailure, KeySet, Keys, verify_token};
use parlor_protocol::time::Timestamp;
use serde_json::Value;
use std::sync::{Arc, LazyLock};

const NOW: Timestamp = Timestamp(1_763_654_400_000_000);
/// The public keys `e` and `r`.
const SET: &[u8] = include_bytes!("../seeds/key_set/two_keys");
/// The private key of `e`, as PKCS #8. It signs nothing anywhere else.
const PRIVATE: &[u8] = b"\
    \x30\x81\x87\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\
    \x03\x01\x07\x04\x6d\x30\x6b\x02\x01\x01\x04\x20\xdf\x24\x0d\x43\xe4\xfe\x35\x92\x5e\xbb\x4f\xc3\
    \x87\x0d\xfb\xf3\xa8\x22\x7c\xbd\xeb\x20\xf7\x29\xb0\xce\x52\x38\xdd\x5d\x80\x2f\xa1\x44\x03\x42\
    \x00\x04\xa4\xfa\x87\x1a\xa7\x08\x71\xa3\x2d\xcc\xd1\x8d\xd0\xdb\x95\x23\xd8\x69\x2b\xe2\x8f\xdc\
    \x75\xe8\x58\x15\x8a\x6f\xd6\x11\x9a\x64\x61\xba\x73\xf8\x5f\xde\xf2\xb9\x59\xec\xcb\x1f\x31\x03\
    \xce\x5d\xe5\xf3\xce\x9e\x68\x8b\xce\xe3\x32\x24\xdb\x4d\x11\xdf\xbb\xa8";

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let set = KeySet::read(SET).expect("it is a set");
    assert_eq!((set.len(), set.left_out()), (2, 0));
    Keys { secret: Some(b"secret".to_vec()), key_set: Some(Arc::new(set)), ..Keys::default() }
});

/// What is signed of a token, and the signature.
fn token(header: &str, claims: &str, key: &EncodingKey, algorithm: Algorithm) -> Option<String> {
    let header: Value = serde_json::from_str(header).ok()?;
    let claims: Value = serde_json::from_str(claims).ok()?;
    let base64 = |part: &Value| {
        let key = EncodingKey::from_secret(b"");
        let whole = jsonwebtoken::encode(&jsonwebtoken::Header::default(), part, &key).ok()?;
        whole.split('.').nth(1).map(str::to_string)
    };
    let said = format!("{}.{}", base64(&header)?, base64(&claims)?);
    let signature = jsonwebtoken::crypto::sign(said.as_bytes(), key, algorithm).ok()?;
    Some(format!("{said}.{signature}"))
}

fuzz_target!(|input: &[u8]| {
    let Ok(input) = std::str::from_utf8(input) else { return };
    // No fuzzer finds the signature.
    assert!(verify_token(input, &KEYS, NOW).is_err());
    let Some((header, claims)) = input.split_once('\n') else { return };
    let private = EncodingKey::from_ec_der(PRIVATE);
    let Some(signed) = token(header, claims, &private, Algorithm::ES256) else { return };
    let said: Value = serde_json::from_str(header).expect("it was read");
    match verify_token(&signed, &KEYS, NOW) {
        Ok(_) => {
            assert_eq!((said["alg"].as_str(), said["kid"].as_str()), (Some("ES256"), Some("e")));
            assert!(said.get("crit").is_none());
        }
        Err(AuthFailure::UnknownKey) => {
            assert!(["ES256", "RS256"].iter().any(|algorithm| said["alg"] == *algorithm));
            assert!(said["kid"].as_str().is_some_and(|kid| kid != "e" && kid != "r"));
        }
        Err(failure) => assert!(!matches!(failure, AuthFailure::NotNow { .. } | AuthFailure::NotConfigured)),
    }
    let public = EncodingKey::from_secret(SET);
    if let Some(forged) = token(header, claims, &public, Algorithm::HS256) {
        assert!(verify_token(&forged, &KEYS, NOW).is_err());
    }
});
