//! An editor's end of the wire: it comes in as a provider of Yjs does, with nothing of its own yet, and is inside
//! once both have told each other what they have.

use crate::crowd::Say;
use crate::frames::{BINARY, masked};
use crate::target::{Target, draft, token};
use bytes::Bytes;
use parlor_protocol::y_sync::hocuspocus::{Frame, Said, Token};
use parlor_protocol::y_sync::{self, Malformed, Message, SyncMessage};
use std::sync::Arc;

/// The state vector of who has nothing, and the update that brings nothing.
const NOTHING_KNOWN: &[u8] = &[0];
const NOTHING_NEW: &[u8] = &[0, 0];

/// An editor.
#[derive(Debug)]
pub struct Provider {
    /// The draft that it names in each message, if it does.
    draft: Option<Arc<str>>,
    user: usize,
    told: bool,
    asked: bool,
}

/// What it heard.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// The whole document.
    State(Bytes),
    /// What somebody wrote.
    Update(Bytes),
    /// Anything else.
    Nothing,
}

impl Provider {
    /// One that edits this draft as this user.
    pub fn new(target: Target, number: usize, user: usize) -> Self {
        let draft = target.names_drafts().then(|| draft(number).into());
        Self { draft, user, told: false, asked: false }
    }

    /// Whether it has the document, and the server what it has.
    pub fn is_inside(&self) -> bool {
        self.told && self.asked
    }

    /// Its connection is upgraded.
    pub fn opened(&self, line: usize, say: &mut Say) {
        let first = match self.draft {
            Some(_) => Said::Auth { token: Token(token(self.user)), version: Some("4.7.0".to_string()) },
            None => Said::Sync(SyncMessage::Step1(Bytes::from_static(NOTHING_KNOWN))),
        };
        say.frame(line, self.frame(first));
    }

    /// A message came. The error is what an editor cannot go on with.
    pub fn heard(&mut self, line: usize, message: &[u8], say: &mut Say) -> Result<Heard, String> {
        let said = self.read(message).map_err(|malformed| malformed.why)?;
        match said {
            Said::Sync(SyncMessage::Update(update)) => return Ok(Heard::Update(update)),
            Said::Sync(SyncMessage::Step2(state)) => {
                self.told = true;
                return Ok(Heard::State(state));
            }
            Said::Sync(SyncMessage::Step1(_)) | Said::SyncReply(SyncMessage::Step1(_)) => {
                // Later there would be something to answer.
                if std::mem::replace(&mut self.asked, true) {
                    return Err("it is asked for what it wrote before".to_string());
                }
                let nothing = SyncMessage::Step2(Bytes::from_static(NOTHING_NEW));
                say.frame(line, self.frame(Said::Sync(nothing)));
            }
            Said::Authenticated { read_only: false } => {
                let step = SyncMessage::Step1(Bytes::from_static(NOTHING_KNOWN));
                say.frame(line, self.frame(Said::Sync(step)));
            }
            Said::Awareness(_) | Said::SyncStatus(true) => {}
            said @ (Said::SyncReply(_)
            | Said::QueryAwareness
            | Said::Auth { .. }
            | Said::AskToken
            | Said::Authenticated { .. }
            | Said::Denied(_)
            | Said::Stateless(_)
            | Said::BroadcastStateless(_)
            | Said::Close(_)
            | Said::SyncStatus(_)) => return Err(format!("it heard {said:?}")),
        }
        Ok(Heard::Nothing)
    }

    /// How it says that it wrote something.
    pub fn saying(&self, update: Vec<u8>) -> Vec<u8> {
        self.frame(Said::Sync(SyncMessage::Update(update.into())))
    }

    fn read(&self, message: &[u8]) -> Result<Said, Malformed> {
        let bytes = Bytes::copy_from_slice(message);
        let Some(own) = &self.draft else {
            return Ok(match y_sync::read(&bytes)? {
                Message::Sync(message) => Said::Sync(message),
                Message::Awareness(states) => Said::Awareness(states),
                Message::QueryAwareness => Said::QueryAwareness,
                Message::Denied(why) => Said::Denied(why),
            });
        };
        match Frame::read(&bytes)? {
            Frame::Said { document, said } if document == *own => Ok(said),
            other @ (Frame::Ping | Frame::Pong | Frame::Said { .. }) => {
                Ok(Said::Stateless(format!("{other:?} and not of {own}")))
            }
        }
    }

    fn frame(&self, said: Said) -> Vec<u8> {
        let bytes = match (&self.draft, said) {
            (None, Said::Sync(message)) => Message::Sync(message).write(),
            (draft, said) => Frame::Said { document: draft.clone().unwrap_or_default(), said }.write(),
        };
        masked(BINARY, &bytes)
    }
}
