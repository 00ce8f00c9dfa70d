use super::*;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

fn keys() -> Keys {
    Keys { secret: Some(b"a secret for tests".to_vec()), ..Keys::default() }
}

fn token(claims: &Value) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(b"a secret for tests"))
        .expect("claims are JSON")
}

fn verify(claims: Value) -> Result<User, AuthFailure> {
    verify_token(&token(&claims), &keys(), NOW)
}

#[test]
fn a_good_token_says_who_is_calling() {
    let user = verify(json!({"sub": "ada", "exp": 1_800_000_100u64, "firmId": "acme", "name": "Ada"}))
        .expect("good");
    assert_eq!((user.id.as_str(), user.firm.as_str(), user.name.as_deref()), ("ada", "acme", Some("Ada")));
    assert_eq!(user.user_type, UserType::Employee);
    assert!(user.permissions.allow(crate::auth::Permission::RoomCreate));
    assert_eq!(user.expires_at, Timestamp(1_800_000_100_000_000));
}

#[test]
fn a_guest_may_send_only_and_an_unknown_user_type_is_a_guest() {
    for user_type in ["guest", "admin"] {
        let user = verify(json!({"sub": "g", "exp": 1_800_000_100u64, "userType": user_type})).expect("good");
        assert_eq!((user.user_type, user.permissions), (UserType::Guest, Permissions::of(UserType::Guest)));
    }
    let by_role = verify(json!({"sub": "s", "exp": 1_800_000_100u64, "role": "supervisor"})).expect("good");
    assert_eq!(by_role.user_type, UserType::Supervisor);
    let other_role =
        verify(json!({"sub": "s", "exp": 1_800_000_100u64, "role": "authenticated"})).expect("good");
    assert_eq!(other_role.user_type, UserType::Employee);
}

#[test]
fn permissions_that_are_present_are_exactly_these() {
    let user = verify(json!({"sub": "s", "exp": 1_800_000_100u64, "permissions": ["chat:upload", "x"]}))
        .expect("good");
    assert_eq!(user.permissions, Permissions::named(["chat:upload"].into_iter()));
    assert!(verify(json!({"sub": "s", "exp": 1_800_000_100u64, "permissions": "chat:send"})).is_err());
}

#[test]
fn times_are_integers_and_have_thirty_seconds_of_leeway() {
    let at = |exp: Value| verify(json!({"sub": "a", "exp": exp})).map(|user| user.id.to_string());
    assert_eq!(at(json!(1_799_999_971u64)), Ok("a".into()));
    assert_eq!(at(json!(1_799_999_970u64)), Err(AuthFailure::Expired));
    for wrong in [json!("1800000100"), json!(1_800_000_100.5), json!(-1), json!(null), json!([])] {
        assert!(matches!(at(wrong.clone()), Err(AuthFailure::Claim(_))), "exp {wrong}");
    }
    let from = |nbf: u64| verify(json!({"sub": "a", "exp": 1_800_000_100u64, "nbf": nbf})).is_ok();
    assert_eq!((from(1_800_000_030), from(1_800_000_031)), (true, false));
    assert_eq!(verify(json!({"sub": "a"})), Err(AuthFailure::Claim("no exp".into())));
}

#[test]
fn sub_and_user_id_agree_or_are_refused() {
    let who = |claims: Value| verify(claims).map(|user| user.id.to_string()).ok();
    assert_eq!(who(json!({"userId": "b", "exp": 1_800_000_100u64})), Some("b".into()));
    assert_eq!(who(json!({"sub": "b", "userId": "b", "exp": 1_800_000_100u64})), Some("b".into()));
    assert_eq!(who(json!({"sub": "a", "userId": "b", "exp": 1_800_000_100u64})), None);
    assert_eq!(who(json!({"sub": "", "exp": 1_800_000_100u64})), None);
    assert_eq!(who(json!({"sub": 7, "exp": 1_800_000_100u64})), None);
    assert_eq!(who(json!({"sub": "x".repeat(129), "exp": 1_800_000_100u64})), None);
}

#[test]
fn audience_and_issuer_are_checked_when_configured() {
    let keys = Keys { audience: Some("authenticated".into()), issuer: Some("https://a".into()), ..keys() };
    let check = |aud: Value, iss: &str| {
        let claims = json!({"sub": "a", "exp": 1_800_000_100u64, "aud": aud, "iss": iss});
        verify_token(&token(&claims), &keys, NOW).is_ok()
    };
    assert!(check(json!("authenticated"), "https://a"));
    assert!(check(json!(["x", "authenticated"]), "https://a"));
    assert!(!check(json!("authenticated2"), "https://a"));
    assert!(!check(json!(null), "https://a"));
    assert!(!check(json!("authenticated"), "https://a/"));
}

#[test]
fn what_is_not_signed_with_the_secret_is_refused() {
    let claims = json!({"sub": "a", "exp": 1_800_000_100u64});
    let good = token(&claims);
    let [_, body, signature]: [&str; 3] =
        good.split('.').collect::<Vec<_>>().try_into().expect("three parts");
    let header = |json: &str| URL_SAFE_NO_PAD.encode(json);
    for bad in [
        format!("{}.{body}.", header(r#"{"alg":"none","typ":"JWT"}"#)),
        format!("{}.{body}.{signature}", header(r#"{"alg":"none","typ":"JWT"}"#)),
        format!("{}.{body}.{signature}", header(r#"{"alg":"HS512","typ":"JWT"}"#)),
        format!("{good}x"),
        good.replace('.', ".."),
        "not a token".to_string(),
        String::new(),
    ] {
        assert!(verify_token(&bad, &keys(), NOW).is_err(), "{bad}");
    }
    let other = Keys { secret: Some(b"another secret".to_vec()), ..Keys::default() };
    assert_eq!(verify_token(&good, &other, NOW), Err(AuthFailure::Bad));
    assert_eq!(verify_token(&good, &Keys::default(), NOW), Err(AuthFailure::NotConfigured));
}

/// A token with this header and these claims, signed whatever they say.
fn signed(header: &str, claims: &str) -> String {
    let said = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let key = EncodingKey::from_secret(b"a secret for tests");
    let signature = jsonwebtoken::crypto::sign(said.as_bytes(), &key, Algorithm::HS256).expect("signs");
    format!("{said}.{signature}")
}

const CLAIMS: &str = r#"{"sub":"a","exp":1800000100}"#;

#[test]
fn a_critical_extension_is_refused_even_when_it_is_signed() {
    let token = signed(r#"{"alg":"HS256","crit":["x"],"x":1}"#, CLAIMS);
    assert_eq!(verify_token(&token, &keys(), NOW), Err(AuthFailure::Bad));
}

#[test]
fn a_header_and_claims_that_nest_deep_are_refused_even_when_they_are_signed() {
    let nested = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    let header = |depth| format!(r#"{{"alg":"HS256","z":{}}}"#, nested(depth));
    let claims = |depth| format!(r#"{{"sub":"a","exp":1800000100,"z":{}}}"#, nested(depth));
    let verify = |header: &str, claims: &str| verify_token(&signed(header, claims), &keys(), NOW).map(|_| ());
    assert_eq!((verify(&header(31), CLAIMS), verify(&header(0), &claims(31))), (Ok(()), Ok(())));
    assert_eq!(verify(&header(32), CLAIMS), Err(AuthFailure::Bad));
    assert_eq!(verify(&header(0), &claims(32)), Err(AuthFailure::Bad));
}
