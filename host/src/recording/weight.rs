//! How much of the queue a fact and its actions take. Only what can be large is counted; what is shared with the server
//! (frames, bodies) counts in full, because it is kept here when it is gone there.

use parlor_protocol::action::Action;
use parlor_protocol::call::Said;
use parlor_protocol::docs::{Applied, DocOutcome};
use parlor_protocol::frame::Frame;
use parlor_protocol::http::Body;
use parlor_protocol::input::{Input, Message};
use parlor_protocol::job::Outcome;
use parlor_protocol::store::{Row, StoreReply};

/// What a fact and an action count besides their content.
const ITEM_BYTES: usize = 256;
/// What the content of a large message is taken to have.
const UNPACKED_BYTES: usize = 256 * 1024;

/// About how many bytes a fact takes while it waits.
pub fn of_fact(input: &Input) -> usize {
    let content = match input {
        Input::Requested { head, body, .. } => {
            let headers = head.headers.iter().map(|(name, value)| name.len() + value.len() + ITEM_BYTES);
            head.target.len() + headers.sum::<usize>() + body.len()
        }
        Input::Received { message: Message::Text(bytes) | Message::Binary(bytes), .. } => bytes.len(),
        Input::Stored(replies) => replies.iter().map(|(_, reply)| of_reply(reply)).sum(),
        Input::Worked { outcome, .. } => of_outcome(outcome),
        Input::Called { said: Said::Delta(text), .. } => text.len(),
        Input::Received { .. }
        | Input::Started
        | Input::RequestGone { .. }
        | Input::Disconnected { .. }
        | Input::Called { .. }
        | Input::KeysFetched(_)
        | Input::Flushed { .. }
        | Input::Memory { .. }
        | Input::Tick
        | Input::Draining => 0,
    };
    ITEM_BYTES + content
}

fn of_outcome(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Rendered(page) => page.len(),
        Outcome::Joined(bytes) | Outcome::Written(_, bytes) => bytes.len(),
        Outcome::Inspected(found) => found.as_ref().map_or(0, |found| found.bytes.len()),
        Outcome::Spelled(frame) => frame.as_ref().map_or(0, Frame::len),
        Outcome::Board(board) => board.as_ref().map_or(0, |board| board.bytes()),
        Outcome::Doc(DocOutcome::Diff { update: bytes, .. })
        | Outcome::Doc(DocOutcome::Folded(Ok(bytes)) | DocOutcome::Restored(Ok(bytes))) => bytes.len(),
        Outcome::Doc(DocOutcome::Applied { each, .. }) => each.iter().map(of_applied).sum(),
        Outcome::Doc(_) | Outcome::Token(_) | Outcome::Service(_) => 0,
        // What it was unpacked from was large, and is gone.
        Outcome::Unpacked(_) => UNPACKED_BYTES,
    }
}

fn of_applied(applied: &Applied) -> usize {
    let content = if let Applied::New { update, .. } = applied { update.len() } else { 0 };
    ITEM_BYTES + content
}

fn of_reply(reply: &StoreReply) -> usize {
    let content = match reply {
        StoreReply::Committed(entries) | StoreReply::Entries { entries, .. } => {
            entries.iter().map(|entry| entry.body.len() + ITEM_BYTES).sum()
        }
        StoreReply::Appended { entries, .. } => {
            entries.iter().map(|(_, entry)| entry.body.len() + ITEM_BYTES).sum()
        }
        StoreReply::Loaded(Some(room)) => {
            let tail = room.tail.iter().map(|entry| entry.body.len());
            let snapshot = room.snapshot.as_ref().map_or(0, |snapshot| snapshot.state.len());
            tail.sum::<usize>() + snapshot + (room.tail.len() + room.members.len()) * ITEM_BYTES
        }
        StoreReply::Found(rows) => rows.iter().map(of_row).sum(),
        StoreReply::Loaded(None)
        | StoreReply::Stale { .. }
        | StoreReply::Taken(_)
        | StoreReply::Heads(_)
        | StoreReply::Unavailable
        | StoreReply::Unknown => 0,
    };
    ITEM_BYTES + content
}

fn of_row(row: &Row) -> usize {
    let content = match row {
        Row::FilePart(part) => part.bytes.len(),
        Row::SnapshotPart(part) => part.bytes.len(),
        Row::Document(document) => document.markdown.as_ref().map_or(0, String::len),
        Row::Template(template) => template.body.len() + template.questions.len() * ITEM_BYTES,
        Row::Room(_)
        | Row::Member(_)
        | Row::Session(_)
        | Row::Cursor(_)
        | Row::File(_)
        | Row::Prompt(_)
        | Row::Escalation(_)
        | Row::Mark(_) => 0,
    };
    4 * ITEM_BYTES + content
}

/// About how many bytes an action takes while it waits.
pub fn of_action(action: &Action) -> usize {
    let content = match action {
        Action::Send { frame, .. } => frame.len(),
        Action::Respond { response, .. } => match &response.body {
            Body::Bytes(bytes) => bytes.len(),
            Body::Connections(listed) => listed.rows.len() * ITEM_BYTES,
            Body::Asset(_) | Body::Statistics(_) | Body::Metrics(_) => 0,
        },
        Action::Upgrade { .. }
        | Action::Read { .. }
        | Action::Close { .. }
        | Action::Store { .. }
        | Action::Work { .. }
        | Action::Call { .. }
        | Action::Cancel { .. }
        | Action::Log(_)
        | Action::Drained => 0,
    };
    ITEM_BYTES + content
}
