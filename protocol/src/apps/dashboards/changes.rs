//! Values as clients write them: JSON that is carried as it came, and what a change does to the fields of a widget.

use crate::json::Json;
use crate::refusal::Refusal;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// How long the name of a field may be (WIRE §0.6).
pub const NAME_BYTES_MAX: usize = 255;

/// One JSON value, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw(Arc<str>);

/// Top-level fields of a widget and what they become; `None`: the field is removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes(pub BTreeMap<Arc<str>, Option<Raw>>);

impl Raw {
    /// `value` as JSON.
    pub fn of(value: &impl Serialize) -> Self {
        Self(Json::of(value).as_str().into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both say the same, however they are written.
    pub fn says(&self, other: &Self) -> bool {
        let value = |raw: &Self| serde_json::from_str::<serde_json::Value>(&raw.0).ok();
        self == other || value(self).is_some_and(|said| value(other) == Some(said))
    }

    /// The fields of an object, those that are `null` left out.
    pub fn fields(&self) -> Option<Changes> {
        let Changes(fields) = crate::json::object::<Changes>(&self.0).ok()?;
        Some(Changes(fields.into_iter().filter(|(_, value)| value.is_some()).collect()))
    }
}

impl From<&RawValue> for Raw {
    fn from(value: &RawValue) -> Self {
        Self(value.get().into())
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(reader).map(Self::from)
    }
}

impl Changes {
    /// The bytes of the fields' names and values.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| field_bytes(name, value.as_ref())).sum()
    }

    /// Refuses names that are too long: what was removed is remembered by them.
    pub fn checked_names(&self) -> Result<(), Refusal> {
        match self.0.keys().map(|name| name.len()).find(|bytes| *bytes > NAME_BYTES_MAX) {
            Some(actual) => Err(Refusal::too_large("name of a field", actual, NAME_BYTES_MAX)),
            None => Ok(()),
        }
    }

    /// Whether both say the same, however they are written.
    pub fn says(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().zip(&other.0).all(|((name, value), (other_name, other_value))| {
                let same = match (value, other_value) {
                    (Some(value), Some(other)) => value.says(other),
                    (None, None) => true,
                    (Some(_), None) | (None, Some(_)) => false,
                };
                name == other_name && same
            })
    }

    /// The fields that stand, as a value.
    pub fn standing(&self) -> Self {
        let standing = self.0.iter().filter(|(_, value)| value.is_some());
        Self(standing.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// As a JSON object, a removed field `null`.
    pub fn write(&self, to: &mut String) {
        let fields = self.0.iter().map(|(name, value)| (&**name, value.as_ref().map_or("null", Raw::as_str)));
        write_object(to, fields);
    }
}

/// How many bytes a field counts.
pub fn field_bytes(name: &str, value: Option<&Raw>) -> usize {
    name.len() + value.map_or(0, |value| value.0.len())
}

/// Writes an object of fields whose values are JSON.
pub fn write_object<'a>(to: &mut String, fields: impl Iterator<Item = (&'a str, &'a str)>) {
    to.push('{');
    for (place, (name, value)) in fields.enumerate() {
        if place > 0 {
            to.push(',');
        }
        write_text(to, name);
        to.push(':');
        to.push_str(value);
    }
    to.push('}');
}

/// Writes a string as JSON.
pub fn write_text(to: &mut String, text: &str) {
    let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        to.push('"');
        to.push_str(text);
        to.push('"');
    } else {
        to.push_str(&serde_json::Value::from(text).to_string());
    }
}

impl<'de> Deserialize<'de> for Changes {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Changes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Changes, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some(name) = pairs.next_key::<Name<'de>>()? {
                    let value = pairs.next_value::<&RawValue>()?;
                    let value = (value.get() != "null").then(|| Raw::from(value));
                    fields.insert(Arc::from(name.0), value);
                }
                Ok(Changes(fields))
            }
        }
        reader.deserialize_map(Fields)
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(text: &str) -> Changes {
        serde_json::from_str(text).expect("an object")
    }

    #[test]
    fn values_are_carried_as_they_came_and_compared_by_what_they_say() {
        let came = changes(r#"{"b": [1,  2],"a\n":{"x":1,"y":2},"gone":null}"#);
        let mut written = String::new();
        came.write(&mut written);
        assert_eq!(written, r#"{"a\n":{"x":1,"y":2},"b":[1,  2],"gone":null}"#);
        assert!(came.says(&changes(r#"{"a\n":{"y":2,"x":1},"b":[1,2],"gone":null}"#)));
        for other in [
            r#"{"a\n":{"y":2,"x":1},"b":[2,1],"gone":null}"#,
            r#"{"a\n":{"y":2,"x":1},"b":[1,2]}"#,
            r#"{"a\n":{"y":2,"x":1},"b":[1,2],"gone":0}"#,
        ] {
            assert!(!came.says(&changes(other)), "{other}");
        }
        assert_eq!(came.bytes(), 1 + 7 + 2 + 13 + 4);
        assert_eq!(came.standing(), changes(r#"{"b": [1,  2],"a\n":{"x":1,"y":2}}"#));
    }

    #[test]
    fn only_an_object_has_fields() {
        let raw = |text: &str| serde_json::from_str::<Raw>(text).expect("JSON");
        assert_eq!(raw(r#"{"a":1,"b":null}"#).fields(), Some(changes(r#"{"a":1}"#)));
        assert_eq!((raw("[1]").fields(), raw("7").fields()), (None, None));
    }
}
