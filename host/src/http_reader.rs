//! Reads requests out of the bytes of one connection. Pure: bytes go in, requests come out, and the stage
//! says how long to wait for more. What it holds exists only while a request is being read.

use bytes::Bytes;
use parlor_protocol::http::{
    HEAD_BYTES_MAX, HEAD_WAIT_MAX, HeadFault, IDLE_WAIT_MAX, RequestHead, head_end, parse_head,
};
use std::time::Duration;

/// A body, or its rest, may take this long; a longer one must have brought `BODY_STRETCH_BYTES_MIN` by then, and
/// again in each further stretch: one KiB a second (RELIABILITY §A1).
const BODY_STRETCH_WAIT: Duration = Duration::from_secs(5);
const BODY_STRETCH_BYTES_MIN: usize = 5 * 1024;
/// How many stretches a body may take, whatever it brings: what is held for it is held from others.
const BODY_STRETCHES_MAX: u32 = 60;
/// How much of a WebSocket may come before the server agreed to it.
const EARLY_BYTES_MAX: usize = 4 * 1024;
/// How much is read at once.
const CHUNK_BYTES: usize = 4 * 1024;

/// The requests of one connection.
#[derive(Debug, Default)]
pub(crate) struct HttpReader {
    read: Vec<u8>,
    /// How much of `read` was searched for the end of the head.
    seen: usize,
    head: Option<(RequestHead, usize)>,
    /// The stretch of the body that is being read.
    stretch: u32,
    /// How much of the body there was when the stretch began.
    stretch_from: usize,
    served: bool,
}

/// What the bytes so far make.
#[derive(Debug, PartialEq)]
pub(crate) enum Read {
    /// Nothing whole yet.
    More,
    /// The client waits to hear that it may send the body.
    Continue,
    /// A request.
    Request(RequestHead, Bytes),
    /// No request: answered, and the connection ends.
    Fault(HeadFault),
}

/// What is being waited for. A deadline holds from the moment the stage was entered, whatever trickles in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The first byte of the first request.
    First,
    /// The first byte of another request.
    Idle,
    /// The end of a head.
    Head,
    /// The end of a body, or of this stretch of it.
    Body {
        /// Which stretch, from 0.
        stretch: u32,
    },
}

impl Stage {
    /// How long it may last.
    pub fn wait_max(self) -> Duration {
        match self {
            Self::First | Self::Head => HEAD_WAIT_MAX,
            Self::Idle => IDLE_WAIT_MAX,
            Self::Body { .. } => BODY_STRETCH_WAIT,
        }
    }
}

impl HttpReader {
    /// Where the next bytes go. There is a chunk of spare room; for a body as much as has come of it, so that a
    /// large one takes few reads, but never more than is announced.
    pub fn room(&mut self) -> &mut Vec<u8> {
        let missing = self.head.as_ref().map_or(0, |(_, length)| length.saturating_sub(self.read.len()));
        match missing {
            0 => self.read.reserve(CHUNK_BYTES),
            missing => self.read.reserve_exact(missing.min(self.read.len().max(CHUNK_BYTES))),
        }
        &mut self.read
    }

    /// The memory that a body takes which is being read.
    pub fn body_bytes(&self) -> usize {
        if self.head.as_ref().is_some_and(|(_, length)| *length > 0) { self.read.capacity() } else { 0 }
    }

    /// The time of the stage is over. True: the client was quick enough to be given another stretch.
    #[must_use]
    pub fn go_on(&mut self) -> bool {
        let brought = self.read.len() - self.stretch_from;
        let goes_on =
            self.head.is_some() && brought >= BODY_STRETCH_BYTES_MIN && self.stretch + 1 < BODY_STRETCHES_MAX;
        if goes_on {
            self.stretch += 1;
            self.stretch_from = self.read.len();
        }
        goes_on
    }

    /// Looks at what has come since.
    pub fn next(&mut self) -> Read {
        if self.head.is_none() {
            match self.next_head() {
                Ok(true) => {}
                Ok(false) => return Read::More,
                Err(fault) => return Read::Fault(fault),
            }
            if self.wants_continue() {
                return Read::Continue;
            }
        }
        match self.head.take() {
            Some((head, length)) if self.read.len() >= length => {
                let body = self.take_front(length);
                self.served = true;
                (self.stretch, self.stretch_from) = (0, 0);
                Read::Request(head, body.into())
            }
            unfinished => {
                self.head = unfinished;
                Read::More
            }
        }
    }

    /// What is waited for now.
    pub fn stage(&self) -> Stage {
        match (&self.head, self.read.is_empty(), self.served) {
            (Some(_), ..) => Stage::Body { stretch: self.stretch },
            (None, false, _) => Stage::Head,
            (None, true, false) => Stage::First,
            (None, true, true) => Stage::Idle,
        }
    }

    /// What came behind the last request.
    pub fn into_rest(self) -> Vec<u8> {
        self.read
    }

    fn next_head(&mut self) -> Result<bool, HeadFault> {
        let Some(end) = head_end(&self.read, &mut self.seen)? else { return Ok(false) };
        let head = self.take_front(end);
        let (head, length) = parse_head(&head)?;
        if head.is_upgrade() && self.read.len() > EARLY_BYTES_MAX {
            return Err(HeadFault::Malformed("over 4096 bytes before the upgrade was answered"));
        }
        self.head = Some((head, length));
        Ok(true)
    }

    fn wants_continue(&self) -> bool {
        self.head
            .as_ref()
            .is_some_and(|(head, length)| self.read.len() < *length && head.lists("expect", "100-continue"))
    }

    fn take_front(&mut self, length: usize) -> Vec<u8> {
        let rest = self.read.split_off(length);
        self.seen = 0;
        std::mem::replace(&mut self.read, rest)
    }
}

// What one call reads fits behind a head that is nearly too large.
const _: () = assert!(CHUNK_BYTES <= HEAD_BYTES_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    const POST: &str = "PUT /api/admin/b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
    const UPGRADE: &str = "GET /c HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

    fn feed(reader: &mut HttpReader, bytes: &[u8]) -> Read {
        reader.room().extend_from_slice(bytes);
        reader.next()
    }

    fn target(read: &Read) -> (&str, &[u8]) {
        match read {
            Read::Request(head, body) => (&head.target, body),
            Read::More | Read::Continue | Read::Fault(_) => panic!("{read:?}"),
        }
    }

    #[test]
    fn a_request_comes_out_whole_in_whatever_pieces_it_came() {
        let mut reader = HttpReader::default();
        let bytes = [POST.as_bytes(), b"xyz"].concat();
        for byte in &bytes[..bytes.len() - 1] {
            assert_eq!(feed(&mut reader, &[*byte]), Read::More);
        }
        assert_eq!(target(&feed(&mut reader, b"z")), ("/api/admin/b", &b"xyz"[..]));
    }

    #[test]
    fn requests_that_come_together_are_served_one_after_another() {
        let mut reader = HttpReader::default();
        let together = [POST, "xyz", GET, "GET /half"].concat();
        assert_eq!(target(&feed(&mut reader, together.as_bytes())), ("/api/admin/b", &b"xyz"[..]));
        assert_eq!(target(&reader.next()), ("/a", &b""[..]));
        assert_eq!(reader.next(), Read::More);
        assert_eq!(reader.into_rest(), b"GET /half");
    }

    #[test]
    fn the_stage_says_what_is_waited_for() {
        let mut reader = HttpReader::default();
        assert_eq!(reader.stage(), Stage::First);
        feed(&mut reader, b"P");
        assert_eq!(reader.stage(), Stage::Head);
        feed(&mut reader, &POST.as_bytes()[1..]);
        assert_eq!(reader.stage(), Stage::Body { stretch: 0 });
        feed(&mut reader, b"xyz");
        assert_eq!(reader.stage(), Stage::Idle);
    }

    fn large(length: usize) -> HttpReader {
        let head = format!("PUT /api/admin/b HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        let mut reader = HttpReader::default();
        assert_eq!(feed(&mut reader, head.as_bytes()), Read::More);
        reader
    }

    #[test]
    fn a_body_goes_on_as_long_as_each_stretch_brings_5_kib() {
        let mut reader = large(1 << 20);
        feed(&mut reader, &[1; 5 * 1024]);
        assert!(reader.go_on());
        assert_eq!(reader.stage(), Stage::Body { stretch: 1 });
        feed(&mut reader, &[1; 5 * 1024 - 1]);
        assert!(!reader.go_on(), "a byte too few");
        feed(&mut reader, &[1; 1]);
        assert!(reader.go_on());
        feed(&mut reader, &[1; 100 * 1024]);
        assert!(reader.go_on());
        assert!(!reader.go_on(), "what came before is not counted again");
    }

    #[test]
    fn a_body_has_an_end_after_five_minutes() {
        let mut reader = large(1 << 20);
        for stretch in 0..60 {
            assert_eq!(reader.stage(), Stage::Body { stretch });
            feed(&mut reader, &[1; 8 * 1024]);
            assert_eq!(reader.go_on(), stretch < 59);
        }
    }

    #[test]
    fn a_head_or_silence_is_not_given_more_time() {
        let mut reader = HttpReader::default();
        assert!(!reader.go_on());
        feed(&mut reader, &[b'a'; 6 * 1024]);
        assert!(!reader.go_on());
    }

    #[test]
    fn a_body_takes_no_more_memory_than_is_announced_and_none_before_it_comes() {
        let mut reader = large(1_000_000);
        assert!(reader.body_bytes() <= 8 * 1024, "{}", reader.body_bytes());
        let mut reads = 0;
        loop {
            let room = reader.room();
            let spare = room.capacity() - room.len();
            room.extend(std::iter::repeat_n(7, spare));
            reads += 1;
            assert!(reader.body_bytes() <= 1_000_000, "{}", reader.body_bytes());
            if let Read::Request(_, body) = reader.next() {
                break assert_eq!(body.len(), 1_000_000);
            }
        }
        assert!(reads < 15, "{reads} reads");
        assert_eq!((reader.body_bytes(), reader.stage()), (0, Stage::Idle));
    }

    #[test]
    fn a_client_that_expects_it_is_told_to_go_on_once() {
        let mut reader = HttpReader::default();
        let head =
            "PUT /api/admin/b HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(feed(&mut reader, head.as_bytes()), Read::Continue);
        assert_eq!(reader.next(), Read::More);
        assert_eq!(target(&feed(&mut reader, b"xyz")), ("/api/admin/b", &b"xyz"[..]));
    }

    #[test]
    fn what_comes_before_an_upgrade_is_answered_is_kept_up_to_4_kib() {
        let mut reader = HttpReader::default();
        let early = [UPGRADE.as_bytes(), &[7; EARLY_BYTES_MAX]].concat();
        assert_eq!(target(&feed(&mut reader, &early)), ("/c", &b""[..]));
        assert_eq!(reader.into_rest(), [7; EARLY_BYTES_MAX]);
        let mut reader = HttpReader::default();
        let early = [UPGRADE.as_bytes(), &[7; EARLY_BYTES_MAX + 1]].concat();
        assert!(matches!(feed(&mut reader, &early), Read::Fault(HeadFault::Malformed(_))));
    }
}
