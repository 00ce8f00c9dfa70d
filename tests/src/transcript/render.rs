//! What follows, as text that is the same every time: ids are named at their first appearance, times are left
//! out, long runs of one character are counted.

use super::deed::{RECORD, RECORD_SHOWN};
use super::play::{Answer, Heard};
use super::provider;
use parlor_protocol::metrics::MEDIA_TYPE;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The length of an id that the server makes: a word, `_`, 32 hexadecimal digits.
const DIGITS: usize = 32;
/// `2026-01-01T00:00:00.000Z`
const TIME_CHARS: usize = 24;
/// From how many equal characters on they are counted instead of shown.
const RUN_CHARS_MIN: usize = 64;
/// Headers of a response that a story shows, besides a content type that is not JSON.
const HEADERS: [&str; 9] = [
    "access-control-allow-methods",
    "access-control-allow-origin",
    "allow",
    "content-disposition",
    "content-security-policy",
    "retry-after",
    "sec-websocket-version",
    "upgrade",
    "vary",
];
/// Numbers that differ from one time to the next.
const NUMBERS: [&str; 7] = ["retryAfterMs", "uptimeSeconds", "memoryBytes", "in", "out", "p50", "p99"];

/// The names that were given so far.
#[derive(Debug, Default)]
pub struct Names {
    by_id: BTreeMap<String, String>,
    counts: BTreeMap<String, u32>,
    /// Where each connection came in.
    targets: BTreeMap<String, String>,
    /// The last time that each connection heard of a message, by room.
    heard_at: BTreeMap<(String, String), String>,
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

    /// A connection comes in.
    pub fn comes(&mut self, connection: &str, target: &str) {
        self.targets.insert(connection.to_string(), target.to_string());
    }

    /// What a connection heard, as lines.
    pub fn heard(&mut self, connection: &str, heard: &Heard) -> String {
        match heard {
            Heard::Open(None) => format!("  {connection}: open\n"),
            Heard::Open(Some(protocol)) => format!("  {connection}: open, subprotocol {protocol}\n"),
            Heard::Text(text) => {
                self.check_time(connection, text);
                format!("  {connection} < {}\n", self.text(text))
            }
            Heard::Binary(bytes) => {
                let target = self.targets.get(connection).map_or("", String::as_str);
                let words = match target {
                    target if target.starts_with("/yjs/") => provider::shown_y_websocket(bytes),
                    target if target.starts_with("/hocuspocus") => provider::shown_hocuspocus(bytes),
                    _ => None,
                };
                let words = words.unwrap_or_else(|| format!("binary {}", provider::hex(bytes)));
                format!("  {connection} < {words}\n")
            }
            Heard::Ping => format!("  {connection} < ping\n"),
            Heard::Pong => format!("  {connection} < pong\n"),
            Heard::Close(code, reason) => {
                format!("  {connection} < close {code} {reason}").trim_end().to_string() + "\n"
            }
            Heard::Lost => format!("  {connection}: connection lost\n"),
        }
    }

    /// What a request was answered, as lines.
    pub fn answer(&mut self, answer: &Answer) -> String {
        let mut text = format!("  = {}", answer.status);
        let (mut markup, mut file) = (false, false);
        let for_pages = answer.headers.iter().any(|(name, _)| name == "access-control-allow-origin");
        for (name, value) in &answer.headers {
            let shown = match name.as_str() {
                "content-type" => {
                    (markup, file) = (value.starts_with("text/"), answer.is_file);
                    value != "application/json" && !file
                }
                // Every answer has it; it is shown with what it is about.
                "vary" if value == "Origin" => for_pages,
                name => HEADERS.contains(&name) && !answer.is_file,
            };
            if shown {
                write!(text, " [{name}: {value}]").expect("a String takes all");
            }
        }
        let metrics = answer.headers.iter().any(|(_, value)| value == MEDIA_TYPE);
        let body = if metrics { samples(&answer.body) } else { self.text(&answer.body) };
        match (file || answer.is_file, markup) {
            (true, _) => text.push_str(" a file of the console"),
            (false, true) => {
                body.lines().for_each(|line| write!(text, "\n    | {line}").expect("a String takes all"))
            }
            (false, false) => text.extend([" ", &body]),
        }
        text.trim_end().to_string() + "\n"
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
                write!(text, "\"{key}\":<n>").expect("a String takes all");
                length
            } else {
                let run = rest.chars().take_while(|next| *next == char).count();
                match run >= RUN_CHARS_MIN {
                    true => {
                        write!(text, "<{char}*{run}>").expect("a String takes all");
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

    /// Times on the wire do not go back: within what is listed, and from one message of a room to the next.
    fn check_time(&mut self, connection: &str, text: &str) {
        let Ok(frame) = serde_json::from_str::<serde_json::Value>(text) else { return };
        let data = if frame["data"].is_object() { &frame["data"] } else { &frame };
        for list in ["history", "messages"] {
            let times: Vec<_> = data[list].as_array().into_iter().flatten().map(time_of).collect();
            assert!(times.is_sorted(), "times go back in {text}");
        }
        let heard = (connection.to_string(), data["roomId"].to_string());
        if frame["event"] == "chat:room:joined" {
            self.heard_at.remove(&heard);
        }
        if frame["event"] == "chat:message:received" {
            let last = self.heard_at.insert(heard, time_of(data));
            assert!(last.is_none_or(|last| last <= time_of(data)), "time goes back at {text}");
        }
    }
}

/// Metrics without their numbers.
fn samples(text: &str) -> String {
    let version = concat!("version=\"", env!("CARGO_PKG_VERSION"), "\"");
    let lines = text.lines().map(|line| match line.rsplit_once(' ') {
        Some((sample, _)) if !line.starts_with('#') => format!("{sample} <n>\n"),
        Some(_) | None => format!("{line}\n"),
    });
    lines.collect::<String>().replace(version, "version=\"<version>\"")
}

fn time_of(value: &serde_json::Value) -> String {
    ["at", "timestamp"].iter().find_map(|key| value[*key].as_str()).unwrap_or_default().to_string()
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
