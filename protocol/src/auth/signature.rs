//! The signature that stands for the service key (WIRE §0.2): who has the key signs one request at one time, so
//! that the key itself does not travel.

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt::Write;

/// The header that carries it.
pub const SIGNATURE_HEADER: &str = "X-Parlor-Signature";

/// What is signed: `t.method.path.body`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed<'a> {
    /// When, in seconds since the Unix epoch.
    pub at: u64,
    /// `POST`, …
    pub method: &'a str,
    /// Path and query as they are sent.
    pub target: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// What the header says: when, and the signature.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    /// In seconds since the Unix epoch.
    pub at: u64,
    /// 64 hexadecimal digits in lower case, so that one signature is written in one way.
    pub hex: String,
}

impl Stamp {
    /// Reads the header's value; `None`: it is none.
    pub fn parse(header: &str) -> Option<Self> {
        let (at, hex) = header.strip_prefix("t=")?.split_once(",v1=")?;
        let is_number = (1..=20).contains(&at.len()) && at.bytes().all(|byte| byte.is_ascii_digit());
        let is_mac = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        let at = at.parse().ok().filter(|_| is_number && is_mac)?;
        Some(Self { at, hex: hex.to_ascii_lowercase() })
    }

    /// What a signature is called that was used, among all else that is remembered by name.
    pub fn name(&self) -> String {
        format!("signature:{}", self.hex)
    }
}

impl Signed<'_> {
    /// HMAC-SHA256 under the service key, as 64 hexadecimal digits.
    pub fn signature(&self, key: &str) -> String {
        let mut hex = String::with_capacity(64);
        for byte in self.mac(key).finalize().into_bytes() {
            // Writing to a String does not fail.
            write!(hex, "{byte:02x}").unwrap_or_default();
        }
        hex
    }

    /// The header's value: `t=<at>,v1=<signature>`.
    pub fn header(&self, key: &str) -> String {
        format!("t={},v1={}", self.at, self.signature(key))
    }

    /// Whether `hex` is the signature under this key, in constant time.
    pub fn is_signature(&self, key: &str, hex: &str) -> bool {
        let pairs = hex.as_bytes().chunks(2);
        let bytes: Option<Vec<u8>> = pairs
            .map(|pair| {
                let digits = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
                let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                u8::from_str_radix(digits, 16).ok().filter(|_| plain)
            })
            .collect();
        bytes.is_some_and(|bytes| self.mac(key).verify_slice(&bytes).is_ok())
    }

    fn mac(&self, key: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(format!("{}.{}.{}.", self.at, self.method, self.target).as_bytes());
        mac.update(self.body);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: Signed<'_> =
        Signed { at: 1_763_654_400, method: "POST", target: "/hooks/parlor?a=1", body: br#"[{"seq":1}]"# };
    const KEY: &str = "a service key";
    /// By `printf '1763654400.POST./hooks/parlor?a=1.[{"seq":1}]' | openssl dgst -sha256 -hmac 'a service key'`.
    const KNOWN: &str = "65e2c7a1f494ba94e02e4854cc985bb7645362a8e8514954a33c89a1c39809c1";

    #[test]
    fn a_signature_is_what_openssl_makes_of_the_same_text() {
        assert_eq!(SIGNED.signature(KEY), KNOWN);
        assert_eq!(SIGNED.header(KEY), format!("t=1763654400,v1={KNOWN}"));
    }

    #[test]
    fn a_header_is_a_number_and_sixty_four_digits() {
        let stamp = Stamp::parse(&SIGNED.header(KEY)).expect("it was just written");
        assert_eq!((stamp.at, stamp.hex.as_str()), (1_763_654_400, KNOWN));
        let upper = Stamp::parse(&format!("t=1763654400,v1={}", KNOWN.to_uppercase()));
        assert_eq!(upper, Some(stamp), "one signature, one name");
        for header in [
            "".to_string(),
            KNOWN.to_string(),
            format!("v1={KNOWN},t=1763654400"),
            format!("t=,v1={KNOWN}"),
            format!("t=+1763654400,v1={KNOWN}"),
            format!("t=-1,v1={KNOWN}"),
            format!("t=1.5,v1={KNOWN}"),
            format!("t=18446744073709551616,v1={KNOWN}"),
            format!("t=1763654400, v1={KNOWN}"),
            format!("t=1763654400,v1={KNOWN},v1={KNOWN}"),
            format!("t=1763654400,v1={}", &KNOWN[1..]),
            format!("t=1763654400,v1={}é", &KNOWN[2..]),
        ] {
            assert_eq!(Stamp::parse(&header), None, "{header}");
        }
    }

    #[test]
    fn a_signature_is_good_for_its_key_time_method_path_and_body_alone() {
        assert!(SIGNED.is_signature(KEY, KNOWN));
        assert!(SIGNED.is_signature(KEY, &KNOWN.to_uppercase()));
        assert!(!SIGNED.is_signature("another key", KNOWN));
        for other in [
            Signed { at: 1_763_654_401, ..SIGNED },
            Signed { method: "PUT", ..SIGNED },
            Signed { target: "/hooks/parlor?a=2", ..SIGNED },
            Signed { body: b"[]", ..SIGNED },
        ] {
            assert!(!other.is_signature(KEY, KNOWN), "{other:?}");
        }
        for hex in ["", "00", &KNOWN[..62], &KNOWN[..63], &format!("{KNOWN}00"), &format!("+{}", &KNOWN[1..])]
        {
            assert!(!SIGNED.is_signature(KEY, hex), "{hex}");
        }
    }
}
