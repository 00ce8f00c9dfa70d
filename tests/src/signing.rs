//! Keys that sign tokens, and the sets of public keys that verify them. Made for the tests alone: what they sign is
//! worth nothing anywhere else.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

/// A key that signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// RS256
    Rsa,
    /// RS256, another key.
    OtherRsa,
    /// RS256, with a key that is too short.
    ShortRsa,
    /// ES256
    P256,
    /// ES256, another key.
    OtherP256,
    /// ES384
    P384,
}

impl Signer {
    /// What it signs with.
    pub fn key(self) -> EncodingKey {
        let (text, is_rsa) = match self {
            Self::Rsa => (RSA, true),
            Self::OtherRsa => (OTHER_RSA, true),
            Self::ShortRsa => (SHORT_RSA, true),
            Self::P256 => (P256, false),
            Self::OtherP256 => (OTHER_P256, false),
            Self::P384 => (P384, false),
        };
        let der = STANDARD.decode(text).expect("it is Base64");
        if is_rsa { EncodingKey::from_rsa_der(&der) } else { EncodingKey::from_ec_der(&der) }
    }

    /// The algorithm that it is for.
    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::Rsa | Self::OtherRsa | Self::ShortRsa => Algorithm::RS256,
            Self::P256 | Self::OtherP256 => Algorithm::ES256,
            Self::P384 => Algorithm::ES384,
        }
    }

    /// The public key as a JWK (RFC 7517 §4) with this `kid`.
    pub fn jwk(self, kid: &str) -> Value {
        let jwk = Jwk::from_encoding_key(&self.key(), self.algorithm()).expect("a key has its public half");
        let mut jwk = serde_json::to_value(&jwk).expect("a JWK is JSON");
        jwk["kid"] = json!(kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// A token with these claims and this `kid`.
    pub fn token(self, kid: &str, claims: &Value) -> String {
        let algorithm = format!("{:?}", self.algorithm());
        self.sign(&json!({"alg": algorithm, "typ": "JWT", "kid": kid}).to_string(), &claims.to_string())
    }

    /// A token with this header, whatever it says, and these claims.
    pub fn sign(self, header: &str, claims: &str) -> String {
        let said = unsigned(header, claims);
        let signature = jsonwebtoken::crypto::sign(said.as_bytes(), &self.key(), self.algorithm());
        format!("{said}.{}", signature.expect("the key is good"))
    }
}

/// What is signed of a token (RFC 7515 §5.1).
pub fn unsigned(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

/// A set of public keys (RFC 7517 §5).
pub fn key_set(keys: impl IntoIterator<Item = Value>) -> Value {
    json!({"keys": keys.into_iter().collect::<Vec<_>>()})
}

/// An RSA key of 2048 bits, as PKCS #1.
const RSA: &str = "\
    MIIEpAIBAAKCAQEA8Jg7dTszV++5IZJ53Vc/kEvNjt4uFREyLSDZN5xC6/QY8cc71HhFvEDasGjE+RhfOYHK8j1AhSOosvORv+ws\
    mwen7NyEeYv+lLEhA3U6+m253HoRNqi+j6iioI6fAjW2ev409WmQwiBVw3UQTXdsgoHYaiYmyzRq7i1+GdUgdxzOjgTRU7IbShLR\
    BNoraliWcfg5d2hXLKvk0ykvgzJYGIgTcoqmGE1WcnvxPl5jAerQ0t0LE2QCW/aKQWktAppiDdRutRvwB533VJDKoeWNQLF8dxym\
    ryCiPnTAPAEXGwpeDRLrGNF39c23P8luTAKXTI9pQ1AHGRtzrE7/7oUqzQIDAQABAoIBAApthrIzkSugC8WdPCPwSqR97JhjH9sw\
    5hxXnqKO5sWkTEp6aKjyV49rvi7EM7laKZJsAjhSmE/M9lxfOzN20I4dnFUjT6iW/T9DmBs2wwokpFgegE1+rde7JuVPmSu22URm\
    bTQv0aLgVOdGVSEOaokTiKY9JhRLntDY7uy+tIwFAZbS9G92qd3M4sdR1rDaaJeiveqHDL5fWOgNm+QW8AyXo57Hj60YiRhzqjQN\
    D9q0kKv/QpQ9lOzAXsb2ky8v8xET5JDehlKcFyztauOMhVff36k+3gqGB4jw4iiH6qqla8yd6aIFimKQkZTkB4Wve+QANE5HJzyF\
    4JqBLp2EHw8CgYEA//Wv0yJVRccFeNLy22n/Da2Q/MV3T1+bZcqpw2w0mfZUTe6QQckJ0dNQHuVydkRTPqasc34Fsxo9/D2OtFAl\
    giZtD+uBPMqayRmqC5d0xGvtuMglY3u/AuEJIcEM38e/ZxQnt4eYAStQsT14cLK6W3x9OyipxbC6h5PwoNpokS8CgYEA8KHtJUT0\
    tb8B78RBhtM7tTHf//i83mVG/yeicNk51/OivcWpsFxnJS44mv28e4UAN5dmTLwQBWoSAE78Y+ZPuGG0//9bDftoxVKvmzgY1Q1v\
    Cy/XjsfECKIxbzerPf0rprZut2GIYHm9lbeMNehSOwxPniGMNUUhJb2h0bMdrMMCgYEAvFStCz/e2Fmo+A7W7ISgSxMjdCljMT7a\
    m1oz8PuD9KjfvPvEnvLqS74c3K7cupJpYdbHWq8mSHMNmrQ8dQXno0zcwHL7A5zbqQ4+JQtKul/jaSuy/vEFSXwE+RYPf/R8K78T\
    viGBwZJ6a/8byGhpYHlHt6iiyjfP94Pt8JzjhbcCgYEAzvDiyh9wN/EJUFK+a52zhpNa6X7XpocAtKQ4TcZyuWY8eenIkfQVfGMw\
    qRI3ix6JXkWk468ENDPRQVSsN5m0y4OzrkjD3NVud+wxO1LWADuqWLuPLKpdy3L5AoWkjg3xAVF5C9oj95waz+vm9+FQ/pkKy5pc\
    Qt+trxBTXs0kYxMCgYBinSzZzHPRFvdtMk2CExnanZ6VkCjFhrmxPMGhwhS3uFdk+GKOIXpTiESSZrJet9spBxwjMkKMwHiCOZIi\
    wYlILRRLXvdQn2JYDnUts63JPhEXltO6p6zvMiVOMd1MJL3MgufgG80R3CmpPgtwXL4/0RDOLYHn0rm8ukbis61G7w==";
/// Another one.
const OTHER_RSA: &str = "\
    MIIEpAIBAAKCAQEAqFqyXNR0dbSS5sA8bQeGdBYNWn0v7Gxkg8iwvc2f6KiM7XF49xUTZKctj60ZtSpbPhkpqWzlPcmju63Zncyy\
    apJxXqgQGU91Ov5RsxxF4w4fIFlufx1wxpIo4F/YEHJhN9igcqZh4Ymp/2yODZ+oQRJVkwuLTNZC95jEXGoUu3RXS6BRNcobwHfx\
    AVQGdX3S9Pe7nchYr/ZcLJdQwfn+9bhYNFzVQZph3Gf0iWJgk7F5Gyl1A5CrUVxDg4E2ielOcixaEbm2Qxuf/VuS1i1fXCK2/hr0\
    IjxEoTiC04FbwsVvYNfzyhPlHmjhyaGvq3GaHIqLd+SsMs/RW2OTthx38wIDAQABAoIBAA1NZUx/yQKdQFeVQZuyfYWMpy91jCTX\
    3QqrVTPExz7V7+oPDj96XdbqfWdzMQB8lqBjJ+89gyY3rtqfKP5r9H5b5d3/KjklwHM8hxi/l3y9BT6ZcmlUL9tbec6zeVoLVPKE\
    XmEmE76DZyL0i+DjCE4OnyOy73skbumAxlCFsppWZ8TiMCcE3hWbN6+eDEbLf++bB7Bfx8BLCmpxeXD4UPLr9x2CJoMwZTGO6M2M\
    FiWlTFSlI+UVWm/hCJdZEqHJdHyGbR9OgWnnz3JhrtpH0AyeWtMPaGW3a9sDQ2bYau5wyxVmeetr2iSPsNxDoYAnuj/NVDtU8Q6Y\
    xTBPPvIFXpECgYEA3t132bwow/N0p/9qZw2oZ9rNDDaHouqOjbi2UPMlQ2dJp62zqvw/aXPUs9B3skAKtP03rJfgE5OSsi82n75m\
    3h3yiVXuNodlzROU4NZngV2KWhp4M6JW/rqL6vL+ToKatVxdva3/JewSazj21NHvtATwY/mQRUcPtEI1mS4jG1sCgYEAwWJ6BOMP\
    trIrlALdczNPV7v5lHTwpjYdd8yOsVin+ttLVydmRrJeMqF9AUGEFPRISyodlxJcn5ce/NXZR+8M3VrBfLy8c3gWD1C/GnotqwU3\
    WJWMEiFIWVdZ5eY4+TxbfqrWXLVYpSO2cs9lFArEookQWxsRj5BzBPgiZdhb8UkCgYAEdiqQEVQ/mAAd3N8kcQGOErNIK09L06ZG\
    8Au2UyfL0aWH1dJi+enLEqaPcvzydJXCSc9zhRbXTX0CVC+jwwwMJk1UsoOyU8OV925jkedAj77VTvJZFkbnkpR6f6LXr4WpW9AE\
    nBcfizpTKzDF0e4ajH7DgZuBx4po8WphRqstQQKBgQCUg+eHt0XLHjwfeK/PmDk3/NHo9IIYc/jfl0aC5r5jBmVu8oA2jSeQpLrW\
    6xTf7tdSem6tJdnianHO5QDwoKL1oIx2GpBz8WanrnCFig1miSP/MSKYjdz9V/tfdxaMOpFdzx+/pToF4U5uD97lrHtlA/R+s2Qi\
    KGJdD5+DLc02mQKBgQChN2cDLTkMtPYopMoFGKTPrpy1SDwSwAjfriALu0hNYyg/b92WTVOaHTUuyE6RNsG6CJpH7591hM9M27tt\
    15kssbcaVwX6MQgBzEfyRaitJ+9+qPwiuchZwKOFipf7lPzcEiWwrZ6U8PnnZry7GcC3U0bSPdGQQW85+WEsnrhNlA==";
/// One of 1024 bits, which is too short.
const SHORT_RSA: &str = "\
    MIICXQIBAAKBgQC5XGR5q3SeIQblqcnGygF9q5/K3TokWNo+LkoO0k5nXFLueXjlespx4lNR8tswRokPxrTNKXTLryDGyGhaBHyw\
    UakNkceeXlty+vtyt8vtsRDNNLGyxP8kA12JshG2jQGu0+VINQR/zUcv4aVue9sYRzhhrBfgnGvZ9MlQjnTqywIDAQABAoGACHLA\
    lZcN8qMYuGD7tFbCqKKo3sskekGeeNUNRQ2qyyU3Fm1s6DCnh3dESujhupqMZq6s0OkBzMLHoKfDsc6gjCi6AEgaNPi3jZfXB81U\
    wZXRHw4PAQ8TNQInGYcrV8k0N6nrs3WKOb7h+aglJ8qnn85IUqTLzqoTToqtuZhijpkCQQD2o8moe8dBnhNNNfhASV8P8DNIVLU2\
    uUn8I4RwvlB6ZEFp7xnKZZsUwT80zeamwrgfFkzRr1rNoAl+wjsbAwWtAkEAwGVA/Q1a7sHNxpKDxxTyrvNyJBD11eYys6e/+5K9\
    BCFsi4bRfe5nJ3L0AeCI9nwCvyJCWifGskJKgX0/Q/ORVwJBAJG3sy0X9GGQQ1cay9EviDqib6oMYgQy9MNDOLxjtKibEwrDeTlb\
    ToS0p+NKwztDUAUN59T7BWr3YqTBnKoY3wECQQCLLvTz3ByDixrFY6sHc8UZAa76HnbqFg1p4JpHceFhwphW2+Jj2vsvE78oOHp8\
    7jvCcBNWS144CTMDOEtzahojAkAW2xswRfZ1hBrCL2RXj3Miqv+mS5iaKf3EXGUnzyjB3iL+N6UeaoHo3Z67s6Bxa1sC017gkByq\
    M1YCFIcr4+iR";
/// A key on P-256, as PKCS #8.
const P256: &str = "\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg3yQNQ+T+NZJeu0/Dhw3786gifL3rIPcpsM5SON1dgC+hRANCAASk\
    +ocapwhxoy3M0Y3Q25Uj2Gkr4o/cdehYFYpv1hGaZGG6c/hf3vK5WezLHzEDzl3l886eaIvO4zIk200R37uo";
/// Another one.
const OTHER_P256: &str = "\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgmWWqi8mtHaV92huvwUprRBsISdocQS+VVEdkVx4Jz9mhRANCAAS2\
    gdBHbq+qM1+ttUgw1SbkC2CKJBGy2uLz/IjPLJBdBBdQ0ZQ2KYZjbhEdVQTdZc+oub26+Y4/rqBmn9hSgUSl";
/// One on P-384.
const P384: &str = "\
    MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDAFrBWv4dkVGUEZBbtTE9JAs7n29vqc/KWPuy5f9TL29rY1GWj6CXTW\
    tgJhzcnJ8rGhZANiAAQKuXPpo7wVV+y9GLWqR32p7YJgenIx95bvXWJGH6LnwbVnEW+UPaBzekdUH0iFizQYzqr/fKovRvBTTxbE\
    x2QlV1HYrP+9+porJnJNB0rOnaFfPbkIRjfxRJAAQVKIky8=";
