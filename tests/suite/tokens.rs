//! Tokens with public keys (WIRE §0.2, RFC 7515, RFC 8725): what verifies, and everything that only looks as if it
//! did. A token that is not good is `Bad`, whatever is wrong with it; one whose key is not held names an unknown key.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use parlor_protocol::auth::{AuthFailure, KeySet, Keys, TOKEN_BYTES_MAX, verify_token};
use parlor_protocol::time::Timestamp;
use parlor_tests::signing::{Signer, key_set, unsigned};
use serde_json::{Value, json};
use std::sync::Arc;

const NOW: Timestamp = Timestamp(1_800_000_000_000_000);
const CLAIMS: &str = r#"{"sub":"ada","exp":1800000100}"#;
const SECRET: &[u8] = b"a secret beside the public keys, long enough";

fn read(set: &Value) -> KeySet {
    KeySet::read(set.to_string().as_bytes()).unwrap()
}

fn set() -> Value {
    key_set([Signer::Rsa.jwk("r"), Signer::P256.jwk("e")])
}

/// The keys `r` (RSA) and `e` (P-256), and no secret.
fn public() -> Keys {
    Keys { key_set: Some(Arc::new(read(&set()))), ..Keys::default() }
}

/// The same with a secret.
fn both() -> Keys {
    Keys { secret: Some(SECRET.to_vec()), ..public() }
}

fn who(token: &str, keys: &Keys) -> Result<String, AuthFailure> {
    verify_token(token, keys, NOW).map(|user| user.id.to_string())
}

fn refused(token: &str) {
    assert_eq!(who(token, &public()), Err(AuthFailure::Bad), "{token}");
    assert_eq!(who(token, &both()), Err(AuthFailure::Bad), "{token}");
}

/// A token that HS256 signs with this secret.
fn hs256(header: &str, claims: &str, secret: &[u8]) -> String {
    let said = unsigned(header, claims);
    let key = EncodingKey::from_secret(secret);
    let signature = jsonwebtoken::crypto::sign(said.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{said}.{signature}")
}

fn es256(header: &str) -> String {
    Signer::P256.sign(header, CLAIMS)
}

/// The parts of a good token for the key `e`, its signature as bytes.
fn parts() -> (String, Vec<u8>) {
    let token = es256(r#"{"alg":"ES256","kid":"e"}"#);
    let (said, signature) = token.rsplit_once('.').unwrap();
    (said.to_string(), URL_SAFE_NO_PAD.decode(signature).unwrap())
}

fn with_signature(said: &str, signature: &[u8]) -> String {
    format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a_kid_means_its_key_and_the_algorithm_that_goes_with_it() {
    for (signer, kid) in [(Signer::Rsa, "r"), (Signer::P256, "e")] {
        let token = signer.token(kid, &json!({"sub": "ada", "exp": 1_800_000_100}));
        assert_eq!(who(&token, &public()), Ok("ada".into()));
        assert_eq!(who(&token, &both()), Ok("ada".into()));
    }
    refused(&Signer::OtherRsa.sign(r#"{"alg":"RS256","kid":"r"}"#, CLAIMS));
    refused(&Signer::OtherP256.sign(r#"{"alg":"ES256","kid":"e"}"#, CLAIMS));
    refused(&Signer::Rsa.sign(r#"{"alg":"RS256","kid":"e"}"#, CLAIMS));
    refused(&Signer::P256.sign(r#"{"alg":"ES256","kid":"r"}"#, CLAIMS));
    refused(&Signer::Rsa.sign(r#"{"alg":"RS512","kid":"r"}"#, CLAIMS));
    refused(&Signer::Rsa.sign(r#"{"alg":"PS256","kid":"r"}"#, CLAIMS));
}

#[test]
fn a_secret_serves_whatever_names_no_public_key() {
    for header in [r#"{"alg":"HS256"}"#, r#"{"alg":"HS256","kid":"anything"}"#, r#"{"alg":"HS256","kid":""}"#]
    {
        assert_eq!(who(&hs256(header, CLAIMS, SECRET), &both()), Ok("ada".into()), "{header}");
        assert_eq!(who(&hs256(header, CLAIMS, SECRET), &public()), Err(AuthFailure::Bad), "{header}");
    }
    // A kid that the set has is never the secret's.
    refused(&hs256(r#"{"alg":"HS256","kid":"r"}"#, CLAIMS, SECRET));
    for algorithm in ["HS384", "HS512"] {
        refused(&hs256(&json!({"alg": algorithm}).to_string(), CLAIMS, SECRET));
    }
}

#[test]
fn a_public_key_is_no_secret() {
    let jwk = Signer::Rsa.jwk("r");
    let modulus = jwk["n"].as_str().unwrap();
    let raw = URL_SAFE_NO_PAD.decode(modulus).unwrap();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&raw));
    let whole = jwk.to_string();
    let point = Signer::P256.jwk("e")["x"].as_str().unwrap().to_string();
    for secret in [modulus.as_bytes(), &raw, pem.as_bytes(), whole.as_bytes(), point.as_bytes(), b""] {
        for header in [r#"{"alg":"HS256","kid":"r"}"#, r#"{"alg":"HS256","kid":"e"}"#, r#"{"alg":"HS256"}"#] {
            refused(&hs256(header, CLAIMS, secret));
        }
    }
}

#[test]
fn nothing_is_signed_by_nobody() {
    for algorithm in ["none", "None", "NONE", "nOnE", "", "ES256 ", "es256", "HS256\u{0}"] {
        for kid in ["r", "e", "x"] {
            let header = json!({"alg": algorithm, "kid": kid}).to_string();
            let (_, signature) = parts();
            refused(&format!("{}.", unsigned(&header, CLAIMS)));
            refused(&with_signature(&unsigned(&header, CLAIMS), &signature));
        }
    }
    for header in ["{}", r#"{"kid":"e"}"#, r#"{"alg":null,"kid":"e"}"#, r#"{"alg":["ES256"],"kid":"e"}"#] {
        refused(&es256(header));
    }
}

#[test]
fn a_key_that_is_not_held_is_unknown_and_a_token_without_a_name_for_it_is_bad() {
    for kid in ["x", "", "E", "e ", "../e", "' OR 1=1 --", "http://id.example/jwks"] {
        let header = json!({"alg": "ES256", "kid": kid}).to_string();
        assert_eq!(who(&es256(&header), &public()), Err(AuthFailure::UnknownKey), "{kid}");
    }
    refused(&es256(r#"{"alg":"ES256"}"#));
    refused(&es256(r#"{"alg":"ES256","kid":null}"#));
    refused(&es256(r#"{"alg":"ES256","kid":7}"#));
    refused(&es256(r#"{"alg":"ES256","kid":["e"]}"#));
    refused(&es256(r#"{"alg":"ES256","kid":"x","kid":"e"}"#));
    refused(&es256(r#"{"alg":"ES256","alg":"none","kid":"e"}"#));
    // No set has a key for these, so none is asked for.
    for algorithm in ["HS256", "ES384", "PS256", "EdDSA", "none"] {
        assert_eq!(
            who(&es256(&json!({"alg": algorithm, "kid": "x"}).to_string()), &public()),
            Err(AuthFailure::Bad),
            "{algorithm}"
        );
    }
    let alone = Keys { secret: Some(SECRET.to_vec()), ..Keys::default() };
    assert_eq!(who(&es256(r#"{"alg":"ES256","kid":"e"}"#), &alone), Err(AuthFailure::Bad));
}

#[test]
fn keys_and_addresses_of_keys_in_a_header_count_for_nothing() {
    let own = Signer::OtherP256;
    for extra in [
        json!({"jwk": own.jwk("e")}),
        json!({"jku": "http://127.0.0.1:1/jwks"}),
        json!({"x5u": "http://127.0.0.1:1/cert"}),
        json!({"x5c": ["MIIB"]}),
        json!({"x5t": "abc", "x5t#S256": "abc"}),
    ] {
        let mut header = json!({"alg": "ES256", "kid": "e"});
        header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        // Signed by whoever put them there: bad. Signed by the real key: they are passed over.
        refused(&own.sign(&header.to_string(), CLAIMS));
        assert_eq!(who(&es256(&header.to_string()), &public()), Ok("ada".into()), "{header}");
    }
    for crit in [json!(["b64"]), json!(["exp"]), json!([]), json!(null), json!("exp"), json!({})] {
        refused(&es256(&json!({"alg": "ES256", "kid": "e", "crit": crit, "b64": false}).to_string()));
    }
}

#[test]
fn a_signature_on_p_256_is_two_numbers_of_32_bytes_and_neither_is_zero() {
    let (said, signature) = parts();
    assert_eq!(who(&with_signature(&said, &signature), &public()), Ok("ada".into()));
    let (r, s) = signature.split_at(32);
    let order = [
        255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 188, 230, 250, 173, 167, 23,
        158, 132, 243, 185, 202, 194, 252, 99, 37, 81,
    ];
    let der = |number: &[u8]| {
        let sign: &[u8] = if number[0] >= 0x80 { &[0] } else { &[] };
        [&[2, (sign.len() + number.len()) as u8], sign, number].concat()
    };
    let inside = [der(r), der(s)].concat();
    for wrong in [
        [&[0x30, inside.len() as u8], inside.as_slice()].concat(),
        [r, &[0; 32]].concat(),
        [&[0; 32], s].concat(),
        [0; 64].to_vec(),
        [order, order].concat(),
        [r, &order].concat(),
        [&order, s].concat(),
        [255; 64].to_vec(),
        [s, r].concat(),
        signature[..63].to_vec(),
        signature[1..].to_vec(),
        [&[0], signature.as_slice()].concat(),
        [signature.as_slice(), &[0]].concat(),
        [&[0; 16], r, &[0; 16], s].concat(),
        [signature.as_slice(), &signature].concat(),
        r.to_vec(),
        vec![0],
        Vec::new(),
    ] {
        refused(&with_signature(&said, &wrong));
    }
    for bit in 0..64 * 8 {
        let mut flipped = signature.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(who(&with_signature(&said, &flipped), &public()), Err(AuthFailure::Bad), "bit {bit}");
    }
}

#[test]
fn a_signature_with_rsa_is_as_long_as_the_modulus_and_below_it() {
    let token = Signer::Rsa.sign(r#"{"alg":"RS256","kid":"r"}"#, CLAIMS);
    let (said, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let modulus = URL_SAFE_NO_PAD.decode(Signer::Rsa.jwk("r")["n"].as_str().unwrap()).unwrap();
    let one = [vec![0; 255], vec![1]].concat();
    for wrong in [
        signature[1..].to_vec(),
        [&[0], signature.as_slice()].concat(),
        [signature.as_slice(), &[0]].concat(),
        modulus,
        vec![0; 256],
        vec![255; 256],
        one,
        Vec::new(),
    ] {
        refused(&with_signature(said, &wrong));
    }
}

#[test]
fn base64url_is_read_in_one_way_only() {
    let (said, signature) = parts();
    let good = with_signature(&said, &signature);
    let (header, claims) = said.split_once('.').unwrap();
    let written = URL_SAFE_NO_PAD.encode(&signature);
    // The last character holds four bits that mean nothing.
    let mut loose = written.clone().into_bytes();
    let last = loose.last_mut().unwrap();
    *last = if *last == b'A' { b'B' } else { *last + 1 };
    for wrong in [
        format!("{said}.{}", URL_SAFE.encode(&signature)),
        format!("{said}.{written}="),
        format!("{said}.{written} "),
        format!("{said}.{written}\n"),
        format!(" {good}"),
        format!("{said}.{}", String::from_utf8(loose).unwrap()),
        format!("{said}.{}", STANDARD.encode([&signature[..62], &[0xfb, 0xff]].concat())),
        format!("{said}.{}", &written[..written.len() - 1]),
        format!("{said}."),
        said.clone(),
        header.to_string(),
        format!("{header}..{written}"),
        format!(".{claims}.{written}"),
        format!("{header}={claims}.{written}"),
        format!("{header}=.{claims}.{written}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{written}"),
        format!("{header}.{claims}.{written}.{written}.{written}"),
        "..".to_string(),
        ".".to_string(),
        "\u{0}".to_string(),
        "ä.ö.ü".to_string(),
        json!({"protected": header, "payload": claims, "signature": written}).to_string(),
    ] {
        refused(&wrong);
    }
    for end in 1..good.len() {
        assert_eq!(who(&good[..end], &public()), Err(AuthFailure::Bad), "cut at {end}");
    }
}

#[test]
fn what_is_signed_is_read_as_strictly_as_what_is_not() {
    let signed = |claims: &str| who(&Signer::P256.sign(r#"{"alg":"ES256","kid":"e"}"#, claims), &public());
    for claims in [
        "",
        "null",
        "[]",
        r#""sub""#,
        r#"{"sub":"ada","exp":1800000100"#,
        r#"{"sub":"ada","exp":1800000100}{}"#,
        r#"{"sub":"ada","sub":"eve","exp":1800000100}"#,
        r#"{"sub":"ada","exp":1700000000,"exp":1800000100}"#,
        "\u{feff}{\"sub\":\"ada\",\"exp\":1800000100}",
    ] {
        assert_eq!(signed(claims), Err(AuthFailure::Bad), "{claims}");
    }
    for exp in [
        "1800000100.0",
        "1.8e9",
        "18e8",
        "-1",
        "-1800000100",
        "1e400",
        "18446744073709551616",
        "\"1800000100\"",
        "true",
        "null",
        "{}",
    ] {
        let claims = format!(r#"{{"sub":"ada","exp":{exp}}}"#);
        let refused = signed(&claims);
        assert!(matches!(refused, Err(AuthFailure::Claim(_) | AuthFailure::Bad)), "{claims}: {refused:?}");
        let claims = format!(r#"{{"sub":"ada","exp":1800000100,"nbf":{exp}}}"#);
        assert!(signed(&claims).is_err(), "{claims}");
    }
    // As late as a number can be is late, and does not begin anew.
    assert_eq!(signed(r#"{"sub":"ada","exp":18446744073709551615}"#), Ok("ada".into()));
    assert!(signed(r#"{"sub":"ada","exp":1800000100,"nbf":18446744073709551615}"#).is_err());
    assert_eq!(signed(r#"{"sub":"ada","exp":0}"#), Err(AuthFailure::Expired));
}

#[test]
fn a_token_is_measured_before_it_is_read() {
    let padded = |length: usize| {
        let claims = json!({"sub": "ada", "exp": 1_800_000_100, "z": "z".repeat(length)}).to_string();
        Signer::P256.sign(r#"{"alg":"ES256","kid":"e"}"#, &claims)
    };
    assert_eq!(who(&padded(2_800), &public()), Ok("ada".into()));
    let large = padded(3_000);
    let told = format!("a token of {} bytes, over {TOKEN_BYTES_MAX}", large.len());
    assert_eq!(who(&large, &public()), Err(AuthFailure::Claim(told)));
    assert!(who(&"a".repeat(1 << 20), &public()).is_err());
}

#[test]
fn a_key_is_used_for_what_its_issuer_and_audience_say() {
    let keys = Keys { audience: Some("us".into()), issuer: Some("https://id".into()), ..public() };
    let check = |aud: Value, iss: Value| {
        let claims = json!({"sub": "ada", "exp": 1_800_000_100, "aud": aud, "iss": iss});
        who(&Signer::P256.token("e", &claims), &keys).is_ok()
    };
    assert!(check(json!("us"), json!("https://id")));
    assert!(check(json!(["them", "us"]), json!("https://id")));
    for aud in [json!("them"), json!(["them"]), json!([["us"]]), json!({"us": true}), json!([]), json!("us ")]
    {
        assert!(!check(aud.clone(), json!("https://id")), "{aud}");
    }
    for iss in [json!("https://id/"), json!(["https://id"]), json!(null), json!("HTTPS://ID")] {
        assert!(!check(json!("us"), iss.clone()), "{iss}");
    }
}

#[test]
fn a_set_keeps_the_keys_that_are_good_for_us_and_leaves_the_others_out() {
    let changed = |jwk: Value, name: &str, value: Value| {
        let mut jwk = jwk;
        jwk[name] = value;
        jwk
    };
    let (rsa, p256) = (|| Signer::Rsa.jwk("k"), || Signer::P256.jwk("k"));
    let zero = URL_SAFE_NO_PAD.encode([0; 32]);
    for useless in [
        Signer::ShortRsa.jwk("k"),
        Signer::P384.jwk("k"),
        json!({"kty": "oct", "kid": "k", "k": "c2VjcmV0", "alg": "HS256"}),
        json!({"kty": "OKP", "kid": "k", "crv": "Ed25519", "x": zero}),
        changed(rsa(), "use", json!("enc")),
        changed(rsa(), "key_ops", json!(["encrypt"])),
        changed(rsa(), "alg", json!("RS512")),
        changed(rsa(), "alg", json!("none")),
        changed(rsa(), "alg", json!("HS256")),
        changed(rsa(), "d", json!("AQ")),
        changed(rsa(), "e", json!("AQ")),
        changed(rsa(), "e", json!("Ag")),
        changed(rsa(), "e", json!("AAAA")),
        changed(rsa(), "e", json!("AQAAAAAB")),
        changed(rsa(), "n", json!(URL_SAFE_NO_PAD.encode([254; 256]))),
        changed(rsa(), "n", json!(URL_SAFE_NO_PAD.encode([255; 513]))),
        changed(rsa(), "n", json!("not base64!")),
        changed(rsa(), "kid", json!("")),
        changed(rsa(), "kid", json!(7)),
        changed(rsa(), "kid", json!("k".repeat(513))),
        changed(p256(), "crv", json!("P-384")),
        changed(p256(), "crv", json!("secp256k1")),
        changed(p256(), "alg", json!("RS256")),
        changed(p256(), "x", json!(zero)),
        changed(p256(), "y", json!("AQ")),
        changed(p256(), "y", p256()["x"].clone()),
        json!({"kid": "k"}),
        json!(null),
        json!("k"),
        json!([]),
    ] {
        let set = read(&key_set([useless.clone(), Signer::P256.jwk("good")]));
        assert!(set.find("k").is_none() && set.find("good").is_some(), "{useless}");
        assert_eq!((set.len(), set.left_out()), (1, 1), "{useless}");
    }
    let bare = json!({"kty": "RSA", "kid": "k", "n": rsa()["n"], "e": rsa()["e"], "more": {"a": [1]}});
    assert_eq!(read(&key_set([bare])).len(), 1);
}

#[test]
fn a_name_that_two_keys_bear_names_neither() {
    let twice = read(&key_set([Signer::Rsa.jwk("k"), Signer::OtherRsa.jwk("k"), Signer::P256.jwk("e")]));
    assert!(twice.find("k").is_none());
    assert_eq!((twice.len(), twice.left_out()), (1, 2));
    let kinds = read(&key_set([Signer::Rsa.jwk("k"), Signer::P256.jwk("k")]));
    assert_eq!((kinds.len(), kinds.left_out()), (0, 2));
    // Asking for the set again would not say which of them is meant.
    let token = Signer::Rsa.token("k", &json!({"sub": "ada", "exp": 1_800_000_100}));
    for (set, found) in [(twice, AuthFailure::Bad), (read(&key_set([])), AuthFailure::UnknownKey)] {
        let keys = Keys { key_set: Some(Arc::new(set)), ..Keys::default() };
        assert_eq!(who(&token, &keys), Err(found));
    }
    let same = read(&key_set([Signer::Rsa.jwk("k"), Signer::Rsa.jwk("k")]));
    assert_eq!((same.len(), same.left_out()), (1, 1));
}

#[test]
fn what_is_no_set_is_refused_whole_and_an_empty_one_is_a_set() {
    let refused = |text: &str| KeySet::read(text.as_bytes()).unwrap_err();
    for text in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":null}"#,
        r#"{"keys":[],"keys":[]}"#,
        "<!doctype html>",
        r#"{"keys":[]} trailing"#,
    ] {
        assert!(refused(text).starts_with("no key set: "), "{text}");
    }
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(refused(&format!(r#"{{"keys":[{deep}]}}"#)).starts_with("no key set: "));
    assert!(KeySet::read(b"{\"keys\":[\"\xff\"]}").is_err());
    assert!(KeySet::read(br#"{"keys":[]}"#).unwrap().is_empty());
    let many = |count| KeySet::read(key_set(vec![json!({}); count]).to_string().as_bytes());
    assert_eq!(many(100).unwrap().left_out(), 100);
    assert_eq!(many(101).unwrap_err(), "a key set of 101 keys, over 100");
    let large = format!(r#"{{"keys":[],"z":"{}"}}"#, "z".repeat(256 * 1024));
    assert_eq!(refused(&large), "a key set of over 262144 bytes");
}
