//! Frames (RFC 6455 §5.2) as a client writes and reads them: no more of it than counting needs.

/// Any key masks; a client that is not a browser has nobody to hide from.
const MASK: [u8; 4] = [0x5a, 0x03, 0xc1, 0x9f];

/// A text message.
pub const TEXT: u8 = 1;
/// A binary message.
pub const BINARY: u8 = 2;
/// A close frame.
pub const CLOSE: u8 = 8;
/// A ping.
pub const PING: u8 = 9;
/// A pong.
pub const PONG: u8 = 10;

/// A whole frame of a client.
pub fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(opcode, payload.len());
    bytes[1] |= 0x80;
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A whole frame of a server.
pub fn plain(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(opcode, payload.len());
    bytes.extend_from_slice(payload);
    bytes
}

fn header(opcode: u8, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 14);
    bytes.push(0x80 | opcode);
    match length {
        0..=125 => bytes.push(length as u8),
        126..=0xffff => {
            bytes.push(126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes
}

/// Finds whole frames in what comes, in whatever pieces. It holds bytes only between two pieces of one frame.
#[derive(Debug, Default)]
pub struct Scanner {
    begun: Vec<u8>,
}

impl Scanner {
    /// Takes in bytes and shows `frame` the opcode and the payload of each frame that is whole.
    pub fn scan(&mut self, bytes: &[u8], mut frame: impl FnMut(u8, &[u8])) {
        if self.begun.is_empty() {
            let used = whole(bytes, &mut frame);
            self.begun.extend_from_slice(&bytes[used..]);
        } else {
            self.begun.extend_from_slice(bytes);
            let used = whole(&self.begun, &mut frame);
            self.begun.drain(..used);
        }
        if self.begun.is_empty() {
            self.begun = Vec::new();
        }
    }
}

fn whole(bytes: &[u8], frame: &mut impl FnMut(u8, &[u8])) -> usize {
    let mut used = 0;
    while let Some((opcode, start, end)) = first(&bytes[used..]) {
        frame(opcode, &bytes[used + start..used + end]);
        used += end;
    }
    used
}

/// The first frame's opcode, and where its payload begins and ends, if it is whole and not masked.
fn first(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (start, length) = match bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        length => (2, usize::from(*length)),
    };
    (bytes.len() >= start + length).then_some((bytes[0] & 0x0f, start, start + length))
}

/// Takes the first frame of a client off `bytes`, unmasked. For a server that reads little.
pub fn take_masked(bytes: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let (head, length) = match bytes.get(1)? & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => return None,
        length => (2, usize::from(length)),
    };
    let start = head + MASK.len();
    let payload = bytes.get(start..start + length)?;
    let mask = &bytes[head..start];
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    let opcode = bytes[0] & 0x0f;
    bytes.drain(..start + length);
    Some((opcode, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_in_whatever_pieces_they_come() {
        let sizes = [0, 125, 126, 65_535, 65_536];
        let bytes: Vec<u8> = sizes.iter().flat_map(|size| plain(TEXT, &vec![7; *size])).collect();
        for piece in [1, 2, 3, 1_000, bytes.len()] {
            let (mut scanner, mut found) = (Scanner::default(), Vec::new());
            for bytes in bytes.chunks(piece) {
                scanner.scan(bytes, |opcode, payload| found.push((opcode, payload.len())));
            }
            assert_eq!(found, sizes.map(|size| (TEXT, size)));
        }
    }

    #[test]
    fn a_masked_frame_comes_back_as_it_was() {
        let mut bytes = [masked(TEXT, b"hello"), masked(PING, &[1; 126])].concat();
        assert_eq!(take_masked(&mut bytes), Some((TEXT, b"hello".to_vec())));
        let last = bytes.pop().expect("the ping is there");
        assert_eq!(take_masked(&mut bytes), None);
        bytes.push(last);
        assert_eq!(take_masked(&mut bytes), Some((PING, vec![1; 126])));
        assert!(bytes.is_empty());
    }
}
