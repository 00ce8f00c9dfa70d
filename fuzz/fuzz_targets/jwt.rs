//! A token that was not made with the secret names nobody; one that was names a user within the limits. The
//! input is a token, or the claims of one that is signed here.

#![no_main]

use libfuzzer_sys::fuzz_target;
use parlor_protocol::auth::{Keys, Shown, Stamp, verify_service, verify_token};
use parlor_protocol::time::Timestamp;

const NOW: Timestamp = Timestamp(1_763_654_400_000_000);

fuzz_target!(|input: &[u8]| {
    let keys = Keys { secret: Some(b"secret".to_vec()), service_key: Some("key".into()), ..Keys::default() };
    if let Ok(text) = std::str::from_utf8(input) {
        // No fuzzer finds the signature.
        assert!(verify_token(text, &keys, NOW).is_err());
        let shown = Shown::Key(text.to_string());
        assert_eq!(verify_service(&shown, &keys, NOW).is_ok(), text == "key");
        assert!(Stamp::parse(text).is_none_or(|stamp| stamp.hex.len() == 64));
    }
    let Ok(claims) = serde_json::from_slice::<serde_json::Value>(input) else { return };
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    let key = jsonwebtoken::EncodingKey::from_secret(b"secret");
    let Ok(token) = jsonwebtoken::encode(&header, &claims, &key) else { return };
    if let Ok(user) = verify_token(&token, &keys, NOW) {
        assert!((1..=128).contains(&user.id.as_str().len()));
        assert!(user.firm.as_str().len() <= 128);
        assert!(user.name.is_none_or(|name| (1..=255).contains(&name.len())));
        assert!(user.expires_at > NOW - parlor_protocol::auth::LEEWAY);
    }
});
