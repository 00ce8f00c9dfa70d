//! Who is live in a room, listed so that what is told to all is encoded once for each envelope, and given to a
//! driver as one order for all sockets.

use super::{Audience, Present, Room, Standing};
use crate::action::{Action, Recipients};
use crate::context::{Caller, Effects};
use crate::envelope::{Envelope, Event};
use crate::frame::Frame;
use crate::ids::{ConnectionId, Seq, SocketId};
use crate::outbox::Class;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The live ones that write in one way.
#[derive(Debug, Clone)]
pub(super) struct Live {
    /// How they write.
    pub envelope: Envelope,
    sockets: Arc<[SocketId]>,
    /// Those that poll.
    polling: Vec<ConnectionId>,
}

/// Who heard what was told to those who are live.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HeardBy {
    /// How many connections.
    pub by: usize,
    /// The number that it has for those who may come back, if there are such.
    pub number: Option<u64>,
}

/// Lists who is live.
fn lists<'a>(present: impl Iterator<Item = &'a Present>, fx: &Effects<'_>) -> Vec<Live> {
    let mut lists: BTreeMap<Envelope, (Vec<SocketId>, Vec<ConnectionId>)> = BTreeMap::new();
    for present in present.filter(|present| present.standing == Standing::Live) {
        let who = present.caller.connection;
        let (sockets, polling) = lists.entry(present.caller.envelope).or_default();
        match fx.transports.socket(who) {
            Some(socket) => sockets.push(socket),
            None => polling.push(who),
        }
    }
    let mut live = Vec::with_capacity(lists.len());
    live.extend(lists.into_iter().map(|(envelope, (sockets, polling))| Live {
        envelope,
        sockets: sockets.into(),
        polling,
    }));
    live
}

impl Room {
    /// Encodes once for every envelope that is spoken here, and sends it to all who are live and hear it.
    pub(super) fn tell_live(
        &mut self,
        audience: &Audience,
        event: &Event,
        class: Class,
        except: Option<ConnectionId>,
        fx: &mut Effects<'_>,
    ) -> HeardBy {
        let except_socket = except.and_then(|except| fx.transports.socket(except));
        let mut heard = HeardBy::default();
        for list in self.hearing(audience, fx).iter() {
            let mark = fx.mark(list.envelope, class);
            heard.number = mark.offset().or(heard.number);
            let Some(frame) = list.envelope.encode(event, &mark) else { continue };
            heard.by += list.tell(&frame, class, (except, except_socket), fx);
        }
        heard
    }

    /// The lists of those who hear it; those of all are kept.
    fn hearing(&mut self, audience: &Audience, fx: &Effects<'_>) -> Cow<'_, [Live]> {
        if *audience != Audience::All {
            let members = &self.members;
            let present = self.present.values().map(|present| &**present);
            let hearing = present.filter(|present| audience.hears(members.get(&present.caller.user.id)));
            return Cow::Owned(lists(hearing, fx));
        }
        if self.live.is_empty() {
            self.live = lists(self.present.values().map(|present| &**present), fx);
        }
        Cow::Borrowed(&self.live)
    }

    /// The same to those who are live and not left out by `skip`.
    pub fn tell_but(
        &mut self,
        event: &Event,
        class: Class,
        skip: impl Fn(&Caller) -> bool,
        fx: &mut Effects<'_>,
    ) -> Option<u64> {
        if !self.present.values().any(|present| skip(&present.caller)) {
            return self.tell_live(&Audience::All, event, class, None, fx).number;
        }
        let mut numbered = None;
        let hearing = self.present.values().filter(|present| !skip(&present.caller));
        for list in &lists(hearing.map(|present| &**present), fx) {
            let mark = fx.mark(list.envelope, class);
            numbered = mark.offset().or(numbered);
            if let Some(frame) = list.envelope.encode(event, &mark) {
                list.tell(&frame, class, (None, None), fx);
            }
        }
        numbered
    }

    /// Tells an entry to those who are live but these, who have heard it otherwise; of whom those who still read
    /// pass it over.
    pub fn tell_entry_but(&mut self, seq: Seq, event: &Event, others: &[ConnectionId], fx: &mut Effects<'_>) {
        let is_other = |caller: &Caller| others.contains(&caller.connection);
        if let Some(number) = self.tell_but(event, Class::Kept, is_other, fx) {
            self.number(seq, number, others.iter().copied());
        }
        for who in others {
            let present = self.present.get_mut(who).filter(|present| present.standing != Standing::Live);
            if let Some(present) = present {
                present.trail.get_or_insert_default().skip.push(seq);
            }
        }
    }

    /// A connection writes, and is written to, in another way from now on.
    pub fn respell(&mut self, who: ConnectionId, envelope: Envelope) {
        if let Some(present) = self.present.get_mut(&who) {
            present.caller.envelope = envelope;
            self.live.clear();
        }
    }

    /// A connection is reached in another way from now on.
    pub(super) fn moved(&mut self) {
        self.live.clear();
    }
}

impl Live {
    /// Sends a frame to all of them but one. How many that are.
    fn tell(
        &self,
        frame: &Frame,
        class: Class,
        (except, except_socket): (Option<ConnectionId>, Option<SocketId>),
        fx: &mut Effects<'_>,
    ) -> usize {
        let is_socket = except_socket.is_some_and(|except| self.sockets.contains(&except));
        if !self.sockets.is_empty() {
            let count = self.sockets.len() - usize::from(is_socket);
            fx.stats.messages_out.add(frame.app(), count as u64);
            let to = Recipients::Many { sockets: self.sockets.clone(), except: except_socket };
            fx.actions.push(Action::Send { to, frame: frame.clone(), class });
        }
        for who in self.polling.iter().filter(|who| Some(**who) != except) {
            fx.send(*who, frame.clone(), class);
        }
        let is_among = is_socket || except.is_some_and(|except| self.polling.contains(&except));
        self.sockets.len() + self.polling.len() - usize::from(is_among)
    }
}
