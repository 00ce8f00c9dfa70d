//! The file of a recording: a line of JSON with what the process began with, then frames. A frame has its length and a
//! checksum in front, so that one that was torn by a crash is recognised and left out.

use crate::recording::credentials::without_credential;
use parlor_protocol::action::Action;
use parlor_protocol::input::Input;
use parlor_protocol::settings::Settings;
use parlor_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::{self, BufRead, Read};

/// The format that this program writes and reads.
pub const FORMAT: u32 = 2;
/// The largest frame, in bytes.
pub const FRAME_BYTES_MAX: usize = 64 << 20;
/// The longest first line, in bytes.
const HEADER_BYTES_MAX: u64 = 1 << 20;
/// Length and checksum.
const PREFIX_BYTES: usize = 8;
/// What an action is compared by.
pub const DIGEST_BYTES: usize = 16;
/// The first SHA-256 bytes of an action.
pub type ActionDigest = [u8; DIGEST_BYTES];

const STEP: u8 = 1;
const END: u8 = 2;

/// What the process began with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// `FORMAT`
    pub parlor_recording: u32,
    /// Which of the two programs.
    pub program: String,
    /// Its version.
    pub version: String,
    /// When it was started, for people.
    pub started_at: String,
    /// What the core's randomness comes from, in hexadecimal digits.
    pub seed: String,
    /// What the core was told to be.
    pub settings: Settings,
}

impl Header {
    /// Of a process that begins now.
    pub fn new(program: &str, now: Timestamp, seed: [u8; 32], settings: Settings) -> Self {
        Self {
            parlor_recording: FORMAT,
            program: program.to_string(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            started_at: now.to_string(),
            seed: seed.iter().map(|byte| format!("{byte:02x}")).collect(),
            settings,
        }
    }

    /// The line, with its end.
    pub fn write(&self) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }

    /// Reads the line. The error says, for people, why this is nothing to replay.
    pub fn read(file: &mut impl BufRead) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Made {
            parlor_recording: u32,
            version: String,
        }
        let mut line = Vec::new();
        file.take(HEADER_BYTES_MAX).read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
        let made: Made = serde_json::from_slice(&line).map_err(|_| "it is no recording".to_string())?;
        if made.parlor_recording != FORMAT {
            let format = made.parlor_recording;
            return Err(format!("its format is {format}, and this program reads {FORMAT}"));
        }
        let version = env!("CARGO_PKG_VERSION");
        if made.version != version {
            let made = made.version;
            return Err(format!(
                "it was made by Parlor {made}, and this is {version}: replay it with the program that made it"
            ));
        }
        serde_json::from_slice(&line).map_err(|error| format!("its first line cannot be read: {error}"))
    }

    /// The seed as the core takes it.
    pub fn seed(&self) -> Option<[u8; 32]> {
        let digits = Some(self.seed.as_str()).filter(|seed| seed.len() == 64 && seed.is_ascii())?;
        let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok();
        let bytes: Option<Vec<u8>> = (0..32).map(byte).collect();
        bytes?.try_into().ok()
    }
}

/// What a frame holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A fact that the core was told, and what it answered with.
    Step {
        /// When.
        now: Timestamp,
        /// The fact.
        input: Input,
        /// Its actions, in order.
        actions: Vec<ActionDigest>,
    },
    /// Nothing more was recorded, and why.
    End(String),
}

/// A frame for a step; `input` is written in CBOR.
pub fn step_frame(now: Timestamp, input: &[u8], actions: &[ActionDigest]) -> Vec<u8> {
    let count = u32::try_from(actions.len()).unwrap_or(u32::MAX);
    frame(&[&[STEP][..], &now.0.to_le_bytes(), &count.to_le_bytes(), &actions.concat(), input].concat())
}

/// The last frame.
pub fn end_frame(reason: &str) -> Vec<u8> {
    frame(&[&[END][..], reason.as_bytes()].concat())
}

fn frame(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes()[..], &checksum(content), content].concat()
}

fn checksum(content: &[u8]) -> [u8; 4] {
    let hash = Sha256::digest(content);
    [hash[0], hash[1], hash[2], hash[3]]
}

/// A value in CBOR.
pub fn encode(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// What an action is compared by. `hide` hides tokens in it.
pub fn digest(action: &Action, hide: impl FnOnce(&mut [u8])) -> io::Result<ActionDigest> {
    let mut bytes = match without_credential(action) {
        Some(bare) => encode(&bare)?,
        None => encode(action)?,
    };
    hide(&mut bytes);
    let mut digest = [0; DIGEST_BYTES];
    digest.copy_from_slice(&Sha256::digest(&bytes)[..DIGEST_BYTES]);
    Ok(digest)
}

/// What is read next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// A frame.
    Content(Box<Content>),
    /// The file ends where a frame ends.
    Ends,
    /// The file ends within a frame, of which there are so many bytes: a crash did that.
    Torn(usize),
}

/// Reads the next frame. The error says what is wrong with it.
pub fn read_next(file: &mut impl Read) -> Result<Next, String> {
    let mut prefix = Vec::with_capacity(PREFIX_BYTES);
    read_up_to(file, PREFIX_BYTES, &mut prefix)?;
    let [a, b, c, d, ref sum @ ..] = prefix[..] else {
        return Ok(if prefix.is_empty() { Next::Ends } else { Next::Torn(prefix.len()) });
    };
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(format!("a frame of {length} bytes is over the limit of {FRAME_BYTES_MAX}"));
    }
    let mut content = Vec::new();
    read_up_to(file, length, &mut content)?;
    if content.len() < length || sum.len() < 4 {
        return Ok(Next::Torn(prefix.len() + content.len()));
    }
    match checksum(&content) == *sum {
        true => read_content(&content).map(|content| Next::Content(Box::new(content))),
        false => Err("a frame does not have its checksum".to_string()),
    }
}

fn read_up_to(file: &mut impl Read, length: usize, bytes: &mut Vec<u8>) -> Result<(), String> {
    file.take(length as u64).read_to_end(bytes).map(drop).map_err(|error| error.to_string())
}

fn read_content(content: &[u8]) -> Result<Content, String> {
    let broken = || "a frame is not whole".to_string();
    match content.split_first() {
        Some((&STEP, rest)) => {
            let (now, rest) = rest.split_first_chunk::<8>().ok_or_else(broken)?;
            let (count, rest) = rest.split_first_chunk::<4>().ok_or_else(broken)?;
            let length = (u32::from_le_bytes(*count) as usize).saturating_mul(DIGEST_BYTES);
            let (actions, input) = rest.split_at_checked(length).ok_or_else(broken)?;
            let (actions, _) = actions.as_chunks::<DIGEST_BYTES>();
            let input = ciborium::from_reader(input).map_err(|error| format!("an input: {error}"))?;
            Ok(Content::Step { now: Timestamp(u64::from_le_bytes(*now)), input, actions: actions.to_vec() })
        }
        Some((&END, reason)) => Ok(Content::End(String::from_utf8_lossy(reason).into_owned())),
        Some(_) | None => Err("a frame of an unknown kind".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header::new("parlor", Timestamp(0), [0xa5; 32], Settings::default())
    }

    #[test]
    fn a_file_that_is_torn_anywhere_is_read_up_to_there() {
        let input = encode(&Input::Tick).expect("it can be written");
        let first = step_frame(Timestamp(1), &input, &[[1; DIGEST_BYTES], [2; DIGEST_BYTES]]);
        let whole = [first.clone(), end_frame("enough")].concat();
        for length in 0..=whole.len() {
            let mut file = &whole[..length];
            let mut read = Vec::new();
            let end = loop {
                match read_next(&mut file).expect("nothing is damaged") {
                    Next::Content(content) => read.push(*content),
                    end @ (Next::Ends | Next::Torn(_)) => break end,
                }
            };
            let (count, rest) = match length {
                _ if length == whole.len() => (2, 0),
                _ if length >= first.len() => (1, length - first.len()),
                _ => (0, length),
            };
            assert_eq!(read.len(), count);
            assert_eq!(end, if rest == 0 { Next::Ends } else { Next::Torn(rest) });
        }
        let mut damaged = whole;
        damaged[20] ^= 1;
        let why = read_next(&mut &damaged[..]).expect_err("it is damaged");
        assert_eq!(why, "a frame does not have its checksum");
    }

    #[test]
    fn a_recording_of_another_version_or_format_is_refused_by_name() {
        let read = |header: &Header| Header::read(&mut &header.write().expect("JSON")[..]);
        assert_eq!(read(&header()), Ok(header()));
        assert_eq!(header().seed(), Some([0xa5; 32]));
        let older = Header { version: "0.0.9".into(), ..header() };
        assert_eq!(
            read(&older),
            Err("it was made by Parlor 0.0.9, and this is 0.1.0: replay it with the program that made it"
                .into())
        );
        let later = Header { parlor_recording: 3, ..header() };
        assert_eq!(read(&later), Err("its format is 3, and this program reads 2".into()));
        assert_eq!(Header::read(&mut &b"# a story\n"[..]), Err("it is no recording".into()));
    }
}
