//! Public keys that tokens are verified with, read from a JWK Set (RFC 7517). Whoever serves the set may be broken or
//! worse: what is no key of ours to use is left out, and what is no set is refused whole.

use crate::json;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The largest JWK Set that is read, in bytes.
pub const KEY_SET_BYTES_MAX: usize = 256 * 1024;
/// How many keys a set may list, those that are left out among them.
pub const KEYS_COUNT_MAX: usize = 100;
/// The longest `kid`, in bytes.
const KID_BYTES_MAX: usize = 512;
/// How long the modulus of an RSA key may be, in bits: at least what RFC 7518 §3.3 asks, at most what is verified
/// within a millisecond.
const RSA_BITS_MIN: usize = 2_048;
const RSA_BITS_MAX: usize = 4_096;
/// The longest RSA exponent, in bytes.
const EXPONENT_BYTES_MAX: usize = 4;
/// How long a coordinate on P-256 is, in bytes (RFC 7518 §6.2.1.2).
const COORDINATE_BYTES: usize = 32;

/// The keys of one set, by `kid`.
#[derive(Clone, Default)]
pub struct KeySet {
    by_kid: BTreeMap<String, PublicKey>,
    /// Names that two different keys bear.
    ambiguous: BTreeSet<String>,
    left_out: usize,
}

/// A public key, and the one algorithm that it verifies.
#[derive(Clone)]
pub struct PublicKey {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
    /// What the key is made of, to tell it from another of the same name.
    parts: Vec<Vec<u8>>,
}

/// Says how many there are. They are public, but long.
impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet {{ keys: {}, left_out: {} }}", self.by_kid.len(), self.left_out)
    }
}

/// A key as it is written (RFC 7517 §4, RFC 7518 §6).
#[derive(Deserialize)]
struct Written {
    kty: String,
    kid: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<Value>,
}

impl KeySet {
    /// Reads a JWK Set (RFC 7517 §5). In: the text as it was fetched. Out: its keys for RS256 and ES256 that have a
    /// `kid`; a set without any is a set. A `kid` that two different keys bear names neither. What is no set, or one
    /// over the limits, is refused with what is wrong.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        if text.len() > KEY_SET_BYTES_MAX {
            return Err(format!("a key set of over {KEY_SET_BYTES_MAX} bytes"));
        }
        json::check(text).map_err(|error| format!("no key set: {error}"))?;
        let text = std::str::from_utf8(text).map_err(|_| "no key set: not UTF-8".to_string())?;
        let Set { keys } = json::object(text).map_err(|error| format!("no key set: {error}"))?;
        if keys.len() > KEYS_COUNT_MAX {
            return Err(format!("a key set of {} keys, over {KEYS_COUNT_MAX}", keys.len()));
        }
        let listed = keys.len();
        let mut named: BTreeMap<String, Vec<PublicKey>> = BTreeMap::new();
        for (kid, key) in keys.into_iter().filter_map(usable) {
            let same = named.entry(kid).or_default();
            if !same.iter().any(|known| known.parts == key.parts) {
                same.push(key);
            }
        }
        let (mut by_kid, mut ambiguous) = (BTreeMap::new(), BTreeSet::new());
        for (kid, keys) in named {
            match <[PublicKey; 1]>::try_from(keys) {
                Ok([key]) => drop(by_kid.insert(kid, key)),
                Err(_) => drop(ambiguous.insert(kid)),
            }
        }
        Ok(Self { left_out: listed - by_kid.len(), by_kid, ambiguous })
    }

    /// The key with this `kid`.
    pub fn find(&self, kid: &str) -> Option<&PublicKey> {
        self.by_kid.get(kid)
    }

    /// Whether the set has this `kid` and cannot say which key it means: asking for it again would not help.
    pub fn is_ambiguous(&self, kid: &str) -> bool {
        self.ambiguous.contains(kid)
    }

    /// How many keys there are to verify with.
    pub fn len(&self) -> usize {
        self.by_kid.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_kid.is_empty()
    }

    /// How many that were listed are of no use: for other algorithms or purposes, malformed, or listed twice.
    pub fn left_out(&self) -> usize {
        self.left_out
    }
}

/// A key that may verify signatures; everything else is left out. A private key that somebody has published is
/// nobody's proof any more.
fn usable(value: Value) -> Option<(String, PublicKey)> {
    let written: Written = serde_json::from_value(value).ok()?;
    let signs = written.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
    let verifies = written.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    let is_named = (1..=KID_BYTES_MAX).contains(&written.kid.len());
    if !signs || !verifies || !is_named || written.d.is_some() {
        return None;
    }
    let key = match (written.kty.as_str(), written.alg.as_deref()) {
        ("RSA", None | Some("RS256")) => rsa(written.n.as_deref()?, written.e.as_deref()?),
        ("EC", None | Some("ES256")) if written.crv.as_deref() == Some("P-256") => {
            p256(written.x.as_deref()?, written.y.as_deref()?)
        }
        _ => None,
    }?;
    Some((written.kid, key))
}

/// A key for RS256 (RFC 7518 §6.3.1): an odd modulus of 2048 to 4096 bits, an odd exponent from 3 on.
fn rsa(n: &str, e: &str) -> Option<PublicKey> {
    let (n, e) = (number(n)?, number(e)?);
    let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    let fits = (RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) && e.len() <= EXPONENT_BYTES_MAX && e != [1];
    (fits && is_odd(&n) && is_odd(&e)).then(|| PublicKey {
        algorithm: Algorithm::RS256,
        key: DecodingKey::from_rsa_raw_components(&n, &e),
        parts: vec![n, e],
    })
}

/// A number without its leading zeros; `None` for zero.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let from = bytes.iter().position(|byte| *byte != 0)?;
    Some(bytes[from..].to_vec())
}

/// A key for ES256 (RFC 7518 §6.2.1): a point on P-256, both coordinates whole.
fn p256(x: &str, y: &str) -> Option<PublicKey> {
    let coordinate = |text: &str| URL_SAFE_NO_PAD.decode(text).ok().filter(|at| at.len() == COORDINATE_BYTES);
    let parts = vec![coordinate(x)?, coordinate(y)?];
    let key = DecodingKey::from_ec_components(x, y).ok()?;
    // Says an error, not a no, where the point is on no curve.
    jsonwebtoken::crypto::verify("", b"", &key, Algorithm::ES256).ok()?;
    Some(PublicKey { algorithm: Algorithm::ES256, key, parts })
}
