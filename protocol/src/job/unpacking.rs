//! A large message of 003's JSON, taken apart outside the lock.

use crate::apps::drafts::read_bytes;
use crate::json;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What a large message brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpacked {
    /// Its type.
    pub name: String,
    /// Its bytes.
    pub bytes: Bytes,
    /// Whether they came in base64.
    pub base64: bool,
    /// Its id.
    pub id: Option<String>,
}

#[derive(Deserialize)]
struct Spelled<'a> {
    #[serde(rename = "type")]
    name: String,
    #[serde(borrow)]
    data: &'a RawValue,
    id: Option<String>,
}

/// Reads it; or says what is wrong with it.
pub(super) fn unpack(text: &Bytes) -> Result<Unpacked, String> {
    json::check(text)?;
    let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
    let Spelled { name, data, id } = json::object(text)?;
    let (bytes, base64) = read_bytes(data.get(), &[]).map_err(|refusal| refusal.message.into_owned())?;
    Ok(Unpacked { name, bytes, base64, id })
}
