//! The whole door: whatever bytes come on a connection are read as requests, one behind the other, and each of them is
//! answered once, however the credential, the rows and the handshake turn out. What follows an upgrade is what the
//! client says on its WebSocket. No answer holds a line that a client wrote.

#![no_main]

#[path = "../../tests/src/simulation/mod.rs"]
#[allow(dead_code)]
mod simulation;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use parlor_protocol::action::{Action, Actions};
use parlor_protocol::docs::Docs;
use parlor_protocol::http::{Response, body_bytes_max, head_end, parse_head, switching_head};
use parlor_protocol::ids::{RequestId, SocketId};
use parlor_protocol::input::{Ending, Input, Message};
use parlor_protocol::server::Server;
use parlor_protocol::settings::Settings;
use parlor_protocol::time::Timestamp;
use parlor_store::ModelStore;
use std::collections::BTreeSet;
use std::net::IpAddr;

const NOW: Timestamp = Timestamp(1_763_654_400_000_000);
/// The most requests on one connection: more of them tell nothing more.
const REQUESTS_MAX: usize = 32;

struct World {
    server: Server,
    store: ModelStore,
    docs: Docs,
    now: Timestamp,
    open: BTreeSet<SocketId>,
    answered: BTreeSet<RequestId>,
    upgraded: Option<SocketId>,
}

impl World {
    fn new() -> Self {
        let settings = Settings {
            create_on_open: true,
            echo: true,
            trusted_proxies: vec![IpAddr::from([10, 0, 0, 1])],
            ..Settings::default()
        };
        let mut world = Self {
            server: Server::new(settings, [7; 32]),
            store: ModelStore::default(),
            docs: Docs::default(),
            now: NOW,
            open: BTreeSet::new(),
            answered: BTreeSet::new(),
            upgraded: None,
        };
        world.tell(Input::Started);
        world
    }

    /// Tells a fact, and all that follows from it.
    fn tell(&mut self, input: Input) {
        let mut facts = vec![input];
        while let Some(fact) = facts.pop() {
            let mut actions = Actions::new();
            self.now = Timestamp(self.now.0 + 1_000);
            self.server.handle(self.now, fact, &mut actions);
            let follow: Vec<_> = actions.into_iter().filter_map(|action| self.carry_out(action)).collect();
            facts.extend(follow.into_iter().rev());
        }
    }

    fn carry_out(&mut self, action: Action) -> Option<Input> {
        match action {
            Action::Respond { request, response } => {
                assert!(self.answered.insert(request), "answered twice");
                sound(&response);
                None
            }
            Action::Upgrade { request, socket, subprotocol, .. } => {
                assert!(self.answered.insert(request), "answered twice");
                let head = switching_head("x", subprotocol.as_deref());
                assert_eq!(head.lines().count(), 5 + usize::from(subprotocol.is_some()));
                self.open.insert(socket);
                self.upgraded = Some(socket);
                None
            }
            Action::Close { socket, .. } => {
                self.open.remove(&socket).then_some(Input::Disconnected { socket, why: Ending::ByServer })
            }
            Action::Store { ticket, request } => {
                Some(Input::Stored(vec![(ticket, self.store.answer(self.now, &request))]))
            }
            Action::Work { ticket, job } => {
                let outcome = simulation::jobs::outcome(&job, self.now, &mut self.docs);
                Some(Input::Worked { ticket, outcome })
            }
            _ => None,
        }
    }

    /// What stands behind the request is left; `None`: the connection is over.
    fn request<'a>(&mut self, number: u32, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let end = match head_end(bytes, &mut 0) {
            Ok(end) => end?,
            Err(fault) => return refused(&fault.response()),
        };
        let (head, rest) = bytes.split_at(end);
        let (head, length) = match parse_head(head) {
            Ok(parsed) => parsed,
            Err(fault) => return refused(&fault.response()),
        };
        assert!(length <= body_bytes_max(&head));
        let (body, rest) = rest.split_at_checked(length)?;
        let request = RequestId { slot: number, generation: 0 };
        let (keep_alive, waits) = (head.keep_alive, head.path().starts_with("/socket.io"));
        let peer = IpAddr::from([10, 0, 0, 1]);
        self.tell(Input::Requested { request, peer, head, body: Bytes::copy_from_slice(body) });
        if let Some(socket) = self.upgraded.take() {
            self.say(socket, rest);
            return None;
        }
        // Only a poll waits, until something is there to be told.
        if !self.answered.contains(&request) {
            assert!(waits, "a request that is never answered");
            self.tell(Input::RequestGone { request });
            return None;
        }
        keep_alive.then_some(rest)
    }

    fn say(&mut self, socket: SocketId, bytes: &[u8]) {
        for line in bytes.split(|byte| *byte == b'\n') {
            let message = match std::str::from_utf8(line) {
                Ok(_) => Message::Text(Bytes::copy_from_slice(line)),
                Err(_) => Message::Binary(Bytes::copy_from_slice(line)),
            };
            if !self.open.contains(&socket) {
                return;
            }
            self.tell(Input::Received { socket, message });
        }
        if self.open.remove(&socket) {
            self.tell(Input::Disconnected { socket, why: Ending::Lost });
        }
    }
}

fn refused(response: &Response) -> Option<&'static [u8]> {
    assert!((400..=505).contains(&response.status));
    sound(response);
    None
}

/// Whether the head is a line for the status, one for each header, four that every answer has, and an empty one.
fn sound(response: &Response) {
    let head = response.head(0, true);
    assert!(
        head.ends_with("\r\n\r\n") && head.is_ascii()
            || response.headers.iter().any(|(_, value)| !value.is_ascii())
    );
    let lines = 1 + response.headers.len() + usize::from(response.status != 204) + 2 + 1;
    assert_eq!(head.split("\r\n").count(), lines + 1, "{head}");
    assert!(!head.replace("\r\n", "").contains(['\r', '\n', '\0']), "{head:?}");
}

fuzz_target!(|input: &[u8]| {
    let mut world = World::new();
    let mut rest = input;
    for number in 0..REQUESTS_MAX as u32 {
        match world.request(number, rest) {
            Some(behind) => rest = behind,
            None => break,
        }
    }
});
