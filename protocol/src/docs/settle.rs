//! Writes an update again as it would be in any run: `yrs` keeps the keys of maps in an order that differs from
//! run to run, and joins what is deleted more or less.

use super::document::write_deletes;
use super::lib0::{Reader, write_buffer, write_number};
use super::scan::{Id, REF_ANY, REF_DELETED, REF_EMBED, REF_FORMAT, REF_GC, Section, Struct, scan};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The same update, settled. What does not pass the scan is not given out.
pub(super) fn settle(update: &[u8]) -> Result<Vec<u8>, String> {
    let scanned = scan(update, usize::MAX)?;
    let mut out = Vec::with_capacity(update.len());
    let mut sections: Vec<&Section> = scanned.sections.iter().collect();
    sections.sort_by_key(|section| std::cmp::Reverse(section.client));
    write_number(&mut out, sections.len() as u64);
    for section in sections {
        let first = section.structs.first().map_or(0, |first| first.clock);
        let joined = join(section);
        for number in [joined.len() as u64, section.client, u64::from(first)] {
            write_number(&mut out, number);
        }
        for part in joined {
            write(&mut out, update, &part)?;
        }
    }
    write_deletes(&mut out, &scanned.deletes);
    Ok(out)
}

/// A client's structs with the deleted items joined that follow each other: as one they say the same.
fn join(section: &Section) -> Vec<Cow<'_, Struct>> {
    let mut joined: Vec<Cow<'_, Struct>> = Vec::with_capacity(section.structs.len());
    for next in &section.structs {
        if let Some(last) = joined.last_mut()
            && last.kind() == REF_DELETED
            && next.kind() == REF_DELETED
            && next.origin == Some(Id { client: section.client, clock: next.clock - 1 })
            && last.right == next.right
            && last.end() == next.clock
        {
            last.to_mut().len += next.len;
        } else {
            joined.push(Cow::Borrowed(next));
        }
    }
    joined
}

fn write(out: &mut Vec<u8>, update: &[u8], part: &Struct) -> Result<(), String> {
    let content = &update[part.content.clone()];
    out.extend_from_slice(&update[part.whole.start..part.content.start]);
    let mut reader = Reader::new(content);
    match part.kind() {
        REF_GC | REF_DELETED => write_number(out, u64::from(part.len)),
        REF_ANY => {
            let count = reader.number()?;
            write_number(out, count);
            for _ in 0..count {
                write_value(out, &mut reader)?;
            }
        }
        REF_EMBED => write_json(out, reader.string()?)?,
        REF_FORMAT => {
            write_buffer(out, reader.string()?.as_bytes());
            write_json(out, reader.string()?)?;
        }
        _ => out.extend_from_slice(content),
    }
    Ok(())
}

/// Copies a value with the keys of its maps in order. It recurses as deep as the scan let it.
fn write_value(out: &mut Vec<u8>, reader: &mut Reader<'_>) -> Result<(), String> {
    let start = reader.at();
    match reader.peek()? {
        kind @ 117 => {
            reader.byte()?;
            let count = reader.number()?;
            out.push(kind);
            write_number(out, count);
            for _ in 0..count {
                write_value(out, reader)?;
            }
        }
        kind @ 118 => {
            reader.byte()?;
            let mut pairs = BTreeMap::new();
            for _ in 0..reader.number()? {
                let (key, mut value) = (reader.string()?, Vec::new());
                write_value(&mut value, reader)?;
                pairs.insert(key, value);
            }
            out.push(kind);
            write_number(out, pairs.len() as u64);
            for (key, value) in pairs {
                write_buffer(out, key.as_bytes());
                out.extend_from_slice(&value);
            }
        }
        _ => {
            reader.value()?;
            out.extend_from_slice(reader.since(start));
        }
    }
    Ok(())
}

fn write_json(out: &mut Vec<u8>, text: &str) -> Result<(), String> {
    let sorted = match text.contains('{') {
        true => Cow::Owned(sorted_json(text).map_err(|error| error.to_string())?),
        false => Cow::Borrowed(text),
    };
    write_buffer(out, sorted.as_bytes());
    Ok(())
}

/// JSON with its keys in order and its numbers as they were written. It recurses as deep as the scan let it.
fn sorted_json(text: &str) -> serde_json::Result<String> {
    match text.trim_start().as_bytes().first() {
        Some(b'{') => {
            let pairs: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
            let mut out = String::from("{");
            for (key, value) in pairs {
                let comma = if out.len() > 1 { "," } else { "" };
                out += &format!("{comma}{}:{}", serde_json::to_string(&key)?, sorted_json(value.get())?);
            }
            Ok(out + "}")
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            let items = items.into_iter().map(|item| sorted_json(item.get()));
            Ok(format!("[{}]", items.collect::<Result<Vec<_>, _>>()?.join(",")))
        }
        _ => Ok(text.to_string()),
    }
}
