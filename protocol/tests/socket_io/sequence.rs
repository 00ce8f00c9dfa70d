//! Anything that clients, the server and time may do, in any order: four bytes are a step.

use crate::world::{App, World};
use bytes::Bytes;
use parlor_protocol::frame::Frame;
use parlor_protocol::ids::{RequestId, SocketId};
use parlor_protocol::outbox::Class;
use std::time::Duration;

/// What clients say: right in its place, and wrong in every other.
const PACKETS: [&str; 20] = [
    "1",
    "2probe",
    "3",
    "4x",
    "5",
    "6",
    "b",
    "bAQID",
    "4",
    "40",
    "40/custom",
    "40/no",
    "41",
    "42[\"message\",1]",
    "421[\"message-with-ack\"]",
    "430[]",
    "451-[\"message\",{\"_placeholder\":true,\"num\":0}]",
    "452-/custom,[\"message\",{\"_placeholder\":true,\"num\":1},{\"_placeholder\":true,\"num\":0}]",
    "451-[\"message\",{\"_placeholder\":true,\"num\":1}]",
    "abc",
];
/// The most sessions of a sequence.
const SESSIONS_MAX: usize = 8;

/// A server, and who talks to it.
pub struct Sequence {
    world: World,
    sids: Vec<String>,
    sockets: Vec<SocketId>,
    polls: Vec<RequestId>,
}

impl Sequence {
    pub fn new(app: App) -> Self {
        let mut world = World::new(app);
        let sids = vec![world.open()];
        Self { world, sids, sockets: Vec::new(), polls: Vec::new() }
    }

    pub fn play(&mut self, [kind, at, what, more]: [u8; 4]) {
        let sid = self.sids[usize::from(at) % self.sids.len()].clone();
        let over = self.world.ended(&sid).is_some();
        self.sockets.retain(|socket| self.world.is_open(*socket));
        self.polls.retain(|poll| self.world.response(*poll).is_none());
        let socket = chosen(&self.sockets, at);
        let packet = |at: u8| PACKETS[usize::from(at) % PACKETS.len()];
        match kind % 16 {
            0 if self.sids.len() < SESSIONS_MAX => self.sids.push(self.world.open()),
            1 if self.sids.len() < SESSIONS_MAX => {
                let (socket, sid) = self.world.open_socket();
                self.sockets.push(socket);
                self.sids.push(sid);
            }
            2 | 3 => self.polls.push(self.world.poll(&sid)),
            4 => {
                if let Some(poll) = chosen(&self.polls, at) {
                    self.polls.retain(|other| *other != poll);
                    self.world.hang_up(poll);
                }
            }
            5 | 6 => drop(self.world.post(&sid, &[packet(what), packet(more)].join("\x1e"))),
            7 => drop(self.world.post_bytes(&sid, "", Bytes::copy_from_slice(&[what, more]))),
            8 => {
                let query = format!("?EIO=4&transport=websocket&sid={sid}");
                self.sockets.extend(self.world.upgrade(&query));
            }
            9 | 10 => socket.into_iter().for_each(|socket| self.world.say(socket, packet(what))),
            11 => socket.into_iter().for_each(|socket| self.world.say_binary(socket, &[what, more])),
            12 if what % 4 == 0 => socket.into_iter().for_each(|socket| self.world.lose(socket)),
            13 if !over => {
                let class =
                    [Class::Kept, Class::Page, Class::Signal, Class::Latest(7)][usize::from(more % 4)];
                self.world.send(&sid, Frame::text(&"4".repeat(1 + usize::from(what) * 4_096)), class);
            }
            14 if !over && what % 4 == 0 => self.world.close(&sid),
            15 => self.world.wait(Duration::from_millis(u64::from(what) * 2)),
            _ => {}
        }
    }

    /// Time passes until every session is over.
    pub fn settle(mut self) {
        self.world.settle();
        assert!(self.sids.iter().all(|sid| self.world.ended(sid).is_some()));
    }
}

fn chosen<T: Copy>(from: &[T], at: u8) -> Option<T> {
    from.get(usize::from(at).checked_rem(from.len())?).copied()
}
