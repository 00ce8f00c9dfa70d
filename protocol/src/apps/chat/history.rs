//! What was said before: a stretch of the log, for who is inside.

use super::command::Span;
use super::message::chat_message;
use super::{READ_TRIES_MAX, Waiting, inside, refused};
use crate::context::{Caller, Context};
use crate::envelope::Event;
use crate::ids::RoomId;
use crate::refusal::Refusal;
use crate::store::{StoreReply, StoreRequest};
use crate::tickets::Pending;
use serde_json::json;

/// A look into the history.
#[derive(Debug)]
pub struct Looking {
    caller: Caller,
    room: RoomId,
    span: Span,
    limit: u32,
    tries: u32,
}

pub(super) fn look(
    room: RoomId,
    span: Span,
    limit: u32,
    caller: &Caller,
    ctx: &mut Context<'_>,
) -> Result<(), Refusal> {
    if ctx.fx.is_busy() {
        return Err(Refusal::busy());
    }
    read(Looking { caller: caller.clone(), room, span, limit, tries: 0 }, ctx)
}

fn read(mut looking: Looking, ctx: &mut Context<'_>) -> Result<(), Refusal> {
    let head = inside(&looking.room, &looking.caller, ctx.rooms)?.head();
    looking.tries += 1;
    let (room, max) = (looking.room.clone(), looking.limit);
    let request = match looking.span {
        Span::Before(before) => StoreRequest::Before { room, before: before.unwrap_or(head.next()), max },
        Span::After(after) => StoreRequest::Read { room, after, max },
    };
    ctx.fx.store(request, Pending::Chat(Waiting::History(looking)));
    Ok(())
}

pub(super) fn on_history(looking: Looking, reply: StoreReply, ctx: &mut Context<'_>) {
    let (caller, span) = (looking.caller.clone(), looking.span);
    let StoreReply::Entries { entries, head } = reply else {
        let again = match looking.tries < READ_TRIES_MAX {
            true => read(looking, ctx),
            false => Err(Refusal::store_unavailable()),
        };
        return again.unwrap_or_else(|refusal| ctx.fx.refuse(&caller, &refused(&refusal)));
    };
    // Membership may have gone while the store was reading.
    let kept_after = match inside(&looking.room, &caller, ctx.rooms) {
        Ok(room) => room.kept_after(),
        Err(refusal) => return ctx.fx.refuse(&caller, &refused(&refusal)),
    };
    let has_more = match span {
        Span::Before(_) => entries.first().is_some_and(|first| first.seq > kept_after.next()),
        // What is not kept is not left to be shown.
        Span::After(_) => entries.last().is_some_and(|last| last.seq < head),
    };
    let messages: Vec<_> = entries.iter().filter_map(chat_message).collect();
    let shown = json!({"messages": messages, "hasMore": has_more});
    ctx.fx.reply(&caller, &Event::new("chat:message:history", &shown));
}
