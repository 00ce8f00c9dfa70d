//! What the server says, as text that is the same every time: ids are named at their first appearance, times are left
//! out, long runs of one character are counted.

use std::collections::BTreeMap;
use std::fmt::Write;

/// The length of an id that the server makes: a word, `_`, 32 hexadecimal digits.
const DIGITS: usize = 32;
/// `2026-01-01T00:00:00.000Z`
const TIME_CHARS: usize = 24;
/// From how many equal characters on they are counted instead of shown.
const RUN_CHARS_MIN: usize = 64;
/// Numbers that differ from one time to the next.
const NUMBERS: [&str; 7] = ["retryAfterMs", "uptimeSeconds", "memoryBytes", "in", "out", "p50", "p99"];

/// What stands between two packets of a payload, and how it is written so that it can be seen.
pub const RECORD: &str = "\u{1e}";
/// See `RECORD`.
pub const RECORD_SHOWN: &str = "␞";

/// The names that were given so far.
#[derive(Debug, Default)]
pub struct Names {
    by_id: BTreeMap<String, String>,
    counts: BTreeMap<String, u32>,
}

impl Names {
    /// The text with ids in place of their names. The error is a name that nothing has yet.
    pub fn resolve(&self, text: &str) -> Result<String, String> {
        let mut resolved = text.to_string();
        for (id, name) in &self.by_id {
            resolved = resolved.replace(name.as_str(), id);
        }
        Ok(resolved)
    }

    /// Text with names in place of ids, and without what differs from one time to the next.
    pub fn text(&mut self, raw: &str) -> String {
        let raw = raw.replace(RECORD, RECORD_SHOWN);
        let mut text = String::with_capacity(raw.len());
        let mut rest = raw.as_str();
        let mut before = None;
        while let Some(char) = rest.chars().next() {
            let taken = if let Some(length) = id_length(rest, before) {
                text.push_str(&self.name(&rest[..length]));
                length
            } else if is_time(rest) {
                text.push_str("<time>");
                TIME_CHARS
            } else if let Some((key, length)) = number(rest) {
                write!(text, "\"{key}\":<n>").unwrap_or_default();
                length
            } else {
                let run = rest.chars().take_while(|next| *next == char).count();
                match run >= RUN_CHARS_MIN {
                    true => {
                        write!(text, "<{char}*{run}>").unwrap_or_default();
                        run * char.len_utf8()
                    }
                    false => {
                        text.push(char);
                        char.len_utf8()
                    }
                }
            };
            before = rest[..taken].chars().next_back();
            rest = &rest[taken..];
        }
        text.replace(concat!("\"version\":\"", env!("CARGO_PKG_VERSION"), "\""), "\"version\":\"<version>\"")
    }

    fn name(&mut self, id: &str) -> String {
        if let Some(name) = self.by_id.get(id) {
            return name.clone();
        }
        let kind = id.split('_').next().unwrap_or_default().to_string();
        let count = self.counts.entry(kind.clone()).or_default();
        *count += 1;
        let name = format!("<{kind}-{count}>");
        self.by_id.insert(id.to_string(), name.clone());
        name
    }
}

/// How long the id is that begins here, if one does.
fn id_length(text: &str, before: Option<char>) -> Option<usize> {
    if before.is_some_and(|char| char.is_ascii_alphanumeric() || char == '_') {
        return None;
    }
    let word = text.find(|char: char| !char.is_ascii_lowercase())?;
    let digits = text[word..].strip_prefix('_')?;
    let count = digits.bytes().take_while(u8::is_ascii_hexdigit).count();
    (word > 0 && count == DIGITS).then_some(word + 1 + DIGITS)
}

fn is_time(text: &str) -> bool {
    let pattern = "dddd-dd-ddTdd:dd:dd.dddZ";
    let mut chars = text.bytes();
    pattern.bytes().all(|wanted| match (wanted, chars.next()) {
        (b'd', Some(char)) => char.is_ascii_digit(),
        (wanted, char) => char == Some(wanted),
    })
}

/// A member of an object whose number differs from one time to the next, and how long it is.
fn number(text: &str) -> Option<(&'static str, usize)> {
    NUMBERS.iter().find_map(|key| {
        let digits = text.strip_prefix('"')?.strip_prefix(key)?.strip_prefix("\":")?;
        let count = digits.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        (count > 0).then_some((*key, key.len() + 3 + count))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_named_in_the_order_in_which_they_appear() {
        let mut names = Names::default();
        let (first, second) = ("0".repeat(32), "a".repeat(32));
        let text =
            format!("msg_{first} ses_{first} msg_{second} msg_{first} xmsg_{first}0 doc-of-ses_{first}");
        let named = names.text(&text);
        assert!(named.starts_with("<msg-1> <ses-1> <msg-2> <msg-1> xmsg_"), "{named}");
        assert!(named.ends_with("doc-of-<ses-1>"), "{named}");
        assert_eq!(names.resolve("to <ses-1>"), Ok(format!("to ses_{first}")));
    }

    #[test]
    fn what_differs_from_one_time_to_the_next_is_left_out() {
        let raw = r#"{"at":"2026-01-01T00:00:00.000Z","retryAfterMs":59990,"content":"#.to_string()
            + &"x".repeat(100);
        assert_eq!(Names::default().text(&raw), r#"{"at":"<time>","retryAfterMs":<n>,"content":<x*100>"#);
    }
}
