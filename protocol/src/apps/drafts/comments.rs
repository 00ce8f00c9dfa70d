//! The comments of a draft, folded from its log: what the list shows, and what a new one may continue.

use super::command::Anchor;
use super::log::Words;
use crate::ids::Seq;
use crate::json::Json;
use crate::refusal::{Code, Refusal};
use crate::store::Entry;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many comments a draft may have.
const COMMENTS_MAX: usize = 10_000;
/// How many bytes their texts may have together.
const TEXTS_BYTES_MAX: usize = 1 << 20;

/// All comments of a draft, in the order of its log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comments {
    all: Vec<Comment>,
    /// The threads that are settled, and who settled them last.
    resolved: BTreeMap<Arc<str>, Seq>,
    #[serde(skip)]
    threads: BTreeSet<Arc<str>>,
    bytes: usize,
}

/// One comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Comment {
    thread_id: Arc<str>,
    comment_id: Arc<str>,
    user_id: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    name: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    anchor: Option<Anchor>,
    text: String,
    seq: Seq,
    at: String,
}

impl Comments {
    /// The same, as it is read from a snapshot.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut comments: Self = serde_json::from_slice(bytes).ok()?;
        comments.threads = comments.all.iter().map(|comment| comment.thread_id.clone()).collect();
        Some(comments)
    }

    /// What `read` reads.
    pub fn kept(&self) -> Bytes {
        Json::of(self).as_str().to_string().into()
    }

    /// Takes in what an entry says. One that is known already changes nothing.
    pub fn fold(&mut self, entry: &Entry, words: &Words) {
        match words {
            Words::Comment { thread_id, name, anchor, text } => {
                if self.all.last().is_some_and(|last| last.seq >= entry.seq) {
                    return;
                }
                self.bytes += text.len();
                self.threads.insert(thread_id.clone());
                self.all.push(Comment {
                    thread_id: thread_id.clone(),
                    comment_id: entry.id.0.clone(),
                    user_id: entry.author.0.clone(),
                    name: name.clone(),
                    anchor: anchor.clone(),
                    text: text.clone(),
                    seq: entry.seq,
                    at: entry.at.to_string(),
                });
            }
            Words::Resolve { thread_id, resolved: true, .. } => {
                self.resolved.insert(thread_id.clone(), entry.seq);
            }
            Words::Resolve { thread_id, resolved: false, .. } => {
                self.resolved.remove(thread_id);
            }
        }
    }

    /// Whether one more of this length may be kept.
    pub fn takes(&self, text: &str) -> Result<(), Refusal> {
        if self.all.len() >= COMMENTS_MAX {
            let actual = self.all.len() + 1;
            let message = format!("a draft of {actual} comments is over the limit of {COMMENTS_MAX}");
            let details = json!({"limit": COMMENTS_MAX, "actual": actual});
            return Err(Refusal::new(Code::TooLarge, message).with(details));
        }
        match self.bytes + text.len() {
            bytes if bytes > TEXTS_BYTES_MAX => {
                Err(Refusal::too_large("the draft's comments", bytes, TEXTS_BYTES_MAX))
            }
            _ => Ok(()),
        }
    }

    /// Whether there is such a thread.
    pub fn has_thread(&self, thread: &str) -> bool {
        self.threads.contains(thread)
    }

    /// All of them, thread by thread, for a list.
    pub fn listed(&self) -> Value {
        let mut threads: Vec<Value> = Vec::new();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for comment in &self.all {
            let place = *places.entry(&comment.thread_id).or_insert_with(|| {
                let resolved = self.resolved.contains_key(&comment.thread_id);
                threads.push(json!({"threadId": comment.thread_id, "resolved": resolved, "comments": []}));
                threads.len() - 1
            });
            if let Some(comments) = threads[place]["comments"].as_array_mut() {
                comments.push(json!(comment));
            }
        }
        Value::Array(threads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::RoomId;
    use crate::time::Timestamp;

    fn entry(seq: u64) -> Entry {
        let (id, at, body) = (format!("c{seq}").into(), Timestamp(0), Bytes::new());
        Entry { room: RoomId::draft("d"), seq: Seq(seq), id, author: "ada".into(), at, body }
    }

    fn comment(thread: &str, text: &str) -> Words {
        Words::Comment { thread_id: thread.into(), name: None, anchor: None, text: text.into() }
    }

    #[test]
    fn comments_are_listed_by_thread_and_survive_a_snapshot() {
        let mut comments = Comments::default();
        comments.fold(&entry(1), &comment("c1", "one"));
        comments.fold(&entry(2), &comment("c2", "two"));
        comments.fold(&entry(3), &comment("c1", "three"));
        comments.fold(&entry(3), &comment("c1", "three"));
        comments.fold(&entry(4), &Words::Resolve { thread_id: "c1".into(), resolved: true, name: None });
        let listed = comments.listed();
        let texts = |thread: usize| -> Vec<&str> {
            let list = listed[thread]["comments"].as_array().expect("a list");
            list.iter().filter_map(|comment| comment["text"].as_str()).collect()
        };
        assert_eq!((texts(0), texts(1)), (vec!["one", "three"], vec!["two"]));
        assert_eq!((&listed[0]["resolved"], &listed[1]["resolved"]), (&json!(true), &json!(false)));
        let read = Comments::read(&comments.kept()).expect("its own spelling");
        assert_eq!(read, comments);
        assert!(read.has_thread("c2") && !read.has_thread("c3"));
    }

    #[test]
    fn the_texts_of_all_comments_have_a_limit() {
        let mut comments = Comments::default();
        let text = "x".repeat(16 * 1024);
        for seq in 1..=64 {
            assert_eq!(comments.takes(&text), Ok(()));
            comments.fold(&entry(seq), &comment("c1", &text));
        }
        let refusal = comments.takes("x").expect_err("a mebibyte is full");
        assert_eq!(refusal.message, "the draft's comments of 1048577 bytes is over the limit of 1048576");
    }
}
