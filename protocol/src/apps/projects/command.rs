//! What a client can ask about projects and feeds.

use crate::apps::composed;
use crate::envelope::ID_BYTES_MAX;
use crate::ids::{RoomId, Seq};
use crate::json;
use crate::refusal::{Code, Refusal};
use serde::Deserialize;

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `join_project`
    Join {
        /// Which project.
        room: RoomId,
        /// What was heard before.
        since: Option<Seq>,
    },
    /// `leave_project`
    Leave {
        /// Which project.
        room: RoomId,
    },
    /// `feed:join`
    Feed {
        /// What was heard before of what the user was told.
        since: Option<Seq>,
        /// What was heard before of what everyone was told.
        all: Option<Seq>,
    },
}

/// A project as clients name it: its id alone, or an object.
#[derive(Deserialize)]
#[serde(untagged)]
enum Named {
    Bare(String),
    Object {
        #[serde(rename = "projectId")]
        project_id: String,
        since: Option<u64>,
    },
}

#[derive(Deserialize)]
struct Feed {
    since: Option<u64>,
    all: Option<u64>,
}

impl Command {
    /// Reads a command; `None`: there is none of this name.
    pub fn parse(name: &str, data: &str) -> Option<Result<Self, Refusal>> {
        Some(match name {
            "join_project" => project(data).map(|(room, since)| Self::Join { room, since }),
            "leave_project" => project(data).map(|(room, _)| Self::Leave { room }),
            "feed:join" if data == "null" => Ok(Self::Feed { since: None, all: None }),
            "feed:join" => json::object::<Feed>(data)
                .map(|feed| Self::Feed { since: feed.since.map(Seq), all: feed.all.map(Seq) })
                .map_err(|why| Refusal::new(Code::ClientError, format!("bad data: {why}"))),
            _ => return None,
        })
    }
}

fn project(data: &str) -> Result<(RoomId, Option<Seq>), Refusal> {
    let (id, since) = match serde_json::from_str(data) {
        Ok(Named::Bare(id)) => (id, None),
        Ok(Named::Object { project_id, since }) => (project_id, since.map(Seq)),
        Err(_) => return Err(Refusal::new(Code::ClientError, "the data names no projectId")),
    };
    let id = composed(&id).into_owned();
    if id.len() > ID_BYTES_MAX {
        return Err(Refusal::too_large("projectId", id.len(), ID_BYTES_MAX));
    }
    if id.is_empty() || id.chars().any(char::is_control) {
        return Err(Refusal::new(Code::ClientError, "projectId is empty or has control characters"));
    }
    Ok((RoomId::project(&id), since))
}
