//! Where the attachments of a packet stand in its JSON: `{"_placeholder":true,"num":0}`. Each has one place, and
//! each such place is one attachment's.

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Whether the placeholders in this JSON are 0 to `attachments` - 1, each once.
pub(super) fn are_whole(json: &str, attachments: u8) -> bool {
    let mut places = Places { attachments, used: 0 };
    let mut reader = serde_json::Deserializer::from_str(json);
    (&mut places).deserialize(&mut reader).is_ok() && places.used.count_ones() == u32::from(attachments)
}

struct Places {
    attachments: u8,
    /// A bit for each attachment that has its place.
    used: u16,
}

/// As much of a value as a placeholder is known by.
enum Value {
    True,
    Integer(u64),
    Other,
}

impl Places {
    fn place(&mut self, number: Option<u64>) -> Option<()> {
        let number = number.filter(|number| *number < u64::from(self.attachments))?;
        let bit = 1 << number;
        let free = self.used & bit == 0;
        self.used |= bit;
        free.then_some(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut Places {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Places {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(if value { Value::True } else { Value::Other })
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }
    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Other)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }
    fn visit_str<E>(self, _: &str) -> Result<Value, E> {
        Ok(Value::Other)
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Other)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        while items.next_element_seed(&mut *self)?.is_some() {}
        Ok(Value::Other)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Value, A::Error> {
        let (mut is_placeholder, mut number, mut keys) = (false, None, 0);
        while let Some(key) = pairs.next_key::<String>()? {
            keys += 1;
            match (key.as_str(), pairs.next_value_seed(&mut *self)?) {
                ("_placeholder", Value::True) => is_placeholder = true,
                ("num", Value::Integer(value)) => number = Some(value),
                _ => {}
            }
        }
        if is_placeholder && (keys != 2 || self.place(number).is_none()) {
            return Err(A::Error::custom("a placeholder that names no attachment of its own"));
        }
        Ok(Value::Other)
    }
}
