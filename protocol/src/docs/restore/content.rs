//! What a document holds, as JSON that two documents can be compared by. Numbers are written by their bits where
//! decimals could differ, and what JSON does not have by name.

use super::tree::{Content, Kind, Sequence, Tree, Value};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use yrs::{Any, Number};

/// A tree as JSON: its text or its list, and what stands under its keys.
pub(super) fn tree(tree: &Tree) -> Json {
    let keys: Map<String, Json> = tree.keys.iter().map(|(key, it)| (key.to_string(), value(it))).collect();
    match &tree.sequence {
        Sequence::List(items) => json!({"list": items.iter().map(value).collect::<Vec<_>>(), "keys": keys}),
        Sequence::Text(pieces) => {
            let mut joined: Vec<(Json, Json)> = Vec::new();
            for piece in pieces {
                let format: Map<String, Json> =
                    piece.format.iter().map(|(key, it)| (key.to_string(), any(it))).collect();
                let format = Json::from(format);
                match (&piece.content, joined.last_mut()) {
                    (Content::Text(text), Some((Json::String(last), last_format)))
                        if *last_format == format =>
                    {
                        last.push_str(text);
                    }
                    (Content::Text(text), _) => joined.push((json!(**text), format)),
                    (Content::Embed(embed), _) => joined.push((value(embed), format)),
                }
            }
            json!({"text": joined, "keys": keys})
        }
    }
}

fn value(value: &Value) -> Json {
    match value {
        Value::Any(it) => json!({"any": any(it)}),
        Value::Type(kind, it) => {
            let kind = match kind {
                Kind::Text => "YText".to_string(),
                Kind::Array => "YArray".to_string(),
                Kind::Map => "YMap".to_string(),
                Kind::XmlElement(tag) => format!("YXmlElement {tag}"),
                Kind::XmlFragment => "YXmlFragment".to_string(),
                Kind::XmlText => "YXmlText".to_string(),
            };
            json!({"type": kind, "of": tree(it)})
        }
    }
}

fn any(it: &Any) -> Json {
    match it {
        Any::Null => Json::Null,
        Any::Undefined => json!({"undefined": true}),
        Any::Bool(it) => json!(it),
        Any::Number(Number::Int(it)) => number(*it as f64),
        Any::Number(Number::Float(it)) => number(*it),
        Any::String(it) => json!(**it),
        Any::Buffer(it) => json!({"buffer": it.iter().map(|byte| format!("{byte:02x}")).collect::<String>()}),
        Any::Array(items) => items.iter().map(any).collect(),
        Any::Map(pairs) => {
            let pairs: Map<String, Json> = pairs.iter().map(|(key, it)| (key.clone(), any(it))).collect();
            json!({"map": pairs})
        }
    }
}

fn number(it: f64) -> Json {
    match it {
        _ if it.is_nan() => json!({"number": "nan"}),
        _ if it == 0.0 => json!({"number": "0"}),
        _ => json!({"number": format!("{:016x}", it.to_bits())}),
    }
}

/// What each root holds.
pub(super) fn roots(trees: BTreeMap<Arc<str>, Tree>) -> Json {
    trees.iter().map(|(name, it)| (name.to_string(), tree(it))).collect::<Map<_, _>>().into()
}
