//! The gate before any JSON of a client is read: depth, number of keys, and no key twice, so that what we
//! read is what every other reader would (RELIABILITY §A3). serde_json has refused the rest: NaN, lone
//! surrogates, a byte order mark.

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;

/// How deep arrays and objects may nest.
pub const DEPTH_MAX: usize = 32;
/// How many keys one object may have.
pub const KEYS_MAX: usize = 256;
/// The same in the layout of a dashboard, which may name each of its widgets.
pub const LAYOUT_KEYS_MAX: usize = 1_000;
/// The keys under which layouts stand in the calls of dashboards.
const LAYOUTS: [&str; 2] = ["layout", "value"];

/// A JSON text that is known to be whole and valid: data on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(String);

impl Json {
    /// `value` as JSON.
    pub fn of(value: &impl Serialize) -> Self {
        Self(serde_json::to_string(value).unwrap_or_else(|error| {
            debug_assert!(false, "data that JSON cannot write: {error}");
            "null".to_string()
        }))
    }

    /// A text that was put together from what is known to be JSON.
    pub fn written(text: String) -> Self {
        debug_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(), "no JSON: {text}");
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Looks at a client's JSON text once: whether it is JSON, not too deep, and every object's keys are few
/// and differ. The error says what is wrong.
pub fn check(text: &[u8]) -> Result<(), String> {
    Checked { depth: 0, keys_max: KEYS_MAX, large: None }.check(text)
}

/// The same where a dashboard's layout may stand in it. Whether there is an object of so many keys as only that may have.
pub fn check_with_layouts(text: &[u8]) -> Result<bool, String> {
    let large = Cell::new(false);
    Checked { depth: 0, keys_max: KEYS_MAX, large: Some(&large) }.check(text)?;
    Ok(large.get())
}

/// Why an object is not let through, where it is no layout's.
pub fn too_many_keys(keys_max: usize) -> String {
    format!("an object of over {keys_max} keys")
}

/// Reads an object. serde would take an array for one, its values in the order of our fields.
pub fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    match text.trim_start().starts_with('{') {
        true => serde_json::from_str(text).map_err(|error| error.to_string()),
        false => Err("not an object".to_string()),
    }
}

/// The seed of one value at a depth.
#[derive(Clone, Copy)]
struct Checked<'c> {
    depth: usize,
    keys_max: usize,
    /// Set when a layout has many keys; `None`: no layout stands here.
    large: Option<&'c Cell<bool>>,
}

impl Checked<'_> {
    fn check(self, text: &[u8]) -> Result<(), String> {
        let mut reader = serde_json::Deserializer::from_slice(text);
        self.deserialize(&mut reader).map_err(|error| error.to_string())?;
        reader.end().map_err(|error| error.to_string())
    }

    fn under(self, key: &str) -> Self {
        match self.large.is_some() && LAYOUTS.contains(&key) {
            true => Self { keys_max: LAYOUT_KEYS_MAX, ..self },
            false => self,
        }
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        match self.depth < DEPTH_MAX {
            true => Ok(Self { depth: self.depth + 1, ..self }),
            false => Err(E::custom(format_args!("nested deeper than {DEPTH_MAX}"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Checked<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checked<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?;
        while items.next_element_seed(deeper)?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?;
        let mut keys = BTreeSet::new();
        while let Some(key) = pairs.next_key::<Key<'de>>()? {
            if keys.len() == self.keys_max {
                return Err(A::Error::custom(too_many_keys(self.keys_max)));
            }
            if keys.len() == KEYS_MAX {
                self.large.inspect(|large| large.set(true));
            }
            let of_key = deeper.under(&key.0);
            if let Some(twice) = keys.replace(key) {
                return Err(A::Error::custom(format_args!("the key {:?} twice", twice.0)));
            }
            pairs.next_value_seed(of_key)?;
        }
        Ok(())
    }
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        check(text.as_bytes()).expect_err(text)
    }

    #[test]
    fn what_readers_could_read_in_two_ways_is_refused() {
        assert_eq!(check(br#"{"a":[1,-2,3.5,true,null,"x"],"b":{"a":1}}"#), Ok(()));
        assert!(wrong(r#"{"a":1,"b":2,"a":3}"#).starts_with("the key \"a\" twice"));
        assert!(wrong(r#"{"a":1,"\u0061":3}"#).starts_with("the key \"a\" twice"));
        for text in ["", "{", "{} {}", "[1,]", "NaN", "1e400", "\u{feff}{}", r#""\ud800""#, "{'a':1}"] {
            wrong(text);
        }
        assert!(check(b"\"\xff\"").is_err());
    }

    #[test]
    fn the_level_and_the_key_over_the_limit_are_refused() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(check(nested(DEPTH_MAX).as_bytes()), Ok(()));
        assert!(wrong(&nested(DEPTH_MAX + 1)).starts_with("nested deeper than 32"));
        assert!(check(nested(100_000).as_bytes()).is_err());
        let object = |keys: usize| {
            let pairs: Vec<_> = (0..keys).map(|key| format!("\"{key}\":0")).collect();
            format!("{{{}}}", pairs.join(","))
        };
        assert_eq!(check(object(KEYS_MAX).as_bytes()), Ok(()));
        assert!(wrong(&object(KEYS_MAX + 1)).starts_with("an object of over 256 keys"));

        let within = |key: &str, keys: usize| {
            check_with_layouts(format!(r#"{{"a":[{{"{key}":{}}}]}}"#, object(keys)).as_bytes())
        };
        for key in LAYOUTS {
            assert_eq!((within(key, KEYS_MAX), within(key, KEYS_MAX + 1)), (Ok(false), Ok(true)));
            assert_eq!(within(key, LAYOUT_KEYS_MAX), Ok(true));
            let why = within(key, LAYOUT_KEYS_MAX + 1).expect_err(key);
            assert!(why.starts_with("an object of over 1000 keys"), "{why}");
        }
        assert!(within("else", KEYS_MAX + 1).expect_err("else").starts_with("an object of over 256 keys"));
        wrong(&format!(r#"{{"layout":{}}}"#, object(KEYS_MAX + 1)));
    }
}
