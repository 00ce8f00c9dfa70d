//! Reading a token: signature, times, claims. A pure function over the token, the keys and the time.

use super::{KeySet, Permissions, TOKEN_BYTES_MAX, User, UserType};
use crate::json;
use crate::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How far the clocks of the issuer and of this machine may differ.
pub const LEEWAY: Duration = Duration::from_secs(30);
/// The longest user id and firm id, in bytes.
const ID_BYTES_MAX: usize = 128;
/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// What credentials are checked against. The driver holds it; nothing of it reaches the core's state.
#[derive(Clone, Default)]
pub struct Keys {
    /// `JWT_SECRET`
    pub secret: Option<Vec<u8>>,
    /// What was last fetched from `JWT_JWKS_URL`; `None`: there is no such address.
    pub key_set: Option<Arc<KeySet>>,
    /// `JWT_AUDIENCE`
    pub audience: Option<String>,
    /// `JWT_ISSUER`
    pub issuer: Option<String>,
    /// `SERVICE_API_KEY`
    pub service_key: Option<String>,
}

/// Says what is there, never what it is.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("secret", &self.secret.is_some())
            .field("key_set", &self.key_set)
            .field("service_key", &self.service_key.is_some())
            .finish_non_exhaustive()
    }
}

/// Why a credential is refused. For the log; the client hears less.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthFailure {
    /// There is none.
    Missing,
    /// Two that disagree.
    Disagreeing,
    /// It is not one, or its signature is wrong.
    Bad,
    /// It was one once.
    Expired,
    /// A claim that is wrong.
    Claim(String),
    /// No key is configured that it could be checked against.
    NotConfigured,
    /// It was good once, and is good once only.
    Spent,
    /// It names a key that is not in the set. A driver that can fetch the set again does so before it says this.
    UnknownKey,
    /// It names a key that is not held, and whether there is such a key cannot be found out now.
    NotNow {
        /// When it can be, at the earliest.
        retry_after: Duration,
    },
}

impl AuthFailure {
    /// Whether somebody may have tried what came to mind. What is over, for somebody else, or signed with a key that
    /// was withdrawn has been good once, and comes from honest clients in numbers.
    pub fn may_be_a_guess(&self) -> bool {
        match self {
            Self::Bad | Self::Spent => true,
            Self::Missing
            | Self::Disagreeing
            | Self::Expired
            | Self::Claim(_)
            | Self::UnknownKey
            | Self::NotConfigured
            | Self::NotNow { .. } => false,
        }
    }
}

impl fmt::Display for AuthFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no token"),
            Self::Disagreeing => f.write_str("tokens that disagree"),
            Self::Bad => f.write_str("bad token"),
            Self::Expired => f.write_str("expired token"),
            Self::Claim(claim) => write!(f, "bad claim: {claim}"),
            Self::NotConfigured => f.write_str("no key configured"),
            Self::Spent => f.write_str("a signature that was used"),
            Self::UnknownKey => f.write_str("unknown key"),
            Self::NotNow { .. } => f.write_str("a key that cannot be fetched now"),
        }
    }
}

/// Verifies a JWT (RFC 7519) and reads its claims. In: the token, the keys that are held and the time. Out: who is
/// calling, or why nobody is. The algorithm is the key's, never the token's (RFC 8725 §3.1).
pub fn verify_token(token: &str, keys: &Keys, now: Timestamp) -> Result<User, AuthFailure> {
    if token.is_empty() {
        return Err(AuthFailure::Missing);
    }
    if token.len() > TOKEN_BYTES_MAX {
        return Err(AuthFailure::Claim(format!("a token of {} bytes, over {TOKEN_BYTES_MAX}", token.len())));
    }
    if keys.secret.is_none() && keys.key_set.is_none() {
        return Err(AuthFailure::NotConfigured);
    }
    // Nobody has signed for what is looked at first: nothing deep is read before the gate has seen it.
    let (Some(header), Some(_)) = (gated(token, 0), gated(token, 1)) else { return Err(AuthFailure::Bad) };
    if header.contains_key("crit") {
        return Err(AuthFailure::Bad);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| AuthFailure::Bad)?;
    let (algorithm, key) = key_for(&header, keys)?;
    let mut validation = Validation::new(algorithm);
    // Times and audiences are compared here, with the core's clock and without coercions.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let claims = jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation)
        .map_err(|_| AuthFailure::Bad)?
        .claims;
    check_times(&claims, now)?;
    check_audience(&claims, keys)?;
    user(&claims)
}

/// Which key the token means, and the algorithm that goes with it (WIRE §0.2). Of the header only `kid` and `alg` are
/// looked at: keys, and addresses of keys, that stand in it are whoever's (RFC 8725 §3.10).
fn key_for<'a>(header: &Header, keys: &'a Keys) -> Result<(Algorithm, Cow<'a, DecodingKey>), AuthFailure> {
    let set = keys.key_set.as_deref();
    let known = set.zip(header.kid.as_deref()).and_then(|(set, kid)| set.find(kid));
    if let Some(known) = known {
        return match known.algorithm == header.alg {
            true => Ok((known.algorithm, Cow::Borrowed(&known.key))),
            false => Err(AuthFailure::Bad),
        };
    }
    if set.zip(header.kid.as_deref()).is_some_and(|(set, kid)| set.is_ambiguous(kid)) {
        return Err(AuthFailure::Bad);
    }
    match (header.alg, &keys.secret, set) {
        (Algorithm::HS256, Some(secret), _) => {
            Ok((Algorithm::HS256, Cow::Owned(DecodingKey::from_secret(secret))))
        }
        // Without a `kid`, or for another algorithm, no set that could be fetched has the key.
        (Algorithm::RS256 | Algorithm::ES256, _, Some(_)) if header.kid.is_some() => {
            Err(AuthFailure::UnknownKey)
        }
        (_, _, _) => Err(AuthFailure::Bad),
    }
}

/// The header (0) or the claims (1), if they have passed the gate for JSON. A header with `crit` names
/// extensions that must be understood (RFC 7515 §4.1.11), and none is.
fn gated(token: &str, part: usize) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(part)?).ok()?;
    json::check(&bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn check_times(claims: &Map<String, Value>, now: Timestamp) -> Result<(), AuthFailure> {
    let expires = seconds(claims, "exp")?.ok_or_else(|| AuthFailure::Claim("no exp".into()))?;
    if now.unix_seconds() >= expires.saturating_add(LEEWAY.as_secs()) {
        return Err(AuthFailure::Expired);
    }
    for name in ["nbf", "iat"] {
        if seconds(claims, name)?.is_some_and(|from| from > now.unix_seconds() + LEEWAY.as_secs()) {
            return Err(AuthFailure::Claim(format!("{name} in the future")));
        }
    }
    Ok(())
}

/// An integer that is not negative, if the claim is there; every other type is refused.
fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, AuthFailure> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => {
            value.as_u64().map(Some).ok_or_else(|| AuthFailure::Claim(format!("{name} is not an integer")))
        }
    }
}

fn check_audience(claims: &Map<String, Value>, keys: &Keys) -> Result<(), AuthFailure> {
    if let Some(wanted) = &keys.audience {
        let named = match claims.get("aud") {
            Some(Value::String(one)) => one == wanted,
            Some(Value::Array(many)) => many.iter().any(|one| one == wanted.as_str()),
            _ => false,
        };
        if !named {
            return Err(AuthFailure::Claim("aud".into()));
        }
    }
    match &keys.issuer {
        Some(wanted) if text(claims, "iss")?.as_deref() != Some(wanted) => {
            Err(AuthFailure::Claim("iss".into()))
        }
        _ => Ok(()),
    }
}

fn user(claims: &Map<String, Value>) -> Result<User, AuthFailure> {
    let id = match (text(claims, "sub")?, text(claims, "userId")?) {
        (Some(sub), Some(user)) if sub != user => {
            return Err(AuthFailure::Claim("sub and userId differ".into()));
        }
        (Some(id), _) | (None, Some(id)) => bounded("sub", id)?,
        (None, None) => return Err(AuthFailure::Claim("no sub".into())),
    };
    if id.is_empty() {
        return Err(AuthFailure::Claim("an empty sub".into()));
    }
    let metadata = claims.get("app_metadata").and_then(Value::as_object);
    let firm = match (text(claims, "firmId")?, metadata) {
        (Some(firm), _) => firm,
        (None, Some(metadata)) => text(metadata, "firm_id")?.unwrap_or_default(),
        (None, None) => String::new(),
    };
    let user_type = user_type(claims);
    let permissions = match claims.get("permissions") {
        None => Permissions::of(user_type),
        Some(Value::Array(names)) => Permissions::named(names.iter().filter_map(Value::as_str)),
        Some(_) => return Err(AuthFailure::Claim("permissions is not a list".into())),
    };
    let name = text(claims, "name")?.map(|name| cut(&name)).filter(|name| !name.is_empty());
    let expires_at = Timestamp(seconds(claims, "exp")?.unwrap_or_default().saturating_mul(1_000_000));
    Ok(User {
        id: id.into(),
        firm: bounded("firmId", firm)?.into(),
        name,
        user_type,
        permissions,
        expires_at,
    })
}

fn user_type(claims: &Map<String, Value>) -> UserType {
    let word = |name: &str| claims.get(name).and_then(Value::as_str).and_then(UserType::named);
    match claims.contains_key("userType") {
        true => word("userType").unwrap_or(UserType::Guest),
        false => word("role").unwrap_or(UserType::Employee),
    }
}

fn text(claims: &Map<String, Value>, name: &str) -> Result<Option<String>, AuthFailure> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(AuthFailure::Claim(format!("{name} is not a string"))),
    }
}

fn bounded(name: &str, id: String) -> Result<String, AuthFailure> {
    if id.len() > ID_BYTES_MAX || id.chars().any(char::is_control) {
        return Err(AuthFailure::Claim(format!(
            "{name} of {} bytes, over {ID_BYTES_MAX}, or with control characters",
            id.len()
        )));
    }
    Ok(id)
}

/// A name is for people: what is too long is cut, what is not to be printed is left out.
fn cut(name: &str) -> String {
    let mut cut: String = name.chars().filter(|char| !char.is_control()).collect();
    let mut end = cut.len().min(NAME_BYTES_MAX);
    while !cut.is_char_boundary(end) {
        end -= 1;
    }
    cut.truncate(end);
    cut
}

#[cfg(test)]
mod tests;
