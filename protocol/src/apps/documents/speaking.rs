//! The question while the AI speaks it: heard by the connection that has the session, if it asked for that. What is
//! heard is a signal; what counts is the question that is stored.

use super::log::SessionLog;
use super::{Attempt, Documents, Session, Waiting, Work};
use crate::call::ANSWER_BYTES_MAX;
use crate::context::{Context, Effects};
use crate::envelope::Event;
use crate::ids::SessionId;
use crate::outbox::Class;
use serde_json::json;

impl Documents {
    /// The AI spoke so much more.
    pub fn on_delta(&mut self, attempt: &Attempt, text: &str, ctx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(&attempt.session) else { return };
        if !attempt.is_at(&session.log) {
            return;
        }
        let Work::Asking { spoken, .. } = &mut session.work else { return };
        if text.is_empty() || spoken.len() + text.len() > ANSWER_BYTES_MAX {
            return;
        }
        spoken.push_str(text);
        session.tell_spoken(text, &mut ctx.fx);
    }
}

impl Waiting {
    /// The attempt at a reply that is waited for, if it is one.
    pub fn attempt(&self) -> Option<Attempt> {
        if let Self::Attempt(attempt) = self { Some(attempt.clone()) } else { None }
    }
}

impl Attempt {
    /// Whether the session still is where this was asked for.
    pub(super) fn is_at(&self, log: &SessionLog) -> bool {
        (self.turn, self.attempt) == (log.next_turn(), log.attempt)
    }
}

impl Session {
    /// Who comes while the AI speaks hears at once what it missed, so that what follows does not begin in the middle.
    pub(super) fn repeat_spoken(&self, fx: &mut Effects<'_>) {
        if let Work::Asking { spoken, .. } = &self.work
            && !spoken.is_empty()
        {
            self.tell_spoken(spoken, fx);
        }
    }

    fn tell_spoken(&self, text: &str, fx: &mut Effects<'_>) {
        let Some(owner) = self.owner.as_ref().filter(|owner| owner.spoken) else { return };
        let delta = delta(&self.row.id, text);
        fx.tell(owner.caller.connection, owner.caller.envelope, &delta, Class::Signal);
    }
}

fn delta(id: &SessionId, text: &str) -> Event {
    Event::new("question_delta", &json!({ "text": text })).of("document").within("sessionId", id.0.clone())
}
