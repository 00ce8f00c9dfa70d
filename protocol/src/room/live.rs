//! Who is live in a room, listed so that what is told to all is encoded once for each envelope, and given to a
//! driver as one order for all sockets.

use super::{Present, Room, Standing};
use crate::action::{Action, Recipients};
use crate::context::{Caller, Effects};
use crate::envelope::{Envelope, Event};
use crate::frame::Frame;
use crate::ids::{ConnectionId, Seq, SocketId};
use crate::outbox::Class;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The live ones that write in one way.
#[derive(Debug)]
pub(super) struct Live {
    /// How they write.
    pub envelope: Envelope,
    sockets: Arc<[SocketId]>,
    /// Those that poll.
    polling: Vec<ConnectionId>,
}

/// Lists who is live.
pub(super) fn lists<'a>(present: impl Iterator<Item = &'a Box<Present>>, fx: &Effects<'_>) -> Vec<Live> {
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
    /// Encodes once for every envelope that is spoken here, and sends it to all who are live. The number that it
    /// has for those who may come back, if there are such.
    pub(super) fn tell_live(
        &mut self,
        event: &Event,
        class: Class,
        except: Option<ConnectionId>,
        fx: &mut Effects<'_>,
    ) -> Option<u64> {
        let mut numbered = None;
        if self.live.is_empty() {
            self.live = lists(self.present.values(), fx);
        }
        let except_socket = except.and_then(|except| fx.transports.socket(except));
        for list in &self.live {
            let offset = fx.offset(list.envelope, class);
            numbered = offset.or(numbered);
            let frame = list.envelope.encode(event, offset);
            list.tell(&frame, class, (except, except_socket), fx);
        }
        numbered
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
            return self.tell_live(event, class, None, fx);
        }
        let mut numbered = None;
        for list in &lists(self.present.values().filter(|present| !skip(&present.caller)), fx) {
            let offset = fx.offset(list.envelope, class);
            numbered = offset.or(numbered);
            list.tell(&list.envelope.encode(event, offset), class, (None, None), fx);
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

    /// A connection is reached in another way from now on.
    pub(super) fn moved(&mut self) {
        self.live.clear();
    }
}

impl Live {
    /// Sends a frame to all of them but one.
    pub fn tell(
        &self,
        frame: &Frame,
        class: Class,
        (except, except_socket): (Option<ConnectionId>, Option<SocketId>),
        fx: &mut Effects<'_>,
    ) {
        if !self.sockets.is_empty() {
            fx.stats.messages_out += self.sockets.len() as u64;
            let to = Recipients::Many { sockets: self.sockets.clone(), except: except_socket };
            fx.actions.push(Action::Send { to, frame: frame.clone(), class });
        }
        for who in self.polling.iter().filter(|who| Some(**who) != except) {
            fx.send(*who, frame.clone(), class);
        }
    }
}
