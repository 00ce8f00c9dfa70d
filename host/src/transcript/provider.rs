//! The binary messages of Yjs providers in words: `update 010201…`, `awareness 1 2 {"x":1}`; over `/hocuspocus` the draft
//! stands in front.

use bytes::Bytes;
use parlor_protocol::y_sync::awareness::{self, State};
use parlor_protocol::y_sync::hocuspocus::{Frame, Said};
use parlor_protocol::y_sync::{Message, SyncMessage, read};
use std::fmt::Write;

/// Bytes as pairs of hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A frame of a server of `y-websocket` in words, if it is one.
pub fn shown_y_websocket(frame: &[u8]) -> Option<String> {
    Some(match read(&Bytes::copy_from_slice(frame)).ok()? {
        Message::Sync(sync) => shown_sync(&sync),
        Message::Awareness(states) => shown_states(&states),
        Message::QueryAwareness => "query-awareness".to_string(),
        Message::Denied(reason) => format!("denied {reason}"),
    })
}

/// A frame of a Hocuspocus server in words, if it is one.
pub fn shown_hocuspocus(frame: &[u8]) -> Option<String> {
    let (document, said) = match Frame::read(&Bytes::copy_from_slice(frame)).ok()? {
        Frame::Ping => return Some("ping".to_string()),
        Frame::Pong => return Some("pong".to_string()),
        Frame::Said { document, said } => (document, said),
    };
    let words = match said {
        Said::Sync(sync) => shown_sync(&sync),
        Said::SyncReply(sync) => format!("reply {}", shown_sync(&sync)),
        Said::Awareness(states) => shown_states(&states),
        Said::QueryAwareness => "query-awareness".to_string(),
        Said::Auth { .. } => "auth".to_string(),
        Said::AskToken => "token?".to_string(),
        Said::Authenticated { read_only } => {
            format!("authenticated {}", if read_only { "readonly" } else { "read-write" })
        }
        Said::Denied(reason) => format!("denied {reason}"),
        Said::Stateless(text) | Said::BroadcastStateless(text) => format!("stateless {text}"),
        Said::Close(reason) => format!("close {}", reason.unwrap_or_default()),
        Said::SyncStatus(taken) => format!("sync-status {}", u8::from(taken)),
    };
    Some(format!("{document} {words}"))
}

fn shown_sync(sync: &SyncMessage) -> String {
    match sync {
        SyncMessage::Step1(vector) => format!("step1 {}", hex(vector)),
        SyncMessage::Step2(update) => format!("step2 {}", hex(update)),
        SyncMessage::Update(update) => format!("update {}", hex(update)),
    }
}

fn shown_states(states: &[u8]) -> String {
    let mut text = "awareness".to_string();
    for State { client, clock, state } in awareness::read(states).unwrap_or_default() {
        let state = state.as_deref().unwrap_or("null");
        write!(text, " {client} {clock} {state}").unwrap_or_default();
    }
    text
}
